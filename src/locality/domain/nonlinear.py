"""Nonlinear links: features of columns that stay correlated given features of their neighbors.

Column j depends on column i beyond a straight line if some feature a of j and some feature b of i
(`locality.domain.features`) stay correlated given what else explains j. Three steps:

1. **Residuals.** Features of j are regressed on features of its linear neighbors
   (`locality.domain.feature_regression`), so that correlations that only follow from linear ones,
   such as those of squares, are gone.
2. **Screening.** Residuals are correlated with the features of all columns at all lags, by matrix
   products. What exceeds noise are the candidates of j, at most 12.
3. **Tests.** Both features are regressed on the neighbors *and* all other candidates of j, and the
   correlation of the two residuals is tested; that is sound if either regression is right (Shah
   and Peters, 2020, *The hardness of conditional independence testing and the generalised
   covariance measure*). So a common nonlinear cause explains its effects away. Linear neighbors
   are tested again the same way.

Feature pairs (a, b) are (1, 2), (2, 1), (2, 2), (1, 3) and (3, 1). With lags (1, 1) is one more: a
source that repeats itself hides behind its own neighboring rows where all are conditioned on, but
here it is only tested given *other* columns and the target's own past (Granger, 1969,
*Investigating causal relations by econometric models*).
"""

from dataclasses import dataclass

import numpy as np

from locality._typing import Float32Array, FloatArray, IntArray
from locality.domain.feature_regression import FeatureRegression
from locality.domain.features import ORDERS, RankFeatures
from locality.domain.links import Links
from locality.domain.partial_correlation import autocorrelation, fisher_z

__all__ = ["CURVED_PAIRS", "Neighbors", "nonlinear_links"]

CURVED_PAIRS = ((1, 2), (2, 1), (2, 2), (1, 3), (3, 1))

_MAX_NEIGHBORS = 12
_MAX_CANDIDATES = 12
_MAX_LAGS_OF_ONE = 2
_CHUNK = 16_000_000  # numbers held at once


@dataclass(frozen=True, eq=False)
class Neighbors:
    """Lagged columns that matter to each column, the strongest first.

    Parameters
    ----------
    column, lag : list of int arrays
        For each column, those that may explain it: ``column`` as it was ``lag`` rows ago.
    stands : int array [n_columns]
        The column that stands for each: itself unless it is a near copy of another.
    """

    column: list[IntArray]
    lag: list[IntArray]
    stands: IntArray

    @classmethod
    def of(cls, links: Links, stands: IntArray) -> "Neighbors":
        """The ends of links; of near copies only one."""
        node = np.concatenate([links.i, links.j])
        other = np.concatenate([links.j, links.i])
        lag = np.concatenate([-links.lag, links.lag])  # rows by which the other leads
        strength = np.abs(np.concatenate([links.z, links.z]))
        order = np.flatnonzero((lag >= 0) & (stands[node] != stands[other]))
        order = order[np.lexsort((lag[order], other[order], -strength[order], node[order]))]
        begin = np.searchsorted(node[order], np.arange(len(stands) + 1))
        longest = int(np.abs(lag).max(initial=0))
        columns, lags = [], []
        for j in range(len(stands)):
            mine = order[begin[j] : begin[j + 1]]
            key = stands[other[mine]] * (1 + longest) + lag[mine]
            first = np.sort(np.unique(key, return_index=True)[1])[:_MAX_NEIGHBORS]
            columns.append(other[mine[first]])
            lags.append(lag[mine[first]])
        return cls(columns, lags, stands)


def nonlinear_links(features: RankFeatures, lags: int, neighbors: Neighbors) -> Links:
    """Tests of the candidates of every column, and of its neighbors once more.

    Parameters
    ----------
    features : RankFeatures
    lags : int
        Largest lag.
    neighbors : Neighbors
        Linear neighbors.

    Returns
    -------
    Links
        For every candidate and neighbor the pairs of ``CURVED_PAIRS``; (1, 1) too for neighbors
        and, with lags, for candidates. A link tested from both ends is listed once, with its
        weaker test.
    """
    d, n = features.scores.shape
    residual = np.empty((len(ORDERS), d, n - lags), dtype=np.float32)
    for j in range(d):
        near, late = neighbors.column[j], neighbors.lag[j]
        residual[:, j] = FeatureRegression(features, lags, j, near, late, len(near)).residual()
    columns, delays = _candidates(features, lags, residual, neighbors)
    del residual
    parts = []
    for j in range(d):
        column = np.append(neighbors.column[j], columns[j])
        if len(column):
            lag = np.append(neighbors.lag[j], delays[j])
            parts.append(_tests(features, lags, j, column, lag, len(neighbors.column[j])))
    return Links.join(parts).weakest()


