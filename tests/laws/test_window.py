"""Innovations with gaps are exact, white, and the same bits whatever the chunks."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_lyapunov

from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.laws import row_law as row_law_module
from locality.inference.laws import window as window_module
from locality.inference.laws.learning import LawMoments
from locality.inference.laws.row_law import RowLaw
from locality.inference.laws.window import Window

Array = NDArray[np.float64]
D, N = 6, 9
NAMES = tuple("abcdef")
CENTER, UNIT = np.arange(6.0), np.linspace(0.5, 3.0, 6)


def law_of(make_field, n_lags: int, *, local: bool = False, context: tuple[int, ...] = ()):
    """Learned from a vector autoregression on a ring, in which all weights matter."""
    rng = np.random.default_rng(3)
    transition = 0.5 * np.eye(D) + 0.15 * rng.standard_normal((D, D))
    root = np.eye(D) + 0.3 * rng.standard_normal((D, D))
    x = np.zeros((400, D))
    for t in range(1, len(x)):
        x[t] = transition @ x[t - 1] + root @ rng.standard_normal(D)
    axes = (Axis("t", (n_lags, 0)),) if n_lags else ()
    domain = Domain(DependencyGraph.ring(D), NAMES, axes, context)
    field = make_field(domain, 1, lambda s: np.eye(s.n_sources), n_shards=2)
    part = np.arange(400) // 200
    return LawMoments.of(field, x.T, part, local=local).law(CENTER, UNIT)


def rows_of(share: float, law: RowLaw, n: int = N, seed: int = 5) -> Array:
    """With gaps, and two rows in a row of which all is missing where any is."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, D))
    gaps = rng.random((n, D)) < share
    gaps[4:6] |= share > 0
    gaps[:, law.context] = False
    return np.where(gaps, np.nan, rows)


def dense_nats(law: RowLaw, rows: Array) -> tuple[float, Array]:
    """−log p of all that was seen, by the covariance of the whole table, and its mean."""
    n, d = len(rows), len(law.targets)
    B, shift = np.zeros((n * d, n * d)), np.zeros(n * d)
    for t in range(n):
        k = min(t, law.n_lags)
        part = law.laws[k]
        here = slice(t * d, (t + 1) * d)
        B[here, here] = part.within.toarray() / part.scale[:, None]
        for lag in range(1, k + 1):
            there = slice((t - lag) * d, (t - lag + 1) * d)
            B[here, there] = -part.past[lag - 1].toarray() / part.scale[:, None]
        for lag in range(k + 1):
            told = part.context[lag] @ rows[t - lag, law.context]
            shift[here] += told / part.scale
    mean, covariance = np.linalg.solve(B, shift), np.linalg.inv(B.T @ B)
    x = rows[:, law.targets].ravel()
    seen = ~np.isnan(x)
    away, among = (x - mean)[seen], covariance[np.ix_(seen, seen)]
    nats = 0.5 * (away @ np.linalg.solve(among, away) + np.linalg.slogdet(2 * np.pi * among)[1])
    return nats, mean.reshape(n, d)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("local", [False, True], ids=["all", "neighborhood"])
@pytest.mark.parametrize("n_lags", [0, 1, 2])
@pytest.mark.parametrize("context", [(), (1, 4)], ids=["plain", "context"])
def test_nats_are_those_of_the_joint_normal_law(
    make_field, monkeypatch, n_lags, local, context, sparse
) -> None:
    """Whichever values are missing; by sparse matrices and by dense ones."""
    if sparse:
        monkeypatch.setattr(row_law_module, "_DENSE_SHARE", 2.0)
        monkeypatch.setattr(row_law_module, "_MOST_VALUES", 40)
        touched = Window._touched

        def through_sparse(self, law, n_past, missing):
            monkeypatch.setattr(window_module, "_MOST", len(law.targets) - 1)
            found = touched(self, law, n_past, missing)
            monkeypatch.setattr(window_module, "_MOST", 1_500)
            if len(found[0]) == len(law.targets):  # it gives up beyond
                return touched(self, law, n_past, missing)
            return found

        monkeypatch.setattr(Window, "_touched", through_sparse)
    law = law_of(make_field, n_lags, local=local, context=context)
    for share in (0.0, 0.1, 0.5, 0.9):
        rows = rows_of(share, law)
        e, scale, window = Window.empty(law).take(law, rows)
        seen = ~np.isnan(rows[:, law.targets])
        np.testing.assert_array_equal(np.isnan(e), ~seen)
        np.testing.assert_array_equal(np.isnan(scale), ~seen)
        nats = (0.5 * e**2 + np.log(scale) + 0.5 * np.log(2 * np.pi))[seen].sum()
        expected, _ = dense_nats(law, rows)
        assert nats == pytest.approx(expected, abs=1e-8)
        assert window.n_seen == N
        assert len(window.rows) == n_lags


