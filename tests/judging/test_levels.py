"""p-values: uniform on fresh normal rows, and without an end."""

import numpy as np
import pytest

from locality.inference.judging.levels import error_of, levels_of, log_p_values


def p_of(normal: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.exp(log_p_values(levels_of(normal[None]), values[None]))[0]


@pytest.mark.parametrize("n", [50, 400, 2_000])
def test_p_values_of_fresh_rows_are_uniform(n) -> None:
    """100 references against 1,000 fresh rows each: in every share within three standard errors,
    of which the number of normal rows is the larger part.
    """
    rng, shares, found = np.random.default_rng(n), np.array([0.01, 0.05, 0.1, 0.5, 0.9]), []
    for _ in range(100):
        p = p_of(rng.gamma(2.0, size=n), rng.gamma(2.0, size=1_000))
        found.append((p[:, None] <= shares).mean(axis=0))
    error = np.sqrt(shares * (1 - shares) * (1 / n + 1 / 1_000) / 100)
    slack = np.array([0.25, 0.05, 0.03, 0, 0]) * shares + 1 / (n + 1)  # of what a tail may be wrong
    assert (np.abs(np.mean(found, axis=0) - shares) < 3 * error + slack).all()


def test_up_to_the_tail_it_is_the_share_of_normal_rows_as_high() -> None:
    """The row itself among them, exactly where all ranks are kept."""
    normal = np.random.default_rng(0).standard_normal(300)
    ascending = np.sort(normal)
    for at in (0, 1, 100, 284):
        assert p_of(normal, ascending[[at]])[0] == pytest.approx((300 - at) / 301)
    assert p_of(normal, ascending[[0]] - 1.0)[0] == 1.0
    assert p_of(normal, 0.5 * ascending[[100]] + 0.5 * ascending[[101]]) == pytest.approx(
        199.5 / 301
    )


def test_values_fall_without_end() -> None:
    """Monotone everywhere; no two values far away have one logarithm, beyond the smallest number
    as well.
    """
    levels = levels_of(np.random.default_rng(1).standard_normal((1, 1_000)))
    edge = levels[0, -4]
    value = np.linspace(-5, edge, 2_000)
    assert (np.diff(log_p_values(levels, value[None])) <= 0).all()
    far = edge + np.logspace(-3, 250, 3_000)
    log_p = log_p_values(levels, far[None])[0]
    assert (np.diff(log_p) < 0).all()
    assert np.isfinite(log_p).all()
    assert log_p[-1] < -700  # exp is 0 there
    step = log_p_values(levels, np.array([[edge, np.nextafter(edge, 9.0)]]))[0]
    assert step[1] == pytest.approx(step[0], abs=0.02)


def test_the_tail_is_the_predictive_law_of_its_excesses() -> None:
    """p = p_edge (1 + x/(k m))^−k with the k runs and mean m of the excesses: heavier the fewer."""
    normal = np.random.default_rng(2).exponential(size=1_000)
    (levels,) = levels_of(normal[None])
    ascending = np.sort(normal)
    at = int(0.95 * 999)
    excess = ascending[at + 1 :] - ascending[at]
    above = normal > ascending[at]
    runs = int(above[0]) + int((above[1:] & ~above[:-1]).sum())
    n, mean, count = levels[-3:]
    assert (n, mean, count) == (1_000, pytest.approx(excess.mean()), runs)
    x = np.array([0.5, 3.0, 20.0])
    start = (1_000 - at) / 1_001
    expected = start * (1 + x / (runs * excess.mean())) ** -float(runs)
    np.testing.assert_allclose(p_of(normal, ascending[at] + x), expected)
    few = np.repeat(levels[None], 2, axis=0)
    few[1, -1] = 3.0
    sparse = log_p_values(few, np.tile(ascending[at] + x, (2, 1)))
    assert (sparse[1] > sparse[0]).all()


def test_excesses_in_a_row_count_once() -> None:
    alone, together = np.zeros(1_000), np.zeros(1_000)
    alone[::20] = together[:50] = np.arange(1.0, 51.0)
    counts = [levels_of(part[None])[0, -1] for part in (alone, together)]
    assert counts == [50, 1]
    for count, part in zip(counts, (alone, together), strict=True):
        independent = min(count / 0.05, 1_000.0)
        expected = np.sqrt(0.1 * 0.9 / independent)
        assert error_of(levels_of(part[None]), 0.1) == pytest.approx(expected)


@pytest.mark.parametrize("n", [300, 900])
def test_the_stated_error_is_honest(n) -> None:
    """Of 60 references of a series whose values stay for some rows: shares of long fresh ones
    spread by no more than 1.4 times what is told, and by no less than 0.5 times it.
    """
    rng, shares, told = np.random.default_rng(4), [], []
    for _ in range(60):
        x = np.convolve(rng.standard_normal(n + 4_003), np.ones(4) / 2, "valid")
        shares.append((p_of(x[:n], x[n:]) <= 0.05).mean())
        told.append(error_of(levels_of(x[None, :n]), 0.05))
    spread = np.std(shares)
    assert 0.5 * np.mean(told) < spread < 1.4 * np.mean(told)


def test_rows_that_are_all_alike_have_no_tail() -> None:
    np.testing.assert_allclose(p_of(np.ones(50), np.array([0.0, 1.0, 2.0])), [1, 50 / 51, 1 / 51])


def test_normal_rows_that_are_equal_are_all_at_least_as_high() -> None:
    normal = np.repeat([0.0, 1.0, 2.0], [40, 50, 10])
    found = p_of(normal, np.array([0.0, 0.5, 1.0, 1.5]))
    np.testing.assert_allclose(found[[0, 2]], [100 / 101, 60 / 101])
    assert found[2] < found[1] < found[0]
    assert found[3] < found[2]


def test_channels_do_not_mix() -> None:
    rng = np.random.default_rng(5)
    normal, values = rng.standard_normal((3, 200)), 3 * rng.standard_normal((3, 50))
    together = log_p_values(levels_of(normal), values)
    for k in range(3):
        apart = log_p_values(levels_of(normal[[k]]), values[[k]])
        np.testing.assert_array_equal(together[[k]], apart)
