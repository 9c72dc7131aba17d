"""Judgment: is a row abnormal, and which sensors are to blame?

The decision needs innovations alone, and is made at once. Blame does not depend on the order of
a sweep: a value that does not fit its neighborhood is freed (`laws.repair`), its neighbors are
judged without it, and what is left of each sensor adds up over the memory that decided. That takes
longer, and is done when it is first asked for.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.judging.average import exponential_average
from locality.inference.judging.levels import log_p_values
from locality.inference.judging.memory import KINDS, MEMORIES, Memory, sensor_nats
from locality.inference.judging.networks import network_gain
from locality.inference.judging.reference import law_of, plain_rows
from locality.inference.laws.conditional import ConditionalLaw
from locality.inference.laws.repair import Repair, repair
from locality.inference.laws.window import Window
from locality.model.model import Model
from locality.model.reference import Reference
from locality.training.threads import one_thread

__all__ = ["FITS", "Judgment", "judge", "known_reference", "sensor_surprise"]

_RECENT = 0.1  # weight of a row in what is accumulated over time
FITS = 4.0  # spreads of normal residuals beyond which a value does not fit
_UNUSUAL = 2.0  # nats of a sensor below which it is not to blame, if others are


@dataclass(frozen=True, eq=False)
class Judgment:
    """What was found in some rows, as numbers.

    Parameters
    ----------
    model : Model
        Of rows.
    table : Table
    statistic : float array [n_rows]
        Σ −log p of the channels.
    log_p : float array [n_rows]
        Logarithm of the share of normal rows that are at least as unusual.
    channel : int array [n_rows]
        Which one is the most unusual: ``n_kinds · memory + kind``.
    departed : bool array [n_rows, n_columns]
        Constants that moved, copies that left their source, states never seen.
    false_alarms : float
    """

    model: Model
    table: Table
    statistic: FloatArray
    log_p: FloatArray
    channel: IntArray
    departed: BoolArray
    false_alarms: float

    @cached_property
    def alarm(self) -> BoolArray:
        """Whether each row is abnormal [n_rows], including columns set aside that moved."""
        return (self.log_p <= np.log(self.false_alarms)) | self.departed.any(axis=1)

    @property
    def p_value(self) -> FloatArray:
        """Share of normal rows that are at least as unusual [n_rows]."""
        return np.exp(self.log_p)

    @property
    def memory(self) -> IntArray:
        """Number of the memory of the most unusual channel [n_rows]."""
        return np.asarray(self.channel // len(KINDS))

    @cached_property
    def rows(self) -> FloatArray:
        """Standardized rows [n_nodes, n_rows], NaN where missing."""
        return self.model.layout.standard_rows(self.table)

    @cached_property
    def openness(self) -> FloatArray:
        """Factor by which gaps in a row raise the variance of what is left of each sensor
        [n_rows, n_components].
        """
        missing = np.isnan(self.rows[self.model.domain.targets]).T
        found = np.ones(missing.shape)
        laws = ConditionalLaw.of(self.model.field)
        for t in np.flatnonzero(missing.any(axis=1)).tolist():
            found[t] = laws[min(t, len(laws) - 1)].openness(missing[t])
        return found

    @cached_property
    def repaired(self) -> Repair:
        """Rows in which values that do not fit are replaced."""
        usual = known_reference(self.model).residual
        limit = FITS * usual[:, None] * np.sqrt(self.openness.T)
        with one_thread():
            return repair(self.model.field, self.rows, limit)

    @cached_property
    def residual(self) -> FloatArray:
        """What is left of each sensor given a neighborhood without wrong values, in units of what
        normal rows have [n_rows, n_components]; NaN where missing.
        """
        usual = known_reference(self.model).residual
        return np.asarray(self.repaired.residual.T / (usual * np.sqrt(self.openness)))

    @cached_property
    def sensor_p_value(self) -> FloatArray:
        """p-value of each sensor alone, given the same [n_rows, n_components]."""
        known = known_reference(self.model)
        size = np.abs(np.nan_to_num(self.residual, nan=0.0))
        return np.exp(log_p_values(known.sensors, size.T)).T

    @cached_property
    def share(self) -> FloatArray:
        """Of the blame, by column of the table; each row sums to 1, or is 0 where nothing is
        unusual [n_rows, n_columns].
        """
        share = np.zeros(self.departed.shape)
        share[:, self.model.layout.columns] = self._blame()
        moved = self.departed.any(axis=1)
        if moved.any():
            weight = self.departed[moved] / self.departed[moved].sum(axis=1, keepdims=True)
            unusual = self.log_p[moved, None] <= np.log(self.false_alarms)
            share[moved] = np.where(unusual, 0.5 * (share[moved] + weight), weight)
        return share

    @cached_property
    def moved(self) -> FloatArray:
        """How far each sensor is from its own usual values, whatever the others do: nats of its
        Gaussian value beyond the middle, accumulated over some ten rows; one half if normal
        [n_rows, n_components].
        """
        rows = self.rows[self.model.domain.targets]
        known = np.where(np.isnan(rows), self.repaired.values[self.model.domain.targets], rows)
        return exponential_average(0.5 * known.T**2, _RECENT, 0.5)

    def _blame(self) -> FloatArray:
        """Share of each component [n_rows, n_components]."""
        residual, gain = np.nan_to_num(self.residual, nan=0.0), self.repaired.gain.T
        blame = np.zeros(residual.shape)
        for k, weight in enumerate(MEMORIES):
            here = self.memory == k
            if here.any():
                mean = exponential_average(residual, weight) * np.sqrt((2.0 - weight) / weight)
                lasting = exponential_average(gain, weight)
                blame[here] = np.maximum(0.5 * mean**2, lasting)[here]
        beyond = np.where(blame > _UNUSUAL, blame, 0.0)
        blame = np.where(beyond.any(axis=1, keepdims=True), beyond, blame)
        total = blame.sum(axis=1, keepdims=True)
        return np.asarray(blame / np.where(total > 0, total, 1.0))


def known_reference(model: Model) -> Reference:
    """The reference of a model that is to judge.

    Raises
    ------
    OptionError
        If it has none.
    """
    if model.reference is not None:
        return model.reference
    why = "it was fitted to very few, or by an older version"
    if model.settings.tied:
        why = "that is not measured in the fit of a tied chain or ring"
    raise OptionError(
        f"The model does not know how normal rows look: {why}.",
        remedy="Pass normal rows that it was not fitted to (--normal; calibrate in Python).",
    )


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
    reference = known_reference(model)
    model.layout.require_row_law(table)
    law = law_of(reference)
    innovations, _, _ = Window.empty(law).take(law, law.plain(plain_rows(model, table)))
    gain = None
    if model.has_networks:
        gain = network_gain(model, model.layout.standard_rows(table))
    n_memories = len(MEMORIES) if model.is_ordered else 1
    start = Memory.empty(len(reference.mean), float(reference.mean.sum()), n_memories)
    channels, _ = start.take(*away(reference, innovations, gain))
    unusual = -log_p_values(reference.channels, channels)
    statistic = unusual.sum(axis=0)
    log_p = log_p_values(reference.statistic, statistic[None])[0]
    departed = departed_from(model, table)
    gone = departed.any(axis=1)
    log_p[gone] = np.minimum(log_p[gone], -np.log(reference.n_rows + 1.0))
    channel = unusual.argmax(axis=0) if len(statistic) else np.zeros(0, dtype=np.int64)
    return Judgment(model, table, statistic, log_p, channel, departed, false_alarms)


def sensor_surprise(model: Model, table: Table) -> FloatArray:
    """Nats of each sensor as they are judged [n_rows, n_components]; NaN where missing."""
    reference = known_reference(model)
    law = law_of(reference)
    innovations, _, _ = Window.empty(law).take(law, law.plain(plain_rows(model, table)))
    gain = network_gain(model, model.layout.standard_rows(table)) if model.has_networks else None
    nats = sensor_nats(innovations / reference.spread)
    return nats if gain is None else nats + gain


def away(
    reference: Reference, innovations: FloatArray, gain: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Innovations in units of their spread, 0 where missing, and the nats of each row."""
    found = innovations / reference.spread
    nats = sensor_nats(found) if gain is None else sensor_nats(found) + gain
    missing = np.isnan(found)
    if missing.any():
        nats = np.where(missing, reference.mean, nats)
        found = np.where(missing, 0.0, found)
    return found, nats.sum(axis=1)


def departed_from(model: Model, table: Table) -> BoolArray:
    """Where columns do what they never did in the fit [n_rows, n_columns]."""
    standardizer = model.standardizer
    departed = np.zeros((table.n_rows, len(standardizer.names)), dtype=bool)
    aside = [part.column for part in standardizer.set_aside]
    departed[:, aside] = standardizer.departures(table.values)
    if table.unseen is not None:
        departed |= table.unseen
    return departed
