"""The store: a fitted model as a folder of plain files.

    manifest.json                  what the model consists of, and all that is not an array
    blobs/<sha256>.safetensors     one group of arrays each (the graph, the shards)
    versions/000001.json           the manifests of all versions; see `locality.store.versions`

A blob is named by its content, which depends on learned numbers only: equal models have equal
blobs. A folder appears complete or not at all. Whatever is read is compared with its size and
digest before anything interprets it, no name in a file ever becomes a path, and no file can make
code run.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from locality.data.atomic import building
from locality.exceptions import DataError, LocalityError, ModelCorrupt, OutputExists
from locality.store.files import read_file, write_file
from locality.store.manifest import MAX_BLOB_BYTES, REMEDY, Blob, Manifest

if TYPE_CHECKING:
    from locality.model.groups import Arrays
    from locality.model.model import Model

__all__ = [
    "ALIASES",
    "BLOBS",
    "LOCK",
    "MANIFEST",
    "PARTIAL",
    "VERSIONS",
    "WORK",
    "blobs_of",
    "load_model",
    "read_blob",
    "read_manifest",
    "require_free",
    "save_model",
    "version_file",
]

MANIFEST, BLOBS, VERSIONS, ALIASES = "manifest.json", "blobs", "versions", "aliases"
LOCK, WORK = "lock", "work"
PARTIAL = re.compile(r"\..*\.part")
"""Names of files that were being written when their writer died."""

_OWN = {MANIFEST, BLOBS, VERSIONS, ALIASES, LOCK, WORK}
_INSIDE = {
    BLOBS: re.compile(r"[0-9a-f]{64}\.safetensors"),
    VERSIONS: re.compile(r"[0-9]{6}\.json"),
    ALIASES: re.compile(r"[a-z0-9][a-z0-9._-]{0,63}"),
}
_MAX_MANIFEST_BYTES = 64 * 2**20
_ATTEMPTS = 5  # to read a model whose version is replaced meanwhile


def save_model(model: "Model", path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a model to a folder.

    Parameters
    ----------
    model : Model
    path : path
        Folder to be created; its parent must exist.
    overwrite : bool, default False
        Replace a model that is already there. Anything else is never replaced.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    OutputExists
        If there is something at ``path`` that may not be replaced.
    DataError
        If the folder cannot be written. Nothing is left behind.
    ModelCorrupt
        If the model holds something that could not be read again, such as a weight that is NaN.
    """
    from locality.model.groups import check_groups
    from locality.model.record import record_of

    description, groups = record_of(model)
    check_groups(groups)
    free = partial(require_free, overwrite=overwrite)
    with building(_plain_path(path), free) as folder:
        (folder / BLOBS).mkdir()
        (folder / VERSIONS).mkdir()
        blobs = []
        for blob, data in blobs_of(groups):
            write_file(folder / BLOBS / blob.file_name, data)
            blobs.append(blob)
        text = Manifest.of(description, blobs, change={"kind": "fit"}).to_bytes()
        write_file(folder / VERSIONS / version_file(1), text)
        write_file(folder / MANIFEST, text)
    return Path(path)


def blobs_of(groups: "Mapping[str, Arrays]") -> Iterator[tuple[Blob, bytes]]:
    """The blob of every group, and its content.

    Raises
    ------
    DataError
        If a group is too large to be stored.
    """
    from locality.store.arrays import to_bytes

    for name, arrays in groups.items():
        data = to_bytes(arrays)
        if len(data) > MAX_BLOB_BYTES:
            raise DataError(
                f"Group {name!r} of the model takes {len(data)} bytes; "
                f"at most {MAX_BLOB_BYTES} can be stored.",
                remedy="Choose a smaller radius.",
            )
        yield Blob(name=name, digest=hashlib.sha256(data).hexdigest(), bytes=len(data)), data


def version_file(number: int) -> str:
    """Name of the manifest of a version within its folder."""
    return f"{number:06d}.json"


