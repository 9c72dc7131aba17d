"""Alarms: from surprises of sensors and noise bands to one decision with a stated error rate.

Nats ℓ_jb(t) of sensor j in band b are compared with what they are on normal rows (mean and standard
deviation), so that every sensor and band counts alike, and accumulated over time,

    E(t) = (1 − α) E(t − 1) + α (ℓ(t) − mean)/deviation ,   α = 1, 0.3, 0.1 ,

each again in units of its deviation on normal rows. A **channel** adds this up over the sensors of
one band at one α: all of it (many sensors changed a little), and at α = 1 also only what exceeds
three deviations (few changed a lot). Channels are brought to a common scale, the distance from
their median to their 98 % quantile on normal rows; the **statistic** of a row is the largest. Its
p-value is conformal, the share of normal rows at least as high (Vovk, Gammerman, Shafer, 2005),
each half of them measured by what is normal in the other, and beyond their 95 % quantile continued
by the exponential tail of the excesses. Rows of a series resemble each other: an accumulated
statistic stays high for about 2/α rows, so that n normal rows tell as much as n α/2 independent
ones, which `Alarm.error` allows for.
"""

import warnings
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.inference.judging.average import exponential_average
from locality.model.reference import Reference

__all__ = ["MEMORIES", "Alarm", "Statistic", "reference_of"]

MEMORIES = (1.0, 0.3, 0.1)
_LARGE = 3.0  # deviations beyond which a single sensor counts in the channel of few
_KEPT = 400
_MIN_HALF = 20  # normal rows from which each half is judged by the other
_USUAL = 0.9  # share of residuals that tell their spread
_SCALE_QUANTILE, _TAIL_QUANTILE = 0.98, 0.95


@dataclass(frozen=True, eq=False)
class Statistic:
    """The statistic of some rows.

    Parameters
    ----------
    value : float array [n_rows]
        Of the highest channel; about 1 at the 98 % quantile of normal rows.
    channel : int array [n_rows]
        Which one it is.
    parts : float array [n_rows, n_components]
        What each sensor adds to it; together with ``offset`` they sum to ``value``.
    offset : float array [n_rows]
        What normal rows have on average, with a minus sign.
    """

    value: FloatArray
    channel: IntArray
    parts: FloatArray
    offset: FloatArray


