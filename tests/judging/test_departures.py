"""Departures and findings as numbers: rows from 0, and nats that are the surprise's own."""

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.table import Table
from locality.inference.density.rows import surprise_of_rows
from locality.inference.judging.departures import departures
from locality.inference.judging.findings import findings
from locality.model.summary import expected_surprise


def make_rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    frame = pd.DataFrame({"a": x, "b": x + 0.3 * rng.normal(size=n), "c": 2.0 * x, "site": 7.0})
    return frame.assign(mode=np.where(x > 0, "high", "low"))


@pytest.fixture(scope="module")
def model() -> LocalizedDiffusion:
    return LocalizedDiffusion(denoiser="linear", random_state=0).fit(make_rows(300, 0))


def test_every_rule_that_is_broken_is_told_with_its_rows(model: LocalizedDiffusion) -> None:
    rows = make_rows(30, 1)
    inner = model.model_
    labels = inner.standardizer.labels
    normal = Table.from_frame(rows, labels=labels)
    assert departures(inner.standardizer, normal) == []
    rows.loc[[4, 9], "site"] = 8.0
    rows.loc[5, "c"] += 1.0
    rows.loc[7, "mode"] = "off"
    found = model.detect(rows).departures
    assert [(part.column, part.rule, part.of, part.rows.tolist()) for part in found] == [
        ("c", "copy", "a", [5]),
        ("site", "constant", "7", [4, 9]),
        ("mode", "states", "", [7]),
    ]


def test_findings_are_surprise_beyond_its_expectation(model: LocalizedDiffusion) -> None:
    rows, inner = make_rows(30, 1), model.model_
    rows.loc[12, "b"] += 5.0
    rows.loc[13, "b"] = np.nan
    table = Table.from_frame(rows, labels=inner.standardizer.labels)
    surprise, error = surprise_of_rows(inner, table)
    nats = surprise["all"]
    found = findings(inner, nats, error)
    beyond = np.nan_to_num(nats - expected_surprise(inner))
    assert found.rows[0].row == 12
    assert found.rows[0].nats == pytest.approx(beyond[12].sum())
    assert next(iter(found.rows[0].sensors)) == "b"
    worst = found.sensors[0]
    assert (worst.sensor, worst.at) == ("b", 12)
    assert worst.mean == pytest.approx(beyond[:, inner.layout.names.index("b")].mean())
    assert found.mean == pytest.approx(found.expected + beyond.sum(axis=1).mean())
    assert found.error_row == found.error_value == 0.0
    empty = findings(inner, nats[:0], error[:0])
    assert (empty.n_rows, empty.mean, empty.sensors, empty.rows) == (0, None, (), ())
