"""Gaps leave their neighbors open, by just so much."""

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph
from locality.inference.laws.inflation import inflation, tempered
from locality.inference.laws.repair import repair


@pytest.fixture(scope="module")
def chain() -> LocalizedDiffusion:
    rows = OrnsteinUhlenbeckChain(7, 0.8).sample(50_000, 0)
    return LocalizedDiffusion(graph="chain", denoiser="linear", radius=1, random_state=0).fit(rows)


def test_one_gap_opens_its_neighbors_by_what_is_open_of_it(chain: LocalizedDiffusion) -> None:
    """Markov chain: x_j given both neighbors has weights ρ/(1+ρ²) and variance (1−ρ²)/(1+ρ²)."""
    missing = np.zeros((7, 2), dtype=bool)
    missing[3, 1] = True
    found = inflation(chain.model_.field, missing)
    weight = 0.8 / (1 + 0.8**2)
    expected = np.ones((7, 2))
    expected[[2, 4], 1] = 1 + weight**2  # both have the same standard deviation
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_gaps_beside_each_other_open_each_other(chain: LocalizedDiffusion) -> None:
    """Two of them: S² = s² + w² S², so S² = s²/(1 − w²), and their neighbors are open by w² S²."""
    missing = np.zeros((7, 1), dtype=bool)
    missing[[2, 3]] = True
    square = (0.8 / (1 + 0.8**2)) ** 2
    found = inflation(chain.model_.field, missing)[:, 0]
    np.testing.assert_allclose(found[[1, 4]], 1 + square / (1 - square), atol=0.01)
    np.testing.assert_allclose(found[[0, 5, 6]], 1.0)


def test_gaps_in_time_open_what_follows() -> None:
    """x_t = φ x_{t−1} + s ε with two rows missing: S² = s², then s² (1 + φ²)."""
    rng = np.random.default_rng(5)
    x, phi = np.zeros((20_000, 2)), 0.7
    for t in range(1, len(x)):
        x[t] = phi * x[t - 1] + rng.standard_normal(2)
    model = LocalizedDiffusion(
        graph=DependencyGraph.empty(2), lags=1, denoiser="linear", random_state=0, gaussianize=False
    ).fit(x)
    missing = np.zeros((2, 6), dtype=bool)
    missing[0, [2, 3]] = True
    found = inflation(model.model_.field, missing)
    expected = np.ones((2, 6))
    expected[0, 3], expected[0, 4] = 1 + phi**2, 1 + phi**2 * (1 + phi**2)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_it_is_the_error_of_fills(chain: LocalizedDiffusion) -> None:
    """Residuals beside gaps have at most the variance told, and no less than a fifth of it: a fill
    leans to the very value that is judged by it.
    """
    rows = OrnsteinUhlenbeckChain(7, 0.8).sample(20_000, 1)
    for gaps in ((3,), (2, 3), (1, 3, 5)):
        z = chain.model_.standardizer.standardize(rows).T.copy()
        z[list(gaps)] = np.nan
        factor = inflation(chain.model_.field, np.isnan(z))[:, 0]
        seen = np.setdiff1d(np.arange(7), gaps)
        square = (repair(chain.model_.field, z, np.inf).residual[seen] ** 2).mean(axis=1)
        ratio = square / factor[seen]
        assert (ratio < 1.05).all()  # 5 standard errors of a variance
        assert (ratio > 0.2).all()


def test_without_gaps_nothing_changes(chain: LocalizedDiffusion) -> None:
    field = chain.model_.field
    assert (inflation(field, np.zeros((7, 5), dtype=bool)) == 1).all()
    np.testing.assert_array_equal(tempered(np.array([-2.0, 3.0]), np.array([4.0, 2.0])), [-2, 1.5])
