"""Pictures of drawn rows beside real ones: quantiles, correlations of pairs, autocorrelations."""

from functools import partial
from typing import Any

from locality.analysis.pages.figures import BLUE, DARK, GRAY, ORANGE, empty, say_text, short
from locality.analysis.pages.plain import Row
from locality.analysis.pages.words import Language

__all__ = ["N_QUANTILES", "draw_memory", "draw_pairs", "draw_quantiles"]

N_QUANTILES = 6
"""Columns whose quantiles are drawn."""

_KINDS = ("drawn", "earlier", "later")
_ACROSS = 3
_HEIGHT = 260  # of a row of small pictures


def draw_quantiles(content: Row, language: Language) -> Any:
    """Quantiles of drawn values over those of later real ones, for the worst columns."""
    levels, shown = content["levels"], content["columns"][:N_QUANTILES]
    say = partial(say_text, language)
    rows = -(-len(shown) // _ACROSS)
    figure = empty(height=_HEIGHT * rows + 60, showlegend=True)
    for place, column in enumerate(shown):
        axes = {"xaxis": f"x{place + 1}", "yaxis": f"y{place + 1}"}
        _place(figure, place, len(shown), short(column["name"], 24))
        _diagonal(figure, min(column["later"]), max(column["later"]), **axes)
        over = [_quantile(say, column, level, k) for k, level in enumerate(levels)]
        for kind, color, size in (("earlier", GRAY, 5), ("drawn", BLUE, 6)):
            figure.add_scatter(
                x=list(column["later"]),
                y=list(column[kind]),
                mode="markers",
                marker={"color": color, "size": size},
                name=say(f"legend.{kind}"),
                legendgroup=f"legend.{kind}",
                showlegend=place == 0,
                hovertext=over,
                hoverinfo="text",
                **axes,
            )
    return figure


def draw_pairs(content: Row, language: Language) -> Any:
    """Correlations of pairs in drawn rows over those in later real ones."""
    if not content["pairs"]:
        return None
    say = partial(say_text, language)
    values = [value for pair in content["pairs"] for value in (pair["drawn"], pair["later"])]
    figure = empty(showlegend=True)
    _diagonal(figure, min(-0.05, *values), max(0.05, *values))
    for key, joined, color in (("legend.other", False, GRAY), ("legend.edge", True, ORANGE)):
        pairs = [pair for pair in content["pairs"] if pair["joined"] is joined]
        if not pairs:
            continue
        figure.add_scatter(
            x=[pair["later"] for pair in pairs],
            y=[pair["drawn"] for pair in pairs],
            mode="markers",
            marker={"color": color, "size": 6, "opacity": 0.8},
            name=say(key),
            hovertext=[say("hover.pair", **pair) for pair in pairs],
            hoverinfo="text",
        )
    figure.update_xaxes(title_text=say("axis.correlation.later"))
    return figure.update_yaxes(title_text=say("axis.correlation.drawn"))


def draw_memory(content: Row, language: Language) -> Any:
    """Mean autocorrelation over the lag."""
    if not content["memory"]:
        return None
    say = partial(say_text, language)
    figure = empty(showlegend=True)
    for kind, color, dash in (("later", DARK, "solid"), ("earlier", GRAY, "dot"),
                              ("drawn", BLUE, "dash")):  # fmt: skip
        figure.add_scatter(
            x=[at["lag"] for at in content["memory"]],
            y=[at[kind] for at in content["memory"]],
            mode="lines+markers",
            line={"color": color, "dash": dash},
            name=say(f"legend.{kind}"),
        )
    figure.update_xaxes(title_text=say("axis.time"))
    return figure.update_yaxes(title_text=say("axis.autocorrelation"))


def _diagonal(figure: Any, low: float, high: float, **axes: str) -> None:
    """Where drawn and later values are equal."""
    ends, line = [low, high], {"color": DARK, "width": 1}
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line=line, hoverinfo="skip", showlegend=False, **axes
    )


def _place(figure: Any, place: int, n: int, title: str) -> None:
    """Axes of one of several small pictures, with its title above it."""
    rows = -(-n // _ACROSS)
    column, row = place % _ACROSS, place // _ACROSS
    wide, tall = 1.0 / _ACROSS, 1.0 / rows
    left, bottom = column * wide, 1.0 - (row + 1) * tall
    style = {**figure.layout.xaxis.to_plotly_json(), "nticks": 4, "tickfont": {"size": 11}}
    x = {**style, "domain": [left + 0.03, left + 0.95 * wide], "anchor": f"y{place + 1}"}
    y = {
        **style,
        "domain": [bottom + 0.14 * tall, bottom + 0.88 * tall],
        "anchor": f"x{place + 1}",
    }
    number = "" if place == 0 else str(place + 1)
    figure.update_layout({f"xaxis{number}": x, f"yaxis{number}": y})
    figure.add_annotation(
        text=title, x=left + 0.5 * wide, y=bottom + 0.9 * tall, xref="paper", yref="paper",
        xanchor="center", yanchor="bottom", showarrow=False,
    )  # fmt: skip


def _quantile(say: Any, column: Row, level: float, k: int) -> str:
    values = {kind: column[kind][k] for kind in _KINDS}
    return str(say("hover.quantile", name=column["name"], level=level, **values))
