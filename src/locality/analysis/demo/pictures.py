"""Pictures of the demo: how far columns see, drawn beside recorded rows, and a fault in nats."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from locality._typing import FloatArray
from locality.analysis.pages.drawings import DRAWN, MARK, PALE, REAL, write
from locality.model.summary import ModelSummary

__all__ = ["FaultRun", "draw_fault", "draw_radius", "draw_samples"]

_N_HEAT = 12
_CLIP = 20.0  # nats beyond which the heat map saturates


@dataclass(frozen=True, eq=False)
class FaultRun:
    """A run with a fault, scored.

    Parameters
    ----------
    title : str
    frame : pandas.DataFrame [n_rows, n_sensors]
        Values, by hours.
    beyond : pandas.DataFrame [n_rows, n_components]
        Nats beyond normal, by hours.
    normal_high : float
        Nats of a row that normal rows stay below in 99 of 100 cases.
    onset, alarm : float
        Hours of the fault and of the first alarm; NaN if there was none.
    shown : sequence of str
        Sensors whose values are shown.
    """

    title: str
    frame: pd.DataFrame
    beyond: pd.DataFrame
    normal_high: float
    onset: float
    alarm: float
    shown: Sequence[str]


def draw_radius(path: Path, summary: ModelSummary) -> None:
    """Held-out nats against one radius for all, and the radii chosen at each level of noise.

    Parameters
    ----------
    path : Path
    summary : ModelSummary
    """
    figure, radii = Figure(figsize=(11.0, 5.0), layout="constrained"), summary.radii
    figure.suptitle("How far must a column see? Too near misses dependence, too far learns noise")
    axes, chosen = figure.subplots(1, 2, width_ratios=(3, 2))
    x = [entry.radius for entry in radii]
    n = summary.n_components
    nats = np.array([entry.linear for entry in radii]) / n
    label = "local linear, one radius for all (labels: nats per row above best)"
    axes.plot(x, nats, "o-", color=REAL, label=label)
    for radius, value in zip(x, nats, strict=True):
        note = "best" if value == nats.min() else f"+{n * (value - nats.min()):.2f}"
        axes.annotate(note, (radius, value), (0, 7), textcoords="offset points", ha="center")
    for value, label, color in (
        (summary.independent / n, "independent: every column alone", "0.45"),
        (summary.linear / n, "local linear, radii as on the right", REAL),
        (summary.model / n, f"local neural ({summary.n_networks} networks)", DRAWN),
    ):
        axes.axhline(value, color=color, linestyle="--", linewidth=1.2, label=label)
    axes.set_xticks(x)
    axes.set_xlabel("radius: steps along the dependency graph that a column sees")
    axes.set_ylabel("held-out nats per column (less is better)")
    top = max(summary.independent / n, nats.max())
    low = min(summary.model / n, nats.min())
    axes.set_ylim(low - 0.05 * (top - low), top + 0.05 * (top - low))
    axes.legend(frameon=False, loc="center right", bbox_to_anchor=(1.0, 0.72))
    place = np.arange(len(summary.bands))
    mean = np.array([band.mean_radius for band in summary.bands])
    low_high = [[band.smallest_radius, band.largest_radius] for band in summary.bands]
    spread = np.abs(np.array(low_high).T - mean)
    chosen.bar(place, mean, yerr=spread, color=PALE, ecolor="0.45", capsize=4)
    chosen.set_xticks(place, [band.band for band in summary.bands], rotation=30, ha="right")
    chosen.set_xlabel("noise added, in standard deviations of a column")
    chosen.set_ylabel("radius chosen: mean, smallest and largest")
    write(figure, path)


def draw_samples(
    path: Path,
    real: pd.DataFrame,
    drawn: pd.DataFrame,
    fitted: pd.DataFrame,
    variables: pd.DataFrame,
    sensors: Sequence[str],
    series: Sequence[str],
    stretch: int,
) -> None:
    """Compare drawn rows with recorded ones: distributions, correlations and stretches of time.

    Parameters
    ----------
    path : Path
    real, drawn, fitted : pandas.DataFrame [n_rows, n_sensors]
        ``real``, by hours, played no part in fitting.
    variables : pandas.DataFrame
        With ``description`` and ``unit`` by sensor.
    sensors, series : sequences of str
        Six whose distributions are shown, two shown over time.
    stretch : int
        Rows that follow one another in ``drawn``.
    """
    figure = Figure(figsize=(14, 11), layout="constrained")
    grid = figure.add_gridspec(4, 12)
    figure.suptitle("Recorded rows the model has never seen, and rows drawn from it", fontsize=15)
    for place, name in enumerate(sensors):
        axes = figure.add_subplot(grid[place // 3, 2 * (place % 3) : 2 * (place % 3) + 2])
        both = np.concatenate([real[name], drawn[name]])
        low, high = np.quantile(both, [0.001, 0.999])
        bins = np.linspace(low, high, 25).tolist()
        axes.hist(real[name], bins, density=True, color=PALE, label="recorded")
        axes.hist(drawn[name], bins, density=True, histtype="step", color=DRAWN, label="drawn")
        axes.set_title(f"{name}\n{_meaning(variables, name, 34)}", fontsize=9)
        axes.set_xlabel(_unit(variables, name), fontsize=9)
        axes.set_yticks([])
        axes.set_ylim(0, 1.25 * axes.get_ylim()[1])
        if place == 0:
            axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    _draw_correlations(figure.add_subplot(grid[:2, 6:]), real, drawn, fitted)
    for row, name in enumerate(series):
        left, right = (figure.add_subplot(grid[2 + row, 6 * k : 6 * k + 6]) for k in range(2))
        right.sharey(left)
        step = float(real.index[1] - real.index[0])
        for axes, frame, color, word in (
            (left, real, REAL, "recorded"),
            (right, drawn, DRAWN, "drawn"),
        ):
            values = frame[name].to_numpy()[:stretch]
            axes.plot(np.arange(len(values)) * step, values, color=color, linewidth=0.9)
            axes.set_title(f"{_meaning(variables, name)}, {word}", fontsize=10)
            axes.set_xlabel("hours")
        left.set_ylabel(_unit(variables, name))
    write(figure, path)


def draw_fault(path: Path, run: FaultRun, variables: pd.DataFrame) -> None:
    """A fault as seen in nats: of the whole row, of single sensors, and in plain values.

    Parameters
    ----------
    path : Path
    run : FaultRun
    variables : pandas.DataFrame
        With ``description`` and ``unit`` by sensor.
    """
    figure = Figure(figsize=(13, 12), layout="constrained")
    figure.suptitle(run.title, fontsize=15)
    heights = [2.2, 3.4, *([1.2] * len(run.shown))]
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    hours = run.beyond.index.to_numpy(dtype=float)
    top = panels[0]
    top.plot(hours, run.beyond.sum(axis=1), color=REAL, linewidth=0.8, label="nats of the row")
    label = "99 of 100 normal rows stay below"
    top.axhline(run.normal_high, color="0.4", linestyle="--", label=label)
    top.set_ylabel("nats beyond normal")
    top.set_title("How surprising is each row?", loc="left")
    _draw_heat(figure, panels[1], hours, run.beyond, variables)
    for axes, name in zip(panels[2:], run.shown, strict=True):
        axes.plot(run.frame.index, run.frame[name], color=REAL, linewidth=0.8)
        axes.set_title(f"{name}: {_meaning(variables, name)}", loc="left", fontsize=10)
        axes.set_ylabel(_unit(variables, name))
    for axes in panels:
        label = f"fault begins ({run.onset:g} h)"
        axes.axvline(run.onset, color=MARK, alpha=0.6, label=label)
        if np.isfinite(run.alarm):
            label = f"first alarm ({run.alarm:g} h)"
            axes.axvline(run.alarm, color=DRAWN, linestyle=":", label=label)
    top.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=4, fontsize=8)
    panels[-1].set_xlabel("hours since the start of the run")
    panels[-1].set_xlim(hours[0], hours[-1])
    write(figure, path)


def _draw_heat(
    figure: Figure, axes: Any, hours: FloatArray, beyond: pd.DataFrame, variables: pd.DataFrame
) -> None:
    """Nats of the sensors that surprise most, over time."""
    names = beyond.mean().sort_values(ascending=False).index[:_N_HEAT]
    step = hours[1] - hours[0]
    image = axes.imshow(
        beyond[names].to_numpy().T,
        aspect="auto",
        interpolation="nearest",
        cmap="magma_r",
        vmin=0,
        vmax=_CLIP,
        extent=(hours[0] - step / 2, hours[-1] + step / 2, len(names) - 0.5, -0.5),
    )
    labels = [f"{_meaning(variables, name)}  {name}" for name in names]
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.set_title("In which sensors? The most surprising ones, by nats beyond normal", loc="left")
    figure.colorbar(image, ax=axes, extend="max", label="nats", pad=0.01)


def _draw_correlations(
    axes: Any, real: pd.DataFrame, drawn: pd.DataFrame, fitted: pd.DataFrame
) -> None:
    """Every pair of sensors; the fitted run shows how much two recordings differ anyway."""
    upper = np.triu_indices(real.shape[1], 1)
    x, y, other = (
        np.corrcoef(frame.to_numpy(), rowvar=False)[upper] for frame in (real, drawn, fitted)
    )
    axes.plot([-1, 1], [-1, 1], color="0.6", linewidth=0.8)
    for values, color, word in ((other, PALE, "recorded, fitted"), (y, DRAWN, "drawn")):
        label = f"{word}: mean difference {np.abs(x - values).mean():.3f}"
        axes.plot(x, values, ".", color=color, markersize=4, label=label)
    axes.set_aspect("equal")
    axes.set_xlabel("in recorded rows the model has never seen")
    axes.set_ylabel("in other rows")
    axes.set_title(f"Correlation of all {len(x):,} pairs of sensors", fontsize=10)
    axes.legend(frameon=False, loc="upper left", markerscale=3, fontsize=9)


def _meaning(variables: pd.DataFrame, name: str, letters: int = 40) -> str:
    return textwrap.shorten(str(variables.loc[name, "description"]), letters, placeholder=" …")


def _unit(variables: pd.DataFrame, name: str) -> str:
    return str(variables.loc[name, "unit"]).replace("deg", "°").replace("m3", "m³")
