"""Pictures of what is found, and what all pictures share.

Figures are built without global state and written as PNG, complete or not at all.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.atomic import replacing

if TYPE_CHECKING:
    from locality.analysis.planning.concept import ProofOfConcept

__all__ = [
    "DRAWN",
    "MARK",
    "PALE",
    "REAL",
    "SensorTrace",
    "draw_concept",
    "draw_traces",
    "write",
]

REAL, DRAWN, MARK, PALE = "#1f4e79", "#e07b28", "#b3202c", "#c9d6e3"
"""Colors of recorded rows, of drawn ones, of what is marked, and of a background."""

_N_LEVEL = 6  # texts beside each other


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


def draw_concept(path: Path, found: "ProofOfConcept") -> None:
    """A proof of concept: share of nats over the size of the group, margins and pairs.

    Parameters
    ----------
    path : Path
    found : ProofOfConcept
    """
    figure = Figure(figsize=(13, 8), layout="constrained")
    grid = figure.add_gridspec(2, 4)
    figure.suptitle("A group of columns modeled alone", fontsize=15)
    axes = figure.add_subplot(grid[0, :2])
    sizes = [trial.n_columns for trial in found.trials]
    axes.plot(sizes, [100 * trial.quality for trial in found.trials], "o-", color=REAL)
    axes.axhline(100 * found.target, color=MARK, linestyle="--", label="target")
    axes.set_xlabel("columns in the group")
    axes.set_ylabel("share of nats known, %")
    axes.set_title("What the group knows without the rest of the table", fontsize=10)
    axes.legend(frameon=False)
    real, drawn, states = _coded(found)
    upper = np.triu_indices(len(found.columns), 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # columns that stand still
        x, y = (np.corrcoef(f.to_numpy(), rowvar=False)[upper] for f in (real, drawn))
    axes = figure.add_subplot(grid[0, 2:])
    axes.plot([-1, 1], [-1, 1], color="0.6", linewidth=0.8)
    axes.plot(x, y, ".", color=DRAWN)
    axes.set_xlabel("correlation in rows kept back")
    axes.set_ylabel("in drawn rows")
    axes.set_title(f"All {len(x):,} pairs", fontsize=10)
    for place, name in enumerate(found.columns[:4]):
        axes = figure.add_subplot(grid[1, place])
        both = np.concatenate([real[name], drawn[name]])
        low, high = np.quantile(both, [0.001, 0.999])
        bins = np.linspace(low, high, 25).tolist()
        if name in states:
            bins = np.arange(len(states[name]) + 1) - 0.5
            many = len(states[name]) > _N_LEVEL
            axes.set_xticks(range(len(states[name])), states[name], rotation=90 if many else 0)
        axes.hist(real[name], bins, density=True, color=PALE, label="kept back")
        axes.hist(drawn[name], bins, density=True, histtype="step", color=DRAWN, label="drawn")
        axes.set_title(textwrap.shorten(name, 40), fontsize=9)
        axes.set_yticks([])
        axes.legend(frameon=False, fontsize=8)
    write(figure, path)


def _coded(
    found: "ProofOfConcept",
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Sequence[str]]]:
    """Rows kept back and rows drawn as numbers, and the texts of columns of states, by code."""
    names, standardizer = list(found.columns), found.model.model_.standardizer
    real, drawn = found.kept_back[names].copy(), found.synthetic[names].copy()
    states: dict[str, Sequence[str]] = {}
    for name in names:
        if name in standardizer.labels:
            later = set(real[name]) - set(standardizer.labels[name])
            states[name] = [*standardizer.labels[name], *sorted(later)]
            for frame in (real, drawn):
                frame[name] = pd.Index(states[name]).get_indexer(frame[name])
        elif standardizer.states(name):
            states[name] = standardizer.states(name)
    return real.astype(float), drawn.astype(float), states


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
