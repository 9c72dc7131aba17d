"""Missing values given the others: exact Gaussian conditionals, whatever the pattern."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import solve_discrete_lyapunov

from locality.domain import Axis, DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.inference.laws import banded
from locality.inference.laws import table as table_module
from locality.inference.laws.table import VARIANCE_DRAWS, GaussianTable
from locality.local.field import ScoreField

D = 6
TABLE = Domain(DependencyGraph.complete(D), tuple("abcdef"))
A = np.array([[0.6, 0.3, 0.0], [-0.2, 0.5, 0.2], [0.0, 0.1, 0.8]])
Q = np.array([[0.5, 0.2, 0.0], [0.2, 0.4, -0.1], [0.0, -0.1, 0.3]])
P = solve_discrete_lyapunov(A, Q)
LEVEL = 1e-4


def table(make_field, c):
    return GaussianTable(make_field(TABLE, D, lambda s: c[np.ix_(s.node, s.node)], n_shards=2))


def series(make_field):
    domain = Domain(DependencyGraph.complete(3), tuple("abc"), (Axis("time", (1, 0)),))

    def covariance(sources):
        joint = np.block([[P, P @ A.T], [A @ P, P]])
        at = sources.node + 3 * (sources.offset[:, 0] + 1)
        return joint[np.ix_(at, at)]

    return GaussianTable(make_field(domain, 2, covariance, n_shards=2))


def conditional(c: NDArray[np.float64], x: NDArray[np.float64]):
    """Exact mean of the missing entries of x, and their covariance."""
    m, o = np.isnan(x), ~np.isnan(x)
    gain = (
        np.linalg.solve(c[np.ix_(o, o)], c[np.ix_(o, m)]).T if o.any() else np.zeros((m.sum(), 0))
    )
    return gain @ x[o], c[np.ix_(m, m)] - gain @ c[np.ix_(o, m)]


def stationary(n: int) -> NDArray[np.float64]:
    """Covariance of n rows of the series, row by row."""
    blocks = [[None] * n for _ in range(n)]
    for s in range(n):
        for t in range(n):
            power = np.linalg.matrix_power(A, abs(s - t))
            blocks[s][t] = power @ P if s >= t else P @ power.T
    return np.block(blocks)


def test_tables_have_the_exact_conditional_law(make_field, make_covariance) -> None:
    """Random masks, an empty row and a full one: means to 1e-5, deviations as far as 400 draws go.

    A deviation is known from 400 draws to about 3 % of its random part.
    """
    c = make_covariance(D)
    rng = np.random.default_rng(0)
    x = np.linalg.cholesky(c) @ rng.standard_normal((D, 12))
    gaps = rng.random(x.shape) < 0.4
    gaps[:, 0], gaps[:, 1] = True, False
    rows = np.where(gaps, np.nan, x)
    found = table(make_field, c).posterior(rows, 400, rng)
    assert np.array_equal(found.mean[~gaps], x[~gaps])
    assert (found.deviation[~gaps] == 0).all()
    for i in range(12):
        mean, covariance = conditional(c, rows[:, i])
        np.testing.assert_allclose(found.mean[gaps[:, i], i], mean, atol=1e-4)
        np.testing.assert_allclose(
            found.deviation[gaps[:, i], i], np.sqrt(np.diag(covariance)), rtol=0.12
        )


def test_a_cut_into_shards_is_not_seen(make_field) -> None:
    """A Markov chain at radius 1 in four shards in any order: the joint law is exact all the same.

    In the order of the shards two sides of a seam would each be regressed on one neighbor only.
    """
    d = 16
    c = 0.7 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    domain = Domain(DependencyGraph.chain(d), tuple(f"x{j}" for j in range(d)))
    field = make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)], n_shards=4)
    x = np.linalg.cholesky(c) @ np.random.default_rng(0).standard_normal((d, 5))
    x[[2, 3, 4, 7, 8, 11, 12]] = np.nan
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        mixed = ScoreField(domain, tuple(field.shards[k] for k in order))
        missing = np.flatnonzero(np.isnan(x[:, 0]))
        mean, found = GaussianTable(mixed).marginal(x, missing)
        for i in range(5):
            expected, covariance = conditional(c, x[:, i])
            np.testing.assert_allclose(mean[:, i], expected, atol=1e-6)
        np.testing.assert_allclose(found, covariance, atol=1e-6)


def test_draws_have_the_exact_covariance(make_field, make_covariance) -> None:
    """χ² test of second moments of 3,000 draws of four missing values, level 1e-4."""
    c = make_covariance(D)
    x = np.array([0.7, np.nan, np.nan, -1.0, np.nan, np.nan])[:, None]
    found = table(make_field, c).posterior(x, 3000, np.random.default_rng(1), n_variance=0)
    mean, covariance = conditional(c, x[:, 0])
    white = np.linalg.solve(
        np.linalg.cholesky(covariance), found.draws[:, [1, 2, 4, 5], 0].T - mean[:, None]
    )
    s = white @ white.T / 3000 - np.eye(4)
    statistic = 3000 * ((s[np.triu_indices(4, 1)] ** 2).sum() + 0.5 * (np.diag(s) ** 2).sum())
    assert stats.chi2.sf(statistic, 10) > LEVEL


def test_series_have_the_exact_conditional_law(make_field) -> None:
    """Single values, a block in time, a dead sensor, the first and the last row, all at once."""
    n, rng = 9, np.random.default_rng(2)
    c = stationary(n)
    x = (np.linalg.cholesky(c) @ rng.standard_normal(3 * n)).reshape(n, 3)
    gaps = rng.random(x.shape) < 0.2
    gaps[3:6, 0], gaps[:, 2], gaps[0, 1], gaps[-1, 1] = True, True, True, True
    rows = np.where(gaps, np.nan, x)
    found = series(make_field).posterior(rows.T, 300, rng)
    mean, covariance = conditional(c, rows.ravel())
    np.testing.assert_allclose(found.mean.T[gaps], mean, atol=1e-4)
    np.testing.assert_allclose(found.deviation.T[gaps], np.sqrt(np.diag(covariance)), rtol=0.12)
    sample = found.draws.transpose(0, 2, 1)[:, gaps]
    error = np.cov(sample, rowvar=False) - covariance
    assert np.linalg.norm(error) / np.linalg.norm(covariance) < 0.3  # 300 draws


def test_context_moves_the_mean(make_field, make_covariance) -> None:
    c = make_covariance(D)
    domain = Domain(TABLE.graph, TABLE.names, (), context=(1,))
    gaussian = GaussianTable(make_field(domain, D, lambda s: c[np.ix_(s.node, s.node)], n_shards=2))
    x = np.array([[0.5, 1.3, np.nan, -0.2, np.nan, 0.1]]).T
    found = gaussian.posterior(x, 0, np.random.default_rng(3))
    mean, _ = conditional(c, x[:, 0])
    np.testing.assert_allclose(found.mean[[1, 3], 0], mean, atol=1e-4)  # targets without b


def test_rows_of_a_table_do_not_see_each_other(make_field, make_covariance) -> None:
    c = make_covariance(D)
    rng = np.random.default_rng(4)
    rows = np.where(rng.random((D, 5)) < 0.5, np.nan, rng.standard_normal((D, 5)))
    other = rows.copy()
    other[:, 4] = 50.0
    gaussian = table(make_field, c)
    one, two = (gaussian.posterior(part, 0, rng, n_variance=0).mean for part in (rows, other))
    np.testing.assert_allclose(one[:, :4], two[:, :4], atol=1e-5)


def test_marginals_are_exact(make_field, make_covariance) -> None:
    c = make_covariance(D)
    x = np.array([[0.7, np.nan, np.nan, -1.0, np.nan, np.nan]] * 2).T
    x[0] = 0.7, -2.0
    mean, covariance = table(make_field, c).marginal(x, np.array([2, 5]))
    for i in range(2):
        expected, whole = conditional(c, x[:, i])
        np.testing.assert_allclose(mean[:, i], expected[[1, 3]], atol=1e-8)
    np.testing.assert_allclose(covariance, whole[np.ix_([1, 3], [1, 3])], atol=1e-8)


def test_lattices_have_no_law_of_a_row(make_field) -> None:
    axis = Axis("place", extent=5)
    domain = Domain(DependencyGraph.empty(1), ("x",), (axis,))
    field = make_field(domain, 1, lambda s: np.eye(s.n_sources))
    with pytest.raises(OptionError, match="no law of their own"):
        GaussianTable(field)


def windows(make_field, n_lags: int, context: tuple[int, ...] = ()) -> GaussianTable:
    """The series seen through windows of some rows before."""
    domain = Domain(
        DependencyGraph.complete(3), tuple("abc"), (Axis("time", (n_lags, 0)),), context
    )
    whole = stationary(n_lags + 1)

    def covariance(sources):
        at = sources.node + 3 * (sources.offset[:, 0] + n_lags)
        return whole[np.ix_(at, at)]

    return GaussianTable(make_field(domain, n_lags + 1, covariance, n_shards=2))


@pytest.mark.parametrize("n_lags", [1, 2])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("together", [2, 128])
def test_cells_of_a_series_have_their_exact_joint_law(
    make_field, monkeypatch: pytest.MonkeyPatch, n_lags: int, n: int, together: int
) -> None:
    """Of series longer and shorter than the past that the model looks at."""
    monkeypatch.setattr(banded, "_TOGETHER", together)
    rng, c = np.random.default_rng(n), stationary(n)
    x = (np.linalg.cholesky(c) @ rng.standard_normal(3 * n)).reshape(n, 3)
    x[rng.random(x.shape) < 0.5] = np.nan
    x[-1, :2] = np.nan
    free = np.isnan(x)
    mean, covariance = conditional(c, x.ravel())
    for chosen in (free, free & (rng.random(x.shape) < 0.6)):
        found, joint = windows(make_field, n_lags).cells(x.T, chosen)
        place = np.flatnonzero(chosen[free])
        np.testing.assert_allclose(found, mean[place], atol=2e-5)
        np.testing.assert_allclose(joint, covariance[np.ix_(place, place)], atol=2e-5)
        assert (joint == joint.T).all()


@pytest.mark.parametrize("n_lags", [1, 2])
def test_context_of_every_row_moves_what_is_missing(make_field, n_lags: int) -> None:
    """Gaps of a and c given b, which drives them and is known all along."""
    n = 6
    c = stationary(n)
    x = (np.linalg.cholesky(c) @ np.random.default_rng(5).standard_normal(3 * n)).reshape(n, 3)
    x[2:5, 0] = x[1, 2] = x[-1, 2] = x[0, 0] = np.nan
    b = x[:, 1].copy()
    table = windows(make_field, n_lags, (1,))
    by_context = table.cells(x.T, np.isnan(x)[:, [0, 2]])[0]
    found = table.posterior(x.T, 0, np.random.default_rng(0)).mean
    np.testing.assert_allclose(found.T[np.isnan(x)[:, [0, 2]]], by_context, atol=1e-9)
    # a law given context of the same row and those before: forward regressions, row by row
    laws, given = table._laws, [0, 2]
    precision, right = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)
    for t in range(n):
        law = laws[min(t, len(laws) - 1)]
        row = np.zeros((2, 2 * n))
        row[:, 2 * t : 2 * t + 2] = law.within.toarray()
        shift = law.context[0].toarray()[:, 0] * b[t]
        for lag in range(1, min(t, n_lags) + 1):
            row[:, 2 * (t - lag) : 2 * (t - lag) + 2] = -law.past[lag - 1].toarray()
            shift = shift + law.context[lag].toarray()[:, 0] * b[t - lag]
        scaled = row / law.scale[:, None] ** 2
        precision += row.T @ scaled
        right += scaled.T @ shift
    flat = x[:, given].ravel()
    free = np.isnan(flat)
    known = np.where(free, 0.0, flat)
    expected = np.linalg.solve(precision[np.ix_(free, free)], (right - precision @ known)[free])
    np.testing.assert_allclose(by_context, expected, atol=1e-9)


def test_a_window_without_a_row_before_knows_context_of_its_row(make_field) -> None:
    """One row of a and c given b: the exact conditional of the stationary law."""
    x = np.array([[np.nan, 0.8, np.nan]])
    mean, covariance = conditional(P, x[0])
    found, joint = windows(make_field, 1, (1,)).cells(x.T, np.ones((1, 2), dtype=bool))
    np.testing.assert_allclose(found, mean, atol=1e-5)
    np.testing.assert_allclose(joint, covariance, atol=1e-5)


def test_complete_rows_are_their_own_draws(make_field, make_covariance) -> None:
    x = np.random.default_rng(6).standard_normal((D, 4))
    found = table(make_field, make_covariance(D)).posterior(x, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(found.mean, x)
    np.testing.assert_array_equal(found.draws, np.broadcast_to(x, (3, D, 4)))
    assert found.deviation.shape == x.shape
    assert (found.deviation == 0).all()


@pytest.mark.parametrize("n_draws", [0, 3, 40])
def test_ticks_are_solutions_and_known_cells_are_those_of_every_draw(
    make_field, make_covariance, n_draws: int
) -> None:
    gaussian = table(make_field, make_covariance(D))
    rng = np.random.default_rng(7)
    x = rng.standard_normal((D, 3))
    gaps = rng.random(x.shape) < 0.5
    ticks: list[int] = []
    found = gaussian.posterior(np.where(gaps, np.nan, x), n_draws, rng, lambda: ticks.append(1))
    assert len(ticks) == gaussian.n_solutions(n_draws) == 1 + max(n_draws, VARIANCE_DRAWS)
    assert found.draws.shape == (n_draws, D, 3)
    assert (found.draws[:, ~gaps] == x[~gaps]).all()
    assert (found.draws[:, gaps] != x[gaps]).all()
    assert len({draw.tobytes() for draw in found.draws}) == n_draws


def test_deviation_without_draws_is_that_of_a_cell_missing_alone(
    make_field, make_covariance
) -> None:
    """1/√H_cc, the whole truth where no other cell of its row is missing."""
    c = make_covariance(D)
    x = np.random.default_rng(8).standard_normal((D, D))
    x[np.diag_indices(D)] = np.nan
    found = table(make_field, c).posterior(x, 0, np.random.default_rng(0), n_variance=0)
    exact = np.diag(np.linalg.inv(c)) ** -0.5
    np.testing.assert_allclose(np.diag(found.deviation), exact, rtol=1e-6)
    # and with draws, of which such a cell's mean is no part
    drawn = table(make_field, c).posterior(x, 5, np.random.default_rng(0))
    np.testing.assert_allclose(np.diag(drawn.deviation), exact, rtol=1e-4)


def test_single_gaps_of_a_series_are_known_by_the_diagonal(make_field) -> None:
    """The same where rows are tied: at both ends, and within."""
    n = 6
    precision = np.linalg.inv(stationary(n))
    for n_lags in (1, 2):
        gaussian = windows(make_field, n_lags)
        np.testing.assert_allclose(gaussian._diagonal(n).ravel(), np.diag(precision), rtol=1e-4)


class Unit:
    """In place of a generator: zeros and a single one."""

    def __init__(self, place: int) -> None:
        self.place = place

    def standard_normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return np.eye(np.prod(shape))[self.place].reshape(shape)


def test_noise_of_draws_has_the_covariance_of_the_equations(make_field) -> None:
    """It is linear in what is drawn, so that its covariance is exact: H, applied or inverted."""
    n = 5
    gaussian = windows(make_field, 2)
    units = [gaussian._noise(Unit(k), n).ravel() for k in range(3 * n)]
    covariance = sum(np.outer(unit, unit) for unit in units)
    np.testing.assert_allclose(covariance, np.linalg.inv(stationary(n)), rtol=1e-4, atol=1e-4)
    applied = [gaussian._apply(unit.reshape(n, 3)).ravel() for unit in np.eye(3 * n)]
    np.testing.assert_allclose(covariance, applied, atol=1e-9)


def test_more_than_can_be_written_down_is_refused(
    make_field, make_covariance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many missing components, so many cells, and one less is not too much."""
    x = np.full((D, 2), np.nan)
    x[:2] = 0.5
    gaussian, c = table(make_field, make_covariance(D)), stationary(2)
    rows, chosen = np.full((3, 2), np.nan), np.ones((2, 3), dtype=bool)
    monkeypatch.setattr(table_module, "_MOST_DENSE", D - 2)
    gaussian.marginal(x, np.array([3]))
    monkeypatch.setattr(table_module, "_MOST_DENSE", D - 3)
    with pytest.raises(OptionError, match="up to 3 components"):
        gaussian.marginal(x, np.array([3]))
    monkeypatch.setattr(table_module, "_MOST_DENSE", 6)
    np.testing.assert_allclose(series(make_field).cells(rows, chosen)[1], c, atol=1e-5)
    monkeypatch.setattr(table_module, "_MOST_DENSE", 5)
    with pytest.raises(OptionError, match="Draw fewer rows"):
        series(make_field).cells(rows, chosen)
    monkeypatch.setattr(table_module, "_MOST_DENSE", 6)
    monkeypatch.setattr(banded, "_MOST_NUMBERS", 1)
    with pytest.raises(OptionError, match="Draw fewer rows"):
        series(make_field).cells(rows, chosen)
