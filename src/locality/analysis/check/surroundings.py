"""Surroundings: what each column of a local model sees, what it needs, and what lies outside.

A column *sees* everything within the largest of the radii chosen for its noise bands. It *needs*
less: the fewest other columns that know nine tenths of what all it sees tell about it. They are
counted by forward selection: with S the covariance of the column, its neighbors and their past, the
variable that lowers the variance of the column most is taken first, S becomes the covariance given
it, and so on; what k variables know is ½ log(variance before / after) − k/2n nats.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.analysis.check.trials import Trial
from locality.domain import Domain

__all__ = ["Surroundings"]

_MOST = 0.9  # of what is to be known
_NOTHING = 0.01  # nats of a column below which neighbors tell nothing
_MOST_ROWS = 2_000
_MOST_SEEN = 150  # variables


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Neighborhoods of all columns.

    Parameters
    ----------
    domain : Domain
        Of the columns, without axes.
    reach : int array [n_columns]
        Radius of what a column sees.
    """

    domain: Domain
    reach: IntArray

    @classmethod
    def of(cls, fitted: Trial, domain: Domain) -> "Surroundings":
        """Of a fitted model."""
        return cls(Domain(domain.graph, domain.names), fitted.band_radius.max(axis=1))

    def needed(self, z: FloatArray, lags: int) -> IntArray:
        """How many others each column needs [n_columns]; parameters as in ``views``."""
        rows = np.arange(lags, len(z), -(-(len(z) - lags) // _MOST_ROWS))
        view = self.views(z, lags, rows)
        return np.array([_needed(z[rows, j], *view(j), j) for j in range(z.shape[1])])

    def outside(self) -> BoolArray:
        """Which columns k a column j does not see [n_columns, n_columns]."""
        d = len(self.reach)
        beyond = np.ones((d, d), dtype=bool)
        stencils = self.domain.stencils(self.reach)
        beyond[np.repeat(stencils.target, stencils.sizes), stencils.node] = False
        return beyond

    def views(
        self, z: FloatArray, lags: int, rows: IntArray
    ) -> Callable[[int], tuple[FloatArray, IntArray]]:
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
            Column to float array [n_chosen, n_seen] and whose values they are [n_seen]: its own
            past, its neighbors, the nearest first, and their past.
        """
        stencils = self.domain.stencils(self.reach)
        place = np.empty(len(self.reach), dtype=np.int64)
        place[stencils.target] = np.arange(len(place))

        def view(j: int) -> tuple[FloatArray, IntArray]:
            nodes = stencils.slots(int(place[j]))[0]
            past = range(1, lags + 1)
            parts = [z[np.ix_(rows - lag, nodes[:1])] for lag in past]
            parts += [z[np.ix_(rows - lag, nodes[1:])] for lag in (0, *past)]
            return np.hstack(parts), np.concatenate([[j] * lags, *[nodes[1:]] * (lags + 1)])

        return view


def _needed(own: FloatArray, seen: FloatArray, whose: IntArray, column: int) -> int:
    """Other columns in the smallest set that knows nine tenths, by forward selection."""
    variables = np.hstack([own[:, None], seen[:, :_MOST_SEEN]])
    whose = np.append(column, whose[:_MOST_SEEN])
    s = np.cov(variables, rowvar=False).reshape(len(whose), -1)
    floor = 1e-9 * np.diag(s)
    for past in np.flatnonzero(whose[1:] == column) + 1:
        if s[past, past] > floor[past]:
            s = s - np.outer(s[:, past], s[past]) / s[past, past]
    known, count, members = [0.0], [0], set()
    left = np.flatnonzero(whose != column)
    before, n = s[0, 0], len(own)
    price = (1.0 + 2.0 * np.log(max(len(left), 1))) / n
    while len(left) and s[0, 0] > floor[0]:
        power = np.diag(s)[left]
        gain = np.where(power > floor[left], s[0, left] ** 2 / np.maximum(power, 1e-300), 0.0)
        best = int(gain.argmax())
        taken = left[best]
        if -np.log1p(-min(gain[best] / s[0, 0], 1 - 1e-12)) <= price:
            break  # the best of as many by chance tells as much
        s = s - np.outer(s[:, taken], s[taken]) / s[taken, taken]
        left = np.delete(left, best)
        members.add(int(whose[taken]))
        known.append(0.5 * float(np.log(before / max(s[0, 0], floor[0])) - len(known) / n))
        count.append(len(members))
    if known[-1] < _NOTHING:
        return 0
    return count[int((np.array(known) >= _MOST * known[-1]).argmax())]
