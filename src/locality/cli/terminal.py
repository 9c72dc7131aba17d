"""The terminal: sentences, tables, progress and JSON, in one look.

Results go to the output stream, progress and errors to the error stream. Progress shows on a
terminal only; in a file or a pipe there is none. Names from tables are printed as they are, never
read as markup.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

__all__ = ["Report", "counted", "errors", "print_json", "progress_bar", "seconds_text"]

_PLAIN_WIDTH = 110  # columns where there is no terminal to ask

_STAGES = {
    "radius": "Comparing radii",
    "networks": "Training networks",
    "closed form": "Fitting closed forms",
    "sampling": "Drawing rows",
    "scoring": "Scoring rows",
    "graph": "Looking for dependences",
    "trials": "Fitting parts of the rows",
    "rivals": "Fitting global models",
    "beyond": "Testing beyond neighborhoods",
    "groups": "Growing a group",
    "model": "Modeling the group",
}

_NEXT = {"radius": "Fitting components"}  # what runs when a stage is done, until it reports

Row = Sequence[str]


def errors() -> Console:
    """The console of the error stream."""
    return _console(stderr=True)


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object, numbers in full and nothing else, to the output stream."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    print(text)


def seconds_text(seconds: float) -> str:
    """A duration for people.

    >>> seconds_text(0.042), seconds_text(3.21), seconds_text(75)
    ('0.04 s', '3.2 s', '1 min 15 s')
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def counted(n: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{n:,} {noun}{'s' * (n != 1)}"


class Report:
    """Prints results; silent if they are asked for as JSON.

    Parameters
    ----------
    quiet : bool
        Print nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._console = _console()
        self._quiet = quiet

    def heading(self, text: str) -> None:
        """A line that opens a section."""
        self._print(Text(f"\n{text}", style="bold"))

    def line(self, text: str = "") -> None:
        """A sentence."""
        self._print(Text(text))

    def table(self, header: Row, rows: Sequence[Row], words: int = 1) -> None:
        """A table whose first ``words`` columns are text and whose others are numbers."""
        grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for place, title in enumerate(header):
            if place < words:
                grid.add_column(Text(title), overflow="fold")
            else:  # a narrow terminal may wrap titles, never numbers
                widest = max((len(row[place]) for row in rows), default=1)
                grid.add_column(Text(title), justify="right", min_width=widest, vertical="bottom")
        for row in rows:
            grid.add_row(*(Text(cell) for cell in row))
        self._print(grid)

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Names and values, one pair a line."""
        grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            grid.add_row(Text(name, style="dim"), Text(value))
        self._print(grid)

    def _print(self, content: Any) -> None:
        if not self._quiet:
            self._console.print(content)


@contextmanager
def progress_bar(waiting: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show what is going on until the block ends.

    Parameters
    ----------
    waiting : str
        What to say until the first report.

    Yields
    ------
    callable
        To be called with (stage, done, total).
    """
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(waiting, total=None, count="")

        def report(stage: str, done: int, total: int) -> None:
            label, count = _STAGES.get(stage, stage), f"{done} of {total}"
            if done >= total and stage in _NEXT:
                bar.update(task, description=_NEXT[stage], completed=0, total=None, count="")
            else:
                bar.update(task, description=label, completed=done, total=total, count=count)

        yield report


def _console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)
