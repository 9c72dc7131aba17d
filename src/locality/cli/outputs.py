"""Outputs: refused before any work if they could not be written after it.

A fit may take minutes, so what can be known at the start is checked at the start: that nothing is
overwritten unasked, that the folder exists and takes files, and that the file type is known.
"""

import contextlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from locality import DataError, LocalityError, OutputExists
from locality.cli.terminal import errors

__all__ = [
    "fresh_folder",
    "is_unfinished",
    "require_free_concept",
    "require_free_file",
    "require_free_folder",
    "require_free_page",
    "require_free_picture",
    "require_free_report",
    "require_state_folder",
    "under_way",
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
    _require_new(path, overwrite)


def require_free_page(path: Path, overwrite: bool) -> None:
    """Refuse a page that could not be written; as `require_free_file`."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise DataError(f"{path} is no page.", remedy="Names of pages end in .html.")
    _require_new(path, overwrite)


def require_free_picture(path: Path, overwrite: bool) -> None:
    """Refuse a picture that could not be written; as `require_free_file`."""
    if path.suffix.lower() != ".png":
        raise DataError(
            f"{path} is of an unknown file type.", remedy="The name of a picture ends in .png."
        )
    _require_new(path, overwrite)


def _require_new(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputExists(f"{path} is a folder.", remedy="Name a file in it.")
    if (path.parent / "manifest.json").is_file() and (path.parent / "blobs").is_dir():
        raise OutputExists(f"{path.parent} is a model.", remedy="Name a file beside it.")
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
    from locality.store.store import require_free

    _require_free(lambda path, overwrite: require_free(path, overwrite=overwrite), path, overwrite)


def is_unfinished(path: Path) -> bool:
    """Whether there is nothing but the progress of a fit in a folder."""
    from locality.store.ledger import is_ledger

    is_alone = path.is_dir() and {entry.name for entry in path.iterdir()} == {"work"}
    return is_alone and is_ledger(path / "work")


@contextlib.contextmanager
def under_way(path: Path, keep: bool) -> Iterator[Path]:
    """The folder for the progress of a fit, in the folder that its model is going to take.

    What is there from before is used if ``keep``, and deleted if not. If the fit is interrupted or
    fails, finished shards stay; if there are none, nothing is left.

    Parameters
    ----------
    path : Path
        Of the model.
    keep : bool

    Raises
    ------
    OutputExists
        Something else has the name of that folder.
    """
    from locality.store.ledger import has_progress, is_ledger

    beside = path.exists() and not is_unfinished(path)  # a model that is going to be replaced
    work = path.with_name(f".{path.name}.work") if beside else path / "work"
    if work.exists() and not is_ledger(work):
        raise OutputExists(
            f"{work} is needed for the progress of the fit, and is something else.",
            remedy="Choose another name for the model.",
        )
    if not keep:
        shutil.rmtree(work, ignore_errors=True)
    try:
        yield work
    except BaseException:  # Ctrl-C, a lost worker, a full disk: what is finished cost time
        if has_progress(work):
            errors().print(
                f"Stopped. {work} keeps what is finished: the same command with --resume goes on.",
                highlight=False,
            )
        else:
            _forget(path, work)
        raise
    shutil.rmtree(work, ignore_errors=True)


def _forget(path: Path, work: Path) -> None:
    """Delete the progress of a fit, and the folder that was made for it."""
    shutil.rmtree(work, ignore_errors=True)
    if work.parent == path:
        with contextlib.suppress(OSError):
            path.rmdir()


def require_free_report(path: Path, overwrite: bool) -> None:
    """Refuse a folder that a report could not be written to; as `require_free_folder`."""
    from locality.analysis.check.record import FOLDER

    _require_free(FOLDER.require_free, path, overwrite)


def require_free_concept(path: Path, overwrite: bool) -> None:
    """Refuse a folder that a proof of concept could not be written to; likewise."""
    from locality.analysis.planning.concept import FOLDER

    _require_free(FOLDER.require_free, path, overwrite)


def require_state_folder(path: Path) -> None:
    """Refuse a folder that the state of a stream could not be written to, or that is another's.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        The folder above is missing, one of the two takes no files, or it holds something else.
    """
    if not path.exists():
        _require_writable(path)
        return
    foreign = "a file" if not path.is_dir() else ""
    if not foreign and not (path / "state").is_file():
        own = re.compile(r"anchor\.\d+|\.(state|anchor\.\d+)\.\w+\.part")  # half-written ones
        others = [e.name for e in path.iterdir() if not own.fullmatch(e.name)]
        foreign = f"a folder with {min(others)!r} in it" if others else ""
    if foreign:
        raise DataError(
            f"--continue: {path} is {foreign}, expected a folder with the state of a stream.",
            remedy="Name a new folder, or that of an earlier call.",
        )
    _require_writable(path / "state")


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
