"""States of streams as files, that know which model they are of."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from locality.data.atomic import replacing
from locality.exceptions import DataError, ModelCorrupt, OptionError
from locality.inference.judging.judgment import known_reference
from locality.inference.judging.promise import Promise
from locality.inference.judging.stream import Stream
from locality.model.model import Model
from locality.model.reference import Reference
from locality.store.arrays import from_bytes, to_bytes

__all__ = ["digest_of", "read_state", "write_state"]


def digest_of(model: Model) -> str:
    """What a state depends on of a model, as a number in hexadecimals."""
    return known_reference(model.unrolled).derived(_digest)


def _digest(reference: Reference) -> str:
    return hashlib.sha256(to_bytes(reference.arrays())).hexdigest()


def write_state(file: Path, stream: Stream, promise: Promise, last: Any, digest: str) -> None:
    """Write a state; it takes the place of an earlier one in one step.

    Parameters
    ----------
    file : Path
    stream : Stream
    promise : Promise
    last : numpy datetime64, float or None
        Time of the last row.
    digest : str
        From ``digest_of``.
    """
    arrays = stream.arrays()
    arrays["promise"] = np.array([promise.share, promise.n_rows or np.nan])
    arrays["digest"] = np.frombuffer(digest.encode(), dtype=np.uint8)
    if last is not None:
        moment = np.asarray(last)
        arrays["time" if moment.dtype.kind == "M" else "number"] = (
            moment.astype("datetime64[ns]").astype(np.int64).reshape(1)
            if moment.dtype.kind == "M"
            else moment.astype(np.float64).reshape(1)
        )
    with replacing(file) as opened:
        content = to_bytes(arrays)
        opened.write(hashlib.sha256(content).digest() + content)


def read_state(file: Path, model: Model) -> tuple[Stream, Promise, Any]:
    """The stream, the promise and the time of the last row.

    Raises
    ------
    DataError
        If there is no such file.
    OptionError
        If the state is of another model.
    ModelCorrupt
        If it is damaged.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    remedy = "Begin anew without it, or restore it from a copy."
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise ModelCorrupt(f"The state {file} is damaged.", remedy=remedy)
    try:
        arrays = from_bytes(content[32:])
        if bytes(arrays["digest"]).decode() != digest_of(model):
            raise OptionError(
                f"The state {file} is of another model, or of another version of it.",
                remedy="Begin anew without it: what is normal has changed.",
            )
        share, n_rows = arrays["promise"].tolist()
        promise = Promise(share, None if np.isnan(n_rows) else n_rows)
        last: Any = None
        if "time" in arrays:
            last = arrays["time"].view("datetime64[ns]")[0]
        elif "number" in arrays:
            last = float(arrays["number"][0])
        return Stream.from_arrays(arrays), promise, last
    except OptionError:
        raise
    except (ModelCorrupt, KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelCorrupt(
            f"The state {file} is damaged: {str(error).rstrip('.')}.", remedy=remedy
        ) from error
