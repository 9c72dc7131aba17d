"""Parts of a shard: whatever is taken away or renumbered, the rest still says the same."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from locality.domain import Axis, DependencyGraph, Domain
from locality.local.patches import Sources
from locality.local.shard import ShardState
from locality.store.arrays import to_bytes

CASES = {
    "table": (Domain(DependencyGraph.chain(6), tuple("abcdef")), ()),
    "context": (Domain(DependencyGraph.chain(6), tuple("abcdef"), (), (2, 5)), ()),
    "lattice": (Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("s", extent=4),)), (4,)),
}


def smooth(sources: Sources) -> np.ndarray:
    place = np.column_stack([sources.node, sources.offset])
    return 0.6 ** np.abs(place[:, None] - place[None]).sum(axis=2).astype(float)


@pytest.fixture(params=sorted(CASES))
def shard(request: pytest.FixtureRequest, make_field: Any) -> ShardState:
    domain, extent = CASES[request.param]
    found = make_field(domain, 1, smooth, extent=extent, strength=0.5).shards[0]
    assert len(found.networks) == len(found.target)
    return found


def pairs(shard: ShardState) -> list[Any]:
    """Node and offset of every source, None for padding."""
    table = np.column_stack([shard.source_node, shard.source_offset])
    return [*map(tuple, table.tolist()), None]


def seen(shard: ShardState, slots: np.ndarray) -> list[Any]:
    return [pairs(shard)[slot] for slot in slots]


def same_law(part: ShardState, whole: ShardState) -> None:
    """Second moments and boundary classes of the sources are those of the whole."""
    at = [pairs(whole).index(pair) for pair in pairs(part)[:-1]]
    np.testing.assert_array_equal(part.covariance, whole.covariance[np.ix_(at, at)])
    np.testing.assert_array_equal(part.source_given, whole.source_given[at])
    np.testing.assert_array_equal(
        part.networks.trained_inside, whole.networks.trained_inside[:, at]
    )
    tables = (part.noisy, part.given, part.networks.noisy, part.networks.given)
    looked_at = np.unique(np.concatenate([table.ravel() for table in tables]))
    np.testing.assert_array_equal(looked_at[looked_at < len(at)], np.arange(len(at)))


@pytest.mark.parametrize("chosen", [[0], [1, 2], [0, 2]])
def test_components_taken_out_see_what_they_saw(shard: ShardState, chosen: list[int]) -> None:
    part = shard.take(np.array(chosen))
    same_law(part, shard)
    np.testing.assert_array_equal(part.target, shard.target[chosen])
    np.testing.assert_array_equal(part.networks.unit, np.arange(len(chosen)))
    for mine, theirs in enumerate(chosen):
        for one, two in ((part, shard), (part.networks, shard.networks)):
            for name in ("noisy", "given"):
                now = seen(part, getattr(one, name)[mine])
                assert now == seen(shard, getattr(two, name)[theirs])
        for name, weight in part.networks.weights.items():
            np.testing.assert_array_equal(weight[mine], shard.networks.weights[name][theirs])
        np.testing.assert_array_equal(part.n_noisy[mine], shard.n_noisy[theirs])
        np.testing.assert_array_equal(part.n_given[mine], shard.n_given[theirs])
    whole = shard.take(np.arange(len(shard.target)))
    assert to_bytes(whole.arrays()) == to_bytes(shard.arrays())


def test_slots_move_up_in_the_closed_form_and_keep_their_place_in_networks(
    shard: ShardState,
) -> None:
    n = len(shard.source_node)
    for lost in range(n):
        part = shard.reading(np.delete(np.arange(n), lost))
        pair = pairs(shard)[lost]
        for row in range(len(shard.target)):
            for name in ("noisy", "given"):
                before = seen(shard, getattr(shard, name)[row])
                left = [p for p in before if p not in (pair, None)]
                now = seen(part, getattr(part, name)[row])
                assert now == left + [None] * (len(before) - len(left))
                for band, count in enumerate(getattr(shard, f"n_{name}")[row]):
                    expected = sum(p != pair for p in before[:count])
                    assert getattr(part, f"n_{name}")[row, band] == expected
                before = seen(shard, getattr(shard.networks, name)[row])
                now = seen(part, getattr(part.networks, name)[row])
                assert now == [None if p == pair else p for p in before]


def test_what_a_node_saw_alone_goes_with_it(shard: ShardState) -> None:
    gone = shard.target[:1]
    left = shard.without(gone)
    same_law(left, shard)
    assert gone[0] not in left.target
    assert gone[0] not in left.source_node
    for row, unit in enumerate(left.networks.unit):
        theirs = list(shard.target).index(left.target[unit])
        for name in ("noisy", "given"):
            before = seen(shard, getattr(shard.networks, name)[theirs])
            assert seen(left, getattr(left.networks, name)[row]) == before
            assert all(pair is None or pair[0] != gone[0] for pair in before)


def test_arrays_come_in_a_fixed_order_and_back(shard: ShardState) -> None:
    """Digests are taken of them one after the other."""
    own = [item.name for item in fields(ShardState) if item.name != "networks"]
    assert list(shard.linear.arrays()) == own
    names = list(shard.arrays())
    assert names[: len(own)] == own
    assert all(name.startswith("network.") for name in names[len(own) :])
    again = ShardState.from_arrays(shard.arrays())
    assert list(again.arrays()) == names
    assert again.networks.kind == shard.networks.kind
    assert again.networks.uses_rim == shard.networks.uses_rim
    assert len(ShardState.from_arrays(shard.linear.arrays()).networks) == 0


def test_what_only_a_lost_network_saw_is_gone_too(make_field: Any) -> None:
    """Closed forms of radius 0, whose networks see one node to each side."""
    domain, _ = CASES["table"]
    (shard,) = make_field(domain, 1, smooth, strength=0.5).shards
    narrow = replace(shard, noisy=shard.noisy[:, :1], n_noisy=np.ones_like(shard.n_noisy))
    left = narrow.take(np.array([0, 5])).without(np.array([1]))
    np.testing.assert_array_equal(left.target[left.networks.unit], [5])
    np.testing.assert_array_equal(left.source_node, [0, 4, 5])
    left = narrow.take(np.array([0, 5])).without(np.array([4]))
    np.testing.assert_array_equal(left.source_node, [0, 1, 5])
    narrow = replace(narrow, networks=narrow.networks.keep(narrow.networks.unit == 1))
    left = narrow.take(np.array([1])).without(np.array([0]))
    np.testing.assert_array_equal(left.source_node, [1])  # node 2 was seen by its network alone


def test_whoever_sees_a_node_is_known(shard: ShardState) -> None:
    """By definition: one of the slots, noisy or given, is of that node."""
    for nodes in ([0], [2], [1, 5], [99], []):
        told = shard.seeing(np.array(nodes, dtype=np.int64))
        for part, found in zip((shard, shard.networks), told, strict=True):
            tables = np.concatenate([part.noisy, part.given], axis=1)
            expected = [
                any(pair is not None and pair[0] in nodes for pair in seen(shard, row))
                for row in tables
            ]
            np.testing.assert_array_equal(found, expected)
    closed_forms, networks = shard.linear.seeing(shard.target)
    assert closed_forms.all()
    assert networks.shape == (0,)


def test_renumbered_nodes_are_the_same_shard(shard: ShardState) -> None:
    place = np.arange(100, 0, -1)[:6] * 3
    found = shard.renumbered(place)
    np.testing.assert_array_equal(found.target, place[shard.target])
    np.testing.assert_array_equal(found.source_node, place[shard.source_node])
    back = np.zeros(301, dtype=np.int64)
    back[place] = np.arange(6)
    assert to_bytes(found.renumbered(back).arrays()) == to_bytes(shard.arrays())


def test_networks_are_counted_where_they_are(shard: ShardState) -> None:
    assert shard.has_network.all()
    kept = replace(shard, networks=shard.networks.keep(shard.networks.unit != 1))
    np.testing.assert_array_equal(np.flatnonzero(~kept.has_network), [1])
    assert not shard.linear.has_network.any()
    assert len(shard.linear.networks) == 0
    assert shard.linear.networks.arrays() == {}


def test_what_a_shard_says_without_some_nodes_is_what_is_left_of_its_law(make_field: Any) -> None:
    """The closed form integrates them out: weights are those of the covariance without them."""
    domain, _ = CASES["table"]
    (shard,) = make_field(domain, 2, smooth, strength=0.5).shards
    gone, level = np.array([1, 4]), 0.7
    left = shard.without(gone)
    np.testing.assert_array_equal(left.target, [0, 2, 3, 5])
    form = left.closed_form(np.ones((1, len(left.source_node)), dtype=bool))
    weights = form.weights(np.full((4, 1), level))[:, 0, :, 0]
    for unit, node in enumerate(left.target):
        near = [k for k in (0, 2, 3, 5) if abs(k - node) <= 2]
        c = 0.6 ** np.abs(np.subtract.outer(near, near))
        at = near.index(node)
        expected = np.linalg.solve(c + level**2 * np.eye(len(near)), c[at])
        slots = left.noisy[unit]
        found = {left.source_node[s]: w for s, w in zip(slots, weights[unit], strict=True) if s < 4}
        np.testing.assert_allclose([found.pop(k) for k in near], expected, rtol=1e-9)
        assert not any(found.values())
    assert shard.without(np.array([77])) is shard


def test_arrays_that_are_missing_or_too_many_are_refused(shard: ShardState) -> None:
    arrays = shard.arrays()
    for name in ("target", "network.radius", "network.weight.w1", "network.kind"):
        with pytest.raises((KeyError, TypeError)):
            ShardState.from_arrays({k: v for k, v in arrays.items() if k != name})
    for name in ("other", "network.other"):
        with pytest.raises(TypeError):
            ShardState.from_arrays(arrays | {name: np.zeros(1)})
