"""The ledger: finished shards of a fit under way, one file each, named by the digest of their task.

A file is complete or not there: it is written beside its place, flushed, and then takes its name.
It begins with the SHA-256 of the rest, so what is damaged is found, and worked on again. The fit
itself is done by whoever reads the ledger; equal tasks have equal results, so it never matters who
wrote an entry.
"""

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from locality.data.atomic import flush_names
from locality.exceptions import DataError, ModelCorrupt
from locality.model.groups import check_shard
from locality.store.arrays import from_bytes, to_bytes
from locality.store.files import write_file

__all__ = ["FileLedger", "has_progress", "is_ledger"]

_LOG = "log.txt"
_SUFFIX = ".shard"
_OURS = re.compile(r"log\.txt|[0-9a-f]{64}\.shard|\.[0-9a-f]{16}\.part")
_DIGEST = 32  # bytes


class FileLedger:
    """Finished shards in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.

    Raises
    ------
    DataError
        If it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """The shard of a task as arrays, None if it was not finished or its file is damaged."""
        file = self.folder / f"{key}{_SUFFIX}"
        try:
            content = file.read_bytes()
            if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
                return None
            arrays = from_bytes(content[_DIGEST:])
            check_shard(arrays, file.name)
        except (OSError, ModelCorrupt):
            return None
        return arrays

    def put(self, key: str, arrays: Mapping[str, np.ndarray], note: str = "finished") -> None:
        """Keep a finished shard, and write a line about it to the log.

        Parameters
        ----------
        key : str
            Digest of its task.
        arrays : mapping
            Of the shard.
        note : str
            What the line says of it.

        Raises
        ------
        DataError
            If the folder cannot be written to, or the disk is full.
        """
        partial = self.folder / f".{secrets.token_hex(8)}.part"
        try:
            data = to_bytes(arrays)
            write_file(partial, hashlib.sha256(data).digest() + data)
            os.replace(partial, self.folder / f"{key}{_SUFFIX}")
            flush_names(self.folder)
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            with open(self.folder / _LOG, "a", encoding="utf-8") as log:
                log.write(f"{now} {note} ({key[:12]})\n")
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def __len__(self) -> int:
        """Number of finished shards."""
        return sum(1 for _ in self.folder.glob(f"*{_SUFFIX}"))


def is_ledger(folder: Path) -> bool:
    """Whether a folder holds the progress of a fit, and nothing that is somebody else's."""
    return folder.is_dir() and all(_OURS.fullmatch(name) for name in os.listdir(folder))


def has_progress(folder: Path) -> bool:
    """Whether there is a finished shard in a folder."""
    return any(folder.glob(f"*{_SUFFIX}"))


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"{folder} cannot be written: {error.strerror or error}.",
        remedy="Check that it may be written to and has space.",
    )
