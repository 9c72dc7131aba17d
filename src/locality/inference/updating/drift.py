"""Drift: has the surprise of a sensor risen for good, and is one model no worse than another?

Rows of a series resemble each other, so their mean is not as certain as their number suggests.
Rows are cut into blocks of consecutive ones, long enough to be nearly independent, and the means
of the blocks are compared by Student's t; what neighboring blocks still share is allowed for. How
often a sensor is called drifted by mistake, at all sensors together, is bounded by Holm's
procedure (1979).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from locality._typing import BoolArray, FloatArray

__all__ = ["Drift", "drift", "upper_bound"]

_BLOCKS = 20
_MIN_BLOCK = 5  # rows


@dataclass(frozen=True, eq=False)
class Drift:
    """What has changed of each sensor.

    Parameters
    ----------
    excess : float array [n_components]
        Mean nats beyond those of normal rows.
    p_value : float array [n_components]
        Of a rise, for each sensor alone.
    drifted : bool array [n_components]
        At the stated rate of any false call.
    """

    excess: FloatArray
    p_value: FloatArray
    drifted: BoolArray


def drift(nats: FloatArray, deviation: FloatArray, n_normal: int, level: float) -> Drift:
    """Test every sensor.

    Parameters
    ----------
    nats : float array [n_rows, n_components]
        Of new rows, minus the mean on normal rows; NaN where a value is missing.
    deviation : float array [n_components]
        Of the nats of normal rows.
    n_normal : int
        How many normal rows there were; their mean is uncertain too.
    level : float
        Accepted probability of any false call.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> nats = rng.normal(size=(400, 3)) + [0.0, 0.0, 0.5]
    >>> drift(nats, np.ones(3), 1_000, 0.01).drifted
    array([False, False,  True])
    """
    means, length = _block_means(nats)
    n_blocks = len(means)
    excess = means.mean(axis=0)
    variance = _variance(means)
    # how much longer the memory makes a block count: the same for rows that were normal
    rows = np.maximum(np.nanvar(nats, axis=0), 1e-12)
    memory = np.maximum(variance * length / rows, 1.0)
    error = np.sqrt(variance / n_blocks + deviation**2 * memory / max(n_normal, 1))
    p_value = student.sf(excess / np.maximum(error, 1e-12), n_blocks - 1)
    order = np.argsort(p_value)
    limit = level / np.arange(len(order), 0, -1)
    passed = np.cumprod(p_value[order] <= limit).astype(bool)
    drifted = np.zeros(len(order), dtype=bool)
    drifted[order[passed]] = True
    return Drift(excess, p_value, drifted)


def upper_bound(change: FloatArray, level: float) -> tuple[float, float]:
    """Mean change of the nats of some rows, and its upper confidence bound.

    Parameters
    ----------
    change : float array [n_rows]
        One model minus another, in order of time.
    level : float
        Probability that the bound is too low.

    Examples
    --------
    >>> mean, bound = upper_bound(np.random.default_rng(0).normal(-1.0, 1.0, 500), 0.05)
    >>> -1.2 < mean < bound < -0.8
    True
    """
    means, _ = _block_means(change[:, None])
    n_blocks = len(means)
    error = float(np.sqrt(_variance(means)[0] / n_blocks))
    mean = float(means.mean())
    return mean, mean + float(student.ppf(1.0 - level, n_blocks - 1)) * error


def _variance(means: FloatArray) -> FloatArray:
    """Variance of block means [n_columns], raised by what neighboring blocks still share.

    That share, their correlation, is taken to be the same of all columns, so that it is known
    well; n blocks without memory have −1/n.
    """
    z = means - means.mean(axis=0)
    z /= np.maximum(z.std(axis=0), 1e-12)
    shared = float(np.mean(z[1:] * z[:-1])) + 1.0 / len(z)
    shared = float(np.clip(shared, 0.0, 0.8))
    return np.asarray(means.var(axis=0, ddof=1) * (1.0 + shared) / (1.0 - shared))


def _block_means(values: FloatArray) -> tuple[FloatArray, float]:
    """Means of consecutive blocks [n_blocks, n_columns], and their length in rows."""
    n_blocks = int(np.clip(len(values) // _MIN_BLOCK, 2, _BLOCKS))
    parts = np.array_split(values, n_blocks)
    overall = np.nan_to_num(np.nanmean(values, axis=0))
    means = []
    for part in parts:
        known = ~np.isnan(part)
        sums = np.where(known, part, 0.0).sum(axis=0)
        count = known.sum(axis=0)
        means.append(np.where(count > 0, sums / np.maximum(count, 1), overall))
    return np.array(means), len(values) / n_blocks
