"""Cutting the graph into shards.

A shard is a set of nodes trained, stored and retrained together. Nodes are put in reverse
Cuthill–McKee order, which places neighbors close to each other (Cuthill and McKee, 1969, *Reducing
the bandwidth of sparse symmetric matrices*), and the order is cut into pieces of equal size. So
most neighbors of a node share its shard, and a shard needs few foreign columns. The result depends
on the graph and the size alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import reverse_cuthill_mckee

from locality._typing import IntArray
from locality.domain.edges import node_array
from locality.domain.graph import DependencyGraph
from locality.exceptions import GraphError, OptionError

__all__ = ["Partition", "partition"]


@dataclass(frozen=True, eq=False)
class Partition:
    """Disjoint sets of nodes.

    Parameters
    ----------
    shards : tuple of int arrays
        Nodes of each shard, ascending.
    n_nodes : int
        Number of nodes of the graph; those in no shard are not modeled.

    Examples
    --------
    >>> cut = partition(DependencyGraph.chain(5), size=2)
    >>> [shard.tolist() for shard in cut.shards]
    [[3, 4], [1, 2], [0]]
    >>> cut.shard_of.tolist()
    [2, 1, 1, 0, 0]
    """

    shards: tuple[IntArray, ...]
    n_nodes: int

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return len(self.shards)

    @property
    def shard_of(self) -> IntArray:
        """Shard of every node [n_nodes], -1 for nodes in none."""
        owner = np.full(self.n_nodes, -1, dtype=np.int64)
        for number, nodes in enumerate(self.shards):
            owner[nodes] = number
        return owner


def partition(graph: DependencyGraph, size: int, given_order: ArrayLike | None = None) -> Partition:
    """Cut a graph into shards of ``size`` nodes, the last one possibly smaller.

    Parameters
    ----------
    graph : DependencyGraph
        Neighbors should end up in the same shard.
    size : int
        Number of nodes of a shard, at least 1.
    given_order : int array, optional
        Order to cut instead of reverse Cuthill–McKee. Nodes left out (such as context) belong
        to no shard.

    Raises
    ------
    OptionError
        If the size is below 1.
    GraphError
        If the order repeats a node or names an unknown one.
    """
    if size < 1:
        raise OptionError(f"A shard needs at least 1 node, found size {size}.")
    n = graph.n_nodes
    if given_order is None:
        order = reverse_cuthill_mckee(graph.to_scipy(), symmetric_mode=True).astype(np.int64)
    else:
        order = node_array(given_order, "given_order").ravel()
        known = order[(order >= 0) & (order < n)]
        if len(np.unique(known)) < len(order):
            raise GraphError(
                f"given_order must list nodes of 0 to {n - 1}, each at most once; of its "
                f"{len(order)} entries {len(order) - len(np.unique(known))} are unknown or repeat."
            )
    shards = tuple(np.sort(order[at : at + size]) for at in range(0, len(order), size))
    for nodes in shards:
        nodes.flags.writeable = False
    return Partition(shards, n)
