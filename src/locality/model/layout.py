"""Layout: from the columns of a table and the options of a user to a domain, and back.

Three layouts exist. A **table** has one node per column and no axis. A **series** has one node per
column and a time axis along the rows. A **lattice** has a single node and an axis along the
columns, so that all columns share one law.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp

from locality._typing import FloatArray
from locality.domain import Axis, DependencyGraph, Domain
from locality.domain.discovery import learn_linear_graph
from locality.domain.edge_list import read_edge_list
from locality.exceptions import GraphError, OptionError
from locality.model.model import Model

__all__ = ["build_domain", "from_state", "given_graph", "limits", "table_limits", "to_state"]

_LIMIT = 1.5  # samples stay within this many times the range seen

_NAMED = ("learn", "chain", "ring", "complete")


def build_domain(
    z: FloatArray,
    names: Sequence[str],
    all_names: Sequence[str],
    *,
    graph: Any,
    lags: int,
    series: str,
    tied: bool,
    given: Sequence[str],
    n_neighbors: int,
    edge_level: float,
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
    graph, lags, series, tied, given, n_neighbors, edge_level
        As in ``LocalizedDiffusion``.

    Raises
    ------
    OptionError
        If options contradict each other.
    GraphError
        If the graph does not fit the columns.
    """
    if tied:
        return _lattice(graph, len(names), lags, given)
    axes: tuple[Axis, ...] = ()
    if lags:
        axes = (Axis("time", window=(lags, 0 if series == "causal" else lags)),)
    place = {name: j for j, name in enumerate(names)}
    context = tuple(place[name] for name in given if name in place)
    free = np.setdiff1d(np.arange(len(names)), context)
    if not len(free):
        raise OptionError(
            "All columns that vary are given, so there is nothing to model.",
            remedy="Name fewer given columns.",
        )
    if isinstance(graph, str) and graph == "learn":
        # learned among modeled columns only: context is given to all of them anyway
        part = learn_linear_graph(
            z[:, free], lags, min(n_neighbors, max(1, len(free) - 1)), edge_level
        ).graph
        i, j, weight = part.edges()
        edges = np.column_stack([free[i], free[j], weight])
        whole = DependencyGraph.from_edges(edges, len(names))
    else:
        whole = given_graph(graph, list(names), list(all_names))
    return Domain(whole, tuple(names), axes, context)


def to_state(z: FloatArray, domain: Domain, tied: bool) -> FloatArray:
    """Rows to the state array [n_nodes, *extent, n_samples] of a domain."""
    if tied:
        return np.ascontiguousarray(z.T[None])
    if domain.axes:
        return np.ascontiguousarray(z.T[:, :, None])
    return np.ascontiguousarray(z.T)


def from_state(state: FloatArray, domain: Domain, tied: bool) -> FloatArray:
    """State of the targets to rows [n_rows, n_columns]; several series follow one another."""
    if tied:
        return np.ascontiguousarray(state[0].T)
    if domain.axes:
        return np.ascontiguousarray(state.transpose(2, 1, 0).reshape(-1, len(state)))
    return np.ascontiguousarray(state.T)


def limits(state: FloatArray) -> FloatArray:
    """Bounds of every node: 1.5 times the range seen, around its middle [n_nodes, 2]."""
    flat = state.reshape(len(state), -1)
    return _widened(np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1), _LIMIT)


def table_limits(model: Model) -> FloatArray:
    """The same bounds in the units of the table, of all columns [n_columns, 2].

    Where a column has a law of its own these are 1.5 times the range seen in its own units: a
    little beyond that range in standardized units may be far beyond it in those of the table.
    """
    seen = _widened(model.limits, 1.0 / _LIMIT)
    place = [model.domain.names.index(name) for name in model.standardizer.modeled_names]
    ends = model.standardizer.restore(seen[place].T, round_integers=False)
    return _widened(np.sort(ends, axis=0).T, _LIMIT)


def _widened(bounds: FloatArray, factor: float) -> FloatArray:
    """Intervals [n, 2] stretched around their middles."""
    low, high = bounds.T
    middle, half = (low + high) / 2, (high - low) / 2
    stretched = np.stack([middle - factor * half, middle + factor * half], axis=1)
    return stretched.astype(np.float64)


def _lattice(graph: Any, n_columns: int, lags: int, given: Sequence[str]) -> Domain:
    if not (isinstance(graph, str) and graph in ("chain", "ring")):
        raise OptionError(
            f"tied=True needs columns along a line, found graph={graph!r}.",
            remedy='Use graph="chain" or graph="ring".',
        )
    if lags or given:
        raise OptionError(
            "tied=True cannot be combined with lags or given columns.",
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
        whole = read_edge_list(Path(graph), all_names, k_nearest=k_nearest)
    elif isinstance(graph, nx.Graph):
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
