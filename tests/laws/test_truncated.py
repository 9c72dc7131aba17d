"""Bounded columns: against rejection from the unbounded law."""

import numpy as np
import pytest
from scipy import stats

from locality import LocalizedDiffusion
from locality.inference.laws.truncated import truncated_normal

INFINITE = np.inf


def test_one_component_has_its_law_far_out_in_the_tail_too() -> None:
    rng = np.random.default_rng(0)
    for low, high in ((0.0, INFINITE), (-1.0, 0.5), (6.0, INFINITE), (-INFINITE, -9.0), (7.0, 7.1)):
        x = truncated_normal(
            np.full((1, 4_000), 1.0), np.array([[4.0]]), np.array([[low]]), np.array([[high]]), rng
        )[0]
        assert low <= x.min()
        assert x.max() <= high
        law = stats.truncnorm((low - 1) / 2, (high - 1) / 2, 1.0, 2.0)
        assert stats.kstest(x, law.cdf).pvalue > 0.001  # level 0.005 over five cases


def test_vectors_have_the_law_of_those_that_are_not_rejected() -> None:
    rng = np.random.default_rng(1)
    mean = np.array([0.3, -0.2, 0.0])
    covariance = 0.7 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    low, high = np.array([0.0, -INFINITE, -0.5]), np.array([INFINITE, 0.8, INFINITE])
    free = rng.multivariate_normal(mean, covariance, 100_000)
    kept = free[((free >= low) & (free <= high)).all(axis=1)]
    drawn = truncated_normal(
        np.tile(mean[:, None], 6_000), covariance, low[:, None], high[:, None], rng
    ).T
    error = kept.std(axis=0) * np.sqrt(1 / 6_000 + 1 / len(kept))
    assert (np.abs(drawn.mean(axis=0) - kept.mean(axis=0)) < 4 * error).all()
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(kept.T), atol=0.03)


def case(n_draws: int = 50) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(4)
    factor = rng.standard_normal((4, 8))
    low = np.array([-0.5, -INFINITE, 0.2, -INFINITE])[:, None]
    high = np.array([0.3, 0.1, INFINITE, INFINITE])[:, None]
    return rng.standard_normal((4, n_draws)), factor @ factor.T / 8, low, high


@pytest.mark.parametrize("scale", [2.0**-20, 0.25, 2.0**20])
def test_units_and_origin_do_not_matter(scale: float) -> None:
    """In units of a power of two draws are the same to the bit; moved, they move along."""
    mean, covariance, low, high = case()
    drawn = truncated_normal(mean, covariance, low, high, np.random.default_rng(5))
    other = truncated_normal(
        scale * mean, scale**2 * covariance, scale * low, scale * high, np.random.default_rng(5)
    )
    np.testing.assert_array_equal(other, scale * drawn)
    moved = truncated_normal(mean + 3, covariance, low + 3, high + 3, np.random.default_rng(5))
    np.testing.assert_allclose(moved, drawn + 3, atol=1e-6)
    assert ((low <= drawn) & (drawn <= high)).all()
    assert (drawn[2] > 0.2).all()


def test_columns_are_draws_of_their_own() -> None:
    """Around the mean of their column: 20 of each of two, far apart."""
    mean, covariance, *_ = case(40)
    free, steep = np.full((4, 1), INFINITE), 1e-6 * covariance
    mean[:, 20:] += 100.0
    found = truncated_normal(mean, steep, -free, free, np.random.default_rng(6))
    np.testing.assert_allclose(found, mean, atol=0.02)
    assert (np.diff(found - mean, axis=1) != 0).all()


def test_exact_copies_stay_copies() -> None:
    """A covariance without an inverse: bounds of one are bounds of the other."""
    low = np.array([[0.0], [-INFINITE]])
    found = truncated_normal(
        np.zeros((2, 300)), np.ones((2, 2)), low, np.full((2, 1), INFINITE),
        np.random.default_rng(7),
    )  # fmt: skip
    assert (found[0] >= 0).all()
    assert np.abs(found[0] - found[1]).max() < 2e-4


@pytest.mark.slow
def test_a_series_keeps_within_bounds_all_along() -> None:
    """Stretches of four rows with a column above zero throughout, against real ones that are."""
    rng = np.random.default_rng(2)
    n = 60_000
    x = np.zeros((n, 2))
    noise = rng.standard_normal((n, 2))
    for t in range(1, n):
        x[t, 0] = 0.8 * x[t - 1, 0] + 0.6 * noise[t, 0]
        x[t, 1] = 0.5 * x[t, 0] + noise[t, 1]
    model = LocalizedDiffusion(
        denoiser="linear", lags=1, gaussianize=False, random_state=0, graph="complete"
    ).fit(x[:20_000])
    windows = np.lib.stride_tricks.sliding_window_view(x[20_000:], 4, axis=0)  # [., column, row]
    real = windows[(windows[:, 0] > 0).all(axis=1)]
    drawn = np.stack([model.sample(4, condition="x0>0", random_state=k) for k in range(200)])
    assert (drawn[..., 0] > 0).all()
    for row in range(4):
        for column in range(2):
            off = drawn[:, row, column].mean() - real[:, column, row].mean()
            # eight means, 4 standard errors; real windows overlap and are many
            assert abs(off) < 4 * drawn[:, row, column].std() / np.sqrt(200) + 0.02
    ends = np.corrcoef(drawn[:, 0, 0], drawn[:, 3, 0])[0, 1]
    assert ends == pytest.approx(np.corrcoef(real[:, 0, 0], real[:, 0, 3])[0, 1], abs=0.15)
