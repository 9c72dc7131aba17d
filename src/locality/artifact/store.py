"""The store: a fitted model as a folder of plain files.

    manifest.json                  what the model consists of, and all that is not an array
    blobs/<sha256>.safetensors     one group of arrays each (the graph, the shards)

A blob is named by its content, which depends on learned numbers only: equal models have equal
blobs. A folder appears complete or not at all. Whatever is read is compared with its size and
digest before anything interprets it, no name in a file ever becomes a path, and no file can make
code run.
"""

import hashlib
import os
import re
from functools import partial
from os import PathLike
from pathlib import Path

from locality.artifact.folder import building, read_file, write_file
from locality.artifact.groups import Arrays, check_groups, from_bytes, to_bytes
from locality.artifact.manifest import MAX_BLOB_BYTES, REMEDY, Blob, Manifest
from locality.artifact.model import Model
from locality.exceptions import DataError, LocalityError, ModelCorrupt, OutputExists
from locality.noise.levels import BAND_EDGES

__all__ = ["load_model", "require_free", "save_model"]

_MANIFEST = "manifest.json"
_BLOBS = "blobs"
_MAX_MANIFEST_BYTES = 64 * 2**20


def save_model(model: Model, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
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
    description, groups = model.state()
    check_groups(groups)
    free = partial(require_free, overwrite=overwrite)
    with building(_plain_path(path), free) as folder:
        (folder / _BLOBS).mkdir()
        blobs = []
        for name, arrays in groups.items():
            data = to_bytes(arrays)
            if len(data) > MAX_BLOB_BYTES:
                raise DataError(
                    f"Group {name!r} of the model takes {len(data)} bytes; "
                    f"at most {MAX_BLOB_BYTES} can be stored.",
                    remedy="Choose a smaller radius.",
                )
            blob = Blob(name=name, digest=hashlib.sha256(data).hexdigest(), bytes=len(data))
            write_file(folder / _BLOBS / blob.file_name, data)
            blobs.append(blob)
        write_file(folder / _MANIFEST, Manifest.of(description, blobs).to_bytes())
    return Path(path)


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
    target = _plain_path(path).resolve()
    if not os.path.lexists(target):
        return
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


def load_model(path: str | PathLike[str]) -> Model:
    """Read a model from a folder.

    Parameters
    ----------
    path : path

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
    folder = _plain_path(path)
    if not os.path.lexists(folder):
        raise DataError(f"There is no folder {folder}.", remedy="Check the path of the model.")
    file = folder / _MANIFEST
    missing = f"{folder} is not a locality model: it has no {_MANIFEST}."
    manifest = Manifest.from_bytes(read_file(file, _MAX_MANIFEST_BYTES, missing), file)
    groups = {
        blob.name: _read_blob(folder / _BLOBS / blob.file_name, blob) for blob in manifest.blobs
    }
    try:
        check_groups(groups)
        model = Model.from_state(manifest.description, groups)
        _require_fitting(model)
    except (LocalityError, ArithmeticError, AttributeError, MemoryError) as error:
        what = error.message if isinstance(error, LocalityError) else f"{error}."
        raise ModelCorrupt(f"The model in {folder} is damaged: {what}", remedy=REMEDY) from error
    return model


def _read_blob(file: Path, blob: Blob) -> Arrays:
    """The arrays of one blob, once its size and digest are as expected."""
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


def _require_fitting(model: Model) -> None:
    """ModelCorrupt unless shards, reference and domain are of one model."""
    for number, shard in enumerate(model.shards):
        if shard.source_offset.shape[1] != model.domain.n_axes:
            raise ModelCorrupt(f"Shard {number} does not have the axes of the domain.")
    expected = len(BAND_EDGES) - 1, len(model.domain.targets)
    if model.reference is not None and model.reference.mean.shape != expected:
        raise ModelCorrupt(
            f"The reference is of {model.reference.mean.shape} bands and components, "
            f"expected {expected}."
        )


def _foreign(target: Path) -> str:
    """What tells the target from a model folder, or from an empty one; "" if nothing."""
    if not target.is_dir():
        return "it is not a folder"
    names = set(os.listdir(target))
    if not names:
        return ""
    try:
        known = Manifest.is_one(read_file(target / _MANIFEST, _MAX_MANIFEST_BYTES, ""))
    except ModelCorrupt:
        known = False
    if not known:
        return f"it has no {_MANIFEST} of a model"
    unknown = names - {_MANIFEST, _BLOBS}
    blobs = os.listdir(target / _BLOBS) if (target / _BLOBS).is_dir() else []
    unknown |= {
        f"{_BLOBS}/{name}" for name in blobs if not re.fullmatch(r"[0-9a-f]{64}\.safetensors", name)
    }
    return f"it also holds {min(unknown)!r}" if unknown else ""


def _plain_path(path: str | PathLike[str]) -> Path:
    """The path, if it is one that a system can have."""
    if "\0" in os.fspath(path):
        raise DataError(f"The path {path!r} holds a NUL character.", remedy="Choose another path.")
    return Path(path)
