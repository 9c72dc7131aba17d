"""The reference of a fitted model: what its alarms are measured against.

Rows that a model was fitted to surprise it less than fresh ones. So each third of the table is
judged by a closed form fitted to the other two; what networks gain on top is taken from the model
itself. Rows known to be normal that the model has not seen are better still, see ``calibrate``.
"""

from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.table import Table
from locality.exceptions import DataError
from locality.inference.density.nats import nats_by_band
from locality.inference.judging.alarm import reference_of
from locality.inference.laws.repair import repair
from locality.local.field import ScoreField
from locality.model.model import Model
from locality.model.reference import Reference
from locality.noise.levels import NoiseLevels
from locality.training.execution import Execution
from locality.training.trainer import Trainer

__all__ = ["CrossFit", "calibration", "rows_reference"]

_PARTS = 3
_MOST_JUDGED, _LEAST_JUDGED = 5_000, 200  # rows of a part
_MOST_VALUES = 2_000_000  # of a part
_MIN_NORMAL = 20  # rows
_LARGE = 1 << 26  # values, of a table that is cut into halves only


def rows_reference(
    model: Model, rows: FloatArray, observed: FloatArray, bands: FloatArray | None = None
) -> Reference:
    """From rows that the model was not fitted to.

    Parameters
    ----------
    model : Model
    rows : float array [n_nodes, n_past + n_rows]
        Standardized and complete; the first ones, if there are more than are observed, are only
        looked back upon.
    observed : float array [n_targets, n_rows]
        The same with NaN where a value had been missing.
    bands : float array [n_bands, n_rows, n_targets], optional
        Their nats, if they are known.
    """
    start, missing = rows.shape[1] - observed.shape[1], np.isnan(observed.T)
    if bands is None:
        bands = nats_by_band(model.field, model.levels, rows)[:, start:]
    residual = repair(model.field, rows, np.inf).residual[:, start:].T
    return reference_of(
        np.where(missing, np.nan, bands),
        np.where(missing, np.nan, residual),
        ordered=model.is_ordered,
    )


def calibration(model: Model, table: Table) -> Reference:
    """The reference of rows that are known to be normal."""
    model = model.unrolled
    rows = model.layout.standard_rows(table)
    known = ~np.isnan(rows[model.domain.targets])
    n_seen = int(known.any(axis=0).sum())
    if n_seen < _MIN_NORMAL:
        raise DataError(
            f"Calibration needs at least {_MIN_NORMAL} normal rows with values, found {n_seen}."
        )
    complete = repair(model.field, rows, np.inf).values
    return rows_reference(model, complete, rows[model.domain.targets])


@dataclass(frozen=True, eq=False)
class CrossFit:
    """The reference of the rows that a model was fitted to; worked out when it is first asked for.

    Parameters
    ----------
    rows : float array [n_nodes, n_rows]
        As learned from.
    judged : float array [n_nodes, n_rows]
        The same as they are scored: not spread out by chance.
    execution : Execution
    """

    rows: FloatArray
    judged: FloatArray
    execution: Execution = field(default_factory=Execution)

    def __call__(self, model: Model) -> Reference | None:
        """How normal rows look to the model; None if there are too few."""
        start = perf_counter()
        layout, n_rows = model.layout, self.rows.shape[1]
        if not layout.has_row_law or n_rows < 10 * _PARTS * (layout.n_lags + 1):
            return None
        n_parts = _PARTS if self.rows.size <= _LARGE else 2
        judge = _PartJudge(_trainer(model), model.levels, model.limits, self, n_parts)
        parts = dict(self.execution.workers().map(judge, range(n_parts)))
        bands, residual, places = zip(*(parts[k] for k in range(n_parts)), strict=True)
        found = np.concatenate(bands, axis=1)
        if model.has_networks:
            linear = replace(model.field, shards=tuple(shard.linear for shard in model.shards))
            gain = nats_by_band(model.field, model.levels, self.judged)
            gain -= nats_by_band(linear, model.levels, self.judged)
            found += gain[:, np.concatenate(places)]
        known = reference_of(found, np.concatenate(residual), ordered=model.is_ordered)
        model.seconds["reference"] = perf_counter() - start
        return known


def _trainer(model: Model) -> Trainer:
    """Learns closed forms as the model did; what it does not see need not be tried."""
    slots = max(int((shard.n_noisy + shard.n_given).max()) for shard in model.shards)
    return Trainer(
        model.domain,
        model.settings.radius,
        max_slots=slots,
        max_radius=int(model.radii.max()),
    )


@dataclass(frozen=True, eq=False)
class _PartJudge:
    """Learns from all rows but a part, and judges that part."""

    trainer: Trainer
    levels: NoiseLevels
    limits: FloatArray
    fit: CrossFit
    n_parts: int

    def __call__(self, k: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """Nats by band, residuals, and rows of part k."""
        domain, (rows, judged) = self.trainer.domain, (self.fit.rows, self.fit.judged)
        n_rows = rows.shape[1]
        n_lags = domain.axes[0].window[0] if domain.axes and domain.axes[0].window else 0
        part = np.arange(n_rows) * self.n_parts // n_rows
        most = min(_MOST_JUDGED, max(_LEAST_JUDGED, _MOST_VALUES // domain.n_nodes))
        inside = np.flatnonzero(part == k)[:most]
        first = max(0, int(inside[0]) - n_lags)
        span = np.ascontiguousarray(judged[:, first : inside[-1] + 1])
        others = np.asarray(rows[:, part != k])
        trained = self.trainer.train(others[:, :, None] if domain.axes else others)
        field = ScoreField(domain, trained.shards, self.limits)
        fresh = slice(int(inside[0]) - first, None)
        bands = nats_by_band(field, self.levels, span)[:, fresh]
        return bands, repair(field, span, np.inf).residual[:, fresh].T, inside
