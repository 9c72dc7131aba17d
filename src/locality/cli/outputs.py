"""Outputs: refused before any work if they could not be written after it.

A fit may take minutes, so what can be known at the start is checked at the start: that nothing is
overwritten unasked, that the folder exists and takes files, and that the file type is known.
"""

import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path

from locality.exceptions import DataError, LocalityError, OutputExists

__all__ = [
    "fresh_folder",
    "require_free_concept",
    "require_free_file",
    "require_free_folder",
    "require_free_report",
]

_OVERWRITE = "Choose another name, or replace it with --overwrite."


def require_free_file(path: Path, overwrite: bool) -> None:
    """Refuse a table that could not be written.

    Parameters
    ----------
    path : Path
    overwrite : bool

    Raises
    ------
    OutputExists
        The file is there and may not be replaced.
    DataError
        The file type is unknown, or the folder is missing or takes no files.
    """
    from locality.data.files import SUFFIXES

    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(
            f"{path} is of an unknown file type.",
            remedy=f"Names of tables end in one of {', '.join(SUFFIXES)}.",
        )
    if path.is_dir():
        raise OutputExists(f"{path} is a folder.", remedy="Name a file in it.")
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} is already there.", remedy=_OVERWRITE)
    _require_writable(path)


def require_free_folder(path: Path, overwrite: bool) -> None:
    """Refuse a model folder that could not be written.

    Parameters
    ----------
    path : Path
    overwrite : bool
        Permits to replace a model, and nothing else.

    Raises
    ------
    OutputExists
        Something is there that may not be replaced.
    DataError
        The folder above is missing or takes no files.
    """
    from locality.artifact.store import require_free

    _require_free(lambda path, overwrite: require_free(path, overwrite=overwrite), path, overwrite)


def require_free_report(path: Path, overwrite: bool) -> None:
    """Refuse a folder that a report could not be written to; as `require_free_folder`."""
    from locality.analysis.record import require_free

    _require_free(require_free, path, overwrite)


def require_free_concept(path: Path, overwrite: bool) -> None:
    """Refuse a folder that a proof of concept could not be written to; likewise."""
    from locality.analysis.concept import require_free

    _require_free(require_free, path, overwrite)


def _require_free(rule: Callable[[Path, bool], None], path: Path, overwrite: bool) -> None:
    try:
        rule(path, overwrite)
    except OutputExists as error:
        remedy = _OVERWRITE if "overwrite" in error.remedy else error.remedy
        raise OutputExists(error.message, remedy=remedy) from error
    _require_writable(path)


def fresh_folder(path: Path) -> Path:
    """The path itself, or the first of path-2, path-3, … that is not there yet."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def _require_writable(path: Path) -> None:
    """Write an empty file beside the target and take it away: permissions alone do not tell."""
    parent = path.absolute().parent
    probe = parent / f".{path.name[:100]}.{secrets.token_hex(4)}.part"
    try:
        if not parent.is_dir():
            found = "is a file" if parent.exists() else "does not exist"
            raise _unwritable(path, f"the folder {parent} {found}")
        with open(probe, "xb"):
            pass
    except OSError as error:
        raise _unwritable(path, f"{parent}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def _unwritable(path: Path, reason: str) -> LocalityError:
    return DataError(
        f"{path} cannot be written: {reason}.",
        remedy="Create the folder first, or choose one that may be written to.",
    )
