"""Surroundings: what each column of a local model sees, what it needs, and what lies outside.

A column *sees* everything within the largest of the radii chosen for its noise bands. It *needs*
less: the smallest neighborhood that knows nine tenths of what its best neighborhood knows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.analysis.trials import Fitted
from locality.domain import Domain

__all__ = ["Surroundings"]

_MOST = 0.9  # of what is to be known
_NOTHING = 0.01  # nats of a column below which neighbors tell nothing


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Neighborhoods of all columns.

    Parameters
    ----------
    domain : Domain
        Of the columns, without axes.
    reach : int array [n_columns]
        Radius of what a column sees.
    needed : int array [n_columns]
        Other columns in the smallest neighborhood that knows nine tenths.
    """

    domain: Domain
    reach: IntArray
    needed: IntArray

    @classmethod
    def of(cls, fitted: Fitted, domain: Domain) -> "Surroundings":
        """From the curve of a fit over radii."""
        flat = Domain(domain.graph, domain.names)
        nats = fitted.curve.sum(axis=2)
        saved = nats[:, :1] - nats
        best = saved.max(axis=1, keepdims=True)
        enough = (saved >= _MOST * best).argmax(axis=1)
        radius = np.where(best[:, 0] > _NOTHING, fitted.radii[enough], 0)
        needed = flat.stencils(radius).sizes - 1
        return cls(flat, fitted.band_radius.max(axis=1), needed)

    def outside(self) -> BoolArray:
        """Which columns k a column j does not see [n_columns, n_columns]."""
        d = len(self.reach)
        beyond = np.ones((d, d), dtype=bool)
        stencils = self.domain.stencils(self.reach)
        beyond[np.repeat(stencils.target, stencils.sizes), stencils.node] = False
        return beyond

    def views(self, z: FloatArray, lags: int, rows: IntArray) -> Callable[[int], FloatArray]:
        """What a column sees in some rows, as a function of the column.

        Parameters
        ----------
        z : float array [n_rows, n_columns]
        lags : int
        rows : int array [n_chosen]
            Not before row ``lags``.

        Returns
        -------
        callable
            Column to float array [n_chosen, n_seen]: its neighbors, the nearest first, then its
            own past and that of its neighbors.
        """
        stencils = self.domain.stencils(self.reach)
        place = np.empty(len(self.reach), dtype=np.int64)
        place[stencils.target] = np.arange(len(place))

        def view(j: int) -> FloatArray:
            nodes = stencils.slots(int(place[j]))[0]
            parts = [z[np.ix_(rows, nodes[1:])]]
            parts += [z[np.ix_(rows - lag, nodes)] for lag in range(1, lags + 1)]
            return np.hstack(parts)

        return view
