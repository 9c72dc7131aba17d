"""Files and folders that appear complete or not at all.

The content goes to a file or folder beside the target, reaches the disk, and then takes the
target's name in one step. A reader sees the old one or the new one; after a failure the old one is
still there and nothing else is left behind. A folder that is replaced first gives its name away,
and takes it back if the second step fails.
"""

import contextlib
import errno
import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from locality.exceptions import DataError, OutputExists

__all__ = ["building", "flush_names", "replacing"]


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


@contextlib.contextmanager
def building(path: Path, require_free: Callable[[Path], None]) -> Iterator[Path]:
    """Make a folder that takes the name ``path`` when the block ends well.

    Parameters
    ----------
    path : pathlib.Path
        Its parent must exist; links are followed.
    require_free : callable
        Called with the target; raises if something there may not be replaced.

    Yields
    ------
    pathlib.Path
        The folder to fill.

    Raises
    ------
    DataError
        The parent is missing or cannot be written to, or the disk is full.
    OutputExists
        Something took the name meanwhile.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with building(Path(parent) / "notes", lambda target: None) as folder:
    ...         size = (folder / "one").write_text("done")
    ...     (Path(parent) / "notes" / "one").read_text()
    'done'
    """
    try:
        target = path.resolve()
        if not target.parent.is_dir():
            raise DataError(
                f"{path} cannot be written: there is no folder {target.parent}.",
                remedy="Create it first, or choose another path.",
            )
        require_free(target)
        key = secrets.token_hex(8)
        partial = target.with_name(f".locality-{key}.part")
        retired = target.with_name(f".locality-{key}.old")
        complete = done = False
        try:
            partial.mkdir()
            yield partial
            _flush_folders(partial)
            complete = True
            if os.path.lexists(target):
                require_free(target)
                os.rename(target, retired)
            os.rename(partial, target)
            flush_names(target.parent)
            done = True
        finally:
            if complete and not done:
                _step_back(target, partial, retired)
            shutil.rmtree(partial, ignore_errors=True)
        _delete(retired)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        if isinstance(error, OSError) and error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise OutputExists(f"{path} exists.", remedy="Choose another path.") from error
        raise DataError(
            f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.",
            remedy="Check that its folder may be written to and has space.",
        ) from error


def _step_back(target: Path, partial: Path, retired: Path) -> None:
    """Undo the exchange of names, however far it got."""
    if not os.path.lexists(partial):
        os.rename(target, partial)
    if os.path.lexists(retired) and not os.path.lexists(target):
        os.rename(retired, target)
    elif os.path.lexists(retired):  # another process replaced the same folder
        _delete(retired)


def _delete(retired: Path) -> None:
    """Delete what was replaced; what resists is reported, for its successor is in place."""
    try:
        shutil.rmtree(retired, ignore_errors=True)
    finally:  # once more after an interrupt: half a folder serves nobody
        if os.path.lexists(retired):
            shutil.rmtree(retired, ignore_errors=True)
    if os.path.lexists(retired):
        warnings.warn(
            f"The replaced folder could not be deleted; its files are in {retired}.", stacklevel=4
        )


def _flush_folders(folder: Path) -> None:
    """Wait until the names in a folder and its folders have reached the disk."""
    for inner, _, _ in os.walk(folder):
        flush_names(Path(inner))


def flush_names(folder: Path) -> None:
    """Wait until the names in a folder have reached the disk, where systems know how to.

    Parameters
    ----------
    folder : pathlib.Path
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
