"""Domains and stencils: literal answers, then a slow reference for everything."""

from itertools import product

import networkx as nx
import numpy as np
import pytest

from locality.domain import GIVEN, NOISY, Axis, DependencyGraph, Domain
from locality.exceptions import GraphError, OptionError


def named(n):
    return tuple(f"x{k}" for k in range(n))


def table(graph, **options):
    return Domain(graph, named(graph.n_nodes), **options)


def slots(stencils, j):
    node, offset, role = stencils.slots(j)
    return [(int(n), *map(int, o), int(r)) for n, o, r in zip(node, offset, role, strict=True)]


def reference(domain, radius):
    """One target at a time, by definition."""
    network = domain.graph.to_networkx()
    network.remove_nodes_from(domain.context)
    causal = [a for a, axis in enumerate(domain.axes) if axis.is_causal]
    lattice = [a for a, axis in enumerate(domain.axes) if not axis.is_series]
    result = {}
    for target, r in zip(domain.targets, np.broadcast_to(radius, len(domain.targets)), strict=True):
        rows = []
        for node, hops in nx.single_source_shortest_path_length(network, int(target)).items():
            for offset in product(*(axis.offsets(int(r)).tolist() for axis in domain.axes)):
                distance = hops + sum(abs(offset[a]) for a in lattice)
                if distance <= r:
                    role = GIVEN if any(offset[a] < 0 for a in causal) else NOISY
                    center = node == target and not any(offset)
                    rows.append((role, not center, distance, node, offset))
        for node in domain.context:
            for offset in product(*(axis.offsets(0).tolist() for axis in domain.axes)):
                rows.append((GIVEN, True, -1, node, offset))
        result[int(target)] = [(node, *offset, role) for role, _, _, node, offset in sorted(rows)]
    return result


def test_table_stencils_of_a_chain():
    stencils = table(DependencyGraph.chain(4)).stencils(1)
    assert slots(stencils, 0) == [(0, NOISY), (1, NOISY)]
    assert slots(stencils, 2) == [(2, NOISY), (1, NOISY), (3, NOISY)]
    assert stencils.offset.shape == (stencils.n_slots, 0)


def test_causal_series_gives_the_past():
    domain = table(DependencyGraph.chain(2), axes=(Axis("time", window=(2, 0)),))
    assert slots(domain.stencils(1), 0) == [
        (0, 0, NOISY),
        (1, 0, NOISY),
        (0, -2, GIVEN),
        (0, -1, GIVEN),
        (1, -2, GIVEN),
        (1, -1, GIVEN),
    ]


def test_joint_series_is_all_noisy_with_the_center_first():
    domain = table(DependencyGraph.empty(1), axes=(Axis("time", window=(1, 1)),))
    assert slots(domain.stencils(0), 0) == [(0, 0, NOISY), (0, -1, NOISY), (0, 1, NOISY)]


@pytest.mark.parametrize("radius", [0, 1, 2, 5])
def test_one_node_on_two_lattice_axes_gives_the_diamond(radius):
    domain = table(DependencyGraph.empty(1), axes=(Axis("row"), Axis("column")))
    _, offset, role = domain.stencils(radius).slots(0)
    diamond = {
        (a, b)
        for a, b in product(range(-radius, radius + 1), repeat=2)
        if abs(a) + abs(b) <= radius
    }
    assert {tuple(row) for row in offset.tolist()} == diamond
    assert len(offset) == 1 + 2 * radius * (radius + 1)
    assert offset[0].tolist() == [0, 0]
    assert (role == NOISY).all()
    assert (np.diff(np.abs(offset).sum(axis=1)) >= 0).all()


def test_tied_lattice_equals_the_untied_grid():
    # away from the rim, two tied axes and a grid of nodes describe the same neighbors
    tied = table(DependencyGraph.empty(1), axes=(Axis("row"), Axis("column"))).stencils(3)
    nodes = table(DependencyGraph.grid((9, 9))).stencils(3)
    _, offset, _ = tied.slots(0)
    members, _, _ = nodes.slots(40)
    assert set(members.tolist()) == set((40 + offset @ [9, 1]).tolist())
    ring = table(DependencyGraph.grid((5, 4), periodic=True)).stencils(9)
    torus = (Axis("row", extent=5, periodic=True), Axis("column", extent=4, periodic=True))
    closed = table(DependencyGraph.empty(1), axes=torus)
    assert closed.stencils(9).n_slots == ring.sizes[0] == 20


def test_context_is_given_to_all_and_blocks_paths():
    star = DependencyGraph.from_edges([(0, 3), (1, 3), (2, 3), (0, 1)], 4)
    domain = table(star, context=(3,))
    assert domain.targets.tolist() == [0, 1, 2]
    stencils = domain.stencils(2)
    assert slots(stencils, 0) == [(0, NOISY), (1, NOISY), (3, GIVEN)]
    assert slots(stencils, 2) == [(2, NOISY), (3, GIVEN)]
    series = table(star, context=(3,), axes=(Axis("time", window=(1, 0)),)).stencils(0)
    assert slots(series, 2) == [(2, 0, NOISY), (3, -1, GIVEN), (3, 0, GIVEN), (2, -1, GIVEN)]


