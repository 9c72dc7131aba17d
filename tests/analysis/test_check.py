"""The check: right answers on known laws, that do not depend on what must not matter."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import locality
from locality.analysis.check.report import LocalityReport
from locality.analysis.face import check
from locality.analysis.pages.words import LANGUAGES, say
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.exceptions import DataError, GraphError, OptionError

D, N = 16, 400


def chain(seed: int = 0, n: int = N) -> pd.DataFrame:
    rows = OrnsteinUhlenbeckChain(D, 0.7).sample(n, seed)
    return pd.DataFrame(rows, columns=[f"s{j:02d}" for j in range(D)])


def look(X: Any, **options: Any) -> LocalityReport:
    return check(X, costs=False, **{"lags": 0} | options)


def numbers(report: LocalityReport) -> dict[str, Any]:
    return {name: part for name, part in report.to_dict().items() if name != "costs"}


def told(report: LocalityReport) -> str:
    verdict = report.verdict
    statements = (*verdict.summary, *verdict.reasons, *report.next_steps, *report.notes)
    return "\n".join(say(statement) for statement in statements)


@pytest.fixture(scope="module")
def report() -> LocalityReport:
    return look(chain())


def test_a_chain_is_local(report: LocalityReport) -> None:
    assert report.verdict.answer == "local"
    assert 1.5 < report.verdict.neighbors < 2.5  # two each, one at the ends
    pairs = {tuple(sorted((edge.a, edge.b))) for edge in report.edges}
    assert {(f"s{j:02d}", f"s{j + 1:02d}") for j in range(D - 1)} <= pairs
    assert report.graph.number_of_nodes() == D
    assert {component.answer for component in report.components} == {"local"}
    assert {band.answer for band in report.bands} == {"local"}


def test_its_nats_are_those_of_the_law(report: LocalityReport) -> None:
    """Dependence of an Ornstein–Uhlenbeck chain: ½ log(1 − ρ²) per link, whatever the units."""
    exact = -0.5 * (D - 1) * np.log(1 - 0.7**2)
    verdict = report.verdict
    saved = verdict.independent - verdict.local
    assert saved == pytest.approx(exact, rel=0.08)  # 5 standard errors of 400 rows
    assert verdict.independent == pytest.approx(D * 0.5 * np.log(2 * np.pi * np.e), rel=0.01)


def test_increasing_transforms_change_nothing(report: LocalityReport) -> None:
    bent = chain()
    bent["s03"], bent["s07"] = np.exp(3 * bent["s03"]), 1e6 * bent["s07"] ** 3
    assert numbers(look(bent)) == numbers(report)


def test_workers_change_nothing() -> None:
    rows = chain(n=120).iloc[:, :6]
    assert numbers(look(rows, n_jobs=2)) == numbers(look(rows))


def test_the_order_of_columns_changes_nothing(report: LocalityReport) -> None:
    other = look(chain().iloc[:, np.random.default_rng(0).permutation(D)])
    assert other.verdict.answer == report.verdict.answer
    assert other.verdict.local == pytest.approx(report.verdict.local, abs=0.02)
    assert set(other.columns) == set(report.columns)


def test_both_errors_add_up(report: LocalityReport) -> None:
    total = np.array([r.localization + r.statistical for r in report.radii])
    nats = np.array([r.nats for r in report.radii])
    assert np.allclose(np.diff(total), np.diff(nats))
    assert np.all(np.diff([r.localization for r in report.radii]) <= 0)
    assert np.all(np.diff([r.statistical for r in report.radii]) >= 0)
    assert report.radius in {r.radius for r in report.radii}


def test_everything_can_be_said_in_both_languages(report: LocalityReport) -> None:
    verdict = report.verdict
    for statement in (*verdict.summary, *verdict.reasons, *report.next_steps, *report.notes):
        for language in LANGUAGES:
            assert "{" not in say(statement, language)


def test_a_hidden_factor_is_not_local_and_its_context_heals_it() -> None:
    rng = np.random.default_rng(1)
    factor = rng.standard_normal((N, 1))
    rows = pd.DataFrame(0.8 * factor + 0.6 * rng.standard_normal((N, D)))
    rows.columns = [f"s{j}" for j in range(D)]
    found = look(rows)
    assert found.verdict.answer == "not local"
    assert "common factor" in told(found)
    healed = look(rows.assign(load=factor), context=["load"])
    assert healed.verdict.answer == "local"
    assert healed.n_columns == D
    assert "load" in told(healed)


def test_a_daily_cycle_is_taken_out() -> None:
    rng = np.random.default_rng(2)
    time = pd.date_range("2024-01-01", periods=960, freq="h")
    day = np.sin(2 * np.pi * time.hour.to_numpy() / 24)[:, None]
    rows = pd.DataFrame(day + 0.5 * rng.standard_normal((960, 15)), columns=list("abcdefghijklmno"))
    rows.insert(0, "when", time)
    assert look(rows, time="when").verdict.answer == "not local"
    healed = look(rows, time="when", cycles=["1d"])
    assert healed.verdict.answer == "local"
    assert healed.verdict.independent - healed.verdict.local < 0.05


def test_a_long_range_pair_breaks_a_given_chain() -> None:
    rows = chain(3)
    rows["s14"] = 0.9 * rows["s14"] + 0.4 * rows["s02"]
    found = look(rows, graph="chain")
    assert found.verdict.answer == "partly local"
    broken = {c.name: c.partner for c in found.components if c.answer != "local"}
    assert broken["s14"] == "s02"
    assert "s02–s14" in told(found)
    assert ("s02", "s14") in {(edge.a, edge.b) for edge in found.edges if edge.source == "data"}
    assert look(rows, graph="chain", merge=True).verdict.answer == "local"


def test_an_uncorrelated_far_tie_is_seen() -> None:
    rows = chain(4)
    rows["s14"] = 0.6 * rows["s14"] + 0.8 * (rows["s02"] ** 2 - 1)
    found = look(rows, graph="chain")
    assert found.verdict.answer == "partly local"
    assert {c.partner for c in found.components if c.name == "s14"} == {"s02"}


def test_given_edges_without_support_are_named() -> None:
    edges = [(j, j + 1) for j in range(D - 1)] + [(0, 9)]
    matrix = np.zeros((D, D))
    for i, j in edges:
        matrix[i, j] = matrix[j, i] = 1.0
    found = look(chain(), graph=matrix)
    assert ("s00", "s09") in {(e.a, e.b) for e in found.edges if e.source == "given"}
    assert "s00–s09" in told(found)
    assert sum(e.source == "both" for e in found.edges) == D - 1


def test_what_cannot_be_judged_is_set_aside_and_named() -> None:
    rows = chain()
    rows["constant"], rows["copy"] = 5.0, 2 * rows["s04"] + 1
    rows["late"] = np.where(np.arange(N) < 300, 0.0, np.arange(N))
    rows["gone"] = np.where(np.random.default_rng(0).random(N) < 0.95, np.nan, rows["s01"])
    found = look(rows)
    assert found.n_columns == D
    for name in ("constant", "copy", "late", "gone"):
        assert name in told(found)
        assert name not in found.columns
    assert found.verdict.answer == "local"


def test_gaps_hardly_change_the_answer(report: LocalityReport) -> None:
    rows = chain()
    rows = rows.mask(np.random.default_rng(5).random(rows.shape) < 0.1)
    found = look(rows)
    assert found.verdict.answer == "local"
    assert found.verdict.local == pytest.approx(report.verdict.local, rel=0.05)
    assert "gaps" in told(found)


def test_more_columns_than_rows() -> None:
    rows = OrnsteinUhlenbeckChain(70, 0.7).sample(60, 0)
    found = look(rows)
    assert found.n_columns == 70
    assert found.verdict.local < found.verdict.independent


def test_series_are_recognized() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((600, 8))
    for t in range(1, 600):
        x[t] += 0.8 * x[t - 1]
    found = check(x, costs=False)
    assert found.lags >= 1
    assert found.verdict.answer == "local"
    assert check(rng.standard_normal((600, 8)), costs=False).lags == 0


def test_a_disconnected_graph_is_fine() -> None:
    matrix = np.zeros((D, D))
    matrix[0, 1] = matrix[1, 0] = 1.0
    found = look(chain(), graph=matrix)
    assert found.verdict.answer != "local"  # it misses thirteen links
    assert len(found.groups) >= 1


@pytest.mark.parametrize(
    ("change", "options", "kind", "message"),
    [
        (lambda x: x[:30], {}, DataError, "30 rows.*at least 40"),
        (lambda x: x[["s00"]], {}, DataError, "1 of 1 columns can be judged"),
        (lambda x: x * 0, {}, DataError, "varies"),
        (lambda x: x * np.nan, {}, DataError, "misses more than 50%"),
        (lambda x: x, {"lags": -1}, OptionError, "lags"),
        (lambda x: x, {"level": 1.5}, OptionError, "level"),
        (lambda x: x, {"given": ["oil"]}, DataError, "oil"),
        (lambda x: x, {"cycles": ["1d"]}, DataError, "time of each row"),
        (lambda x: x, {"graph": np.ones((3, 3))}, GraphError, "3 nodes"),
        (lambda x: x, {"graph": np.triu(np.ones((D, D)))}, GraphError, "symmetric"),
    ],
)
def test_errors(change: Any, options: dict[str, Any], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        look(change(chain()), **options)


def test_it_is_public() -> None:
    assert locality.check is check
