"""Arrays as safetensors: the same ones always give the same bytes, however they lie in memory."""

from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from locality.exceptions import ModelCorrupt

__all__ = ["from_bytes", "to_bytes"]


def to_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as safetensors.

    Examples
    --------
    >>> square = np.arange(4.0).reshape(2, 2)
    >>> to_bytes({"a": square.T, "b": square}) == to_bytes({"b": square, "a": square.T.copy()})
    True
    """
    # safetensors copies memory as it lies, so the layout must be that of C
    return save({name: np.asarray(arrays[name], order="C") for name in sorted(arrays)})


def from_bytes(data: bytes) -> dict[str, np.ndarray]:
    """Arrays from safetensors.

    Raises
    ------
    ModelCorrupt
        If the bytes are something else, or hold a kind of number that no model has.
    """
    try:
        found = load(data)
        return {
            name: np.require(array, requirements=["C", "A", "W"]) for name, array in found.items()
        }
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelCorrupt(f"it cannot be read as safetensors: {error}.") from error
