"""Exact draws: the laws of an autoregression, prefixes to the bit, and who is drawn so."""

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import solve_discrete_lyapunov

from locality import Execution, LocalizedDiffusion
from locality.domain import Axis, DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.inference.laws.recursion import Recursion
from locality.inference.sampling import exact as module
from locality.inference.sampling.draw import draw
from locality.inference.sampling.exact import draw_exactly, require_exact
from locality.inference.sampling.methods import Heun
from locality.inference.sampling.schedules import GeometricLevels, KarrasLevels
from locality.noise.levels import NoiseLevels

SERIES = Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("time", (1, 0)),))
A = np.array([[0.6, 0.3, 0.0], [-0.2, 0.5, 0.2], [0.0, 0.1, 0.8]])
Q = np.array([[0.5, 0.2, 0.0], [0.2, 0.4, -0.1], [0.0, -0.1, 0.3]])
P = solve_discrete_lyapunov(A, Q)
LEVEL = 1e-4


def series_field(make_field, **options):
    """x_t = A x_{t-1} + e, e ~ N(0, Q), with exact second moments."""

    def covariance(sources):
        joint = np.block([[P, P @ A.T], [A @ P, P]])
        at = sources.node + 3 * (sources.offset[:, 0] + 1)
        return joint[np.ix_(at, at)]

    return make_field(SERIES, 2, covariance, n_shards=2, **options)


def p_value(x, c) -> float:
    """That columns of x [d, n] are draws of N(0, c), by their second moments (χ²)."""
    white = np.linalg.solve(np.linalg.cholesky(c), x.astype(np.float64))
    n, d = white.shape[1], len(c)
    s = white @ white.T / n - np.eye(d)
    statistic = n * ((s[np.triu_indices(d, 1)] ** 2).sum() + 0.5 * (np.diag(s) ** 2).sum())
    return float(stats.chi2.sf(statistic, d * (d + 1) / 2))


def cross_p_value(x, y) -> float:
    """That white columns of x and y [d, n] are uncorrelated."""
    s = x @ y.T / x.shape[1]
    return float(stats.chi2.sf(x.shape[1] * (s**2).sum(), s.size))


def white(x, c):
    return np.linalg.solve(np.linalg.cholesky(c), x.astype(np.float64))


def exactly(field, n_rows, n_series, seed=0, **options):
    recursion = Recursion.of(field, 1000)
    return draw_exactly(recursion, n_rows, n_series, seed, **options).draws


@pytest.mark.parametrize("block", [3, 256])
def test_a_long_series_follows_the_autoregression(make_field, monkeypatch, block) -> None:
    """9,000 rows, few or many to a block of noise, level 1e-4 each: innovations have covariance Q
    and nothing to do with the row before, nor with those of the next; every 60th row has
    covariance P.
    """
    monkeypatch.setattr(module, "_MOST_ROWS", block)
    found = exactly(series_field(make_field), 9_000, 1)[:, :, 0]
    innovation = found[:, 1:] - A @ found[:, :-1]
    assert p_value(innovation, Q) > LEVEL
    assert cross_p_value(white(innovation, Q), white(found[:, :-1], P)) > LEVEL
    assert cross_p_value(white(innovation[:, 1:], Q), white(innovation[:, :-1], Q)) > LEVEL
    assert p_value(found[:, ::60], P) > LEVEL


def test_series_start_from_the_stationary_law_and_are_independent(make_field) -> None:
    found = exactly(series_field(make_field), 2, 1500)
    assert p_value(found[:, 0], P) > LEVEL
    assert p_value(found[:, 1] - A @ found[:, 0], Q) > LEVEL
    first = white(found[:, 0], P)
    assert cross_p_value(first[:, 1:], first[:, :-1]) > LEVEL


def test_the_sampler_draws_the_same_law(make_field) -> None:
    """Two routes: moments of the last two of three rows, in units of their sampling errors."""
    field = series_field(make_field)
    walk = Heun(KarrasLevels()(NoiseLevels(0.01, 30.0), 60))
    moments, errors = [], []
    for found in (exactly(field, 3, 1600), draw(field, walk, 160, (3,), 0)):
        pair = found[:, -2:].reshape(6, -1).astype(np.float64)
        products = pair[:, None] * pair[None]
        moments.append(products.mean(axis=-1))
        errors.append(products.var(axis=-1) / products.shape[-1])
    z = (moments[0] - moments[1]) / np.sqrt(errors[0] + errors[1])
    assert np.abs(z).max() < stats.norm.isf(LEVEL / 42)


