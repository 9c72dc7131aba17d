"""The page: a report as one HTML file, in both languages, that loads nothing from anywhere.

Every fixed text is on the page twice, marked with its language, and a style shows one of the two.
Values of a report reach the page escaped, and a content security policy forbids the browser any
connection, whatever a report holds.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from locality.analysis.bars import MAX_BARS, by_severity, draw_bands, draw_components
from locality.analysis.catalog import TERMS
from locality.analysis.curves import draw_factors, draw_learning, draw_radii
from locality.analysis.drawing import Drawing, strongest
from locality.analysis.figures import ANSWER_COLORS, library
from locality.analysis.findings import Answer, EdgeFinding
from locality.analysis.network import PALETTE, draw_graph, lay_out
from locality.analysis.words import LANGUAGES, Language, known, word
from locality.exceptions import LocalityError, OptionError

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
except ImportError as error:
    raise LocalityError(
        f"The report as a page needs jinja2, which is missing ({error}).",
        remedy="Install it with: pip install 'locality[report]'.",
    ) from error

if TYPE_CHECKING:
    from locality.analysis.report import LocalityReport

__all__ = ["both", "page", "render", "require_language"]

_MAX_ROWS = 500  # of the longest tables
_MAX_EDGES = 20
_UNITS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))
_BYTES = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def render(report: "LocalityReport", language: Language = "en") -> bytes:
    """The page of a report.

    Parameters
    ----------
    report : LocalityReport
    language : {"en", "ja"}
        Shown first.

    Returns
    -------
    bytes
        HTML in UTF-8.

    Raises
    ------
    OptionError
        The language is unknown.
    """
    require_language(language)
    drawing = lay_out(report)
    figures = {spoken: _draw(report, drawing, spoken) for spoken in LANGUAGES}
    return page(
        "report.html",
        language,
        figures,
        kind="page.kind",
        title="page.title",
        subject=report.title,
        terms=TERMS,
        report=report,
        known=known,
        answers=get_args(Answer),
        numbers=_key_numbers(report),
        drawing=drawing,
        palette=PALETTE,
        strongest=strongest(report.edges)[:_MAX_EDGES],
        columns=by_severity(report)[:_MAX_ROWS],
        max_bars=MAX_BARS,
        max_rows=_MAX_ROWS,
        lag=_lag,
    )


def page(
    template: str,
    language: Language,
    figures: dict[Language, dict[str, Any]],
    *,
    kind: str,
    title: str,
    subject: str,
    terms: tuple[str, ...],
    **values: Any,
) -> bytes:
    """A page of any kind.

    Parameters
    ----------
    template : str
    language : {"en", "ja"}
        Shown first.
    figures : dict
        By language and part, as plain data.
    kind, title : str
        Keys of what the page is, and of its title.
    subject : str
        What it is about.
    terms : tuple of str
        That the glossary explains.
    **values
        For the template.

    Returns
    -------
    bytes
        HTML in UTF-8.
    """
    environment = Environment(
        loader=PackageLoader("locality.analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=_number, seconds=_seconds, size=_size)
    text = environment.get_template(template).render(
        language=language,
        t=both,
        kind=kind,
        title={spoken: word(title, spoken).format(title=subject) for spoken in LANGUAGES},
        subject=subject,
        version=_version(),
        colors=ANSWER_COLORS,
        figures=tuple(figures[language]),
        specifications=figures,
        library=Markup(library()),
        terms=terms,
        **values,
    )
    return text.encode("utf-8", "replace")


def require_language(language: str) -> None:
    """Refuse a language that no page speaks.

    Raises
    ------
    OptionError
    """
    if language not in LANGUAGES:
        raise OptionError(
            f"language is {language!r}, expected one of {', '.join(map(repr, LANGUAGES))}."
        )


def _draw(report: "LocalityReport", drawing: Drawing, language: Language) -> dict[str, Any]:
    """All figures that the report has something for, as plain data by part of the page."""
    makers: dict[str, Callable[[LocalityReport, Language], Any]] = {
        "graph": lambda report, language: draw_graph(report, drawing, language),
        "radius": draw_radii,
        "sensors": draw_components,
        "bands": draw_bands,
        "learning": draw_learning,
        "factors": draw_factors,
    }
    found = {part: make(report, language) for part, make in makers.items()}
    return {
        part: json.loads(figure.to_json()) for part, figure in found.items() if figure is not None
    }


def both(key: str, /, **values: Any) -> Markup:
    """A text in both languages, values escaped, and marked with their language."""
    return _spans(lambda language: word(key, language).format(**values))


def _lag(edge: EdgeFinding) -> Markup:
    from locality.analysis.network import lag_text

    return _spans(partial(lag_text, edge))


def _spans(say: Callable[[Language], str]) -> Markup:
    return Markup("").join(
        Markup('<span class="{0}" lang="{0}">{1}</span>').format(spoken, say(spoken))
        for spoken in LANGUAGES
    )


def _key_numbers(report: "LocalityReport") -> list[tuple[str, Markup, Markup]]:
    """Figure, what it is, and what else is to be said, for the top of the page."""
    verdict = report.verdict
    saved = verdict.independent - verdict.local
    nothing = Markup("")
    found = [
        (_number(verdict.neighbors, ".1f"), both("number.neighbors"), nothing),
        (str(report.radius), both("number.radius"), nothing),
        (_number(saved, ".2f"), both("number.saved"), nothing),
        (_number(verdict.share_lost, ".1%"), both("number.lost"), nothing),
        (f"{len(report.edges):,}", both("number.edges", groups=len(report.groups)), nothing),
    ]
    reached = [need for need in report.rows_needed if need.with_locality is not None]
    if reached:
        need = max(reached, key=lambda need: need.quality)
        without = need.without_locality
        more = both("number.rows.never")
        if without is not None:
            more = both("number.rows.without", rows=without)
        found.append((f"{need.with_locality:,}", both("number.rows", quality=need.quality), more))
    return found


def _number(value: float | None, form: str = ",.3f") -> str:
    """A number as text, a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else format(value, form)


def _seconds(value: float | None) -> Markup | str:
    """A time in a unit that suits it."""
    if value is None or not math.isfinite(value):
        return "–"
    for unit, length in _UNITS:
        if value >= 1.5 * length:
            return both(f"unit.{unit}", value=value / length)
    return both("unit.seconds", value=value)


def _size(value: float) -> str:
    """A number of bytes in a unit that suits it."""
    for unit, length in _BYTES:
        if value >= length:
            return f"{value / length:.3g} {unit}"
    return f"{value:.0f} B"


def _version() -> str:
    from locality import __version__

    return __version__
