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