def test_shorter_and_fewer_series_are_prefixes(make_field) -> None:
    """Across blocks of 256 rows too; another seed, series or block draws other numbers."""
    field = series_field(make_field)
    whole = exactly(field, 600, 3)
    for n_rows, n_series in ((600, 1), (1, 3), (100, 2), (256, 1), (257, 3), (513, 2)):
        part = exactly(field, n_rows, n_series)
        np.testing.assert_array_equal(part, whole[:, :n_rows, :n_series])
    assert len(np.unique(whole)) == whole.size
    assert not np.isin(exactly(field, 9, 1, seed=1), whole).any()


def test_context_moves_rows(make_field) -> None:
    """x = .8 g + …, g given: what is left has nothing to do with g, in no row."""
    c = np.array([[1.0, 0.8], [0.8, 1.0]])
    axis = Axis("time", (1, 0))
    domain = Domain(DependencyGraph.chain(2), ("x", "g"), (axis,), context=(1,))

    def covariance(sources):
        same = np.equal.outer(*[sources.offset[:, 0]] * 2)
        return np.where(same, c[np.ix_(sources.node, sources.node)], 0.0)

    field = make_field(domain, 1, covariance)
    context = np.random.default_rng(0).standard_normal((1, 700, 2))
    found = exactly(field, 700, 2, context=context)
    rest = (found - 0.8 * context).reshape(1, -1)
    assert p_value(rest, np.array([[0.36]])) > LEVEL
    assert cross_p_value(rest / 0.6, context.reshape(1, -1)) > LEVEL
    part = exactly(field, 300, 1, context=context[:, :300, :1])
    np.testing.assert_array_equal(part, found[:, :300, :1])


def test_what_is_no_linear_series_is_refused_by_name(make_field) -> None:
    def refusal(field) -> str:
        with pytest.raises(OptionError) as found:
            require_exact(field)
        return str(found.value)

    def alone(sources):
        return np.eye(len(sources.node))

    def field_of(*axes, **options):
        domain = Domain(DependencyGraph.chain(3), tuple("abc"), axes)
        return make_field(domain, 1, alone, **options)

    assert "rows are in no order" in refusal(field_of())
    assert "it is a lattice" in refusal(field_of(Axis("place", extent=4)))
    assert "joint series" in refusal(field_of(Axis("time", (1, 1))))
    networks = refusal(field_of(Axis("time", (1, 0)), extent=(2,), strength=0.3))
    assert "network of 'a' and of 2 others" in networks
    assert 'denoiser="linear"' in networks
    require_exact(field_of(Axis("time", (1, 0))))


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = np.zeros((300, 3))
    for t in range(1, 300):
        X[t] = A @ X[t - 1] + rng.multivariate_normal(np.zeros(3), Q)
    return LocalizedDiffusion(graph="complete", lags=1, denoiser="linear", random_state=0).fit(X)


def test_linear_series_are_drawn_exactly_unless_a_walk_is_asked_for(model) -> None:
    rows = model.sample(40, n_series=2)
    np.testing.assert_array_equal(rows, model.sample(40, n_series=2, sampler="exact"))
    np.testing.assert_array_equal(rows, model.sample(40, n_series=2, execution=Execution(n_jobs=2)))
    np.testing.assert_array_equal(rows[:20], model.sample(20))
    walked = model.sample(5, sampler="sde")
    assert not np.array_equal(rows[:5], walked)
    drawn, way = model.sample(5, trajectory=True)
    np.testing.assert_array_equal(drawn, walked)
    assert way.states.shape == (len(way.sigmas), 5, 3)
    levels = GeometricLevels()
    walked = model.sample(5, sampler="sde", levels=levels)
    np.testing.assert_array_equal(model.sample(5, levels=levels), walked)
    held = model.sample(6, condition={"x1": 0.25})
    np.testing.assert_array_equal(held, model.sample(6, condition={"x1": 0.25}, sampler="exact"))
    np.testing.assert_allclose(held[:, 1], 0.25)


@pytest.mark.parametrize("options", [{"trajectory": True}, {"levels": KarrasLevels()}])
def test_exact_draws_have_no_levels(model, options) -> None:
    with pytest.raises(OptionError, match=r"walks through no noise levels.*such as \"sde\""):
        model.sample(5, sampler="exact", **options)
