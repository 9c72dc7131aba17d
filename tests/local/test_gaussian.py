"""The local Gaussian against dense linear algebra, scipy densities and quadrature."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from locality.local.gaussian import LocalGaussian
from locality.local.linear import LinearDenoiser
from locality.local.patches import Patches
from locality.noise.levels import BAND_EDGES

SIGMAS = [1e-3, 0.05, 0.4, 1.0, 3.0, 50.0]


def all_seen(n_units: int, n_slots: int) -> NDArray[np.bool_]:
    return np.ones((n_units, 1, n_slots), dtype=bool)


def whole_state(covariance: NDArray[np.float64]) -> tuple[LocalGaussian, Patches]:
    """One unit per component; every patch is the whole state, with its own component first."""
    d = len(covariance)
    slots = np.stack([np.r_[j, np.delete(np.arange(d), j)] for j in range(d)])
    patches = Patches(slots, np.empty((d, 0), dtype=np.int64), d)
    matrix = covariance[slots[:, :, None], slots[:, None, :]]
    return LocalGaussian.fit(matrix, d, all_seen(d, d), np.zeros(d)), patches


def one_unit(
    covariance: NDArray[np.float64], n_noisy: int, shrinkage: float = 0.0
) -> LocalGaussian:
    seen = all_seen(1, len(covariance))
    return LocalGaussian.fit(covariance[None], n_noisy, seen, np.array([shrinkage]))


def one_patch(n_noisy: int, n_given: int) -> Patches:
    slots = np.arange(n_noisy + n_given)[None]
    return Patches(slots[:, :n_noisy], slots[:, n_noisy:], n_noisy + n_given)


def surprise(
    model: LocalGaussian,
    z: NDArray[np.float64],
    patches: Patches,
    classes: NDArray[np.int64],
    band: tuple[float, float] = (np.inf, 0.0),
) -> NDArray[np.float64]:
    """Surprise of the same Gaussian in every band."""
    n_bands = len(BAND_EDGES) - 1
    place = np.tile(np.arange(patches.slots.shape[1]), (model.n_units, 1))
    whole = LinearDenoiser(patches, (model,) * n_bands, (place,) * n_bands)
    return whole.surprise(z, classes, [band])[0]


def examples(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows [n, d] as z with its zero row."""
    return np.vstack([rows.T, np.zeros(len(rows))])


def interior(n: int) -> NDArray[np.int64]:
    return np.zeros(n, dtype=np.int64)


@pytest.mark.parametrize("n_given", [0, 3])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_denoiser_is_the_exact_conditional_mean(make_covariance, n_given, sigma) -> None:
    """E[x_0 | y, g] and its variance from the joint Gaussian of (x_0, y, g), solved densely."""
    n_noisy, c = 5, make_covariance(5 + n_given, seed=n_given)
    seen = c.copy()
    seen[:n_noisy, :n_noisy] += sigma**2 * np.eye(n_noisy)
    expected = np.linalg.solve(seen, c[:, 0])
    variance = c[0, 0] - c[0] @ expected
    model = one_unit(c, n_noisy)
    level = np.array([[sigma]])
    # given slots carry a ridge of 1e-9 that the dense route does not have
    np.testing.assert_allclose(model.weights(level)[0, 0, :, 0], expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.variance(level)[0, 0, 0], variance, rtol=1e-6)


def test_conditional_scale_is_the_error_as_noise_vanishes(make_covariance) -> None:
    c = make_covariance(6)
    model, _ = whole_state(c)
    expected = np.diag(np.linalg.inv(c)) ** -0.5
    np.testing.assert_allclose(model.conditional_scale[:, 0], expected, rtol=1e-10)


def test_surprise_over_whole_patches_sums_to_minus_log_density(make_covariance) -> None:
    c = make_covariance(7, seed=3)
    rows = 2.0 * np.random.default_rng(1).standard_normal((40, 7))
    model, patches = whole_state(c)
    total = surprise(model, examples(rows), patches, interior(40)).sum(0)
    expected = -stats.multivariate_normal(np.zeros(7), c).logpdf(rows)
    np.testing.assert_allclose(total, expected, rtol=1e-10)


