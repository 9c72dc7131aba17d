"""The command line, the only room that prints.

What is public it takes from `locality`, as anybody would.
"""

import sys


def main() -> None:
    """Run the command line; the entry point ``locality``."""
    from locality.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Greek shows question marks
            stream.reconfigure(errors="replace")
    app()
