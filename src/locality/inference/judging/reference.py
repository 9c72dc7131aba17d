"""The reference of a model: what its alarms are measured against, and the law they are judged by.

Rows that a law was learned from surprise it less than fresh ones, so the reference is of rows that
it has not seen: held-out parts of the fit (`crossfit`), or rows known to be normal.
"""

from statistics import NormalDist

import numpy as np

from locality._typing import BoolArray, FloatArray
from locality.data.table import Table
from locality.exceptions import DataError
from locality.inference.judging.evidence import bounds_of, scores
from locality.inference.judging.levels import levels_of, log_p_values
from locality.inference.judging.memory import MEMORIES, Memory, combined, sensor_nats
from locality.inference.judging.networks import network_gain
from locality.inference.laws.repair import repair
from locality.inference.laws.row_law import Operator, RowLaw
from locality.inference.laws.sequential import SequentialLaw
from locality.inference.laws.window import Window
from locality.model.model import Model
from locality.model.reference import Reference

__all__ = [
    "away_of",
    "calibration",
    "fresh_reference",
    "implied_law",
    "law_of",
    "measured",
    "plain_rows",
    "sensors_of",
]

_MIN_NORMAL = 20  # rows
_BLOCKS, _MIN_BLOCK = 5, 10  # rows in a row that are judged by the levels of all others
_USUAL = 0.9  # share of residuals that tell their spread
_LEAST_SPREAD = 0.2  # of the root of the mean square


def law_of(reference: Reference) -> RowLaw:
    """The law of a row by which a reference was measured."""
    return reference.derived(_law_of)


def _law_of(reference: Reference) -> RowLaw:
    return RowLaw.from_arrays(reference.law)


def sensors_of(reference: Reference) -> tuple[Operator, Operator]:
    """From innovations to what they say of each sensor alone."""
    return reference.derived(_sensors_of)


def _sensors_of(reference: Reference) -> tuple[Operator, Operator]:
    return law_of(reference).of_sensors(reference.spread)


