"""Surprise: exact for Gaussians, the same in any company, honest about its error."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import solve_discrete_lyapunov

from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.density.nats import Nats, Surprise
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.noise.levels import BAND_EDGES, NoiseLevels
from locality.noise.streams import stream

D = 6
TABLE = Domain(DependencyGraph.chain(D), tuple("abcdef"))
SERIES = Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("time", (1, 0)),))
LEVELS = NoiseLevels(0.02, 12.0)


def table_field(make_field, c, radius: int = 5, **options) -> ScoreField:
    return make_field(TABLE, radius, lambda s: c[np.ix_(s.node, s.node)], **options)


def rows_of(c: NDArray[np.float64], n: int, seed: int = 0) -> NDArray[np.float64]:
    """Values [d, n]."""
    rng = np.random.default_rng(seed)
    return np.linalg.cholesky(c) @ rng.standard_normal((len(c), n))


@pytest.mark.parametrize("n_shards", [1, 4])
def test_at_full_radius_nats_sum_to_minus_log_density(make_field, make_covariance, n_shards):
    c = make_covariance(D)
    x = 1.5 * rows_of(c, 30)
    found = Nats(LEVELS).surprise(table_field(make_field, c, n_shards=n_shards), x)
    expected = -stats.multivariate_normal(np.zeros(D), c).logpdf(x.T)
    np.testing.assert_allclose(found.total.sum(0), expected, rtol=1e-9)
    assert (found.error == 0).all()


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_smaller_neighborhoods_can_only_raise_the_mean(make_field, make_covariance, radius):
    """Exact moments on both sides: the mean of the bound lies above the entropy."""
    c = make_covariance(D)
    x = rows_of(c, 20 * D)
    x = np.linalg.cholesky(c) @ np.linalg.solve(np.linalg.cholesky(x @ x.T / x.shape[1]), x)
    means = [
        Nats(LEVELS).surprise(table_field(make_field, c, r), x).total.sum(0).mean()
        for r in (radius, radius + 1, 5)
    ]
    entropy = stats.multivariate_normal(np.zeros(D), c).entropy()
    assert means[0] > means[1] > means[2] - 1e-9
    np.testing.assert_allclose(means[2], entropy, rtol=1e-9)


def var_field(make_field, n_shards: int = 2):
    """A vector autoregression of order one with its exact second moments."""
    a = np.array([[0.6, 0.3, 0.0], [-0.2, 0.5, 0.2], [0.0, 0.1, 0.8]])
    q = np.array([[0.5, 0.2, 0.0], [0.2, 0.4, -0.1], [0.0, -0.1, 0.3]])
    p = solve_discrete_lyapunov(a, q)

    def covariance(sources):
        joint = np.block([[p, p @ a.T], [a @ p, p]])  # rows t-1 and t
        at = sources.node + 3 * (sources.offset[:, 0] + 1)
        return joint[np.ix_(at, at)]

    return make_field(SERIES, 2, covariance, n_shards=n_shards), a, q, p


def test_causal_nats_are_the_chain_rule(make_field) -> None:
    """Row t: exactly −log p(x_t | x_{t-1}); the first row: −log p(x_0) of the stationary law."""
    field, a, q, p = var_field(make_field)
    x = np.random.default_rng(1).standard_normal((3, 40))
    found = Nats(LEVELS).surprise(field, x[:, :, None]).total.sum(0)
    step = stats.multivariate_normal(np.zeros(3), q)
    expected = np.append(
        -stats.multivariate_normal(np.zeros(3), p).logpdf(x[:, 0]),
        -step.logpdf((x[:, 1:] - a @ x[:, :-1]).T),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_joint_series_of_independent_rows_is_independent_rows(make_field, make_covariance):
    c = make_covariance(3)
    domain = Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("time", (1, 1)),))

    def covariance(sources):
        same = sources.offset[:, 0][:, None] == sources.offset[:, 0]
        return c[np.ix_(sources.node, sources.node)] * same

    x = rows_of(c, 25)
    found = Nats(LEVELS).surprise(make_field(domain, 2, covariance), x[:, :, None]).total.sum(0)
    expected = -stats.multivariate_normal(np.zeros(3), c).logpdf(x.T)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("strength", [0.0, 0.5], ids=["linear", "neural"])
def test_bands_add_up_to_the_whole(make_field, make_covariance, strength) -> None:
    c = make_covariance(D)
    field = table_field(make_field, c, 1, strength=strength)
    x = rows_of(c, 30)
    whole = Nats(LEVELS).surprise(field, x)
    split = Nats(LEVELS, by_band=True).surprise(field, x)
    assert whole.bands.shape[0] == 1
    assert split.bands.shape[0] == len(BAND_EDGES) - 1
    np.testing.assert_allclose(split.total, whole.total, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(split.error, whole.error)
    assert (split.bands.std(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize("domain", [TABLE, SERIES], ids=["table", "series"])
def test_a_row_has_the_same_surprise_in_any_company(make_field, make_covariance, domain) -> None:
    """Alone, reversed, and among 5,000 others, with networks and their noise, to 1e-5."""
    c = make_covariance(2 * D)

    def covariance(sources):
        at = sources.node + D * (-sources.offset[:, 0] if sources.offset.size else 0)
        return c[np.ix_(at, at)]

    d = domain.n_nodes
    extent = (4,) if domain is SERIES else ()
    field = make_field(domain, 1, covariance, n_shards=2, extent=extent, strength=0.5)
    nats = Nats(LEVELS, n_levels=4)
    x = np.random.default_rng(2).standard_normal((d, *extent, 12))

    def score(values) -> NDArray[np.float64]:
        found = nats.surprise(field, values)
        both = np.stack([found.total, found.error])
        return both.reshape(2, d, -1, values.shape[-1])

    whole = score(x)
    alone = np.concatenate([score(x[..., [i]]) for i in range(12)], axis=-1)
    np.testing.assert_allclose(alone, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(score(x[..., ::-1])[..., ::-1], whole, rtol=1e-5, atol=1e-6)
    others = np.random.default_rng(3).standard_normal((d, *extent, 5000 // max(1, *extent, 1)))
    crowd = score(np.concatenate([others, x], axis=-1))[..., -12:]
    np.testing.assert_allclose(crowd, whole, rtol=1e-5, atol=1e-6)


def test_a_causal_row_does_not_depend_on_the_length_of_its_series(make_field) -> None:
    """Rows after the first have the same surprise scored in a shorter stretch with their past."""
    field, *_ = var_field(make_field)
    x = np.random.default_rng(4).standard_normal((3, 30, 1))
    whole = Nats(LEVELS).surprise(field, x).total
    part = Nats(LEVELS).surprise(field, x[:, 10:]).total
    np.testing.assert_allclose(part[:, 1:], whole[:, 11:], rtol=1e-10)
    assert not np.allclose(part[:, 0], whole[:, 10])


def neural_pair(make_field, make_covariance) -> tuple[ScoreField, NDArray[np.float64]]:
    c = make_covariance(D)
    return table_field(make_field, c, 1, strength=0.5), rows_of(c, 400)


def test_the_monte_carlo_error_is_honest(make_field, make_covariance) -> None:
    """Two pairs of noise against 48, on 400 rows of 6 components.

    With the variance of one pair known from 48, squared misses and squared stated errors both
    average to it within 20 % (their own spread is about 5 %), misses average to nothing at level
    1e-5, and over rows they add up as independent errors do, at level 1e-4 per component.
    """
    field, x = neural_pair(make_field, make_covariance)
    few = Nats(LEVELS, n_levels=24, n_pairs=2).surprise(field, x)
    many = Nats(LEVELS, n_levels=24, n_pairs=48).surprise(field, x)
    variance = many.error**2 * 48 / 2
    miss = few.total - many.total  # the two pairs are among the 48
    assert abs((miss**2 / variance).mean() / (1 - 2 / 48) - 1) < 0.2
    assert abs((few.error**2 / variance).mean() - 1) < 0.2
    assert abs(miss.sum()) < 4.4 * np.sqrt(variance.sum())
    assert (np.abs(miss.sum(1)) < 4.2 * np.sqrt(variance.sum(1))).all()


def test_networks_are_integrated_like_brute_force(make_field, make_covariance) -> None:
    """The change of nats by networks against plain Monte Carlo with other noise and levels.

    ½ ∫ E[(x − D)² − (x − D⁰)²] d snr, drawn through the field that samplers use and without
    antithetic pairs; 4.4 errors of the two together, level 3e-4 for 30 comparisons.
    """
    field, x = neural_pair(make_field, make_covariance)
    x = x[:, :5]
    linear = table_field(make_field, make_covariance(D), 1)
    nats = Nats(LEVELS, n_levels=40, n_pairs=16)
    change = nats.surprise(field, x).total - nats.surprise(linear, x).total
    error = nats.surprise(field, x).error
    n, generator = 1500, stream(99)
    values = np.repeat(x, n, axis=1).astype(np.float32)
    clean = torch.from_numpy(values)
    bound, plain = (BoundField(f, np.zeros_like(values)) for f in (field, linear))
    total, variance = np.zeros(x.shape), np.zeros(x.shape)
    sigmas, weights = LEVELS.quadrature(40)
    for sigma, weight in zip(sigmas, weights, strict=True):
        y = clean + float(sigma) * torch.randn(clean.shape, generator=generator)
        terms = [((clean - b.denoise(y, float(sigma))) ** 2).double() for b in (bound, plain)]
        change_here = 0.5 * weight * (terms[0] - terms[1]).numpy().reshape(D, -1, n)
        total += change_here.mean(-1)
        variance += change_here.var(-1) / n
    together = np.sqrt(variance + error**2)
    assert (np.abs(total - change) < 4.4 * together + 2e-3).all()
    assert np.abs(change).mean() > 10 * together.mean()


def test_total_is_the_sum_of_bands() -> None:
    bands = np.arange(12.0).reshape(3, 2, 2)
    np.testing.assert_array_equal(Surprise(bands, bands[0]).total, bands[0] + bands[1] + bands[2])
