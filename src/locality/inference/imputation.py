"""Imputation: the law of missing values given all that is known, in closed form.

The conditional laws of rows (`conditional`) put together are one Gaussian over the whole table.
With u_t = x_t − Σ_l B_l x_{t-l} − c_t, B_l = R⁻¹A_l, c_t what context adds, and Q the precision of
a row given its past,

    −log p = ½ Σ_t u_tᵀ Q u_t + const = ½ xᵀ H x − bᵀ x + const ,

so missing cells M given the others O have mean H_MM⁻¹ (b − H_MO x_O) and covariance H_MM⁻¹,
whatever the pattern: single cells, blocks in time, dead sensors, columns held at chosen values.
Nothing is factorized: conjugate gradients solve for the mean, and for draws after Gaussian noise of
covariance H_MM is added to the right-hand side (Papandreou and Yuille, 2010, *Gaussian sampling by
local perturbations*). The variance of a cell is 1/H_cc, which it has if all others are known, plus
the variance of its conditional mean over the draws.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.exceptions import OptionError
from locality.inference.conditional import ConditionalLaw
from locality.local.field import ScoreField

__all__ = ["GaussianTable", "Posterior"]

_MOST_COMPONENTS = 5_000  # matrices of a row are dense
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


@dataclass(frozen=True, eq=False)
class _Row:
    """Matrices of one law of a row, among targets: precision, its root, and B₁, B₂, …"""

    precision: FloatArray
    root: FloatArray
    back: tuple[FloatArray, ...]
    context: FloatArray


class GaussianTable:
    """The Gaussian over all rows that the closed form of a model implies.

    Parameters
    ----------
    field : ScoreField
        Of a table or causal series.

    Raises
    ------
    OptionError
        If rows have no law of their own, or there are more than 5,000 components.
    """

    def __init__(self, field: ScoreField) -> None:
        self.targets = field.domain.targets
        self.context = np.array(field.domain.context, dtype=np.int64)
        if len(self.targets) > _MOST_COMPONENTS:
            raise OptionError(
                f"Imputation works for up to {_MOST_COMPONENTS:,} components, this model has "
                f"{len(self.targets):,}.",
                remedy="Fit a model of the part of the columns that is of interest.",
            )
        self._laws = ConditionalLaw.of(field)

    @cached_property
    def _rows(self) -> tuple[_Row, ...]:
        found = []
        for law in self._laws:
            precision = law.precision.toarray()
            values, vectors = np.linalg.eigh(precision)
            values = np.maximum(values, 1e-6 * values[-1] / len(values))
            precision = (vectors * values) @ vectors.T
            inverse = np.linalg.inv(law.residual_operator.toarray())
            back = tuple(inverse @ w[:, self.targets].toarray() for w in law.weights[1:])
            context = np.concatenate(
                [inverse @ w[:, self.context].toarray() for w in law.weights], axis=1
            )
            found.append(_Row(precision, vectors * np.sqrt(values), back, context))
        return tuple(found)

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
        shift = self._shift(rows)
        negative = -self._adjoint(self._innovations(x) - shift) * free
        diagonal = np.where(free, self._diagonal(len(x)), 1.0)
        if not free.any():
            return Posterior(x.T, np.zeros(x.T.shape), np.repeat(x.T[None], n_draws, axis=0))
        mean = x + self._solve(negative, free, diagonal, _TOLERANCE)
        tick()
        draws, squares = [], np.zeros_like(x)
        n_all = max(n_draws, n_variance)
        for number in range(n_all):
            noise = self._noise(rng, len(x)) * free
            drawn = self._solve(noise, free, diagonal, _DRAW_TOLERANCE)
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
        inverse = np.asarray(np.linalg.inv(self._rows[-1].precision[np.ix_(free, free)]))
        u = np.where(np.isnan(x), 0.0, x) - self._shift(rows)
        gradient = (u @ self._rows[-1].precision)[:, free]
        place = np.searchsorted(np.flatnonzero(free), which)
        mean: FloatArray = -(gradient @ inverse)[:, place].T
        covariance: FloatArray = inverse[np.ix_(place, place)]
        return mean, covariance

    def n_solutions(self, n_draws: int) -> int:
        """How often ``posterior`` calls its tick."""
        return 1 + max(n_draws, VARIANCE_DRAWS)

    def _solve(
        self, right: FloatArray, free: BoolArray, diagonal: FloatArray, tolerance: float
    ) -> FloatArray:
        """H_MM⁻¹ of a right-hand side [n_rows, n_targets], by preconditioned conjugate gradients.

        Rows of a table are systems of their own, and step by themselves.
        """
        axis = None if len(self._rows) > 1 else 1
        x, r = np.zeros_like(right), right.copy()
        y = r / diagonal * free
        p = y.copy()
        power = (r * y).sum(axis=axis, keepdims=True)
        enough = tolerance**2 * power
        for _ in range(_MOST_STEPS):
            if (power <= enough).all():
                break
            q = self._apply(p) * free
            curvature = (p * q).sum(axis=axis, keepdims=True)
            going = (power > enough) & (curvature > 0)
            step = np.where(going, power / np.where(going, curvature, 1.0), 0.0)
            x += step * p
            r -= step * q
            y = r / diagonal * free
            after = (r * y).sum(axis=axis, keepdims=True)
            p = y + np.where(going, after / np.where(power > 0, power, 1.0), 0.0) * p
            power = after
        return x

    def _apply(self, x: FloatArray) -> FloatArray:
        """H x [n_rows, n_targets]."""
        return self._adjoint(self._innovations(x))

    def _innovations(self, x: FloatArray) -> FloatArray:
        """u of every row, without context."""
        u = x.copy()
        for t, row in self._first(len(x)):
            for lag, back in enumerate(row.back[:t], start=1):
                u[t] -= back @ x[t - lag]
        row, n = self._rows[-1], len(self._rows) - 1
        for lag, back in enumerate(row.back, start=1):
            u[n:] -= x[n - lag : len(x) - lag] @ back.T
        return u

    def _adjoint(self, u: FloatArray) -> FloatArray:
        """Jᵀ Q u: from innovations to the gradient."""
        weighted = u @ self._rows[-1].precision
        for t, first in self._first(len(u)):
            weighted[t] = first.precision @ u[t]
        return self._carry(weighted)

    def _carry(self, weighted: FloatArray) -> FloatArray:
        """Jᵀ: what innovations say of the rows before them."""
        result = weighted.copy()
        row, n = self._rows[-1], len(self._rows) - 1
        for lag, back in enumerate(row.back, start=1):
            result[n - lag : len(result) - lag] -= weighted[n:] @ back
        for t, first in self._first(len(weighted)):
            for lag, back in enumerate(first.back[:t], start=1):
                result[t - lag] -= back.T @ weighted[t]
        return result

    def _noise(self, rng: np.random.Generator, n_rows: int) -> FloatArray:
        """Gaussian noise of covariance H [n_rows, n_targets]."""
        white = rng.standard_normal((n_rows, len(self.targets)))
        colored = white @ self._rows[-1].root.T
        for t, first in self._first(n_rows):
            colored[t] = first.root @ white[t]
        return self._carry(colored)

    def _diagonal(self, n_rows: int) -> FloatArray:
        """Diagonal of H [n_rows, n_targets]."""
        found = np.zeros((n_rows, len(self.targets)))
        for t, row in [*self._first(n_rows), (len(self._rows) - 1, self._rows[-1])]:
            stop = t + 1 if t < len(self._rows) - 1 else n_rows
            found[t:stop] += np.diag(row.precision)
            for lag, back in enumerate(row.back[:t], start=1):
                found[t - lag : stop - lag] += ((row.precision @ back) * back).sum(axis=0)
        return found

    def _shift(self, rows: FloatArray) -> FloatArray:
        """What context adds to every row [n_rows, n_targets]."""
        n_rows, d = rows.shape[1], len(self.context)
        shift = np.zeros((n_rows, len(self.targets)))
        for t in range(n_rows) if d else ():
            row = self._rows[min(t, len(self._rows) - 1)]
            for lag in range(min(t, len(self._rows) - 1) + 1):
                part = row.context[:, lag * d : (lag + 1) * d]
                shift[t] += part @ rows[self.context, t - lag]
        return shift

    def _first(self, n_rows: int) -> list[tuple[int, _Row]]:
        """Rows that have fewer rows before them than the others, with their laws."""
        return list(enumerate(self._rows[:-1][:n_rows]))
