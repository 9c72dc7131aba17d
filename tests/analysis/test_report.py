import builtins
import json
import math
import os
import re
import string
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from locality.analysis.pages.drawing import arrange

from locality.analysis import record
from locality.analysis.check.findings import EdgeFinding, RadiusFinding
from locality.analysis.check.report import LocalityReport
from locality.analysis.pages.bars import MAX_BARS
from locality.analysis.pages.catalog import (
    CATALOG,
    TERMS,
    glossary,
    page,
    pictures,
    quality,
    sentences,
    tables,
)
from locality.analysis.pages.words import LANGUAGES, Statement, say
from locality.data.files import read_frame
from locality.exceptions import DataError, LocalityError, OptionError, OutputExists

Make = Callable[..., LocalityReport]
FILES = {"report.html", "report.json", *record.TABLES}


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, text by element, scripts apart."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.text: list[str] = []
        self._within = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag
        if tag == "script":
            self.scripts.append("")
        elif tag == "style":
            self.styles.append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within == "style":
            self.styles[-1] += data
        else:
            self.text.append(data)

    @property
    def figures(self) -> Any:
        """Pictures by language and part."""
        places = [attrs.get("id") for tag, attrs in self.elements if tag == "script"]
        return json.loads(self.scripts[places.index("figures")]) if "figures" in places else {}

    @property
    def parts(self) -> set[str | None]:
        return {attrs.get("id") for tag, attrs in self.elements if tag == "section"}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


# words


@pytest.mark.parametrize("key", CATALOG)
def test_every_text_has_both_languages_with_the_same_placeholders(key: str) -> None:
    english, japanese = CATALOG[key]
    assert english.strip()
    assert japanese.strip()
    assert fields(english) == fields(japanese)
    assert not re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", english) or key == "page.language"


def test_no_text_is_defined_twice() -> None:
    parts = (
        sentences.SENTENCES,
        page.PAGE,
        tables.TABLES,
        pictures.PICTURES,
        glossary.GLOSSARY,
        quality.QUALITY,
    )
    assert sum(map(len, parts)) == len(CATALOG)


def test_every_term_is_explained() -> None:
    assert {f"{kind}.{term}" for term in TERMS for kind in ("term", "meaning")} == set(
        glossary.GLOSSARY
    )


def test_a_value_with_braces_is_no_placeholder() -> None:
    assert "{0.__class__}" in say(Statement("check.title", {"title": "{0.__class__}"}), "ja")


# record


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


