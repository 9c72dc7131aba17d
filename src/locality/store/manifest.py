"""The manifest: the one JSON file that says what a stored model consists of.

It lists the blobs by name, SHA-256 and size, and carries all that is not an array. Its last field,
``digest``, is the SHA-256 of the same text without that field. A manifest is accepted only if it
is, byte for byte, the text that this module writes for what it says; so a changed digit, a changed
letter of a name and even a changed space are all noticed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from locality.exceptions import ModelCorrupt

__all__ = ["KIND", "MAX_BLOB_BYTES", "REMEDY", "Blob", "Manifest"]

KIND = "locality-model"
REMEDY = "Restore the folder from a copy, or fit the model again."
MAX_BLOB_BYTES = 4 * 2**30
"""Larger blobs are neither written nor read."""

_SCHEMA_VERSION = 3
_READS = (1, 2, 3)
_MAX_BLOBS = 100_000


class Blob(BaseModel):
    """One file of arrays.

    Parameters
    ----------
    name : str
        Group of arrays it holds.
    digest : str
        SHA-256 of its content; also its file name, and the only part of one.
    bytes : int
        Its size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: StrictStr = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    digest: StrictStr = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: StrictInt = Field(ge=8, le=MAX_BLOB_BYTES)

    @property
    def file_name(self) -> str:
        """Name of the file within the folder of blobs."""
        return f"{self.digest}.safetensors"


class Manifest(BaseModel):
    """What a model folder holds.

    Parameters
    ----------
    schema_version : int
    kind : "locality-model"
    created : str
        UTC, to the second.
    description : dict
        All of the model but its arrays, as JSON.
    blobs : tuple of Blob
    version : int
        Number of the version of the model.
    parent : int or None
        The version it was made from.
    change : dict
        What was done to the parent, as JSON.

    Examples
    --------
    >>> manifest = Manifest.of({"n_rows": 3}, [])
    >>> Manifest.from_bytes(manifest.to_bytes(), Path("manifest.json")) == manifest
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: StrictInt
    kind: Literal["locality-model"]
    created: StrictStr = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")
    description: dict[str, Any]
    blobs: tuple[Blob, ...] = Field(max_length=_MAX_BLOBS)
    version: StrictInt = Field(1, ge=1, le=999_999)
    parent: StrictInt | None = None
    change: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(
        cls,
        description: Mapping[str, Any],
        blobs: Sequence[Blob],
        version: int = 1,
        parent: int | None = None,
        change: Mapping[str, Any] | None = None,
    ) -> "Manifest":
        """The manifest of a model that is stored now.

        Parameters
        ----------
        description : mapping
            In terms of JSON; numbers of numpy are turned into plain ones.
        blobs : sequence of Blob
        version : int, default 1
        parent : int, optional
        change : mapping, optional
        """
        return cls(
            schema_version=_SCHEMA_VERSION,
            kind="locality-model",
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            description=json.loads(_text(description)),
            blobs=tuple(blobs),
            version=version,
            parent=parent,
            change=json.loads(_text(change or {})),
        )

    def to_bytes(self) -> bytes:
        """The text of the file."""
        body = self.model_dump()
        return _text(body | {"digest": _digest(body)})

    @classmethod
    def from_bytes(cls, data: bytes, file: Path) -> "Manifest":
        """Read what ``to_bytes`` wrote.

        Parameters
        ----------
        data : bytes
        file : pathlib.Path
            Named in errors.

        Raises
        ------
        ModelCorrupt
            If it is not JSON, of another kind or version, or not as it was written.
        """
        body = _parse(data, file)
        if body.get("kind") != KIND:
            _refuse(file, f"is not the manifest of a locality model: its kind is not {KIND!r}")
        version = body.get("schema_version")
        if type(version) is not int or version not in _READS:
            raise ModelCorrupt(
                f"{file} has schema version {str(version)[:20]}; this release reads "
                f"{', '.join(map(str, _READS))}.",
                remedy=f"Use the release that wrote it. If it was this one: {REMEDY}",
            )
        written = body.pop("digest", None)
        if not isinstance(written, str):
            _refuse(file, "has no digest")
        try:
            found = _digest(body)
            faithful = data == _text(body | {"digest": written})
        except (ValueError, RecursionError) as error:  # numbers beyond JSON, or nested too deep
            _refuse(file, "is damaged", error)
        if found != written:
            _refuse(file, f"is damaged: expected digest {written[:64]!r}, found {found!r}")
        if not faithful:
            _refuse(file, "is damaged: its text is not as it was written")
        try:
            manifest = cls.model_validate(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            _refuse(file, f"is not valid: {place}: {first['msg']}", error)
        if len({blob.name for blob in manifest.blobs}) != len(manifest.blobs):
            _refuse(file, "is not valid: it lists a blob twice")
        return manifest

    @staticmethod
    def is_one(data: bytes) -> bool:
        """Whether this is the manifest of a model of any version, not necessarily intact."""
        try:
            return _parse(data, Path()).get("kind") == KIND
        except ModelCorrupt:
            return False


def _parse(data: bytes, file: Path) -> dict[str, Any]:
    try:
        body = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        _refuse(file, "is damaged: it is not JSON", error)
    if not isinstance(body, dict):
        _refuse(file, "is damaged: it is not a JSON object")
    return body


def _text(body: Mapping[str, Any]) -> bytes:
    """JSON in plain ASCII; keys in the order given."""
    return (json.dumps(body, indent=1, allow_nan=False, default=_plain) + "\n").encode("ascii")


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(body)).hexdigest()


def _plain(value: object) -> Any:
    """A number of numpy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refuse(file: Path, what: str, cause: BaseException | None = None) -> NoReturn:
    raise ModelCorrupt(f"{file} {what}.", remedy=REMEDY) from cause
