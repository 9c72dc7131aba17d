"""Neighborhoods of all radii in one sweep.

N_j(r) = { i : h(i, j) ≤ r } are the nodes within r hops of j, j itself included. One breadth
first search from all nodes at once finds them: with A the adjacency matrix and F_k the 0/1
matrix of pairs at distance exactly k,

    F_0 = I ,    F_{k+1} = [F_k A > 0]  minus  F_k  minus  F_{k-1} ,

because a neighbor of a node at distance k lies at distance k-1, k or k+1. The pairs are kept
sorted by (node, hop, neighbor), so every smaller neighborhood is a prefix of a larger one. A sweep
that is asked for a larger radius goes on from its outermost pairs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from locality._typing import IntArray
from locality.domain.graph import DependencyGraph
from locality.exceptions import OptionError

__all__ = ["Neighborhoods", "Sweep", "hop_distances"]


def hop_distances(
    graph: DependencyGraph, max_radius: int | None
) -> tuple[IntArray, IntArray, IntArray]:
    """All pairs of nodes within ``max_radius`` hops.

    Parameters
    ----------
    graph : DependencyGraph
        Edge weights are ignored.
    max_radius : int or None
        At least 0; None sweeps until no neighborhood grows (then every connected component
        becomes dense).

    Returns
    -------
    indptr : int array [n_nodes + 1]
        Where each node's neighborhood begins.
    indices : int array [n_pairs]
        Members, each node first in its own neighborhood, sorted by (hop, node).
    hops : int array [n_pairs]
        Hops to each member.

    Notes
    -----
    Time and memory grow with the number of pairs found.

    Examples
    --------
    >>> indptr, indices, hops = hop_distances(DependencyGraph.chain(4), 2)
    >>> indices[indptr[0]:indptr[1]].tolist(), hops[indptr[0]:indptr[1]].tolist()
    ([0, 1, 2], [0, 1, 2])
    """
    return Sweep(graph).within(max_radius)


class Sweep:
    """A search from all nodes at once, which remembers how far it has come.

    Parameters
    ----------
    graph : DependencyGraph

    Examples
    --------
    >>> sweep = Sweep(DependencyGraph.chain(4))
    >>> [len(sweep.within(radius)[1]) for radius in (1, 3, 2)]
    [10, 16, 14]
    """

    def __init__(self, graph: DependencyGraph) -> None:
        import scipy.sparse as sp

        n = graph.n_nodes
        self._adjacency: Any = sp.csr_array(
            (np.ones(len(graph.indices), dtype=bool), graph.indices, graph.indptr), shape=(n, n)
        )
        self._before: Any = sp.csr_array((n, n), dtype=bool)
        self._layers: list[Any] = [sp.eye_array(n, dtype=bool, format="csr")]

    def within(self, max_radius: int | None) -> tuple[IntArray, IntArray, IntArray]:
        """All pairs of nodes within ``max_radius`` hops; arguments as of `hop_distances`."""
        if max_radius is not None and max_radius < 0:
            raise OptionError(f"A radius counts hops and must be at least 0, found {max_radius}.")
        while self._layers[-1].nnz and (max_radius is None or len(self._layers) <= max_radius):
            here = self._layers[-1]
            new = here @ self._adjacency > here + self._before  # of truth values: and not
            new.sort_indices()
            self._before = here
            self._layers.append(new)
        wanted = self._layers if max_radius is None else self._layers[: max_radius + 1]
        return _merge([layer for layer in wanted if layer.nnz])


def _merge(layers: list[Any]) -> tuple[IntArray, IntArray, IntArray]:
    """One CSR of all layers, each node's members in order of their layer."""
    counts = np.stack([np.diff(layer.indptr) for layer in layers]).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(counts.sum(axis=0))]).astype(np.int64)
    begin = indptr[:-1] + np.cumsum(counts, axis=0) - counts  # of each layer of each node
    each = counts.ravel()
    place = np.arange(indptr[-1]) + np.repeat(begin.ravel() - (np.cumsum(each) - each), each)
    indices, hops = np.empty((2, len(place)), dtype=np.int64)
    indices[place] = np.concatenate([layer.indices for layer in layers])
    hops[place] = np.repeat(np.arange(len(layers)), counts.sum(axis=1))
    return indptr, indices, hops


@dataclass(frozen=True, eq=False)
class Neighborhoods:
    """The neighborhoods of every node, for all radii up to ``max_radius``.

    Parameters
    ----------
    indptr : int array [n_nodes + 1]
        Where each node's neighborhood begins.
    indices, hops : int arrays [n_pairs]
        Members and their hops, sorted by (hop, node) within a node.
    max_radius : int
        Largest radius held.
    saturation : int or None
        The smallest radius from which no neighborhood grows any more, None if some
        neighborhood may still grow beyond ``max_radius``.

    Examples
    --------
    >>> neighborhoods = Neighborhoods.of(DependencyGraph.chain(3), 5)
    >>> neighborhoods.sizes.tolist()
    [[1, 2, 3, 3, 3, 3], [1, 3, 3, 3, 3, 3], [1, 2, 3, 3, 3, 3]]
    >>> neighborhoods.saturation
    2
    """

    indptr: IntArray
    indices: IntArray
    hops: IntArray
    max_radius: int
    saturation: int | None

    @classmethod
    def of(cls, graph: DependencyGraph, max_radius: int | None = None) -> "Neighborhoods":
        """Sweep a graph; ``max_radius=None`` sweeps until nothing grows."""
        from scipy.sparse.csgraph import connected_components

        indptr, indices, hops = hop_distances(graph, max_radius)
        _, component = connected_components(graph.to_scipy(), directed=False)
        full = np.bincount(component)[component]
        largest = int(hops.max())
        saturated = bool((np.diff(indptr) == full).all())
        for array in (indptr, indices, hops):
            array.flags.writeable = False
        return cls(
            indptr,
            indices,
            hops,
            max_radius=largest if max_radius is None else max_radius,
            saturation=largest if saturated else None,
        )

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    @property
    def sizes(self) -> IntArray:
        """Number of members, the node included [n_nodes, max_radius + 1]."""
        width = self.max_radius + 1
        rows = np.repeat(np.arange(self.n_nodes), np.diff(self.indptr))
        counts = np.bincount(rows * width + self.hops, minlength=self.n_nodes * width)
        return np.cumsum(counts.reshape(self.n_nodes, width), axis=1)

    def within(self, radius: int) -> "Neighborhoods":
        """The neighborhoods of a smaller (or the same) radius.

        Raises
        ------
        OptionError
            If the radius is negative, or larger than the one swept.
        """
        reach = self.saturation if self.saturation is not None else self.max_radius
        if radius < 0 or (radius > self.max_radius and self.saturation is None):
            raise OptionError(
                f"Neighborhoods were swept for radii 0 to {self.max_radius}, asked for {radius}.",
                remedy="Sweep again with a larger max_radius.",
            )
        keep = self.hops <= radius
        kept = np.concatenate([[0], np.cumsum(keep)])
        return Neighborhoods(
            kept[self.indptr],
            self.indices[keep],
            self.hops[keep],
            max_radius=radius,
            saturation=self.saturation if radius >= reach else None,
        )

    def members(self, j: int) -> IntArray:
        """Members of node j's neighborhood, sorted by (hop, node)."""
        return self.indices[self.indptr[j] : self.indptr[j + 1]]
