"""Edge lists: what any source of a graph is translated into, and what must hold for it.

An edge list is three columns ``i, j, weight`` over nodes 0 … n_nodes - 1. Sources are arrays or
tuples, adjacency matrices and networkx graphs; the sink is a symmetric matrix in compressed
sparse rows. Direction and order carry no meaning, a repeated pair counts once with its largest
weight, and weight zero means no edge.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locality._typing import FloatArray, IntArray
from locality.exceptions import GraphError

__all__ = [
    "edge_columns",
    "matrix_edges",
    "networkx_edges",
    "node_array",
    "require_canonical",
    "require_edges",
    "require_nodes",
    "symmetric_rows",
]


def node_array(values: ArrayLike, name: str) -> IntArray:
    """Whole numbers as an int array; GraphError names the first value that is not one."""
    array: NDArray[Any] = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iuf":
        raise GraphError(
            f"{name} must hold node numbers, found values of type {array.dtype}.",
            remedy="For sensor names use read_edge_list or from_networkx.",
        )
    whole = np.isfinite(array) & (array == np.floor(array))
    if not whole.all():
        raise GraphError(f"{name} must hold node numbers, found {array[~whole].flat[0]}.")
    return array.astype(np.int64)


def edge_columns(
    edges: ArrayLike | Iterable[Sequence[float]],
) -> tuple[IntArray, IntArray, FloatArray]:
    """Columns i, j, weight of an array or of tuples of length two or three.

    Examples
    --------
    >>> i, j, weight = edge_columns([(0, 1), (1, 2, 0.5)])
    >>> weight.tolist()
    [1.0, 0.5]
    """
    if isinstance(edges, np.ndarray):
        table = edges if edges.size else np.empty((0, 2))
    else:
        rows = [tuple(edge) for edge in edges]  # type: ignore[union-attr, arg-type]
        wrong = [k for k, row in enumerate(rows) if len(row) not in (2, 3)]
        if wrong:
            raise GraphError(
                f"Edge {wrong[0]} is {rows[wrong[0]]}; expected (i, j) or (i, j, weight)."
            )
        table = np.array([row if len(row) == 3 else (*row, 1) for row in rows])
        table = table.reshape(-1, 3)
    if table.ndim != 2 or table.shape[1] not in (2, 3):
        raise GraphError(f"Edges must be an array [n_edges, 2 or 3], found shape {table.shape}.")
    i, j = node_array(table[:, 0], "edges"), node_array(table[:, 1], "edges")
    weight = table[:, 2].astype(np.float64) if table.shape[1] == 3 else np.ones(len(table))
    return i, j, weight


def require_nodes(i: IntArray, j: IntArray, n_nodes: int) -> None:
    """GraphError if a pair names a node outside 0 … n_nodes - 1."""
    if n_nodes < 1:
        raise GraphError(f"A dependency graph needs at least one node, found {n_nodes}.")
    unknown = (i < 0) | (i >= n_nodes) | (j < 0) | (j >= n_nodes)
    if unknown.any():
        at = int(np.argmax(unknown))
        raise GraphError(
            f"Pair {at} joins nodes {i[at]} and {j[at]}, but nodes are numbered 0 to "
            f"{n_nodes - 1} ({int(unknown.sum())} such pairs).",
            remedy="Node numbers start at 0; check n_nodes.",
        )


def require_edges(i: IntArray, j: IntArray, weight: FloatArray, n_nodes: int) -> None:
    """GraphError on unknown nodes, self loops and weights that are not finite and ≥ 0."""
    require_nodes(i, j, n_nodes)
    looped = i == j
    if looped.any():
        at = int(np.argmax(looped))
        raise GraphError(
            f"Edge {at} joins node {i[at]} to itself ({int(looped.sum())} such edges).",
            remedy="Remove the self loops; every node is in its own neighborhood anyway.",
        )
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        at = int(np.argmax(bad))
        raise GraphError(
            f"Edge {at} between nodes {i[at]} and {j[at]} has weight {weight[at]} "
            f"({int(bad.sum())} such edges); weights must be finite and at least 0.",
            remedy="Pass closeness, not signed correlation; for distances use from_distances.",
        )


def matrix_edges(matrix: Any, symmetrize: bool) -> tuple[IntArray, IntArray, FloatArray, int]:
    """Columns i, j, weight of the off-diagonal entries of an adjacency matrix, and its size."""
    import scipy.sparse as sp

    coo = sp.coo_array(matrix)
    if coo.ndim != 2 or coo.shape[0] != coo.shape[1]:
        raise GraphError(f"An adjacency matrix must be square, found shape {coo.shape}.")
    coo.sum_duplicates()
    off = coo.row != coo.col
    i, j = coo.row[off].astype(np.int64), coo.col[off].astype(np.int64)
    weight = coo.data[off].astype(np.float64)
    if not symmetrize and not np.isnan(weight).any():
        square = sp.csr_array((weight, (i, j)), shape=coo.shape)
        gap = sp.coo_array(square - square.T)
        wrong = np.flatnonzero(gap.data != 0)
        if wrong.size:
            a, b = int(gap.row[wrong[0]]), int(gap.col[wrong[0]])
            raise GraphError(
                f"The adjacency matrix is not symmetric in {wrong.size // 2} pairs: entry "
                f"({a}, {b}) is {square[a, b]}, entry ({b}, {a}) is {square[b, a]}.",
                remedy="Pass symmetrize=True to keep an edge listed in either direction.",
            )
    return i, j, weight, int(coo.shape[0])


def networkx_edges(
    graph: Any, names: Sequence[Hashable] | None
) -> tuple[IntArray, IntArray, FloatArray, int]:
    """Columns i, j, weight of a networkx graph whose node labels are found in ``names``."""
    if graph.is_directed():
        raise GraphError(
            "The networkx graph is directed; dependence has no direction.",
            remedy="Pass graph.to_undirected().",
        )
    labels = list(graph.nodes) if names is None else list(names)
    position = {label: k for k, label in enumerate(labels)}
    unknown = [node for node in graph.nodes if node not in position]
    if unknown:
        listed = ", ".join(repr(node) for node in unknown[:10])
        raise GraphError(
            f"{len(unknown)} of {graph.number_of_nodes()} nodes of the networkx graph are not "
            f"among the {len(labels)} names: {listed}{', …' if len(unknown) > 10 else ''}.",
            remedy="Rename them with networkx.relabel_nodes, or take the subgraph.",
        )
    edges = [(position[a], position[b], w) for a, b, w in graph.edges(data="weight", default=1)]
    return *edge_columns(edges), len(labels)


def symmetric_rows(
    i: IntArray, j: IntArray, weight: FloatArray, n_nodes: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """Arrays indptr, indices, weights of the symmetric matrix with these edges."""
    keep = weight > 0
    i, j, weight = i[keep], j[keep], weight[keep]
    rows, columns = np.concatenate([i, j]), np.concatenate([j, i])
    both = np.concatenate([weight, weight])
    order = np.lexsort((-both, columns, rows))
    rows, columns, both = rows[order], columns[order], both[order]
    first = np.ones(len(rows), dtype=bool)  # of each run of equal pairs: the largest weight
    first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
    counts = np.bincount(rows[first], minlength=n_nodes)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return indptr, columns[first], both[first]


def require_canonical(indptr: IntArray, indices: IntArray, weights: FloatArray) -> None:
    """GraphError unless the arrays are a sorted, symmetric CSR matrix without diagonal."""
    shaped = (
        indptr.ndim == indices.ndim == weights.ndim == 1
        and len(indptr) >= 2
        and indptr[0] == 0
        and indptr[-1] == len(indices) == len(weights)
        and bool((np.diff(indptr) >= 0).all())
    )
    if not shaped:
        raise GraphError(
            "The arrays are not compressed sparse rows of at least one node.",
            remedy="Build the graph with from_edges or from_scipy.",
        )
    n_nodes = len(indptr) - 1
    rows = np.repeat(np.arange(n_nodes), np.diff(indptr))
    if indices.size and not (indices.min() >= 0 and indices.max() < n_nodes):
        raise GraphError(f"A neighbor lies outside the nodes 0 to {n_nodes - 1}.")
    same_row = rows[1:] == rows[:-1]
    if (indices == rows).any() or (np.diff(indices)[same_row] <= 0).any():
        raise GraphError("Neighbors must be ascending, without repeats and self loops.")
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise GraphError("Edge weights must be positive and finite.")
    order = np.lexsort((rows, indices))  # the transposed matrix, row by row
    if (
        (indices[order] != rows).any()
        or (rows[order] != indices).any()
        or (weights[order] != weights).any()
    ):
        raise GraphError(
            "The graph is not symmetric: some node is not a neighbor of its neighbor.",
            remedy="Build the graph with from_scipy(matrix, symmetrize=True).",
        )
