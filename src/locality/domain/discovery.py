"""Discovery: a dependency graph learned from the data.

Two columns are joined if they stay correlated given the others (`locality.domain.
partial_correlation`), now or at some lag: for Gaussian data that is exactly what an edge of the
dependency graph means. Three steps turn tests into a graph.

1. **Evidence.** Of all d (d − 1) / 2 · (2 L + 1) pairs and lags those are kept that pass the
   procedure of Benjamini and Hochberg (1995) at ``level``: the expected share of wrong edges stays
   below it, and so does the chance of any edge at all among independent columns.
2. **Near copies** (|r| > 0.99) explain each other and so hide each other's remaining edges. They
   are tested a second time with one column standing for each group.
3. **Size.** Each column keeps its ``n_neighbors`` strongest edges; an edge kept by either end
   stays, so neighbor sets are symmetric, but no column has more than ``2 · n_neighbors``. Beyond
   that the weakest go first, a column's own strongest edge last.
"""

from dataclasses import dataclass

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.graph import DependencyGraph
from locality.domain.partial_correlation import PairTests, pair_tests, twins
from locality.exceptions import DataError, OptionError

__all__ = ["LearnedGraph", "learn_linear_graph"]

_TWIN_CORRELATION = 0.99
_MIN_ROWS = 8


@dataclass(frozen=True, eq=False)
class LearnedGraph:
    """A graph learned from data, with the evidence for every edge.

    Attributes
    ----------
    graph : DependencyGraph
        Its weights are |partial correlation|.
    partial_correlation : float array [n_edges]
        Signed, in the order of ``graph.edges()``.
    lag : int array [n_edges]
        Where the edge (i, j), i < j, is strongest: positive if i leads j by that many rows,
        negative if j leads i.
    p_value : float array [n_edges]
        Of the strongest lag, two-sided, before correction for the number of tests.
    level : float
        Accepted share of wrong edges.
    """

    graph: DependencyGraph
    partial_correlation: FloatArray
    lag: IntArray
    p_value: FloatArray
    level: float

    @property
    def weight(self) -> FloatArray:
        """Strength of every edge, |partial correlation| [n_edges]."""
        return np.abs(self.partial_correlation)


@dataclass(frozen=True, eq=False)
class _Links:
    """Pairs i < j with their strongest lag; arrays [n_links]."""

    i: IntArray
    j: IntArray
    lag: IntArray
    correlation: FloatArray
    p_value: FloatArray

    def pick(self, which: IntArray | BoolArray) -> "_Links":
        return _Links(
            self.i[which], self.j[which], self.lag[which], self.correlation[which],
            self.p_value[which],
        )  # fmt: skip

    def strongest(self) -> "_Links":
        """Each pair once, sorted by (i, j)."""
        order = np.lexsort((self.lag, -np.abs(self.correlation), self.j, self.i))
        links = self.pick(order)
        return links.pick(_first_of_runs(links.i, links.j))


def learn_linear_graph(
    values: FloatArray,
    lags: int = 0,
    n_neighbors: int = 8,
    level: float = 0.01,
    *,
    screen: int = 60,
) -> LearnedGraph:
    """Learn which columns depend directly on each other, as far as linear relations show.

    Parameters
    ----------
    values : float array [n_rows, n_columns]
        Complete and finite, in any units. With lags the rows are in order of time, equally
        spaced.
    lags : int, default 0
        How many rows back a column may act on another.
    n_neighbors : int, default 8
        Strongest edges each column keeps; its degree stays within twice that.
    level : float, default 0.01
        Accepted share of wrong edges.
    screen : int, default 60
        Most variables conditioned on, where there are too many for all.

    Returns
    -------
    LearnedGraph
        Constant columns are isolated.

    Raises
    ------
    DataError
        If values are missing or infinite, or there are fewer than 8 rows beyond the lags.
    OptionError
        If a parameter is outside its range.

    Notes
    -----
    Deterministic. Without lags, rows may still be autocorrelated: they then count as fewer.
    Relations that are not linear, and links of a column whose only trace is hidden behind
    another, are not seen.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> walk = np.cumsum(rng.standard_normal((500, 4)), axis=1)  # each column adds to the last
    >>> i, j, weight = learn_linear_graph(walk).graph.edges()
    >>> list(zip(i.tolist(), j.tolist()))
    [(0, 1), (1, 2), (2, 3)]
    """
    table = _require(values, lags, n_neighbors, level, screen)
    n_columns = table.shape[1]
    center, scale = table.mean(axis=0), table.std(axis=0)
    active = np.flatnonzero(scale > 1e-10 * np.abs(table).max(axis=0))
    standard = np.ascontiguousarray(((table[:, active] - center[active]) / scale[active]).T)
    links = _links(standard, lags, level, screen).strongest() if len(active) > 1 else _NO_LINKS
    chosen = _limit_degrees(links.i, links.j, np.abs(links.correlation), len(active), n_neighbors)
    links = links.pick(chosen)
    i, j = active[links.i], active[links.j]
    edges = np.column_stack([i, j, np.abs(links.correlation)])
    return LearnedGraph(
        DependencyGraph.from_edges(edges, n_columns),
        partial_correlation=links.correlation,
        lag=links.lag,
        p_value=links.p_value,
        level=level,
    )


