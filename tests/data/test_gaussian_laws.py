"""Gaussian laws against scipy, finite differences and published radii; draws against moments."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from locality.data.synthetic import (
    BandedGaussian,
    GaussianField,
    GaussianLaw,
    OrnsteinUhlenbeckChain,
)
from locality.exceptions import DataError, OptionError


def random_field() -> GaussianField:
    factor = np.random.default_rng(11).standard_normal((6, 9))
    return GaussianField(factor @ factor.T / 9, mean=np.arange(6.0))


LAWS: dict[str, GaussianLaw] = {
    "field": random_field(),
    "banded": BandedGaussian(12, bandwidth=1, condition=10.0),
    "wide band": BandedGaussian(12, bandwidth=4, condition=100.0),
    "full band": BandedGaussian(3, bandwidth=2, condition=1.5),
    "chain": OrnsteinUhlenbeckChain(12, correlation=0.8),
    "alternating chain": OrnsteinUhlenbeckChain(5, correlation=-0.6),
    "one component": OrnsteinUhlenbeckChain(1, correlation=0.3),
}
LEVEL = 1e-3 / len(LAWS)


@pytest.mark.parametrize("name", LAWS)
def test_density_and_entropy_agree_with_scipy(name: str) -> None:
    law = LAWS[name]
    x = law.sample(20, random_state=1) * 1.5
    reference = stats.multivariate_normal(law.mean, law.covariance)
    expected = np.atleast_1d(reference.logpdf(x if law.n_components > 1 else x[:, 0]))
    np.testing.assert_allclose(law.log_density(x), expected, rtol=1e-9)
    np.testing.assert_allclose(law.entropy(), reference.entropy(), rtol=1e-10)


@pytest.mark.parametrize("name", LAWS)
def test_precision_is_the_inverse_covariance(name: str) -> None:
    law = LAWS[name]
    identity = np.eye(law.n_components)
    np.testing.assert_allclose(law.precision @ law.covariance, identity, atol=1e-10)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("sigma", [0.0, 0.3, 5.0])
def test_score_is_the_gradient_of_the_noised_log_density(name: str, sigma: float) -> None:
    law = LAWS[name]
    d = law.n_components
    noised = GaussianField(law.covariance + sigma**2 * np.eye(d), law.mean)
    x = law.sample(3, random_state=2)
    step = 1e-5
    shifts = step * np.eye(d)
    numeric = np.stack(
        [(noised.log_density(x + e) - noised.log_density(x - e)) / (2 * step) for e in shifts],
        axis=1,
    )
    np.testing.assert_allclose(law.score(x, sigma), numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("seed", [0, 1])
def test_draws_follow_the_law(name: str, seed: int) -> None:
    """Quadratic forms of the draws are chi-squared; two-sided tests at level 0.001 in all."""
    law = LAWS[name]
    n, d = 4000, law.n_components
    x = law.sample(n, random_state=seed) - law.mean
    level = LEVEL / 2 / 3
    # Whitened by the covariance through a route that sampling does not use.
    values, vectors = np.linalg.eigh(law.covariance)
    white = x @ vectors / np.sqrt(values)
    mean_statistic = n * (white.mean(axis=0) ** 2).sum()
    assert level / 2 < stats.chi2.sf(mean_statistic, d) < 1 - level / 2
    total = (white**2).sum()
    assert level / 2 < stats.chi2.sf(total, n * d) < 1 - level / 2
    # Largest empirical correlation of whitened components, Bonferroni over pairs.
    if d > 1:
        z = np.abs(white.T @ white / np.sqrt(n))[np.triu_indices(d, 1)]
        assert 2 * stats.norm.sf(z.max()) * len(z) > level


@pytest.mark.parametrize("name", LAWS)
def test_seeds_repeat_draws_and_generators_advance(name: str) -> None:
    law = LAWS[name]
    np.testing.assert_array_equal(law.sample(5, 7), law.sample(5, 7))
    rng = np.random.default_rng(7)
    np.testing.assert_array_equal(law.sample(5, rng), law.sample(5, 7))
    assert not np.array_equal(law.sample(5, rng), law.sample(5, 7))
    assert law.sample(0, 1).shape == (0, law.n_components)


@pytest.mark.parametrize("bandwidth", [1, 2, 5])
@pytest.mark.parametrize("condition", [2.0, 100.0, 1e4])
def test_banded_precision_has_its_band_its_condition_and_unit_variance(
    bandwidth: int, condition: float
) -> None:
    law = BandedGaussian(60, bandwidth, condition)
    distance = np.abs(np.subtract.outer(np.arange(60), np.arange(60)))
    assert (law.precision[distance > bandwidth] == 0).all()
    assert (law.precision[distance == bandwidth] < 0).all()
    for lag in range(bandwidth + 1):  # Toeplitz
        assert len(set(np.diagonal(law.precision, lag))) == 1
    values = np.linalg.eigvalsh(law.precision)
    np.testing.assert_allclose(values[-1] / values[0], condition, rtol=1e-8)
    np.testing.assert_allclose(np.diag(law.covariance).mean(), 1.0, rtol=1e-12)


def tail_radius(precision: NDArray[np.float64], tolerance: float) -> int:
    """Return the smallest radius beyond which the precision has a spectral norm below tolerance."""
    distance = np.abs(np.subtract.outer(*2 * (np.arange(len(precision)),)))
    whole = np.linalg.norm(precision, 2)
    radius = 0
    while np.linalg.norm(np.where(distance > radius, precision, 0), 2) >= tolerance * whole:
        radius += 1
    return radius


@pytest.mark.parametrize("d", [50, 100])
@pytest.mark.parametrize(
    ("condition", "radii"),
    [(10.0, [(1, 2), (2, 4), (4, 10)]), (2.0, [(1, 2), (1, 3), (1, 4)])],
)
def test_locality_of_the_noised_precision(
    d: int, condition: float, radii: list[tuple[int, int]]
) -> None:
    """Radii for tails of 1 % and 0.01 % under variance-preserving noise at t = 0.01, 0.1 and 1.

    The expected values were computed apart from this code, for dimensions 50 to 400 alike.
    """
    covariance = BandedGaussian(d, 1, condition).covariance
    for t, expected in zip([0.01, 0.1, 1.0], radii, strict=True):
        noised = np.exp(-2 * t) * covariance + (1 - np.exp(-2 * t)) * np.eye(d)
        precision = np.linalg.inv(noised)
        assert (tail_radius(precision, 1e-2), tail_radius(precision, 1e-4)) == expected


def test_chain_covariance_and_entropy_in_closed_form() -> None:
    chain = OrnsteinUhlenbeckChain(60, np.exp(-0.3))
    np.testing.assert_allclose(chain.covariance[3, 10], np.exp(-0.3 * 7))
    per_component = 0.5 * np.log(2 * np.pi * np.e) + 59 / 60 * 0.5 * np.log(1 - np.exp(-0.6))
    np.testing.assert_allclose(chain.entropy() / 60, per_component, rtol=1e-12)


def test_a_long_chain_is_cheap() -> None:
    chain = OrnsteinUhlenbeckChain(200_000, 0.9)
    x = chain.sample(2, random_state=3)
    # Mean -log p per component: standard error 1 / sqrt(2 * 400,000) = 0.0011; level 1e-5.
    assert abs(-chain.log_density(x).mean() - chain.entropy()) / 200_000 < 4.4 * 0.0011


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GaussianField([[1.0, 2.0], [2.0, 1.0]]), "not positive definite"),
        (lambda: GaussianField([[1.0, 0.5], [0.0, 1.0]]), "not symmetric"),
        (lambda: GaussianField([1.0, 2.0]), "square"),
        (lambda: GaussianField(np.eye(2), mean=[1.0]), "mean has shape"),
        (lambda: BandedGaussian(3, bandwidth=3), "bandwidth is 3"),
        (lambda: BandedGaussian(10, condition=1.0), "condition is 1.0"),
        (lambda: BandedGaussian(1), "n_components is 1"),
        (lambda: OrnsteinUhlenbeckChain(3, 1.0), "correlation is 1.0"),
        (lambda: LAWS["chain"].sample(-1, 0), "n_samples is -1"),
        (lambda: LAWS["chain"].score(np.zeros((1, 12)), -1.0), "sigma is -1.0"),
    ],
)
def test_impossible_parameters_are_named(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(OptionError, match=message):
        build()


def test_rows_of_the_wrong_width_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected \(n_rows, 12\)"):
        LAWS["chain"].log_density(np.zeros((2, 3)))
