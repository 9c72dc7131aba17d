"""Cutting the graph into shards.

A shard is a set of nodes trained, stored and retrained together. The fewer foreign columns it
needs, the less there is to read and to multiply, so that shards should be round rather than long.
Each is grown from the first free node in reverse Cuthill–McKee order (1969, *Reducing the bandwidth
of sparse symmetric matrices*), which starts at the rim of what is left: the free node with the most
neighbors in the shard joins, the first in that order among equals, until the shard is full (greedy
graph growing; Karypis and Kumar, 1998, *A fast and high quality multilevel scheme for partitioning
irregular graphs*). On a square grid this halves the columns that pieces of the order itself would
need. The result depends on the graph and the size alone.
"""

from heapq import heappop, heappush

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import reverse_cuthill_mckee

from locality._typing import IntArray
from locality.domain.edges import node_array
from locality.domain.graph import DependencyGraph
from locality.exceptions import GraphError, OptionError

__all__ = ["partition", "sweep"]


def sweep(graph: DependencyGraph) -> IntArray:
    """All nodes from one rim of the graph to the other, neighbors close (reverse Cuthill–McKee).

    >>> sweep(DependencyGraph.chain(4)).tolist()
    [3, 2, 1, 0]
    """
    return reverse_cuthill_mckee(graph.to_scipy(), symmetric_mode=True).astype(np.int64)


def partition(
    graph: DependencyGraph, size: int, given_order: ArrayLike | None = None
) -> list[IntArray]:
    """Cut a graph into shards of ``size`` nodes, the last one possibly smaller.

    The order is that of their first nodes. Nodes of a shard ascend.

    Parameters
    ----------
    graph : DependencyGraph
        Neighbors should end up in the same shard.
    size : int
        Number of nodes of a shard, at least 1.
    given_order : int array, optional
        Order in which shards start instead of reverse Cuthill–McKee. Nodes left out (such as
        context) belong to no shard.

    Raises
    ------
    OptionError
        If the size is below 1.
    GraphError
        If the order repeats a node or names an unknown one.

    Examples
    --------
    >>> [shard.tolist() for shard in partition(DependencyGraph.chain(5), size=2)]
    [[3, 4], [1, 2], [0]]
    """
    if size < 1:
        raise OptionError(f"A shard needs at least 1 node, found size {size}.")
    n = graph.n_nodes
    if given_order is None:
        order = sweep(graph)
    else:
        order = node_array(given_order, "given_order").ravel()
        known = order[(order >= 0) & (order < n)]
        if len(np.unique(known)) < len(order):
            raise GraphError(
                f"given_order must list nodes of 0 to {n - 1}, each at most once; of its "
                f"{len(order)} entries {len(order) - len(np.unique(known))} are unknown or repeat."
            )
    return [np.sort(shard) for shard in _grow(graph, size, order)]


def _grow(graph: DependencyGraph, size: int, order: IntArray) -> list[list[int]]:
    rank = np.full(graph.n_nodes, -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    indptr, indices = graph.indptr.tolist(), graph.indices.tolist()
    place = rank.tolist()
    free = (rank >= 0).tolist()
    starts = iter(order.tolist())
    shards: list[list[int]] = []
    for joined in range(len(order)):
        if joined % size == 0:
            shards.append([])
            ties: dict[int, int] = {}  # of free nodes, to the shard
            border: list[tuple[int, int, int]] = []
        node = -1
        while border and node < 0:
            count, _, candidate = heappop(border)
            if free[candidate] and ties[candidate] == -count:
                node = candidate
        while node < 0:
            candidate = next(starts)
            if free[candidate]:
                node = candidate
        free[node] = False
        shards[-1].append(node)
        for other in indices[indptr[node] : indptr[node + 1]]:
            if free[other]:
                ties[other] = ties.get(other, 0) + 1
                heappush(border, (-ties[other], place[other], other))
    return shards
