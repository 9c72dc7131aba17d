"""The dependency graph: who depends directly on whom.

Given its neighbors, a component hardly depends on the rest. The graph is undirected, without
self loops, and held as a symmetric matrix in compressed sparse rows (CSR): the neighbors of node
j are ``indices[indptr[j]:indptr[j + 1]]``, ascending, with positive ``weights`` beside them.
Weights say how close two neighbors are; hop distances ignore them. The arrays are read-only, so
a graph can be shared, hashed and compared.

Everything about where edges come from ends here: constructors validate once, at this border.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from locality._typing import FloatArray, IntArray
from locality.domain.distances import nearest_pairs
from locality.domain.edges import (
    edge_columns,
    matrix_edges,
    networkx_edges,
    node_array,
    require_canonical,
    require_edges,
    require_nodes,
    symmetric_rows,
)
from locality.domain.lattice import grid_edges
from locality.exceptions import GraphError, OptionError

if TYPE_CHECKING:
    import scipy.sparse as sp

__all__ = ["DependencyGraph"]


@dataclass(frozen=True, eq=False)
class DependencyGraph:
    """An undirected weighted graph in immutable CSR arrays.

    Parameters
    ----------
    indptr : int array [n_nodes + 1]
        Where each node's neighbors begin.
    indices : int array [2 * n_edges]
        Neighbors, ascending within a node, never the node itself.
    weights : float array [2 * n_edges]
        Positive, finite and symmetric.

    Raises
    ------
    GraphError
        If the arrays are not a symmetric, sorted CSR matrix without diagonal.

    Examples
    --------
    >>> graph = DependencyGraph.chain(4)
    >>> graph.n_nodes, graph.n_edges, graph.neighbors(1).tolist()
    (4, 3, [0, 2])
    """

    indptr: IntArray
    indices: IntArray
    weights: FloatArray

    def __post_init__(self) -> None:
        for field, dtype in (("indptr", np.int64), ("indices", np.int64), ("weights", np.float64)):
            array = np.array(getattr(self, field), dtype=dtype)  # a copy nobody else can write to
            array.flags.writeable = False
            object.__setattr__(self, field, array)
        require_canonical(self.indptr, self.indices, self.weights)

    # -- regular graphs ------------------------------------------------------------------------

    @classmethod
    def empty(cls, n: int) -> "DependencyGraph":
        """Nodes without edges: all components independent."""
        return cls.from_edges((), n)

    @classmethod
    def complete(cls, n: int) -> "DependencyGraph":
        """All pairs of nodes joined: no locality."""
        i, j = np.triu_indices(max(n, 0), k=1)
        return cls._build(i.astype(np.int64), j.astype(np.int64), np.ones(len(i)), n)

    @classmethod
    def chain(cls, n: int) -> "DependencyGraph":
        """Nodes in a row, each joined to the next."""
        return cls.grid((n,))

    @classmethod
    def ring(cls, n: int) -> "DependencyGraph":
        """Nodes in a closed row."""
        return cls.grid((n,), periodic=True)

    @classmethod
    def grid(
        cls, shape: Sequence[int], periodic: bool | Sequence[bool] = False
    ) -> "DependencyGraph":
        """Cells of a regular lattice, row-major, joined along every axis.

        ``periodic`` says whether the axes close, for all or for each.

        Examples
        --------
        >>> DependencyGraph.grid((3, 3)).degrees.tolist()
        [2, 3, 2, 3, 4, 3, 2, 3, 2]
        """
        closed = (
            [bool(periodic)] * len(shape)
            if isinstance(periodic, bool | np.bool_)
            else list(periodic)
        )
        i, j = grid_edges(shape, closed)
        return cls._build(i, j, np.ones(len(i)), int(np.prod(shape)))

    # -- given graphs --------------------------------------------------------------------------

    @classmethod
    def from_edges(
        cls, edges: ArrayLike | Iterable[Sequence[float]], n_nodes: int
    ) -> "DependencyGraph":
        """From a list of ``(i, j)`` or ``(i, j, weight)``.

        Direction is ignored, a pair listed more than once keeps its largest weight, and an edge
        of weight zero is none.

        Parameters
        ----------
        edges : array [n_edges, 2 or 3] or iterable of tuples
            Node numbers below ``n_nodes`` and, optionally, weights (1 where left out).

        Raises
        ------
        GraphError
            If an edge names an unknown node, joins a node to itself, or has a negative,
            missing or infinite weight.

        Examples
        --------
        >>> graph = DependencyGraph.from_edges([(0, 1), (2, 1, 0.5)], 3)
        >>> graph.weights.tolist()
        [1.0, 1.0, 0.5, 0.5]
        """
        i, j, weight = edge_columns(edges)
        require_edges(i, j, weight, n_nodes)
        return cls._build(i, j, weight, n_nodes)

    @classmethod
    def from_scipy(cls, matrix: Any, symmetrize: bool = False) -> "DependencyGraph":
        """From an adjacency matrix, sparse or dense, zero where there is no edge.

        The diagonal is ignored.

        Parameters
        ----------
        matrix : scipy sparse matrix, sparse array or array [n_nodes, n_nodes]
            Weights, not negative.
        symmetrize : bool, default False
            Keep an edge listed in either direction, with the larger weight; otherwise an
            asymmetric matrix is an error.

        Raises
        ------
        GraphError
            If the matrix is not square, not symmetric, or has a negative or missing weight.

        Examples
        --------
        >>> DependencyGraph.from_scipy(np.ones((3, 3))).n_edges
        3
        """
        i, j, weight, n_nodes = matrix_edges(matrix, symmetrize)
        require_edges(i, j, weight, n_nodes)
        return cls._build(i, j, weight, n_nodes)

    @classmethod
    def from_networkx(
        cls, graph: Any, names: Sequence[Hashable] | None = None
    ) -> "DependencyGraph":
        """From an undirected networkx graph; attribute ``weight`` is used, 1 where missing.

        ``names`` are the labels of node 0, 1, … (default: the graph's own order); labels absent
        from the graph become isolated nodes.

        Raises
        ------
        GraphError
            If the graph is directed, has a node that is not in ``names``, or a self loop.

        Examples
        --------
        >>> import networkx as nx
        >>> graph = nx.path_graph(["a", "b", "c"])
        >>> DependencyGraph.from_networkx(graph, ["c", "b", "a", "d"]).degrees.tolist()
        [1, 2, 1, 0]
        """
        i, j, weight, n_nodes = networkx_edges(graph, names)
        require_edges(i, j, weight, n_nodes)
        return cls._build(i, j, weight, n_nodes)

    @classmethod
    def from_distances(
        cls,
        i: ArrayLike,
        j: ArrayLike,
        distance: ArrayLike,
        n_nodes: int,
        k_nearest: int | None = None,
        threshold: float | None = None,
    ) -> "DependencyGraph":
        """From a table of distances between pairs of nodes; see `locality.domain.distances`.

        Parameters
        ----------
        i, j, distance : arrays [n_pairs]
            Two nodes and their distance, not negative; unlisted pairs are not connected.
        k_nearest : int, optional
            Keep pairs where either node is among the other's k nearest.
        threshold : float, optional
            Keep pairs at most this far apart.

        Examples
        --------
        >>> DependencyGraph.from_distances([0, 0, 1], [1, 2, 2], [1.0, 9.0, 2.0], 3, 1).n_edges
        2
        """
        start, end = node_array(i, "i"), node_array(j, "j")
        d = np.asarray(distance, dtype=np.float64)
        if not start.shape == end.shape == d.shape:
            raise GraphError(
                f"A distance table needs one entry per pair in each column, found shapes i "
                f"{start.shape}, j {end.shape}, distance {d.shape}.",
                remedy="For a full matrix of distances use from_distance_matrix.",
            )
        require_nodes(start, end, n_nodes)
        pairs = nearest_pairs(start, end, d, k_nearest=k_nearest, threshold=threshold)
        return cls._build(*pairs, n_nodes)

    @classmethod
    def from_distance_matrix(
        cls, matrix: ArrayLike, k_nearest: int | None = None, threshold: float | None = None
    ) -> "DependencyGraph":
        """From all distances [n_nodes, n_nodes]; infinite where not connected.

        Where the two directions differ the smaller distance counts. One of ``k_nearest`` and
        ``threshold`` is needed, since otherwise everything would neighbor everything.

        Examples
        --------
        >>> x = np.array([0.0, 1.0, 3.0])
        >>> graph = DependencyGraph.from_distance_matrix(abs(x[:, None] - x), threshold=2)
        >>> graph.n_edges
        2
        """
        d = np.asarray(matrix, dtype=np.float64)
        if d.ndim != 2 or d.shape[0] != d.shape[1]:
            raise GraphError(f"A distance matrix must be square, found shape {d.shape}.")
        if k_nearest is None and threshold is None:
            raise OptionError("A distance matrix needs k_nearest or threshold to select edges.")
        i, j = np.indices(d.shape).reshape(2, -1)
        return cls.from_distances(i, j, d.ravel(), d.shape[0], k_nearest, threshold)

    @classmethod
    def _build(
        cls, i: IntArray, j: IntArray, weight: FloatArray, n_nodes: int
    ) -> "DependencyGraph":
        """The graph of validated edges."""
        if n_nodes < 1:
            raise GraphError(f"A dependency graph needs at least one node, found {n_nodes}.")
        return cls(*symmetric_rows(i, j, weight, n_nodes))

    # -- what it is ----------------------------------------------------------------------------

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    @property
    def n_edges(self) -> int:
        """Number of undirected edges."""
        return len(self.indices) // 2

    @property
    def degrees(self) -> IntArray:
        """Number of neighbors of each node [n_nodes]."""
        return np.diff(self.indptr)

    def neighbors(self, j: int) -> IntArray:
        """The neighbors of node j, ascending."""
        return self.indices[self.indptr[j] : self.indptr[j + 1]]

    def edges(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Every edge once: ends i < j and weight, each [n_edges], sorted by (i, j)."""
        rows = np.repeat(np.arange(self.n_nodes, dtype=np.int64), self.degrees)
        once = rows < self.indices
        return rows[once], self.indices[once], self.weights[once]

    def permute(self, order: ArrayLike) -> "DependencyGraph":
        """Renumber the nodes: node k of the result is node ``order[k]`` of this graph.

        Raises
        ------
        GraphError
            If ``order`` does not list every node once.
        """
        old = node_array(order, "order")
        if old.shape != (self.n_nodes,) or (np.sort(old) != np.arange(self.n_nodes)).any():
            raise GraphError(f"order must list each of the {self.n_nodes} nodes exactly once.")
        new = np.argsort(old)
        i, j, weight = self.edges()
        return self._build(new[i], new[j], weight, self.n_nodes)

    def to_scipy(self) -> "sp.csr_array[np.float64]":
        """The symmetric weight matrix [n_nodes, n_nodes]."""
        import scipy.sparse as sp

        shape = (self.n_nodes, self.n_nodes)
        return sp.csr_array(
            (self.weights.copy(), self.indices.copy(), self.indptr.copy()), shape=shape
        )

    def to_networkx(self, names: Sequence[Hashable] | None = None) -> Any:
        """A ``networkx.Graph`` with edge attribute ``weight``, nodes labeled by ``names``."""
        import networkx as nx

        labels: Sequence[Hashable] = range(self.n_nodes) if names is None else names
        if len(labels) != self.n_nodes:
            raise GraphError(f"Found {len(labels)} names for {self.n_nodes} nodes.")
        graph = nx.Graph()
        graph.add_nodes_from(labels)
        i, j, weight = (column.tolist() for column in self.edges())
        graph.add_weighted_edges_from(
            (labels[a], labels[b], w) for a, b, w in zip(i, j, weight, strict=True)
        )
        return graph

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DependencyGraph):
            return NotImplemented
        return (
            np.array_equal(self.indptr, other.indptr)
            and np.array_equal(self.indices, other.indices)
            and np.array_equal(self.weights, other.weights)
        )

    def __hash__(self) -> int:
        return hash((self.indptr.tobytes(), self.indices.tobytes(), self.weights.tobytes()))

    def __repr__(self) -> str:
        return f"DependencyGraph(n_nodes={self.n_nodes}, n_edges={self.n_edges})"
