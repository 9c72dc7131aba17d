"""Columns without a density of their own: constants, and exact copies of another column.

A column is *constant* if its standard deviation is no more than a few units in the last place of
the narrowest number format (32 or 64 bit) that holds its values exactly: a gauge stored in 32 bits
that flickers by one such unit is not a signal. Whole numbers are exact, so they only count as
constant if they never change.

A column is a *copy* of an earlier one if, both standardized, they agree up to sign with a residual
of root mean square below ``COPY_TOLERANCE``. To avoid comparing all pairs, each standardized column
``z`` is projected on a few fixed random directions ``w``: copies have (nearly) the same
``|z @ w|``, so only columns whose projections agree are compared in full.
"""

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.kinds import Kind

if TYPE_CHECKING:
    from locality.data.table import Table

__all__ = ["COPY_TOLERANCE", "SetAside", "find_constants", "find_copies"]

COPY_TOLERANCE = 1e-6
"""Largest residual of a copy, relative to the standard deviation of the column."""

_LAST_PLACES = 2.0
_N_PROJECTIONS = 4
_CHUNK = 256
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class SetAside:
    """A column that is not modeled, because it is known outright or from one other column.

    Attributes
    ----------
    column, name
        Which column of the table.
    reason : "constant" or "copy"
    source : int
        The column copied; -1 for a constant.
    slope, intercept : float
        The column is ``slope * source + intercept``; a constant has slope 0.
    tolerance : float
        In the column's units: a larger departure from that rule is a change, not rounding.
    """

    column: int
    name: str
    reason: Literal["constant", "copy"]
    source: int
    slope: float
    intercept: float
    tolerance: float

    @property
    def value(self) -> float:
        """The value of a constant column."""
        return self.intercept

    def expected(self, values: FloatArray) -> FloatArray:
        """Return what the rule says of this column [n_rows], given all columns."""
        if self.reason == "constant":
            return np.full(values.shape[0], self.intercept)
        return self.slope * values[:, self.source] + self.intercept


def find_constants(table: "Table", mean: FloatArray, scale: FloatArray) -> list[SetAside]:
    """Find the columns that do not vary beyond the resolution of their number format.

    Parameters
    ----------
    table : Table
        Missing values are passed over; every column has some value.
    mean, scale : float64 array [n_columns]
        Means and standard deviations.

    Examples
    --------
    >>> gauge = np.full(3, np.float32(7.1))
    >>> gauge[1] = np.nextafter(gauge[1], np.float32(8))  # one unit in the last place
    >>> from locality.data.table import Table
    >>> table = Table.from_frame(np.column_stack([gauge, [1.0, 2.0, 3.0]]))
    >>> found = find_constants(table, table.values.mean(axis=0), table.values.std(axis=0))
    >>> [(column.name, round(column.value, 3)) for column in found]
    [('x0', 7.1)]
    """
    found = []
    for j, (name, kind) in enumerate(zip(table.names, table.kinds, strict=True)):
        column = table.values[table.observed[:, j], j]
        low, high = float(column.min()), float(column.max())
        flicker = _LAST_PLACES * _resolution(column, kind) * max(abs(low), abs(high))
        if low == high or scale[j] <= flicker or high - low < _TINY:
            value = low if low == high else float(mean[j])
            found.append(SetAside(j, name, "constant", -1, 0.0, value, 2 * flicker))
    return found


def find_copies(
    table: "Table", mean: FloatArray, scale: FloatArray, candidates: IntArray
) -> list[SetAside]:
    """Find the candidate columns that repeat an earlier candidate.

    Parameters
    ----------
    table : Table
        Without missing values.
    mean, scale : float64 array [n_columns]
    candidates : int64 array
        The columns that vary and have no gaps, in increasing order.

    Returns
    -------
    list of SetAside
        In increasing order of column; a source is never a copy itself.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 5.0, 2.0])
    >>> from locality.data.table import Table
    >>> table = Table.from_frame(np.column_stack([x, x**2, 3 - 2 * x]))
    >>> mean, scale = table.values.mean(axis=0), table.values.std(axis=0)
    >>> copy, = find_copies(table, mean, scale, np.arange(3))
    >>> copy.name, copy.source, round(copy.slope, 9), round(copy.intercept, 9)
    ('x2', 0, -2.0, 3.0)
    """
    projections = _projections(table.values, mean, scale, candidates)
    # A projection of the residual has its root mean square as standard deviation: ten times the
    # tolerance misses no copy, and whatever else it lets through is compared in full.
    slack = 10 * COPY_TOLERANCE
    originals: list[tuple[float, int]] = []  # (first projection, place), sorted
    copies: list[SetAside] = []
    for place, k in enumerate(candidates.tolist()):
        first = float(projections[place, 0])
        begin = bisect.bisect_left(originals, (first - slack, -1))
        end = bisect.bisect_right(originals, (first + slack, len(candidates)))
        found = None
        for other in sorted(entry[1] for entry in originals[begin:end]):
            if np.abs(projections[place] - projections[other]).max() <= slack:
                found = _compare(table, mean, scale, int(candidates[other]), k)
            if found is not None:
                copies.append(found)
                break
        if found is None:
            bisect.insort(originals, (first, place))
    return copies


def _resolution(column: FloatArray, kind: Kind) -> float:
    """Relative spacing of the narrowest number format that holds the column exactly."""
    if kind == "integer":
        return 0.0
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.array_equal(column.astype(np.float32), column)
    return float(np.finfo(np.float32 if narrow else np.float64).eps)


def _projections(
    values: FloatArray, mean: FloatArray, scale: FloatArray, candidates: IntArray
) -> FloatArray:
    """Absolute projections [n_candidates, n_projections] of the standardized columns."""
    n_rows = values.shape[0]
    # Fixed directions: they decide which pairs are compared, never what the comparison finds.
    directions = np.random.default_rng(20250507).standard_normal((n_rows, _N_PROJECTIONS))
    directions /= np.sqrt(n_rows)
    result = np.empty((len(candidates), _N_PROJECTIONS))
    for begin in range(0, len(candidates), _CHUNK):
        columns = candidates[begin : begin + _CHUNK]
        z = (values[:, columns] - mean[columns]) / scale[columns]
        result[begin : begin + _CHUNK] = np.abs(z.T @ directions)
    return result


def _compare(
    table: "Table", mean: FloatArray, scale: FloatArray, source: int, column: int
) -> SetAside | None:
    z = (table.values[:, source] - mean[source]) / scale[source]
    other = (table.values[:, column] - mean[column]) / scale[column]
    sign = 1.0 if z @ other >= 0 else -1.0
    residual = other - sign * z
    if np.sqrt(residual @ residual / len(z)) > COPY_TOLERANCE:
        return None
    slope = float(sign * scale[column] / scale[source])
    intercept = float(mean[column] - slope * mean[source])
    # Rounding of the source and of the column, seen in rows that were not part of the fit.
    magnitude = np.abs(table.values[:, [source, column]]).max(axis=0) @ [abs(slope), 1.0]
    tolerance = 10 * COPY_TOLERANCE * scale[column] + 4 * np.finfo(np.float32).eps * magnitude
    name = table.names[column]
    return SetAside(column, name, "copy", source, slope, intercept, float(tolerance))
