"""Trials: the local model fitted to parts of the rows and judged on the others.

Everything a check says about nats comes from here: held-out nats row by row (contiguous parts, each
judged by a model of the rest), and held-out nats of every radius for several numbers of rows, from
which the learning curve and the two errors follow. The models are linear: what networks would add
lies on top and does not change where dependence reaches.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.domain import Domain
from locality.inference.density.nats import Nats
from locality.model.layout import stacked
from locality.training.executors import Executor, Inline
from locality.training.trainer import Trainer

__all__ = ["HeldOut", "Trial", "Trials", "contiguous_folds", "fit_once"]

MIN_ROWS = 40  # of a part that a model is fitted to
_MAX_PARTS = 3
_STRETCHES = (5, 2)  # per part: rows in no order, a series
_LARGE = 120  # columns from which neighborhoods and the number of trials are kept smaller
_SLOTS = (160, 64)
_FEWEST = 5  # columns that a neighborhood may have in any table


@dataclass(frozen=True, eq=False)
class Trial:
    """A local model of some rows, and what it makes of others.

    Parameters
    ----------
    n_rows : int
        Learned from.
    radii : int array [n_radii]
    curve : float array [n_columns, n_radii, n_bands]
        Cross-validated nats with one radius.
    held_out : float array [n_columns]
        The same with the chosen radii.
    band_radius : int array [n_columns, n_bands]
        Chosen radii.
    bands : float array [n_judged, n_bands]
        Nats of the rows judged, summed over columns.
    """

    n_rows: int
    radii: IntArray
    curve: FloatArray
    held_out: FloatArray
    band_radius: IntArray
    bands: FloatArray

    @property
    def alone(self) -> FloatArray:
        """Nats of each column without neighbors, but with its own past [n_columns]."""
        return np.asarray(self.curve[:, 0].sum(axis=1))

    @property
    def by_radius(self) -> FloatArray:
        """Nats of a row with one radius for all [n_radii]."""
        return np.asarray(self.curve.sum(axis=(0, 2)))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Nats of every row, held out once, in standardized units.

    Parameters
    ----------
    bands : float array [n_rows, n_bands]
        By noise band, summed over columns.
    """

    bands: FloatArray

    @property
    def nats(self) -> FloatArray:
        """Of each row [n_rows]."""
        return np.asarray(self.bands.sum(axis=1))


@dataclass(frozen=True, eq=False)
class _Task:
    """Rows to learn from, rows to judge with their past before them, and how much of that."""

    domain: Domain
    rows: FloatArray
    judged: FloatArray
    n_past: int
    max_slots: int


@dataclass(frozen=True, eq=False)
class Trials:
    """Fits of one table on one graph.

    Parameters
    ----------
    z : float array [n_rows, n_columns]
        Standardized and complete; in order of time if the domain has a time axis.
    domain : Domain
    lags : int
    executor : Executor
        Runs fits side by side; no effect on the result.
    """

    z: FloatArray
    domain: Domain
    lags: int
    executor: Executor = field(default_factory=Inline)

    @property
    def max_slots(self) -> int:
        """Of a neighborhood: what sees more than half of the columns is not local."""
        d: int = self.z.shape[1]
        widest = int(self.domain.graph.degrees.max(initial=0))
        most = (self.lags + 1) * max(_FEWEST, d // 2 + 1, widest + 1)
        return min(max(_SLOTS[d > _LARGE], (self.lags + 1) * (widest + 1)), most)

    @property
    def n_folds(self) -> int:
        """Parts of the rows that are judged in turn; fewer in large tables, to save time."""
        return 5 if self.z.shape[1] <= _LARGE else 3

    @property
    def folds(self) -> IntArray:
        """Part of every row that has a past [n_rows - lags]."""
        return contiguous_folds(len(self.z), self.n_folds)[self.lags :]

    @property
    def parts(self) -> list[IntArray]:
        """Rows of the fits of a learning curve: all, halves, quarters, at most three of each.

        Each part is made of stretches from all over the table, so that slow drifts are in all of
        them; of few and long ones for a series, in which every seam costs its past.
        """
        n, most = len(self.z), _MAX_PARTS if self.z.shape[1] <= _LARGE else 1
        stretches = _STRETCHES[self.lags > 0]
        found = [np.arange(n)]
        for fraction in (2, 4):
            if n // fraction < MIN_ROWS:
                break
            stretch = np.arange(n) * (fraction * stretches) // n
            parts = [np.flatnonzero(stretch % fraction == k) for k in range(min(fraction, most))]
            found += [part[: min(map(len, parts))] for part in parts]
        return found

    @property
    def n_fits(self) -> int:
        """How many models are fitted in all."""
        return self.n_folds + len(self.parts)

    def run(self, tick: Callable[[], None] = lambda: None) -> tuple[HeldOut, list[Trial]]:
        """All trials.

        Parameters
        ----------
        tick : callable
            Called after every fit.

        Returns
        -------
        held_out : HeldOut
            Of all rows but the first ``lags``.
        fitted : list of Trial
            One for each of ``parts``, the first to all rows.
        """
        slots = self.max_slots
        none = self.z[:0]
        tasks = [_Task(self.domain, self.z[rows], none, 0, slots) for rows in self.parts]
        fold = contiguous_folds(len(self.z), self.n_folds)
        for f in range(self.n_folds):
            inside = np.flatnonzero(fold == f)
            n_past = self.lags if f == 0 else min(self.lags, int(inside[0]))
            start = 0 if f == 0 else inside[0] - n_past
            judged = self.z[start : inside[-1] + 1]
            tasks.append(_Task(self.domain, self.z[fold != f], judged, n_past, slots))
        found = {}
        for number, result in self.executor.map(_fit, tasks):
            found[number] = result
            tick()
        fitted = [found[number] for number in range(len(tasks))]
        curve, judged_by = fitted[: len(self.parts)], fitted[len(self.parts) :]
        return HeldOut(np.concatenate([part.bands for part in judged_by])), curve


def _fit(task: _Task) -> Trial:
    """Fit, and judge if there is something to be judged."""
    center = task.rows.mean(axis=0)
    state = stacked((task.rows - center)[None], task.domain)
    trained = Trainer(task.domain, max_slots=task.max_slots).train(state)
    d = task.domain.n_nodes
    first = trained.shards[0]
    curve = np.empty((d, *first.linear_curve.shape[1:]))
    held_out = np.empty(d)
    band_radius = np.empty((d, first.radius.shape[1]), dtype=np.int64)
    for shard in trained.shards:
        curve[shard.target] = shard.linear_curve
        held_out[shard.target] = shard.held_out
        band_radius[shard.target] = shard.radius
    bands = np.empty((0, first.radius.shape[1]))
    if len(task.judged):
        field = trained.field()
        judged = stacked((task.judged - center)[None], task.domain)
        nats = (
            Nats(field.needed_levels, by_band=True)
            .surprise(field, judged)
            .bands[:, :, task.n_past :]
        )
        bands = nats.sum(axis=1).T
    return Trial(len(task.rows), first.radii, curve, held_out, band_radius, bands)


def fit_once(rows: FloatArray, domain: Domain, max_slots: int = _SLOTS[1]) -> Trial:
    """The local model of some rows [n_rows, n_columns], cross-validated on them."""
    return _fit(_Task(domain, rows, rows[:0], 0, max_slots))


def contiguous_folds(n_rows: int, n_folds: int = 5) -> IntArray:
    """Parts of consecutive rows [n_rows]."""
    return np.arange(n_rows) * n_folds // n_rows
