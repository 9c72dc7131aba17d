"""Drawing: prefixes to the bit, and the exact laws of tables, lattices and causal series."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import solve_discrete_lyapunov, toeplitz

from locality.domain import Axis, DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.inference.sampling.draw import Drawing, draw
from locality.inference.sampling.methods import Heun, build_sampler
from locality.inference.sampling.schedules import KarrasLevels
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.noise.levels import NoiseLevels

TABLE = Domain(DependencyGraph.chain(4), tuple("abcd"))
SERIES = Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("time", (1, 0)),))
LEVELS = NoiseLevels(0.01, 30.0)
A = np.array([[0.6, 0.3, 0.0], [-0.2, 0.5, 0.2], [0.0, 0.1, 0.8]])
Q = np.array([[0.5, 0.2, 0.0], [0.2, 0.4, -0.1], [0.0, -0.1, 0.3]])
P = solve_discrete_lyapunov(A, Q)
LEVEL = 1e-4


def table_field(make_field, c, **options) -> ScoreField:
    return make_field(TABLE, 3, lambda s: c[np.ix_(s.node, s.node)], **options)


def series_field(make_field, **options) -> ScoreField:
    """A vector autoregression x_t = A x_{t-1} + e, e ~ N(0, Q), with exact second moments."""

    def covariance(sources):
        joint = np.block([[P, P @ A.T], [A @ P, P]])
        at = sources.node + 3 * (sources.offset[:, 0] + 1)
        return joint[np.ix_(at, at)]

    return make_field(SERIES, 2, covariance, n_shards=2, **options)


def p_value(x: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    """That columns of x [d, n] are draws of N(0, c), by their second moments (χ²)."""
    white = np.linalg.solve(np.linalg.cholesky(c), x.astype(np.float64))
    n, d = white.shape[1], len(c)
    s = white @ white.T / n - np.eye(d)
    statistic = n * ((s[np.triu_indices(d, 1)] ** 2).sum() + 0.5 * (np.diag(s) ** 2).sum())
    return float(stats.chi2.sf(statistic, d * (d + 1) / 2))


def cross_p_value(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """That white columns of x and y [d, n] are uncorrelated."""
    s = x @ y.T / x.shape[1]
    return float(stats.chi2.sf(x.shape[1] * (s**2).sum(), s.size))


@pytest.mark.parametrize("method", ["sde", "dpm", "heun", "churn"])
def test_fewer_samples_are_a_prefix_of_more(make_field, make_covariance, method) -> None:
    """100 of 300 and of 700: the same bits, also beyond a tile of 256."""
    field = table_field(make_field, make_covariance(4), n_shards=2, strength=0.3)
    walk = build_sampler(method, LEVELS, 12)
    whole = draw(field, walk, 700, (), 3)
    for n in (1, 100, 256, 300):
        np.testing.assert_array_equal(draw(field, walk, n, (), 3), whole[:, :n])
    assert not np.array_equal(draw(field, walk, 100, (), 4), whole[:, :100])
    assert len(np.unique(whole, axis=1).T) == 700


def test_table_draws_do_not_repeat_across_tiles(make_field, make_covariance) -> None:
    c = make_covariance(4)
    found = draw(table_field(make_field, c), Heun(KarrasLevels()(LEVELS, 64)), 4096, (), 0)
    tiles = found.reshape(4, 16, 256)
    white = np.linalg.solve(np.linalg.cholesky(c), found).reshape(4, 16, 256)
    for k in range(15):
        assert not np.array_equal(tiles[:, k], tiles[:, k + 1])
        assert cross_p_value(white[:, k], white[:, k + 1]) > LEVEL / 15
    assert p_value(found, c) > LEVEL


def test_context_conditions_draws(make_field, make_covariance) -> None:
    """x | g for Gaussian x: the mean follows the given values, the rest is the conditional law."""
    c = make_covariance(4)
    domain = Domain(DependencyGraph.ring(4), tuple("abcd"), (), context=(1,))
    field = make_field(domain, 3, lambda s: c[np.ix_(s.node, s.node)], n_shards=3)
    given = np.random.default_rng(0).standard_normal((1, 6000))
    found = draw(field, Heun(KarrasLevels()(LEVELS, 100)), 6000, (), 1, given)
    x = [0, 2, 3]
    gain = c[np.ix_(x, [1])] / c[1, 1]
    rest = found - gain @ given
    assert p_value(rest, c[np.ix_(x, x)] - gain @ c[np.ix_([1], x)]) > LEVEL
    white = np.linalg.solve(np.linalg.cholesky(c[np.ix_(x, x)] - gain @ c[np.ix_([1], x)]), rest)
    assert cross_p_value(white, given) > LEVEL
    whole = draw(field, Heun(KarrasLevels()(LEVELS, 10)), 300, (), 1, given[:, :300])
    part = draw(field, Heun(KarrasLevels()(LEVELS, 10)), 20, (), 1, given[:, :20])
    np.testing.assert_array_equal(part, whole[:, :20])


@pytest.mark.parametrize("periodic", [False, True])
def test_a_tied_lattice_has_its_exact_law_at_full_radius(make_field, periodic) -> None:
    """One net for all positions; 3,000 fields of 7 positions against the Toeplitz covariance."""
    extent = 7
    step = np.minimum(np.arange(extent), extent - np.arange(extent)) if periodic else np.arange(7)
    row = 0.7**step
    c = toeplitz(row)
    axis = Axis("place", extent=extent, periodic=periodic)
    domain = Domain(DependencyGraph.empty(1), ("x",), (axis,))

    def covariance(sources):
        at = np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))
        if periodic:
            at = np.minimum(at % extent, -at % extent)
        return np.where(at < extent, row[np.minimum(at, extent - 1)], 0.0)

    field = make_field(domain, 6, covariance)
    found = draw(field, Heun(KarrasLevels()(LEVELS, 60)), 3000, (extent,), 2)
    assert found.shape == (1, extent, 3000)
    assert p_value(found[0], c) > LEVEL


def test_series_follow_the_autoregression(make_field) -> None:
    """64 series of 48 rows: three χ² tests of the exact law, level 1e-4 each.

    Innovations x_t − A x_{t-1} have covariance Q and nothing to do with the row before, and the
    first and last rows have the stationary covariance: together, lag-one and stationary laws.
    """
    found = draw(series_field(make_field), Heun(KarrasLevels()(LEVELS, 40)), 64, (48,), 0)
    assert found.shape == (3, 48, 64)
    past, now = found[:, :-1].reshape(3, -1), found[:, 1:].reshape(3, -1)
    innovation = now - A @ past
    assert p_value(innovation, Q) > LEVEL
    white = np.linalg.solve(np.linalg.cholesky(Q), innovation)
    before = np.linalg.solve(np.linalg.cholesky(P), past)
    assert cross_p_value(white, before) > LEVEL
    for row in (0, 47):
        assert p_value(found[:, row], P) > LEVEL


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sde", "dpm", "heun", "churn"])
def test_long_series_follow_the_autoregression(make_field, method) -> None:
    """The same with 12,800 rows of every method."""
    n_evaluations = {"dpm": 60, "sde": 100}.get(method, 120)
    walk = build_sampler(method, NoiseLevels(0.01, 40.0), n_evaluations)
    found = draw(series_field(make_field), walk, 32, (400,), 1)
    past, now = found[:, :-1].reshape(3, -1), found[:, 1:].reshape(3, -1)
    assert p_value(now - A @ past, Q) > LEVEL
    white = np.linalg.solve(np.linalg.cholesky(Q), now - A @ past)
    assert cross_p_value(white, np.linalg.solve(np.linalg.cholesky(P), past)) > LEVEL


def test_shorter_and_fewer_series_are_prefixes(make_field) -> None:
    field = series_field(make_field, extent=(2,), strength=0.3)
    walk = build_sampler("churn", LEVELS, 8)
    whole = draw(field, walk, 40, (12,), 5)
    for n_rows, n_series in ((12, 7), (5, 40), (1, 1), (4, 17)):
        part = draw(field, walk, n_series, (n_rows,), 5)
        np.testing.assert_array_equal(part, whole[:, :n_rows, :n_series])
    assert len(np.unique(whole[0])) == whole[0].size


def test_drawing_counts_its_steps_and_splits_rows_over_series(make_field, make_covariance):
    told = []

    def progress(*step) -> None:
        told.append(step)

    field = table_field(make_field, make_covariance(4))
    rows = Drawing(300, method="dpm", n_evaluations=6)(field, LEVELS, (), 0, None, progress).draws
    assert rows.shape == (4, 300)
    assert told == [("sampling", k + 1, 12) for k in range(12)]
    told.clear()
    field = series_field(make_field)
    rows = Drawing(50, n_series=20, n_evaluations=4)(field, LEVELS, (), 0, None, progress).draws
    assert rows.shape == (3, 3, 20)
    assert told == [("sampling", k + 1, 6) for k in range(6)]
    with pytest.raises(OptionError, match="n_series must be a whole number of at least 1, found 0"):
        Drawing(5, n_series=0)


@pytest.mark.parametrize("kind", ["table", "joint", "lattice", "series"])
def test_keeping_the_way_does_not_change_where_it_ends(make_field, make_covariance, kind) -> None:
    """The same bits, also across tiles; the way starts at σ_max ε and falls level by level."""
    if kind == "series":
        field, drawing, extent = series_field(make_field), Drawing(90, 18, "sde", 9), ()
    elif kind == "table":
        field = table_field(make_field, make_covariance(4), n_shards=2)
        drawing, extent = Drawing(270, 1, "churn", 10), ()
    else:
        axis = Axis("time", (1, 1)) if kind == "joint" else Axis("place", extent=5)
        domain = Domain(DependencyGraph.empty(1), ("x",), (axis,))

        def covariance(sources):
            return 0.7 ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))

        field = make_field(domain, 2, covariance)
        drawing = Drawing(300, 60, "sde", 9) if kind == "joint" else Drawing(300, 1, "heun", 8)
        extent = () if kind == "joint" else (5,)

    def run(**options):
        return drawing(field, LEVELS, extent, 3, None, lambda *_: None, **options)

    way, end = run(every_level=True), run()
    np.testing.assert_array_equal(way.draws, end.draws)
    np.testing.assert_array_equal(way.sigmas, drawing.walk(LEVELS).sigmas)
    assert end.sigmas.tolist() == [0.0]
    assert way.states.shape == (len(way.sigmas), *end.draws.shape)
    spread = way.states.reshape(len(way.sigmas), -1).std(axis=1)
    assert 0.9 < spread[0] / LEVELS.sigma_max < 1.1
    assert (np.diff(spread[way.sigmas > 1.0]) < 0).all()
    tiles = run(every_level=True, spread=lambda work, items: enumerate(map(work, items)))
    np.testing.assert_array_equal(tiles.states, way.states)


def test_every_row_of_a_series_walks_given_the_finished_rows(make_field) -> None:
    """Of a deterministic solver without chance beyond its start: D of the last level is the end."""
    field = series_field(make_field)
    way = Drawing(12, 3, "dpm", 6)(
        field, LEVELS, (), 0, None, lambda *_: None, every_level=True
    )  # fmt: skip
    rows = way.draws[np.argsort(np.argsort(field.domain.targets))]
    for t in range(1, 4):
        bound = BoundField(field, rows[:, t - 1 : t + 1], slice(1, 2))
        last = torch.from_numpy(way.states[-2, field.nodes, t].copy())
        found = bound.denoise(last, float(way.sigmas[-2]))
        np.testing.assert_array_equal(found, way.draws[field.nodes, t])
