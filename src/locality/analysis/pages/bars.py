"""Bars: what neighborhoods tell by column and by noise band, and what lies beyond.

A picture of nothing is None.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from locality.analysis.pages.figures import ANSWER_COLORS, BLUE, empty, say_text, short
from locality.analysis.pages.plain import Row
from locality.analysis.pages.words import Language, word

__all__ = ["MAX_BARS", "by_severity", "draw_bands", "draw_components"]

MAX_BARS = 40
"""So many columns are drawn; the others are in the table."""

_SEVERITY = tuple(ANSWER_COLORS)[::-1]


def by_severity(columns: Sequence[Row]) -> list[Row]:
    """The least local first, then those that neighbors tell most about."""

    def rank(column: Row) -> tuple[int, float, float, str]:
        saved = column["independent"] - column["local"]
        return _SEVERITY.index(column["answer"]), -column["beyond"], -saved, column["name"]

    return sorted(columns, key=rank)


def draw_components(content: Row, language: Language) -> Any:
    """What neighborhoods tell about each column, and what lies beyond; the least local first."""
    shown = by_severity(content["components"])[:MAX_BARS]
    if not shown:
        return None
    say = partial(say_text, language)
    places = list(range(len(shown)))
    saved = [c["independent"] - c["local"] for c in shown]
    figure = empty(barmode="relative", bargap=0.25, height=84 + 24 * max(len(shown), 4))
    shared = {"y": places, "orientation": "h", "hoverinfo": "text"}
    figure.add_bar(
        x=saved,
        name=say("legend.saved"),
        marker_color=BLUE,
        hovertext=[
            say("hover.saved", **{**c, "answer": word(c["answer"], language), "saved": gain})
            for c, gain in zip(shown, saved, strict=True)
        ],
        **shared,
    )
    beyond = [c["beyond"] if c["beyond"] > 0 else None for c in shown]
    if any(value is not None for value in beyond):
        figure.add_bar(
            x=beyond,
            name=say("legend.beyond"),
            marker={"color": ANSWER_COLORS["not local"], "pattern": {"shape": "/", "size": 5}},
            hovertext=[say("hover.beyond", **c) for c in shown],
            **shared,
        )
    figure.update_layout(showlegend=True)
    figure.update_xaxes(title_text=say("axis.column"))
    names = [short(c["name"], 18) for c in shown]
    return figure.update_yaxes(
        tickmode="array", tickvals=places, ticktext=names, range=[len(shown) - 0.5, -0.5]
    )


def draw_bands(content: Row, language: Language) -> Any:
    """Nats saved in every noise band, and what a global model would add."""
    bands = content["bands"]
    if not bands:
        return None
    say = partial(say_text, language)
    places = list(range(len(bands)))
    over = [
        say("hover.band", **{**band, "answer": word(band["answer"], language)}) for band in bands
    ]
    figure = empty(barmode="group", bargap=0.35)
    for part, color in (("saved", BLUE), ("lost", ANSWER_COLORS["not local"])):
        figure.add_bar(
            x=places,
            y=[band[part] for band in bands],
            name=say(f"legend.band.{part}"),
            marker_color=color,
            hovertext=over,
            hoverinfo="text",
        )
    labels = [short(band["band"]) for band in bands]
    figure.update_xaxes(
        title_text=say("axis.band"), tickmode="array", tickvals=places, ticktext=labels
    )
    return figure.update_yaxes(title_text=say("axis.row"))
