"""Graphs on a plane: parts apart, chains unfolded, equal graphs equal."""

from typing import Any

import networkx as nx
import numpy as np
import pytest

from locality.analysis.pages.arrangement import arrange
from locality.analysis.pages.plain import Row


def _edges(pairs: Any, weights: Any) -> list[Row]:
    return [
        {"a": str(a), "b": str(b), "weight": float(w)}
        for (a, b), w in zip(pairs, weights, strict=True)
    ]


def test_parts_do_not_overlap() -> None:
    graph = nx.disjoint_union_all(
        [nx.path_graph(20), nx.cycle_graph(9), nx.grid_2d_graph(4, 5), nx.empty_graph(7)]
    )
    weights = np.linspace(0.1, 0.9, graph.number_of_edges())
    drawing = arrange([str(node) for node in graph], _edges(graph.edges, weights))
    assert drawing.complete
    place = dict(zip(drawing.names, drawing.places, strict=True))
    boxes = []
    for part in nx.connected_components(graph):
        points = np.array([place[str(node)] for node in part])
        boxes.append((points.min(axis=0) - 0.4, points.max(axis=0) + 0.4))
    for number, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:number]:
            assert (np.maximum(low, other_low) >= np.minimum(high, other_high)).any()


def test_a_chain_unfolds() -> None:
    n = 40
    drawing = arrange([], _edges([(k, k + 1) for k in range(n - 1)], np.full(n - 1, 0.5)))
    place = dict(zip(drawing.names, drawing.places, strict=True))
    gaps = [np.linalg.norm(place[str(k)] - place[str(k + 1)]) for k in range(n - 1)]
    assert max(gaps) < 3 * np.median(gaps)
    nearest = [
        min(np.linalg.norm(place[str(k)] - place[str(m)]) for m in range(n) if abs(m - k) > 5)
        for k in range(n)
    ]
    assert min(nearest) > np.median(gaps)


def test_a_large_graph_is_drawn_around_its_strongest_tie() -> None:
    n = 1000
    weights = np.exp(-np.abs(np.arange(n - 1) - 600) / 50)
    drawing = arrange([], _edges([(k, k + 1) for k in range(n - 1)], weights))
    drawn = sorted(map(int, drawing.names))
    assert len(drawn) == 300
    assert drawn == list(range(drawn[0], drawn[-1] + 1))
    assert abs((drawn[0] + drawn[-1]) / 2 - 600.5) <= 1
    assert len(drawing.edges) == 299
    assert (drawing.n_columns, drawing.n_edges, drawing.complete) == (n, n - 1, False)


def test_equal_graphs_look_equal() -> None:
    graph = nx.disjoint_union(nx.star_graph(9), nx.circular_ladder_graph(8))
    edges = _edges(graph.edges, np.linspace(0.1, 0.9, graph.number_of_edges()))
    names = [str(node) for node in graph]
    first, second = (arrange(names, part) for part in (edges, edges[::-1]))
    assert first.names == second.names
    np.testing.assert_array_equal(first.places, second.places)


@pytest.mark.parametrize("prefix", ["a", "b", "c", "d", "e"])
def test_other_names_in_the_same_order_change_nothing(prefix: str) -> None:
    """A set of names has another order whenever they hash otherwise."""
    pairs = [(k, (k + 1) % 7) for k in range(7)] + [(7, 8), (8, 9), (9, 10), (10, 11), (9, 11)]
    plain, other = (
        arrange(
            [f"{p}{k:02d}" for k in range(30)],
            _edges([(f"{p}{a:02d}", f"{p}{b:02d}") for a, b in pairs], np.full(12, 0.5)),
        )
        for p in ("s", prefix)
    )
    assert [name[1:] for name in plain.names] == [name[1:] for name in other.names]
    np.testing.assert_array_equal(plain.places, other.places)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_small_graphs_have_places(n: int) -> None:
    names = [f"s{k}" for k in range(n)]
    pairs = [(a, b) for a in names for b in names if a <= b]  # ties to itself are not drawn
    drawing = arrange(names, _edges(pairs, np.full(len(pairs), np.nan)))
    assert drawing.places.shape == (n, 2)
    assert np.isfinite(drawing.places).all()
    assert len(np.unique(drawing.places.round(3), axis=0)) == n
