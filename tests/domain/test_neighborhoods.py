"""Neighborhoods: one sweep agrees with a search from every node."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locality.domain import DependencyGraph, Neighborhoods, hop_distances
from locality.domain.neighborhoods import Sweep
from locality.exceptions import OptionError


def reference(graph, radius):
    network = graph.to_networkx()
    for j in range(graph.n_nodes):
        hops = nx.single_source_shortest_path_length(network, j, cutoff=radius)
        yield sorted((hop, node) for node, hop in hops.items())


def random_graph(n, probability, seed):
    network = nx.gnp_random_graph(n, probability, seed=seed)
    return DependencyGraph.from_networkx(network, range(n))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 25), st.floats(0, 0.4), st.integers(0, 5), st.integers(0, 999))
def test_sweep_equals_search_from_every_node(n, probability, radius, seed):
    graph = random_graph(n, probability, seed)
    indptr, indices, hops = hop_distances(graph, radius)
    for j, expected in enumerate(reference(graph, radius)):
        span = slice(indptr[j], indptr[j + 1])
        assert list(zip(hops[span], indices[span], strict=True)) == expected


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 25), st.floats(0, 0.4), st.lists(st.integers(0, 6), max_size=5), st.integers(0)
)
def test_a_sweep_that_goes_on_finds_what_a_new_one_finds(n, probability, radii, seed):
    graph = random_graph(n, probability, seed)
    sweep = Sweep(graph)
    for radius in (*radii, None, *radii):
        for found, expected in zip(sweep.within(radius), hop_distances(graph, radius), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_many_paths_do_not_overflow():
    # 300 paths of two hops between opposite corners: counts beyond 8 bits, still one pair
    edges = [(0, k) for k in range(2, 302)] + [(k, 1) for k in range(2, 302)]
    indptr, _, hops = hop_distances(DependencyGraph.from_edges(edges, 302), 2)
    assert indptr[1] == 302
    assert hops[:302].tolist() == [0] + [1] * 300 + [2]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 25), st.floats(0, 0.4), st.integers(0, 999))
def test_sizes_within_and_saturation_agree(n, probability, seed):
    graph = random_graph(n, probability, seed)
    everything = Neighborhoods.of(graph)
    eccentricity = max(hops[-1][0] for hops in reference(graph, None))
    assert everything.saturation == everything.max_radius == eccentricity
    for radius in range(eccentricity + 2):
        smaller = Neighborhoods.of(graph, radius)
        cut = everything.within(radius)
        for field in ("indptr", "indices", "hops"):
            assert (getattr(cut, field) == getattr(smaller, field)).all()
        assert (cut.sizes == smaller.sizes).all()
        assert (smaller.sizes[:, -1] == np.diff(smaller.indptr)).all()
        assert smaller.saturation == (eccentricity if radius >= eccentricity else None)
        assert cut.saturation == smaller.saturation


def test_grid_sizes_follow_the_diamond():
    inner = Neighborhoods.of(DependencyGraph.grid((11, 11)), 4).sizes[60]
    assert inner.tolist() == [1 + 2 * r * (r + 1) for r in range(5)]


def test_permutation_permutes_neighborhoods():
    graph = random_graph(30, 0.1, 3)
    order = np.random.default_rng(0).permutation(30)
    plain, permuted = Neighborhoods.of(graph, 3), Neighborhoods.of(graph.permute(order), 3)
    for k in range(30):
        assert set(order[permuted.members(k)]) == set(plain.members(order[k]))


def test_radius_errors():
    with pytest.raises(OptionError, match="found -1"):
        hop_distances(DependencyGraph.chain(3), -1)
    with pytest.raises(OptionError, match="radii 0 to 1, asked for 2"):
        Neighborhoods.of(DependencyGraph.chain(9), 1).within(2)


def test_large_grid_is_swept_in_seconds():
    indptr, _, _ = hop_distances(DependencyGraph.grid((316, 316)), 4)
    assert np.diff(indptr).max() == 41
