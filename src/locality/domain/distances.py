"""From distances to edges: nearest neighbors and thresholds.

A pair is listed with a distance d ≥ 0 (meters, minutes, any unit). It becomes an edge of weight

    w = 1 / (1 + d / m),     m = the median of the positive distances that were kept,

so that weights lie in (0, 1], fall with distance, and do not depend on its unit. With
``k_nearest`` a pair is kept if either end counts the other among its k nearest (the union, so
that neighborhoods are symmetric); ties go to the smaller node number. A pair listed in both
directions counts once, with the smaller distance.
"""

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.exceptions import GraphError, OptionError

__all__ = ["nearest_pairs"]


def nearest_pairs(
    i: IntArray,
    j: IntArray,
    distance: FloatArray,
    *,
    k_nearest: int | None = None,
    threshold: float | None = None,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Select pairs by distance and turn distances into weights.

    Parameters
    ----------
    i, j : int arrays [n_pairs]
        The two nodes of each pair.
    distance : float array [n_pairs]
        Their distance, not negative; infinite means not connected.
    k_nearest : int, optional
        Keep a pair if it is among the k nearest of at least one of its ends.
    threshold : float, optional
        Keep only pairs with distance at most this; applied first.

    Returns
    -------
    i, j : int arrays [n_edges]
        The selected pairs, i < j, each once.
    weight : float array [n_edges]
        ``1 / (1 + distance / median)``.

    Raises
    ------
    GraphError
        If a distance is negative or missing, or a node is a positive distance from itself.
    OptionError
        If ``k_nearest`` is below 1 or ``threshold`` negative.

    Examples
    --------
    >>> i, j = np.array([0, 1, 0]), np.array([1, 2, 2])
    >>> i, j, weight = nearest_pairs(i, j, np.array([1.0, 1.0, 2.0]), threshold=1.5)
    >>> i.tolist(), j.tolist(), weight.tolist()
    ([0, 1], [1, 2], [0.5, 0.5])
    """
    if k_nearest is not None and k_nearest < 1:
        raise OptionError(f"k_nearest must be at least 1, found {k_nearest}.")
    if threshold is not None and not threshold >= 0:
        raise OptionError(f"threshold must be a distance of at least 0, found {threshold}.")
    _require_distances(i, j, distance)
    keep = np.isfinite(distance) & (i != j)
    if threshold is not None:
        keep &= distance <= threshold
    low, high = np.minimum(i, j)[keep], np.maximum(i, j)[keep]
    d = distance[keep]
    order = np.lexsort((d, high, low))
    low, high, d = low[order], high[order], d[order]
    first = np.ones(len(low), dtype=bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    low, high, d = low[first], high[first], d[first]
    if k_nearest is not None:
        near = _among_nearest(low, high, d, k_nearest)
        low, high, d = low[near], high[near], d[near]
    positive = d[d > 0]
    median = float(np.median(positive)) if positive.size else 1.0
    return low, high, 1.0 / (1.0 + d / median)


def _require_distances(i: IntArray, j: IntArray, distance: FloatArray) -> None:
    bad = np.isnan(distance) | (distance < 0)
    if bad.any():
        at = int(np.argmax(bad))
        raise GraphError(
            f"{int(bad.sum())} distances are negative or missing; the first, between nodes "
            f"{i[at]} and {j[at]} (pair {at}), is {distance[at]}.",
            remedy="Distances must be at least 0; leave a pair out if it is not connected.",
        )
    looped = (i == j) & (distance > 0)
    if looped.any():
        at = int(np.argmax(looped))
        raise GraphError(
            f"Node {i[at]} is listed at distance {distance[at]} from itself (pair {at}).",
            remedy="Remove the pair, or set its distance to 0.",
        )


def _among_nearest(low: IntArray, high: IntArray, d: FloatArray, k: int) -> BoolArray:
    """Whether each pair is among the k nearest of either end."""
    n_pairs = len(low)
    node, other = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.lexsort((other, np.concatenate([d, d]), node))
    sorted_node = node[order]
    begin = np.searchsorted(sorted_node, sorted_node)  # where the node's own run begins
    rank = np.empty(2 * n_pairs, dtype=np.int64)
    rank[order] = np.arange(2 * n_pairs) - begin
    near: BoolArray = (rank[:n_pairs] < k) | (rank[n_pairs:] < k)
    return near
