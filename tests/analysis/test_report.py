"""The report: what it keeps, as a record and as a folder."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from locality.analysis.check import record
from locality.analysis.check.findings import EdgeFinding, RadiusFinding
from locality.analysis.check.report import LocalityReport
from locality.data.files import read_frame
from locality.exceptions import DataError, OutputExists

Make = Callable[..., LocalityReport]
FILES = {"report.html", "report.json", *record.TABLES}


def test_json_returns_the_same_report(make_report: Make, tmp_path: Path) -> None:
    report = make_report()
    again = LocalityReport.from_dict(json.loads(report.to_json(tmp_path / "r.json").read_bytes()))
    assert again.to_dict() == report.to_dict()
    assert again.edges == report.edges
    assert again.verdict == report.verdict
    assert math.isnan(again.components[8].p_value)
    assert again.columns == report.columns
    known = replace(report, components=(), notes=())
    assert replace(again, components=(), notes=()) == known


def test_numpy_numbers_become_plain(make_report: Make) -> None:
    radius = RadiusFinding(np.int64(2), np.float64(1.5), np.float32(np.inf), 0.0, np.nan)  # type: ignore[arg-type]
    plain = replace(make_report(), radii=(radius,)).to_dict()["radii"][0]
    assert plain == {
        "radius": 2,
        "nats": 1.5,
        "error": None,
        "localization": 0.0,
        "statistical": None,
    }


@pytest.mark.parametrize(
    "damage",
    [
        lambda plain: plain.pop("kind"),
        lambda plain: plain.pop("edges"),
        lambda plain: plain.update(edges=3),
        lambda plain: plain.update(radius="2"),
        lambda plain: plain["verdict"].update(answer="perhaps"),
        lambda plain: plain["rows_needed"][0].update(with_locality="many"),
        lambda plain: plain["edges"].append(None),
        lambda plain: plain["components"][0].update(band_radii=["1"]),
    ],
)
def test_a_damaged_record_is_refused(make_report: Make, damage: Callable[[Any], Any]) -> None:
    plain = make_report().to_dict()
    damage(plain)
    with pytest.raises(DataError):
        LocalityReport.from_dict(plain)


def test_the_graph_has_every_column_and_attribute(make_report: Make) -> None:
    report = make_report()
    graph = report.graph
    assert set(graph) == {component.name for component in report.components}
    assert graph.number_of_edges() == len({frozenset((e.a, e.b)) for e in report.edges})
    for edge in report.edges:
        found = graph.edges[edge.a, edge.b]
        assert (found["weight"], found["kind"]) == (edge.weight, edge.kind)
        assert (found["confidence"], found["source"]) == (edge.confidence, edge.source)
        assert found["lag"] == abs(edge.lag)
        assert found["leader"] == {0: "", 1: edge.a, -1: edge.b}[int(np.sign(edge.lag))]
    assert {graph.nodes[name]["group"] for name in report.groups[1].members} == {
        report.groups[1].name
    }
    nx.node_link_data(graph)  # serializable as it is


def test_of_two_ties_the_graph_has_the_stronger(make_report: Make) -> None:
    weak = EdgeFinding("a", "b", 0.2, "linear", 0, 0.99)
    strong = EdgeFinding("b", "a", 0.7, "lagged", 3, 0.99)
    for edges in ((weak, strong), (strong, weak)):
        found = replace(make_report(), edges=edges).graph.edges["a", "b"]
        assert (found["kind"], found["lag"], found["leader"]) == ("lagged", 3, "b")


# files


def test_the_folder_holds_the_data(make_report: Make, tmp_path: Path) -> None:
    report = make_report()
    folder = report.save(tmp_path / "report")
    assert set(os.listdir(folder)) == FILES
    assert os.listdir(tmp_path) == ["report"]
    frame = pd.read_csv(folder / "graph.csv", keep_default_na=False)
    assert list(frame) == ["from", "to", "weight", "kind", "lag", "confidence", "source"]
    edges = [EdgeFinding(*row) for row in frame.itertuples(index=False)]
    assert edges == list(report.edges)  # to the last bit
    for name, part in (
        ("radius.csv", report.radii),
        ("learning.csv", report.learning),
        ("factors.csv", report.factors),
        ("bands.csv", report.bands),
    ):
        rows = read_frame(folder / name).to_dict("records")
        assert rows == [vars(row) for row in part]
    sensors = read_frame(folder / "sensors.csv")
    assert sensors["name"].tolist() == [c.name for c in report.components]
    assert sensors["p_value"].isna().sum() == 1
    assert set(sensors["band_radii"]) == {"1 2 2 1 1 0"}
    rows = pd.read_csv(folder / "rows.csv", dtype=str, keep_default_na=False)
    assert rows["with_locality"].tolist() == ["400", "900", "2100", ""]
    assert rows["without_locality"].tolist() == ["3000", "9000", "", ""]
    members = read_frame(folder / "groups.csv")
    assert members["member"].tolist() == [m for group in report.groups for m in group.members]
    assert read_frame(folder / "costs.csv")["actual_seconds"].isna().tolist() == [
        cost.actual_seconds is None for cost in report.costs
    ]


def test_empty_tables_keep_their_heads(bare_report: LocalityReport, tmp_path: Path) -> None:
    folder = bare_report.save(tmp_path / "report")
    assert set(os.listdir(folder)) == FILES
    assert (folder / "graph.csv").read_text() == "from,to,weight,kind,lag,confidence,source\n"
    assert (folder / "groups.csv").read_text() == "group,member\n"
    assert LocalityReport.from_dict(json.loads((folder / "report.json").read_bytes())).edges == ()


def test_only_a_report_is_replaced(make_report: Make, tmp_path: Path) -> None:
    report = make_report(4, n_groups=1)
    folder = report.save(tmp_path / "report")
    with pytest.raises(OutputExists, match="overwrite"):
        report.save(folder)
    replace(report, title="second").save(folder, overwrite=True)
    assert json.loads((folder / "report.json").read_bytes())["title"] == "second"
    (folder / "notes.txt").write_text("precious")
    with pytest.raises(OutputExists, match=r"notes\.txt"):
        report.save(folder, overwrite=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "graph.csv").write_text("precious")
    with pytest.raises(OutputExists, match=r"report\.json"):
        report.save(other, overwrite=True)
    (tmp_path / "file").write_text("precious")
    with pytest.raises(OutputExists):
        report.save(tmp_path / "file", overwrite=True)
    with pytest.raises(DataError):
        report.save(tmp_path / "missing" / "report")


def test_a_failed_save_leaves_nothing(
    make_report: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = make_report(4, n_groups=1)
    with monkeypatch.context() as patch:
        patch.setattr("locality.analysis.check.report.write_frame", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            report.save(tmp_path / "report")
    assert os.listdir(tmp_path) == []
