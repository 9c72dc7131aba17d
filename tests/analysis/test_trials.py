"""Trials, rivals and error curves against closed forms."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from locality.analysis.check.errors import ErrorCurves, LimitCurve
from locality.analysis.check.rivals import factors, independent, lagged, shrunk
from locality.analysis.check.trials import Trial, Trials, contiguous_folds
from locality.analysis.check.verdict import difference_error
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import Axis, DependencyGraph, Domain

D, N = 8, 600


def chain(n: int = N) -> np.ndarray:
    return OrnsteinUhlenbeckChain(D, 0.7).sample(n, 0)


def domain(lags: int = 0) -> Domain:
    axes = (Axis("time", window=(lags, 0)),) if lags else ()
    return Domain(DependencyGraph.chain(D), tuple(f"x{j}" for j in range(D)), axes)


def test_held_out_nats_come_near_those_of_the_law() -> None:
    rows = chain(3000)
    held_out, fitted = Trials(rows, domain(), 0).run()
    exact = -OrnsteinUhlenbeckChain(D, 0.7).log_density(rows)
    assert held_out.nats.shape == (3000,)
    assert np.corrcoef(held_out.nats, exact)[0, 1] > 0.995
    assert held_out.nats.mean() == pytest.approx(exact.mean(), abs=0.01 * D)
    # two routes: cross-validation within the fit, and models of the other parts
    assert fitted[0].held_out.sum() == pytest.approx(held_out.nats.mean(), abs=0.01 * D)


@pytest.mark.parametrize("lags", [0, 2])
def test_every_row_is_judged_once_and_by_others(lags: int) -> None:
    rows = chain()
    trials = Trials(rows, domain(lags), lags)
    held_out, _ = trials.run()
    assert len(held_out.nats) == N - lags == len(trials.folds)
    # a judged row changes nothing in the model that judges its fold: the rest keeps its nats
    inside = np.flatnonzero(contiguous_folds(N, trials.n_folds) == 1)
    spoiled = rows.copy()
    spoiled[inside[-1]] *= 100.0
    again, _ = Trials(spoiled, domain(lags), lags).run()
    rest = inside[:-1] - lags
    assert np.array_equal(again.nats[rest], held_out.nats[rest])
    assert again.nats[inside[-1] - lags] > held_out.nats[inside[-1] - lags] + 50.0


def test_parts_cover_the_whole_table() -> None:
    parts = Trials(chain(), domain(), 0).parts
    sizes = [len(part) for part in parts]
    assert sizes == [600, 300, 300, 150, 150, 150]
    assert np.array_equal(np.sort(np.concatenate(parts[1:3])), np.arange(N))
    for part in parts:
        assert part.min() < N / 4
        assert part.max() >= 0.75 * N


def test_small_tables_have_one_part() -> None:
    assert len(Trials(chain(60), domain(), 0).parts) == 1


def test_a_local_model_never_sees_more_than_half() -> None:
    wide = Domain(DependencyGraph.chain(60), tuple(f"x{j}" for j in range(60)))
    assert Trials(np.zeros((100, 60)), wide, 0).max_slots == 31
    star = DependencyGraph.from_edges([(0, j) for j in range(1, 60)], 60)
    hub = Domain(star, wide.names)
    assert Trials(np.zeros((100, 60)), hub, 0).max_slots == 60  # its neighbors are neighbors


def test_one_gaussian_of_everything_has_the_nats_of_its_density() -> None:
    rows, folds = chain(), contiguous_folds(N)
    found = independent(rows, D, folds)
    exact = np.empty(N)
    for fold in range(5):
        out = folds == fold
        center, power = rows[~out].mean(axis=0), rows[~out].var(axis=0)
        exact[out] = -multivariate_normal(center, np.diag(power)).logpdf(rows[out])
    assert np.allclose(found.nats, exact)
    assert np.allclose(found.bands.sum(axis=1), exact)


def test_a_shrunk_gaussian_beats_independence_and_is_beaten_by_the_law() -> None:
    rows, folds = chain(), contiguous_folds(N)
    exact = -OrnsteinUhlenbeckChain(D, 0.7).log_density(rows).mean()
    found = shrunk(rows, D, folds)[0].nats.mean()
    assert exact - 0.05 < found < independent(rows, D, folds).nats.mean() - 1.0


def test_factors_find_a_hidden_factor() -> None:
    rng = np.random.default_rng(0)
    rows = 0.8 * rng.standard_normal((N, 1)) + 0.6 * rng.standard_normal((N, D))
    folds = contiguous_folds(N)
    covariance = 0.64 * np.ones((D, D)) + 0.36 * np.eye(D)
    exact = -multivariate_normal(np.zeros(D), covariance).logpdf(rows).mean()
    assert factors(rows, D, folds, 1).nats.mean() == pytest.approx(exact, abs=0.1)


def test_the_own_past_counts_as_alone() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2000, D))
    for t in range(1, 2000):
        x[t] += 0.8 * x[t - 1]
    rows = lagged(x, 1)
    assert np.array_equal(rows[5], np.append(x[6], x[5]))
    found = independent(rows, D, contiguous_folds(len(rows)))
    assert found.nats.mean() == pytest.approx(D * 0.5 * np.log(2 * np.pi * np.e), abs=0.15)


def test_limits_are_recovered() -> None:
    n = np.array([100.0, 200.0, 400.0, 800.0])
    curve = LimitCurve.fit(n, 3.0 + 50.0 / n)
    assert (curve.limit, curve.slope) == pytest.approx((3.0, 50.0))
    assert curve.rows_for(3.1) == 500
    assert curve.rows_for(2.9) is None


def test_errors_trade_off() -> None:
    """Nats made of exp(−2 r) and r/n give these back, and a radius that grows with n."""
    radii = np.arange(6)

    def fit(n: int) -> Trial:
        nats = 10.0 + 5.0 * np.exp(-2.0 * radii) + 40.0 * radii / n
        curve = nats[None, :, None]
        none = np.empty((0, 1))
        return Trial(n, radii, curve, curve[:, 0, 0], np.zeros((1, 1), int), none)

    curves = ErrorCurves.of([fit(n) for n in (400, 200, 200, 100, 100, 100)])
    assert np.allclose(curves.statistical, 40.0 * radii / 400)
    truth = 5.0 * (np.exp(-2.0 * radii) - np.exp(-10.0))
    assert np.allclose(curves.localization, truth)
    assert curves.decay_length == pytest.approx(0.5, rel=0.05)
    assert curves.best_radius(50) <= curves.best_radius() <= curves.best_radius(1e9)


def test_errors_of_means_know_that_rows_follow_each_other() -> None:
    rng = np.random.default_rng(2)
    white = rng.standard_normal(20_000)
    slow = np.repeat(rng.standard_normal(200), 100)
    assert difference_error(white) == pytest.approx(1 / np.sqrt(20_000), rel=0.5)
    assert difference_error(slow) == pytest.approx(1 / np.sqrt(200), rel=0.5)
