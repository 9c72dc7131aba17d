"""Levels: how often normal rows are as high, and beyond the highest of them.

A p-value is the share of normal rows that are at least as high (conformal: Vovk, Gammerman, Shafer,
2005). Beyond their 95 % quantile the excesses have an exponential law, whose mean is known from k
runs of
them: the predictive tail, which allows for their number, is (1 + excess/(k mean))^−k. Its
logarithm is kept, so that no two values far away are the same.
"""

import numpy as np

from locality._typing import FloatArray

__all__ = ["error_of", "levels_of", "log_p_values"]

_TAIL = 0.95
_KEPT = 400


def levels_of(values: FloatArray) -> FloatArray:
    """What is to be known of normal rows [n_channels, n_kept + 3].

    Parameters
    ----------
    values : float array [n_channels, n_rows]
        In order of time: excesses in a row count once.
    """
    ascending = np.sort(values, axis=1)
    n = ascending.shape[1]
    at = int(_TAIL * (n - 1))
    edge, tail = ascending[:, at], ascending[:, at + 1 :]
    ranks = np.linspace(0, at, min(_KEPT, at + 1)).astype(int)
    mean = tail.mean(axis=1) - edge if tail.shape[1] else np.zeros(len(values))
    above = values > edge[:, None]
    count = np.maximum((above[:, 1:] & ~above[:, :-1]).sum(axis=1) + above[:, 0], 1.0)
    ends = np.stack([np.full(len(values), float(n)), mean, count], axis=1)
    return np.concatenate([ascending[:, ranks], ends], axis=1)


def error_of(levels: FloatArray, share: float) -> float:
    """Standard error of a share of normal rows: excesses in a row count as one.

    Parameters
    ----------
    levels : float array [1, n_kept + 3]
    share : float
    """
    n, _, count = levels[0, -3:]
    independent = max(min(count / (1.0 - _TAIL), n), 1.0)
    return float(np.sqrt(share * (1.0 - share) / independent))


def log_p_values(levels: FloatArray, values: FloatArray) -> FloatArray:
    """Logarithms of p-values [n_channels, n_rows].

    Parameters
    ----------
    levels : float array [n_channels, n_kept + 3]
        From ``levels_of``.
    values : float array [n_channels, n_rows]

    Examples
    --------
    >>> levels = levels_of(np.random.default_rng(0).permutation(1_000)[None] + 0.0)
    >>> np.round(np.exp(log_p_values(levels, np.array([[500.0, 989.5]]))), 2)
    array([[0.5 , 0.01]])
    """
    body, (n, mean, count) = levels[:, :-3], levels[:, -3:].T[:, :, None]
    last = int(_TAIL * (n[0, 0] - 1.0))  # the same number of rows behind all of them
    rank = np.linspace(0.0, last, body.shape[1])
    place = np.empty(values.shape)
    for k, known in enumerate(body):
        first = np.minimum(np.searchsorted(known, values[k]), len(known) - 1)
        between = np.interp(values[k], known, rank, left=-1.0)
        place[k] = np.where(known[first] == values[k], rank[first], between)  # all that are equal
    excess = np.maximum(values - body[:, -1:], 0.0)
    share = (n - np.where(excess > 0.0, last, place)) / (n + 1.0)
    share = np.where((excess > 0.0) & (mean == 0.0), 1.0 / (n + 1.0), share)
    beyond = count * np.log1p(excess / np.where(mean > 0.0, count * mean, np.inf))
    return np.asarray(np.minimum(np.log(share) - beyond, 0.0))
