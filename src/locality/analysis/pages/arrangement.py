"""The arrangement of a graph on a page: which columns and dependences are drawn, and where.

Each connected part is placed by springs along its edges (Fruchterman and Reingold, "Graph drawing
by force-directed placement", 1991), which start from the slowest vibrations of the part
(spectral layout), so that chains and lattices unfold; it is turned so that it lies flat. The parts
are then packed in shelves, the largest first. Everything is seeded: equal graphs look equal.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from locality._typing import FloatArray
from locality.analysis.pages.plain import Row

__all__ = ["Arrangement", "arrange", "strongest"]

_MAX_NODES, _MAX_EDGES = 300, 900
_WIDE = 1.9  # width of the drawing over its height
_ROUNDS = 150
_SEED = 0


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Columns on a plane.

    Parameters
    ----------
    names : tuple of str [n_drawn]
    places : float array [n_drawn, 2]
    edges : tuple of rows
        Drawn ones, between different columns.
    n_columns, n_edges : int
        Of the whole graph.
    """

    names: tuple[str, ...]
    places: FloatArray
    edges: tuple[Row, ...]
    n_columns: int
    n_edges: int

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return len(self.names) == self.n_columns and len(self.edges) == self.n_edges


def strongest(edges: Sequence[Row]) -> list[Row]:
    """Edges in the order of their weight, the strongest first."""
    return sorted(edges, key=lambda edge: (-np.nan_to_num(edge["weight"]), edge["a"], edge["b"]))


def arrange(names: Sequence[str], edges: Sequence[Row]) -> Arrangement:
    """Choose what is drawn, and place it.

    Parameters
    ----------
    names : sequence of str
        All columns. If there are too many, only those around the strongest edges are drawn.
    edges : sequence of rows
        With ``a``, ``b`` and ``weight``.

    Examples
    --------
    >>> drawing = arrange("abc", [{"a": "a", "b": "b", "weight": 0.5}])
    >>> drawing.names, drawing.places.shape, drawing.complete
    (('a', 'b', 'c'), (3, 2), True)
    """
    pairs = [edge for edge in strongest(edges) if edge["a"] != edge["b"]]
    ends = (edge[end] for edge in pairs for end in "ab")
    everyone = tuple(dict.fromkeys([*names, *ends]))
    chosen = set(everyone) if len(everyone) <= _MAX_NODES else _around_strongest(pairs)
    drawn = [edge for edge in pairs if edge["a"] in chosen and edge["b"] in chosen][:_MAX_EDGES]
    graph: nx.Graph[str] = nx.Graph()  # all springs alike: weak ones would tear parts open
    graph.add_nodes_from(name for name in everyone if name in chosen)
    graph.add_edges_from((edge["a"], edge["b"]) for edge in drawn)
    found = (sorted(part) for part in nx.connected_components(graph))
    parts = sorted(found, key=lambda part: (-len(part), part))
    places = _pack([_place(part, graph) for part in parts])
    order = [name for part in parts for name in part]
    return Arrangement(tuple(order), places, tuple(drawn), len(everyone), len(pairs))


def _around_strongest(pairs: Sequence[Row]) -> set[str]:
    """As many columns as can be drawn, in pieces that hang together.

    Each piece begins with the strongest edge outside the others and takes in, again and again, the
    strongest edge that leaves it: the strongest edges by themselves would be scattered pairs.
    """
    leaving: dict[str, list[int]] = {}
    for rank, edge in enumerate(pairs):
        leaving.setdefault(edge["a"], []).append(rank)
        leaving.setdefault(edge["b"], []).append(rank)
    chosen: set[str] = set()
    for seed, _ in enumerate(pairs):
        ranks = [seed]
        while ranks and len(chosen) < _MAX_NODES:
            edge = pairs[heapq.heappop(ranks)]
            for name in sorted({edge["a"], edge["b"]} - chosen):
                chosen.add(name)
                for rank in leaving[name]:
                    heapq.heappush(ranks, rank)
    return chosen


def _place(names: list[str], graph: "nx.Graph[str]") -> FloatArray:
    """Places of a connected part in the order of its names, turned to lie flat; a unit per edge."""
    n = len(names)
    if n < 3:
        return np.array([[k - (n - 1) / 2, 0.0] for k in range(n)])
    part: nx.Graph[str] = nx.Graph()
    part.add_nodes_from(name for name in graph if name in names)  # a view orders them as a set
    part.add_edges_from(graph.edges(names))
    start = nx.spectral_layout(part)
    nudge = np.random.default_rng(_SEED).normal(scale=1e-3, size=(n, 2))  # parts nodes on one spot
    start = {name: start[name] + nudge[k] for k, name in enumerate(names)}
    found = nx.spring_layout(part, pos=start, iterations=_ROUNDS, seed=_SEED)
    places: FloatArray = np.array([found[name] for name in names])
    places -= places.mean(axis=0)
    places @= np.linalg.svd(places, full_matrices=False)[2].T
    number = {name: k for k, name in enumerate(names)}
    ends = np.array([[number[a], number[b]] for a, b in part.edges])
    lengths = np.linalg.norm(places[ends[:, 0]] - places[ends[:, 1]], axis=1)
    return places / max(float(np.median(lengths)), 1e-9)


def _pack(parts: Sequence[FloatArray]) -> FloatArray:
    """Parts side by side in rows of a common width, without overlap."""
    if not parts:
        return np.zeros((0, 2))
    sizes = [np.ptp(part, axis=0) + 1.0 for part in parts]
    area = float(sum(size.prod() for size in sizes))
    width = max(float(np.sqrt(_WIDE * area)), max(size[0] for size in sizes))
    placed, x, y, height = [], 0.0, 0.0, 0.0
    for part, size in zip(parts, sizes, strict=True):
        if x and x + size[0] > width:
            x, y, height = 0.0, y - height, 0.0
        corner = np.array([part[:, 0].min(), part[:, 1].max()])
        placed.append(part - corner + [x + 0.5, y - 0.5])
        x, height = x + size[0], max(height, size[1])
    return np.concatenate(placed)
