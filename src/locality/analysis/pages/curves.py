"""Curves: both errors over the radius, nats over rows, nats over global factors.

A curve of nothing is None.
"""

import math
from functools import partial
from typing import Any

from locality.analysis.pages.figures import ANSWER_COLORS, BLUE, DARK, GRAY, ORANGE, empty, say_text
from locality.analysis.pages.plain import Row
from locality.analysis.pages.words import Language

__all__ = ["draw_factors", "draw_learning", "draw_radii"]

_LOG_FROM = 30.0  # largest over smallest excess above which the axis is logarithmic


def draw_radii(content: Row, language: Language) -> Any:
    """Both errors and their sum over the radius."""
    points = sorted(content["radii"], key=lambda point: point["radius"])
    if len(points) < 2:
        return None
    say = partial(say_text, language)
    x = [point["radius"] for point in points]
    both = [point["localization"] + point["statistical"] for point in points]
    positive = [value for value in both if value > 0]
    logarithmic = bool(positive) and max(positive) > _LOG_FROM * min(positive)
    over = [say("hover.radius", **point) for point in points]
    figure = empty()
    for key, values, color, dash in (
        ("legend.localization", [point["localization"] for point in points], ORANGE, "dash"),
        ("legend.statistical", [point["statistical"] for point in points], BLUE, "dot"),
        ("legend.total", both, DARK, "solid"),
    ):
        total = key == "legend.total"
        line = {"color": color, "dash": dash, "width": 3 if total else 2}
        bars = {"array": [point["error"] for point in points], "color": color, "thickness": 1}
        figure.add_scatter(
            x=x,
            y=[value if value > 0 or not logarithmic else None for value in values],
            name=say(key),
            mode="lines+markers",
            line=line,
            marker={"size": 7 if total else 5},
            error_y=bars if total and not logarithmic else None,
            hovertext=over,
            hoverinfo="text",
        )
    figure.add_vline(
        x=content["radius"],
        line={"color": ANSWER_COLORS["local"], "width": 10},
        opacity=0.18,
        layer="below",
    )
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="lines",
        name=say("legend.chosen", radius=content["radius"]),
        line={"color": "rgba(46,125,79,0.3)", "width": 10},
    )
    figure.update_xaxes(title_text=say("axis.radius"), tickmode="array", tickvals=x)
    if logarithmic:
        return figure.update_yaxes(title_text=say("axis.excess.log"), type="log", dtick=1)
    return figure.update_yaxes(title_text=say("axis.excess"), rangemode="tozero")


def draw_learning(content: Row, language: Language) -> Any:
    """Held-out nats over the number of rows, for three kinds of model."""
    learning = content["learning"]
    if not learning:
        return None
    say = partial(say_text, language)
    figure = empty()
    for model, color, symbol in (
        ("independent", GRAY, "square"),
        ("global", ORANGE, "diamond"),
        ("local", BLUE, "circle"),
    ):
        name = say(f"legend.{model}")
        points = [p for p in learning if p["model"] == model and math.isfinite(p["nats"])]
        if not points:
            continue
        points.sort(key=lambda point: point["n_rows"])
        figure.add_scatter(
            x=[point["n_rows"] for point in points],
            y=[point["nats"] for point in points],
            error_y={"array": [point["error"] for point in points], "thickness": 1},
            name=name,
            mode="lines+markers",
            line={"color": color, "width": 2.5},
            marker={"symbol": symbol, "size": 8},
            hoverinfo="text",
            hovertext=[say("hover.learning", **{**point, "model": name}) for point in points],
        )
    rows = sorted({point["n_rows"] for point in learning})
    figure.update_xaxes(
        title_text=say("axis.rows"),
        type="log",
        tickmode="array",
        tickvals=rows,
        ticktext=[f"{count:,}" for count in rows],
    )
    return figure.update_yaxes(title_text=say("axis.nats"))


def draw_factors(content: Row, language: Language) -> Any:
    """Held-out nats of models with global factors only, beside the two that have none."""
    points = sorted(content["factors"], key=lambda point: point["n_factors"])
    if not points:
        return None
    say = partial(say_text, language)
    x = [point["n_factors"] for point in points]
    figure = empty()
    figure.add_scatter(
        x=x,
        y=[point["nats"] for point in points],
        name=say("legend.factors"),
        mode="lines+markers",
        line={"color": ORANGE, "width": 2.5},
        marker={"symbol": "diamond", "size": 8},
        hovertext=[say("hover.factors", **point) for point in points],
        hoverinfo="text",
    )
    span = [x[0] - 0.4, x[-1] + 0.4]
    for key, value, color in (
        ("legend.independent", content["verdict"]["independent"], GRAY),
        ("legend.local", content["verdict"]["local"], BLUE),
    ):
        figure.add_scatter(
            x=span,
            y=[value, value],
            name=say(key),
            mode="lines",
            line={"color": color, "width": 2.5, "dash": "dash"},
            hovertext=say("hover.level", model=say(key), nats=value),
            hoverinfo="text",
        )
    figure.update_xaxes(
        title_text=say("axis.factors"), tickmode="array", tickvals=x, range=span, zeroline=False
    )
    return figure.update_yaxes(title_text=say("axis.nats"))
