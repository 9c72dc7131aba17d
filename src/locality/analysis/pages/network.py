"""A graph as a picture: groups by color, kinds of dependence by color and dash.

Strength is shown by width. Lines cannot answer a pointer, so the middle of each carries an
invisible mark that does; of a lagged dependence the mark is seen, as an arrow towards the column
that follows.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from locality._typing import FloatArray
from locality.analysis.pages.arrangement import Arrangement
from locality.analysis.pages.figures import DARK, empty, say_text, short
from locality.analysis.pages.plain import Row
from locality.analysis.pages.words import Language, word

__all__ = ["PALETTE", "draw_graph", "lag_text"]

PALETTE: Final = (
    *("#3b6fb6", "#e08a3c", "#4a9e6b", "#b5446e", "#7d5fb2"),
    *("#2aa1b3", "#c9a227", "#8c6d4f", "#6f8f2f", "#d1615d"),
)
"""Colors of the groups, in their order; they begin again after the last, with another symbol."""

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "star")
_LINES = {
    "linear": ("#8793a3", "solid"),
    "nonlinear": ("#a0389a", "dash"),
    "lagged": ("#0b7285", "dashdot"),
    "given": ("#a9a9a9", "dot"),
}
_WIDTHS = (1.0, 2.0, 3.5)  # of weak, middling and strong dependences
_MAX_LABELS = 32


def lag_text(edge: Row, language: Language) -> str:
    """Who leads, and by how many rows."""
    if edge["lag"] == 0:
        return word("lag.none", language)
    leader = edge["a"] if edge["lag"] > 0 else edge["b"]
    return word("lag.leads", language).format(name=leader, rows=abs(edge["lag"]))


def draw_graph(drawing: Arrangement, content: Row, language: Language) -> Any:
    """The graph, or None without dependences.

    Parameters
    ----------
    drawing : Arrangement
        Of its columns and edges.
    content : mapping
        With ``components`` and ``groups``.
    language : {"en", "ja"}
    """
    if not drawing.edges:
        return None
    place = dict(zip(drawing.names, drawing.places, strict=True))
    figure = empty(dragmode="zoom", margin={"l": 4, "r": 4, "t": 32, "b": 4})
    for kind in _LINES:
        edges = [edge for edge in drawing.edges if _style(edge) == kind]
        if edges:
            _add_edges(figure, edges, kind, place, language)
    _add_columns(figure, drawing, content, language)
    hidden = {"visible": False, "automargin": False}
    return figure.update_xaxes(hidden).update_yaxes(hidden, scaleanchor="x", scaleratio=1)


def _style(edge: Row) -> str:
    return "given" if edge["source"] == "given" else edge["kind"]


def _add_edges(
    figure: Any,
    edges: Sequence[Row],
    kind: str,
    place: dict[str, FloatArray],
    language: Language,
) -> None:
    color, dash = _LINES[kind]
    name = word("legend.given" if kind == "given" else f"kind.{kind}", language)
    shared = {"legendgroup": kind, "name": name, "hoverinfo": "skip", "mode": "lines"}
    figure.add_scatter(
        x=[None], y=[None], line={"color": color, "dash": dash, "width": 2.5}, **shared
    )
    tails = np.array([place[edge["a"] if edge["lag"] >= 0 else edge["b"]] for edge in edges])
    heads = np.array([place[edge["b"] if edge["lag"] >= 0 else edge["a"]] for edge in edges])
    strength = np.digitize([np.nan_to_num(edge["weight"]) for edge in edges], [0.2, 0.5])
    for step, width in enumerate(_WIDTHS):
        chosen = strength == step
        if chosen.any():
            gaps = np.full((int(chosen.sum()), 2), np.nan)
            path = np.stack([tails[chosen], heads[chosen], gaps], axis=1).reshape(-1, 2)
            line = {"color": color, "dash": dash, "width": width}
            x, y = _rounded(path)
            figure.add_scatter(x=x, y=y, line=line, showlegend=False, **shared)
    x, y = _rounded((tails + heads) / 2)
    right, up = (heads - tails).T
    lagged = [edge["lag"] != 0 for edge in edges]
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        showlegend=False,
        legendgroup=kind,
        marker={
            "symbol": ["arrow" if arrow else "circle" for arrow in lagged],
            "angle": np.degrees(np.arctan2(right, up)).round(1).tolist(),
            "opacity": [1.0 if arrow else 0.0 for arrow in lagged],
            "size": 11,
            "color": color,
        },
        hoverinfo="text",
        hovertext=[_edge_text(edge, language) for edge in edges],
    )


def _edge_text(edge: Row, language: Language) -> str:
    words = {part: word(f"{part}.{edge[part]}", language) for part in ("kind", "source")}
    return say_text(language, "hover.edge", **{**edge, **words, "lag": lag_text(edge, language)})


def _add_columns(figure: Any, drawing: Arrangement, content: Row, language: Language) -> None:
    say = partial(say_text, language)
    components = {column["name"]: column for column in content["components"]}
    number = {name: k for k, group in enumerate(content["groups"]) for name in group["members"]}
    degree = Counter(end for edge in drawing.edges for end in (edge["a"], edge["b"]))
    over, rings, colors = [], [], []
    for name in drawing.names:
        found = components.get(name)
        colors.append(PALETTE[number[name] % len(PALETTE)] if name in number else "#9aa3ae")
        rings.append("white" if found is None or found["answer"] == "local" else DARK)
        if found is None:
            over.append(say("hover.plain", name=name, degree=degree[name]))
        else:
            told = {**found, "answer": word(found["answer"], language), "degree": degree[name]}
            over.append(say("hover.column", **told))
    n = len(drawing.names)
    hubs = {group["name"] for group in content["groups"]}
    labeled = set(drawing.names) if n <= _MAX_LABELS else hubs if len(hubs) <= _MAX_LABELS else ()
    x, y = _rounded(drawing.places)
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers+text",
        showlegend=False,
        text=[short(name, 14) if name in labeled else "" for name in drawing.names],
        textposition="top center",
        textfont={"size": 10, "color": DARK},
        cliponaxis=False,
        marker={
            "size": [(7 if n > 100 else 12) + min(degree[name], 12) / 2 for name in drawing.names],
            "color": colors,
            "symbol": [_symbol(number.get(name, 0)) for name in drawing.names],
            "line": {"color": rings, "width": [1 if ring == "white" else 2.5 for ring in rings]},
            "opacity": 1,
        },
        hovertext=over,
        hoverinfo="text",
    )


def _symbol(group: int) -> str:
    return _SYMBOLS[group // len(PALETTE) % len(_SYMBOLS)]


def _rounded(points: FloatArray) -> tuple[list[float | None], list[float | None]]:
    """Coordinates for the page: three digits, None where a line is lifted."""
    x, y = (
        [None if np.isnan(value) else round(float(value), 3) for value in axis] for axis in points.T
    )
    return x, y
