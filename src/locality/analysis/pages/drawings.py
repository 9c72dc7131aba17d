"""Drawings: sensors over time, and what all drawings share.

Figures are built without global state and written as PNG, complete or not at all.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.atomic import replacing

__all__ = ["DRAWN", "MARK", "PALE", "REAL", "SensorTrace", "draw_traces", "write"]

REAL, DRAWN, MARK, PALE = "#1f4e79", "#e07b28", "#b3202c", "#c9d6e3"
"""Colors of recorded rows, of drawn ones, of what is marked, and of a background."""


@dataclass(frozen=True, eq=False)
class SensorTrace:
    """A sensor over some rows, beside what its neighbors let expect.

    Parameters
    ----------
    sensor : str
    value : float array [n_rows]
        NaN where missing.
    expected, low, high : float arrays [n_rows]
        Expectation, and the interval that holds 90 % of normal values.
    states : sequence of str
        Texts of the values 0, 1, …, none for numbers.
    """

    sensor: str
    value: FloatArray
    expected: FloatArray
    low: FloatArray
    high: FloatArray
    states: Sequence[str] = ()


def draw_traces(
    path: Path, title: str, rows: IntArray, alarm: BoolArray, traces: Sequence[SensorTrace]
) -> None:
    """Sensors over the rows up to one that is explained.

    Parameters
    ----------
    path : Path
    title : str
    rows : int array [n_rows]
        Numbers of the rows, the explained one last.
    alarm : bool array [n_rows]
    traces : sequence of SensorTrace
        One panel each.
    """
    figure = Figure(figsize=(11, 1.2 + 2.4 * len(traces)), layout="constrained")
    figure.suptitle("\n".join(textwrap.wrap(title, 100)))
    panels = figure.subplots(len(traces), 1, sharex=True, squeeze=False)[:, 0]
    for axes, trace in zip(panels, traces, strict=True):
        label = "90 % of normal values"
        axes.fill_between(rows, trace.low, trace.high, color=PALE, linewidth=0, label=label)
        axes.plot(rows, trace.expected, color="0.45", linewidth=0.9, label="expected")
        style = "o-" if len(rows) == 1 else ".-"
        axes.plot(rows, trace.value, style, color=REAL, linewidth=0.9, markersize=4, label="value")
        label = "alarm"
        for row in rows[alarm]:
            axes.axvspan(row - 0.5, row + 0.5, color=MARK, alpha=0.12, linewidth=0, label=label)
            label = ""
        if trace.states:
            axes.set_yticks(range(len(trace.states)), trace.states)
        axes.set_title(textwrap.shorten(trace.sensor, 100), loc="left", fontsize=10)
    panels[0].legend(frameon=False, ncols=4, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1))
    panels[-1].set_xlim(rows[0] - 0.5, rows[-1] + 0.5)
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    panels[-1].set_xlabel("row")
    write(figure, path)


def write(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)
