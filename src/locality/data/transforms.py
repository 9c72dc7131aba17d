r"""Standardization: from the units of the table to components of mean 0 and variance 1, and back.

With column mean :math:`m_j` and standard deviation :math:`s_j`,

.. math:: z_j = (x_j - m_j) / s_j, \qquad \log p(x) = \log p(z) - \sum_j \log s_j .

Some columns have no density of their own and are set aside: *constant* columns (also those that
only flicker in the last digits of their number format) and exact *copies*,
:math:`x_k = a\,x_j + b`. They are not modeled, but they come back when values are restored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.cells import Kind
from locality.data.names import listing
from locality.data.redundancy import SetAside, find_constants, find_copies
from locality.data.table import Table
from locality.exceptions import DataError, ModelCorrupt

__all__ = ["Standardizer"]


@dataclass(frozen=True, eq=False)
class Standardizer:
    """The fitted map between a table and its standardized components.

    Attributes
    ----------
    names : tuple of str [n_columns]
    kinds : tuple of "real" or "integer" [n_columns]
    modeled : int64 array [n_modeled]
        The columns that are components, in increasing order.
    mean, scale : float64 array [n_modeled]
        Mean and standard deviation (dividing by the number of rows) of those columns.
    set_aside : tuple of SetAside
        All other columns, in increasing order.

    Examples
    --------
    >>> X = np.array([[1.0, 7.0, 10.0], [2.0, 7.0, 20.0], [3.0, 7.0, 30.0]])
    >>> standardizer = Standardizer.fit(Table.from_frame(X))
    >>> [(column.name, column.reason) for column in standardizer.set_aside]
    [('x1', 'constant'), ('x2', 'copy')]
    >>> z = standardizer.standardize(X)
    >>> z.shape
    (3, 1)
    >>> bool(np.allclose(standardizer.restore(z), X))
    True
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    modeled: IntArray
    mean: FloatArray
    scale: FloatArray
    set_aside: tuple[SetAside, ...] = ()

    @classmethod
    def fit(cls, table: Table) -> "Standardizer":
        """Measure means and scales, and find constant columns and copies.

        Missing values are passed over; columns with gaps are not compared with others.

        Raises
        ------
        DataError
            A column has no value at all, or no column varies.
        """
        empty = [repr(table.names[j]) for j in np.flatnonzero(~table.observed.any(axis=0))]
        if empty:
            raise DataError(
                f"{'columns' if len(empty) > 1 else 'column'} without any value: {listing(empty)}.",
                remedy="Leave them out (drop=..., --drop).",
            )
        mean = np.nanmean(table.values, axis=0)
        scale = _deviations(table.values, mean)
        constants = find_constants(table, mean, scale)
        if len(constants) == table.n_columns:
            raise DataError(
                f"none of the {table.n_columns} columns varies over {table.n_rows} row"
                f"{'s' * (table.n_rows > 1)}.",
                remedy="Pass rows that differ.",
            )
        columns = np.arange(table.n_columns)
        varying = np.setdiff1d(columns, [aside.column for aside in constants])
        whole = varying[table.observed[:, varying].all(axis=0)]
        copies = find_copies(table, mean, scale, whole)
        modeled = np.setdiff1d(varying, [aside.column for aside in copies])
        set_aside = tuple(sorted([*constants, *copies], key=lambda aside: aside.column))
        return cls(table.names, table.kinds, modeled, mean[modeled], scale[modeled], set_aside)

    def pooled(self) -> "Standardizer":
        """The same map with one mean and scale for all columns, for columns that share a law.

        Raises
        ------
        DataError
            A column was set aside, so that it cannot share the law of the others.
        """
        if self.set_aside:
            listed = ", ".join(f"{aside.name!r} ({aside.reason})" for aside in self.set_aside[:10])
            raise DataError(
                f"columns cannot share one law: {listed}.",
                remedy="Leave these columns out, or model every column by itself.",
            )
        mean = self.mean.mean()
        scale = np.sqrt(np.mean(self.scale**2 + (self.mean - mean) ** 2))
        return replace(
            self, mean=np.full_like(self.mean, mean), scale=np.full_like(self.scale, scale)
        )

    @property
    def n_columns(self) -> int:
        """Number of columns of the table."""
        return len(self.names)

    @property
    def n_modeled(self) -> int:
        """Number of components."""
        return len(self.modeled)

    @property
    def modeled_names(self) -> tuple[str, ...]:
        """Names of the components [n_modeled]."""
        return tuple(self.names[j] for j in self.modeled)

    @property
    def log_scale(self) -> FloatArray:
        """Log standard deviation per component [n_modeled].

        To be added to the surprise (in nats) of a standardized component, so that it refers to
        the units of the table.
        """
        return np.log(self.scale)

    def standardize(self, values: ArrayLike) -> FloatArray:
        """Return the components of rows, in units of their standard deviation.

        Parameters
        ----------
        values : array_like [n_rows, n_columns]
            All columns in the order of ``names``; missing values stay NaN, unless a copy of their
            column tells them.

        Returns
        -------
        float64 array [n_rows, n_modeled]
        """
        array = self._checked(values, self.n_columns)
        copies = [aside for aside in self.set_aside if aside.reason == "copy"]
        if copies and np.isnan(array).any():
            array = array.copy()
            for copy in copies:
                gaps = np.isnan(array[:, copy.source])
                known = (array[gaps, copy.column] - copy.intercept) / copy.slope
                array[gaps, copy.source] = known
        return (array[:, self.modeled] - self.mean) / self.scale

    def restore(self, z: ArrayLike, *, round_integers: bool = True) -> FloatArray:
        """Return all columns from components, in the units of the table.

        Parameters
        ----------
        z : array_like [n_rows, n_modeled]
        round_integers : bool, default True
            Round columns of whole numbers; pass False for averages.

        Returns
        -------
        float64 array [n_rows, n_columns]
            Constants and copies included.
        """
        components = self._checked(z, self.n_modeled)
        values = np.empty((components.shape[0], self.n_columns))
        values[:, self.modeled] = components * self.scale + self.mean
        for aside in self.set_aside:
            values[:, aside.column] = aside.expected(values)
        if round_integers:
            whole = [j for j, kind in enumerate(self.kinds) if kind == "integer"]
            values[:, whole] = np.rint(values[:, whole])
        return values

    def departures(self, values: ArrayLike) -> BoolArray:
        """Tell where a column that was set aside no longer obeys its rule.

        A constant that moves, or a copy that leaves its source, has no density to be measured by;
        it is a change whatever its size.

        Parameters
        ----------
        values : array_like [n_rows, n_columns]

        Returns
        -------
        bool array [n_rows, n_set_aside]
            False where a value is missing.

        Examples
        --------
        >>> X = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
        >>> Standardizer.fit(Table.from_frame(X)).departures([[2.5, 7.0], [2.5, 8.0]])
        array([[False],
               [ True]])
        """
        array = self._checked(values, self.n_columns)
        outside = np.zeros((array.shape[0], len(self.set_aside)), dtype=np.bool_)
        for k, aside in enumerate(self.set_aside):
            gap = np.abs(array[:, aside.column] - aside.expected(array))
            outside[:, k] = gap > aside.tolerance
        return outside

    def to_dict(self) -> dict[str, Any]:
        """Return the map in terms of JSON; `from_dict` restores it to the bit."""
        return {
            "names": list(self.names),
            "kinds": list(self.kinds),
            "modeled": self.modeled.tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "set_aside": [vars(aside).copy() for aside in self.set_aside],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Standardizer":
        """Restore what `to_dict` returned.

        Raises
        ------
        ModelCorrupt
            A part is missing, of the wrong length or not a number.
        """
        try:
            restored = cls(
                tuple(str(name) for name in state["names"]),
                tuple(state["kinds"]),
                np.array(state["modeled"], dtype=np.int64),
                np.array(state["mean"], dtype=np.float64),
                np.array(state["scale"], dtype=np.float64),
                tuple(SetAside(**aside) for aside in state["set_aside"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelCorrupt(f"the standardization cannot be restored: {error}.") from error
        restored._require_consistent()
        return restored

    def _require_consistent(self) -> None:
        d, n = self.n_columns, self.n_modeled
        covered = sorted([*self.modeled.tolist(), *(aside.column for aside in self.set_aside)])
        components = set(self.modeled.tolist())
        consistent = (
            len(self.kinds) == d
            and set(self.kinds) <= {"real", "integer"}
            and covered == list(range(d))
            and all(a.reason == "constant" or a.source in components for a in self.set_aside)
            and self.mean.shape == self.scale.shape == (n,)
            and bool(np.isfinite(self.mean).all() and np.isfinite(self.scale).all())
            and bool((self.scale > 0).all())
        )
        if not consistent:
            raise ModelCorrupt("the standardization contradicts itself: its parts do not match.")

    def _checked(self, values: ArrayLike, width: int) -> FloatArray:
        array: FloatArray = np.asarray(values, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != width:
            raise DataError(f"found values of shape {array.shape}, expected (n_rows, {width}).")
        return array


def _deviations(values: FloatArray, mean: FloatArray) -> FloatArray:
    """Standard deviations column by column, without a second copy of the table."""
    scale = np.empty(values.shape[1])
    for j in range(values.shape[1]):
        centered = values[:, j] - mean[j]
        centered = centered[~np.isnan(centered)]
        peak = float(np.abs(centered).max())
        if peak > 0:
            centered /= peak  # squares of very small numbers would vanish
        scale[j] = peak * np.sqrt(centered @ centered / len(centered))
    return scale
