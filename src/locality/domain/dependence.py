"""Dependence: which columns depend directly on each other, in a straight line, in a curve, or late.

Three kinds of evidence join a pair of columns. **Linear**: their normal scores stay correlated
given the others (`locality.domain.partial_correlation`). **Nonlinear**: other features of their
ranks do, which correlation cannot see: y = x² + noise, y = x₁ x₂ + noise, or a spread that another
column sets (`locality.domain.nonlinear`). **Lagged**: either of them, most strongly some rows
apart. All statistics are of ranks, so units, monotone transforms and heavy tails do not matter.

A pair is tested at 2 L + 1 lags and, at each, for a linear link and for 5 pairs of features. With
p_lin and p_curved the smallest p-values of either kind, its own p-value is

    p = min( 2 (2 L + 1) k p_lin ,  2 · 5 (2 L + 1) p_curved )

(Bonferroni, half of the level for either kind; k = 1, one more with lags, when linear links are
tested in two ways, and one more where columns have near copies). Edges are chosen among all
d (d − 1) / 2 pairs, screened out or not, by the procedure of Benjamini and Hochberg (1995). Its
adjusted p-value is the q-value of an edge: the share of wrong edges to be expected if this one
were the last kept.

Not seen are dependence of three columns of which any two are independent, and curves that turn more
than twice.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.discovery import MIN_ROWS, learnable, linear_rounds
from locality.domain.features import RankFeatures, rank_features
from locality.domain.graph import DependencyGraph
from locality.domain.links import Links, first_of_runs, limit_degrees
from locality.domain.nonlinear import CURVED_PAIRS, Neighbors, nonlinear_links
from locality.exceptions import DataError

__all__ = ["Dependence", "Kind", "learn_graph"]

Kind: TypeAlias = Literal["linear", "nonlinear", "lagged"]

_GENEROUS = 0.2  # level at which a linear neighbor is worth conditioning on


@dataclass(frozen=True, eq=False)
class Dependence:
    """A graph learned from data, with kind, lag and evidence of every edge.

    All arrays have one entry per edge, in the order of ``graph.edges()``.

    Attributes
    ----------
    graph : DependencyGraph
    i, j : int arrays [n_edges]
        Ends of the edges, i < j.
    weight : float array [n_edges]
        |Partial correlation| of the scores, or of the features, where the edge shows most
        clearly; in [0, 1], and the graph's weights.
    kind : tuple of str [n_edges]
        "lagged" if the edge shows most clearly at some lag, otherwise "linear" or "nonlinear".
    lag : int array [n_edges]
        Rows by which i leads j, negative if j leads i.
    curved : bool array [n_edges]
        Whether a linear relation does not show; also known of lagged edges.
    q_value : float array [n_edges]
        Rate of false discoveries at which the edge would just be kept.
    level : float
        Accepted rate of false discoveries.
    """

    graph: DependencyGraph
    i: IntArray
    j: IntArray
    weight: FloatArray
    kind: tuple[Kind, ...]
    lag: IntArray
    curved: BoolArray
    q_value: FloatArray
    level: float


def learn_graph(
    values: FloatArray,
    lags: int = 0,
    level: float = 0.05,
    *,
    n_neighbors: int | None = None,
    nonlinear: bool = True,
    screen: int = 60,
) -> Dependence:
    """Learn which columns depend directly on each other.

    Parameters
    ----------
    values : float array [n_rows, n_columns]
        In any units; NaN where missing, which must not depend on what is missing. With lags the
        rows are in order of time, equally spaced.
    lags : int, default 0
        How many rows back a column may act on another.
    level : float, default 0.05
        Accepted share of wrong edges.
    n_neighbors : int, optional
        Strongest edges each column keeps; its degree stays within twice that. By default all.
    nonlinear : bool, default True
        Look for nonlinear dependence too, and let it explain linear dependence away.
    screen : int, default 60
        Most variables conditioned on, where there are too many for all.

    Returns
    -------
    Dependence
        Columns that are constant, or observed in fewer than 8 rows, are isolated.

    Raises
    ------
    DataError
        If values are infinite, or there are fewer than 8 rows beyond the lags.
    OptionError
        If a parameter is outside its range.

    Notes
    -----
    Deterministic. Without lags, rows may still be autocorrelated: they then count as fewer.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((1000, 4))
    >>> x[:, 1] += x[:, 0] ** 2  # uncorrelated with column 0
    >>> x[5:, 3] += x[:-5, 2]  # follows column 2 five rows later
    >>> found = learn_graph(x, lags=6)
    >>> list(zip(found.i.tolist(), found.j.tolist(), found.kind, found.lag.tolist()))
    [(0, 1, 'nonlinear', 0), (2, 3, 'lagged', 5)]
    """
    table = learnable(values, lags, level, n_neighbors, screen)
    infinite = np.isinf(table)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(
            f"{int(infinite.sum())} values are infinite, the first in row {row}, column {column}.",
            remedy="Replace them, by NaN if they are missing.",
        )
    active = _active(table)
    links = Links.join([])
    log_p = np.empty(0)
    if len(active) > 1:
        features = rank_features(table[:, active])
        links, log_p = _pairs(features, lags, level, nonlinear, screen)
    q_value = _q_values(log_p, len(active))
    kept = np.flatnonzero(q_value <= level)
    if n_neighbors is not None:
        strength = np.abs(links.correlation[kept])
        kept = kept[limit_degrees(links.i[kept], links.j[kept], strength, len(active), n_neighbors)]
    links = links.pick(kept).renumber(active)
    weight = np.minimum(np.abs(links.correlation), 1.0)
    curved = (links.order_i > 1) | (links.order_j > 1)
    edges = np.column_stack([links.i, links.j, weight])
    return Dependence(
        DependencyGraph.from_edges(edges, table.shape[1]),
        links.i,
        links.j,
        weight,
        tuple(_kind(lag, bent) for lag, bent in zip(links.lag, curved, strict=True)),
        links.lag,
        curved,
        q_value[kept],
        level,
    )


def _kind(lag: int, curved: bool) -> Kind:
    if lag:
        return "lagged"
    return "nonlinear" if curved else "linear"


def _active(table: FloatArray) -> IntArray:
    """Columns that vary and are observed often enough."""
    low = np.where(np.isnan(table), np.inf, table).min(axis=0)
    high = np.where(np.isnan(table), -np.inf, table).max(axis=0)
    often = (~np.isnan(table)).sum(axis=0) >= MIN_ROWS
    size = np.maximum(np.abs(low), np.abs(high))
    return np.flatnonzero(often & (high - low > 1e-10 * size))


def _pairs(
    features: RankFeatures, lags: int, level: float, nonlinear: bool, screen: int
) -> tuple[Links, FloatArray]:
    """Every pair with evidence once, and the logarithm of its p-value, sorted by (i, j)."""
    n_columns = len(features.scores)
    n_lags = 2 * lags + 1
    rounds, stands = linear_rounds(features.scores, lags, screen, features.observed, True)
    if not nonlinear:
        linear = Links.join(rounds)
        return _best(linear, linear.log_p_value + np.log(n_lags * len(rounds)))
    linear = Links.join(rounds)
    log_p = linear.log_p_value + np.log(2 * n_lags * len(rounds))
    _, once = _best(linear, log_p)
    passing = once[_q_values(once, n_columns) <= max(level, _GENEROUS)]
    neighbors = Neighbors.of(linear.pick(log_p <= passing.max(initial=-np.inf)), stands)
    found = nonlinear_links(features, lags, neighbors)
    straight = (found.order_i == 1) & (found.order_j == 1)
    again, bent = found.pick(straight), found.pick(~straight)
    rounds = [links.tempered(again) for links in rounds] + ([again] if lags else [])
    linear = Links.join(rounds)
    every = Links.join([linear, bent])
    share = np.where(np.arange(len(every)) < len(linear), len(rounds), len(CURVED_PAIRS))
    log_p = every.log_p_value + np.log(2 * n_lags * share)
    # a pair whose linear relation is sure is linear, however clear its curve
    links, best = _best(every, log_p)
    straight_links, straight_p = _best(linear, log_p[: len(linear)])
    _, at, of = np.intersect1d(
        links.i * n_columns + links.j,
        straight_links.i * n_columns + straight_links.j,
        return_indices=True,
    )
    sure = _q_values(best, n_columns) <= level
    limit = best[sure].max() if sure.any() else -np.inf
    swap = (straight_p[of] <= limit) & (links.order_i[at] + links.order_j[at] > 2)
    chosen = Links.join([links, straight_links])
    index = np.arange(len(links))
    index[at[swap]] = len(links) + of[swap]
    return chosen.pick(index), best


def _best(links: Links, log_p: FloatArray) -> tuple[Links, FloatArray]:
    """Each pair once, where its p-value is smallest."""
    order = np.lexsort((links.lag, log_p, links.j, links.i))
    links, log_p = links.pick(order), log_p[order]
    first = first_of_runs(links.i, links.j)
    return links.pick(first), np.minimum(log_p[first], 0.0)


def _q_values(log_p: FloatArray, n_columns: int) -> FloatArray:
    """Adjusted p-values of Benjamini and Hochberg among all pairs of columns."""
    n_pairs = n_columns * (n_columns - 1) // 2
    order = np.argsort(log_p, kind="stable")
    adjusted = np.exp(log_p[order]) * n_pairs / np.arange(1, len(order) + 1)
    q_value = np.empty(len(order))
    q_value[order] = np.minimum(np.minimum.accumulate(adjusted[::-1])[::-1], 1.0)
    return q_value
