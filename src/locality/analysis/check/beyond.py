"""Beyond the neighborhood: does anything far away still matter, nonlinear ties included?

If column j depends on its neighborhood N_j only, then what N_j cannot explain of it has nothing to
do with any other column. Each column is turned into normal scores h and features φ_a(h), the
Hermite polynomials of orders 1 to 3. The features of j are regressed on those of its neighborhood
and on products of its strongest members (ridge, out of fold), and what is left, e, is multiplied
with the features of every column outside:

    t = Σ_i e_ia φ_b(h_ik) / √Σ_i e_ia² φ_b(h_ik)² ,   k ∉ N_j .

Under the hypothesis t is standard normal (the generalised covariance measure of Shah and Peters,
2020, arXiv 1804.07203, with the far side not adjusted, which costs power but not validity). Rows
that follow each other count as fewer (Bartlett). The largest |t| of a column is adjusted for all
its tests (Bonferroni) and for the number of columns (Holm). What it is worth is −½ log(1 − r²)
nats, with r the correlation of e and φ.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata
from sklearn import config_context
from sklearn.linear_model import Ridge

from locality._typing import BoolArray, Float32Array, FloatArray, IntArray

__all__ = ["FarDependence", "far_dependence", "hermite"]

_ORDERS = 3
_RIDGE = 1.0
_MAX_INPUTS = 60  # columns of a neighborhood whose features are regressed on
_MAX_PRODUCTS = 8  # members whose pairwise products are inputs too
_MAX_AUTOCORRELATION = 50
_BLOCK = 32  # columns tested together


@dataclass(frozen=True, eq=False)
class FarDependence:
    """What the columns outside each neighborhood still know.

    Parameters
    ----------
    p_value : float array [n_columns]
        Adjusted for all tests; 1 for columns whose neighborhood is everything.
    nats : float array [n_columns]
        Worth of the strongest tie.
    partner : int array [n_columns]
        Its column, -1 if there is none outside.
    """

    p_value: FloatArray
    nats: FloatArray
    partner: IntArray


def far_dependence(
    now: FloatArray,
    near: Callable[[int], FloatArray],
    outside: BoolArray,
    folds: IntArray,
    tick: Callable[[], None] = lambda: None,
) -> FarDependence:
    """Test every column against all columns outside its neighborhood.

    Parameters
    ----------
    now : float array [n_rows, n_columns]
    near : callable
        What a column sees [n_rows, n_neighbors]: its neighbors now and, for a series, the past of
        the neighborhood; the nearest first.
    outside : bool array [n_columns, n_columns]
        Which columns k lie outside the neighborhood of column j.
    folds : int array [n_rows]
    tick : callable
        Called after every column.
    """
    n, d = now.shape
    features = hermite(now).astype(np.float32)  # [n_rows, n_columns, orders]
    flat = features.reshape(n, -1)
    rho, squares = _autocorrelation(flat), flat**2
    p_value, nats, partner = np.ones(d), np.zeros(d), np.full(d, -1)
    splits = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in np.unique(folds)]
    tested = np.flatnonzero(outside.any(axis=1))
    for _ in range(d - len(tested)):
        tick()
    for block in np.split(tested, range(_BLOCK, len(tested), _BLOCK)):
        left = np.empty((n, len(block), _ORDERS), dtype=np.float32)
        for place, j in enumerate(block):
            tick()
            left[:, place] = _left_over(features[:, j], near(int(j)), splits)
        mine = left.reshape(n, -1)
        shape = len(block), _ORDERS, d, _ORDERS
        r = (mine.T @ flat / n).reshape(shape)
        spread = (mine.T**2 @ squares / n).reshape(shape)
        inflation = (1 + 2 * _autocorrelation(mine) @ rho.T).reshape(shape)
        t = np.abs(r) * np.sqrt(n / (spread * np.maximum(inflation, 1.0)))
        for place, j in enumerate(block):
            t[place][:, ~outside[j]] = -1.0
            best = np.unravel_index(int(t[place].argmax()), shape[1:])
            n_tests = int(outside[j].sum()) * _ORDERS**2
            p_value[j] = min(1.0, 2 * float(ndtr(-float(t[place][best]))) * n_tests)
            nats[j] = -0.5 * np.log1p(-min(float(r[place][best]) ** 2, 1 - 1e-12))
            partner[j] = best[1]
    order = np.argsort(p_value)
    holm = np.maximum.accumulate(p_value[order] * (d - np.arange(d)))
    p_value[order] = np.minimum(holm, 1.0)
    return FarDependence(p_value, nats, partner)


def _left_over(
    own: Float32Array, seen: FloatArray, splits: list[tuple[IntArray, IntArray]]
) -> Float32Array:
    """What a neighborhood cannot explain of the features of a column, standardized."""
    left = own - own.mean(axis=0)
    if seen.shape[1]:
        inputs = _inputs(seen, own[:, 0])
        model = Ridge(_RIDGE)
        with config_context(assume_finite=True, skip_parameter_validation=True):
            for train, test in splits:
                left[test] -= model.fit(inputs[train], own[train]).predict(inputs[test])
    left -= left.mean(axis=0)
    return np.asarray(left / np.maximum(left.std(axis=0), 1e-6))


def hermite(values: FloatArray) -> FloatArray:
    """Hermite features of normal scores, mean 0 and variance 1 [n_rows, n_columns, 3].

    Parameters
    ----------
    values : float array [n_rows, n_columns]
    """
    h = ndtri((rankdata(values, axis=0) - 0.5) / len(values))
    features = np.stack([h, h**2, h**3 - 3 * h], axis=-1)
    features -= features.mean(axis=0)
    return np.asarray(features / np.maximum(features.std(axis=0), 1e-12))


def _inputs(near: FloatArray, target: Float32Array) -> FloatArray:
    """Features of a neighborhood, and products of its members closest to the target."""
    n = len(near)
    features = hermite(near[:, :_MAX_INPUTS])
    scores = features[:, :, 0]
    close = np.argsort(-np.abs(scores.T @ target))[:_MAX_PRODUCTS]
    a, b = np.triu_indices(len(close), 1)
    products = scores[:, close[a]] * scores[:, close[b]]
    return np.hstack([features.reshape(n, -1), products])


def _autocorrelation(rows: Float32Array) -> Float32Array:
    """Autocorrelations of columns at 1, 2, … rows [n_columns, n_lags], those within noise 0."""
    n = len(rows)
    n_lags = min(_MAX_AUTOCORRELATION, n // 4)
    rho = np.stack([(rows[k:] * rows[:-k]).mean(axis=0) for k in range(1, n_lags + 1)], axis=1)
    rho[np.abs(rho) < 2 / np.sqrt(n)] = 0.0
    return np.asarray(rho)
