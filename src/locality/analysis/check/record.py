"""The record of a report: its files, and the tables among them, for programs instead of people."""

import typing
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from locality.analysis.check.findings import (
    BandFinding,
    ComponentFinding,
    CostFinding,
    EdgeFinding,
    FactorFinding,
    LearningPoint,
    RadiusFinding,
    RowsNeeded,
)
from locality.analysis.pages.output import OutputFolder
from locality.analysis.pages.plain import to_plain

__all__ = ["FOLDER", "KIND", "PAGE", "TABLES", "tables"]

KIND: Final = "locality-report"
"""What a report.json says it is."""

PAGE: Final = "report.html"

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

FOLDER: Final = OutputFolder("a locality report", "report.json", frozenset({PAGE, *TABLES}))


def tables(parts: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """What the pictures of a report show, one table per file, from its findings by their part.

    ``graph.csv`` is an edge list that ``fit --graph`` takes; edges that the data do not support
    have weight 0 there, which is no edge. Tuples within a cell are joined by spaces; whole numbers
    that may be missing stay whole.
    """
    found = {name: _table(kind, parts[part]) for name, (part, kind) in _PARTS.items()}
    found["graph.csv"] = found["graph.csv"].rename(columns={"a": "from", "b": "to"})
    members = [(group.name, member) for group in parts["groups"] for member in group.members]
    return {**found, "groups.csv": pd.DataFrame(members, columns=["group", "member"])}


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
