"""Departures: what some columns never did in the fit, in words.

A constant that moves, a copy that leaves its source, a state that was never seen: none of them has
a density to be measured by, so they are told apart from what surprises.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locality._typing import BoolArray
    from locality.data.table import Table
    from locality.data.transforms import Standardizer

__all__ = ["departed_columns", "departed_here", "n_missing", "refuse_unseen"]

_LISTED = 3  # states


def departed_columns(
    standardizer: "Standardizer", table: "Table", frame: Any, labels: list[str]
) -> dict[str, str]:
    """What was found, by column: sentences that go on after its name.

    Parameters
    ----------
    standardizer : Standardizer
    table : Table [n_rows, n_columns]
        Read with the states of the standardizer.
    frame : pandas.DataFrame
        The same as it was.
    labels : list of str [n_rows]
        How rows are named.
    """
    unseen, found = _unseen(table), {}
    departed = standardizer.departures(table.values)
    rule, where = _rules(standardizer), dict[str, Any]()
    for j, aside in enumerate(standardizer.set_aside):
        where[aside.name] = departed[:, j] | unseen[:, aside.column]
    for j, name in enumerate(standardizer.names):
        rows = where.get(name, unseen[:, j]).nonzero()[0]
        if not len(rows):
            continue
        place = f"{len(rows):,} of {table.n_rows:,} rows here"
        if name in rule:
            found[name] = (
                f"{rule[name]} in the fit, but not in {place}, first in row {labels[rows[0]]}."
            )
            continue
        texts = list(dict.fromkeys(str(text) for text in frame[name].iloc[rows]))
        listed = " or ".join(_quoted(text) for text in texts[:_LISTED])
        listed += f" ({len(texts) - _LISTED} more)" if len(texts) > _LISTED else ""
        what = "a state" if len(texts) == 1 else "states"
        found[name] = (
            f"is {listed} in {place}, {what} never seen in the fit, first in row {labels[rows[0]]}."
        )
    return found


def departed_here(
    standardizer: "Standardizer", table: "Table", frame: Any, name: str, row: int
) -> str:
    """What a column that has departed does in one row: a sentence."""
    column = standardizer.names.index(name)
    is_unseen, rule = _unseen(table)[row, column], _rules(standardizer).get(name, "")
    text = str(frame[name].iloc[row])
    if is_unseen and "constant" not in rule:
        return f"{name} is {_quoted(text)}, a state never seen in the fit."
    if "constant" in rule:
        text = text if is_unseen else standardizer.text(name, float(table.values[row, column]))
        return f"{name} {rule} in the fit, but is {text} here."
    return f"{name} {rule} in the fit, but is none here."


def n_missing(table: "Table") -> int:
    """Values that are missing, not counting states that were never seen."""
    return int((~table.observed & ~_unseen(table)).sum())


def refuse_unseen(table: "Table", frame: Any, names: Any) -> None:
    """Refuse states that were never seen, in some columns.

    Raises
    ------
    DataError
        Naming the first one with its row.
    """
    from locality.exceptions import DataError

    unseen = _unseen(table)
    for j, name in enumerate(table.names):
        rows = unseen[:, j].nonzero()[0]
        if name in names and len(rows):
            text = _quoted(str(frame[name].iloc[rows[0]]))
            n_more = len(rows) - 1
            more = f" ({n_more:,} more such row{'s' * (n_more > 1)})" if n_more else ""
            raise DataError(
                f"column {name!r}, row {rows[0] + 1}: {text} is a state never seen in the "
                f"fit{more}.",
                remedy="Leave these rows out, or fit again with rows that have it.",
            )


def _unseen(table: "Table") -> "BoolArray":
    import numpy as np

    return np.zeros_like(table.observed) if table.unseen is None else table.unseen


def _rules(standardizer: "Standardizer") -> dict[str, str]:
    """What columns that were set aside did in the fit."""
    return {
        aside.name: f"was constant at {standardizer.text(aside.name, aside.value)}"
        if aside.reason == "constant"
        else f"was a copy of {standardizer.names[aside.source]}"
        for aside in standardizer.set_aside
    }


def _quoted(text: str) -> str:
    return json.dumps(text if len(text) <= 40 else text[:39] + "…", ensure_ascii=False)