def away_of(
    reference: Reference, innovations: FloatArray, gain: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Innovations in units of their spread, 0 where missing, and the nats of each row; what gaps
    leave out counts as its mean.

    Parameters
    ----------
    reference : Reference
    innovations : float array [n_rows, n_components]
    gain : float array [n_rows, n_components] or None
        Nats that networks add.
    """
    found = innovations / reference.spread
    nats = sensor_nats(found) if gain is None else sensor_nats(found) + gain
    missing = np.isnan(found)
    if missing.any():
        nats = np.where(missing, reference.mean, nats)
        found = np.where(missing, 0.0, found)
    return found, nats.sum(axis=1)


def plain_rows(model: Model, table: Table) -> FloatArray:
    """Values of the nodes in the units of the table [n_rows, n_nodes]; of a model of rows."""
    standardizer = model.standardizer
    return np.asarray(standardizer.known(table.values)[:, standardizer.modeled], dtype=np.float64)


def measured(
    law: RowLaw,
    innovations: FloatArray,
    residual: FloatArray,
    gain: FloatArray | None,
    *,
    ordered: bool,
) -> Reference:
    """From normal rows that the law was not learned from.

    Parameters
    ----------
    law : RowLaw
    innovations : float array [n_rows, n_components]
        In order of time; NaN where missing.
    residual : float array [n_rows, n_components]
        Values minus what their neighbors let expect, in standard deviations.
    gain : float array [n_rows, n_components] or None
        Nats that networks add.
    ordered : bool
        Whether rows follow each other; otherwise nothing is remembered.
    """
    spread, far = _spread(innovations), _spread(residual)
    away, left = innovations / spread, residual / far
    added = 0.0 if gain is None else gain
    nats = sensor_nats(away) + added
    mean, _ = _moments(nats)
    surprise, deviation = _moments(sensor_nats(left) + added)
    (left,) = _complete(left)
    away, nats = _complete(away, nats)
    start = Memory.empty(len(mean), float(mean.sum()), len(MEMORIES) if ordered else 1)
    channels, _ = start.take(away, nats.sum(axis=1), law.of_sensors(spread))
    n = channels.shape[1]
    block = np.arange(n) * _BLOCKS // n if n >= _BLOCKS * _MIN_BLOCK else np.arange(n) * 0
    statistic = np.empty(n)
    for k in np.unique(block):
        others = block != k if block.any() else block == k
        known = levels_of(channels[:, others])
        statistic[block == k] = combined(-log_p_values(known, channels[:, block == k]))
    total = nats.sum(axis=1)
    whole = float(np.maximum(total.std(), 1e-6))
    psi = scores(away, total, float(mean.sum()), whole)
    return Reference(
        spread, mean, surprise, np.maximum(deviation, 1e-6), whole, far, levels_of(channels),
        levels_of(statistic[None]), levels_of(np.abs(left).T), bounds_of(psi), n, law.arrays(),
    )  # fmt: skip


def _moments(nats: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation of each sensor [n_components], of the values that are there."""
    count = np.maximum((~np.isnan(nats)).sum(axis=0), 1)
    mean = np.nansum(nats, axis=0) / count
    return mean, np.sqrt(np.nansum((nats - mean) ** 2, axis=0) / count)


def _complete(*parts: FloatArray) -> list[FloatArray]:
    """The same with values of other rows where they are missing: rows without gaps vary more than
    rows in which gaps say nothing, and it is against these that all are judged.
    """
    missing = np.isnan(parts[0])
    if not missing.any():
        return list(parts)
    row = np.tile(np.arange(len(missing))[:, None], missing.shape[1])
    for j in np.flatnonzero(missing.any(axis=0)):
        known = np.flatnonzero(~missing[:, j])
        row[missing[:, j], j] = np.resize(known, len(missing) - len(known)) if len(known) else 0
    return [np.nan_to_num(np.take_along_axis(part, row, axis=0)) for part in parts]


def _spread(residual: FloatArray) -> FloatArray:
    """Spread of residuals by their 90 % quantile [n_components]."""
    size = np.abs(np.where(np.isnan(residual), np.nan, residual))
    empty = np.isnan(size).all(axis=0)
    size[:, empty] = 1.0
    quantile = np.nanquantile if np.isnan(size).any() else np.quantile
    usual = quantile(size, _USUAL, axis=0) / NormalDist().inv_cdf(0.5 + 0.5 * _USUAL)
    root = np.sqrt(np.nanmean(size**2, axis=0))
    return np.asarray(np.maximum(np.maximum(usual, _LEAST_SPREAD * root), 1e-6))


def fresh_reference(
    model: Model, law: RowLaw, table: Table, kept: BoolArray | None = None
) -> Reference:
    """Of some normal rows, by default all; the others are only looked back upon."""
    rows = model.layout.standard_rows(table)
    innovations, _, _ = Window.empty(law).take(law, law.plain(plain_rows(model, table)))
    residual = repair(model.field, rows, np.inf).residual.T
    gain = network_gain(model, rows)
    which = slice(None) if kept is None else kept
    return measured(
        law,
        innovations[which],
        residual[which],
        None if gain is None else gain[which],
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
    known_before = model.reference
    law = implied_law(model) if known_before is None else law_of(known_before)
    return fresh_reference(model, law, table)


def implied_law(model: Model) -> RowLaw:
    """What the closed form implies, with columns in their units alone: where no rows are left to
    learn a law from.
    """
    domain = model.domain
    ends = np.array([[-1.0], [0.0], [1.0]]) * np.ones(domain.n_nodes)
    low, center, high = model.standardizer.values_of(ends, domain.names)
    unit = np.where(high > low, 0.5 * (high - low), 1.0)
    return RowLaw.of(domain, SequentialLaw.of(model.field), center, unit)
