"""False episodes are as rare as promised, and no promise is made that normal rows cannot carry."""

import numpy as np
import pytest

from locality.inference.judging import evidence as evidence_module
from locality.inference.judging.evidence import SIZES, Evidence, bounds_of, rows_needed, scores

LIMIT = 100.0  # rows


def first_alarms(draw, bounds_from, n_runs: int, n_rows: int = 1_500) -> np.ndarray:
    """Rows to the first alarm of so many streams, at most ``n_rows``."""
    found = []
    for seed in range(n_runs):
        rng = np.random.default_rng(seed)
        bounds = bounds_from(rng)
        _, alarm = Evidence(bounds, LIMIT).take(draw(rng, n_rows))
        found.append(alarm.argmax() + 1 if alarm.any() else n_rows)
    return np.array(found)


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    away = rng.standard_t(3, size=(n, 2)) / np.sqrt(3)
    return scores(away, (away**2).sum(axis=1), 2.0, 3.0)


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    away = rng.standard_normal((n, 2))
    return scores(away, (away**2).sum(axis=1), 2.0, 2.0)


@pytest.mark.parametrize("draw", [normal, heavy])
def test_the_mean_time_to_a_false_alarm_is_at_least_as_promised(draw) -> None:
    """Bounds from 500 normal rows; 12 streams cut at 1,500 rows: even the lower end of their mean,
    three standard errors below it, is above the promise.
    """
    found = first_alarms(draw, lambda rng: bounds_of(draw(rng, 500)), 12)
    assert found.mean() - 3 * found.std() / np.sqrt(12) > LIMIT


def test_bounds_that_forget_the_size_would_be_caught() -> None:
    """κ of size 1 taken for all sizes: alarms come much sooner than promised."""

    def wrong(rng: np.random.Generator) -> np.ndarray:
        bounds = bounds_of(normal(rng, 500))
        return np.repeat(bounds[:, :1], len(SIZES), axis=1)

    assert first_alarms(normal, wrong, 12).mean() < LIMIT


@pytest.mark.parametrize("draw", [normal, heavy])
def test_bounds_are_above_the_logarithm_of_the_moment(draw) -> None:
    """E exp(λψ − κ) ≤ 1, of 200,000 fresh rows: of 20 references with 18 bounds each at most a
    twentieth is below, since two standard errors are added.
    """
    fresh = draw(np.random.default_rng(99), 100_000)
    sizes = np.array(SIZES)[:, None] * np.array([1.0, -1.0])
    truth = np.log(np.stack([[[np.exp(s * psi).mean() for s in row] for row in sizes]
                             for psi in fresh.T]))  # fmt: skip
    below = [bounds_of(draw(np.random.default_rng(seed), 500)) < truth for seed in range(20)]
    assert np.mean(below) < 0.05
    assert (bounds_of(fresh) > truth).all()
    assert (bounds_of(fresh) < truth + 0.25 * sizes**2).all()


def test_rows_that_resemble_each_other_have_larger_bounds() -> None:
    """Means over blocks vary more than those of independent rows: to the 16-fold at the end."""
    rng = np.random.default_rng(0)
    alone = rng.standard_normal((1_600, 1)).clip(-3, 3)
    long = np.repeat(alone[:100], 16, axis=0)
    assert (bounds_of(long) > bounds_of(alone) + 0.5).all()
    assert bounds_of(long)[0, 1, 0] == pytest.approx(0.5 * 16, rel=0.35)


def test_evidence_is_the_sum_over_all_starts() -> None:
    """Σ_s exp Σ_{t ≥ s} (λψ − κ), averaged: half of the weight on the nats of all sensors."""
    rng = np.random.default_rng(1)
    psi, bounds = rng.standard_normal((12, 3)), bounds_of(normal(rng, 300))
    found, _ = Evidence(bounds, 1e6).take(psi)
    for t in range(12):
        total = np.zeros(bounds.shape)
        for j in range(3):
            for k, size in enumerate(SIZES):
                for side, sign in enumerate((1.0, -1.0)):
                    steps = sign * size * psi[: t + 1, j] - bounds[j, k, side]
                    total[j, k, side] = np.exp(steps[::-1].cumsum()).sum()
        expected = 0.5 * total[:2].mean() + 0.5 * total[2, :, 0].mean()  # no sign of a fall
        assert found[t] == pytest.approx(np.log(expected))


@pytest.mark.parametrize(("sensor", "shift"), [(0, 1.0), (1, -1.0)])
def test_a_shift_of_either_sign_is_found_soon(sensor, shift) -> None:
    """One deviation: within 60 rows, by evidence of 100 rows."""
    rng = np.random.default_rng(2)
    bounds = bounds_of(normal(rng, 1_000))
    away = rng.standard_normal((160, 2))
    away[100:, sensor] += shift
    psi = scores(away, (away**2).sum(axis=1), 2.0, 2.0)
    _, alarm = Evidence(bounds, LIMIT).take(psi)
    assert not alarm[:100].any()
    assert alarm[100:].any()


def test_an_episode_ends_when_the_evidence_has_fallen_to_the_root() -> None:
    bounds = np.full((2, len(SIZES), 2), 0.6)
    high, low = np.full((60, 2), 2.5), np.zeros((60, 2))
    found, alarm = Evidence(bounds, LIMIT).take(np.concatenate([high, low]))
    start, end = int(alarm.argmax()), int(len(alarm) - alarm[::-1].argmax())
    assert (found[:start] < np.log(LIMIT)).all()
    assert found[start] >= np.log(LIMIT)
    assert alarm[start:end].all()
    assert (found[start:end] > 0.5 * np.log(LIMIT)).all()
    assert found[end] <= 0.5 * np.log(LIMIT)
    # however long it lasted, it does not take longer to end
    again, alarm = Evidence(bounds, LIMIT).take(np.concatenate([np.tile(high, (5, 1)), low]))
    assert int(len(alarm) - alarm[::-1].argmax()) - 300 == end - 60
    # what is more than two nats above an alarm is forgotten, of each of the six that grew
    assert again[300] == pytest.approx(np.log(LIMIT) + 2.0 + np.log(6) - 0.6, abs=1e-3)


def test_chunks_do_not_change_a_bit() -> None:
    rng = np.random.default_rng(3)
    psi, bounds = normal(rng, 200) + 0.8, bounds_of(normal(rng, 300))
    whole, alarm = Evidence(bounds, LIMIT).take(psi)
    assert alarm.any()
    state, in_alarm, parts = None, False, []
    for piece in np.split(psi, [0, 1, 50, 51, 199]):
        growing = Evidence(bounds, LIMIT, state, in_alarm=in_alarm)
        parts.append(growing.take(piece))
        state, in_alarm = growing.state, growing.in_alarm
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), whole)
    np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), alarm)


def test_scores_are_bounded_and_in_units_of_normal_rows() -> None:
    away = np.array([[1.0, -50.0], [0.0, 2.0]])
    psi = scores(away, np.array([10.0, 1e9]), 6.0, 4.0)
    np.testing.assert_array_equal(psi, [[1.0, -3.0, 0.5], [0.0, 2.0, 1.5]])


def test_so_many_rows_cost_less_than_a_quarter_nat() -> None:
    """What is added to the bound of a unit normal score at size 1, for its number."""
    n = rows_needed()
    assert 3.0 * 1.0 / np.sqrt(n) <= 0.25
    assert 3.0 * 1.0 / np.sqrt(n - 1) > 0.25
    assert n > evidence_module._BLOCK