@pytest.mark.parametrize("edges", [[np.inf, 0.0], [np.inf, 2.0, 0.3, 0.01, 0.0]])
def test_bands_add_up(make_covariance, edges) -> None:
    model = one_unit(make_covariance(6, seed=5), 4)
    patches = one_patch(4, 2)
    z = examples(np.random.default_rng(2).standard_normal((30, 6)))
    whole = surprise(model, z, patches, interior(30))
    bands = [surprise(model, z, patches, interior(30), band) for band in pairwise(edges)]
    np.testing.assert_allclose(sum(bands), whole, rtol=1e-10)
    place = np.tile(np.arange(patches.slots.shape[1]), (model.n_units, 1))
    n_bands = len(BAND_EDGES) - 1
    linear = LinearDenoiser(patches, (model,) * n_bands, (place,) * n_bands)
    together = linear.surprise(z, interior(30), list(pairwise(edges)))
    np.testing.assert_allclose(together, np.stack(bands), rtol=1e-12)


@pytest.mark.parametrize("band", [*pairwise(BAND_EDGES), (np.inf, 0.0), (50.0, 1e-3)])
@pytest.mark.parametrize("smallest", [1e-8, 1e-3, 0.9])
def test_the_quadrature_of_the_form_is_exact_to_rounding(band, smallest) -> None:
    """H Hᵀ against A_kl in logarithms, for eigenvalues up to ten orders of magnitude apart."""
    rng = np.random.default_rng(3)
    values = np.geomspace(smallest, 80.0, 9)
    vectors, _ = np.linalg.qr(rng.standard_normal((9, 9)))
    none = np.zeros((1, 1, 9, 0))
    model = LocalGaussian(values[None, None], vectors[None, None], none)
    factor = model.factor(*band)[1][0, 0]
    start, stop = (np.inf if edge == 0.0 else edge**-2.0 for edge in band)

    def gathered(snr: float) -> NDArray[np.float64]:
        log = np.log(values) if np.isinf(snr) else np.log1p(values * snr)
        same = 1.0 / values if np.isinf(snr) else snr / (1.0 + values * snr)
        gap = np.subtract.outer(values, values) + np.eye(9)
        return np.subtract.outer(log, log) / gap + np.diag(same)

    u = vectors[0]
    expected = vectors @ (np.outer(u, u) * (gathered(stop) - gathered(start))) @ vectors.T
    np.testing.assert_allclose(
        factor @ factor.T, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max()
    )


def expected_square(
    c: NDArray[np.float64], n_noisy: int, x: NDArray[np.float64], sigma: float
) -> float:
    """E_ε (x_0 − D(x + σε))², with D from the dense route."""
    seen = c + 0.0
    seen[:n_noisy, :n_noisy] += sigma**2 * np.eye(n_noisy)
    w = np.linalg.solve(seen, c[:, 0])
    return float((x[0] - w @ x) ** 2 + sigma**2 * (w[:n_noisy] ** 2).sum())


@pytest.mark.parametrize("band", [(np.inf, 0.0), (np.inf, 1.5), (1.5, 0.2), (0.2, 0.0)])
@pytest.mark.parametrize("n_given", [0, 2])
def test_surprise_is_the_integral_of_denoising_errors(make_covariance, band, n_given) -> None:
    """The I-MMSE integral by adaptive quadrature over log snr, to 1e-5 nats."""
    c = make_covariance(4 + n_given, seed=8)
    upper, lower = band
    start = -30.0 if np.isinf(upper) else -2 * np.log(upper)
    stop = 30.0 if lower == 0 else -2 * np.log(lower)
    rows = 1.5 * np.random.default_rng(3).standard_normal((5, 4 + n_given))
    model = one_unit(c, 4)
    found = surprise(model, examples(rows), one_patch(4, n_given), interior(5), band)[0]

    def integrand(log_snr: float, x: NDArray[np.float64]) -> float:
        snr = np.exp(log_snr)
        return snr * (1 / (1 + snr) - expected_square(c, 4, x, snr**-0.5))

    for x, nats in zip(rows, found, strict=True):
        integral, _ = integrate.quad(integrand, start, stop, args=(x,), limit=300)
        constant = 0.5 * np.log(2 * np.pi * np.e) if np.isinf(upper) else 0.0
        np.testing.assert_allclose(nats, constant - 0.5 * integral, atol=1e-5)


