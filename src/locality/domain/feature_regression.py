"""Regression of the features of one column on features of others.

Conditions are gathered in the order of their importance until rows no longer suffice (8 each):
linear terms of the neighbors and of the column's own past; features 2 to 4 of the linear prediction
m_j; features 1 to 3 of all neighbors and candidates; and, for the strongest four, the bends of any
curve and the products of every two. Under a Gaussian law the features of m_j suffice exactly,
between one cause and its effects the bends do, and between two interacting causes the products.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.features import BENDS, ORDERS, RankFeatures, legendre
from locality.domain.pairwise import Moments

__all__ = ["FeatureRegression", "Partial"]

_MAX_CONDITIONS = 100
_ROWS_PER_CONDITION = 8
_STRONGEST = 4
_OWN_LAGS = 2
_RIDGE = 1e-6
_LEAST_POWER = 1e-6  # of a residual; below, the feature is explained entirely
_LEAST_POWER_MASKED = 1e-3
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Partial:
    """Features of the target against features of a source, given conditions.

    Attributes
    ----------
    correlation : float array [3, 3]
        Partial correlation, by order of target and of source.
    worth : float array [3, 3]
        How many rows of a complete table of constant spread a shared row is worth, at most 1.
    n_rows : float
        Rows that target and source share.
    residual : float array [3, n_rows]
        What the conditions leave of the features of the source.
    n_given : int
        Number of conditions.
    """

    correlation: FloatArray
    worth: FloatArray
    n_rows: float
    residual: FloatArray
    n_given: int


class FeatureRegression:
    """Features of a column and the conditions that may explain them.

    Parameters
    ----------
    features : RankFeatures
    lags : int
        Largest lag; rows before it serve as past only.
    node : int
        The column.
    column, lag : int arrays [n_sources]
        Sources: ``column`` as it was ``lag`` rows ago.
    n_neighbors : int
        The first sources are linear neighbors, the others candidates; either strongest first.
    """

    def __init__(
        self,
        features: RankFeatures,
        lags: int,
        node: int,
        column: IntArray,
        lag: IntArray,
        n_neighbors: int,
    ) -> None:
        self._features, self._lags, self._node = features, lags, node
        self._n = features.scores.shape[1] - lags
        self._masked = features.observed is not None
        self._own = self._mask(node, 0)
        self._y = np.stack([self._row(node, 0, order) for order in ORDERS])
        room = min(_MAX_CONDITIONS, int(self._own.sum()) // _ROWS_PER_CONDITION)
        rows: list[FloatArray] = []
        masks: list[FloatArray] = []
        self._used: list[tuple[int, ...]] = []  # columns that each condition is made of
        self._predicts: list[bool] = []  # whether it is a feature of the linear prediction
        sources = list(zip(column.tolist(), lag.tolist(), strict=True))
        linear = sources[:n_neighbors]
        linear += [(node, past) for past in range(1, 1 + min(lags, _OWN_LAGS))]
        for row, mask, used in self._conditions(linear, sources[n_neighbors:], n_neighbors):
            if len(rows) >= room:
                break
            rows.append(row)
            masks.append(mask)
            self._used.append(used)
            self._predicts.append(not used)
        self._x = np.stack(rows) if rows else np.empty((0, self._n))
        self._mask_x = np.stack(masks) if masks else np.empty((0, self._n))

    def _conditions(
        self, linear: list[tuple[int, int]], candidates: list[tuple[int, int]], n_neighbors: int
    ) -> Iterator[tuple[FloatArray, FloatArray, tuple[int, ...]]]:
        """Rows, masks and columns used, the most important first."""
        neighbors = linear[:n_neighbors]
        plan = [(source, 1) for source in linear]
        for source, order in plan:
            yield self._condition(source, order)
        if len(linear) > 1:
            yield from self._prediction(linear)
        plan = [(source, order) for source in candidates for order in ORDERS]
        plan += [(source, order) for order in (2, 3) for source in neighbors]
        plan += [(source, 2) for source in linear[n_neighbors:]]
        strongest = candidates[:_STRONGEST] + neighbors[: _STRONGEST // 2]
        plan += [(source, order) for source in strongest for order in BENDS]
        for source, order in plan:
            yield self._condition(source, order)
        strongest = (candidates[: _STRONGEST - 1] + neighbors[: _STRONGEST - 1])[:_STRONGEST]
        for one, two in combinations(strongest, 2):
            for a in (1, 2):
                for b in (1, 2):
                    row = self._row(*one, a) * self._row(*two, b)
                    mask = self._mask(*one) * self._mask(*two)
                    mean = row.sum() / max(mask.sum(), 1.0)
                    yield (row - mean) * mask, mask, (one[0], two[0])

    def _condition(
        self, source: tuple[int, int], order: int
    ) -> tuple[FloatArray, FloatArray, tuple[int, ...]]:
        return self._row(*source, order), self._mask(*source), (source[0],)

    def _row(self, column: int, lag: int, order: int) -> FloatArray:
        return self._features.row(column, order)[self._lags - lag : self._lags - lag + self._n]

    def _mask(self, column: int, lag: int) -> FloatArray:
        observed = self._features.observed
        if observed is None:
            return np.ones(self._n)
        return observed[column, self._lags - lag : self._lags - lag + self._n].astype(np.float64)

    def _prediction(
        self, linear: list[tuple[int, int]]
    ) -> Iterator[tuple[FloatArray, FloatArray, tuple[int, ...]]]:
        """Features of the linear prediction of the column."""
        rows = np.stack([self._y[0], *(self._row(*source, 1) for source in linear)])
        masks = np.stack([self._own, *(self._mask(*source) for source in linear)])
        if self._masked:
            gram = Moments.of(rows, masks).gram
        else:
            gram = rows @ rows.T / self._n + _RIDGE * np.eye(len(rows))
        m = np.linalg.solve(gram[1:, 1:], gram[1:, 0]) @ rows[1:]
        mask = masks[1:].min(axis=0)
        at = mask > 0
        if at.sum() < self._own.sum() / 2 or m[at].std() < 1e-6:
            return
        for order in (2, 3, 4):
            row = legendre((m - m[at].mean()) / m[at].std(), order)
            yield (row - row[at].mean()) * mask, mask, ()

    def residual(self) -> FloatArray:
        """The features of the column less what the conditions explain [3, n]; 0 where missing."""
        x, y = self._x, self._y
        if not len(x):
            return y
        if self._masked:
            gram = Moments.of(x, self._mask_x).gram
            paired = np.maximum(self._mask_x @ self._own, 1)
            slope = np.linalg.solve(gram, x @ y.T / paired[:, None])
            return (y - slope.T @ x) * self._own
        gram = x @ x.T + self._n * _RIDGE * np.eye(len(x))
        left: FloatArray = y - np.linalg.solve(gram, x @ y.T).T @ x
        return left

    def given_others(self, column: int, prediction: bool) -> BoolArray:
        """Which conditions do not use a column; with or without features of the prediction."""
        return np.array(
            [
                column not in used and (prediction or not predicts)
                for used, predicts in zip(self._used, self._predicts, strict=True)
            ],
            dtype=bool,
        )

    def against(self, column: int, lag: int, given: BoolArray) -> Partial:
        """The features of the column against those of a source, given some of the conditions."""
        both = np.vstack([self._y, *(self._row(column, lag, order) for order in ORDERS)])
        x = self._x[given]
        if self._masked:
            return self._masked_against(both, self._mask(column, lag), given)
        if len(x):
            gram = x @ x.T + self._n * _RIDGE * np.eye(len(x))
            both = both - np.linalg.solve(gram, x @ both.T).T @ x
        power = np.einsum("it,it->i", both, both) / self._n
        e, f = both[:3], both[3:]
        scale = np.sqrt(np.maximum(np.outer(power[:3], power[3:]), _TINY))
        product = (e**2) @ (f**2).T / self._n
        worth = np.minimum(scale**2 / np.maximum(product, _TINY), 1.0)
        left = np.minimum.outer(power[:3], power[3:]) > _LEAST_POWER
        return Partial(left * (e @ f.T / self._n / scale), worth, float(self._n), f, len(x))

    def _masked_against(self, both: FloatArray, mask: FloatArray, given: BoolArray) -> Partial:
        masks = np.vstack([*[self._own] * 3, *[mask] * 3, self._mask_x[given]])
        moments = Moments.of(np.vstack([both, self._x[given]]), masks)
        gram = moments.gram
        form = np.vstack([np.eye(6), -np.linalg.solve(gram[6:, 6:], gram[6:, :6])])
        inner = form.T @ gram @ form
        power = np.maximum(np.diag(inner), _TINY)
        scale = np.sqrt(np.outer(power[:3], power[3:]))
        psi = np.stack([moments.squared_influence(form[:, a], form[:, 3:6]) for a in range(3)])
        paired = max(float(moments.paired[0, 3]), 1.0)
        worth = (scale * self._n) ** 2 / np.maximum(psi, _TINY) / paired
        left = np.minimum.outer(power[:3], power[3:]) > _LEAST_POWER_MASKED
        r = np.clip(inner[:3, 3:] / scale, -1, 1)
        f = form[:, 3:].T @ moments.rows
        return Partial(left * r, np.minimum(worth, 1.0), paired, f, int(given.sum()))
