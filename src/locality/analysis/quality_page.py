"""The page of an evaluation: drawn rows beside real ones, in both languages, offline."""

import json
import math
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from locality.analysis.comparisons import draw_memory, draw_pairs, draw_quantiles
from locality.analysis.figures import ANSWER_COLORS
from locality.analysis.page import both, page, require_language
from locality.analysis.words import LANGUAGES, Language

if TYPE_CHECKING:
    from locality.analysis.quality import Grade, Quality

__all__ = ["render"]

_GRADE_COLORS: Final[dict["Grade", str]] = {
    "as real": ANSWER_COLORS["local"],
    "close": ANSWER_COLORS["partly local"],
    "told apart": ANSWER_COLORS["not local"],
}
_MAX_ROWS = 500
_MAX_PAIRS = 20


def render(quality: "Quality", language: Language = "en") -> bytes:
    """The page of an evaluation.

    Parameters
    ----------
    quality : Quality
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
    makers = {"quantiles": draw_quantiles, "pairs": draw_pairs, "memory": draw_memory}
    figures: dict[Language, dict[str, Any]] = {spoken: {} for spoken in LANGUAGES}
    for spoken in LANGUAGES:
        for part, make in makers.items():
            figure = make(quality, spoken)
            if figure is not None:
                figures[spoken][part] = json.loads(figure.to_json())
    worst = sorted(quality.pairs, key=lambda pair: -abs(pair.drawn - pair.later))[:_MAX_PAIRS]
    return page(
        "quality.html",
        language,
        figures,
        kind="quality.kind",
        title="quality.title",
        subject=quality.title,
        terms=("held-out",),
        quality=quality,
        color=_GRADE_COLORS[quality.grade],
        numbers=_key_numbers(quality),
        columns=quality.columns[:_MAX_ROWS],
        worst=worst,
    )


def _key_numbers(quality: "Quality") -> list[tuple[str, Markup, Markup]]:
    """Figure of drawn rows, what it is, and the same of earlier real rows."""
    drawn, real = quality.drawn, quality.real
    found = []
    for key, a, b, form in (
        ("auc", drawn.auc, real.auc, ".0%"),
        ("margins", drawn.margins, real.margins, ".3f"),
        ("edges", drawn.edges, real.edges, ".3f"),
        ("others", drawn.others, real.others, ".3f"),
    ):
        if math.isfinite(a):
            more = both("quality.number.real", value=format(b, form))
            found.append((format(a, form), both(f"quality.number.{key}"), more))
    if math.isfinite(quality.privacy):
        found.append((f"{quality.privacy:.0%}", both("quality.number.privacy"), Markup("")))
    return found
