"""Dependences: the graph that the data show, the graph that the user knows, and both in one.

A user's graph (pipes, roads, groups of stations) is compared edge by edge with what is found in
the data: edges found as well (*both*), edges without support in the data (*given*), and dependences
that the graph misses (*data*). Missed is what joins columns that are not neighbors in the user's
graph; how far apart they are there is told, because two steps cost a larger radius and ten make
a model blind.
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.sparse.csgraph import dijkstra

from locality._typing import FloatArray, IntArray
from locality.analysis.check.findings import EdgeFinding, GroupFinding
from locality.domain import DependencyGraph
from locality.domain.communities import communities
from locality.domain.dependence import learn_graph
from locality.domain.links import limit_degrees
from locality.exceptions import GraphError
from locality.model.domains import given_graph

__all__ = ["Dependences"]


@dataclass(frozen=True, eq=False)
class Dependences:
    """What joins the columns of a table.

    Parameters
    ----------
    names : tuple of str [n_columns]
    found : DependencyGraph
        In the data: the strongest edges of each column, at most ``n_neighbors`` wanted by either
        end. With many rows the weakest of ties are sure, and would make everybody a neighbor.
    given : DependencyGraph or None
        By the user.
    edges : tuple of EdgeFinding
        Of both, the strongest first.
    missed : tuple of (str, str, float)
        Edges found that join no neighbors of the given graph, with their distance in it in steps;
        the strongest first.
    unsupported : tuple of (str, str)
        Edges given that are not found.
    """

    names: tuple[str, ...]
    found: DependencyGraph
    given: DependencyGraph | None
    edges: tuple[EdgeFinding, ...]
    missed: tuple[tuple[str, str, float], ...]
    unsupported: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls,
        scores: FloatArray,
        names: tuple[str, ...],
        all_names: tuple[str, ...],
        *,
        graph: Any = None,
        lags: int = 0,
        level: float = 0.05,
        n_neighbors: int = 8,
        k_nearest: int | None = None,
    ) -> "Dependences":
        """Find dependences, and compare them with a graph if there is one.

        Parameters
        ----------
        scores : float array [n_rows, n_columns]
            NaN where missing.
        names : tuple of str [n_columns]
        all_names : tuple of str
            Columns that a given graph may name.
        graph : path, networkx, scipy graph, DependencyGraph, "chain" or "ring", optional
            Of the user.
        lags : int
            Rows back to look for delays.
        level : float
            Accepted share of false edges.
        n_neighbors : int
            Edges that each column keeps in ``found``; ``edges`` lists all.
        k_nearest : int, optional
            Of a file with distances, pairs where either is among the other's nearest.

        Raises
        ------
        GraphError
            The graph does not fit the columns.
        """
        given = None if graph is None else _given(graph, names, all_names, k_nearest)
        dependence = learn_graph(scores, lags, level)
        edges, known, missed = [], set(), []
        if given is not None:
            known = set(zip(*(ends.tolist() for ends in given.edges()[:2]), strict=True))
        steps = _steps(given, dependence.i) if given is not None else {}
        for e in np.argsort(-dependence.weight, kind="stable").tolist():
            i, j = int(dependence.i[e]), int(dependence.j[e])
            both = (i, j) in known
            known.discard((i, j))
            if given is not None and not both:
                missed.append((names[i], names[j], float(steps[i][j])))
            edges.append(
                EdgeFinding(
                    names[i], names[j], float(dependence.weight[e]), dependence.kind[e],
                    int(dependence.lag[e]), float(1.0 - dependence.q_value[e]),
                    "both" if both else "data",
                )
            )  # fmt: skip
        unsupported = [(names[i], names[j]) for i, j in sorted(known)]
        edges += [EdgeFinding(a, b, 0.0, "linear", 0, 0.0, "given") for a, b in unsupported]
        pairs = np.column_stack([dependence.i, dependence.j, dependence.weight])
        strongest = pairs[
            limit_degrees(dependence.i, dependence.j, dependence.weight, len(names), n_neighbors)
        ]
        found = DependencyGraph.from_edges(strongest, len(names))
        return cls(names, found, given, tuple(edges), tuple(missed), tuple(unsupported))

    def graph(self, which: Literal["found", "given", "merged"]) -> DependencyGraph:
        """One of the graphs; merged has the edges of both, those only given with the weight of
        the weakest found.
        """
        if which == "found" or self.given is None:
            return self.found
        if which == "given":
            return self.given
        weakest = self.found.weights.min(initial=1.0)
        i, j, _ = self.given.edges()
        given = np.column_stack([i, j, np.full(len(i), weakest)])
        pairs = np.concatenate([np.column_stack(self.found.edges()), given])
        return DependencyGraph.from_edges(pairs, len(self.names))

    def groups(self) -> tuple[GroupFinding, ...]:
        """Columns that belong together, by the edges found and given."""
        named = communities(self.graph("merged"), self.names)
        return tuple(GroupFinding(name, members) for name, members in named)


def _given(
    graph: Any, names: tuple[str, ...], all_names: tuple[str, ...], k_nearest: int | None
) -> DependencyGraph:
    if isinstance(graph, str | PathLike) and str(graph) not in ("chain", "ring"):
        graph = Path(graph)
    if isinstance(graph, str) and graph == "ring" and len(names) < 3:
        raise GraphError("A ring needs at least 3 columns.")
    return given_graph(graph, list(names), list(all_names), k_nearest)


def _steps(graph: DependencyGraph, starts: IntArray) -> dict[int, FloatArray]:
    """Steps from some columns to all others, infinite where there is no path."""
    unique = np.unique(starts)
    if not len(unique):
        return {}
    steps = dijkstra(graph.to_scipy(), directed=False, indices=unique, unweighted=True)
    return dict(zip(unique.tolist(), steps, strict=True))
