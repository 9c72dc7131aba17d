"""The local denoiser: closed form plus network."""

import numpy as np
import pytest
import torch

from locality.domain import Axis, DependencyGraph, Domain
from locality.local.bound import BoundField
from locality.local.denoiser import LocalDenoiser
from locality.noise.streams import stream

CHAIN = Domain(DependencyGraph.chain(6), tuple("abcdef"))
LATTICE = Domain(DependencyGraph.empty(1), ("x",), (Axis("s"),))


def table_denoiser(make_field, make_covariance, strength: float) -> LocalDenoiser:
    c = make_covariance(6)
    field = make_field(CHAIN, 1, lambda s: c[np.ix_(s.node, s.node)], strength=strength)
    return field.denoisers(())[0][0]


def some_state(n: int, seed: int = 0) -> torch.Tensor:
    z = torch.randn(7, n, generator=stream(seed))
    z[-1] = 0.0
    return z


def nowhere(n: int) -> torch.Tensor:
    return torch.zeros(n, dtype=torch.int64)


@pytest.mark.parametrize("sigma", [0.01, 0.5, 8.0])
def test_a_model_whose_networks_are_zero_is_the_linear_model(
    make_field, make_covariance, sigma
) -> None:
    neural = table_denoiser(make_field, make_covariance, strength=1.0)
    linear = table_denoiser(make_field, make_covariance, strength=0.0)
    z = some_state(40)
    assert linear.correction is None
    assert neural.correction is not None
    different = neural(z, sigma, nowhere(40))
    assert not torch.equal(different, linear(z, sigma, nowhere(40)))
    for name in ("w3", "b3"):
        neural.correction.networks.weights[name].zero_()
    assert torch.equal(neural(z, sigma, nowhere(40)), linear(z, sigma, nowhere(40)))


def test_correction_is_the_network_in_units_of_the_linear_error(
    make_field, make_covariance
) -> None:
    """D − D⁰ = √v F, with the inputs written out by hand at a level of the trained range."""
    denoiser = table_denoiser(make_field, make_covariance, strength=1.0)
    sigma, z = 0.6, some_state(30)
    assert denoiser.correction is not None
    inputs, networks = denoiser.correction.inputs, denoiser.correction.networks
    low, high = np.log(inputs.level_range[0].numpy())
    t = (2 * (np.log(sigma) - low) / (high - low) - 1) * np.sqrt(3)
    n_noisy = denoiser.closed_form.patches.noisy.shape[1]
    x = torch.zeros(6, networks.n_inputs, 30)
    for j in range(6):
        x[j, :n_noisy] = z[denoiser.closed_form.patches.noisy[j]] / np.sqrt(1 + sigma**2)
        x[j, n_noisy : n_noisy + 3] = torch.tensor([t, t**2 - 1, 1.0])[:, None]
    error = denoiser.closed_form.variance(np.full((6, 1), sigma))[:, 0] ** 0.5
    expected = torch.from_numpy(error).float() * networks.forward(x, slice(0, 6))
    found = denoiser.correction(z, sigma, nowhere(30))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_correction_fades_outside_the_trained_levels(make_field, make_covariance) -> None:
    """Below the range D − D⁰ falls at least as σ², above as σ^-2 times √v, which is constant."""
    denoiser = table_denoiser(make_field, make_covariance, strength=1.0)
    z = some_state(20)
    for sigmas, power in (([0.02, 0.01, 0.005], 2.0), ([50.0, 100.0, 200.0], -2.0)):
        sizes = [denoiser.correction(z, s, nowhere(20)).norm() for s in sigmas]
        slopes = np.diff(np.log(sizes)) / np.diff(np.log(sigmas))
        np.testing.assert_allclose(slopes, power, atol=0.15)


def test_rows_and_precision_do_not_matter(make_field, make_covariance) -> None:
    """700 examples in blocks, alone and in double precision."""
    denoiser = table_denoiser(make_field, make_covariance, strength=1.0)
    z, sigma = some_state(700), 0.3
    whole = denoiser(z, sigma, nowhere(700))
    alone = torch.cat([denoiser(z[:, [i]], sigma, nowhere(1)) for i in (0, 255, 256, 699)], 1)
    torch.testing.assert_close(whole[:, [0, 255, 256, 699]], alone, rtol=1e-5, atol=1e-6)
    double = denoiser.linear(z.double(), sigma, nowhere(700))
    assert double.dtype == torch.float64
    torch.testing.assert_close(
        denoiser.linear(z, sigma, nowhere(700)).double(), double, rtol=1e-5, atol=1e-6
    )


def test_networks_never_read_what_is_not_in_their_stencil(make_field, make_covariance) -> None:
    """Rows of z outside the stencils of a chunk hold NaN; so does everything else it must skip."""
    denoiser = table_denoiser(make_field, make_covariance, strength=1.0)
    z = some_state(15)
    clean = denoiser.correction(z, 0.4, nowhere(15))
    for j in range(6):
        poisoned = z.clone()
        outside = np.setdiff1d(np.arange(6), denoiser.closed_form.patches.noisy[j])
        poisoned[outside] = torch.nan
        found = denoiser.correction(poisoned, 0.4, nowhere(15))
        assert torch.equal(found[j], clean[j])
        assert found.isnan().any()