def require_free(path: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse a path that ``save_model`` would refuse, before there is a model to be saved.

    Parameters
    ----------
    path : path
    overwrite : bool, default False

    Raises
    ------
    OutputExists
        If there is something at ``path`` that may not be replaced.
    """
    from locality.store.ledger import is_ledger

    target = _plain_path(path).resolve()
    if not os.path.lexists(target):
        return
    if target.is_dir() and set(os.listdir(target)) == {WORK} and is_ledger(target / WORK):
        if overwrite:
            return
        raise OutputExists(
            f"{target} holds an unfinished fit.",
            remedy="Go on with --resume (work=...), or pass overwrite=True.",
        )
    foreign = _foreign(target)
    if foreign:
        raise OutputExists(
            f"{target} exists and is not just a locality model: {foreign}.",
            remedy="Choose another path.",
        )
    if not overwrite:
        raise OutputExists(
            f"{target} exists.", remedy="Choose another path, or pass overwrite=True."
        )


def load_model(path: str | PathLike[str], version: int | None = None) -> "Model":
    """Read a model from a folder.

    Parameters
    ----------
    path : path
    version : int, optional
        Another version than the one that is served.

    Returns
    -------
    Model
        Equal to the bit to the one that was saved.

    Raises
    ------
    DataError
        If there is no such folder, or it cannot be read.
    ModelCorrupt
        Naming the file that is damaged, missing or of another kind.
    """
    from locality.model.groups import check_groups
    from locality.model.record import model_of, require_fitting
    from locality.store.older import description_of

    folder = _plain_path(path)
    manifest, groups = _read(folder, version)
    try:
        check_groups(groups)
        model = model_of(description_of(manifest), groups)
        require_fitting(model)
    except (LocalityError, ArithmeticError, AttributeError, MemoryError) as error:
        what = error.message if isinstance(error, LocalityError) else f"{error}."
        raise ModelCorrupt(f"The model in {folder} is damaged: {what}", remedy=REMEDY) from error
    return model


def _read(folder: Path, version: int | None) -> "tuple[Manifest, dict[str, Arrays]]":
    """A manifest and what it names; begun again if the version was replaced and its files deleted
    while they were read.
    """
    from locality.store.older import group_of

    for _ in range(_ATTEMPTS):
        manifest = read_manifest(folder, version)
        try:
            return manifest, {
                blob.name: group_of(
                    manifest, blob.name, read_blob(folder / BLOBS / blob.file_name, blob)
                )
                for blob in manifest.blobs
            }
        except ModelCorrupt as error:
            failed = error
            if read_manifest(folder, version).to_bytes() == manifest.to_bytes():
                break
    raise failed


def read_manifest(folder: Path, version: int | None = None) -> Manifest:
    """The manifest of the version that is served, or of another.

    Raises
    ------
    DataError
        If there is no such folder or version, or it cannot be read.
    ModelCorrupt
        If it is damaged, or no model.
    """
    if not os.path.lexists(folder):
        raise DataError(f"There is no folder {folder}.", remedy="Check the path of the model.")
    missing = f"{folder} is not a locality model: it has no {MANIFEST}."
    if (folder / WORK).is_dir() and not (folder / MANIFEST).exists():
        missing = f"{folder} is an unfinished fit: go on with locality fit and --resume."
    file = folder / MANIFEST
    served = Manifest.from_bytes(read_file(file, _MAX_MANIFEST_BYTES, missing), file)
    if version is None or version == served.version:
        return served
    file = folder / VERSIONS / version_file(version)
    if not file.exists():
        raise DataError(
            f"{folder} has no version {version}.", remedy=f"See locality versions {folder}."
        )
    data = read_file(file, _MAX_MANIFEST_BYTES, f"{file} is missing.")
    found = Manifest.from_bytes(data, file)
    if found.version != version:
        raise ModelCorrupt(f"{file} is the manifest of version {found.version}.", remedy=REMEDY)
    return found


def read_blob(file: Path, blob: Blob) -> "Arrays":
    """The arrays of one blob, once its size and digest are as expected.

    Raises
    ------
    ModelCorrupt
        Naming the file.
    """
    from locality.store.arrays import from_bytes

    data = read_file(file, blob.bytes, f"{file} ({blob.name}) is missing.")
    digest = hashlib.sha256(data).hexdigest()
    if len(data) != blob.bytes or digest != blob.digest:
        raise ModelCorrupt(
            f"{file} ({blob.name}) is damaged: expected {blob.bytes} bytes with SHA-256 "
            f"{blob.digest}, found {len(data)} bytes with {digest}.",
            remedy=REMEDY,
        )
    try:
        return from_bytes(data)
    except ModelCorrupt as error:
        raise ModelCorrupt(
            f"{file} ({blob.name}) is damaged: {error.message}", remedy=REMEDY
        ) from error


def _foreign(target: Path) -> str:
    """What tells the target from a model folder, or from an empty one; "" if nothing."""
    if not target.is_dir():
        return "it is not a folder"
    names = set(os.listdir(target))
    if not names:
        return ""
    try:
        known = Manifest.is_one(read_file(target / MANIFEST, _MAX_MANIFEST_BYTES, ""))
    except ModelCorrupt:
        known = False
    if not known:
        return f"it has no {MANIFEST} of a model"
    unknown = {name for name in names - _OWN if not PARTIAL.fullmatch(name)}
    for folder, own in _INSIDE.items():
        inside = os.listdir(target / folder) if (target / folder).is_dir() else []
        unknown |= {
            f"{folder}/{name}"
            for name in inside
            if not (own.fullmatch(name) or PARTIAL.fullmatch(name))
        }
    return f"it also holds {min(unknown)!r}" if unknown else ""


def _plain_path(path: str | PathLike[str]) -> Path:
    """The path, if it is one that a system can have."""
    if "\0" in os.fspath(path):
        raise DataError(f"The path {path!r} holds a NUL character.", remedy="Choose another path.")
    return Path(path)
