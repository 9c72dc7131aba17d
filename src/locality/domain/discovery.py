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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.graph import DependencyGraph
from locality.domain.links import Links, limit_degrees
from locality.domain.partial_correlation import (
    PairTests,
    autocorrelation,
    fisher_z,
    pair_tests,
    twins,
)
from locality.exceptions import DataError, OptionError

__all__ = [
    "MIN_ROWS", "LearnedGraph", "learn_linear_graph", "learn_linear_graphs", "learnable",
    "linear_rounds",
]  # fmt: skip

_TWIN_CORRELATION = 0.99
_SCREEN = 60
MIN_ROWS = 8
"""Fewest rows beyond the lags that a graph is learned from."""


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


def learn_linear_graph(
    values: FloatArray,
    lags: int = 0,
    n_neighbors: int = 8,
    level: float = 0.01,
    *,
    screen: int = _SCREEN,
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
    return learn_linear_graphs(values, lags, (n_neighbors,), level, screen=screen)[0]


def learn_linear_graphs(
    values: FloatArray,
    lags: int,
    n_neighbors: Sequence[int],
    level: float,
    *,
    screen: int = _SCREEN,
) -> tuple[LearnedGraph, ...]:
    """Graphs that differ in how many neighbors a column keeps; links are tested once.

    Parameters
    ----------
    n_neighbors : sequence of int
        Strongest edges each column keeps, graph by graph.
    values, lags, level, screen
        As in `learn_linear_graph`, whose errors these are.
    """
    table = learnable(values, lags, level, min(n_neighbors), screen)
    bad = ~np.isfinite(table)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{int(bad.sum())} values are missing or infinite, the first in row {row}, column "
            f"{column}.",
            remedy="Fill or drop them before learning a graph.",
        )
    center, scale = table.mean(axis=0), table.std(axis=0)
    active = np.flatnonzero(scale > 1e-10 * np.abs(table).max(axis=0))
    standard = np.ascontiguousarray(((table[:, active] - center[active]) / scale[active]).T)
    links = _links(standard, lags, level, screen).strongest() if len(active) > 1 else Links.join([])
    strength = np.abs(links.correlation)
    kept = (limit_degrees(links.i, links.j, strength, len(active), n) for n in n_neighbors)
    return tuple(_graph(links.pick(part).renumber(active), table.shape[1], level) for part in kept)


def _graph(links: Links, n_columns: int, level: float) -> LearnedGraph:
    edges = np.column_stack([links.i, links.j, np.abs(links.correlation)])
    return LearnedGraph(
        DependencyGraph.from_edges(edges, n_columns),
        partial_correlation=links.correlation,
        lag=links.lag,
        p_value=links.p_value,
        level=level,
    )


def learnable(
    values: FloatArray, lags: int, level: float, n_neighbors: int | None, screen: int
) -> FloatArray:
    """The table to learn a graph from, if it has rows and the parameters are in range."""
    for name, number, least in (
        ("lags", lags, 0),
        ("n_neighbors", n_neighbors, 1),
        ("screen", screen, 1),
    ):
        if number is not None and number < least:
            raise OptionError(f"{name} must be at least {least}, found {number}.")
    if not 0 < level < 1:
        raise OptionError(f"level must be a share between 0 and 1, found {level}.")
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] == 0:
        raise DataError(f"Expected values [n_rows, n_columns], found shape {table.shape}.")
    if len(table) - lags < MIN_ROWS:
        raise DataError(
            f"A graph cannot be learned from {len(table)} rows with {lags} lags; expected at "
            f"least {MIN_ROWS + lags}.",
            remedy="Give a graph (an edge list, or a chain), or fewer lags.",
        )
    return table


def _links(values: FloatArray, lags: int, level: float, screen: int) -> Links:
    """Significant pairs and lags."""
    rounds, stands = linear_rounds(values, lags, screen)
    sizes = (len(values), len(np.unique(stands)))
    return Links.join(
        _significant(links, size, lags, level / len(rounds))
        for links, size in zip(rounds, sizes, strict=False)
    )


def linear_rounds(
    values: FloatArray,
    lags: int,
    screen: int,
    observed: BoolArray | None = None,
    robust: bool = False,
) -> tuple[list[Links], IntArray]:
    """Linear tests of all pairs; near copies are tested once more through one of them.

    Parameters
    ----------
    values : float array [n_columns, n_rows]
        Columns of mean 0 and variance 1, one per row of the array; 0 where missing.
    lags, screen : int
        As in `learn_linear_graph`.
    observed, robust
        As in `locality.domain.partial_correlation.pair_tests`.

    Returns
    -------
    rounds : list of Links
        One round of tests, or two where there are near copies: all columns, then one for each
        group of copies.
    stands : int array [n_columns]
        The column that stands for each: itself unless it is a near copy.
    """
    stands = twins(values, _TWIN_CORRELATION, observed)
    kept = np.flatnonzero(stands == np.arange(len(stands)))
    rounds = [_round(pair_tests(values, lags, screen, observed, robust))]
    if 1 < len(kept) < len(values):
        seen = None if observed is None else observed[kept]
        again = _round(pair_tests(values[kept], lags, screen, seen, robust)).renumber(kept)
        has_twin = np.bincount(stands, minlength=len(values)) > 1
        rounds.append(again.pick(has_twin[again.i] | has_twin[again.j]))
    if observed is not None and len(kept) < len(values):
        # given a copy, gaps leave too little to tell by; the two themselves are copies in any case
        copies = np.flatnonzero(stands != np.arange(len(stands)))
        rounds[1:] = [Links.join([*rounds[1:], _copies(values, observed, copies, stands[copies])])]
    return rounds, stands


def _copies(values: FloatArray, observed: BoolArray, copy: IntArray, stand: IntArray) -> Links:
    """Near copies linked to the columns that stand for them, by plain correlation."""
    n_rows = (observed[copy] & observed[stand]).sum(axis=1)
    r = np.clip(np.einsum("it,it->i", values[copy], values[stand]) / n_rows, -1.0, 1.0)
    rho = autocorrelation(values[copy]) * autocorrelation(values[stand])
    repeats = np.maximum(1 + 2 * rho.sum(axis=1), 1.0)
    return Links.directed(copy, stand, np.zeros_like(copy), r, fisher_z(r, n_rows / repeats - 3))


def _round(tests: PairTests) -> Links:
    """Every pair and lag once; one tested from both ends counts with its weaker test."""
    return Links.directed(
        tests.target, tests.source, tests.lag, tests.correlation, tests.z
    ).weakest()


def _significant(links: Links, n_columns: int, lags: int, level: float) -> Links:
    """Pairs and lags that pass the procedure of Benjamini and Hochberg."""
    n_tests = n_columns * (n_columns - 1) // 2 * (2 * lags + 1)
    p_value = links.p_value
    ranked = np.sort(p_value)
    passing = np.flatnonzero(ranked <= level * np.arange(1, len(ranked) + 1) / n_tests)
    limit = ranked[passing[-1]] if passing.size else -1.0
    return links.pick(p_value <= limit)
