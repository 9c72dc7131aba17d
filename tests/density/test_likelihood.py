"""The likelihood of the probability flow: exact on Gaussian fields, exact divergence."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import solve_discrete_lyapunov, toeplitz
from scipy.stats import multivariate_normal

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.density.likelihood import _ERROR, _KINKED, _NODES, _TIMES, Likelihood
from locality.local.bound import BoundField
from locality.model.model import Model
from locality.noise.levels import NoiseLevels
from locality.noise.streams import stream

D = 8
CHAIN = Domain(DependencyGraph.chain(D), tuple("abcdefgh"))
LEVELS = NoiseLevels(0.01, 60.0)


def chain_field(make_field, c, radius=D - 1, **options):
    return make_field(CHAIN, radius, lambda s: c[np.ix_(s.node, s.node)], n_shards=3, **options)


def is_honest(value, reference, error) -> bool:
    """The stated error covers a third of the true one in nearly all rows, and is no larger by far.

    Its median over the true one is below 30.
    """
    true = np.abs(value - reference)
    return bool((true > 3 * error).mean() <= 0.03 and np.median(error / (true + 1e-12)) < 30)


@pytest.mark.parametrize("finest", [1.0, 1e-2])
@pytest.mark.parametrize("sigma_max", [12.0, 60.0])
def test_gaussian_rows_have_their_exact_likelihood(
    make_field, make_covariance, finest, sigma_max
) -> None:
    """In nats, start and end included; with a near-copy the finest scale is a hundredth."""
    c = make_covariance(D)
    copy = np.eye(D)
    copy[0, 1] = 1.0 - finest
    copy[0, 0] = finest
    c = copy @ c @ copy.T
    x = np.linalg.cholesky(c) @ np.random.default_rng(0).standard_normal((D, 100))
    exact = multivariate_normal(np.zeros(D), c).logpdf(x.T)
    field = chain_field(make_field, c)
    found = {tol: Likelihood(NoiseLevels(0.01, sigma_max), tol)(field, x) for tol in (1e-4, 1e-5)}
    for likelihood in found.values():
        assert is_honest(likelihood.value, exact, likelihood.error)
        assert not is_honest(likelihood.value, exact, 0.01 * likelihood.error)
        assert not is_honest(likelihood.value, exact, 100 * likelihood.error)
    assert np.abs(found[1e-4].value - exact).max() < 1e-3
    assert found[1e-4].n_evaluations < found[1e-5].n_evaluations
    assert found[1e-5].error.mean() < found[1e-4].error.mean()


FITS: dict[str, dict[str, Any]] = {
    "linear": {"graph": "chain", "denoiser": "linear"},
    "causal": {"lags": 1, "denoiser": "linear"},
    "neural": {"graph": "chain", "n_steps": 150, "radius": 1},
    "causal neural": {"graph": "chain", "lags": 1, "n_steps": 150, "radius": 1},
}


@cache
def fitted(name: str) -> tuple[Model, np.ndarray]:
    """A model whose radius and shrinkage change from band to band, and standardized fresh rows."""
    neural = "neural" in name
    law, n = (DoubleWellChain(4), 1_500) if neural else (OrnsteinUhlenbeckChain(12, 0.9), 800)
    model = LocalizedDiffusion(random_state=0, **FITS[name]).fit(law.sample(n, 0)).model_
    assert model.has_networks == neural
    rows = np.concatenate([law.sample(80, seed) for seed in (9, 10, 11)])
    return model, model.layout.state(model.standardizer.standardize(rows))


@pytest.mark.parametrize("name", FITS)
def test_errors_of_fitted_models_are_honest(name) -> None:
    """Against a thousandth of the tolerance; a hundredth of the error would be found out."""
    model, state = fitted(name)
    found, fine = (Likelihood(model.levels, tol)(model.field, state) for tol in (1e-4, 1e-7))
    assert is_honest(found.value, fine.value, found.error)
    assert not is_honest(found.value, fine.value, 0.01 * found.error)
    assert found.error.max() < (2e-2 if model.has_networks else 1e-3)


@pytest.mark.parametrize("name", FITS)
def test_a_row_has_its_value_whatever_rows_it_is_scored_with(name) -> None:
    """Alone, among a few, and beside gross outliers; networks work in single precision."""
    model, state = fitted(name)
    likelihood, state = Likelihood(model.levels), state[:, :80]
    together = likelihood(model.field, state)
    beside = np.concatenate([state[:, :6], 50 * state[:, 6:]], axis=1)
    atol = 1e-4 if model.has_networks else 1e-8
    for rows, n in ((state[:, :1], 1), (beside, 6), (state[:, :6], 6)):
        found = likelihood(model.field, rows)
        np.testing.assert_allclose(found.value[:n], together.value[:n], rtol=0, atol=atol)
        assert found.n_evaluations == together.n_evaluations


def test_kinks_at_random_places_err_by_a_known_multiple_of_the_difference_of_orders() -> None:
    """Peano kernels of the two rules, ∫ (t − ξ)₊ dt against its quadrature, in the mean square."""
    place = (np.arange(100_000) + 0.5) / 100_000
    ramps = np.maximum(np.array(_TIMES)[:, None] - place, 0.0)
    miss = np.append(_NODES[6], 0.0) @ ramps - (1 - place) ** 2 / 2
    difference = np.array(_ERROR) @ ramps
    ratio = np.sqrt((miss**2).mean() / (difference**2).mean())
    np.testing.assert_allclose(ratio, _KINKED, atol=0.05)


@pytest.mark.parametrize("strength", [0.0, 0.4], ids=["linear", "neural"])
def test_the_divergence_is_the_trace_of_the_dense_jacobian(
    make_field, make_covariance, strength
) -> None:
    """Central differences of the closed form in double precision, of networks in single."""
    field = chain_field(make_field, make_covariance(D), radius=2, strength=strength)
    bound = BoundField(field, np.zeros((D, 3)))
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
