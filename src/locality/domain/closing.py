"""Closing a dependency graph up where nodes are taken out of it."""

import numpy as np

from locality._typing import IntArray
from locality.domain.graph import DependencyGraph

__all__ = ["closed_up"]


def closed_up(graph: DependencyGraph, gone: IntArray) -> DependencyGraph:
    """Join the nodes that a lost one joined.

    Integrating node r out of a Gaussian law joins its neighbors a and b by about the product of
    their links with r. Each is joined to the one to which that is strongest, so that nobody gets
    more neighbors than before.

    Parameters
    ----------
    graph : DependencyGraph
    gone : int array
        Nodes that are taken out.

    Returns
    -------
    DependencyGraph
        Of the other nodes, in their order.

    Examples
    --------
    >>> closed_up(DependencyGraph.chain(4), np.array([1])) == DependencyGraph.chain(3)
    True
    """
    matrix = graph.to_scipy().tolil()
    for node in gone.tolist():
        near = np.array(matrix.rows[node], dtype=np.int64)
        weight = np.array(matrix.data[node], dtype=np.float64)
        for a, neighbor in enumerate(near.tolist()):
            product = weight * weight[a]
            product[a] = 0.0
            if len(near) > 1:
                b = int(product.argmax())
                link = max(float(matrix[neighbor, near[b]]), float(product[b]))
                matrix[neighbor, near[b]] = matrix[near[b], neighbor] = link
        matrix[node, :] = 0.0
        matrix[:, node] = 0.0
    kept = np.setdiff1d(np.arange(graph.n_nodes), gone)
    return DependencyGraph.from_scipy(matrix.tocsr()[kept][:, kept])
