"""The gate of an update: what some components say of rows that a model has not seen.

Champion and challenger judge the same rows, and only the components that may have changed. What
the challenger has judged is not judged again when its alarms are measured anew.
"""

from dataclasses import dataclass, replace

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.table import Table
from locality.inference.density.nats import nats_by_band
from locality.inference.judging.reference import rows_reference
from locality.inference.laws.repair import repair
from locality.model.model import Model
from locality.model.reference import Reference

__all__ = ["Judged"]


@dataclass(frozen=True, eq=False)
class Judged:
    """Some components of a model on rows that it has not seen.

    Parameters
    ----------
    model : Model
    judged : int array [n_judged]
        Numbers of targets.
    rows : float array [n_nodes, n_rows]
        Standardized, NaN where missing.
    complete : float array [n_nodes, n_rows]
    bands : float array [n_bands, n_rows, n_judged]
        Nats; they may be in one band.
    start : int
        Rows before that are only looked back upon.
    whole : float array [n_bands, n_rows, n_targets] or None
        Nats of all components, if they are known.
    """

    model: Model
    judged: IntArray
    rows: FloatArray
    complete: FloatArray
    bands: FloatArray
    start: int
    whole: FloatArray | None = None

    @classmethod
    def of(
        cls, model: Model, table: Table, judged: IntArray, first: int, by_band: bool
    ) -> "Judged":
        """From the rows of a table from the first one on."""
        start = min(first, model.layout.n_lags)
        rows = model.layout.standard_rows(table)
        complete = repair(model.field, rows, np.inf).values if np.isnan(rows).any() else rows
        rows, complete = rows[:, first - start :], complete[:, first - start :]
        if by_band and not model.has_networks:  # all at once: the field is asked again below
            whole = nats_by_band(model.field, model.levels, complete)[:, start:]
            return cls(model, judged, rows, complete, whole[..., judged], start, whole)
        bands = _bands(model, complete, judged, by_band)[:, start:]
        return cls(model, judged, rows, complete, bands, start)

    def nats(self, values: FloatArray) -> FloatArray:
        """Nats [n_rows, n_judged] in the units of the table, whose rows are passed."""
        nodes = self.model.domain.targets[self.judged]
        slope = self.model.standardizer.log_slope(values)[:, nodes]
        missing = np.isnan(self.rows[nodes, self.start :].T)
        return np.asarray(np.where(missing, np.nan, self.bands.sum(axis=0)) - slope)

    def reference(self) -> Reference:
        """What alarms of the whole model are measured against."""
        bands, n_targets = self.whole, len(self.model.domain.targets)
        if bands is None:
            bands = np.empty((*self.bands.shape[:2], n_targets))
            bands[..., self.judged] = self.bands
            others = np.setdiff1d(np.arange(n_targets), self.judged)
            if len(others):
                rest = _bands(self.model, self.complete, others, True)
                bands[..., others] = rest[:, self.start :]
        observed = self.rows[self.model.domain.targets, self.start :]
        return rows_reference(self.model, self.complete, observed, bands)


def _bands(model: Model, complete: FloatArray, judged: IntArray, by_band: bool) -> FloatArray:
    """Nats of some components [n_bands, n_rows, n_judged]."""
    nodes = model.domain.targets[judged]
    # of every shard only what is judged: to judge networks takes longer than to train some
    shards = tuple(
        shard.take(np.flatnonzero(np.isin(shard.target, nodes)))
        for shard in model.shards
        if np.isin(shard.target, nodes).any()
    )
    field = replace(model.field, shards=shards)
    return nats_by_band(field, model.levels, complete, by_band)[..., judged]