def test_surprise_is_the_integral_of_drawn_denoising_errors(make_covariance) -> None:
    """The same with noise drawn instead of integrated; 4.4 standard errors, level 1e-5."""
    c = make_covariance(4, seed=8)
    model, patches = one_unit(c, 4), one_patch(4, 0)
    x = np.array([1.0, -0.5, 2.0, 0.3])
    exact = float(surprise(model, examples(x[None]), patches, interior(1))[0, 0])
    rng = np.random.default_rng(4)
    log_snr = rng.uniform(-12.0, 12.0, 200_000)
    sigma = np.exp(-log_snr / 2)
    w = model.weights(sigma[None])[0, 0]
    y = x[:, None] + sigma * rng.standard_normal((4, len(sigma)))
    error = (x[0] - (w * y).sum(0)) ** 2
    snr = np.exp(log_snr)
    terms = 0.5 * np.log(2 * np.pi * np.e) - 12.0 * snr * (1 / (1 + snr) - error)
    # beyond the range: log snr < -12 and > 12 together below 1e-4 nats
    assert abs(terms.mean() - exact) < 4.4 * terms.std() / len(terms) ** 0.5 + 1e-4
    assert terms.std() / len(terms) ** 0.5 < 0.1


@pytest.mark.parametrize("n_given", [0, 3])
@pytest.mark.parametrize("shrinkage", [0.0, 0.1])
def test_expected_surprise_is_the_mean_of_surprises(make_covariance, n_given, shrinkage) -> None:
    n = 4 + n_given
    model = one_unit(make_covariance(n, seed=1), 4, shrinkage)
    rows = np.random.default_rng(5).standard_normal((50, n)) * np.linspace(0.5, 2.0, n)
    moments = (rows.T @ rows / 50)[None]
    mean = surprise(model, examples(rows), one_patch(4, n_given), interior(50))[0].mean()
    np.testing.assert_allclose(model.expected_surprises(moments)[0].sum(0)[0, 0], mean, rtol=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.4])
