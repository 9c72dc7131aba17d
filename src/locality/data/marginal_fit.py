"""Choosing the law of every column: by held-out nats, and plain unless another law clearly gains.

Few values taken often are atoms, all of them: states and counts, and reals (a coarse gauge) if
their masses tell more than a smooth law would. A value taken far more often than the others, on
several occasions (zero, shut, full) is an atom beside a continuous rest. The shape of what is
continuous is the one with the lowest held-out nats over five folds; the straight one unless the
gain is 0.02 nats, and found in four of the five.
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import norm

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.folds import N_FOLDS, fold_of_row
from locality.data.kinds import Kind
from locality.data.marginal import Marginal
from locality.data.shapes import Shape

__all__ = ["fit_marginal", "spacing_of"]

_MIN_ROWS = 50
_MOST_ROWS = 2_000  # looked at to choose a shape
_FEW = 20  # distinct values that are all atoms
_OFTEN = 5  # rows per distinct value
_SHARE = 0.05  # of an atom beside a continuous rest
_FAR_MORE = 10.0  # times the median count of distinct values
_OCCASIONS = 5
_LEAST_GAIN = 0.02  # nats
_LEAST_FOLDS = 4
_NOT_GAUSSIAN = 0.01  # nats by skewness and kurtosis (Hyvärinen, 1998) below which none is tried
_EXPECTED_BEYOND = 3.0  # rows of a Gaussian beyond a bound that none crosses
_BOUNDS = (1.0, 100.0)
_SMALLEST = 1e-12
_COARSE = 0.05  # spacing over standard deviation from which whole numbers are spread


def fit_marginal(values: FloatArray, kind: Kind, *, atoms: bool = True) -> Marginal | None:
    """The law of a column.

    Parameters
    ----------
    values : float array [n_rows]
        In order of time, if there is one; NaN where missing. Not constant.
    kind : str
        Of the column.
    atoms : bool, default True
        Whether a column of reals may have atoms.

    Returns
    -------
    Marginal or None
        None if the column is best taken as it is.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> fit_marginal(rng.standard_normal(500), "real") is None
    True
    >>> fit_marginal(np.exp(rng.standard_normal(500)), "real").shape.name
    'log'
    >>> fit_marginal(rng.poisson(0.5, 500).astype(float), "integer").atoms
    array([0., 1., 2., 3.])
    """
    x = values[~np.isnan(values)]
    states = kind in ("boolean", "category")
    if len(x) < _MIN_ROWS and not states:
        return None
    low, high = _bounds(x)
    found: FloatArray = np.zeros(0)
    if states or ((atoms or kind != "real") and _repeats(x)):
        distinct, counts = np.unique(x, return_counts=True)
        if states:
            low, high = float(distinct[0]), float(distinct[-1])
        if states or _better_as_atoms(x, kind, low, high, distinct):
            masses = counts / (len(x) + 1.0)  # the rest is for values never seen
            spread = max(float(x.std()), _SMALLEST)
            return Marginal(Shape(), float(x.mean()), spread, distinct, masses, low, high)
        often = (counts >= _SHARE * len(x)) & (counts >= _FAR_MORE * np.median(counts))
        found = np.array([a for a in distinct[often] if _occasions(x == a) >= _OCCASIONS])
    rest = x[~np.isin(x, found)] if len(found) else x
    if len(rest) < _MIN_ROWS:
        return None
    shape = _best_shape(rest, kind, low, high)
    if not len(found) and shape.name == "identity" and np.isinf([low, high]).all():
        return None
    t = shape(rest)
    spread = float(t.std())
    if not (np.isfinite(spread) and spread > 0):
        return None
    masses = np.array([np.mean(x == a) for a in found])
    return Marginal(shape, float(t.mean()), spread, found, masses, low, high)


def spacing_of(values: FloatArray, kind: Kind) -> float:
    """Distance of neighboring whole numbers over which fitting spreads a column, 0 if none.

    Parameters
    ----------
    values : float array [n_rows]
    kind : str
    """
    if kind != "integer":
        return 0.0
    return 1.0 if _COARSE * np.nanstd(values) < 1.0 else 0.0


def _repeats(x: FloatArray) -> bool:
    """Whether a few rows promise atoms."""
    part = x[:: max(1, len(x) // _MOST_ROWS)]
    _, counts = np.unique(part, return_counts=True)
    return len(counts) <= _FEW or counts.max() >= 0.5 * _SHARE * len(part)


def _occasions(at: BoolArray) -> int:
    """Runs of consecutive rows."""
    return int(at[0]) + int(np.count_nonzero(at[1:] & ~at[:-1]))


def _bounds(x: FloatArray) -> tuple[float, float]:
    """Evident bounds: a Gaussian would have crossed them, the column never did."""
    low, high = -np.inf, np.inf
    mean, std, n = float(x.mean()), float(x.std()), len(x)
    if not std > 0:
        return low, high
    least, most = float(x.min()), float(x.max())
    crossed = n * norm.cdf(-mean / std)
    if least >= 0 and (crossed >= _EXPECTED_BEYOND or least == 0):
        low = 0.0
        for bound in _BOUNDS:
            if most <= bound and (
                n * norm.sf((bound - mean) / std) >= _EXPECTED_BEYOND or most == bound
            ):
                high = bound
                break
    return low, high


def _best_shape(x: FloatArray, kind: Kind, low: float, high: float) -> Shape:
    if len(x) > _MOST_ROWS:
        x = x[np.linspace(0, len(x) - 1, _MOST_ROWS).astype(np.int64)]
    z = x - x.mean()
    variance = float(np.mean(z**2))
    if not variance > 0:
        return Shape()
    skewness, kurtosis = np.mean(z**3) / variance**1.5, np.mean(z**4) / variance**2 - 3.0
    if skewness**2 / 12 + kurtosis**2 / 48 < _NOT_GAUSSIAN:
        return Shape()
    fold = fold_of_row(len(x))
    plain = _held_out(Shape(), x, fold)
    best, best_nats = Shape(), np.inf
    for shape in _candidates(x, kind, low, high):
        nats = _held_out(shape, x, fold)
        if _gains(nats, plain) and nats.mean() < best_nats:
            best, best_nats = shape, float(nats.mean())
    return best


def _gains(nats: FloatArray, plain: FloatArray) -> bool:
    """Whether one law is clearly better than another, fold by fold [n_folds]."""
    gain = plain - nats
    return bool(gain.mean() > _LEAST_GAIN and np.count_nonzero(gain > 0) >= _LEAST_FOLDS)


def _better_as_atoms(
    x: FloatArray, kind: Kind, low: float, high: float, distinct: FloatArray
) -> bool:
    """Whether masses of a few values beat a smooth density taken over their distance."""
    if len(distinct) > _FEW or len(x) < _OFTEN * len(distinct):
        return False
    if len(distinct) == 2 or kind == "integer":
        return True
    fold = fold_of_row(len(x))
    smooth = _held_out(_best_shape(x, kind, low, high), x, fold)
    code = np.searchsorted(distinct, x)
    masses = np.empty(N_FOLDS)
    for k in range(N_FOLDS):
        inside = fold == k
        counts = np.bincount(code[~inside], minlength=len(distinct)) + 1.0 / len(distinct)
        masses[k] = -np.mean(np.log(counts / counts.sum())[code[inside]])
    return _gains(masses + np.log(np.diff(distinct).min()), smooth)


def _candidates(x: FloatArray, kind: Kind, low: float, high: float) -> Iterator[Shape]:
    least = float(x.min())
    if kind == "integer" and least >= 0:
        yield Shape("log", -1.0, 0.0)
    elif least > 0:
        yield Shape("log", 0.0, 1.0)
    if np.isfinite(low) and np.isfinite(high) and least > low and x.max() < high:
        yield Shape("logit", low, high)
    middle = float(np.median(x))
    width = float(np.subtract(*np.quantile(x, [0.75, 0.25]))) / 1.349
    if width > 0:
        for factor in (0.3, 1.0, 3.0):
            yield Shape("asinh", middle, factor * width)


def _held_out(shape: Shape, x: FloatArray, fold: IntArray) -> FloatArray:
    """Mean nats of every fold by the others' mean and variance."""
    t, slope = shape(x), shape.log_slope(x)
    nats = np.empty(N_FOLDS)
    for k in range(N_FOLDS):
        inside = fold == k
        others = t[~inside]
        mean, variance = others.mean(), max(float(others.var()), 1e-300)
        z2 = (t[inside] - mean) ** 2 / variance
        nats[k] = np.mean(0.5 * (np.log(2 * np.pi * variance) + z2) - slope[inside])
    return nats
