"""How far networks are believed: where rows were all, far away nothing, and smoothly between."""

from dataclasses import replace

import numpy as np
import torch

from locality.domain import DependencyGraph, Domain
from locality.inference.density.differentiable import DifferentiableField
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.local.patches import Sources
from locality.local.reach import limits, within


def test_inputs_within_are_left_alone_and_others_held() -> None:
    slots = torch.tensor([[[0.0, 2.5, -9.0], [1.0, 1.0, 1.0]]])
    low, high = -torch.ones(1, 2, 1), torch.full((1, 2, 1), 2.0)
    held, fade, slope = within(slots, low, high)
    assert held.tolist() == [[[0.0, 2.0, -1.0], [1.0, 1.0, 1.0]]]
    # distances 0, 0.5 and 8 in units of a quarter
    np.testing.assert_allclose(fade[0].numpy(), [1.0, 1 / (1 + 2.0**2), 1 / (1 + 32.0**2)])
    assert (slope[:, 1] == 0).all()
    assert slope[0, 0, 0] == 0


def test_the_slope_is_the_derivative_of_the_fading() -> None:
    generator = torch.Generator().manual_seed(0)
    slots = 3.0 * torch.randn(4, 3, 50, generator=generator, dtype=torch.float64)
    low, high = -torch.rand(4, 3, 1, dtype=torch.float64), torch.rand(4, 3, 1, dtype=torch.float64)
    slots.requires_grad_()
    _, fade, slope = within(slots, low, high)
    (expected,) = torch.autograd.grad(fade.sum(), slots)
    torch.testing.assert_close(slope.detach(), expected)


def test_ends_of_noisy_slots_widen_with_the_noise_and_shrink_with_their_scale() -> None:
    seen = torch.tensor([[[-1.0, 2.0], [-1.0, 2.0]]])
    sigma = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    low, high = limits(seen, 1, sigma)
    np.testing.assert_allclose(low[0].numpy(), [[-1.0, -4.0 / 2**0.5], [-1.0, -1.0]])
    np.testing.assert_allclose(high[0].numpy(), [[2.0, 5.0 / 2**0.5], [2.0, 2.0]])


def _covariance(sources: Sources) -> np.ndarray:
    return 0.6 ** np.abs(np.subtract.outer(sources.node, sources.node))


def _fields(make_field, seen: float) -> tuple[ScoreField, ScoreField]:
    """A field whose networks have seen values up to ``seen``, and its closed form."""
    domain = Domain(DependencyGraph.chain(6), tuple("abcdef"))
    field = make_field(domain, 1, _covariance, n_shards=2, strength=1.0)
    shards = []
    for shard in field.shards:
        span = np.tile([-seen, seen], (len(shard.source_node), 1))
        shards.append(replace(shard, networks=replace(shard.networks, trained_range=span)))
    return (
        replace(field, shards=tuple(shards)),
        replace(field, shards=tuple(shard.linear for shard in field.shards)),
    )


def _denoised(field: ScoreField, y: np.ndarray, sigma: float) -> np.ndarray:
    bound = BoundField(field, np.zeros_like(y))
    return bound.denoise(torch.from_numpy(y[field.nodes]), sigma).numpy()


def test_far_from_all_rows_the_closed_form_remains(make_field) -> None:
    """And within what was seen nothing changes, to the bit."""
    bounded, linear = _fields(make_field, 2.0)
    anywhere, _ = _fields(make_field, 1e9)
    y = np.random.default_rng(0).uniform(-1.9, 1.9, (6, 40)).astype(np.float32)
    inside = [_denoised(field, y, 0.1) for field in (bounded, anywhere, linear)]
    np.testing.assert_array_equal(inside[0], inside[1])
    assert np.abs(inside[0] - inside[2]).max() > 0.1
    found = [_denoised(field, 60.0 * np.sign(y), 0.1) for field in (bounded, anywhere, linear)]
    np.testing.assert_allclose(found[0], found[2], atol=1e-3)
    assert np.abs(found[1] - found[2]).max() > 0.1


def test_values_slopes_and_jacobians_agree_across_the_ends(make_field) -> None:
    """Finite differences of the denoiser, its divergence, and the same as a plain expression."""
    field, _ = _fields(make_field, 0.5)
    y = 2.0 * np.random.default_rng(1).standard_normal((6, 30))
    plain = DifferentiableField(field, np.zeros((6, 1)))
    state, step = torch.from_numpy(y.T.copy()), 1e-5
    found = plain.denoise(state, 0.3)
    np.testing.assert_allclose(found.T[field.nodes], _denoised(field, y, 0.3), atol=1e-5)
    slope = 0.0
    for j in range(6):
        moved = torch.zeros(6, dtype=torch.float64)
        moved[j] = step
        change = plain.denoise(state + moved, 0.3) - plain.denoise(state - moved, 0.3)
        slope = slope + change[:, j] / (2 * step)
    bound = BoundField(field, np.zeros_like(y))
    own = bound.with_divergence(torch.from_numpy(y[field.nodes]), 0.3)[1].numpy()
    expected = (slope - 6.0) / 0.3**2
    np.testing.assert_allclose(plain.divergence(state, 0.3), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(own.sum(axis=0), slope, rtol=1e-3, atol=1e-3)