@pytest.mark.parametrize("n_lags", [1, 2])
def test_the_window_has_the_law_of_what_is_missing(make_field, n_lags) -> None:
    """Means and covariance of the last rows given all that was seen, as conditional normal law."""
    law = law_of(make_field, n_lags)
    rows = rows_of(0.4, law)
    rows[-1, [0, 2]] = np.nan
    _, _, window = Window.empty(law).take(law, rows)
    last = rows[-n_lags:]
    filled = window.rows.copy()
    assert (window.rows[~np.isnan(last)] == last[~np.isnan(last)]).all()
    place = window.row * D + window.target
    np.testing.assert_array_equal(np.sort(place), np.flatnonzero(np.isnan(last)))
    # nats of the rows with their gaps filled, at the mean and beside it, tell mean and covariance
    among, base = window.root @ window.root.T, dense_nats(law, rows)[0]
    rng = np.random.default_rng(0)
    for size in (0.0, 1.0, 2.0):
        step = size * rng.standard_normal(len(place))
        values = filled.copy()
        values.ravel()[place] += step
        whole = np.concatenate([rows[:-n_lags], values])
        expected = base + 0.5 * (
            step @ np.linalg.solve(among, step) + np.linalg.slogdet(2 * np.pi * among)[1]
        )
        assert dense_nats(law, whole)[0] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.4])
@pytest.mark.parametrize(("local", "n_lags"), [(False, 0), (False, 2), (True, 2)])
def test_chunks_do_not_change_a_bit(make_field, monkeypatch, local, n_lags, share) -> None:
    """One row at a time, pieces of odd lengths, none at all, kept as arrays between."""
    if local:
        monkeypatch.setattr(row_law_module, "_DENSE_SHARE", 2.0)
    law = law_of(make_field, n_lags, local=local)
    rows = rows_of(share, law, n=100)
    whole = Window.empty(law).take(law, rows)
    for cuts in (range(1, 100), [33], [0, 1, 31, 32, 64, 65, 65, 97]):
        window, parts = Window.empty(law), []
        for piece in np.split(rows, list(cuts)):
            window = Window.from_arrays(window.arrays())
            e, scale, window = window.take(law, piece)
            parts.append((e, scale))
        for k in range(2):
            np.testing.assert_array_equal(np.concatenate([p[k] for p in parts]), whole[k])
        for name, array in whole[2].arrays().items():
            np.testing.assert_array_equal(array, window.arrays()[name])


def test_dense_and_sparse_operators_agree(make_field, monkeypatch) -> None:
    law = law_of(make_field, 2)
    rows = rows_of(0.1, law, n=80)
    dense = Window.empty(law).take(law, rows)[0]
    monkeypatch.setattr(row_law_module, "_DENSE_SHARE", 2.0)
    again = replace(law)
    np.testing.assert_allclose(Window.empty(again).take(again, rows)[0], dense, atol=1e-12)
    assert not isinstance(again._operators[0], np.ndarray)
    assert isinstance(law._operators[0], np.ndarray)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_innovations_of_a_known_autoregression_are_white(make_field, share) -> None:
    """1,500 rows of the law itself: products within 4.5 standard errors, which one of 90
    exceeds with probability 0.001.
    """
    transition, noise = 0.6 * np.eye(3) + 0.2 * np.eye(3, k=1), np.diag([1.0, 0.5, 2.0])
    rng, n = np.random.default_rng(1), 1_500
    stationary = solve_discrete_lyapunov(transition, noise)
    x = np.empty((n, 3))
    x[0] = rng.multivariate_normal(np.zeros(3), stationary)
    for t in range(1, n):
        x[t] = transition @ x[t - 1] + np.sqrt(np.diag(noise)) * rng.standard_normal(3)
    domain = Domain(DependencyGraph.complete(3), tuple("abc"), (Axis("t", (1, 0)),))

    def covariance(sources):
        found = np.empty((sources.n_sources,) * 2)
        for i, (j, s) in enumerate(zip(sources.node, sources.offset[:, 0], strict=True)):
            for k, (m, t) in enumerate(zip(sources.node, sources.offset[:, 0], strict=True)):
                ahead = np.linalg.matrix_power(transition, abs(s - t))
                found[i, k] = (ahead @ stationary if s >= t else stationary @ ahead.T)[j, m]
        return found

    field = make_field(domain, 3, covariance)
    moments = LawMoments.of(field, x.T, np.zeros(n, dtype=int), local=True)
    moments = replace(moments, sums=[moments.counts[0] * s.covariance[None] for s in field.shards])
    law = moments.law(np.zeros(3), np.ones(3))
    gaps = rng.random(x.shape) < share
    e = Window.empty(law).take(law, np.where(gaps, np.nan, x))[0]
    for lag in range(5):
        for i in range(3):
            for j in range(3):
                product = e[lag:, i] * e[: n - lag, j]
                product = product[~np.isnan(product)]
                expected = float(lag == 0 and i == j)
                error = product.std() / np.sqrt(len(product))
                assert abs(product.mean() - expected) < 4.5 * error
    assert np.nanmean(e, axis=0) == pytest.approx(np.zeros(3), abs=4.5 / np.sqrt(n * (1 - share)))


