"""Partitions: every node in one shard, neighbors together, nothing left to chance."""

import networkx as nx
import numpy as np
import pytest

from locality.domain import DependencyGraph
from locality.domain.partition import partition
from locality.exceptions import GraphError, OptionError


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_every_node_is_in_one_shard(size):
    graph = DependencyGraph.from_networkx(nx.gnp_random_graph(40, 0.05, seed=1), range(40))
    cut = partition(graph, size)
    assert np.sort(np.concatenate(cut)).tolist() == list(range(40))
    assert [len(shard) for shard in cut[:-1]] == [size] * (len(cut) - 1)
    assert all((np.diff(shard) > 0).all() for shard in cut)
    again = partition(graph, size)
    assert all((a == b).all() for a, b in zip(cut, again, strict=True))


def test_a_shuffled_chain_is_cut_as_rarely_as_possible():
    order = np.random.default_rng(0).permutation(60)
    graph = DependencyGraph.chain(60).permute(order)
    owner = np.empty(60, dtype=int)
    for number, shard in enumerate(partition(graph, 10)):
        owner[shard] = number
    i, j, _ = graph.edges()
    assert (owner[i] != owner[j]).sum() == 5


def test_shards_of_a_grid_are_round():
    """A shard of 32 cells and its halo of two steps: 86 cells if round, 167 as diagonal strips."""
    graph = DependencyGraph.grid((40, 40))
    step = graph.to_scipy().toarray() + np.eye(1600)
    near = step @ step > 0
    sizes = [near[shard].any(axis=0).sum() for shard in partition(graph, 32)]
    assert np.mean(sizes) < 86


def test_given_order_may_leave_nodes_out():
    cut = partition(DependencyGraph.chain(5), 2, given_order=[4, 0, 2])
    assert [shard.tolist() for shard in cut] == [[0, 4], [2]]


def test_partition_errors():
    graph = DependencyGraph.chain(3)
    with pytest.raises(OptionError, match="size 0"):
        partition(graph, 0)
    for order in ([0, 0], [0, 3], [-1]):
        with pytest.raises(GraphError, match="at most once"):
            partition(graph, 1, given_order=order)
