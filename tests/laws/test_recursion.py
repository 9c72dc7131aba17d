"""Rows by recursion: they turn back into the noise that they were made of; wider laws are exact."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.laws import recursion as module
from locality.inference.laws.recursion import Recursion
from locality.inference.laws.sequential import SequentialLaw
from locality.inference.laws.widened import widened

N_NODES, N_LAGS = 5, 2
DOMAIN = Domain(
    DependencyGraph.ring(N_NODES), tuple("abcde"), (Axis("time", (N_LAGS, 0)),), context=(2,)
)


@pytest.fixture
def field(make_field):
    """Two shards that read two rows of the past, and context in three rows."""
    rng = np.random.default_rng(4)
    step = 0.25 * rng.standard_normal((N_NODES, N_NODES)) + 0.5 * np.eye(N_NODES)
    own = solve_discrete_lyapunov(step, np.eye(N_NODES))
    lagged = [own, step @ own, step @ step @ own]

    def covariance(sources):
        node, time = sources.node, sources.offset[:, 0]
        back = np.subtract.outer(time, time)
        later = np.array(lagged)[np.abs(back), node[:, None], node]
        earlier = np.array(lagged)[np.abs(back), node, node[:, None]]
        return np.where(back >= 0, later, earlier)

    return make_field(DOMAIN, 1, covariance, n_shards=2)


def noise_of(laws, rows, context):
    """Innovations of rows [n_rows, n_targets] over their scales, cell by cell from the law."""
    found = np.empty_like(rows)
    for t in range(len(rows)):
        law = laws[min(t, N_LAGS)]
        right = law.within @ rows[t]
        for lag in range(min(t, N_LAGS) + 1):
            right -= law.context[lag] @ context[t - lag]
            if lag:
                right -= law.past[lag - 1] @ rows[t - lag]
        found[t] = right / law.scale
    return found


@pytest.mark.parametrize("most_dense", [0, 128])
@pytest.mark.parametrize("n_rows", [1, 2, 3, 40])
def test_rows_turn_back_into_their_noise(field, monkeypatch, most_dense, n_rows) -> None:
    """So their density is that of the noise: exactly the law, dense or sparse, context included."""
    monkeypatch.setattr(module, "_MOST_DENSE", most_dense)
    laws = SequentialLaw.of(field)
    noise = np.random.default_rng(1).standard_normal((n_rows, 4))
    context = np.random.default_rng(2).standard_normal((n_rows, 1))
    rows = Recursion(field, laws).rows(np.empty((0, 4)), noise, context)
    np.testing.assert_allclose(noise_of(laws, rows, context), noise, atol=1e-10)
    assert np.abs(laws[-1].context[2]).max() > 0.01  # context of two rows before is not nothing


@pytest.mark.parametrize("cut", [1, 2, 7])
def test_rows_go_on_where_others_ended(field, cut) -> None:
    found = Recursion(field, SequentialLaw.of(field))
    noise = np.random.default_rng(1).standard_normal((12, 4))
    context = np.random.default_rng(2).standard_normal((12, 1))
    whole = found.rows(np.empty((0, 4)), noise, context)
    first = max(0, cut - N_LAGS)
    rest = found.rows(whole[:cut], noise[cut:], context[first:])
    np.testing.assert_array_equal(rest, whole[cut:])


def test_rows_stay_within_limits_and_are_looked_back_upon_there(make_field) -> None:
    """x_t = .9 x_{t-1} + … held at 1: the next row starts from 1, not from where it would be."""
    domain = Domain(DependencyGraph.empty(1), ("x",), (Axis("time", (1, 0)),))

    def covariance(sources):
        return 0.9 ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))

    field = make_field(domain, 0, covariance)
    object.__setattr__(field, "limits", np.array([[-1.0, 1.0]]))
    noise = np.array([[50.0], [0.0], [-50.0], [0.0]])
    rows = Recursion(field, SequentialLaw.of(field)).rows(np.empty((0, 1)), noise)
    np.testing.assert_allclose(rows[:, 0], [1.0, 0.9, -1.0, -0.9], atol=1e-6)


def test_wider_laws_find_what_neighborhoods_leave_out(make_field, make_covariance) -> None:
    """A dense covariance on a chain: neighbors alone lose it, all that the shard reads do not."""
    c = make_covariance(4)
    domain = Domain(DependencyGraph.chain(4), tuple("abcd"))
    field = make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)])

    def implied(law):
        root = np.linalg.solve(law.within.toarray(), np.diag(law.scale))
        return root @ root.T

    (own,), (wide,) = SequentialLaw.of(field), widened(field, 10**6)
    np.testing.assert_allclose(implied(wide), c, atol=1e-7)
    assert np.abs(implied(own) - c).max() > 0.05
    for n_rows in (1, 2, 4):  # no more than there are regressors: nothing is told
        (few,) = widened(field, n_rows)
        np.testing.assert_array_equal(implied(few), implied(own))


def test_shards_are_widened_by_the_unbiased_variance_of_what_is_new(make_field) -> None:
    """Of a chain a – b – c only a and c are correlated, 0.2: with one regressor for none, what is
    new in the one that comes later has the variance 0.96, so that 0.96 N / (N − 2) is less than
    N / (N − 1) from 27 rows on.
    """
    c = np.eye(3)
    c[0, 2] = c[2, 0] = 0.2
    domain = Domain(DependencyGraph.chain(3), tuple("abc"))
    field = make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)])
    (own,) = SequentialLaw.of(field)
    grown = [widened(field, n_rows)[0].within.nnz > own.within.nnz for n_rows in range(20, 40)]
    assert grown == [n_rows >= 27 for n_rows in range(20, 40)]


def test_wider_laws_are_kept_only_where_they_tell_more(make_field) -> None:
    """On a Markov chain neighbors tell all: nothing is widened, whatever the number of rows."""
    c = 0.8 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    domain = Domain(DependencyGraph.chain(6), tuple("abcdef"))
    field = make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)])
    for n_rows in (3, 100, 10**5):
        (own,), (wide,) = SequentialLaw.of(field), widened(field, n_rows)
        assert wide.within.nnz == own.within.nnz


def test_a_shard_is_widened_as_a_whole_or_not_at_all(make_field) -> None:
    """One component would gain 0.04, but the others lose more together by regressors that tell
    nothing; by itself it would have been widened.
    """
    c = np.full((8, 8), 1e-3) + (1 - 1e-3) * np.eye(8)
    c[0, 2] = c[2, 0] = 0.3
    domain = Domain(DependencyGraph.chain(8), tuple("abcdefgh"))
    field = make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)])
    (own,) = SequentialLaw.of(field)
    assert widened(field, 60)[0].within.nnz == own.within.nnz
    assert widened(field, 10**4)[0].within.nnz == 8 + 28
