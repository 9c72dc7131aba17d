"""Which networks are worth keeping, from held-out gains that are noisy one by one.

A component has few held-out rows, so its own gain has a large error; but components of a shard are
alike. Gains are therefore taken as draws around a common mean (empirical Bayes): with gain g_j,
squared error e_j², and μ, τ² the mean and variance across components,

    posterior precision = 1/e_j² + 1/τ² ,   posterior mean = (g_j/e_j² + μ/τ²) / precision .

If all networks of a shard gain, a single unlucky one is kept; if gains scatter about zero, a single
lucky one is not (Morris, 1983, *Parametric empirical Bayes inference*).

Gains on the rows that chose (when to stop, at which radius) are the best of many, and promise too
much. So other rows have the last word: they say how much of each correction is taken, and their
gain is what is told.
"""

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray

__all__ = ["best_units", "shrunken", "worthwhile"]

_LEAST_GAIN = 0.005  # nats
_FACTORS = (1.0, 0.75, 0.5, 0.25)
_SMALLEST = 1e-4  # nats: error below which a gain is taken as certain


def worthwhile(gain: FloatArray, error: FloatArray, n_errors: float) -> BoolArray:
    """Whether each gain is below zero by some posterior standard errors, and by 0.005 nats.

    Parameters
    ----------
    gain : float array [n]
        Change of held-out nats by a network; negative is better.
    error : float array [n]
        Standard errors.
    n_errors : float
        How sure to be.

    Returns
    -------
    bool array [n]

    Examples
    --------
    >>> import numpy as np
    >>> worthwhile(np.array([-0.2, -0.25, -0.06]), np.full(3, 0.05), 2.0).tolist()
    [True, True, True]
    >>> worthwhile(np.array([0.0, -0.04, 0.02, 0.01]), np.full(4, 0.03), 2.0).tolist()
    [False, False, False, False]
    """
    if len(gain) == 0:
        return np.zeros(0, dtype=bool)
    posterior, spread = _posterior(gain, error)
    return np.asarray(posterior < -np.maximum(n_errors * spread, _LEAST_GAIN))


def _posterior(gain: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of every gain, given all of them [n]."""
    variance = np.maximum(error, _SMALLEST) ** 2
    mean = np.average(gain, weights=1.0 / variance)
    mean_variance = 1.0 / np.sum(1.0 / variance)
    spread = max(float(np.mean((gain - mean) ** 2 - variance)), 0.0)
    shrink = spread / (spread + variance)
    posterior = shrink * gain + (1.0 - shrink) * mean
    return posterior, np.sqrt(shrink * variance + (1.0 - shrink) ** 2 * mean_variance)


def shrunken(
    square: FloatArray, cross: FloatArray, block: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """How much of each correction rows that chose nothing speak for: α, gain and error [n].

    The change of nats by α F is quadratic in α. Chosen is the α of least gain plus standard error,
    both as they are given those of the others: where all networks of a shard gain alike, none is
    cut short for its own few rows. The error of a gain is the larger of that over rows and that
    over blocks: neither a single row nor a single block decides.

    Parameters
    ----------
    square, cross : float arrays [n, n_rows]
        F² and T F in nats (``Engine.held_out_parts``), NaN where nothing is known.
    block : int array [n_rows]
        Rows that belong together, from 0.
    """
    factors = np.array(_FACTORS)[:, None, None]
    change = factors**2 * square - 2.0 * factors * cross
    known = ~np.isnan(change[0])
    n = np.maximum(known.sum(axis=1), 1)
    change = np.where(known, change, 0.0)
    gain = change.sum(axis=2) / n
    spread = np.where(known, change - gain[:, :, None], 0.0)
    variance = (spread**2).sum(axis=2) / np.maximum(n - 1, 1) / n
    sums = np.stack([spread[:, :, block == k].sum(axis=2) for k in range(block.max() + 1)])
    n_blocks = len(sums)
    between = (sums**2).sum(axis=0) * n_blocks / max(n_blocks - 1, 1) / n**2
    error = np.sqrt(np.maximum(variance, between))
    careful = [np.add(*_posterior(g, e)) for g, e in zip(gain, error, strict=True)]
    best = np.stack(careful).argmin(axis=0), np.arange(len(n))
    return np.array(_FACTORS)[best[0]], gain[best], error[best]


def best_units(total: FloatArray, target: IntArray) -> IntArray:
    """Of all units of a target the one with the lowest nats, targets ascending.

    Parameters
    ----------
    total : float array [n_units]
        Nats of the unit.
    target : int array [n_units]
    """
    order = np.lexsort((total, target))
    return order[np.unique(target[order], return_index=True)[1]]
