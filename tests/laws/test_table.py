"""Missing values given the others: exact Gaussian conditionals, whatever the pattern."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import solve_discrete_lyapunov

from locality.domain import Axis, DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.inference.laws.table import GaussianTable
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
