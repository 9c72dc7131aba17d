"""The page of a check: is the table local, how far, at what price."""

from functools import partial

from markupsafe import Markup

from locality.analysis.pages.arrangement import arrange, strongest
from locality.analysis.pages.bars import MAX_BARS, by_severity, draw_bands, draw_components
from locality.analysis.pages.catalog import TERMS
from locality.analysis.pages.curves import draw_factors, draw_learning, draw_radii
from locality.analysis.pages.figures import ANSWER_COLORS
from locality.analysis.pages.network import PALETTE, draw_graph, lag_text
from locality.analysis.pages.page import Picture, both, number, page, spans
from locality.analysis.pages.plain import Row
from locality.analysis.pages.words import Language, known

__all__ = ["render"]

_MAX_ROWS = 500  # of the longest tables
_MAX_EDGES = 20


def render(content: Row, language: Language = "en") -> bytes:
    """The page of a check, from `LocalityReport.content`; language and errors as of `page`."""
    arrangement = arrange(content["columns"], content["edges"])
    pictures: dict[str, Picture] = {
        "graph": partial(draw_graph, arrangement),
        "radius": draw_radii,
        "sensors": draw_components,
        "bands": draw_bands,
        "learning": draw_learning,
        "factors": draw_factors,
    }
    return page(
        "check",
        content,
        language,
        pictures,
        TERMS,
        known=known,
        answers=tuple(ANSWER_COLORS),
        numbers=_key_numbers(content),
        drawing=arrangement,
        palette=PALETTE,
        strongest=strongest(content["edges"])[:_MAX_EDGES],
        columns=by_severity(content["components"])[:_MAX_ROWS],
        max_bars=MAX_BARS,
        max_rows=_MAX_ROWS,
        lag=lambda edge: spans(partial(lag_text, edge)),
    )


def _key_numbers(content: Row) -> list[tuple[str, Markup, Markup]]:
    """Figure, what it is, and what else is to be said, for the top of the page."""
    verdict, n_edges = content["verdict"], len(content["edges"])
    saved = verdict["independent"] - verdict["local"]
    nothing = Markup("")
    found = [
        (number(verdict["neighbors"], ".1f"), both("number.neighbors"), nothing),
        (str(content["radius"]), both("number.radius"), nothing),
        (number(saved, ".2f"), both("number.saved"), nothing),
        (number(verdict["share_lost"], ".1%"), both("number.lost"), nothing),
        (f"{n_edges:,}", both("number.edges", groups=len(content["groups"])), nothing),
    ]
    reached = [need for need in content["rows_needed"] if need["with_locality"] is not None]
    if reached:
        need = max(reached, key=lambda need: need["quality"])
        rows, without = need["with_locality"], need["without_locality"]
        more = both("number.rows.never")
        if without is not None:
            more = both("number.rows.without", rows=without)
        found.append((f"{rows:,}", both("number.rows", quality=need["quality"]), more))
    return found
