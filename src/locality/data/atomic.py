"""A file that appears complete or not at all.

The content goes to a file beside the target, reaches the disk, and then takes the target's name in
one step. A reader sees the old file or the new one; after a failure the old one is still there and
nothing else is left behind.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from locality.exceptions import DataError

__all__ = ["replacing"]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of ``path`` when the block ends well.

    Parameters
    ----------
    path : pathlib.Path
        Its folder must exist.

    Raises
    ------
    DataError
        The folder is missing or cannot be written to, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "note.txt"
    ...     with replacing(path) as file:
    ...         size = file.write(b"done")
    ...     path.read_text()
    'done'
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}.",
            remedy="Check that the folder exists, may be written to and has space.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
