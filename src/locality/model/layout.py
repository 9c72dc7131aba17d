"""Layout: how the columns of a table lie in a state, and back.

A state is [n_nodes, *extent, n_samples]. Of a **table** columns are nodes and rows are samples; of
a **series** rows are positions of a time axis instead; of a **lattice** columns are the positions
of a single node. Only this file knows; all others speak of rows, or of states.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.transforms import Standardizer
from locality.domain.domain import Domain
from locality.exceptions import DataError, OptionError

if TYPE_CHECKING:
    from locality.data.table import Table

__all__ = ["Layout", "limits_of", "stacked"]

_LIMIT = 1.5  # samples stay within this many times the range seen


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the columns of a table are in a state.

    Parameters
    ----------
    standardizer : Standardizer
    domain : Domain
        Its nodes are the standardized columns in their order, or one for all of a lattice.
    extent : tuple of int
        Positions of a lattice; () for tables and series.
    """

    standardizer: Standardizer
    domain: Domain
    extent: tuple[int, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Components: columns that are modeled, not context, constants or copies [n_components]."""
        modeled = self.standardizer.modeled_names
        return tuple(modeled[place] for place in self.places)

    @cached_property
    def context(self) -> tuple[str, ...]:
        """Columns that are conditions, in the order of the domain."""
        return tuple(self.domain.names[node] for node in self.domain.context)

    @cached_property
    def places(self) -> IntArray:
        """Where components are among the standardized columns [n_components]."""
        if self.is_lattice:
            return np.arange(self.standardizer.n_modeled)
        return self.domain.targets

    @cached_property
    def columns(self) -> IntArray:
        """Where components are among the columns of the table [n_components]."""
        return self.standardizer.modeled[self.places]

    @property
    def is_lattice(self) -> bool:
        """Whether columns lie along a tied axis."""
        return bool(self.extent)

    @property
    def is_series(self) -> bool:
        """Whether rows are a time series."""
        return any(axis.is_series for axis in self.domain.axes)

    @property
    def is_causal(self) -> bool:
        """Whether they are one, each row given the rows before it."""
        return any(axis.is_causal for axis in self.domain.axes)

    @property
    def has_row_law(self) -> bool:
        """Whether rows can be judged one after the other."""
        return all(axis.is_causal for axis in self.domain.axes)

    @property
    def n_lags(self) -> int:
        """Rows of the past that a row looks back upon."""
        axes = self.domain.axes
        return axes[0].window[0] if axes and axes[0].window else 0

    @property
    def kind(self) -> str:
        """What it is: "table", "causal series", "joint series" or "lattice"."""
        series = "causal series" if self.is_causal else "joint series"
        return "lattice" if self.is_lattice else series if self.is_series else "table"

    def state(self, z: FloatArray) -> FloatArray:
        """Standardized rows [n_rows, n_standardized] as a state [n_nodes, *extent, n_samples]."""
        return stacked(z[None], self.domain)

    def rows(self, state: FloatArray) -> FloatArray:
        """State of the targets as rows [n_rows, n_components]; several series follow each other."""
        if self.is_lattice:
            return np.ascontiguousarray(state[0].T)
        if self.domain.axes:
            return np.ascontiguousarray(state.transpose(2, 1, 0).reshape(-1, len(state)))
        return np.ascontiguousarray(state.T)

    def flat(self, values: FloatArray) -> FloatArray:
        """Numbers by target and example [n_targets, n_examples], as `rows` has them."""
        n = self.standardizer.n_modeled if self.is_lattice else len(self.domain.targets)
        n_rows = values.size // n if n else 0
        inner = (*self.extent, n_rows) if self.is_lattice else (n_rows, 1)
        shape = inner if self.is_lattice or self.domain.axes else (n_rows,)
        return self.rows(values.reshape(len(self.domain.targets), *shape))

    def state_of(self, values: FloatArray) -> FloatArray:
        """Values of a table [n_rows, n_columns] as a state; NaN where missing."""
        return self.state(self.standardizer.standardize(values))

    def log_slope(self, values: FloatArray) -> FloatArray:
        """log dz/dx of the components [n_rows, n_components]."""
        return self.standardizer.log_slope(values)[:, self.places]

    def standard_rows(self, table: "Table") -> FloatArray:
        """Standardized rows [n_nodes, n_rows] of a table or causal series, NaN where missing.

        Raises
        ------
        OptionError
            If rows have no law of their own.
        DataError
            If a context column has gaps.
        """
        self.require_row_law(table)
        return np.ascontiguousarray(self.standardizer.standardize(table.values).T)

    def require_row_law(self, table: "Table") -> None:
        """Refuse what rows cannot be judged by; raises as ``standard_rows`` does."""
        self.require_rows()
        if not self.domain.context:
            return
        known = self.standardizer.known(table.values)[:, self.standardizer.modeled]
        for node in self.domain.context:
            gaps = np.flatnonzero(np.isnan(known[:, node]))
            if len(gaps):
                raise DataError(
                    f"The context column {self.domain.names[node]!r} has {len(gaps)} missing "
                    f"values, the first in row {gaps[0] + 1}.",
                    remedy="Fill them: context columns are conditions and are not modeled.",
                )

    def require_rows(self) -> None:
        """Refuse a joint series, whose rows have no law of their own.

        Raises
        ------
        OptionError
            If it is one.
        """
        if not self.has_row_law:
            raise OptionError(
                "This needs a model of rows, each given those before it; this one is a joint "
                "series.",
                remedy='Fit with series="causal".',
            )

    def restore(
        self, z: FloatArray, context: FloatArray | None = None, *, whole: bool = True
    ) -> FloatArray:
        """All columns in the units of the table [n_rows, n_columns].

        Parameters
        ----------
        z : float array [n_rows, n_components]
            Standardized.
        context : float array [n_context, n_rows], optional
            Standardized context, needed if there is any.
        whole : bool, default True
            Round columns of whole numbers and states.
        """
        everything = np.empty((len(z), self.standardizer.n_modeled))
        everything[:, self.places] = z
        if context is not None:
            everything[:, list(self.domain.context)] = context.T
        return self.standardizer.restore(everything, round_integers=whole)

    def table_limits(self, limits: FloatArray) -> FloatArray:
        """Bounds of nodes in the units of the table, of all columns [n_columns, 2].

        Where a column has a law of its own these are 1.5 times the range seen in its own units: a
        little beyond that range in standardized units may be far beyond it in those of the table.
        """
        seen = _widened(limits, 1.0 / _LIMIT)
        ends = self.standardizer.restore(seen.T, round_integers=False)
        return _widened(np.sort(ends, axis=0).T, _LIMIT)


def stacked(draws: np.ndarray, domain: Domain) -> np.ndarray:
    """Tables of rows [n_draws, n_rows, n_columns] as samples of one state; those of a row lie side
    by side, so that many draws of the same rows count as further samples of them.
    """
    state = np.ascontiguousarray(draws.transpose(2, 1, 0))
    if any(axis.is_series for axis in domain.axes):
        return state
    flat = state.reshape(len(state), -1)
    return flat[None] if domain.axes else flat


def limits_of(state: FloatArray) -> FloatArray:
    """Bounds of every node: 1.5 times the range seen, around its middle [n_nodes, 2]."""
    flat = state.reshape(len(state), -1)
    return _widened(np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1), _LIMIT)


def _widened(bounds: FloatArray, factor: float) -> FloatArray:
    """Intervals [n, 2] stretched around their middles."""
    low, high = bounds.T
    middle, half = (low + high) / 2, (high - low) / 2
    stretched = np.stack([middle - factor * half, middle + factor * half], axis=1)
    return stretched.astype(np.float64)
