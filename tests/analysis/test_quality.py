"""Quality of drawn rows: nothing to complain of in exact draws, and planted bugs are caught."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError

from locality import LocalizedDiffusion
from locality.analysis.pages.words import LANGUAGES, say
from locality.analysis.quality import evaluation
from locality.analysis.quality.evaluation import evaluate
from locality.analysis.quality.fidelity import Fidelity, fidelity
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.exceptions import DataError, OptionError

pytestmark = pytest.mark.usefixtures("few_trees")
LAW = OrnsteinUhlenbeckChain(6, correlation=0.8)
TRAIN, REAL = LAW.sample(500, 0), LAW.sample(800, 1)
KNOWN: dict[object, Fidelity] = {}


@pytest.fixture(autouse=True)
def known(monkeypatch) -> None:
    """How real rows of both times compare is the same in every test."""

    def remembered(rows, kept_back, graph, seed):
        key = rows.tobytes(), kept_back.tobytes(), graph, seed
        if key not in KNOWN:
            KNOWN[key] = fidelity(rows, kept_back, graph, seed)
        return KNOWN[key]

    monkeypatch.setattr(evaluation, "fidelity", remembered)


@pytest.fixture(scope="module")
def model() -> LocalizedDiffusion:
    return LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(TRAIN)


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


@pytest.mark.slow
def test_lost_memory_is_told() -> None:
    rng = np.random.default_rng(6)
    x = np.zeros((700, 3))
    for t in range(1, 700):
        x[t] = 0.9 * x[t - 1] + rng.standard_normal(3)
    model = LocalizedDiffusion(graph="chain", denoiser="linear", lags=1, random_state=0).fit(
        x[:350]
    )
    kept = evaluate(model, x[350:])
    assert kept.autocorrelation < kept.real_autocorrelation + 0.15
    whole = model.sample

    def lost(n, random_state):
        return np.random.default_rng(7).permutation(whole(n, random_state=random_state))

    model.sample = lost
    assert evaluate(model, x[350:]).autocorrelation > kept.autocorrelation + 0.2


def test_grades(model, monkeypatch) -> None:
    assert judged(model, monkeypatch, lambda n: LAW.sample(n, 2)).grade == "as real"
    assert judged(model, monkeypatch, lambda n: LAW.sample(n, 2) * 1.15).grade == "close"
    assert judged(model, monkeypatch, shuffled).grade == "told apart"
    # where the classifier tells even real rows of another time apart, other figures speak
    good = judged(model, monkeypatch, lambda n: LAW.sample(n, 2))
    moved = replace(good, real=replace(good.real, auc=0.97), drawn=replace(good.drawn, auc=0.99))
    assert moved.grade == "as real"
    assert replace(moved, beyond=0.16, real_beyond=0.022).grade == "close"
    assert replace(good, beyond=0.16).grade == "close"
    assert replace(good, target="x0", r2=-0.1, real_r2=0.9).grade == "close"


def test_every_statement_has_words(model, monkeypatch) -> None:
    keys = set()
    for draw in (wide, clipped, lambda n: LAW.sample(n, 2)):
        found = judged(model, monkeypatch, draw, train=TRAIN, target="x2")
        for statement in found.statements:
            assert all(say(statement, language) for language in LANGUAGES)
            keys.add(statement.key)
    assert {"quality_tails_heavy", "quality_tails_light", "quality_tails_right"} < keys


NAMES = ["<b>a</b>", "</script><script>alert(1)</script>", "c", "d", "e", "f"]


def test_the_page_shows_what_was_found(tmp_path) -> None:
    frames = [pd.DataFrame(rows, columns=NAMES) for rows in (TRAIN, REAL[:400])]
    model = LocalizedDiffusion(graph="chain", denoiser="linear", lags=1, random_state=0)
    found = evaluate(model.fit(frames[0]), frames[1], train=frames[0], target="c", title="<i>")
    text = found.to_html(tmp_path / "q.html", "ja").read_text("utf-8")
    assert "<b>a" not in text.replace("\\u003cb", "")
    assert text.count("<script") == 3
    assert "<i>" not in text
    figures = json.loads(text.split('id="figures">')[1].split("</script>")[0])
    assert set(figures["en"]) == {"quantiles", "pairs", "memory"} == set(figures["ja"])
    drawn = [t for t in figures["en"]["quantiles"]["data"] if t.get("name") == "drawn"]
    assert [list(t["y"]) for t in drawn] == [list(c.drawn) for c in found.columns]
    joined = next(t for t in figures["en"]["pairs"]["data"] if t.get("name") == "with an edge")
    assert len(joined["x"]) == 5  # of a chain of six
    by_pair = {frozenset((p.a, p.b)): p for p in found.pairs}
    assert len(by_pair) == 15
    table = frames[1].iloc[200:].corr("spearman")
    for pair in found.pairs:
        assert pair.later == pytest.approx(table.loc[pair.a, pair.b])
    assert found.memory[0].later == pytest.approx(
        np.mean([np.corrcoef(x[1:], x[:-1])[0, 1] for x in REAL[200:400].T]), abs=0.01
    )
    with pytest.raises(OptionError, match="'fr'"):
        found.to_html(tmp_path / "fr.html", "fr")
    assert [path.name for path in tmp_path.iterdir()] == ["q.html"]


def test_states_are_evaluated(tmp_path) -> None:
    rng = np.random.default_rng(8)
    x = rng.standard_normal((600, 2))
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 0] + 0.5 * x[:, 1]})
    table["s"] = np.where(table["a"] > 0, "on", "off")
    model = LocalizedDiffusion(graph="complete", denoiser="linear", random_state=0)
    found = evaluate(model.fit(table[:300]), table[300:], train=table[:300])
    assert {c.name for c in found.columns} == {"a", "b", "s"}
    assert found.drawn.margins > 0.9


def test_any_table_will_do(model, monkeypatch) -> None:
    sums = lambda a, b, *_: Fidelity(a.sum(), b.sum(), 1.0, 0.5, 0.0)  # noqa: E731 - no forests
    monkeypatch.setattr(evaluation, "fidelity", sums)
    rows = REAL[:80]
    frame = pd.DataFrame(rows, columns=[f"x{j}" for j in range(6)])
    shuffled = frame[[f"x{j}" for j in (3, 0, 5, 1, 2, 4)]].assign(note=1.0)
    tables = (frame, shuffled, pl.DataFrame(frame), pa.Table.from_pandas(frame), rows.tolist())
    found = evaluate(model, rows).to_dict()
    assert all(evaluate(model, table).to_dict() == found for table in tables)


def test_what_cannot_be_evaluated_is_told(model) -> None:
    with pytest.raises(DataError, match="at least 40 real rows, found 10"):
        evaluate(model, REAL[:10])
    with pytest.raises(DataError, match="target 'y' is no column"):
        evaluate(model, REAL, target="y")
    with pytest.raises(DataError, match="5 columns, expected 6"):
        evaluate(model, REAL[:, :5])
    with pytest.raises(NotFittedError):
        evaluate(LocalizedDiffusion(), REAL)
