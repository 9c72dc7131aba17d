"""The manifest: the one JSON file that says what a stored model consists of.

It lists the blobs by name, SHA-256 and size, and carries all that is not an array. Its last field,
``digest``, is the SHA-256 of the same text without that field. A manifest is accepted only if it
is, byte for byte, the text that this module writes for what it says; so a changed digit, a changed
letter of a name and even a changed space are all noticed.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from locality.exceptions import ModelCorrupt

__all__ = ["KIND", "MAX_BLOB_BYTES", "REMEDY", "Blob", "Manifest"]

KIND = "locality-model"
REMEDY = "Restore the folder from a copy, or fit the model again."
MAX_BLOB_BYTES = 4 * 2**30
"""Larger blobs are neither written nor read."""

_SCHEMA_VERSION = 3
_READS = (1, 2, 3)
_MAX_BLOBS = 100_000
_LAST_VERSION = 999_999
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"


@dataclass(frozen=True)
class Blob:
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

    name: str
    digest: str
    bytes: int

    def __post_init__(self) -> None:
        _require_text("name", self.name, r"[a-z0-9][a-z0-9-]{0,63}")
        _require_text("digest", self.digest, r"[0-9a-f]{64}")
        _require_whole("bytes", self.bytes, 8, MAX_BLOB_BYTES)

    @property
    def file_name(self) -> str:
        """Name of the file within the folder of blobs."""
        return f"{self.digest}.safetensors"


@dataclass(frozen=True)
class Manifest:
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

    Raises
    ------
    ValueError
        If a field is not of its form.

    Examples
    --------
    >>> manifest = Manifest.of({"n_rows": 3}, [])
    >>> Manifest.from_bytes(manifest.to_bytes(), Path("manifest.json")) == manifest
    True
    """

    schema_version: int
    kind: str
    created: str
    description: dict[str, Any]
    blobs: tuple[Blob, ...]
    version: int = 1
    parent: int | None = None
    change: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_text("created", self.created, _TIME)
        _require_whole("version", self.version, 1, _LAST_VERSION)
        if self.parent is not None:
            _require_whole("parent", self.parent, 1, _LAST_VERSION)
        for name in ("description", "change"):
            _require(isinstance(getattr(self, name), dict), name, "an object")
        names = {blob.name for blob in self.blobs}
        _require(len(names) == len(self.blobs) <= _MAX_BLOBS, "blobs", "each group once")

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
            kind=KIND,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            description=json.loads(_text(description)),
            blobs=tuple(blobs),
            version=version,
            parent=parent,
            change=json.loads(_text(change or {})),
        )

    def to_bytes(self) -> bytes:
        """The text of the file."""
        body = vars(self) | {"blobs": [vars(blob) for blob in self.blobs]}
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
            return cls(**body | {"blobs": _blobs(body.get("blobs"))})
        except (TypeError, ValueError) as error:
            _refuse(file, f"is not valid: {error}", error)

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


def _blobs(entries: object) -> tuple[Blob, ...]:
    if not isinstance(entries, list):
        raise ValueError("blobs: expected a list")
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(Blob(**entry))
        except (TypeError, ValueError) as error:
            raise ValueError(f"blobs.{number}.{error}") from error
    return tuple(found)


def _require(holds: bool, name: str, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name}: expected {expected}")


def _require_text(name: str, value: object, pattern: str) -> None:
    _require(isinstance(value, str) and bool(re.fullmatch(pattern, value)), name, pattern)


def _require_whole(name: str, value: object, low: int, high: int) -> None:
    holds = type(value) is int and low <= value <= high
    _require(holds, name, f"a whole number from {low} to {high}")


def _text(body: Mapping[str, Any]) -> bytes:
    """JSON in plain ASCII; keys in the order given."""
    return (json.dumps(body, indent=1, allow_nan=False, default=_plain) + "\n").encode("ascii")


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(body)).hexdigest()


def _plain(value: object) -> Any:
    """A number of numpy as one of Python."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refuse(file: Path, what: str, cause: BaseException | None = None) -> NoReturn:
    raise ModelCorrupt(f"{file} {what}.", remedy=REMEDY) from cause
