"""Versions of a model in one folder: unchanged shards are shared, and nothing is ever half there.

    manifest.json            the version that is served, byte for byte one of
    versions/000001.json …   the manifests of all versions; never changed
    blobs/                   what they consist of; never changed, shared between versions
    aliases/<name>           the number of a version
    lock                     held by whoever writes; readers never look at it

A version is written blob by blob, then its manifest, then manifest.json takes the new text in one
step: that is the moment at which it counts. A writer that dies before leaves a version that nobody
serves, or files that `locality.store.garbage` takes away.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locality.data.atomic import flush_names, replacing
from locality.exceptions import DataError, ModelCorrupt, OptionError, VersionConflict
from locality.store.manifest import Manifest
from locality.store.store import (
    ALIASES,
    BLOBS,
    LOCK,
    MANIFEST,
    VERSIONS,
    blobs_of,
    read_blob,
    read_manifest,
    version_file,
)

if TYPE_CHECKING:
    from locality.model.model import Model

__all__ = [
    "Version",
    "aliases_of",
    "commit_version",
    "find_version",
    "list_versions",
    "numbers_of",
    "rollback",
    "served_digest",
    "served_version",
    "set_alias",
    "writing",
]

SERVED = "champion"  # the alias of the version that is served
_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PATIENCE = 60.0  # seconds for which a writer waits for another


@dataclass(frozen=True)
class Version:
    """A version of a model.

    Parameters
    ----------
    number : int
    created : str
        UTC.
    parent : int or None
    change : dict
        What was done to the parent.
    served : bool
    aliases : tuple of str
    n_blobs : int
    n_new : int
        Blobs that the parent does not have.
    new_bytes : int
        What those take.
    """

    number: int
    created: str
    parent: int | None
    change: dict[str, Any]
    served: bool
    aliases: tuple[str, ...]
    n_blobs: int
    n_new: int
    new_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def served_version(path: str | PathLike[str]) -> int:
    """Number of the version that is served."""
    return read_manifest(Path(path)).version


def served_digest(path: str | PathLike[str]) -> str:
    """SHA-256 of the manifest that is served: of two folders or fits, it is never the same."""
    return _digest(read_manifest(Path(path)))


def commit_version(
    model: "Model",
    path: str | PathLike[str],
    *,
    change: Mapping[str, Any],
    parent: str | None = None,
    serve: bool = True,
) -> int:
    """Add a version to a model folder.

    Parameters
    ----------
    model : Model
    path : path
        Of a model that was saved before.
    change : mapping
        What was done, as JSON.
    parent : str, optional
        ``served_digest`` of the version that it was made from, which must still be served. A number
        would not tell it from that of another fit in the same folder.
    serve : bool, default True
        Serve it from now on; otherwise it gets the alias "challenger".

    Returns
    -------
    int
        Its number.

    Raises
    ------
    VersionConflict
        If another version is served by now, or somebody else does not stop writing. Nothing has
        changed.
    DataError
        If the folder cannot be written to, or the disk is full. The old version is still served.
    """
    folder = Path(path)
    from locality.model.groups import check_groups
    from locality.model.record import record_of

    description, groups = record_of(model)
    check_groups(groups)
    with writing(folder):
        served = read_manifest(folder)
        if parent is not None and parent != _digest(served):
            raise VersionConflict(
                f"{folder} serves another version by now, number {served.version} of "
                f"{served.created}.",
                remedy="Do it again, from that version.",
            )
        numbers = numbers_of(folder)
        if served.version not in numbers:  # a folder from before there were versions
            _write(folder / VERSIONS / version_file(served.version), served.to_bytes())
        blobs = []
        for blob, data in blobs_of(groups):
            file = folder / BLOBS / blob.file_name
            if not file.is_file() or file.read_bytes() != data:
                _write(file, data)
            blobs.append(blob)
        number = max([*numbers, served.version]) + 1
        manifest = Manifest.of(description, blobs, number, served.version, change)
        _write(folder / VERSIONS / version_file(number), manifest.to_bytes())
        if serve:
            _write(folder / MANIFEST, manifest.to_bytes())
        else:
            _write(folder / ALIASES / "challenger", str(number).encode())
    return number


def rollback(path: str | PathLike[str], version: int | str) -> int:
    """Serve another version from now on; nothing is deleted.

    Parameters
    ----------
    path : path
    version : int or str
        Number or alias.

    Returns
    -------
    int
        Number of the version that is served.

    Raises
    ------
    ModelCorrupt
        If a file of that version is damaged or missing. Nothing has changed.
    """
    folder = Path(path)
    with writing(folder):
        served = read_manifest(folder)
        number = find_version(folder, version)
        if number != served.version:
            if served.version not in numbers_of(folder):
                _write(folder / VERSIONS / version_file(served.version), served.to_bytes())
            chosen = read_manifest(folder, number)
            for blob in chosen.blobs:
                read_blob(folder / BLOBS / blob.file_name, blob)
            _write(folder / MANIFEST, chosen.to_bytes())
    return number


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(manifest.to_bytes()).hexdigest()


def find_version(path: str | PathLike[str], version: int | str) -> int:
    """Number of a version that is named by number or alias.

    Raises
    ------
    DataError
        If there is no such version.
    """
    folder, text = Path(path), str(version)
    if text == SERVED:
        return served_version(folder)
    if text.isascii() and text.isdigit():
        return read_manifest(folder, int(text)).version
    aliases = aliases_of(folder)
    if text not in aliases:
        known = ", ".join([SERVED, *sorted(aliases)])
        raise DataError(
            f"{folder} has no version {text!r}.",
            remedy=f"Name a number, or one of the aliases {known}.",
        )
    return aliases[text]


def list_versions(path: str | PathLike[str]) -> list[Version]:
    """All versions, the oldest first; of one whose manifest is damaged only that, as its change."""
    folder = Path(path)
    served, aliases = read_manifest(folder), aliases_of(folder)
    manifests: dict[int, Manifest] = {served.version: served}
    found = []
    for number in numbers_of(folder):
        try:
            manifests[number] = read_manifest(folder, number)
        except ModelCorrupt:
            known_as = tuple(alias for alias, other in sorted(aliases.items()) if other == number)
            damaged = {"kind": "damaged"}
            found.append(Version(number, "", None, damaged, False, known_as, 0, 0, 0))
    for number, manifest in manifests.items():
        before = manifests.get(manifest.parent or 0)
        known = {blob.digest for blob in before.blobs} if before else set()
        new = [blob for blob in manifest.blobs if blob.digest not in known]
        names = [alias for alias, other in sorted(aliases.items()) if other == number]
        if number == served.version:
            names.insert(0, SERVED)
        found.append(
            Version(
                number, manifest.created, manifest.parent, manifest.change,
                number == served.version, tuple(names), len(manifest.blobs), len(new),
                sum(blob.bytes for blob in new),
            )
        )  # fmt: skip
    return sorted(found, key=lambda version: version.number)


def set_alias(path: str | PathLike[str], name: str, version: int | str | None) -> None:
    """Name a version, or (None) give the name up.

    Raises
    ------
    OptionError
        If it is no name, or the one of the version that is served.
    """
    if not _ALIAS.fullmatch(name) or name.isdigit() or name == SERVED:
        raise OptionError(
            f"{name!r} cannot be the alias of a version.",
            remedy="Use small letters, digits, dots and dashes, not digits alone, and not "
            f"{SERVED!r}, which is the version that is served (see rollback).",
        )
    folder = Path(path)
    with writing(folder):
        if version is None:
            if name not in aliases_of(folder):
                raise DataError(f"{folder} has no alias {name!r}.")
            (folder / ALIASES / name).unlink()
            flush_names(folder / ALIASES)
            return
        _write(folder / ALIASES / name, str(find_version(folder, version)).encode())


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the lock of a process that died is free."""
    from filelock import FileLock, Timeout

    read_manifest(folder)  # a folder that is no model is not locked
    lock = FileLock(folder / LOCK, timeout=_PATIENCE)
    try:
        with lock:
            yield
    except Timeout as error:
        raise VersionConflict(
            f"{folder} is being written by another process for more than {_PATIENCE:.0f} s.",
            remedy="Wait for it to end.",
        ) from error
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written: {error.strerror or error}.",
            remedy="Check that it may be written to and has space. The version that was served "
            "before still is.",
        ) from error


def _write(file: Path, data: bytes) -> None:
    """A file that appears complete or not at all, on disk when this returns."""
    file.parent.mkdir(exist_ok=True)
    with replacing(file) as stream:
        stream.write(data)
    flush_names(file.parent)


def numbers_of(folder: Path) -> list[int]:
    """Numbers of the versions that have a manifest of their own."""
    if not (folder / VERSIONS).is_dir():
        return []
    names = os.listdir(folder / VERSIONS)
    return sorted(int(name[:6]) for name in names if re.fullmatch(r"[0-9]{6}\.json", name))


def aliases_of(folder: Path) -> dict[str, int]:
    """Number of the version that each alias names."""
    found = {}
    inside = folder / ALIASES
    for name in os.listdir(inside) if inside.is_dir() else []:
        if _ALIAS.fullmatch(name):
            text = (inside / name).read_text("ascii", errors="replace").strip()
            if text.isdigit():
                found[name] = int(text)
    return found
