"""Plain data: findings as what JSON knows, and back.

Values that are not finite are None (JSON knows no others), and become NaN again where a number is
expected.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from locality.exceptions import DataError

__all__ = ["Row", "from_plain", "to_plain"]

Row: TypeAlias = Mapping[str, Any]
"""What a page shows: values by their name, rows of a table among them."""


def to_plain(value: Any) -> Any:
    """Findings as dictionaries and lists of what JSON knows.

    Examples
    --------
    >>> to_plain({"radius": 2, "nats": (float("nan"), np.float64(1.5))})
    {'radius': 2, 'nats': [None, 1.5]}
    """
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: to_plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): to_plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list | np.ndarray):
        return [to_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_plain(kind: Any, value: Any) -> Any:
    """Findings of a type again, from what `to_plain` made of them.

    Parameters
    ----------
    kind : type
        A dataclass, or the type of one of its fields.
    value : plain data

    Raises
    ------
    DataError
        A part is missing or of another type.

    Examples
    --------
    >>> from_plain(tuple[float, ...], [1.5, None])
    (1.5, nan)
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise DataError(f"found {value!r:.60}, expected a {kind.__name__}.")
        hints = typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        if missing := [field.name for field in fields if field.name not in value]:
            raise DataError(f"a {kind.__name__} has no {missing[0]!r}.")
        return kind(**{f.name: from_plain(hints[f.name], value[f.name]) for f in fields})
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise DataError(f"found {value!r:.60}, expected a list.")
        return tuple(from_plain(inner[0], entry) for entry in value)
    if origin is typing.Literal:
        known = value in inner
    elif isinstance(kind, types.UnionType):
        known = isinstance(value, (*inner, int) if float in inner else inner)
    elif kind is float:
        known, value = value is None or isinstance(value, int | float), _number(value)
    else:
        known = isinstance(value, origin or kind)
    if not known:
        raise DataError(f"found {value!r:.60}, expected {getattr(kind, '__name__', kind)}.")
    return value


def _number(value: Any) -> Any:
    return float("nan") if value is None else float(value) if isinstance(value, int) else value
