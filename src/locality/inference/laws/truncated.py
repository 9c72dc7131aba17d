"""Truncated normal vectors by Gibbs sampling (Geweke, 1991, *Efficient simulation from the
multivariate normal and Student-t distributions subject to linear constraints*).

One component after the other is drawn given the rest, within its bounds. Draws start from a normal
vector moved into the bounds, which most of them were in already.
"""

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from locality._typing import FloatArray

__all__ = ["truncated_normal"]

_SWEEPS = 200
_RIDGE = 1e-10  # of the largest variance


def truncated_normal(
    mean: FloatArray,
    covariance: FloatArray,
    low: FloatArray,
    high: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Draws of one law around several means, each given its bounds.

    Parameters
    ----------
    mean : float array [n, n_draws]
    covariance : float array [n, n]
    low, high : float arrays [n, 1]
        Infinite where there is no bound.
    rng : numpy Generator

    Returns
    -------
    float array [n, n_draws]

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = truncated_normal(
    ...     np.zeros((1, 4000)), np.eye(1), np.array([[0.0]]), np.array([[np.inf]]), rng
    ... )
    >>> bool(x.min() >= 0), round(float(x.mean()), 1)  # of a half normal: 0.798
    (True, 0.8)
    """
    n = len(mean)
    covariance = covariance + _RIDGE * np.diag(covariance).max() * np.eye(n)
    noise = np.linalg.cholesky(covariance) @ rng.standard_normal(mean.shape)
    x = np.clip(mean + noise, low, high)
    precision = np.linalg.inv(covariance)
    spread = np.diag(precision) ** -0.5
    for _ in range(_SWEEPS if n > 1 else 1):
        for k in range(n):
            away = precision[k] @ (x - mean) - precision[k, k] * (x[k] - mean[k])
            center = mean[k] - away / precision[k, k]
            a, b = (low[k] - center) / spread[k], (high[k] - center) / spread[k]
            x[k] = np.clip(center + spread[k] * _between(a, b, rng), low[k], high[k])
    return x


def _between(a: FloatArray, b: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Standard normal draws between a and b, by the inverse of the distribution function.

    It is worked with in logarithms, on the side of the tail that is farther out.
    """
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    upper, lower = log_ndtr(b), log_ndtr(a)
    u = rng.random(a.shape)
    with np.errstate(divide="ignore"):
        drawn = ndtri_exp(upper + np.log(u + (1.0 - u) * np.exp(lower - upper)))
    return np.asarray(np.where(flip, -drawn, drawn))