def test_closed_form_gives_no_weight_to_padding_and_to_other_sources(
    make_field, make_covariance
) -> None:
    """Any finite number there, 1e30 even, changes no bit."""
    denoiser = table_denoiser(make_field, make_covariance, strength=0.0)
    z = some_state(15)
    for sigma in (0.05, 1.0, 10.0):
        clean = denoiser.linear(z, sigma, nowhere(15))
        for j in range(6):
            poisoned = z.clone()
            poisoned[np.setdiff1d(np.arange(6), denoiser.closed_form.patches.noisy[j])] = 1e30
            poisoned[-1] = 1e30
            assert torch.equal(denoiser.linear(poisoned, sigma, nowhere(15))[j], clean[j])


@pytest.mark.parametrize("extent", [3, 5, 12])
def test_each_boundary_class_has_its_own_closed_form(make_field, extent) -> None:
    """On a lattice the weights at every position are those of the positions that exist."""
    rho, radius, sigma = 0.8, 2, 0.5

    def covariance(sources):
        return rho ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))

    field = make_field(LATTICE, radius, covariance)
    y = np.random.default_rng(0).standard_normal((1, extent, 4)).astype(np.float32)
    bound = BoundField(field, np.zeros_like(y))
    found = bound.denoise(torch.from_numpy(y.reshape(1, -1)), sigma).reshape(extent, 4)
    place = np.arange(extent)
    for s in place:
        near = place[np.abs(place - s) <= radius]
        c = rho ** np.abs(np.subtract.outer(near, near))
        w = np.linalg.solve(c + sigma**2 * np.eye(len(near)), c[:, near == s][:, 0])
        np.testing.assert_allclose(found[s], w @ y[0, near], rtol=1e-4, atol=1e-6)


def test_networks_are_silent_in_boundary_classes_they_were_not_trained_in(make_field) -> None:
    def covariance(sources):
        return 0.7 ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))

    neural = make_field(LATTICE, 1, covariance, extent=(9,), strength=1.0)
    shard = neural.shards[0]
    inside = shard.networks.trained_inside[:1]  # the interior only
    object.__setattr__(shard.networks, "trained_inside", inside)
    linear = make_field(LATTICE, 1, covariance)
    y = torch.randn(1, 9 * 5, generator=stream(1))
    values = np.zeros((1, 9, 5), dtype=np.float32)
    same = (
        BoundField(neural, values).denoise(y, 0.5) == BoundField(linear, values).denoise(y, 0.5)
    ).view(9, 5)
    assert same[[0, 8]].all()
    assert not same[1:8].any()


def test_forgotten_levels_come_back_the_same(make_field, make_covariance, monkeypatch) -> None:
    """Matrices are kept for so many levels and precisions, and for no more."""
    monkeypatch.setattr("locality.local.denoiser._MAX_KEPT", 3)
    denoiser = table_denoiser(make_field, make_covariance, strength=0.0)
    z, found = some_state(4), {}
    for sigma in (0.1, 0.2, 0.3, 0.4, 0.5, 0.1, 0.3, 0.1):
        for part in (z, z.double()):
            result = denoiser.linear(part, sigma, nowhere(4))
            assert result.dtype == part.dtype
            assert torch.equal(found.setdefault((sigma, part.dtype), result), result)
            assert 0 < len(denoiser._linear) <= 3
    assert len({value[0, 0].item() for value in found.values()}) == 10
    before = denoiser._matrices(0.1, torch.float32)
    assert denoiser._matrices(0.1, torch.float32) is before


def test_examples_of_any_classes_get_theirs_in_any_order(make_field) -> None:
    """Some classes absent, one alone, all mixed: each example as it is by itself."""

    def covariance(sources):
        return 0.8 ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))

    field = make_field(LATTICE, 2, covariance, extent=(7,), strength=1.0)
    denoiser, classes = field.denoisers((7,))[0]
    n_classes = int(classes.max()) + 1
    assert n_classes == 5
    z = torch.randn(6, 9, generator=stream(4))
    z[-1] = 0.0
    for kinds in ([0] * 9, [3] * 9, [1, 4, 1, 1, 4, 1, 4, 1, 1], [4, 3, 2, 1, 0, 0, 1, 2, 3]):
        of = torch.tensor(kinds)
        whole, slope = denoiser.with_divergence(z, 0.4, of)
        torch.testing.assert_close(denoiser(z, 0.4, of), whole)
        for i in range(9):
            alone = denoiser.with_divergence(z[:, [i]], 0.4, of[[i]])
            torch.testing.assert_close(whole[:, [i]], alone[0], rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(slope[:, [i]], alone[1], rtol=1e-5, atol=1e-6)
