"""Pages: plain rows in, one offline file out; nothing in a name becomes anything but text."""

import builtins
import json
import os
import re
import string
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from locality.analysis.check.findings import RadiusFinding
from locality.analysis.check.report import LocalityReport
from locality.analysis.pages import check_page
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
from locality.exceptions import LocalityError, OptionError

Make = Callable[..., LocalityReport]


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


# page


@pytest.mark.parametrize("library", ["plotly", "jinja2"])
def test_a_missing_library_names_the_extra(
    make_report: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    imported = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == library:
            raise ImportError(f"No module named {name!r}")
        return imported(name, *args, **kwargs)

    for module in ("bars", "check_page", "curves", "figures", "network", "page"):
        monkeypatch.delitem(sys.modules, f"locality.analysis.pages.{module}", False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(LocalityError, match=rf"{library}.*locality\[report\]"):
        make_report().save(tmp_path / "report")
    assert os.listdir(tmp_path) == []


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


PLAIN = """
import json, sys
from locality.analysis.pages import check_page, quality_page
check, quality = json.load(sys.stdin)
for render, content in ((check_page.render, check), (quality_page.render, quality)):
    assert content["title"] in render(content, "ja").decode()
rooms = {name.split(".")[2] for name in sys.modules if name.startswith("locality.analysis.")}
assert rooms == {"pages"}, rooms
"""


def test_pages_are_made_of_plain_data_alone(make_report: Make) -> None:
    """Rows as JSON would have them, in a process that never imports a check or an evaluation."""
    check = make_report(odd=False).content() | {"title": "plant"}
    fidelity = dict.fromkeys(("margins", "edges", "others", "auc", "auc_error"), 0.9)
    column = {"name": "a", "distance": 0.1, "real_distance": 0.1, "beyond": 0.02}
    same = {kind: 0.5 for kind in ("drawn", "earlier", "later")}
    evaluation = {
        "title": "later rows", "n_drawn": 9, "n_real": 18, "grade": "close", "levels": [0.5],
        "drawn": fidelity, "real": fidelity, "privacy": 0.5,
        "columns": [column | {kind: [value] for kind, value in same.items()}],
        "pairs": [{"a": "a", "b": "b", "joined": True, **same}],
        "memory": [{"lag": 1, **same}],
        "statements": [{"key": "quality_margins", "values": {"drawn": 0.9, "real": 0.9}}],
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], input=json.dumps([check, evaluation]), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_report_hands_over_plain_data(make_report: Make, tmp_path: Path) -> None:
    report = make_report()
    content = report.content()
    report.to_html(tmp_path / "r.html")
    assert check_page.render(content) == (tmp_path / "r.html").read_bytes()

    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(map(plain, value.values()))
        if isinstance(value, list | tuple):
            return all(map(plain, value))
        return value is None or isinstance(value, str | int | float)

    assert plain(content)