def _tests(
    features: RankFeatures, lags: int, node: int, column: IntArray, lag: IntArray, n_neighbors: int
) -> Links:
    """All tested pairs of features of a column and its sources."""
    model = FeatureRegression(features, lags, node, column, lag, n_neighbors)
    rho = autocorrelation(model.residual())
    tested: list[tuple[int, int, int, int]] = []
    found: list[tuple[float, float]] = []
    for k, (source, delay) in enumerate(zip(column.tolist(), lag.tolist(), strict=True)):
        rounds: list[tuple[bool, tuple[tuple[int, int], ...]]] = [(True, CURVED_PAIRS)]
        if lags or k < n_neighbors:  # without the prediction, of which this neighbor is a part
            rounds.append((False, ((1, 1),)))
        for prediction, pairs in rounds:
            partial = model.against(source, delay, model.given_others(source, prediction))
            for a, b in pairs:
                repeats = _repeats(rho[a - 1], partial.residual[b - 1])
                freedom = partial.n_rows / repeats - partial.n_given - 3
                freedom *= partial.worth[a - 1, b - 1]
                tested.append((source, delay, a, b))
                found.append((float(partial.correlation[a - 1, b - 1]), freedom))
    sources, late, a_of, b_of = np.array(tested, dtype=np.int64).T
    r, freedoms = np.array(found).T
    nodes = np.full(len(sources), node, dtype=np.int64)
    return Links.directed(nodes, sources, late, r, fisher_z(r, freedoms), a_of, b_of)


def _repeats(rho: FloatArray, f: FloatArray) -> float:
    """How many repeating rows count as one (Bartlett); ``rho`` is 0 where within noise."""
    power = float(f @ f)
    if power == 0:
        return 1.0
    total = sum(float(rho[k] * (f[k + 1 :] @ f[: -k - 1])) for k in np.flatnonzero(rho))
    return max(1.0, 1 + 2 * total / power)


def _candidates(
    features: RankFeatures, lags: int, residual: Float32Array, neighbors: Neighbors
) -> tuple[list[IntArray], list[IntArray]]:
    """Lagged columns whose features are most correlated with what is left of each column."""
    d, n = residual.shape[1:]
    n_variables = d * (lags + 1)
    pairs = (*CURVED_PAIRS, (1, 1)) if lags else CURVED_PAIRS
    cut = np.sqrt(2 * np.log(2 * len(pairs) * n_variables))
    stands = neighbors.stands
    parts = (features.scores.astype(np.float32), *features.curved)
    tiny = np.finfo(np.float32).tiny
    power = np.sqrt(np.maximum((residual**2).sum(axis=2), tiny))
    spread = [np.maximum(np.sqrt((part**2).mean(axis=1)), 1e-6) for part in parts]
    columns, delays = [], []
    for begin in range(0, d, max(1, _CHUNK // n_variables)):
        nodes = np.arange(begin, min(begin + max(1, _CHUNK // n_variables), d))
        best = np.zeros((len(nodes), lags + 1, d), dtype=np.float32)
        for lag in range(lags + 1):
            then = slice(lags - lag, lags - lag + n)
            for a, b in pairs:
                close = np.abs(residual[a - 1, nodes] @ parts[b - 1][:, then].T)
                close /= power[a - 1, nodes, None] * spread[b - 1]
                np.maximum(best[:, lag], close, out=best[:, lag])
        best[:, :, stands != np.arange(d)] = 0.0  # one of near copies speaks for all
        for score, j in zip(best, nodes.tolist(), strict=True):
            score[:, stands == stands[j]] = 0.0
            score[neighbors.lag[j], stands[neighbors.column[j]]] = 0.0
            column, lag_of = _strongest(score * (stands[j] == j), cut)
            columns.append(column)
            delays.append(lag_of)
    return columns, delays


def _strongest(score: Float32Array, cut: float) -> tuple[IntArray, IntArray]:
    """Columns and lags of the largest scores [n_lags, n_columns] beyond a cut."""
    lag, column = np.nonzero(score > cut)
    order = np.lexsort((column, lag, -score[lag, column]))
    lag, column = lag[order], column[order]
    by_column = np.argsort(column, kind="stable")
    begin = np.searchsorted(column[by_column], column[by_column])
    rank = np.empty(len(column), dtype=np.int64)
    rank[by_column] = np.arange(len(column)) - begin
    kept = np.flatnonzero(rank < _MAX_LAGS_OF_ONE)[:_MAX_CANDIDATES]
    return column[kept], lag[kept]
