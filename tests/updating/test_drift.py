"""Drift: few false calls on normal rows, also where rows resemble each other; real ones found."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import t as student

from locality.inference.updating.drift import drift, upper_bound


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_false_calls_are_rarer_than_stated(memory: float) -> None:
    """At 5 % for any of 30 sensors; 200 trials: 19 or more have probability 0.3 % at that rate."""
    rng = np.random.default_rng(0)
    calls = 0
    for _ in range(200):
        noise = rng.normal(size=(400 + 2_000, 30))
        rows = lfilter([np.sqrt(1 - memory**2)], [1.0, -memory], noise, axis=0)
        normal, new = rows[:2_000], rows[2_000:]
        found = drift(new - normal.mean(axis=0), normal.std(axis=0), len(normal), 0.05)
        calls += bool(found.drifted.any())
    assert calls <= 18


def test_a_rise_is_found_and_a_fall_is_not() -> None:
    rng = np.random.default_rng(1)
    nats = rng.normal(size=(300, 10))
    nats[:, 4] += 0.6
    nats[:, 7] -= 2.0
    nats[100:150, 2] = np.nan
    found = drift(nats, np.ones(10), 1_000, 0.01)
    assert np.flatnonzero(found.drifted).tolist() == [4]
    assert np.isfinite(found.excess).all()
    assert found.excess[4] == pytest.approx(0.6, abs=0.25)


def test_the_bound_holds_as_often_as_stated() -> None:
    """The true mean lies above a 95 % bound in 5 % of 1,000 trials; 75 have probability 0.02 %."""
    rng = np.random.default_rng(2)
    too_low = sum(upper_bound(rng.normal(size=200), 0.05)[1] < 0 for _ in range(1_000))
    assert 30 <= too_low <= 74


@pytest.mark.parametrize(
    ("means", "raised"), [(np.tile([1.0, -1.0], 10), 1.0), (np.repeat([1.0, -1.0], 10), 9.0)]
)
def test_what_neighboring_blocks_share_widens_the_bound(means: np.ndarray, raised: float) -> None:
    """Student's t of twenty means; with the most that is allowed for, 0.8, variance counts nine
    times. Normal rows are taken to be as dependent, so that their mean is as uncertain.
    """
    variance = raised * means.var(ddof=1)
    rows = np.repeat(0.3 + means, 5)
    mean, bound = upper_bound(rows, 0.05)
    expected = 0.3 + student.ppf(0.95, 19) * np.sqrt(variance / 20)
    assert (mean, bound) == (pytest.approx(0.3), pytest.approx(expected, rel=1e-12))
    found = drift(rows[:, None], np.array([2.0]), 50, 0.01)
    error = np.sqrt(variance / 20 + 2.0**2 * 5 * variance / 50)  # rows have variance 1
    assert found.p_value[0] == pytest.approx(student.sf(0.3 / error, 19), rel=1e-12)


def test_gaps_are_left_out_of_the_mean_of_a_block() -> None:
    """One value is a mean; a block that has no value counts as the mean of all rows."""
    nats = np.random.default_rng(3).normal(1.0, 1.0, (100, 2))
    whole = drift(nats, np.ones(2), 100, 0.01)
    nats[::7, 0], nats[11:15, 0] = np.nan, np.nan
    nats[10:15, 1] = np.nan
    found = drift(nats, np.ones(2), 100, 0.01)
    blocks = nats.reshape(20, 5, 2)
    assert found.excess[0] == pytest.approx(np.nanmean(blocks[..., 0], axis=1).mean(), rel=1e-12)
    left = np.delete(blocks[..., 1], 2, axis=0).mean()
    assert found.excess[1] == pytest.approx(left, rel=1e-12)
    assert found.excess[1] != whole.excess[1]