def _require(
    values: FloatArray, lags: int, n_neighbors: int, level: float, screen: int
) -> FloatArray:
    for name, number, least in (
        ("lags", lags, 0),
        ("n_neighbors", n_neighbors, 1),
        ("screen", screen, 1),
    ):
        if number < least:
            raise OptionError(f"{name} must be at least {least}, found {number}.")
    if not 0 < level < 1:
        raise OptionError(f"level must be a share between 0 and 1, found {level}.")
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] == 0:
        raise DataError(f"Expected values [n_rows, n_columns], found shape {table.shape}.")
    if len(table) - lags < _MIN_ROWS:
        raise DataError(
            f"A graph cannot be learned from {len(table)} rows with {lags} lags; expected at "
            f"least {_MIN_ROWS + lags}.",
            remedy="Give a graph (an edge list, or a chain), or fewer lags.",
        )
    bad = ~np.isfinite(table)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{int(bad.sum())} values are missing or infinite, the first in row {row}, column "
            f"{column}.",
            remedy="Fill or drop them before learning a graph.",
        )
    return table


def _links(values: FloatArray, lags: int, level: float, screen: int) -> _Links:
    """Significant pairs, near copies tested once more through one of them."""
    stands = twins(values, _TWIN_CORRELATION)
    kept = np.flatnonzero(stands == np.arange(len(stands)))
    if len(kept) == len(values):
        return _significant(pair_tests(values, lags, screen), len(values), lags, level)
    links = _significant(pair_tests(values, lags, screen), len(values), lags, level / 2)
    if len(kept) < 2:
        return links
    again = _significant(pair_tests(values[kept], lags, screen), len(kept), lags, level / 2)
    has_twin = np.bincount(stands, minlength=len(values)) > 1
    i, j = kept[again.i], kept[again.j]
    new = has_twin[i] | has_twin[j]
    again = _Links(i, j, again.lag, again.correlation, again.p_value).pick(new)
    return _Links(
        *(
            np.concatenate([getattr(links, name), getattr(again, name)])
            for name in ("i", "j", "lag", "correlation", "p_value")
        )
    )


def _significant(tests: PairTests, n_columns: int, lags: int, level: float) -> _Links:
    """Pairs and lags that pass; a pair tested from both ends counts with its weaker test."""
    low = np.minimum(tests.target, tests.source)
    high = np.maximum(tests.target, tests.source)
    lag = np.where(tests.source < tests.target, tests.lag, -tests.lag)
    order = np.lexsort((-tests.p_value, lag, high, low))
    links = _Links(low, high, lag, tests.correlation, tests.p_value).pick(order)
    links = links.pick(_first_of_runs(links.i, links.j, links.lag))
    n_tests = n_columns * (n_columns - 1) // 2 * (2 * lags + 1)
    ranked = np.sort(links.p_value)
    passing = np.flatnonzero(ranked <= level * np.arange(1, len(ranked) + 1) / n_tests)
    limit = ranked[passing[-1]] if passing.size else -1.0
    return links.pick(links.p_value <= limit)


def _limit_degrees(
    i: IntArray, j: IntArray, strength: FloatArray, n_nodes: int, n_neighbors: int
) -> BoolArray:
    """Which edges stay: the union of each node's strongest, degrees at most doubled."""
    n_edges = len(i)
    node, other = np.concatenate([i, j]), np.concatenate([j, i])
    order = np.lexsort((other, -np.concatenate([strength, strength]), node))
    rank = np.empty(2 * n_edges, dtype=np.int64)
    rank[order] = np.arange(2 * n_edges) - np.searchsorted(node[order], node[order])
    best = np.minimum(rank[:n_edges], rank[n_edges:])  # the edge's rank at its prouder end
    wanted = np.flatnonzero(best < n_neighbors)
    stays = np.zeros(n_edges, dtype=bool)
    degree = np.zeros(n_nodes, dtype=np.int64)
    for edge in wanted[np.lexsort((-strength[wanted], best[wanted] > 0))]:
        if max(degree[i[edge]], degree[j[edge]]) < 2 * n_neighbors:
            stays[edge] = True
            degree[i[edge]] += 1
            degree[j[edge]] += 1
    return stays


def _first_of_runs(*keys: IntArray) -> BoolArray:
    """Whether each row of sorted keys differs from the one before."""
    first = np.ones(len(keys[0]), dtype=bool)
    first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return first


_NONE = np.empty(0, dtype=np.int64)
_NO_LINKS = _Links(_NONE, _NONE, _NONE, np.empty(0), np.empty(0))
