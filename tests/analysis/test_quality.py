"""Quality of drawn rows: nothing to complain of in exact draws, and planted bugs are caught."""

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.analysis.quality import evaluate
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.exceptions import DataError

LAW = OrnsteinUhlenbeckChain(6, correlation=0.8)
TRAIN, REAL = LAW.sample(500, 0), LAW.sample(800, 1)


@pytest.fixture(scope="module")
def model() -> LocalizedDiffusion:
    return LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(TRAIN)


def judged(model, monkeypatch, draw, **options):
    """The quality of rows drawn by ``draw(n)`` in place of the model's."""
    monkeypatch.setattr(model, "sample", lambda n, random_state: draw(n))
    return evaluate(model, REAL, **options)


def test_exact_draws_are_as_good_as_real_rows(model, monkeypatch) -> None:
    found = judged(model, monkeypatch, lambda n: LAW.sample(n, 2), train=TRAIN, target="x2")
    assert abs(found.drawn.auc - 0.5) < 4 * found.drawn.auc_error
    assert abs(found.beyond - 0.02) < 0.01
    assert abs(found.r2 - found.real_r2) < 0.06
    assert abs(found.privacy - 0.5) < 4 * np.sqrt(0.25 / 400)
    assert found.drawn.edges > 0.93
    assert max(c.distance for c in found.columns) < 0.25


def test_a_model_draws_nearly_as_well(model) -> None:
    found = evaluate(model, REAL, train=TRAIN)
    assert found.drawn.auc < 0.6
    assert found.privacy < 0.6


def wide(n):
    return 1.4 * LAW.sample(n, 3)


def clipped(n):
    return np.clip(LAW.sample(n, 3), -1.5, 1.5)


def shuffled(n):
    rng = np.random.default_rng(4)
    return np.stack([rng.permutation(column) for column in LAW.sample(n, 3).T], axis=1)


def shifted(n):
    rows = LAW.sample(n, 3)
    rows[:, 4] += 0.7
    return rows


@pytest.mark.parametrize("bug", [wide, clipped, shuffled, shifted], ids=lambda f: f.__name__)
def test_planted_bugs_are_caught(model, monkeypatch, bug) -> None:
    found = judged(model, monkeypatch, bug, target="x2")
    assert found.drawn.auc > 0.5 + 4 * found.drawn.auc_error
    if bug is wide:
        assert found.beyond > 0.05
    if bug is clipped:
        assert found.beyond < 0.005
    if bug is shuffled:
        assert found.drawn.edges < 0.5 < found.drawn.margins
        assert found.r2 < 0.2 < found.real_r2
    if bug is shifted:
        assert found.columns[0].name == "x4"
        assert found.columns[0].distance > 0.5


def test_rows_learned_by_heart_are_told(model, monkeypatch) -> None:
    rng = np.random.default_rng(5)

    def near(n):
        return TRAIN[rng.integers(0, 500, n)] + 0.01 * rng.standard_normal((n, 6))

    assert judged(model, monkeypatch, near, train=TRAIN).privacy > 0.75


def test_lost_memory_is_told() -> None:
    rng = np.random.default_rng(6)
    x = np.zeros((1200, 3))
    for t in range(1, 1200):
        x[t] = 0.9 * x[t - 1] + rng.standard_normal(3)
    model = LocalizedDiffusion(graph="chain", score="linear", lags=1, random_state=0).fit(x[:600])
    kept = evaluate(model, x[600:])
    assert kept.autocorrelation < kept.real_autocorrelation + 0.15
    whole = model.sample

    def lost(n, random_state):
        return np.random.default_rng(7).permutation(whole(n, random_state=random_state))

    model.sample = lost
    assert evaluate(model, x[600:]).autocorrelation > kept.autocorrelation + 0.2


def test_what_cannot_be_evaluated_is_told(model) -> None:
    with pytest.raises(DataError, match="at least 40 real rows, found 10"):
        evaluate(model, REAL[:10])
    with pytest.raises(DataError, match="target 'y' is no column"):
        evaluate(model, REAL, target="y")
