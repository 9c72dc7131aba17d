"""Communities: groups of columns that depend on each other more than on the rest.

Groups maximize modularity, the weight of edges within groups beyond what the degrees alone would
give (Blondel et al., 2008, *Fast unfolding of communities in large networks*, as implemented in
networkx). A group bears the name of its member with the most weight of edges.
"""

from collections.abc import Sequence

import networkx as nx
import numpy as np

from locality._typing import FloatArray
from locality.domain.graph import DependencyGraph
from locality.exceptions import GraphError

__all__ = ["communities"]


def communities(
    graph: DependencyGraph, names: Sequence[str], random_state: int = 0
) -> list[tuple[str, tuple[str, ...]]]:
    """Groups of columns, the largest first.

    Parameters
    ----------
    graph : DependencyGraph
    names : sequence of str [n_nodes]
    random_state : int, default 0
        Groups are found by visiting nodes in random order.

    Returns
    -------
    list of (str, tuple of str)
        Name and members of each group; members in the order of ``names``. Isolated columns are
        groups of their own.

    Raises
    ------
    GraphError
        If there is not one name per node.

    Examples
    --------
    >>> graph = DependencyGraph.from_edges([(0, 1), (1, 2), (3, 4, 0.5)], 6)
    >>> communities(graph, ["a", "b", "c", "d", "e", "f"])
    [('b', ('a', 'b', 'c')), ('d', ('d', 'e')), ('f', ('f',))]
    """
    if len(names) != graph.n_nodes:
        raise GraphError(f"Found {len(names)} names for {graph.n_nodes} nodes.")
    groups = nx.community.louvain_communities(graph.to_networkx(), seed=random_state)
    strength: FloatArray = np.asarray(graph.to_scipy().sum(axis=1)).ravel()
    named = []
    for members in sorted(map(sorted, groups), key=lambda group: (-len(group), group[0])):
        hub = members[int(np.argmax(strength[members]))]
        named.append((names[hub], tuple(names[j] for j in members)))
    return named
