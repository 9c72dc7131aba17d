"""Figures: the look they share, and the only file that knows plotly.

Every text is escaped, for plotly reads tags in texts. Nothing here draws: plotly.js does, inside
the page.
"""

import html
from functools import cache
from typing import Any, Final

from locality.analysis.pages.words import Language, word
from locality.exceptions import LocalityError

try:
    import plotly.graph_objects as go
    from plotly.offline import get_plotlyjs
except ImportError as error:
    raise LocalityError(
        f"The report as a page needs plotly, which is missing ({error}).",
        remedy="Install it with: pip install 'locality[report]'.",
    ) from error

__all__ = [
    "ANSWER_COLORS",
    "BLUE",
    "DARK",
    "GRAY",
    "ORANGE",
    "empty",
    "library",
    "say_text",
    "short",
]

ANSWER_COLORS: Final = {"local": "#2e7d4f", "partly local": "#b8791a", "not local": "#b3202c"}
BLUE, ORANGE, GRAY, DARK = "#2b5f9e", "#d9722a", "#8a94a3", "#1d2733"
_FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Hiragino Sans', 'Yu Gothic', 'Noto Sans JP', "
    "Meiryo, sans-serif"
)


def library() -> str:
    """The source of plotly.js."""
    return str(get_plotlyjs())


def short(name: str, letters: int = 60) -> str:
    """A name as plotly shows it literally, cut if it is long.

    >>> short("<b>", 2)
    '&lt;…'
    """
    return html.escape(name if len(name) <= letters else name[: letters - 1] + "…", quote=False)


def say_text(language: Language, key: str, /, **values: Any) -> str:
    """A text of a figure: names among the values are escaped and cut."""
    safe = {k: short(v) if isinstance(v, str) else v for k, v in values.items()}
    return word(key, language).format(**safe)


def empty(**layout: Any) -> Any:
    """A figure with the look of all figures, and nothing in it."""
    return go.Figure(_look()).update_layout(layout)


@cache
def _look() -> Any:
    """What `empty` copies; plotly checks every property that is set, which takes long."""
    axis = {
        "gridcolor": "#e6eaef",
        "zerolinecolor": "#c8d0da",
        "automargin": True,
        "ticklabelstandoff": 4,
        "title_font": {"size": 13, "color": "#5a6675"},
        "title_standoff": 12,
    }
    figure = go.Figure()
    figure.update_layout(
        template="none",
        font={"family": _FONT, "size": 13, "color": DARK},
        margin={"l": 56, "r": 12, "t": 40, "b": 48},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        hoverlabel={"align": "left", "bgcolor": "white", "font": {"size": 12, "color": DARK}},
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        uirevision="kept",
    )
    return figure.update_xaxes(axis).update_yaxes(axis)