AXES = [
    (),
    (Axis("time", window=(2, 0)),),
    (Axis("time", window=(1, 1)),),
    (Axis("place"),),
    (Axis("place", extent=3, periodic=True), Axis("time", window=(1, 0))),
    (Axis("row", extent=3), Axis("column")),
]


@pytest.mark.parametrize("context", [(), (0, 5)])
@pytest.mark.parametrize("axes", AXES)
def test_stencils_equal_the_definition(axes, context):
    network = nx.gnp_random_graph(12, 0.2, seed=4)
    domain = table(DependencyGraph.from_networkx(network), axes=axes, context=context)
    mixed = np.arange(len(domain.targets)) % 4
    for radius in (0, 2, mixed):
        stencils = domain.stencils(radius)
        expected = reference(domain, radius)
        assert stencils.target.tolist() == list(expected)
        for j, rows in expected.items():
            assert slots(stencils, j) == rows
        assert (stencils.sizes == [len(rows) for rows in expected.values()]).all()
        assert (stencils.n_noisy + stencils.n_given == stencils.sizes).all()
        given_slots = [sum(row[-1] for row in rows) for rows in expected.values()]
        assert (stencils.n_given == given_slots).all()


@pytest.mark.parametrize("axes", AXES)
def test_noisy_slots_of_a_smaller_radius_come_first(axes):
    domain = table(DependencyGraph.from_networkx(nx.gnp_random_graph(12, 0.2, seed=4)), axes=axes)
    small, large = domain.stencils(1), domain.stencils(3)
    for j, count in enumerate(small.n_noisy):
        assert slots(small, j)[:count] == slots(large, j)[:count]


@pytest.mark.parametrize("axes", AXES)
def test_permutation_permutes_stencils(axes):
    graph = DependencyGraph.from_networkx(nx.gnp_random_graph(12, 0.2, seed=7))
    order = np.random.default_rng(1).permutation(12)
    plain = table(graph, axes=axes).stencils(2)
    permuted = table(graph.permute(order), axes=axes).stencils(2)
    for k in range(12):
        moved = [(int(order[node]), *rest) for node, *rest in slots(permuted, k)]
        assert sorted(moved) == sorted(slots(plain, int(order[k])))


def test_select_takes_stencils_by_node():
    domain = table(DependencyGraph.chain(6), context=(0,), axes=(Axis("time", window=(1, 0)),))
    stencils = domain.stencils(1)
    chosen = stencils.select([4, 2])
    assert chosen.target.tolist() == [4, 2]
    assert [slots(chosen, j) for j in (4, 2)] == [slots(stencils, j) for j in (4, 2)]
    assert stencils.select([]).n_slots == 0
    with pytest.raises(GraphError, match="Node 0 is not among the 5 targets"):
        stencils.select([3, 0])
    with pytest.raises(ValueError, match="read-only"):
        stencils.node[0] = 1


def test_axis_offsets():
    assert Axis("a", extent=5, periodic=True).offsets(9).tolist() == [-2, -1, 0, 1, 2]
    assert Axis("a", extent=4, periodic=True).offsets(9).tolist() == [-1, 0, 1, 2]
    assert Axis("a", extent=1, periodic=True).offsets(9).tolist() == [0]
    assert Axis("a", extent=3).offsets(9).tolist() == [-2, -1, 0, 1, 2]
    assert Axis("a", window=(2, 1)).offsets(0).tolist() == [-2, -1, 0, 1]


@pytest.mark.parametrize(
    ("build", "kind", "message"),
    [
        (lambda: Axis("t", window=(-1, 0)), OptionError, r"axis 't' must be two numbers"),
        (lambda: Axis("t", periodic=True), OptionError, "no extent"),
        (lambda: Axis("t", (1, 0), 9, True), OptionError, "a window"),
        (lambda: Axis("t", extent=0), OptionError, "at least 1 position"),
        (lambda: Domain(DependencyGraph.chain(3), ("a",)), GraphError, "3 nodes, but there are 1"),
        (lambda: Domain(DependencyGraph.chain(2), ("a", "a")), GraphError, "1 of 2 repeat"),
        (lambda: table(DependencyGraph.chain(2), context=(2,)), GraphError, "within 0 to 1"),
        (lambda: table(DependencyGraph.chain(2), context=(0, 1)), OptionError, "nothing to model"),
        (
            lambda: table(DependencyGraph.chain(2), axes=(Axis("t", (1, 0)), Axis("u", (1, 0)))),
            OptionError,
            "one series axis",
        ),
        (lambda: table(DependencyGraph.chain(2)).stencils(-1), OptionError, "whole number ≥ 0"),
        (lambda: table(DependencyGraph.chain(2)).stencils(1.5), OptionError, "whole number ≥ 0"),
        (lambda: table(DependencyGraph.chain(2)).stencils([1]), OptionError, "one per target"),
    ],
)
def test_domain_errors(build, kind, message):
    with pytest.raises(kind, match=message):
        build()
