"""The likelihood of the probability flow: exact on Gaussian fields, exact divergence."""

import numpy as np
import pytest
import torch
from scipy.linalg import solve_discrete_lyapunov, toeplitz
from scipy.stats import multivariate_normal

from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.density.likelihood import Likelihood
from locality.noise.levels import NoiseLevels
from locality.noise.streams import stream

D = 8
CHAIN = Domain(DependencyGraph.chain(D), tuple("abcdefgh"))
LEVELS = NoiseLevels(0.01, 60.0)


def chain_field(make_field, c, radius=D - 1, **options):
    return make_field(CHAIN, radius, lambda s: c[np.ix_(s.node, s.node)], n_shards=3, **options)


def test_gaussian_rows_have_their_exact_likelihood(make_field, make_covariance) -> None:
    """Within 0.002 nats per component, and the stated error covers half of what tolerance adds."""
    c = make_covariance(D)
    x = np.linalg.cholesky(c) @ np.random.default_rng(0).standard_normal((D, 50))
    exact = multivariate_normal(np.zeros(D), c).logpdf(x.T)
    found = {tol: Likelihood(LEVELS, tol)(chain_field(make_field, c), x) for tol in (1e-3, 1e-5)}
    assert np.abs(found[1e-5].value - exact).max() / D < 0.002
    assert found[1e-3].n_evaluations < found[1e-5].n_evaluations
    assert found[1e-5].error.mean() < found[1e-3].error.mean()


@pytest.mark.parametrize("strength", [0.0, 0.4], ids=["linear", "neural"])
def test_the_divergence_is_the_trace_of_the_dense_jacobian(
    make_field, make_covariance, strength
) -> None:
    """Central differences of the closed form in double precision, of networks in single."""
    field = chain_field(make_field, make_covariance(D), radius=2, strength=strength)
    bound = field.bind(np.zeros((D, 3)))
    y = torch.randn(D, 3, generator=stream(0), dtype=torch.float64)
    h, rtol = (1e-2, 2e-2) if strength else (1e-4, 1e-6)
    for sigma in (0.2, 1.0):
        found = bound.with_divergence(y, sigma)[1]
        for j in range(D):
            up, down = y.clone(), y.clone()
            up[j] += h
            down[j] -= h
            expected = (bound.denoise(up, sigma)[j] - bound.denoise(down, sigma)[j]) / (2 * h)
            np.testing.assert_allclose(found[j], expected, rtol=rtol, atol=rtol)
        assert torch.equal(bound.with_divergence(y, sigma)[0], bound.denoise(y, sigma))


def test_rows_of_a_series_are_given_the_rows_before(make_field) -> None:
    a = np.array([[0.6, 0.3], [-0.2, 0.5]])
    q = np.array([[0.5, 0.2], [0.2, 0.4]])
    p = solve_discrete_lyapunov(a, q)
    domain = Domain(DependencyGraph.complete(2), ("a", "b"), (Axis("time", (1, 0)),))

    def covariance(sources):
        joint = np.block([[p, p @ a.T], [a @ p, p]])
        at = sources.node + 2 * (sources.offset[:, 0] + 1)
        return joint[np.ix_(at, at)]

    x = np.random.default_rng(1).standard_normal((2, 6))
    field = make_field(domain, 1, covariance, n_shards=2)
    found = Likelihood(LEVELS, 1e-5)(field, x[:, :, None]).value
    expected = [multivariate_normal(np.zeros(2), p).logpdf(x[:, 0])]
    expected += [multivariate_normal(a @ x[:, t - 1], q).logpdf(x[:, t]) for t in range(1, 6)]
    np.testing.assert_allclose(found, expected, atol=0.005)


def test_a_lattice_has_the_likelihood_of_all_its_positions(make_field) -> None:
    row = 0.7 ** np.arange(5)
    domain = Domain(DependencyGraph.empty(1), ("x",), (Axis("place", extent=5),))

    def covariance(sources):
        at = np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))
        return np.where(at < 5, row[np.minimum(at, 4)], 0.0)

    x = np.random.default_rng(2).standard_normal((1, 5, 7))
    found = Likelihood(LEVELS, 1e-5)(make_field(domain, 4, covariance), x).value
    expected = multivariate_normal(np.zeros(5), toeplitz(row)).logpdf(x[0].T)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_no_rows_have_no_likelihood(make_field, make_covariance) -> None:
    assert Likelihood(LEVELS)(
        chain_field(make_field, make_covariance(D)), np.zeros((D, 0))
    ).value.shape == (0,)
