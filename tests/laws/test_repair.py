"""Repair: gaps and wrong values get their exact conditional mean, nothing else is touched."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import solve_discrete_lyapunov

from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.laws.conditional import ConditionalLaw
from locality.inference.laws.repair import Repair, repair

D = 9
CHAIN = OrnsteinUhlenbeckChain(12, 0.7)


def table_field(make_field, c, **options):
    names = tuple(f"x{j}" for j in range(len(c)))
    domain = Domain(DependencyGraph.complete(len(c)), names, **options)
    return make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)], n_shards=2)


def series_field(make_field, a: NDArray[np.float64], q: NDArray[np.float64], n_lags: int = 1):
    """x_t = a x_{t-1} + e, e ~ N(0, q), with its exact second moments; also its first row's."""
    d, p = len(a), solve_discrete_lyapunov(a, q)
    graph, names = DependencyGraph.complete(d), tuple(f"x{j}" for j in range(d))
    domain = Domain(graph, names, (Axis("t", (n_lags, 0)),))
    blocks = [[np.empty(0)] * (n_lags + 1) for _ in range(n_lags + 1)]
    for s in range(n_lags + 1):
        for t in range(n_lags + 1):
            power = np.linalg.matrix_power(a, abs(s - t))
            blocks[s][t] = power @ p if s >= t else p @ power.T
    joint = np.block(blocks)

    def covariance(sources):
        at = sources.node + d * (sources.offset[:, 0] + n_lags)
        return joint[np.ix_(at, at)]

    return make_field(domain, n_lags + 1, covariance, n_shards=2), p


