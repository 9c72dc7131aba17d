"""Context: what is known to drive all columns, taken out before locality is judged.

A shared daily cycle, a load or a recipe makes everything depend on everything. If it is measured,
or follows from the clock, dependence given it may still be local. Every column is regressed on
smooth functions of the context (splines, periodic ones for cycles, with products of every two up
to three), and what is left goes on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.preprocessing import SplineTransformer

from locality._typing import FloatArray
from locality.data.table import Table
from locality.exceptions import DataError, OptionError

__all__ = ["Context"]

_KNOTS = 9
_MOST_WITH_PRODUCTS = 3
_RIDGE = 1.0
_FOLDS = 10
_ROWS_PER_FEATURE = 10


@dataclass(frozen=True, eq=False)
class Context:
    """Features of what is known.

    Parameters
    ----------
    features : float array [n_rows, n_features]
    """

    features: FloatArray

    @classmethod
    def of(cls, table: Table, context: Sequence[str], cycles: Sequence[str]) -> "Context | None":
        """From columns of the table and its clock; None if there is nothing.

        Parameters
        ----------
        table : Table
            With its time if there are cycles.
        context : sequence of str
            Columns.
        cycles : sequence of str
            Lengths such as "1d" or "7d", or numbers in the unit of a numeric time.

        Raises
        ------
        DataError
            A context column has gaps, or cycles are asked for without time.
        OptionError
            A cycle is no length of time.
        """
        parts = []
        for name in context:
            values = table.values[:, table.names.index(name)]
            if np.isnan(values).any():
                row = int(np.isnan(values).argmax()) + 1
                raise DataError(
                    f"The context column {name!r} misses values, the first in row {row}.",
                    remedy="Fill them, or leave the column out.",
                )
            if np.ptp(values) > 0:
                spline = SplineTransformer(_KNOTS, knots="quantile", extrapolation="linear")
                parts.append(_distinct(spline, values))
        for cycle in cycles:
            spline = SplineTransformer(
                _KNOTS + 4, knots=np.linspace(0, 1, _KNOTS + 4)[:, None], extrapolation="periodic"
            )
            parts.append(spline.fit_transform(_phase(table, cycle)[:, None]))
        if not parts:
            return None
        products: list[FloatArray] = []
        if len(parts) <= _MOST_WITH_PRODUCTS and _width(parts) <= table.n_rows / _ROWS_PER_FEATURE:
            products = [
                (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)
                for k, a in enumerate(parts)
                for b in parts[k + 1 :]
            ]
        return cls(np.hstack([*parts, *products]))

    def removed(self, scores: FloatArray) -> FloatArray:
        """What the context leaves of every column [n_rows, n_columns]; gaps stay gaps.

        Rows are predicted from the others, so that chance explains nothing away.
        """
        left = np.full_like(scores, np.nan)
        for j in range(scores.shape[1]):
            seen = ~np.isnan(scores[:, j])
            told = cross_val_predict(
                Ridge(_RIDGE), self.features[seen], scores[seen, j], cv=KFold(_FOLDS)
            )
            left[seen, j] = scores[seen, j] - told
        return left


def _width(parts: list[FloatArray]) -> int:
    """How many features all products of two parts make."""
    sizes = [part.shape[1] for part in parts]
    return sum(a * b for k, a in enumerate(sizes) for b in sizes[k + 1 :])


def _distinct(spline: SplineTransformer, values: FloatArray) -> FloatArray:
    """Splines, or indicators where a column has few values (a recipe, a mode)."""
    levels = np.unique(values)
    if len(levels) <= _KNOTS:
        return np.asarray(values[:, None] == levels, dtype=np.float64)
    return np.asarray(spline.fit_transform(values[:, None]))


def _phase(table: Table, cycle: str) -> FloatArray:
    """Where in the cycle each row is, in [0, 1)."""
    if table.time is None:
        raise DataError(
            f"A cycle of {cycle} needs the time of each row.",
            remedy="Name the column with it (time=..., --time).",
        )
    since, expected = table.time, "a positive number in the unit of the time column"
    dated = np.issubdtype(table.time.dtype, np.datetime64)
    if dated:
        since = (table.time - np.datetime64("1970-01-05")) / np.timedelta64(1, "ns")
        expected = "a positive length of time such as 1d, 12h or 7d"
    try:
        length = _nanoseconds(cycle) if dated else float(cycle)
    except ValueError:
        length = 0.0
    if not length > 0:
        raise OptionError(f"cycle is {cycle!r}, expected {expected}.")
    if since[-1] - since[0] < 2 * length:
        raise OptionError(f"A cycle of {cycle} needs a record of at least twice that length.")
    return np.asarray((since / length) % 1.0)


def _nanoseconds(length: str) -> float:
    """Of a text such as "1d"; ValueError if it is no length of time."""
    if not re.search("[a-zA-Z]", length):
        raise ValueError("a number without a unit")
    return float(pd.Timedelta(re.sub("[dw]$", lambda unit: unit[0].upper(), length.strip())).value)
