"""A folder that appears complete or not at all, and the files in it.

The counterpart of ``locality.data.atomic`` for folders: everything is written and flushed in a
folder beside the target, which then takes the target's name in one step. A folder that is
replaced first gives its name away, and takes it back if the second step fails. After a failure or
an interrupt all is as before.
"""

import contextlib
import errno
import os
import secrets
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from locality.exceptions import DataError, ModelCorrupt, OutputExists

__all__ = ["building", "flush_names", "read_file", "write_file"]


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
    ...         write_file(folder / "one", b"1")
    ...     read_file(Path(parent) / "notes" / "one", 10, "There is no such note.")
    b'1'
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


def write_file(file: Path, data: bytes) -> None:
    """Write a new file and wait until it has reached the disk.

    Parameters
    ----------
    file : pathlib.Path
    data : bytes
    """
    with open(file, "xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def read_file(file: Path, limit: int, missing: str) -> bytes:
    """Content of a regular file.

    Parameters
    ----------
    file : pathlib.Path
    limit : int
        Largest size in bytes.
    missing : str
        What to say if there is no such file.

    Raises
    ------
    ModelCorrupt
        The file is missing, too large, or no regular file.
    DataError
        It cannot be read.
    """
    try:
        status = os.stat(file)
        if not stat.S_ISREG(status.st_mode):
            raise ModelCorrupt(f"{file} is not a regular file.")
        if status.st_size > limit:
            raise ModelCorrupt(
                f"{file} is damaged: expected at most {limit} bytes, found {status.st_size}."
            )
        with open(file, "rb") as stream:
            return stream.read(limit)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelCorrupt(missing) from error
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror or error}.",
            remedy="Check that it may be read and the disk is well.",
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