def test_more_gaps_than_can_be_carried_are_left_out(make_field, monkeypatch) -> None:
    """Equations that touch a gap are not judged then; the others, and later rows, are."""
    law = law_of(make_field, 1, local=True)
    rows = rows_of(0.0, law)
    rows[3, 0] = np.nan
    exact = Window.empty(law).take(law, rows)[0]
    monkeypatch.setattr(window_module, "_MOST", 0)
    found, _, window = Window.empty(law).take(law, rows)
    np.testing.assert_array_equal(found[:3], exact[:3])
    lost = np.isnan(found[3])
    assert lost[0]
    assert lost.any()
    assert not lost.all()
    np.testing.assert_allclose(found[3, ~lost], exact[3, ~lost], atol=1e-12)
    np.testing.assert_allclose(found[5:], exact[5:], atol=1e-12)
    assert not len(window.row)


@pytest.mark.parametrize("n_lags", [0, 2])
def test_a_change_of_one_sensor_is_gathered_from_all_innovations(make_field, n_lags) -> None:
    """Shifted by δ, sensor j moves g_jᵀ e by δ √(BᵀB)_jj and no other direction by more; on normal
    rows, whose innovations are white, g_jᵀ e has unit variance.
    """
    law = law_of(make_field, n_lags)
    spread = np.linspace(0.5, 2.0, D)
    of_row, lasting = (np.asarray(part) if isinstance(part, np.ndarray) else part.toarray()
                       for part in law.of_sensors(spread))  # fmt: skip
    np.testing.assert_allclose((of_row**2).sum(axis=1), 1.0)
    np.testing.assert_allclose((lasting**2).sum(axis=1), 1.0)
    rows = np.random.default_rng(0).standard_normal((60, D))
    for j in range(D):
        for first, directions in ((59, of_row), (20, lasting)):
            moved = rows.copy()
            moved[first:, j] += 3.0
            ends = [Window.empty(law).take(law, x)[0][-1] / spread for x in (rows, moved)]
            step = ends[1] - ends[0]
            found = directions @ step
            assert np.abs(found).argmax() == j
            np.testing.assert_allclose(found[j], np.linalg.norm(step))


def test_sensors_that_nearly_determine_each_other_stay_stable(make_field) -> None:
    """Of two equal up to 1e-5 sometimes one, sometimes the other is missing, for 600 rows: as a
    covariance, not a factor, what is carried had eigenvalues of −26 on rows of a plant.
    """
    law = law_of(make_field, 2)
    rng = np.random.default_rng(0)
    tight = [
        replace(part, scale=np.where(np.arange(D) % 2 == 1, 1e-5, part.scale)) for part in law.laws
    ]
    law = replace(law, laws=tuple(tight))
    x, e = np.zeros((600, D)), rng.standard_normal((600, D))
    for t in range(600):
        part = law.laws[min(t, 2)]
        pull = part.scale * e[t]
        for lag, past in enumerate(part.past, start=1):
            pull = pull + past @ x[t - lag]
        x[t] = np.linalg.solve(part.within.toarray(), pull)
    gaps = rng.random(x.shape) < 0.2
    found, scale, window = Window.empty(law).take(law, np.where(gaps, np.nan, x))
    assert np.isfinite(found[~gaps]).all()
    assert (scale[~gaps] > 0).all()
    assert found[~gaps].var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / (~gaps).sum()))
    assert np.isfinite(window.root).all()
