"""The page in a real browser: it runs, shows, fits, speaks both languages, and stays offline."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from locality import LocalizedDiffusion
from locality.analysis.check.report import LocalityReport
from locality.analysis.pages.catalog import CATALOG
from locality.analysis.quality.evaluation import evaluate
from locality.data.synthetic import OrnsteinUhlenbeckChain

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]

WIDTHS = {1280: "en", 390: "ja"}
"""Widths in pixels, and the language in which a page begins."""
PICTURES = ("graph", "radius", "sensors", "bands", "learning", "factors")
MARKS = ".scatterlayer path, .barlayer path"
LAST_RESORT = 120_000  # milliseconds after which what a page should do has not happened


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=list(options))
        yield running
        running.close()


@pytest.fixture(scope="module")
def faults() -> list[str]:
    """Whatever a browser complained about or asked for."""
    return []


@pytest.fixture(scope="module")
def visit(
    browser: Any, faults: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """The page of a report; loading takes seconds, so an equal page is opened once."""
    folder = tmp_path_factory.mktemp("pages")
    pages: dict[Any, Any] = {}

    def opened(report: LocalityReport, width: int = 1280, language: Any = "en") -> Any:
        key = json.dumps([report.to_dict(), width, language])
        if key not in pages:
            path = report.to_html(folder / f"{len(pages)}.html", language)
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.set_default_timeout(LAST_RESORT)
            page.on("pageerror", lambda error: faults.append(f"error: {error}"))
            page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
            page.on("console", lambda message: faults.append(f"console: {message.text}"))
            page.on("request", lambda request: asked(request.url, path))
            page.goto(path.as_uri(), wait_until="load")
            pages[key] = page
        return pages[key]

    def asked(url: str, path: Path) -> None:
        if url != path.as_uri() and not url.startswith(("data:", "blob:")):
            faults.append(f"request: {url}")

    return opened


@pytest.fixture(autouse=True)
def _no_faults(faults: list[str]) -> Iterator[None]:
    yield
    assert faults == []


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def marks(page: Any, part: str) -> list[float]:
    """Largest extent of every line, bar and dot of a picture, in pixels."""
    script = """([part, marks]) => [...document.querySelectorAll(
        `[data-figure=${part}] .main-svg :is(${marks})`)]
        .map((mark) => mark.getBoundingClientRect())
        .map((box) => Math.max(box.width, box.height))"""
    return [size for size in page.evaluate(script, [part, MARKS]) if size > 0]


def visible_text(page: Any) -> str:
    """Text of the page and of its pictures."""
    return str(
        page.evaluate(
            "document.body.innerText + [...document.querySelectorAll('.main-svg text')]"
            ".map((text) => text.textContent).join('\\n') + document.title"
        )
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_every_picture_is_drawn_and_fits(
    make_report: Any, visit: Callable[..., Any], width: int
) -> None:
    report = make_report()
    page = visit(report, width, WIDTHS[width])
    for _ in WIDTHS:
        assert overflow(page) <= 0
        for part in PICTURES:
            assert len(marks(page, part)) >= 4, part
        boxes = page.evaluate(
            "[...document.querySelectorAll('[data-figure], .box')]"
            ".map((box) => box.getBoundingClientRect()).map((box) => [box.left, box.right])"
        )
        assert all(left >= 0 and right <= width for left, right in boxes)
        dots = page.locator("[data-figure=graph] .scatterlayer .trace").last.locator("path.point")
        assert dots.count() == len(report.columns)
        page.click("#language")


@pytest.mark.parametrize("width", WIDTHS)
def test_names_are_shown_as_they_are(
    make_report: Any, visit: Callable[..., Any], width: int
) -> None:
    report = make_report()
    text = visit(report, width, WIDTHS[width]).inner_text("#sensors table")
    for name in report.columns:
        assert re.sub(r"\s+", " ", name) in re.sub(r"\s+", " ", text)


def test_the_switch_changes_all_fixed_text(make_report: Any, visit: Callable[..., Any]) -> None:
    page = visit(make_report(odd=False))
    texts = {"en": visible_text(page)}
    page.click("#language")
    texts["ja"] = visible_text(page)
    page.click("#language")
    assert visible_text(page) == texts["en"]
    japanese = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]+")
    assert set(japanese.findall(texts["en"])) == {"日本語"}  # the button itself
    allowed = {"English", "sensor", "plant", "parquet", "east", "west", "locality", "CSV", "csv"}
    allowed |= {"graph", "something", "new", "GB", "MB"}
    words = set(re.findall(r"[A-Za-z]{2,}", texts["ja"]))
    assert words <= allowed
    shown = [pair for pair in CATALOG.values() if "{" not in pair[0] and len(pair[0]) > 20]
    for english, other in shown:
        assert (english in texts["en"]) == (other in texts["ja"])
    assert page.evaluate("document.documentElement.lang") == "en"


def test_a_page_may_begin_in_japanese(make_report: Any, visit: Callable[..., Any]) -> None:
    page = visit(make_report(), 390, "ja")
    assert page.title().startswith("局所性レポート")
    assert page.locator("#radius h2 .ja").is_visible()
    assert not page.locator("#radius h2 .en").is_visible()
    axis = page.locator("[data-figure=radius] .xtitle").text_content()
    assert axis == CATALOG["axis.radius"][1]


def test_hovering_tells_of_columns_and_ties(make_report: Any, visit: Callable[..., Any]) -> None:
    page = visit(make_report(odd=False))
    graph = page.locator("[data-figure=graph]")
    graph.scroll_into_view_if_needed()
    seen = []
    for trace in (graph.locator(".trace").last, graph.locator(".trace:has(path.point)").first):
        box = trace.locator("path.point").first.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_selector(".hoverlayer .hovertext", state="attached")
        seen.append(graph.locator(".hoverlayer .hovertext").first.text_content())
        page.mouse.move(5, 5)
        page.wait_for_selector(".hoverlayer .hovertext", state="detached")
    assert "neighbors used" in seen[0]
    assert "confidence" in seen[1]


def test_tables_are_sorted_by_a_click(make_report: Any, visit: Callable[..., Any]) -> None:
    report = make_report()
    page = visit(report)
    heading = page.locator("#sensors thead th").nth(3)
    cells = (
        "[...document.querySelectorAll('#sensors tbody tr')].map((row) => row.cells[3].innerText)"
    )
    expected = [f"{value:.1f}" for value in sorted(c.n_neighbors for c in report.components)]
    heading.click()
    assert page.evaluate(cells) == expected
    heading.click()
    assert page.evaluate(cells) == expected[::-1]
    assert heading.get_attribute("aria-sort") == "descending"


def test_it_follows_the_width_of_the_window(make_report: Any, visit: Callable[..., Any]) -> None:
    page = visit(make_report())
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        plots = "[...document.querySelectorAll('[data-figure]')]"
        page.wait_for_function(
            plots + ".every((plot) => plot.querySelector('.main-svg').clientWidth"
            " === plot.clientWidth)"
        )
        assert overflow(page) <= 0


def test_it_can_be_printed(make_report: Any, visit: Callable[..., Any]) -> None:
    page = visit(make_report())
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function(  # A4 with margins
        "[...document.querySelectorAll('.main-svg')].every((svg) => svg.clientWidth <= 690)"
    )
    assert page.evaluate(
        "[...document.querySelectorAll('.main-svg')].some((svg) => svg.clientWidth > 0)"
    )
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_report_of_one_column(bare_report: LocalityReport, visit: Callable[..., Any]) -> None:
    page = visit(bare_report, 390)
    assert overflow(page) <= 0
    page.click("#language")
    assert page.locator("#glossary dt .ja").first.is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_of_many_columns(make_report: Any, visit: Callable[..., Any], width: int) -> None:
    page = visit(make_report(2000, odd=False, n_groups=60), width)
    assert overflow(page) <= 0
    assert len(marks(page, "graph")) > 300


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_an_evaluation(
    browser: Any, faults: list[str], tmp_path: Path, width: int
) -> None:
    law = OrnsteinUhlenbeckChain(5, correlation=0.8)
    model = LocalizedDiffusion(graph="chain", denoiser="linear", lags=1, random_state=0)
    found = evaluate(model.fit(law.sample(300, 0)), law.sample(300, 1), title="later rows")
    path = found.to_html(tmp_path / "q.html", WIDTHS[width])
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(LAST_RESORT)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda message: faults.append(f"console: {message.text}"))
    page.goto(path.as_uri(), wait_until="load")
    for _ in WIDTHS:
        assert overflow(page) <= 0
        for part in ("quantiles", "pairs", "memory"):
            assert len(marks(page, part)) >= 4, part
        assert "later rows" in visible_text(page)
        page.click("#language")
    assert page.locator("[data-figure=quantiles] .xaxislayer-above, .subplot").count() >= 5
