"""The record of a report: plain dictionaries, tables and files, for programs instead of people.

Values that are not finite are None (JSON knows no others), and become NaN again where a number is
expected.
"""

import dataclasses
import math
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from locality.analysis.findings import (
    BandFinding,
    ComponentFinding,
    CostFinding,
    EdgeFinding,
    FactorFinding,
    LearningPoint,
    RadiusFinding,
    RowsNeeded,
)
from locality.exceptions import DataError, OutputExists

if TYPE_CHECKING:
    from locality.analysis.report import LocalityReport

__all__ = ["KIND", "PAGE", "RECORD", "TABLES", "from_plain", "require_free", "tables", "to_plain"]

KIND: Final = "locality-report"
"""What a report.json says it is."""

PAGE: Final = "report.html"
RECORD: Final = "report.json"

_PARTS: Final[dict[str, tuple[str, type[Any]]]] = {
    "graph.csv": ("edges", EdgeFinding),
    "radius.csv": ("radii", RadiusFinding),
    "sensors.csv": ("components", ComponentFinding),
    "bands.csv": ("bands", BandFinding),
    "learning.csv": ("learning", LearningPoint),
    "rows.csv": ("rows_needed", RowsNeeded),
    "factors.csv": ("factors", FactorFinding),
    "costs.csv": ("costs", CostFinding),
}
TABLES: Final = (*_PARTS, "groups.csv")
"""The tables of a report, by the name of their file."""


def to_plain(value: Any) -> Any:
    """Findings as dictionaries and lists of what JSON knows.

    Examples
    --------
    >>> to_plain(FactorFinding(2, float("nan")))
    {'n_factors': 2, 'nats': None}
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
    >>> from_plain(FactorFinding, {"n_factors": 2, "nats": None})
    FactorFinding(n_factors=2, nats=nan)
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


def tables(report: "LocalityReport") -> dict[str, pd.DataFrame]:
    """What the pictures of a report show, one table per file.

    ``graph.csv`` is an edge list that ``fit --graph`` takes; edges that the data do not support
    have weight 0 there, which is no edge. Tuples within a cell are joined by spaces; whole numbers
    that may be missing stay whole.
    """
    found = {name: _table(kind, getattr(report, part)) for name, (part, kind) in _PARTS.items()}
    found["graph.csv"] = found["graph.csv"].rename(columns={"a": "from", "b": "to"})
    members = [(group.name, member) for group in report.groups for member in group.members]
    return {**found, "groups.csv": pd.DataFrame(members, columns=["group", "member"])}


def require_free(folder: Path, overwrite: bool = False) -> None:
    """Refuse a folder that `LocalityReport.save` would refuse, before there is a report.

    Parameters
    ----------
    folder : Path
    overwrite : bool, default False

    Raises
    ------
    OutputExists
        Something is there, and it is not only a report or may not be replaced.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise OutputExists(f"{folder} is not a folder.", remedy="Choose another path.")
    names = set(os.listdir(folder))
    foreign = names - {PAGE, RECORD, *TABLES}
    if foreign or (names and RECORD not in names):
        found = f"it also holds {min(foreign)!r}" if foreign else f"it has no {RECORD}"
        raise OutputExists(
            f"{folder} exists and is not just a locality report: {found}.",
            remedy="Choose another path.",
        )
    if not overwrite:
        raise OutputExists(
            f"{folder} exists.", remedy="Choose another path, or pass overwrite=True."
        )


def _table(kind: type[Any], rows: tuple[Any, ...]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind).items():
        values = [to_plain(getattr(row, name)) for row in rows]
        if hint == int | None:
            columns[name] = pd.array(values, dtype="Int64")
        elif typing.get_origin(hint) is tuple:
            columns[name] = [" ".join(map(str, value)) for value in values]
        else:
            columns[name] = values
    return pd.DataFrame(columns)


def _number(value: Any) -> Any:
    return float("nan") if value is None else float(value) if isinstance(value, int) else value
