"""Samplers: order of convergence against the exact flow, and the exact law of Gaussian fields.

For a Gaussian law with covariance U Λ Uᵀ the probability flow is known in closed form,

    y(σ) = U diag(√((λ + σ²)/(λ + σ_0²))) Uᵀ y(σ_0) .

Laws of draws are tested by whitening with the exact covariance: then n Σ_{k<l} S_kl² +
n Σ_k (S_kk − 1)²/2, with S the covariance of the whitened draws, is χ² with d(d+1)/2 degrees.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from locality.domain import DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.inference.sampling.methods import (
    Churn,
    DPMSolver,
    Heun,
    StochasticDPMSolver,
    build_sampler,
)
from locality.inference.sampling.sampler import Sampler
from locality.inference.sampling.schedules import GeometricLevels, KarrasLevels, LogNormalLevels
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.noise.levels import NoiseLevels
from locality.noise.streams import stream

D = 5
TABLE = Domain(DependencyGraph.chain(D), tuple("abcde"))
LEVELS = NoiseLevels(0.01, 40.0)
N = 20_000
LEVEL = 1e-4


def exact_field(make_field, c: NDArray[np.float64], n_shards: int = 2) -> ScoreField:
    return make_field(TABLE, D - 1, lambda s: c[np.ix_(s.node, s.node)], n_shards=n_shards)


def bound(make_field, c: NDArray[np.float64], n: int, kind: type) -> BoundField:
    return BoundField(exact_field(make_field, c), np.zeros((D, n), dtype=kind))


def flow(c: NDArray[np.float64], y: torch.Tensor, start: float, end: float) -> NDArray[np.float64]:
    """The exact probability flow from one noise level to another."""
    values, vectors = np.linalg.eigh(c)
    factor = np.sqrt((values + end**2) / (values + start**2))
    return np.asarray(vectors @ (factor[:, None] * (vectors.T @ y.numpy())))


def p_value(draws: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    """That draws [d, n] have mean zero and covariance c; small if they do not."""
    n = draws.shape[1]
    white = np.linalg.solve(np.linalg.cholesky(c), draws.astype(np.float64))
    s = white @ white.T / n - np.eye(len(c))
    k = np.triu_indices(len(c), 1)
    statistic = n * ((s[k] ** 2).sum() + 0.5 * (np.diag(s) ** 2).sum())
    statistic += n * (white.mean(1) ** 2).sum()
    return float(stats.chi2.sf(statistic, len(c) * (len(c) + 3) / 2))


@pytest.mark.parametrize(("kind", "order"), [(Heun, 2.0), (DPMSolver, 2.0)])
def test_order_of_convergence(make_field, make_covariance, kind, order) -> None:
    """Error against the exact flow from σ = 8 to 0.05, in double precision, steps 32 … 256."""
    c, levels = make_covariance(D), NoiseLevels(0.05, 8.0)
    field = bound(make_field, c, 40, np.float64)
    noise = torch.randn(D, 40, generator=stream(1), dtype=torch.float64)
    exact = flow(c, noise * 8.0, 8.0, 0.05)
    errors = []
    for n_steps in (32, 64, 128, 256):
        walk = kind(KarrasLevels()(levels, n_steps)[:-1])  # stops at the smallest level
        errors.append(np.abs(walk.descend(field, noise * 8.0, stream(2)).numpy() - exact).max())
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(slopes[1:], order, atol=0.25)
    assert errors[-1] < 2e-3


@pytest.mark.parametrize("kind", [Heun, DPMSolver, StochasticDPMSolver])
def test_the_last_step_ends_at_the_denoiser(make_field, make_covariance, kind) -> None:
    field = bound(make_field, make_covariance(D), 10, np.float64)
    y = torch.randn(D, 10, generator=stream(3), dtype=torch.float64)
    walk = kind(np.array([0.5, 0.0]))
    found = walk.descend(field, y * 0.5, stream(0))
    torch.testing.assert_close(found, field.denoise(y * 0.5, 0.5))


@pytest.mark.parametrize("method", ["heun", "dpm"])
def test_context_moves_draws_without_bias(make_field, make_covariance, method) -> None:
    """Without noise a walk ends at E[x | g] within 0.5 %, at moderate and at extreme context."""
    c = make_covariance(D)
    domain = Domain(DependencyGraph.ring(D), tuple("abcde"), (), context=(2,))
    field = make_field(domain, 2, lambda s: c[np.ix_(s.node, s.node)])
    given = np.array([0.5, -1.0, 8.0])
    values = np.zeros((D, 3))
    values[2] = given
    walk = build_sampler(method, NoiseLevels(0.01, 20.0), 200)
    found = walk(BoundField(field, values), torch.zeros(4, 3, dtype=torch.float64), stream(0))
    np.testing.assert_allclose(found, c[[0, 1, 3, 4], 2][:, None] * given, rtol=5e-3)


def draws(make_field, c: NDArray[np.float64], walk: Sampler, seed: int) -> NDArray[np.float64]:
    generator = stream(seed, 5)
    noise = torch.randn(D, N, generator=generator)
    return walk(bound(make_field, c, N, np.float32), noise, generator).numpy()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("method", ["sde", "heun", "dpm", "churn"])
def test_draws_of_a_gaussian_field_have_its_covariance(
    make_field, make_covariance, method, seed
) -> None:
    """20,000 draws at a fine grid: χ² of the exact law at level 1e-4, as for exact draws."""
    c = make_covariance(D)
    walk = build_sampler(method, LEVELS, 256)
    assert p_value(draws(make_field, c, walk, seed), c) > LEVEL


def test_the_budget_of_thirty_two_evaluations_is_enough(make_field, make_covariance) -> None:
    """Deterministic samplers are linear here, so that the law of draws is known without drawing.

    The map of the whole walk, read off unit vectors, gives the covariance of the draws; it is
    within 2 % of the exact one in every direction for dpm, within 6 % for heun.
    """
    c = make_covariance(D)
    field = bound(make_field, c, D, np.float64)
    root = np.linalg.cholesky(c)
    for method, within in (("dpm", 0.02), ("heun", 0.06)):
        walk = build_sampler(method, NoiseLevels(0.02, 12.0), 32)
        step = walk(field, torch.eye(D, dtype=torch.float64), stream(0)).numpy()
        relative = np.linalg.eigvalsh(np.linalg.solve(root, np.linalg.solve(root, step @ step.T).T))
        assert (np.abs(relative - 1) < within).all(), (method, relative)


@pytest.mark.parametrize("sigma_max", [3.0, 12.0, 40.0])
def test_the_start_costs_variance_of_second_order_where_the_law_is_wide(
    make_field, make_covariance, sigma_max
) -> None:
    """The start has the variance σ_0² (1 + ρ/2)², ρ = λ/(λ + σ_0²), along every eigenvector.

    The exact flow carries that to λ (1 + ρ/2)² (1 − ρ): it lacks ¾ ρ², so σ_0 must be large
    against the square root of the largest eigenvalue of the whole law.
    """
    c = make_covariance(D)
    values, vectors = np.linalg.eigh(c)
    field = bound(make_field, c, D, np.float64)
    walk = Heun(KarrasLevels()(NoiseLevels(0.005, sigma_max), 800))
    step = walk(field, torch.eye(D, dtype=torch.float64), stream(0)).numpy()
    found = np.diag(vectors.T @ step @ step.T @ vectors)
    rho = values / (values + sigma_max**2)
    np.testing.assert_allclose(found, values * (1 + rho / 2) ** 2 * (1 - rho), rtol=5e-3)


class TooLoud(Sampler):
    """A planted mistake: the starting noise is 2 % too large."""

    evaluations_per_step = 2

    def __call__(self, field, noise, generator, *told) -> torch.Tensor:
        return Heun(self.sigmas)(field, 1.02 * noise, generator, *told)

    def step(self, *_) -> torch.Tensor:
        raise NotImplementedError


class TooNoisy(Churn):
    """A planted mistake: added noise forgets the root of a difference of squares."""

    def step(self, field, y, sigma, next_sigma, generator) -> torch.Tensor:
        raised = sigma * (1.0 + self._gamma)
        y = y + 1.02 * (raised**2 - sigma**2) ** 0.5 * torch.randn(y.shape, generator=generator)
        return self._heun.step(field, y, raised, next_sigma, generator)


@pytest.mark.parametrize("kind", [TooLoud, TooNoisy])
def test_the_test_finds_two_percent_too_much_noise(make_field, make_covariance, kind) -> None:
    c = make_covariance(D)
    assert p_value(draws(make_field, c, kind(KarrasLevels()(LEVELS, 128)), 0), c) < LEVEL / 100


def test_the_test_holds_its_level_on_exact_draws(make_covariance) -> None:
    """p-values of exact draws are uniform (Kolmogorov–Smirnov at level 1e-3)."""
    c, rng = make_covariance(D), np.random.default_rng(0)
    root = np.linalg.cholesky(c)
    found = [p_value(root @ rng.standard_normal((D, 2000)), c) for _ in range(200)]
    assert stats.kstest(found, "uniform").pvalue > 1e-3


def test_a_sampler_forgets_its_last_run(make_field, make_covariance) -> None:
    field = bound(make_field, make_covariance(D), 7, np.float32)
    noise = torch.randn(D, 7, generator=stream(4))
    for method in ("sde", "heun", "dpm", "churn"):
        walk = build_sampler(method, LEVELS, 20)
        first = walk(field, noise, stream(6))
        walk(field, 3 * noise, stream(7))
        assert torch.equal(walk(field, noise, stream(6)), first)


@pytest.mark.parametrize(
    ("method", "n_steps"), [("heun", 16), ("churn", 16), ("dpm", 32), ("sde", 32)]
)
def test_the_budget_counts_denoiser_evaluations(make_field, make_covariance, method, n_steps):
    field = bound(make_field, make_covariance(D), 3, np.float32)
    calls = []
    plain = field.denoise
    field.denoise = lambda y, sigma: calls.append(sigma) or plain(y, sigma)  # type: ignore
    ticks = []
    walk = build_sampler(method, LEVELS, 32)
    walk(field, torch.zeros(D, 3), stream(0), lambda: ticks.append(1))
    assert len(ticks) == n_steps
    assert 31 <= len(calls) - 2 <= 32  # and two for where to start
    assert min(calls) > 0


def test_impossible_samplers_are_named() -> None:
    with pytest.raises(OptionError, match="Unknown sampling method 'euler'"):
        build_sampler("euler", LEVELS, 32)
    with pytest.raises(OptionError, match="at least 2, found 1"):
        build_sampler("heun", LEVELS, 1)


@pytest.mark.parametrize("method", [Heun, Churn, DPMSolver, StochasticDPMSolver])
def test_the_levels_of_a_walk_are_those_it_asks(make_field, make_covariance, method) -> None:
    """What is prepared is what is needed, and nothing else."""
    walk = method(KarrasLevels()(LEVELS, 7))
    field = bound(make_field, make_covariance(D), 3, np.float32)
    asked, denoise = set(), field.denoise

    def listening(y: torch.Tensor, sigma: float) -> torch.Tensor:
        asked.add(sigma)
        return denoise(y, sigma)

    field.denoise = listening
    walk(field, torch.randn(D, 3, generator=stream(3)), stream(4))
    assert asked == set(walk.levels)


class Euler(Sampler):
    """As a user would write it."""

    def step(self, field, y, sigma, next_sigma, generator):
        return y + (next_sigma - sigma) * (y - field.denoise(y, sigma)) / sigma


def test_a_sampler_may_be_a_class_or_a_function_of_levels() -> None:
    for method, n_steps in ((Euler, 30), (Heun, 15), (lambda s: Churn(s, churn=5.0), 15)):
        for schedule in (KarrasLevels(3.0), GeometricLevels(), LogNormalLevels()):
            walk = build_sampler(method, LEVELS, 30, schedule)
            np.testing.assert_array_equal(walk.sigmas, schedule(LEVELS, n_steps))
    assert isinstance(build_sampler(Euler, LEVELS, 8), Euler)
    by_name = build_sampler("heun", LEVELS, 8).sigmas
    np.testing.assert_array_equal(by_name, KarrasLevels()(LEVELS, 4))


def test_a_sampler_of_a_few_lines_converges_to_the_flow(make_field, make_covariance) -> None:
    """First order: half the error at twice the steps."""
    c, levels = make_covariance(D), NoiseLevels(0.05, 8.0)
    field = bound(make_field, c, 40, np.float64)
    noise = torch.randn(D, 40, generator=stream(1), dtype=torch.float64)
    exact = flow(c, noise * 8.0, 8.0, 0.05)
    errors = [
        np.abs(Euler(grid[:-1]).descend(field, noise * 8.0, stream(2)).numpy() - exact).max()
        for grid in (GeometricLevels()(levels, n) for n in (100, 200, 400))
    ]
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 2.0, atol=0.1)


@pytest.mark.parametrize(
    ("method", "schedule", "found"),
    [
        (3, None, "Unknown sampling method 3. Choose one of"),
        (Sampler, None, "pass a subclass of Sampler"),
        (np.sort, None, "which is no Sampler"),
        ("heun", "karras", "chosen by a LevelSchedule, found 'karras'"),
        ("heun", KarrasLevels, "chosen by a LevelSchedule"),
    ],
)
def test_what_is_no_sampler_or_schedule_is_named(method, schedule, found) -> None:
    with pytest.raises(OptionError, match=found):
        build_sampler(method, LEVELS, 8, schedule)
