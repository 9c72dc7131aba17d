"""What fades has a closed form, in pieces as at once; channels see what they are for."""

import numpy as np
import pytest

from locality.inference.judging.memory import KINDS, MEMORIES, Memory, faded, sensor_nats


@pytest.mark.parametrize("weight", [1.0, 0.4, 0.03])
@pytest.mark.parametrize("shape", [(30,), (30, 2)])
def test_means_fade_exponentially(weight, shape) -> None:
    """s_t = Σ_k α (1 − α)^k x_{t−k} + (1 − α)^{t+1} s_before."""
    rng = np.random.default_rng(0)
    x, before = rng.standard_normal(shape), rng.standard_normal(shape[1:])
    found, last = faded(x, weight, before)
    for t in range(len(x)):
        rest = (1 - weight) ** np.arange(t + 1)
        expected = np.tensordot(weight * rest, x[t::-1], axes=(0, 0))
        expected = expected + (1 - weight) ** (t + 1) * before
        np.testing.assert_allclose(found[t], expected, atol=1e-12)
    np.testing.assert_array_equal(last, found[-1])


@pytest.mark.parametrize("weight", MEMORIES)
def test_pieces_fade_to_the_same_bits(weight) -> None:
    x = np.random.default_rng(1).standard_normal((50, 200))
    whole, end = faded(x, weight, np.full(200, 0.7))
    state, parts = np.full(200, 0.7), []
    for piece in np.split(x, [0, 1, 2, 20, 20, 49]):
        found, state = faded(piece, weight, state)
        parts.append(found)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(state, end)


def alone(n: int):
    """A change of a sensor is seen in its own innovation only."""
    return np.eye(n), np.eye(n)


def test_nats_are_those_of_a_student_law() -> None:
    """−log density of three degrees of freedom, 0 at the expectation."""
    from scipy.stats import t

    e = np.array([0.0, 0.5, -3.0, 1e8])
    np.testing.assert_allclose(sensor_nats(e), t.logpdf(0.0, 3) - t.logpdf(e, 3), rtol=1e-10)


def test_channels_are_what_they_say() -> None:
    rng = np.random.default_rng(2)
    e = rng.standard_normal((40, 5))
    nats = sensor_nats(e).sum(axis=1)
    channels, memory = Memory.empty(5, 2.5).take(e, nats, alone(5))
    assert channels.shape == (len(MEMORIES) * len(KINDS), 40)
    for k, weight in enumerate(MEMORIES):
        mean = faded(e, weight, 0.0)[0] ** 2 * (2 - weight) / weight
        expected = faded(nats, weight, 2.5)[0], np.log(mean.sum(axis=1)), np.log(mean.max(axis=1))
        np.testing.assert_allclose(channels[3 * k : 3 * k + 3], expected, atol=1e-9)
    # long after the first row every sensor has unit variance in the signed mean
    long = Memory.empty(5, 2.5).take(rng.standard_normal((20_000, 5)), np.zeros(20_000), alone(5))[
        0
    ]
    for k in range(len(MEMORIES)):
        assert np.exp(long[3 * k + 1, 500:]).mean() == pytest.approx(5.0, rel=0.1)
    again, after = Memory.from_arrays(memory.arrays()).take(e, nats, alone(5))
    both = Memory.empty(5, 2.5).take(np.concatenate([e, e]), np.concatenate([nats, nats]), alone(5))
    np.testing.assert_array_equal(again, both[0][:, 40:])
    np.testing.assert_array_equal(after.signed, both[1].signed)


def test_a_slow_drift_is_in_the_signed_channel_of_a_long_memory() -> None:
    """Half a deviation in one sensor of 20 for 100 rows, against 400 rows of before."""
    e = np.random.default_rng(3).standard_normal((500, 20))
    e[400:, 7] += 0.7
    channels, _ = Memory.empty(20, 0.0).take(e, sensor_nats(e).sum(axis=1), alone(20))
    normal, late = channels[:, 100:400], channels[:, 470:]
    far = (late.mean(axis=1) - normal.mean(axis=1)) / normal.std(axis=1)
    assert far.argmax() == 3 * 3 + 2
    assert far[11] > 3
    assert far[:3].max() < 1


def test_what_is_far_beyond_all_numbers_is_still_one() -> None:
    for size in (1e200, 1e-200, 0.0):
        e = np.full((3, 2), size)
        channels, memory = Memory.empty(2, 0.0).take(
            e, sensor_nats(np.clip(e, -1e60, 1e60)).sum(1), alone(2)
        )
        assert np.isfinite(channels).all()
        assert np.isfinite(memory.signed).all()
