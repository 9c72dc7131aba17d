"""The page of an evaluation: drawn rows beside real ones."""

import math
from typing import Final

from markupsafe import Markup

from locality.analysis.pages.comparisons import draw_memory, draw_pairs, draw_quantiles
from locality.analysis.pages.figures import ANSWER_COLORS
from locality.analysis.pages.page import Picture, both, page
from locality.analysis.pages.plain import Row
from locality.analysis.pages.words import Language

__all__ = ["render"]

_GRADE_COLORS: Final = dict(
    zip(("as real", "close", "told apart"), ANSWER_COLORS.values(), strict=True)
)
_PICTURES: Final[dict[str, Picture]] = {
    "quantiles": draw_quantiles,
    "pairs": draw_pairs,
    "memory": draw_memory,
}
_MAX_ROWS = 500
_MAX_PAIRS = 20


def render(content: Row, language: Language = "en") -> bytes:
    """The page of an evaluation, from `Quality.content`; language and errors as of `page`."""
    worst = sorted(content["pairs"], key=lambda pair: -abs(pair["drawn"] - pair["later"]))
    return page(
        "quality",
        content,
        language,
        _PICTURES,
        ("held-out",),
        color=_GRADE_COLORS[content["grade"]],
        numbers=_key_numbers(content),
        columns=content["columns"][:_MAX_ROWS],
        worst=worst[:_MAX_PAIRS],
    )


def _key_numbers(content: Row) -> list[tuple[str, Markup, Markup]]:
    """Figure of drawn rows, what it is, and the same of earlier real rows."""
    drawn, real = content["drawn"], content["real"]
    found = []
    for key, form in (("auc", ".0%"), ("margins", ".3f"), ("edges", ".3f"), ("others", ".3f")):
        if math.isfinite(drawn[key]):
            more = both("quality.number.real", value=format(real[key], form))
            found.append((format(drawn[key], form), both(f"quality.number.{key}"), more))
    if math.isfinite(content["privacy"]):
        share = f"{content['privacy']:.0%}"
        found.append((share, both("quality.number.privacy"), Markup("")))
    return found