def test_expected_surprise_by_band_and_shrinkage_is_that_of_a_shrunk_fit(
    make_covariance, gamma
) -> None:
    """Near-equal eigenvalues included: the identity block has three that are exactly equal."""
    c = np.eye(7)
    c[:4, :4] = make_covariance(4, seed=1)
    rows = np.random.default_rng(5).standard_normal((50, 7)) * np.linspace(0.5, 2.0, 7)
    moments = (rows.T @ rows / 50)[None]
    found = one_unit(c, 7).expected_surprises(moments, shrinkages=(0.0, gamma))[1, :, 0, 0]
    shrunk = one_unit(c, 7, gamma)
    by_band = [
        surprise(shrunk, examples(rows), one_patch(7, 0), interior(50), band)[0].mean()
        for band in pairwise(BAND_EDGES)
    ]
    np.testing.assert_allclose(found, by_band, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("n_given", [0, 2])
def test_one_decomposition_serves_all_of_its_components(make_covariance, n_given) -> None:
    """The expected surprise of slot k is that of slot 0 after the two have changed places."""
    n = 5 + n_given
    c, rng = make_covariance(n, seed=6), np.random.default_rng(5)
    held = rng.standard_normal((40, n))
    moments = held.T @ held / 40
    centers = np.array([[3, 0, 4]])
    together = one_unit(c, 5).expected_surprises(moments[None], centers)[0, :, 0]
    for number, k in enumerate(centers[0]):
        order = np.r_[k, np.delete(np.arange(n), k)]
        moved = one_unit(c[np.ix_(order, order)], 5)
        alone = moved.expected_surprises(moments[np.ix_(order, order)][None])[0, :, 0, 0]
        np.testing.assert_allclose(together[:, number], alone, rtol=1e-7, atol=1e-10)


def test_given_slots_condition_exactly(make_covariance) -> None:
    """All noisy components given the rest: the sum is −log p(x | g) of scipy."""
    c, d, rng = make_covariance(7, seed=9), 4, np.random.default_rng(6)
    rows = rng.standard_normal((25, 7))
    order = np.stack([np.r_[j, np.delete(np.arange(d), j), 4:7] for j in range(d)])
    patches = Patches(order[:, :d], order[:, d:], 7)
    matrix = c[order[:, :, None], order[:, None, :]]
    model = LocalGaussian.fit(matrix, d, all_seen(d, 7), np.zeros(d))
    total = surprise(model, examples(rows), patches, interior(25)).sum(0)
    joint = stats.multivariate_normal(np.zeros(7), c).logpdf(rows)
    given = stats.multivariate_normal(np.zeros(3), c[d:, d:]).logpdf(rows[:, d:])
    np.testing.assert_allclose(total, given - joint, rtol=1e-6, atol=1e-6)


def test_shrinkage_is_a_step_towards_the_identity(make_covariance) -> None:
    c, gamma = make_covariance(5), 0.3
    level = np.array([[0.7]])
    shrunk = (1 - gamma) * c + gamma * np.eye(5)
    np.testing.assert_allclose(
        one_unit(c, 5, gamma).weights(level), one_unit(shrunk, 5).weights(level), rtol=1e-10
    )


@pytest.mark.parametrize("n_given", [0, 2])
def test_slots_that_are_not_present_leave_no_trace(make_covariance, n_given) -> None:
    """Padding holds NaN in the covariance; the answer is that of the patch without it."""
    n_noisy, n = 4, 4 + n_given
    c = make_covariance(n, seed=2)
    keep = np.array([0, 1, 3, *range(n_noisy, n - 1)]) if n_given else np.array([0, 1, 3])
    dropped = np.setdiff1d(np.arange(n), keep)
    poisoned = c.copy()
    poisoned[dropped] = poisoned[:, dropped] = np.nan
    present = np.isin(np.arange(n), keep)[None, None]
    full = LocalGaussian.fit(poisoned[None], n_noisy, present, np.zeros(1))
    small = one_unit(c[np.ix_(keep, keep)], 3)
    level = np.array([SIGMAS])
    weights = full.weights(level)[0, 0]
    np.testing.assert_allclose(weights[keep], small.weights(level)[0, 0], rtol=1e-9, atol=1e-12)
    assert (np.abs(weights[dropped]) < 1e-14).all()
    np.testing.assert_allclose(full.variance(level), small.variance(level), rtol=1e-10)
    rows = np.random.default_rng(7).standard_normal((9, n))
    rows[:, dropped] = 0.0
    np.testing.assert_allclose(
        surprise(full, examples(rows), one_patch(n_noisy, n_given), interior(9)),
        surprise(small, examples(rows[:, keep]), one_patch(3, len(keep) - 3), interior(9)),
        rtol=1e-10,
    )


def test_surprise_does_not_read_sources_of_other_stencils(make_covariance) -> None:
    model = one_unit(make_covariance(3), 3)
    rows = np.random.default_rng(8).standard_normal((10, 5))
    patches = Patches(np.array([[1, 2, 4]]), np.empty((1, 0), dtype=np.int64), 5)
    clean = surprise(model, examples(rows), patches, interior(10))
    rows[:, [0, 3]] = np.nan
    np.testing.assert_array_equal(surprise(model, examples(rows), patches, interior(10)), clean)


def test_permuting_slots_changes_nothing(make_covariance) -> None:
    c, rng = make_covariance(6, seed=4), np.random.default_rng(9)
    rows = rng.standard_normal((20, 6))
    order = np.r_[0, 1 + rng.permutation(5)]
    found = [
        surprise(one_unit(matrix, 6), examples(x), one_patch(6, 0), interior(20))
        for matrix, x in ((c, rows), (c[np.ix_(order, order)], rows[:, order]))
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10)


def test_nearly_equal_sensors_and_equal_eigenvalues_are_no_problem() -> None:
    tight = np.array([[1.0, 1.0 - 1e-7], [1.0 - 1e-7, 1.0]])
    rows = np.array([[0.5, 0.5 + 1e-4], [1.0, 1.0]])
    model, patches = whole_state(tight)
    expected = -stats.multivariate_normal(np.zeros(2), tight).logpdf(rows)
    total = surprise(model, examples(rows), patches, interior(2)).sum(0)
    np.testing.assert_allclose(total, expected, rtol=1e-6)
    model, patches = whole_state(np.eye(4))
    rows = np.random.default_rng(0).standard_normal((3, 4))
    each = surprise(model, examples(rows), patches, interior(3))
    np.testing.assert_allclose(each, -stats.norm.logpdf(rows.T), rtol=1e-12)


@pytest.mark.parametrize("d", [7, 60])
def test_wide_patches_gather_the_same(make_covariance, d) -> None:
    """With more slots than points of the rule a form is worked out by its factor: same numbers."""
    rows = np.random.default_rng(1).standard_normal((5, d))
    model, patches = whole_state(make_covariance(d, seed=3))
    n_slots, n_points = model.factor(np.inf, 0.0)[1].shape[2:]
    assert (n_slots > n_points) == (d == 60)
    total = surprise(model, examples(rows), patches, interior(5)).sum(0)
    expected = -stats.multivariate_normal(np.zeros(d), make_covariance(d, seed=3)).logpdf(rows)
    np.testing.assert_allclose(total, expected, rtol=1e-9)
