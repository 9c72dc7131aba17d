"""Trials: the local model fitted to parts of the rows and judged on the others.

Everything a check says about nats comes from here: held-out nats row by row (five contiguous parts,
each judged by a model of the rest), and held-out nats of every radius for several numbers of rows,
from which the learning curve and the two errors follow. The models are linear: what networks would
add lies on top and does not change where dependence reaches.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.domain import DependencyGraph
from locality.estimator import LocalizedDiffusion

__all__ = ["CurvePoint", "HeldOut", "Trials", "contiguous_folds"]

N_FOLDS = 5
_MIN_ROWS = 40  # of a part that a model is fitted to
_MAX_PARTS = 3


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Nats of every row, held out once; standardized units.

    Parameters
    ----------
    bands : float array [n_rows, n_bands]
        Summed over columns.
    columns : float array [n_columns]
        Mean of each column, summed over bands.
    """

    bands: FloatArray
    columns: FloatArray

    @property
    def nats(self) -> FloatArray:
        """Of each row [n_rows]."""
        return np.asarray(self.bands.sum(axis=1))


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """Held-out nats of a row for models of some rows.

    Parameters
    ----------
    rows : slice
        What was learned from and judged on, by folds.
    n_rows : int
    own_radii : float
        With a radius per column and noise band.
    radii : int array [n_radii]
    by_radius : float array [n_radii]
        With one radius for all.
    mean_radius : float
    """

    rows: slice
    n_rows: int
    own_radii: float
    radii: IntArray
    by_radius: FloatArray
    mean_radius: float


@dataclass(frozen=True, eq=False)
class Trials:
    """Fits of one table on one graph.

    Parameters
    ----------
    z : float array [n_rows, n_columns]
        Standardized and complete; in order of time if there are lags.
    graph : DependencyGraph
    lags : int
    tick : callable
        Called after every fit.
    """

    z: FloatArray
    graph: DependencyGraph
    lags: int
    tick: Callable[[], None] = lambda: None

    def fit(self, rows: FloatArray) -> LocalizedDiffusion:
        """The local linear model of some rows."""
        model = LocalizedDiffusion(
            graph=self.graph, lags=self.lags, score="linear", random_state=0
        ).fit(rows)
        self.tick()
        return model

    def held_out(self) -> HeldOut:
        """Judge every row by a model of the other parts; the first ``lags`` rows are left out."""
        folds = contiguous_folds(len(self.z))
        found = []
        for fold in range(N_FOLDS):
            inside = np.flatnonzero(folds == fold)
            model = self.fit(self.z[folds != fold])
            start = max(0, inside[0] - self.lags)
            bands = model.surprise(self.z[start : inside[-1] + 1], by_band=True)
            skip = inside[0] - start
            found.append(np.stack([np.asarray(band)[skip:] for band in bands.values()], axis=-1))
        whole = np.concatenate(found)[self.lags :]  # [n_rows, n_columns, n_bands]
        return HeldOut(whole.sum(axis=1), whole.sum(axis=2).mean(axis=0))

    def curve(self, fractions: tuple[int, ...] = (1, 2, 4)) -> list[CurvePoint]:
        """Models of all rows, of halves, of quarters: at most three parts each.

        Parameters
        ----------
        fractions : tuple of int
            Into how many parts the rows are cut.
        """
        points = []
        for fraction in fractions:
            size = len(self.z) // fraction
            if size < _MIN_ROWS:
                break
            for part in range(min(fraction, _MAX_PARTS)):
                rows = slice(part * size, (part + 1) * size)
                model = self.fit(self.z[rows]).model_
                units = float(model.standardizer.log_scale.sum())
                points.append(
                    CurvePoint(
                        rows,
                        size,
                        float(model.gather("held_out").sum()) + units,
                        model.shards[0].radii,
                        model.gather("linear_curve").sum(axis=(0, 2)) + units,
                        float(model.gather("radius").mean()),
                    )
                )
        return points


def contiguous_folds(n_rows: int) -> IntArray:
    """Five parts of consecutive rows [n_rows]."""
    return np.arange(n_rows) * N_FOLDS // n_rows
