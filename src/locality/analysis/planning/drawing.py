"""The picture of a proof of concept: what groups of columns know, margins and pairs."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from locality.analysis.pages.drawings import DRAWN, MARK, PALE, REAL, write
from locality.analysis.planning.concept import ProofOfConcept

__all__ = ["draw_concept"]

_N_LEVEL = 6  # texts beside each other


def draw_concept(path: Path, found: ProofOfConcept) -> None:
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
    found: ProofOfConcept,
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
