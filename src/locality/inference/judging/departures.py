"""Departures: what some columns never did in the fit.

A constant that moves, a copy that leaves its source, a state that was never seen: none of them has
a density to be measured by, so they are told apart from what surprises.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from locality._typing import BoolArray, IntArray
from locality.data.table import Table
from locality.data.transforms import Standardizer

__all__ = ["Departure", "Rule", "departures", "unseen_of"]

Rule: TypeAlias = Literal["constant", "copy", "states"]


@dataclass(frozen=True, eq=False)
class Departure:
    """A column that broke its rule.

    Parameters
    ----------
    column : str
    rule : "constant", "copy" or "states"
        What it was in the fit: constant, a copy of another, or of certain states only.
    of : str
        The constant, or the name of the source.
    rows : int array
        Where it did, from 0.
    """

    column: str
    rule: Rule
    of: str
    rows: IntArray


def departures(standardizer: Standardizer, table: Table) -> list[Departure]:
    """Columns that do what they never did in the fit, in their order.

    Parameters
    ----------
    standardizer : Standardizer
    table : Table [n_rows, n_columns]
        Read with the states of the standardizer.
    """
    unseen, broken = unseen_of(table), standardizer.departures(table.values)
    aside = {part.name: j for j, part in enumerate(standardizer.set_aside)}
    found = []
    for column, name in enumerate(standardizer.names):
        rule: Rule = "states"
        of, rows = "", unseen[:, column]
        if name in aside:
            part = standardizer.set_aside[aside[name]]
            rows = rows | broken[:, aside[name]]
            rule = "constant" if part.reason == "constant" else "copy"
            of = standardizer.names[part.source]
            if rule == "constant":
                of = standardizer.text(name, part.value)
        if rows.any():
            found.append(Departure(name, rule, of, np.flatnonzero(rows)))
    return found


def unseen_of(table: Table) -> BoolArray:
    """Where a state is none of the fit [n_rows, n_columns]."""
    return np.zeros_like(table.observed) if table.unseen is None else table.unseen
