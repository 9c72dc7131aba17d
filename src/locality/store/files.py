"""The files of a model's folder: written once and flushed, read whole and within a limit."""

import os
import stat
from pathlib import Path

from locality.exceptions import DataError, ModelCorrupt

__all__ = ["read_file", "write_file"]


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
