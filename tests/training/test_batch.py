"""Batches: inputs and targets of networks against the denoiser and its formulas."""

import numpy as np
import pytest
import torch

from locality.domain import Axis, DependencyGraph, Domain
from locality.local.correction import NetworkInputs
from locality.local.patches import unfold
from locality.noise.levels import training_levels
from locality.noise.streams import stream
from locality.training.batch import Batches

CASES = {
    "table": (Domain(DependencyGraph.chain(5), tuple("abcde")), ()),
    "given": (Domain(DependencyGraph.chain(5), tuple("abcde"), (), (2,)), ()),
    "causal": (Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("t", (1, 0)),)), (4,)),
    "lattice": (Domain(DependencyGraph.empty(1), ("x",), (Axis("s"),)), (4,)),
}
N_ROWS = 64


def smooth(sources):
    places = np.column_stack([sources.node, sources.offset])
    return 1 / (1 + 0.3 * ((places[:, None] - places[None]) ** 2).sum(-1))


@pytest.mark.parametrize("name", CASES)
def test_targets_are_errors_of_the_closed_form_in_units_of_their_scale(make_field, name) -> None:
    """T = (x − D⁰(y))/√v, by the denoiser in double precision; nats weights tile the integral."""
    domain, extent = CASES[name]
    field = make_field(domain, 1, smooth, extent=extent, strength=1.0)
    (shard,) = field.shards
    ((denoiser, class_of_position),) = field.denoisers(extent)
    _, inside = shard.sources.inside(domain, extent)
    closed_form = shard.closed_form(inside)
    values = np.random.default_rng(0).standard_normal((domain.n_nodes, *extent, 40))
    z = torch.from_numpy(unfold(values, shard.sources, domain))
    rows = torch.randperm(z.shape[1], generator=stream(0))[:N_ROWS].repeat(2)[:N_ROWS]
    classes = torch.from_numpy(np.repeat(class_of_position, 40))[rows]
    noise = torch.randn(z.shape[0], N_ROWS, generator=stream(1), dtype=torch.float64)
    noise[-1] = 0.0
    noise[:-1] *= torch.from_numpy((inside & ~shard.source_given).T)[:, classes]
    sigma = training_levels(closed_form.conditional_scale[:, 0], N_ROWS)
    seen = inside if len(inside) > 1 else None
    inputs = NetworkInputs.of(shard.patches, shard.networks.level_range, seen)
    batches = Batches(inputs, closed_form, sigma, torch.device("cpu"), 5)
    batches.load(z[:, rows].float(), noise.float(), classes)
    x, target = batches(slice(0, shard.patches.n_units))
    weight = batches.nats_weight(slice(0, shard.patches.n_units))
    variance = closed_form.variance(sigma)
    n_noisy, n_slots = shard.noisy.shape[1], shard.patches.slots.shape[1]
    step = np.log(sigma[:, 1] / sigma[:, 0])
    for j, slots in enumerate(shard.patches.slots):
        for i in range(N_ROWS):
            level, k = float(sigma[j, i]), classes[i : i + 1]
            y = z[:, rows[i : i + 1]] + level * noise[:, i : i + 1]
            v = float(variance[j, k, i])
            error = float(z[slots[0], rows[i]] - denoiser.linear(y, level, k)[j])
            np.testing.assert_allclose(target[j, i], error / v**0.5, rtol=2e-3, atol=2e-4)
            scaled = y[slots, 0].clone()
            scaled[:n_noisy] /= (1 + level**2) ** 0.5
            np.testing.assert_allclose(x[j, :n_slots, i], scaled, rtol=1e-5, atol=1e-6)
            # ½ v d snr with d snr = 2 d log σ / σ²
            np.testing.assert_allclose(weight[j, i], v * step[j] / level**2, rtol=1e-5)
        if inputs.rim is not None:
            seen = x[j, n_slots + 3 : n_slots + 2 + n_noisy]
            fits = np.append(inside, np.zeros((len(inside), 1), dtype=bool), axis=1)
            np.testing.assert_array_equal(seen, fits[classes][:, slots[1:n_noisy]].T)


def test_targets_of_a_closed_form_law_have_unit_variance_and_owe_nothing_to_the_inputs(
    make_field,
) -> None:
    """What is left for a network to learn is nothing: level 1e-4 over all inputs."""
    domain, _ = CASES["table"]
    (shard,) = make_field(domain, 4, smooth, strength=1.0).shards
    closed_form = shard.closed_form(np.ones((1, 5), dtype=bool))
    sigma = training_levels(closed_form.conditional_scale[:, 0], 20_000)
    root = np.linalg.cholesky(smooth(shard.sources))
    rng = np.random.default_rng(3)
    z = np.vstack([root @ rng.standard_normal((5, 20_000)), np.zeros(20_000)])
    noise = np.vstack([rng.standard_normal((5, 20_000)), np.zeros(20_000)])
    inputs = NetworkInputs.of(shard.patches, shard.networks.level_range, None)
    batches = Batches(inputs, closed_form, sigma, torch.device("cpu"), 5)
    batches.load(
        torch.from_numpy(z).float(),
        torch.from_numpy(noise).float(),
        torch.zeros(20_000, dtype=torch.int64),
    )
    for j in range(5):
        x, target = batches(slice(j, j + 1))
        t = target[0].double()
        assert abs((t**2).mean() - 1) < 4.5 * (2 / 20_000) ** 0.5
        products = x[0, :5].double() * t
        assert (products.mean(1).abs() < 4.5 * products.std(1) / 20_000**0.5).all()