def coupled(d: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A chain of sensors that follow each other in time as well."""
    beside = np.eye(d, k=1) + np.eye(d, k=-1)
    return 0.5 * np.eye(d) + 0.2 * beside, 0.4 * np.linalg.inv(2 * np.eye(d) - 0.7 * beside)


def run_series(a, q, p, n: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    x = np.empty((len(a), n))
    x[:, 0] = np.linalg.cholesky(p) @ rng.standard_normal(len(a))
    noise = np.linalg.cholesky(q) @ rng.standard_normal((len(a), n))
    for t in range(1, n):
        x[:, t] = a @ x[:, t - 1] + noise[:, t]
    return x


def conditional_mean(c: NDArray[np.float64], x: NDArray[np.float64], free: NDArray[np.bool_]):
    """Exact mean of the free entries of a row, given the others."""
    gain = np.linalg.solve(c[np.ix_(~free, ~free)], c[np.ix_(~free, free)]).T
    return gain @ x[~free]


def assert_same(found: Repair, expected: Repair, columns: slice) -> None:
    for name in ("values", "gain", "expected", "residual"):
        np.testing.assert_array_equal(
            getattr(found, name)[:, columns], getattr(expected, name)[:, columns]
        )


def test_gaps_get_their_exact_conditional_mean(make_field, make_covariance) -> None:
    """Random masks, one row missing entirely and one complete; nothing else is changed."""
    c, rng = make_covariance(D), np.random.default_rng(0)
    x = 30.0 * (np.linalg.cholesky(c) @ rng.standard_normal((D, 40)))  # far out: no threshold
    gaps = rng.random(x.shape) < 0.4
    gaps[:, 3], gaps[:, 4] = True, False
    found = repair(table_field(make_field, c), np.where(gaps, np.nan, x), np.inf)
    for i in range(40):
        expected = conditional_mean(c, x[:, i], gaps[:, i]) if not gaps[:, i].all() else 0.0
        np.testing.assert_allclose(found.values[gaps[:, i], i], expected, rtol=1e-6, atol=1e-6)
    assert (found.values[:, 3] == 0.0).all()
    np.testing.assert_array_equal(found.values[~gaps], x[~gaps])
    assert not found.wrong.any()
    np.testing.assert_array_equal(np.isnan(found.residual), gaps)
    # what was filled is what is expected
    np.testing.assert_allclose(found.expected[gaps], found.values[gaps], rtol=1e-6, atol=1e-6)


def test_gaps_next_to_context_follow_it(make_field, make_covariance) -> None:
    c, rng = make_covariance(D), np.random.default_rng(1)
    x = np.linalg.cholesky(c) @ rng.standard_normal((D, 10))
    gaps = rng.random(x.shape) < 0.5
    gaps[[2, 5]] = False
    field = table_field(make_field, c, context=(2, 5))
    found = repair(field, np.where(gaps, np.nan, x), np.inf)
    for i in range(10):
        expected = conditional_mean(c, x[:, i], gaps[:, i])
        np.testing.assert_allclose(found.values[gaps[:, i], i], expected, atol=1e-4)
    np.testing.assert_array_equal(found.values[[2, 5]], x[[2, 5]])


@pytest.mark.parametrize("n_lags", [0, 1])
def test_a_value_that_does_not_fit_is_replaced_by_what_is_expected(
    make_field, make_covariance, n_lags
) -> None:
    """Every sensor in turn, six deviations off what the others let expect, either side."""
    a, q = coupled(D)
    field, p = series_field(make_field, a, q)
    x = run_series(a, q, p, 6 * 2 * D, 2)
    if not n_lags:
        c = make_covariance(D)
        field = table_field(make_field, c)
        x = np.linalg.cholesky(c) @ np.random.default_rng(2).standard_normal(x.shape)
    clean = repair(field, x, 4.0)
    assert not clean.wrong.any()
    scale = ConditionalLaw.of(field)[-1].scale
    broken, at = x.copy(), np.zeros(x.shape, dtype=bool)
    for k in range(2 * D):
        j, t = k % D, 6 * k + 3
        broken[j, t] = clean.expected[j, t] + (6.0 if k < D else -6.0) * scale[j]
        at[j, t] = True
    found = repair(field, broken, 4.0)
    np.testing.assert_array_equal(found.wrong, at)  # and no neighbor
    np.testing.assert_allclose(found.gain[at], 18.0, rtol=1e-6)
    assert (found.gain[~at] == 0.0).all()
    np.testing.assert_allclose(np.abs(found.residual[at]), 6.0, rtol=1e-6)
    np.testing.assert_allclose(found.values[at], clean.expected[at], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found.values[~at], x[~at])
    # without repair neighbors would have looked wrong
    naive = np.abs(repair(field, broken, np.inf).residual)[~at].max()
    assert naive > np.abs(found.residual[~at]).max() + 0.3


def test_a_gain_is_the_likelihood_ratio_of_the_value(make_field, make_covariance) -> None:
    """log p(repaired row) − log p(row), exactly; of several values at least their sum."""
    c = make_covariance(D)
    law, rng = stats.multivariate_normal(np.zeros(D), c), np.random.default_rng(3)
    x = 2.5 * np.linalg.cholesky(c) @ rng.standard_normal((D, 400))
    found = repair(table_field(make_field, c), x, 4.0)
    number = found.wrong.sum(axis=0)
    assert np.bincount(number)[1:3].min() > 10
    ratio = law.logpdf(found.values.T) - law.logpdf(x.T)
    gain = found.gain.sum(axis=0)
    np.testing.assert_allclose(gain[number <= 1], ratio[number <= 1], rtol=1e-6, atol=1e-9)
    assert (gain[number > 1] <= ratio[number > 1] + 1e-9).all()
    assert (found.gain[found.wrong] >= 0.5 * 4.0**2).all()
    assert (np.abs(found.residual[:, number == 0]) <= 4.0 + 1e-9).all()


def test_several_values_wrong_at_once_are_replaced_jointly(make_field) -> None:
    """Two or three sensors of twelve, ten deviations off, not next to each other's neighbors."""
    c, rng = CHAIN.covariance, np.random.default_rng(4)
    x = CHAIN.sample(120, 4).T
    broken, at = x.copy(), np.zeros(x.shape, dtype=bool)
    for i in range(120):
        where = np.array([0, 4, 8]) + rng.integers(0, 2, 3)
        where = where[: 2 + i % 2]
        broken[where, i] += 10.0 * rng.choice([-1, 1], len(where))
        at[where, i] = True
    found = repair(table_field(make_field, c), broken, 4.0)
    np.testing.assert_array_equal(found.wrong, at)
    for i in range(120):
        expected = conditional_mean(c, x[:, i], at[:, i])
        np.testing.assert_allclose(found.values[at[:, i], i], expected, rtol=1e-6, atol=1e-6)


def test_wrong_and_missing_values_are_replaced_jointly(make_field) -> None:
    c = CHAIN.covariance
    x = CHAIN.sample(50, 5).T
    gaps = np.zeros(x.shape, dtype=bool)
    gaps[5] = True
    broken = np.where(gaps, np.nan, x)
    broken[4] += 9.0
    found = repair(table_field(make_field, c), broken, 4.0)
    free = gaps[:, 0].copy()
    free[4] = True
    np.testing.assert_array_equal(found.wrong, np.arange(12)[:, None] == np.full(50, 4))
    for i in range(50):
        expected = conditional_mean(c, x[:, i], free)
        np.testing.assert_allclose(found.values[free, i], expected, rtol=1e-6, atol=1e-6)


def test_rows_that_are_wrong_all_over_are_left_to_others(make_field) -> None:
    """At most a third of the sensors are freed."""
    x = CHAIN.sample(30, 6).T * 12.0
    found = repair(table_field(make_field, CHAIN.covariance), x, 4.0)
    assert found.wrong.sum(axis=0).max() == 4


@pytest.mark.parametrize("n_lags", [1, 2])
@pytest.mark.parametrize("fault", ["shifted", "stuck", "dead"])
def test_the_repaired_past_does_not_blame_neighbors(make_field, fault, n_lags) -> None:
    """A sensor that is wrong or missing for 30 rows, the neighbors of which are fine."""
    a, q = coupled(D)
    field, p = series_field(make_field, a, q, n_lags)
    x = run_series(a, q, p, 80, 7)
    sensor, rows = 4, slice(25, 55)
    scale = ConditionalLaw.of(field)[-1].scale
    broken = x.copy()
    deviation = np.sqrt(p[sensor, sensor])
    change = {"shifted": x[sensor, rows] + 7 * deviation, "stuck": 7 * deviation, "dead": np.nan}
    broken[sensor, rows] = change[fault]
    found = repair(field, broken, 4.0)
    expected = np.zeros(x.shape, dtype=bool)
    expected[sensor, rows] = fault != "dead"
    np.testing.assert_array_equal(found.wrong, expected)
    others = np.arange(D) != sensor
    assert np.abs(found.residual[others]).max() < 4.0
    if fault != "dead":  # neighbors judged by the broken past and present look wrong for as long
        naive = np.abs(broken - repair(field, broken, np.inf).expected) / scale[:, None]
        assert (naive[[3, 5], rows] > 4.0).mean() > 0.9
    # what is filled in follows the truth better than the mean does
    error = found.values[sensor, rows] - x[sensor, rows]
    assert (error**2).mean() < 0.7 * (x[sensor, rows] ** 2).mean()
    # rows before the fault do not know of it, and those long after have forgotten it
    clean = repair(field, x, 4.0)
    assert_same(found, clean, slice(0, 25))
    assert_same(found, clean, slice(56 + n_lags, 80))


def test_gaps_of_a_series_are_filled_from_the_row_and_the_rows_before(make_field) -> None:
    a, q = coupled(4)
    field, p = series_field(make_field, a, q)
    x = run_series(a, q, p, 6, 8)
    rows = x.copy()
    rows[[1, 2], 0], rows[2, 3], rows[:, 5] = np.nan, np.nan, np.nan
    found = repair(field, rows, np.inf).values
    two, one = np.array([False, True, True, False]), np.array([False, False, True, False])
    np.testing.assert_allclose(found[two, 0], conditional_mean(p, x[:, 0], two), rtol=1e-5)
    past = a @ x[:, 2]
    expected = past[one] + conditional_mean(q, x[:, 3] - past, one)
    np.testing.assert_allclose(found[one, 3], expected, rtol=1e-4)
    np.testing.assert_allclose(found[:, 5], a @ x[:, 4], rtol=1e-4)


def test_rows_of_a_table_do_not_touch_each_other(make_field, make_covariance) -> None:
    """The same bits whatever is missing or wrong in other rows, and without them."""
    c, rng = make_covariance(D), np.random.default_rng(9)
    x = np.linalg.cholesky(c) @ rng.standard_normal((D, 20))
    x[rng.random(x.shape) < 0.1] = np.nan
    x[4, 7] += 12.0
    field = table_field(make_field, c)
    whole = repair(field, x, 4.0)
    other = x.copy()
    other[:, 10:] = np.nan
    assert_same(repair(field, other, 4.0), whole, slice(0, 10))
    other[:, 10:] = 1e9
    assert_same(repair(field, other, 4.0), whole, slice(0, 10))
    assert_same(repair(field, x[:, :10], 4.0), whole, slice(0, 10))


def test_every_sensor_has_a_threshold_of_its_own(make_field) -> None:
    x = np.zeros((12, 1))
    x[[2, 9]] = 6.0
    field = table_field(make_field, CHAIN.covariance)
    limit = np.full(12, 4.0)
    limit[[8, 9, 10]] = np.inf
    found = repair(field, x, limit)
    np.testing.assert_array_equal(np.flatnonzero(found.wrong[:, 0]), [2])
    assert found.values[9, 0] == 6.0


def test_no_rows_are_no_rows(make_field) -> None:
    found = repair(table_field(make_field, CHAIN.covariance), np.zeros((12, 0)), 4.0)
    assert found.values.shape == found.residual.shape == (12, 0)