@pytest.mark.parametrize("library", ["plotly", "jinja2"])
def test_a_missing_library_names_the_extra(
    make_report: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    imported = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == library:
            raise ImportError(f"No module named {name!r}")
        return imported(name, *args, **kwargs)

    for module in ("bars", "curves", "figures", "network", "page"):
        monkeypatch.delitem(__import__("sys").modules, f"locality.analysis.{module}", False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(LocalityError, match=rf"{library}.*locality\[report\]"):
        make_report().save(tmp_path / "report")
    assert os.listdir(tmp_path) == []


# page


def test_nothing_is_loaded_from_anywhere(make_report: Make, tmp_path: Path) -> None:
    found = Page(make_report().to_html(tmp_path / "r.html"))
    for tag, attrs in found.elements:
        assert tag not in {"link", "iframe", "object", "embed", "img", "base"}
        assert not {"src", "srcset", "data", "action"} & set(attrs)
        assert (attrs.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") for name in attrs)
    assert not any("url(" in style or "@import" in style for style in found.styles)
    policy = [attrs.get("content") or "" for tag, attrs in found.elements if tag == "meta"]
    assert any("default-src 'none'" in content for content in policy)
    own = [script for script in found.scripts if "plotly.js v" not in script]
    assert len(own) == len(found.scripts) - 1  # the library is inlined once
    assert not any(re.search(r"https?://|fetch\(|XMLHttp|import\(", script) for script in own)


def test_names_are_text_and_nothing_else(make_report: Make, tmp_path: Path) -> None:
    report = make_report()
    found = Page(report.to_html(tmp_path / "r.html"))
    assert len(found.scripts) == 3
    assert not [tag for tag, _ in found.elements if tag in {"img", "b"}]
    text = "".join(found.text)
    for name in report.columns:
        assert name in text
    for language in LANGUAGES:  # plotly reads tags in its texts
        assert not re.search(r"<(?!br>)", json.dumps(list(_texts(found.figures[language]))))


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, str):
        yield value


def test_both_languages_are_on_the_page(make_report: Make, tmp_path: Path) -> None:
    for language in LANGUAGES:
        found = Page(make_report().to_html(tmp_path / "r.html", language))
        assert dict(found.elements)["html"]["lang"] == language
        spans = [attrs.get("lang") for tag, attrs in found.elements if tag == "span"]
        assert spans.count("en") == spans.count("ja") > 100
        assert set(found.figures) == set(LANGUAGES)
    with pytest.raises(OptionError, match="'fr'"):
        make_report().to_html(tmp_path / "fr.html", "fr")  # type: ignore[arg-type]
    assert not (tmp_path / "fr.html").exists()


def test_pictures_show_the_data(make_report: Make, tmp_path: Path) -> None:
    report = make_report()
    figures = Page(report.to_html(tmp_path / "r.html")).figures["en"]
    assert set(figures) == {"graph", "radius", "sensors", "bands", "learning", "factors"}
    curves = {trace["name"]: trace for trace in figures["radius"]["data"]}
    assert curves["localization error"]["y"] == [point.localization for point in report.radii]
    assert curves["statistical error"]["y"] == [point.statistical for point in report.radii]
    local = next(trace for trace in figures["learning"]["data"] if trace["name"] == "local")
    assert local["x"] == [point.n_rows for point in report.learning if point.model == "local"]
    assert local["y"] == [point.nats for point in report.learning if point.model == "local"]
    columns = figures["graph"]["data"][-1]
    assert len(columns["x"]) == len(report.columns)
    middles = [trace for trace in figures["graph"]["data"] if trace["mode"] == "markers"]
    assert sum(len(trace["x"]) for trace in middles) == len(report.edges)
    arrows = sum(symbol == "arrow" for t in middles for symbol in t["marker"]["symbol"])
    assert arrows == sum(edge.lag != 0 for edge in report.edges)


@pytest.mark.parametrize("part", ["edges", "groups", "radii", "components", "bands", "learning"])
def test_what_is_empty_is_left_out(make_report: Make, tmp_path: Path, part: str) -> None:
    report = replace(make_report(), **{part: ()})
    found = Page(report.to_html(tmp_path / "r.html"))
    picture = {"edges": "graph", "radii": "radius", "components": "sensors"}.get(part, part)
    assert picture not in found.figures["en"]
    assert len(found.figures["en"]) == 6 - (part != "groups")
    drawn = {attrs["data-figure"] for _, attrs in found.elements if "data-figure" in attrs}
    assert drawn == set(found.figures["en"])


def test_a_report_of_one_column_is_a_page(bare_report: LocalityReport, tmp_path: Path) -> None:
    found = Page(bare_report.to_html(tmp_path / "r.html"))
    assert found.figures == {}
    assert found.parts == {"verdict", "numbers", "glossary"}
    assert len(found.scripts) == 1
    assert "nan" not in "".join(found.text).split()


def test_long_reports_are_cut_and_say_so(make_report: Make, tmp_path: Path) -> None:
    report = make_report(900, odd=False, n_groups=30)
    path = report.to_html(tmp_path / "r.html")
    found = Page(path)
    text = "".join(found.text)
    assert f"Drawn are {MAX_BARS} of 900 columns" in text
    assert "Drawn are 300 of 900 columns" in text
    assert "The first 500 of 900 rows; all are in sensors.csv." in text
    assert len(found.figures["en"]["graph"]["data"][-1]["x"]) == 300


def test_excess_over_orders_of_magnitude_is_logarithmic(make_report: Make, tmp_path: Path) -> None:
    radii = tuple(RadiusFinding(r, 1.0, 0.0, 100 * 0.1**r, 0.0) for r in range(4))
    report = replace(make_report(), radii=radii)
    figure = Page(report.to_html(tmp_path / "r.html")).figures["en"]["radius"]
    assert figure["layout"]["yaxis"]["type"] == "log"
    assert figure["data"][1]["y"] == [None] * 4


# drawing


def _edges(pairs: Any, weights: Any) -> list[EdgeFinding]:
    return [
        EdgeFinding(str(a), str(b), float(w), "linear", 0, 0.99)
        for (a, b), w in zip(pairs, weights, strict=True)
    ]


def test_parts_do_not_overlap() -> None:
    graph = nx.disjoint_union_all(
        [nx.path_graph(20), nx.cycle_graph(9), nx.grid_2d_graph(4, 5), nx.empty_graph(7)]
    )
    weights = np.linspace(0.1, 0.9, graph.number_of_edges())
    drawing = arrange([str(node) for node in graph], _edges(graph.edges, weights))
    assert drawing.complete
    place = dict(zip(drawing.names, drawing.places, strict=True))
    boxes = []
    for part in nx.connected_components(graph):
        points = np.array([place[str(node)] for node in part])
        boxes.append((points.min(axis=0) - 0.4, points.max(axis=0) + 0.4))
    for number, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:number]:
            assert (np.maximum(low, other_low) >= np.minimum(high, other_high)).any()


def test_a_chain_unfolds() -> None:
    n = 40
    drawing = arrange([], _edges([(k, k + 1) for k in range(n - 1)], np.full(n - 1, 0.5)))
    place = dict(zip(drawing.names, drawing.places, strict=True))
    gaps = [np.linalg.norm(place[str(k)] - place[str(k + 1)]) for k in range(n - 1)]
    assert max(gaps) < 3 * np.median(gaps)
    nearest = [
        min(np.linalg.norm(place[str(k)] - place[str(m)]) for m in range(n) if abs(m - k) > 5)
        for k in range(n)
    ]
    assert min(nearest) > np.median(gaps)


def test_a_large_graph_is_drawn_around_its_strongest_tie() -> None:
    n = 1000
    weights = np.exp(-np.abs(np.arange(n - 1) - 600) / 50)
    drawing = arrange([], _edges([(k, k + 1) for k in range(n - 1)], weights))
    drawn = sorted(map(int, drawing.names))
    assert len(drawn) == 300
    assert drawn == list(range(drawn[0], drawn[-1] + 1))
    assert abs((drawn[0] + drawn[-1]) / 2 - 600.5) <= 1
    assert len(drawing.edges) == 299
    assert (drawing.n_columns, drawing.n_edges, drawing.complete) == (n, n - 1, False)


def test_equal_graphs_look_equal(make_report: Make) -> None:
    report = make_report()
    first, second = (arrange(report.columns, edges) for edges in (report.edges, report.edges[::-1]))
    assert first.names == second.names
    np.testing.assert_array_equal(first.places, second.places)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_small_graphs_have_places(n: int) -> None:
    names = [f"s{k}" for k in range(n)]
    pairs = [(a, b) for a in names for b in names if a <= b]  # ties to itself are not drawn
    drawing = arrange(names, _edges(pairs, np.full(len(pairs), np.nan)))
    assert drawing.places.shape == (n, 2)
    assert np.isfinite(drawing.places).all()
    assert len(np.unique(drawing.places.round(3), axis=0)) == n
