"""Judgment: is a row abnormal, and which sensors are to blame?"""

from dataclasses import dataclass

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.density.nats import nats_by_band
from locality.inference.judging.alarm import MEMORIES, Alarm
from locality.inference.judging.average import exponential_average
from locality.inference.laws.inflation import inflation, tempered
from locality.inference.laws.repair import Repair, repair
from locality.model.model import Model

__all__ = ["FITS", "Judgment", "judge"]

_RECENT = 0.1  # weight of a row in what is accumulated over time
FITS = 4.0  # spreads of normal residuals beyond which a value does not fit


@dataclass(frozen=True, eq=False)
class Judgment:
    """What was found in some rows, as numbers.

    Parameters
    ----------
    statistic, p_value : float arrays [n_rows]
    alarm : bool array [n_rows]
        Including columns set aside that moved.
    share : float array [n_rows, n_columns]
        Of the blame, by column of the table; each row sums to 1 (0 where nothing is unusual).
    sensor_p_value : float array [n_rows, n_components]
        Of each sensor alone, given a neighborhood without wrong values.
    moved : float array [n_rows, n_components]
        How far each sensor is from its own usual values, whatever the others do: nats of its
        Gaussian value beyond the middle, accumulated over some ten rows; one half if normal.
    departed : bool array [n_rows, n_columns]
        Constants that moved and copies that left their source.
    repaired : Repair
        Of the standardized rows.
    inflation : float array [n_rows, n_components]
        Of squared residuals, where neighbors are missing; 1 elsewhere.
    memory, band : int arrays [n_rows]
        Of the channel that is highest.
    """

    statistic: FloatArray
    p_value: FloatArray
    alarm: BoolArray
    share: FloatArray
    sensor_p_value: FloatArray
    moved: FloatArray
    departed: BoolArray
    repaired: Repair
    inflation: FloatArray
    memory: IntArray
    band: IntArray


def judge(model: Model, table: Table, false_alarms: float) -> Judgment:
    """Judge rows in order of time.

    Raises
    ------
    OptionError
        If the model has no reference, or the rate is no share.
    """
    if not 0.0 < false_alarms < 1.0:
        raise OptionError(
            f"false_alarms must be a share between 0 and 1, found {false_alarms}.",
            remedy="0.01 is one false alarm in a hundred normal rows.",
        )
    model = model.unrolled
    rows = model.layout.standard_rows(table)
    reference = model.reference
    if reference is None:
        why = "it was fitted to very few"
        if model.settings.tied:
            why = "that is not measured in the fit of a tied chain or ring"
        raise OptionError(
            f"The model does not know how normal rows look: {why}.",
            remedy="Pass normal rows that it was not fitted to (--normal; calibrate in Python).",
        )
    targets = model.domain.targets
    observed = ~np.isnan(rows[targets]).T
    factor = inflation(model.field, np.isnan(rows))
    complete = repair(model.field, rows, np.inf).values
    fixed = repair(model.field, rows, FITS * reference.residual[:, None] * np.sqrt(factor))

    tables = np.stack([complete, fixed.values] if fixed.wrong.any() else [complete])
    usual = reference.mean[:, None]
    nats = nats_by_band(model.field, model.levels, tables)
    nats = usual + tempered(nats - usual, factor.T)
    nats[:, :, ~observed] = np.nan
    bands, repaired_bands = nats[0], nats[-1]
    alarm = Alarm(reference)
    found = alarm.measure(bands)
    memory, band = alarm.memory_and_band(found.channel)
    blame = _blame(alarm, found.parts, repaired_bands, fixed, found.channel, memory)
    own = np.where(fixed.wrong.T, bands, repaired_bands)
    p_value = alarm.p_value(found.value)
    names = model.standardizer.names
    departed = np.zeros((len(blame), len(names)), dtype=bool)
    aside = [part.column for part in model.standardizer.set_aside]
    departed[:, aside] = model.standardizer.departures(table.values)
    if table.unseen is not None:
        departed |= table.unseen
    share = np.zeros(departed.shape)
    share[:, model.layout.columns] = blame
    moved = departed.any(axis=1)
    if moved.any():
        weight = departed[moved] / departed[moved].sum(axis=1, keepdims=True)
        unusual = p_value[moved, None] <= false_alarms
        share[moved] = np.where(unusual, 0.5 * (share[moved] + weight), weight)
        p_value[moved] = np.minimum(p_value[moved], 1.0 / (reference.n_rows + 1.0))
    return Judgment(
        found.value, p_value, (p_value <= false_alarms) | moved, share,
        alarm.sensors(own), exponential_average(0.5 * complete[targets].T ** 2, _RECENT, 0.5),
        departed, fixed, factor.T, memory, band,
    )  # fmt: skip


def _blame(
    alarm: Alarm,
    parts: FloatArray,
    repaired_bands: FloatArray,
    fixed: Repair,
    channel: IntArray,
    memory: IntArray,
) -> FloatArray:
    """Share of each sensor in the statistic [n_rows, n_components].

    What is left when wrong values are repaired belongs to the sensors where it is left; what
    repairing took away belongs to the sensors that were repaired, by the nats each gained.
    """
    if not fixed.wrong.any():
        return _normalized(parts)
    left = alarm.parts_of(repaired_bands, channel)
    gain = np.zeros_like(parts)
    for number, alpha in enumerate(MEMORIES):
        recent = exponential_average(fixed.gain.T, alpha)
        gain = np.where((memory == number)[:, None], recent, gain)
    total = gain.sum(axis=1, keepdims=True)
    taken = np.maximum(parts.sum(axis=1) - left.sum(axis=1), 0.0)[:, None]
    blame = np.where(total > 0, left + taken * gain / np.where(total > 0, total, 1.0), parts)
    return _normalized(blame)


def _normalized(parts: FloatArray) -> FloatArray:
    positive = np.maximum(parts, 0.0)
    total = positive.sum(axis=1, keepdims=True)
    return np.asarray(positive / np.where(total > 0, total, 1.0))
