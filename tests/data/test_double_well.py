"""The double-well chain against brute force, and its draws against its exact marginals."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.interpolate import CubicSpline

from locality.data.synthetic import DoubleWellChain
from locality.exceptions import OptionError

GRID = np.linspace(-3.5, 3.5, 241)  # other points than the law's own grid
H = GRID[1] - GRID[0]


def brute_force(d: int, depth: float, coupling: float) -> tuple[float, float]:
    """Return log Z and the mean energy by summing over the full d-dimensional grid."""
    every = 1 if d < 3 else 2  # sums of smooth densities are exact on coarse grids already
    axes = np.meshgrid(*[GRID[::every]] * d, indexing="ij", sparse=True)
    energy = sum(depth * (x**2 - 1) ** 2 for x in axes)
    energy = energy + sum(coupling * (a - b) ** 2 for a, b in pairwise(axes))
    weight = np.exp(-energy)
    return float(np.log(weight.sum() * (every * H) ** d)), float(
        (weight * energy).sum() / weight.sum()
    )


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize(("depth", "coupling"), [(1.5, 0.5), (4.0, 2.0), (0.5, 0.0)])
def test_transfer_matrix_agrees_with_brute_force(d: int, depth: float, coupling: float) -> None:
    chain = DoubleWellChain(d, depth, coupling)
    log_z, mean_energy = brute_force(d, depth, coupling)
    origin = np.zeros((1, d))
    np.testing.assert_allclose(-chain.log_density(origin) - chain.energy(origin), log_z, rtol=1e-9)
    np.testing.assert_allclose(chain.mean_energy(), mean_energy, rtol=1e-9)
    np.testing.assert_allclose(chain.entropy(), log_z + mean_energy, rtol=1e-9)


def test_the_density_integrates_to_one_by_gaussian_quadrature() -> None:
    node, weight = np.polynomial.legendre.leggauss(120)
    x, y = np.meshgrid(3 * node, 3 * node)
    density = np.exp(DoubleWellChain(2).log_density(np.column_stack([x.ravel(), y.ravel()])))
    total = 9 * np.outer(weight, weight).ravel() @ density
    np.testing.assert_allclose(total, 1.0, rtol=1e-7)


def test_the_published_chain_has_0_822_nats_per_component() -> None:
    assert abs(DoubleWellChain().entropy() / 40 - 0.822) < 5e-4


def test_without_coupling_the_components_are_independent() -> None:
    one, many = DoubleWellChain(1, coupling=0.0), DoubleWellChain(7, coupling=0.0)
    np.testing.assert_allclose(many.entropy(), 7 * one.entropy(), rtol=1e-12)
    x = np.random.default_rng(0).normal(size=(5, 7))
    parts = sum(one.log_density(x[:, [j]]) for j in range(7))
    np.testing.assert_allclose(many.log_density(x), parts, rtol=1e-12)


def test_energy_differs_from_the_log_density_by_a_constant() -> None:
    chain = DoubleWellChain(10)
    x = np.random.default_rng(1).normal(size=(6, 10))
    sums = chain.energy(x) + chain.log_density(x)
    np.testing.assert_allclose(sums, sums[0])
    by_hand = (1.5 * (x[0] ** 2 - 1) ** 2).sum() + 0.5 * ((x[0, 1:] - x[0, :-1]) ** 2).sum()
    np.testing.assert_allclose(chain.energy(x)[0], by_hand)
    np.testing.assert_allclose(chain.log_density(x), chain.log_density(-x))  # symmetry
    np.testing.assert_allclose(chain.log_density(x), chain.log_density(x[:, ::-1]))  # reversal


@pytest.mark.parametrize("seed", [0, 1])
def test_draws_follow_the_exact_marginals_and_pairs(seed: int) -> None:
    """Kolmogorov-Smirnov per component and chi-squared per pair; level 0.001 in all."""
    n, d = 20_000, 3
    chain = DoubleWellChain(d)
    x = chain.sample(n, random_state=seed)
    level = 1e-3 / (2 * (d + (d - 1) + 1))
    axes = np.meshgrid(*[GRID[::3]] * d, indexing="ij")
    points = np.stack([axis.ravel() for axis in axes], axis=1)
    joint = np.exp(chain.log_density(points)).reshape(axes[0].shape)
    joint /= joint.sum()
    for i in range(d):
        marginal = joint.sum(axis=tuple(j for j in range(d) if j != i))
        # Smooth and nearly zero at the ends, so a spline through the sums is exact enough.
        cdf = integrate.cumulative_simpson(_refined(marginal), initial=0.0)
        fine = np.linspace(GRID[0], GRID[::3][-1], len(cdf))
        test = stats.kstest(x[:, i], lambda v, f=fine, c=cdf: np.interp(v, f, c / c[-1]))
        assert test.pvalue > level
    edges = np.array([-np.inf, -1.0, 0.0, 1.0, np.inf])
    for i in range(d - 1):
        observed, _, _ = np.histogram2d(x[:, i], x[:, i + 1], bins=[_finite(edges)] * 2)
        pair = joint.sum(axis=tuple(j for j in range(d) if j not in (i, i + 1)))
        cells = _refined(_refined(pair).T).T
        fine = np.linspace(GRID[0], GRID[::3][-1], len(cells))
        bins = np.digitize(fine, edges[1:-1])
        expected = np.zeros((4, 4))
        np.add.at(expected, (bins[:, None], bins[None, :]), cells)
        # A point on an edge belongs half to either side: reflect and average.
        mirrored = expected[::-1, ::-1]
        expected = (expected + mirrored) / 2
        test = stats.chisquare(observed.ravel(), (n * expected / expected.sum()).ravel())
        assert test.pvalue > level
    surprise = -chain.log_density(x)
    z = (surprise.mean() - chain.entropy()) / (surprise.std() / np.sqrt(n))
    assert 2 * stats.norm.sf(abs(z)) > level


def _finite(edges: np.ndarray) -> np.ndarray:
    return np.clip(edges, -10.0, 10.0)


def _refined(values: np.ndarray, factor: int = 16) -> np.ndarray:
    """Interpolate along the first axis by a cubic spline."""
    n = len(values)
    return CubicSpline(np.arange(n), values)(np.linspace(0, n - 1, factor * (n - 1) + 1))


@pytest.mark.parametrize(("depth", "coupling"), [(1.5, 0.5), (10.0, 5.0), (0.1, 0.5)])
def test_the_law_of_a_draw_is_within_the_stated_distance(depth: float, coupling: float) -> None:
    """Total variation between one interpolated conditional law and the exact one."""
    chain = DoubleWellChain(3, depth, coupling)
    grid, h = chain._grid, chain._spacing
    fine = np.linspace(grid[0], grid[-1], 8 * (len(grid) - 1) + 1)
    message = np.exp(-coupling * (fine[:, None] - grid) ** 2) @ chain._weight * h
    inside = np.flatnonzero(np.abs(grid[:-1]) < 1.8)[:: len(grid) // 12]
    for k in inside:
        start = grid[k] + h / 2  # farthest from the tabulated neighbors
        weight = np.exp(-depth * (fine**2 - 1) ** 2) * message
        exact = weight * np.exp(-coupling * (fine - start) ** 2)
        table = chain._kernel[[k, k + 1]] * chain._weight * chain._messages.beta[1]
        table = table / ((table[:, 1:] + table[:, :-1]).sum(axis=1, keepdims=True) / 2 * h)
        drawn = np.interp(fine, grid, table.mean(axis=0))
        exact /= exact.sum() * h / 8
        assert np.abs(exact - drawn).sum() * h / 8 / 2 < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_mean_surprise_of_many_long_draws(seed: int) -> None:
    """Level 1e-5 per seed; the bias this can see is 2e-5 nats per component."""
    chain = DoubleWellChain()
    surprise = -chain.log_density(chain.sample(400_000, random_state=seed))
    z = (surprise.mean() - chain.entropy()) / (surprise.std() / np.sqrt(len(surprise)))
    assert 2 * stats.norm.sf(abs(z)) > 1e-5


def test_seeds_repeat_draws() -> None:
    chain = DoubleWellChain(3)
    np.testing.assert_array_equal(chain.sample(4, 5), chain.sample(4, 5))
    assert not np.array_equal(chain.sample(4, 5), chain.sample(4, 6))
    assert chain.sample(0, 5).shape == (0, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components is 0"),
        ({"depth": 0.0}, "depth is 0.0"),
        ({"coupling": -1.0}, "coupling is -1.0"),
    ],
)
def test_impossible_parameters_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        DoubleWellChain(**options)  # type: ignore[arg-type]
