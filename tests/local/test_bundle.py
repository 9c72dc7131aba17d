"""Bundles of shards give what the shards give one by one, in rows that lie together or not."""

import numpy as np
import pytest
import torch

from locality.domain import DependencyGraph, Domain
from locality.local import bundle as bundle_module
from locality.local.bound import BoundField
from locality.local.bundle import Bundle
from locality.local.field import ScoreField
from locality.noise.streams import stream


def law(sources):
    return 0.6 ** np.abs(np.subtract.outer(sources.node, sources.node))


@pytest.mark.parametrize("d", [24, 26], ids=["equal shards", "a smaller one"])
def test_a_bundle_is_its_shards(make_field, d) -> None:
    graph = DependencyGraph.chain(d)
    field = make_field(Domain(graph, tuple(f"x{j}" for j in range(d))), 2, law, n_shards=4)
    y = torch.randn(d, 7, generator=stream(0), dtype=torch.float64)
    found = BoundField(field, np.zeros((d, 7))).denoise(y, 0.4)
    row = field.row_of_node
    for shard, (denoiser, classes) in zip(field.shards, field.denoisers(()), strict=True):
        z = torch.cat([y[row[shard.source_node]], torch.zeros(1, 7)])
        kinds = torch.from_numpy(np.repeat(classes, 7))
        torch.testing.assert_close(found[row[shard.target]], denoiser.linear(z, 0.4, kinds))


def test_forgotten_levels_come_back_the_same(make_field) -> None:
    d = 12
    graph = DependencyGraph.chain(d)
    field = make_field(Domain(graph, tuple(f"x{j}" for j in range(d))), 2, law, n_shards=3)
    row = field.row_of_node
    bundle = Bundle.of(
        [(shard, row[shard.source_node], int(row[shard.target[0]])) for shard in field.shards],
        1 << 40,  # components: no room for more than one level
    )
    assert bundle.n_kept == 1
    y, room = torch.randn(d, 5, generator=stream(1)), torch.empty(len(bundle.state_rows), 5)
    found = {}
    for sigma in (0.3, 0.9, 0.3, 0.9):
        result = torch.full((d, 5), torch.nan)
        bundle(y, sigma, room, result)
        assert torch.equal(found.setdefault(sigma, result), result)
    assert not torch.equal(found[0.3], found[0.9])


def test_prepared_levels_are_the_same_and_leave_no_decomposition(make_field) -> None:
    d = 24
    graph = DependencyGraph.chain(d)
    domain = Domain(graph, tuple(f"x{j}" for j in range(d)))
    y = torch.randn(d, 7, generator=stream(0))
    asked, ready = (
        BoundField(make_field(domain, 2, law, n_shards=4), np.zeros((d, 7), np.float32))
        for _ in range(2)
    )
    ready.prepare([0.2, 0.9], torch.float32)
    for sigma in (0.2, 0.9):
        assert torch.equal(ready.denoise(y, sigma), asked.denoise(y, sigma))
    assert all("closed_forms" not in vars(bundle) for bundle in ready.bundles)
    assert all("closed_forms" in vars(bundle) for bundle in asked.bundles)
    assert torch.equal(ready.denoise(y, 0.5), asked.denoise(y, 0.5))


@pytest.mark.parametrize("d", [24, 26], ids=["equal shards", "a smaller one"])
def test_a_shard_of_a_bundle_reads_its_own_sources_alone(make_field, d) -> None:
    """Whatever else is NaN: padding of smaller shards and units looks at nobody else."""
    graph = DependencyGraph.chain(d)
    field = make_field(Domain(graph, tuple(f"x{j}" for j in range(d))), 2, law, n_shards=4)
    y = torch.randn(d, 7, generator=stream(0))
    bound = BoundField(field, np.zeros((d, 7), np.float32))
    whole = bound.denoise(y, 0.4).clone()
    row = field.row_of_node
    assert len({len(shard.source_node) for shard in field.shards}) > 1
    for shard in field.shards:
        alone = torch.full_like(y, torch.nan)
        alone[row[shard.source_node]] = y[row[shard.source_node]]
        own = row[shard.target]
        assert torch.equal(bound.denoise(alone, 0.4)[own], whole[own])


@pytest.mark.parametrize("room", [1, 3_000, 10_000])
def test_as_many_levels_are_kept_as_there_is_room_for(
    make_field, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Of all bundles together, in single precision; at least one, and one more would not fit."""
    monkeypatch.setattr(bundle_module, "_KEPT_BYTES", room)
    d = 24
    domain = Domain(DependencyGraph.chain(d), tuple(f"x{j}" for j in range(d)))
    bound = BoundField(make_field(domain, 2, law, n_shards=4), np.zeros((d, 3), np.float32))
    y = torch.randn(d, 3, generator=stream(0))
    fresh = BoundField(make_field(domain, 2, law, n_shards=4), np.zeros((d, 3), np.float32))
    most = of_level = 0
    for k in range(40):
        sigma = 0.1 + 0.05 * k
        assert torch.equal(bound.denoise(y, sigma), fresh.denoise(y, sigma))
        kept = [w for bundle in bound.bundles for w in bundle._weights.values()]
        most = max(most, sum(w.numel() * w.element_size() for w in kept))
        of_level = of_level or most
    assert most <= max(room, of_level)
    assert most + of_level > room
    levels = [0.2 + 0.1 * k for k in range(30)]
    bound.prepare(levels, torch.float32)  # a walk may have more
    for bundle in bound.bundles:
        assert {sigma for sigma, _ in bundle._weights} == set(levels)
        assert "closed_forms" in vars(bundle)
    bound.denoise(y, 0.2)
    assert all(len(bundle._weights) == 30 for bundle in bound.bundles)


def test_a_level_is_kept_for_each_precision(make_field) -> None:
    d = 12
    domain = Domain(DependencyGraph.chain(d), tuple(f"x{j}" for j in range(d)))
    y = torch.randn(d, 3, generator=stream(0), dtype=torch.float64)
    single, double = (
        BoundField(make_field(domain, 2, law, n_shards=3), np.zeros((d, 3), dtype))
        for dtype in (np.float32, np.float64)
    )
    exact = double.denoise(y, 0.3)
    found = single.denoise(y.float(), 0.3)
    assert exact.dtype == torch.float64
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-6)
    assert not torch.equal(found.double(), exact)


def test_shards_whose_rows_lie_apart_are_put_where_they_belong(make_field) -> None:
    """In any order of the shards every node has its denoised value, and its slope."""
    d = 24
    domain = Domain(DependencyGraph.chain(d), tuple(f"x{j}" for j in range(d)))
    field = make_field(domain, 2, law, n_shards=4)
    x = torch.randn(d, 3, generator=stream(0), dtype=torch.float64)
    found = []
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        mixed = ScoreField(domain, tuple(field.shards[k] for k in order))
        state = x[mixed.nodes].contiguous()
        bound = BoundField(mixed, np.zeros((d, 3)))
        value, slope = bound.with_divergence(state, 0.4)
        assert torch.equal(value, bound.denoise(state, 0.4))
        back = np.argsort(mixed.nodes)
        found.append((value[back], slope[back]))
        for k in (0, 1, 7, 23):  # linear, so that any step gives the slope
            moved = state.clone()
            moved[back[k]] += 1.0
            change = bound.denoise(moved, 0.4)[back[k]] - value[back[k]]
            torch.testing.assert_close(slope[back[k]], change)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
