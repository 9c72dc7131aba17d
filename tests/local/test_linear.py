"""The linear denoiser with a radius per noise band, against dense algebra and quadrature."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate

from locality.domain import Axis, DependencyGraph, Domain
from locality.local.linear import LinearDenoiser
from locality.local.patches import Patches, Sources
from locality.noise.levels import BAND_EDGES, band_of

D = 9
RADII = np.array([4, 3, 2, 2, 1, 0])  # by band, from the coarsest to the finest
CHAIN = Domain(DependencyGraph.chain(D), tuple("abcdefghi"))


def banded(c: NDArray[np.float64]) -> tuple[LinearDenoiser, dict[int, Patches]]:
    """The denoiser of a chain with covariance c at ``RADII``, and the patches of each radius."""
    sources = Sources.of(CHAIN.stencils(4))
    patches = {r: Patches.of(CHAIN.stencils(r), sources) for r in range(5)}
    padded = np.zeros((D + 1, D + 1))
    padded[:D, :D] = c
    counts = [np.stack([patches[r].n_present[k] for r in RADII], axis=1) for k in range(2)]
    model = LinearDenoiser.fit(
        padded, patches[4], *counts, np.zeros((D, 6)), np.ones((1, D), dtype=bool)
    )
    return model, patches


def dense_weights(c: NDArray[np.float64], j: int, radius: int, sigma: float) -> NDArray[np.float64]:
    """Weight of all components in E[x_j | y within the radius]."""
    near = np.arange(max(0, j - radius), min(D, j + radius + 1))
    w = np.zeros(D)
    w[near] = np.linalg.solve(c[np.ix_(near, near)] + sigma**2 * np.eye(len(near)), c[near, j])
    return w


@pytest.mark.parametrize("sigma", [5.0, 1.5, 0.4, 0.1, 0.05, 0.01])
def test_every_band_looks_as_far_as_its_radius_and_no_farther(make_covariance, sigma) -> None:
    c = make_covariance(D)
    model, patches = banded(c)
    radius = RADII[band_of(np.array([sigma]))[0]]
    level = np.full((D, 1), sigma)
    weights, variance = model.weights(level)[:, 0, :, 0], model.variance(level)[:, 0, 0]
    for j in range(D):
        slots = patches[4].slots[j]
        real = slots < D
        expected = dense_weights(c, j, radius, sigma)
        np.testing.assert_allclose(weights[j, real], expected[slots[real]], rtol=1e-7, atol=1e-10)
        far = np.abs(slots - j) > radius
        assert (weights[j, far] == 0.0).all()  # exactly
        np.testing.assert_allclose(variance[j], c[j, j] - expected @ c[:, j], rtol=1e-7)


def test_units_that_see_the_same_slots_are_what_they_are_alone(make_covariance) -> None:
    """Sets of noisy and given slots that several units see, each in an order of its own."""
    domain = Domain(DependencyGraph.chain(6), tuple("abcdef"), (Axis("t", (1, 0)),), context=(5,))
    sources = Sources.of(domain.stencils(4))
    patches = Patches.of(domain.stencils(4), sources)
    n = sources.n_sources
    padded = np.pad(make_covariance(n), (0, 1))
    n_noisy, n_given = (np.tile(part[:, None], 6) for part in patches.n_present)
    inside = np.random.default_rng(0).random((2, n)) < 0.8
    inside[:, patches.center] = True

    def fit(units: NDArray[np.int64]) -> LinearDenoiser:
        part = Patches(patches.noisy[units], patches.given[units], n)
        shrinkage = np.full((len(units), 6), 0.1)
        return LinearDenoiser.fit(padded, part, n_noisy[units], n_given[units], shrinkage, inside)

    together = fit(np.arange(5))
    z = np.vstack([np.random.default_rng(1).standard_normal((n, 8)), np.zeros(8)])
    kinds = np.arange(8) % 2
    level = np.full((5, 1), 0.3)
    assert len({tuple(np.sort(row)) for row in patches.slots}) < 5
    for unit in range(5):
        alone = fit(np.array([unit]))
        for name in ("weights", "variance"):
            found, expected = (getattr(m, name)(level[: m.n_units]) for m in (together, alone))
            np.testing.assert_allclose(found[unit], expected[0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(together.prediction[unit], alone.prediction[0], atol=1e-8)
        np.testing.assert_allclose(
            together.surprise(z, kinds)[0, unit], alone.surprise(z, kinds)[0, 0], rtol=1e-7
        )


def test_levels_of_different_units_may_lie_in_different_bands(make_covariance) -> None:
    model, _ = banded(make_covariance(D))
    sigma = np.geomspace(0.01, 9.0, 4 * D).reshape(D, 4)
    together = model.weights(sigma)
    for j in range(D):
        for i in range(4):
            alone = model.weights(np.full((D, 1), sigma[j, i]))
            np.testing.assert_allclose(together[j, :, :, i], alone[j, :, :, 0], rtol=1e-9)


@pytest.mark.parametrize("band", [(np.inf, 0.0), (np.inf, 1.1), (0.9, 0.04), (0.04, 0.0)])
def test_surprise_is_the_integral_over_bands_of_different_radii(make_covariance, band) -> None:
    """The I-MMSE integral by quadrature between the edges, with dense denoisers."""
    c, (upper, lower) = make_covariance(D, seed=4), band
    model, _ = banded(c)
    rows = 1.5 * np.random.default_rng(0).standard_normal((4, D))
    z = np.vstack([rows.T, np.zeros(4)])
    found = model.surprise(z, np.zeros(4, dtype=np.int64), [band])[0]

    def integrand(log_snr: float, x: NDArray[np.float64], j: int, radius: int) -> float:
        snr = np.exp(log_snr)
        w = dense_weights(c, j, radius, snr**-0.5)
        error = (x[j] - w @ x) ** 2 + (w**2).sum() / snr
        return float(snr * (1 / (1 + snr) - error))

    for j in (0, 4):
        for i, x in enumerate(rows):
            expected = 0.5 * np.log(2 * np.pi * np.e) if np.isinf(upper) else 0.0
            for number, radius in enumerate(RADII):
                high = min(upper, BAND_EDGES[number])
                low = max(lower, BAND_EDGES[number + 1])
                if high > low:
                    start = -30.0 if np.isinf(high) else -2 * np.log(high)
                    stop = 30.0 if low == 0 else -2 * np.log(low)
                    value = integrate.quad(integrand, start, stop, (x, j, radius), limit=300)[0]
                    expected -= 0.5 * value
            np.testing.assert_allclose(found[j, i], expected, atol=1e-5)


def test_units_and_classes_can_be_taken_apart(make_covariance) -> None:
    model, _ = banded(make_covariance(D))
    level = np.full((D, 1), 0.5)
    some = np.array([5, 2])
    np.testing.assert_array_equal(model.take(some).weights(level[:2]), model.weights(level)[some])
    np.testing.assert_array_equal(
        model.in_classes(np.array([0, 0])).variance(level)[:, 1], model.variance(level)[:, 0]
    )


@pytest.mark.parametrize("n_axes", [0, 1])
@pytest.mark.parametrize("context", [(), (2,)])
def test_smaller_patches_are_the_first_slots_of_larger_ones(n_axes: int, context) -> None:
    axes = (Axis("time", window=(2, 0)),) * n_axes
    domain = Domain(DependencyGraph.grid((4, 5)), tuple(map(str, range(20))), axes, context)
    whole = Patches.of(domain.stencils(3), Sources.of(domain.stencils(3)))
    for radius in (0, 1, 2):
        part = Patches.of(domain.stencils(radius), Sources.of(domain.stencils(3)))
        cut = whole.within(*part.n_present)
        np.testing.assert_array_equal(cut.noisy, part.noisy)
        np.testing.assert_array_equal(cut.given, part.given)


def test_many_examples_are_worked_out_in_parts(make_covariance, monkeypatch) -> None:
    model, _ = banded(make_covariance(D))
    z = np.vstack([np.random.default_rng(2).standard_normal((D, 23)), np.zeros(23)])
    classes = np.zeros(23, dtype=np.int64)
    whole = model.surprise(z, classes)
    monkeypatch.setattr("locality.local.linear._CHUNK", 5)
    np.testing.assert_allclose(model.surprise(z, classes), whole, rtol=1e-12)
    found = model.surprise(z.astype(np.float32), classes)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-5)


def test_what_is_expected_at_the_finest_levels_is_what_neighbors_tell(make_covariance) -> None:
    """Radius 0 there: nothing. Else the weights of D⁰ as noise vanishes, the center taken out."""
    c = make_covariance(D)
    model, patches = banded(c)
    assert (model.prediction == 0.0).all()
    np.testing.assert_allclose(model.conditional_scale[:, 0], np.sqrt(np.diag(c)), rtol=1e-9)
    counts = [np.tile(n[:, None], 6) for n in patches[2].n_present]
    padded = np.pad(c, (0, 1))
    model = LinearDenoiser.fit(
        padded, patches[4], *counts, np.zeros((D, 6)), np.ones((1, D), dtype=bool)
    )
    for j in range(D):
        near = [k for k in range(max(0, j - 2), min(D, j + 3)) if k != j]
        slots = patches[4].slots[j]
        expected = np.zeros(D + 1)
        expected[near] = np.linalg.solve(c[np.ix_(near, near)], c[near, j])
        np.testing.assert_allclose(model.prediction[j, 0], expected[slots], atol=1e-9)
        left = c[j, j] - expected[near] @ c[near, j]
        np.testing.assert_allclose(model.conditional_scale[j, 0] ** 2, left, rtol=1e-9)
