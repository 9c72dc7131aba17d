"""Domains: from the columns of a table and what a user asked for to nodes, axes and a graph.

Three layouts exist. A **table** has one node per column and no axis. A **series** has one node per
column and a time axis along the rows. A **lattice** has a single node and an axis along the
columns, so that all columns share one law.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from locality._typing import FloatArray, IntArray
from locality.domain.axis import Axis
from locality.domain.domain import Domain
from locality.domain.graph import DependencyGraph
from locality.exceptions import GraphError, OptionError
from locality.model.settings import Settings

__all__ = ["MOST_NEIGHBORS", "build_domain", "given_graph", "learned_domains"]

MOST_NEIGHBORS = 8
"""Of a column, where held-out rows are to choose and have not been asked yet (`thinning`)."""
_NAMED = ("learn", "chain", "ring", "complete")


def build_domain(
    z: FloatArray,
    names: Sequence[str],
    all_names: Sequence[str],
    *,
    graph: Any,
    settings: Settings,
) -> Domain:
    """The domain of standardized columns.

    Parameters
    ----------
    z : float array [n_rows, n_columns]
        Standardized modeled columns.
    names : sequence of str [n_columns]
        Their names.
    all_names : sequence of str
        Names of the whole table; a graph may name columns that were set aside.
    graph : object
        As in ``LocalizedDiffusion``.
    settings : Settings

    Raises
    ------
    OptionError
        If options contradict each other.
    GraphError
        If the graph does not fit the columns.
    """
    if settings.tied:
        return _lattice(graph, len(names), settings)
    axes, context, _ = _layout(names, settings)
    if isinstance(graph, str) and graph == "learn":
        number = settings.n_neighbors
        most = MOST_NEIGHBORS if isinstance(number, str) else number
        return learned_domains(z, names, settings, (most,))[0]
    whole = given_graph(graph, list(names), list(all_names))
    return Domain(whole, tuple(names), axes, context)


def learned_domains(
    z: FloatArray, names: Sequence[str], settings: Settings, n_neighbors: Sequence[int]
) -> list[Domain]:
    """Domains whose graphs are learned, one for each number of neighbors of a column.

    Parameters
    ----------
    z : float array [n_rows, n_columns]
        Standardized modeled columns, complete.
    names : sequence of str [n_columns]
    settings : Settings
    n_neighbors : sequence of int
    """
    from locality.domain.discovery import learn_linear_graphs

    axes, context, free = _layout(names, settings)
    numbers = [min(number, max(1, len(free) - 1)) for number in n_neighbors]
    # learned among modeled columns only: context is given to all of them anyway
    found = learn_linear_graphs(z[:, free], settings.lags, numbers, settings.edge_level)
    domains = []
    for part in found:
        i, j, weight = part.graph.edges()
        edges = np.column_stack([free[i], free[j], weight])
        graph = DependencyGraph.from_edges(edges, len(names))
        domains.append(Domain(graph, tuple(names), axes, context))
    return domains


def _layout(
    names: Sequence[str], settings: Settings
) -> tuple[tuple[Axis, ...], tuple[int, ...], IntArray]:
    """Axes, context and modeled nodes of columns that have laws of their own."""
    axes: tuple[Axis, ...] = ()
    lags = settings.lags
    if lags:
        axes = (Axis("time", window=(lags, 0 if settings.series == "causal" else lags)),)
    place = {name: j for j, name in enumerate(names)}
    context = tuple(place[name] for name in settings.context if name in place)
    free = np.setdiff1d(np.arange(len(names)), context)
    if not len(free):
        raise OptionError(
            "All columns that vary are context, so there is nothing to model.",
            remedy="Name fewer context columns.",
        )
    return axes, context, free


def _lattice(graph: Any, n_columns: int, settings: Settings) -> Domain:
    if not (isinstance(graph, str) and graph in ("chain", "ring")):
        raise OptionError(
            f"tied=True needs columns along a line, found graph={graph!r}.",
            remedy='Use graph="chain" or graph="ring".',
        )
    if settings.lags or settings.context:
        raise OptionError(
            "tied=True cannot be combined with lags or context columns.",
            remedy="Leave tied=False to model columns one by one.",
        )
    axis = Axis("column", extent=n_columns, periodic=graph == "ring")
    return Domain(DependencyGraph.empty(1), ("value",), (axis,))


def given_graph(
    graph: Any, names: list[str], all_names: list[str], k_nearest: int | None = None
) -> DependencyGraph:
    """A graph over the modeled columns from whatever the user gave.

    Parameters
    ----------
    graph : path, name, DependencyGraph, networkx graph, array or scipy.sparse matrix
    names, all_names : lists of str
        Modeled columns, and those of the whole table.
    k_nearest : int, optional
        Of a file with distances, pairs where either is among the other's nearest.

    Raises
    ------
    OptionError, GraphError, DataError
        If it is no graph, or does not fit the columns.
    """
    n = len(names)
    if isinstance(graph, DependencyGraph):
        whole = graph
    elif isinstance(graph, str) and graph in _NAMED:
        maker = {
            "chain": DependencyGraph.chain,
            "ring": DependencyGraph.ring,
            "complete": DependencyGraph.complete,
        }[graph]
        return maker(n)
    elif isinstance(graph, str | PathLike):
        from locality.domain.edge_list import read_edge_list

        whole = read_edge_list(Path(graph), all_names, k_nearest=k_nearest)
    elif hasattr(graph, "adjacency") and hasattr(graph, "nodes"):  # of networkx
        whole = DependencyGraph.from_networkx(graph, all_names)
    elif isinstance(graph, np.ndarray):
        whole = DependencyGraph.from_scipy(sp.csr_array(graph))
    elif sp.issparse(graph):
        whole = DependencyGraph.from_scipy(graph)
    else:
        raise OptionError(
            f"graph must be one of {_NAMED}, a path, a DependencyGraph, a networkx graph or a "
            f"scipy.sparse matrix, found {type(graph).__name__}."
        )
    if whole.n_nodes == n:
        return whole
    if whole.n_nodes != len(all_names):
        raise GraphError(
            f"The graph has {whole.n_nodes} nodes, but the table has {len(all_names)} columns.",
            remedy="Build the graph over the columns of this table.",
        )
    keep = np.array([all_names.index(name) for name in names])
    matrix = whole.to_scipy().tocsr()[keep][:, keep]
    return DependencyGraph.from_scipy(matrix)
