"""Bars of a report: what neighborhoods tell by column and by noise band, and what lies beyond.

A picture about which the report says nothing is None.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from locality.analysis.figures import ANSWER_COLORS, BLUE, empty, say_text, short
from locality.analysis.findings import ComponentFinding
from locality.analysis.words import Language, word

if TYPE_CHECKING:
    from locality.analysis.report import LocalityReport

__all__ = ["MAX_BARS", "by_severity", "draw_bands", "draw_components"]

MAX_BARS = 40
"""So many columns are drawn; the others are in the table."""

_SEVERITY = ("not local", "partly local", "local")


def by_severity(report: "LocalityReport") -> list[ComponentFinding]:
    """Columns of a report, the least local first, then those that neighbors tell most about."""
    return sorted(
        report.components,
        key=lambda c: (_SEVERITY.index(c.answer), -c.beyond, c.local - c.independent, c.name),
    )


def draw_components(report: "LocalityReport", language: Language) -> Any:
    """What neighborhoods tell about each column, and what lies beyond; the least local first."""
    if not report.components:
        return None
    say = partial(say_text, language)
    shown = by_severity(report)[:MAX_BARS]
    places = list(range(len(shown)))
    figure = empty(barmode="relative", bargap=0.25, height=84 + 24 * max(len(shown), 4))
    figure.add_bar(
        y=places,
        x=[c.independent - c.local for c in shown],
        orientation="h",
        name=say("legend.saved"),
        marker_color=BLUE,
        hoverinfo="text",
        hovertext=[
            say(
                "hover.saved",
                name=c.name,
                answer=word(c.answer, language),
                saved=c.independent - c.local,
                independent=c.independent,
                local=c.local,
            )
            for c in shown
        ],
    )
    beyond = [c.beyond if c.beyond > 0 else None for c in shown]
    if any(value is not None for value in beyond):
        figure.add_bar(
            y=places,
            x=beyond,
            orientation="h",
            name=say("legend.beyond"),
            marker={"color": ANSWER_COLORS["not local"], "pattern": {"shape": "/", "size": 5}},
            hoverinfo="text",
            hovertext=[
                say("hover.beyond", name=c.name, beyond=c.beyond, partner=c.partner, p=c.p_value)
                for c in shown
            ],
        )
    figure.update_layout(showlegend=True)
    figure.update_xaxes(title_text=say("axis.column"))
    names = [short(c.name, 18) for c in shown]
    return figure.update_yaxes(
        tickmode="array", tickvals=places, ticktext=names, range=[len(shown) - 0.5, -0.5]
    )


def draw_bands(report: "LocalityReport", language: Language) -> Any:
    """Nats saved in every noise band, and what a global model would add."""
    if not report.bands:
        return None
    say = partial(say_text, language)
    places = list(range(len(report.bands)))
    over = [
        say(
            "hover.band",
            band=band.band,
            answer=word(band.answer, language),
            saved=band.saved,
            lost=band.lost,
            mean=band.mean_radius,
            largest=band.largest_radius,
        )
        for band in report.bands
    ]
    figure = empty(barmode="group", bargap=0.35)
    for key, values, color in (
        ("legend.band.saved", [band.saved for band in report.bands], BLUE),
        ("legend.band.lost", [band.lost for band in report.bands], ANSWER_COLORS["not local"]),
    ):
        bar = {"x": places, "y": values, "name": say(key), "marker_color": color}
        figure.add_bar(**bar, hovertext=over, hoverinfo="text")
    labels = [short(band.band) for band in report.bands]
    figure.update_xaxes(
        title_text=say("axis.band"), tickmode="array", tickvals=places, ticktext=labels
    )
    return figure.update_yaxes(title_text=say("axis.row"))
