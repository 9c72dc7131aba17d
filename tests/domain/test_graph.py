"""Graphs: hand-written adjacency, networkx as the second route, errors that name the place."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from locality.domain import DependencyGraph
from locality.exceptions import GraphError, OptionError


def dense(graph):
    return graph.to_scipy().toarray()


def test_chain_ring_and_grid_have_their_hand_written_matrices():
    chain = [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    ring = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]
    square = [[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]]
    assert dense(DependencyGraph.chain(4)).tolist() == chain
    assert dense(DependencyGraph.ring(4)).tolist() == ring
    assert dense(DependencyGraph.grid((2, 2))).tolist() == square
    assert dense(DependencyGraph.grid((2, 2), periodic=True)).tolist() == square
    assert not dense(DependencyGraph.empty(3)).any()
    assert dense(DependencyGraph.complete(3)).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert DependencyGraph.chain(1) == DependencyGraph.ring(1) == DependencyGraph.empty(1)
    assert DependencyGraph.ring(2) == DependencyGraph.chain(2)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (1, 4), (3, 2, 2, 3)])
def test_grid_equals_networkx(shape, periodic):
    reference = nx.grid_graph(dim=list(reversed(shape)), periodic=periodic)
    order = list(np.ndindex(*shape))
    if len(shape) == 1:
        order = [k for (k,) in order]
    reference.remove_edges_from(list(nx.selfloop_edges(reference)))
    assert DependencyGraph.grid(shape, periodic) == DependencyGraph.from_networkx(reference, order)


def test_grid_closes_only_periodic_axes():
    graph = DependencyGraph.grid((3, 4), periodic=(False, True))
    assert graph.neighbors(0).tolist() == [1, 3, 4]


edge_lists = st.integers(2, 8).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(
            st.tuples(
                st.integers(0, n - 1), st.integers(0, n - 1), st.sampled_from([0.0, 0.5, 1.0, 2.0])
            ).filter(lambda edge: edge[0] != edge[1]),
            max_size=20,
        ),
    )
)


@given(edge_lists)
def test_all_routes_in_and_out_agree(case):
    n, edges = case
    matrix = np.zeros((n, n))
    for i, j, weight in edges:
        matrix[i, j] = matrix[j, i] = max(matrix[i, j], weight)
    graph = DependencyGraph.from_edges(edges, n)
    assert (dense(graph) == matrix).all()
    assert (graph.degrees == (matrix > 0).sum(axis=1)).all()
    assert DependencyGraph.from_scipy(sp.coo_array(matrix)) == graph
    assert DependencyGraph.from_networkx(graph.to_networkx()) == graph
    assert DependencyGraph.from_edges(np.column_stack(graph.edges()), n) == graph
    i, j, weight = graph.edges()
    assert graph.n_edges == len(i)
    assert (i < j).all()
    assert (matrix[i, j] == weight).all()


@given(edge_lists, st.randoms(use_true_random=False))
def test_permutation_permutes_the_matrix(case, random):
    n, edges = case
    order = list(range(n))
    random.shuffle(order)
    graph = DependencyGraph.from_edges(edges, n)
    assert (dense(graph.permute(order)) == dense(graph)[np.ix_(order, order)]).all()
    assert graph.permute(order).permute(np.argsort(order)) == graph


def test_graph_is_immutable_hashable_and_owns_its_arrays():
    chain = DependencyGraph.chain(3)
    indices = chain.indices.copy()
    graph = DependencyGraph(chain.indptr, indices, chain.weights)
    indices[0] = 99
    assert graph == chain
    assert hash(graph) == hash(chain)
    assert graph != DependencyGraph.ring(3)
    with pytest.raises(ValueError, match="read-only"):
        graph.weights[0] = 2.0


def test_names_travel_through_networkx():
    graph = DependencyGraph.from_edges([(0, 1, 0.25)], 3)
    network = graph.to_networkx(["a", "b", "c"])
    assert network["a"]["b"]["weight"] == 0.25
    assert set(network.nodes) == {"a", "b", "c"}


def test_k_nearest_is_a_symmetric_union():
    # on the line 0, 1, 3, 7 the nearest of 7 is 3, of 3 is 1, of 0 and 1 each other
    x = np.array([0.0, 1.0, 3.0, 7.0])
    graph = DependencyGraph.from_distance_matrix(np.abs(x[:, None] - x), k_nearest=1)
    i, j, weight = graph.edges()
    assert list(zip(i, j, strict=True)) == [(0, 1), (1, 2), (2, 3)]
    assert weight.tolist() == [1 / (1 + 1 / 2), 1 / 2, 1 / (1 + 4 / 2)]


def test_distance_ties_go_to_the_smaller_node():
    graph = DependencyGraph.from_distances([1, 1], [0, 2], [1.0, 1.0], 3, k_nearest=1)
    assert graph.n_edges == 2  # each end counts node 1 as its nearest
    graph = DependencyGraph.from_distances([3, 3, 0, 1], [0, 1, 2, 2], [1, 1, 0.5, 0.5], 4, 1)
    assert graph.neighbors(3).tolist() == [0]


def test_threshold_directions_and_self_pairs():
    distance = np.array([[0, 5, 1], [2, 0, np.inf], [1, np.inf, 0]], dtype=float)
    graph = DependencyGraph.from_distance_matrix(distance, threshold=2)
    assert dense(graph).astype(bool).tolist() == [
        [False, True, True],
        [True, False, False],
        [True, False, False],
    ]


def test_nearest_neighbors_match_brute_force():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    distance = np.linalg.norm(x[:, None] - x, axis=2)
    expected = np.zeros((40, 40), dtype=bool)
    for j in range(40):
        expected[j, np.argsort(distance[j])[1:5]] = True
    expected |= expected.T
    graph = DependencyGraph.from_distance_matrix(distance, k_nearest=4)
    assert (dense(graph).astype(bool) == expected).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DependencyGraph.from_edges([(0, 1), (2, 2)], 3), "Edge 1 joins node 2 to itself"),
        (lambda: DependencyGraph.from_edges([(0, 7)], 3), "Pair 0 joins nodes 0 and 7"),
        (lambda: DependencyGraph.from_edges([(-1, 0)], 3), "Pair 0 joins nodes -1 and 0"),
        (lambda: DependencyGraph.from_edges([(0, 1, -0.5)], 3), "has weight -0.5"),
        (lambda: DependencyGraph.from_edges([(0, 1, float("nan"))], 3), "has weight nan"),
        (lambda: DependencyGraph.from_edges([(0, 1, 2, 3)], 3), r"expected \(i, j\)"),
        (lambda: DependencyGraph.from_edges([(0.5, 1)], 3), "node numbers, found 0.5"),
        (lambda: DependencyGraph.from_edges([("a", "b")], 3), "must hold node numbers"),
        (lambda: DependencyGraph.from_edges([], 0), "at least one node"),
        (lambda: DependencyGraph.from_scipy(np.ones((2, 3))), "must be square"),
        (lambda: DependencyGraph.from_scipy([[0, 1], [0, 0]]), r"entry \(0, 1\) is 1.0"),
        (lambda: DependencyGraph.from_scipy([[0, np.nan], [1, 0]]), "has weight nan"),
        (lambda: DependencyGraph.from_networkx(nx.DiGraph([(0, 1)])), "directed"),
        (lambda: DependencyGraph.from_networkx(nx.path_graph(3), [0, 1]), "among the 2 names: 2"),
        (lambda: DependencyGraph.from_distances([0], [1], [-1.0], 2), "negative or missing"),
        (lambda: DependencyGraph.from_distances([0], [0], [3.0], 2), "distance 3.0 from itself"),
        (lambda: DependencyGraph.from_distances([0, 1], [1], [1.0], 2), "one entry per pair"),
        (lambda: DependencyGraph.chain(3).permute([0, 0, 1]), "exactly once"),
        (lambda: DependencyGraph.chain(3).to_networkx(["a"]), "1 names for 3 nodes"),
        (lambda: DependencyGraph([0, 1, 1], [1], [1.0]), "not symmetric"),
        (lambda: DependencyGraph([0, 1, 2], [0, 0], [1.0, 1.0]), "self loops"),
        (lambda: DependencyGraph([0, 2], [0], [1.0]), "compressed sparse rows"),
        (lambda: DependencyGraph([0, 1], [4], [1.0]), "outside the nodes"),
        (lambda: DependencyGraph([0, 1, 2], [1, 0], [-1.0, -1.0]), "positive and finite"),
    ],
)
def test_graph_errors_name_the_place(build, message):
    with pytest.raises(GraphError, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DependencyGraph.grid(()), "at least one axis"),
        (lambda: DependencyGraph.chain(0), "at least 1 cell"),
        (lambda: DependencyGraph.grid((2, 2), (True,)), "2 axes, but periodic has 1"),
        (lambda: DependencyGraph.from_distance_matrix(np.zeros((2, 2))), "k_nearest or threshold"),
        (lambda: DependencyGraph.from_distances([0], [1], [1.0], 2, k_nearest=0), "at least 1"),
        (lambda: DependencyGraph.from_distances([0], [1], [1.0], 2, threshold=-1), "at least 0"),
    ],
)
def test_option_errors_state_what_is_permitted(build, message):
    with pytest.raises(OptionError, match=message):
        build()


def test_asymmetric_matrix_can_be_symmetrized():
    graph = DependencyGraph.from_scipy([[0, 1, 0], [3, 0, 0], [2, 0, 9]], symmetrize=True)
    assert dense(graph).tolist() == [[0, 3, 2], [3, 0, 0], [2, 0, 0]]
