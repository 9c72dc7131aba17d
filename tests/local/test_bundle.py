"""Bundles of shards give what the shards give one by one, in rows that lie together or not."""

import numpy as np
import pytest
import torch

from locality.domain import DependencyGraph, Domain
from locality.local.bundle import Bundle
from locality.noise.streams import stream


def law(sources):
    return 0.6 ** np.abs(np.subtract.outer(sources.node, sources.node))


@pytest.mark.parametrize("d", [24, 26], ids=["equal shards", "a smaller one"])
def test_a_bundle_is_its_shards(make_field, d) -> None:
    graph = DependencyGraph.chain(d)
    field = make_field(Domain(graph, tuple(f"x{j}" for j in range(d))), 2, law, n_shards=4)
    y = torch.randn(d, 7, generator=stream(0), dtype=torch.float64)
    found = field.bind(np.zeros((d, 7))).denoise(y, 0.4)
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
        [
            (denoiser, row[shard.source_node], int(row[shard.target[0]]))
            for shard, (denoiser, _) in zip(field.shards, field.denoisers(()), strict=True)
        ],
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