@dataclass(frozen=True, eq=False)
class Alarm:
    """Judges rows by how normal ones look.

    Parameters
    ----------
    reference : Reference
    """

    reference: Reference

    def measure(self, bands: FloatArray) -> Statistic:
        """The statistic of new rows [n_bands, n_rows, n_components], in order of time."""
        known = self.reference
        parts = np.concatenate(self.channels(_standardize(bands, known.mean, known.deviation)))
        value = (parts.sum(axis=-1) - known.center[:, None]) / known.scale[:, None]
        channel = value.argmax(axis=0)
        rows = np.arange(len(channel))
        return Statistic(
            value[channel, rows],
            channel,
            parts[channel, rows] / known.scale[channel, None],
            -known.center[channel] / known.scale[channel],
        )

    def parts_of(self, bands: FloatArray, channel: IntArray) -> FloatArray:
        """What each sensor adds to a channel chosen for each row [n_rows, n_components]."""
        known = self.reference
        parts = np.concatenate(self.channels(_standardize(bands, known.mean, known.deviation)))
        return np.asarray(parts[channel, np.arange(len(channel))] / known.scale[channel, None])

    def sensors(self, bands: FloatArray) -> FloatArray:
        """p-value of every sensor in every row [n_rows, n_components]."""
        known = self.reference
        found = self.accumulated(_standardize(bands, known.mean, known.deviation))
        p = np.empty_like(found)
        for j in range(found.shape[1]):
            p[:, j] = _p_value(found[:, j], known.sensor[:, j])
        return p

    def p_value(self, statistic: FloatArray) -> FloatArray:
        """Share of normal rows that are at least as high [n_rows]."""
        known = self.reference
        return _p_value(statistic, known.statistic)

    def error(self, false_alarms: float) -> float:
        """Standard error of the share of false alarms, from the number of normal rows."""
        known = self.reference
        n = known.n_rows * 0.5 * (MEMORIES[-1] if len(known.spread) > 1 else 1.0)
        return float(np.sqrt(false_alarms * (1 - false_alarms) / max(n, 1.0)))

    def memory_and_band(self, channel: IntArray) -> tuple[IntArray, IntArray]:
        """Number of memory and noise band of channels."""
        known = self.reference
        n_bands, n_many = (
            len(known.mean),
            known.spread.shape[0] * len(known.mean),
        )
        memory = np.where(channel < n_many, channel // n_bands, 0)
        return memory, channel % n_bands

    def channels(self, z: FloatArray) -> list[FloatArray]:
        """What each sensor adds to each channel, by memory [n_bands, n_rows, n_components]."""
        known = self.reference
        many = [
            exponential_average(z, a) / spread[:, None]
            for a, spread in zip(MEMORIES, known.spread, strict=False)
        ]
        return [*many, np.maximum(many[0] - _LARGE, 0.0)]

    def accumulated(self, z: FloatArray) -> FloatArray:
        """Highest accumulated nats of each sensor [n_rows, n_components]."""
        return np.asarray(np.max([part.max(axis=0) for part in self.channels(z)[:-1]], axis=0))


def reference_of(bands: FloatArray, residual: FloatArray, *, ordered: bool) -> Reference:
    """From nats of normal rows that the model was not fitted to.

    Parameters
    ----------
    bands : float array [n_bands, n_rows, n_components]
        In order of time; NaN where a value is missing.
    residual : float array [n_rows, n_components]
        Values minus what their neighbors let expect, in standard deviations.
    ordered : bool
        Whether rows follow each other; otherwise nothing is accumulated.
    """
    whole = _scales(bands, residual, ordered)
    n_rows = bands.shape[1]
    halves = [slice(0, n_rows // 2), slice(n_rows // 2, n_rows)]
    judged = []
    for mine, other in zip(halves, halves[::-1], strict=True):
        by = whole
        if n_rows >= 2 * _MIN_HALF:
            by = _at_least(_scales(bands[:, other], residual[other], ordered), whole)
        sensors = Alarm(by).accumulated(_standardize(bands[:, mine], by.mean, by.deviation))
        judged.append((Alarm(by).measure(bands[:, mine]).value, sensors))
    statistic = np.sort(np.concatenate([part for part, _ in judged]))
    sensor = np.sort(np.concatenate([part for _, part in judged]), axis=0)
    return replace(whole, statistic=statistic, sensor=_thinned(sensor, min(n_rows, _KEPT)))


def _scales(bands: FloatArray, residual: FloatArray, ordered: bool) -> Reference:
    """All but how often normal rows reach which level."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # sensors without any value
        mean = np.nan_to_num(np.nanmean(bands, axis=1))
        deviation = np.nan_to_num(np.nanstd(bands, axis=1), nan=1.0)
        far = np.abs(residual)
        # the one that allows for gaps goes column by column
        quantile = np.nanquantile if np.isnan(far).any() else np.quantile
        usual = np.nan_to_num(quantile(far, _USUAL, axis=0), nan=1.0)
    deviation = np.maximum(deviation, 1e-6)
    z = _standardize(bands, mean, deviation)
    memories = MEMORIES if ordered else MEMORIES[:1]
    spread = np.stack([exponential_average(z, a).std(axis=1) for a in memories])
    spread = np.maximum(spread, 1e-6)
    residual = np.maximum(usual / NormalDist().inv_cdf(0.5 + 0.5 * _USUAL), 1e-6)
    none = np.zeros(0)
    unit = Reference(mean, deviation, spread, none, none, none, np.zeros((0, 0)), residual)
    channels = np.concatenate([part.sum(axis=-1) for part in Alarm(unit).channels(z)])
    center = np.median(channels, axis=1)
    scale = np.maximum(np.quantile(channels, _SCALE_QUANTILE, axis=1) - center, 1e-6)
    return replace(unit, center=center, scale=scale)


def _at_least(part: Reference, whole: Reference) -> Reference:
    """With scales no less than half of those of all rows: some sensors stand still for long."""
    return replace(
        part,
        deviation=np.maximum(part.deviation, 0.5 * whole.deviation),
        spread=np.maximum(part.spread, 0.5 * whole.spread),
        scale=np.maximum(part.scale, 0.5 * whole.scale),
    )


def _thinned(ascending: FloatArray, n: int) -> FloatArray:
    """So many evenly spaced ranks, the first and the last among them."""
    ranks = np.linspace(0, len(ascending) - 1, n).astype(int)
    return np.asarray(ascending[ranks])


def _standardize(bands: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Nats as deviations from normal; missing ones say nothing."""
    return np.nan_to_num((bands - mean[:, None]) / deviation[:, None], nan=0.0)


def _p_value(values: FloatArray, normal: FloatArray) -> FloatArray:
    """Conformal p-values, with an exponential tail."""
    n = len(normal)
    p = (n - np.searchsorted(normal, values, side="left") + 1.0) / (n + 1.0)
    at = int(_TAIL_QUANTILE * (n - 1))
    edge, tail = normal[at], normal[at + 1 :]
    mean = float((tail - edge).mean()) if len(tail) else 0.0
    if mean > 0:
        beyond = values > edge
        share = (n - at) / (n + 1.0)
        p[beyond] = share * np.exp(-(values[beyond] - edge) / mean)
    return np.asarray(p)
