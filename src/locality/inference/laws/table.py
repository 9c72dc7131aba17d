"""Imputation: the law of missing values given all that is known, in closed form.

The sequential laws of rows (`sequential`) put together are one Gaussian over the whole table. With
u_t = R x_t − Σ_l A_l x_{t-l} − c_t, c_t what context adds, and s the scales,

    −log p = ½ Σ_t |u_t/s|² + const = ½ xᵀ H x − bᵀ x + const ,

so missing cells M given the others O have mean H_MM⁻¹ (b − H_MO x_O) and covariance H_MM⁻¹,
whatever the pattern: single cells, blocks in time, dead sensors, columns held at chosen values.
The mean is one solution, and so is a draw, after Gaussian noise of covariance H_MM is added to the
right-hand side (Papandreou and Yuille, 2010, *Gaussian sampling by local perturbations*): by a
banded factor (`banded`), or by conjugate gradients where that would be too large. The variance of a
cell is 1/H_cc, which it has if all others are known, plus the variance of its conditional mean over
the draws.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from locality._typing import BoolArray, FloatArray, IntArray
from locality.exceptions import OptionError
from locality.inference.laws.banded import BandedFactor
from locality.inference.laws.gradients import conjugate_gradients
from locality.inference.laws.sequential import SequentialLaw
from locality.local.field import ScoreField

__all__ = ["GaussianTable", "Posterior"]

_MOST_DENSE = 5_000  # components whose covariance is written down
_TOLERANCE = 1e-6  # of means; draws are random anyway
_DRAW_TOLERANCE = 1e-3
_MOST_STEPS = 1_000
VARIANCE_DRAWS = 24


@dataclass(frozen=True, eq=False)
class Posterior:
    """Missing values given the others.

    Parameters
    ----------
    mean, deviation : float arrays [n_targets, n_rows]
        Complete; the deviation is zero where a value is known.
    draws : float array [n_draws, n_targets, n_rows]
    """

    mean: FloatArray
    deviation: FloatArray
    draws: FloatArray


class GaussianTable:
    """The Gaussian over all rows that the closed form of a model implies.

    Parameters
    ----------
    field : ScoreField
        Of a table or causal series.

    Raises
    ------
    OptionError
        If rows have no law of their own.
    """

    def __init__(self, field: ScoreField) -> None:
        self.targets = field.domain.targets
        self.context = np.array(field.domain.context, dtype=np.int64)
        self._laws = SequentialLaw.of(field)

    def posterior(
        self,
        rows: FloatArray,
        n_draws: int,
        rng: np.random.Generator,
        tick: Callable[[], None] = lambda: None,
        *,
        n_variance: int = VARIANCE_DRAWS,
    ) -> Posterior:
        """Mean, deviation and draws of what is missing.

        Parameters
        ----------
        rows : float array [n_nodes, n_rows]
            Standardized; NaN where missing. Context is complete.
        n_draws : int
        rng : numpy Generator
        tick : callable
            Called after every solution.
        n_variance : int
            Draws at least that the deviation is estimated from.
        """
        x = rows[self.targets].T
        free = np.isnan(x)
        x = np.where(free, 0.0, x)
        right = self._right(x, rows) * free
        diagonal = np.where(free, self._diagonal(len(x)), 1.0)
        if not free.any():
            return Posterior(x.T, np.zeros(x.T.shape), np.repeat(x.T[None], n_draws, axis=0))
        factor = BandedFactor.of(self._laws, free)

        def solve(right: FloatArray, tolerance: float) -> FloatArray:
            if factor is not None:
                return factor.solve(right)
            return conjugate_gradients(
                lambda x: self._apply(x) * free, right, diagonal, tolerance=tolerance,
                axis=None if len(self._laws) > 1 else 1,  # rows of a table are systems of their own
                most_steps=_MOST_STEPS,
            )  # fmt: skip

        mean = x + solve(right, _TOLERANCE)
        tick()
        draws, squares = [], np.zeros_like(x)
        n_all = max(n_draws, n_variance)
        for number in range(n_all):
            noise = self._noise(rng, len(x)) * free
            drawn = solve(noise, _DRAW_TOLERANCE)
            center = (drawn * diagonal - self._apply(drawn)) / diagonal * free
            squares += center**2
            if number < n_draws:
                draws.append((mean + drawn).T)
            tick()
        variance = squares / max(n_all, 1) + 1.0 / diagonal
        deviation = np.where(free, np.sqrt(variance), 0.0)
        return Posterior(mean.T, deviation.T, np.array(draws).reshape(n_draws, *mean.T.shape))

    def marginal(self, rows: FloatArray, which: IntArray) -> tuple[FloatArray, FloatArray]:
        """Law of some missing components of a table, given what is known.

        Parameters
        ----------
        rows : float array [n_nodes, n_rows]
            The same components are missing in every row.
        which : int array [n_chosen]
            Numbers of targets.

        Returns
        -------
        mean : float array [n_chosen, n_rows]
        covariance : float array [n_chosen, n_chosen]
        """
        x = rows[self.targets].T
        free = np.isnan(x[0])
        if np.count_nonzero(free) > _MOST_DENSE:
            raise OptionError(
                f"Bounded columns work for up to {_MOST_DENSE:,} components.",
                remedy="Hold columns at values, or fit a model of fewer columns.",
            )
        law = self._laws[-1]
        half = sp.diags_array(1.0 / law.scale) @ law.within
        inverse = np.asarray(np.linalg.inv((half.T @ half)[free][:, free].toarray()))
        known = np.where(np.isnan(x), 0.0, x)
        right = self._right(known, rows)[:, free]
        place = np.searchsorted(np.flatnonzero(free), which)
        mean: FloatArray = (right @ inverse)[:, place].T
        covariance: FloatArray = inverse[np.ix_(place, place)]
        return mean, covariance

    def cells(self, rows: FloatArray, chosen: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Joint law of some missing cells of a series, given what is known.

        Parameters
        ----------
        rows : float array [n_nodes, n_rows]
        chosen : bool array [n_rows, n_targets]
            Missing ones.

        Returns
        -------
        mean : float array [n_chosen]
        covariance : float array [n_chosen, n_chosen]
            In order of rows.
        """
        x = rows[self.targets].T
        free = np.isnan(x)
        factor = BandedFactor.of(self._laws, free)
        if factor is None or np.count_nonzero(chosen) > _MOST_DENSE:
            raise OptionError(
                "Bounded columns of so many rows of a series are too much.",
                remedy="Draw fewer rows, or hold the columns at values.",
            )
        x = np.where(free, 0.0, x)
        mean: FloatArray = factor.solve(self._right(x, rows) * free)[chosen]
        return mean, factor.covariance(chosen)

    def n_solutions(self, n_draws: int) -> int:
        """How often ``posterior`` calls its tick."""
        return 1 + max(n_draws, VARIANCE_DRAWS)

    def _right(self, x: FloatArray, rows: FloatArray) -> FloatArray:
        """b − H x [n_rows, n_targets]: what known values and context say, missing ones being 0."""
        return -self._adjoint(self._innovations(x) - self._shift(rows))

    def _apply(self, x: FloatArray) -> FloatArray:
        """H x [n_rows, n_targets]."""
        return self._adjoint(self._innovations(x))

    def _innovations(self, x: FloatArray) -> FloatArray:
        """u of every row [n_rows, n_targets], without context."""
        u = np.empty_like(x)
        for law, rows, n_past in self._stretches(len(x)):
            here: FloatArray = (law.within @ x[rows].T).T
            for lag, past in enumerate(law.past[:n_past], start=1):
                here -= (past @ x[rows.start - lag : rows.stop - lag].T).T
            u[rows] = here
        return u

    def _adjoint(self, u: FloatArray) -> FloatArray:
        """From innovations to the gradient: the transpose of ``_innovations``, weighted."""
        weighted = np.empty_like(u)
        for law, rows, _ in self._stretches(len(u)):
            weighted[rows] = u[rows] / law.scale**2
        return self._carry(weighted)

    def _carry(self, weighted: FloatArray) -> FloatArray:
        """What innovations say of their rows and of those before them."""
        result = np.zeros_like(weighted)
        for law, rows, n_past in self._stretches(len(weighted)):
            result[rows] += (law.within.T @ weighted[rows].T).T
            for lag, past in enumerate(law.past[:n_past], start=1):
                before = slice(rows.start - lag, rows.stop - lag)
                result[before] -= (past.T @ weighted[rows].T).T
        return result

    def _noise(self, rng: np.random.Generator, n_rows: int) -> FloatArray:
        """Gaussian noise of covariance H [n_rows, n_targets]."""
        white = rng.standard_normal((n_rows, len(self.targets)))
        for law, rows, _ in self._stretches(n_rows):
            white[rows] /= law.scale
        return self._carry(white)

    def _diagonal(self, n_rows: int) -> FloatArray:
        """Diagonal of H [n_rows, n_targets]."""
        found = np.zeros((n_rows, len(self.targets)))
        for law, rows, n_past in self._stretches(n_rows):
            weight = law.scale**-2.0
            found[rows] += (law.within * law.within).T @ weight
            for lag, past in enumerate(law.past[:n_past], start=1):
                found[rows.start - lag : rows.stop - lag] += (past * past).T @ weight
        return found

    def _shift(self, rows: FloatArray) -> FloatArray:
        """What context adds to every row [n_rows, n_targets]."""
        shift = np.zeros((rows.shape[1], len(self.targets)))
        if len(self.context):
            known = rows[self.context]
            for law, span, n_past in self._stretches(rows.shape[1]):
                for lag, weights in enumerate(law.context[: n_past + 1]):
                    shift[span] += (weights @ known[:, span.start - lag : span.stop - lag]).T
        return shift

    def _stretches(self, n_rows: int) -> list[tuple[SequentialLaw, slice, int]]:
        """Laws, the rows that have them, and how many rows lie before those."""
        n = len(self._laws) - 1
        first = [(law, slice(t, t + 1), t) for t, law in enumerate(self._laws[:-1][:n_rows])]
        return [*first, (self._laws[-1], slice(n, n_rows), n)] if n_rows > n else first
