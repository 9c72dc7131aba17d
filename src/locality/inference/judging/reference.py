"""The reference of a fitted model: what its alarms are measured against.

Rows that a model was fitted to surprise it less than fresh ones. So each third of the table is
judged by a closed form fitted to the other two; what networks gain on top is taken from the model
itself. Rows known to be normal that the model has not seen are better still, see ``calibrate``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.domain import Domain
from locality.inference.density.nats import Nats
from locality.inference.judging.alarm import reference_of
from locality.inference.laws.repair import repair
from locality.local.field import ScoreField
from locality.model.model import Model
from locality.model.reference import Reference
from locality.noise.levels import NoiseLevels
from locality.training.executors import Executor
from locality.training.trainer import Trainer

__all__ = ["cross_fitted", "has_row_law", "is_ordered", "nats_by_band", "rows_reference"]

_PARTS = 3
_MOST_JUDGED, _LEAST_JUDGED = 5_000, 200  # rows of a part
_MOST_VALUES = 2_000_000  # of a part
_LARGE = 1 << 26  # values, of a table that is cut into halves only


def has_row_law(domain: Domain) -> bool:
    """Whether rows of the model can be judged one after the other."""
    return all(axis.is_causal for axis in domain.axes)


def is_ordered(model: Model) -> bool:
    """Whether rows follow each other in time."""
    return model.is_series or model.settings.get("time") is not None


def nats_by_band(
    field: ScoreField, levels: NoiseLevels, rows: FloatArray, by_band: bool = True
) -> FloatArray:
    """Nats of standardized rows [n_nodes, n_rows] as [n_bands, n_rows, n_components], or of all
    bands together as one.
    """
    state = rows[:, :, None] if field.domain.axes else rows
    found = Nats(levels, by_band=by_band).surprise(field, state).bands
    return np.ascontiguousarray(found.reshape(*found.shape[:2], -1).transpose(0, 2, 1))


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
        ordered=is_ordered(model),
    )


def cross_fitted(
    model: Model,
    rows: FloatArray,
    judged: FloatArray,
    parameters: Mapping[str, Any],
    workers: Executor,
) -> Reference | None:
    """From the rows that the model was fitted to; None if there are too few.

    Parameters
    ----------
    model : Model
    rows : float array [n_nodes, n_rows]
        As learned from.
    judged : float array [n_nodes, n_rows]
        The same as they are scored: not spread out by chance.
    parameters : mapping
        Of the estimator.
    workers : Executor
    """
    domain, n_rows = model.domain, rows.shape[1]
    n_lags = domain.axes[0].window[0] if domain.axes and domain.axes[0].window else 0
    if not has_row_law(domain) or n_rows < 10 * _PARTS * (n_lags + 1):
        return None
    # what the model itself does not see need not be tried
    slots = max(int((shard.n_noisy + shard.n_given).max()) for shard in model.shards)
    trainer = Trainer(domain, parameters["radius"], max_slots=slots)
    n_parts = _PARTS if rows.size <= _LARGE else 2
    judge = _Judge(trainer, model.levels, model.limits, rows, judged, n_lags, n_parts)
    parts = dict(workers.map(judge, range(n_parts)))
    bands, residual, places = zip(*(parts[k] for k in range(n_parts)), strict=True)
    found = np.concatenate(bands, axis=1)
    where = np.concatenate(places)
    linear = ScoreField(domain, tuple(shard.linear for shard in model.shards), model.limits)
    if model.has_networks:
        with_networks = nats_by_band(model.field, model.levels, judged)
        found += (with_networks - nats_by_band(linear, model.levels, judged))[:, where]
    return reference_of(found, np.concatenate(residual), ordered=is_ordered(model))


@dataclass(frozen=True, eq=False)
class _Judge:
    """Learns from all rows but a part, and judges that part."""

    trainer: Trainer
    levels: NoiseLevels
    limits: FloatArray
    rows: FloatArray
    judged: FloatArray
    n_lags: int
    n_parts: int

    def __call__(self, k: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """Nats by band, residuals, and rows of part k."""
        domain, n_rows = self.trainer.domain, self.rows.shape[1]
        part = np.arange(n_rows) * self.n_parts // n_rows
        most = min(_MOST_JUDGED, max(_LEAST_JUDGED, _MOST_VALUES // domain.n_nodes))
        inside = np.flatnonzero(part == k)[:most]
        first = max(0, int(inside[0]) - self.n_lags)
        span = np.ascontiguousarray(self.judged[:, first : inside[-1] + 1])
        others = np.asarray(self.rows[:, part != k])
        trained = self.trainer.train(others[:, :, None] if domain.axes else others)
        field = ScoreField(domain, trained.shards, self.limits)
        fresh = slice(int(inside[0]) - first, None)
        bands = nats_by_band(field, self.levels, span)[:, fresh]
        return bands, repair(field, span, np.inf).residual[:, fresh].T, inside
