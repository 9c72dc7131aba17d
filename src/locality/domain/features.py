"""Features of a column that do not depend on its units: functions of ranks.

With u the share of rows below a value, the features of a column are

    order 1: Φ⁻¹(u), the normal score;   order k ≥ 2: √(2k + 1) P_k(2u − 1), Legendre polynomials,

orders 2 and 3 made orthogonal to the orders before and standardized. Order 1 makes Gaussian
dependence linear whatever the units; the others are bounded, so that products of two of them have
averages that are normal far into their tails, which Hermite polynomials (order 2: a chi-square)
have not. Order 2 sees whether a value is extreme, order 3 on which side and how.

Further "orders" 4 to 10 are the bends |u − k/8|, k = 1 … 7. They are only conditioned on, never
tested: with them a regression follows any curve closely enough to take away what it explains.

Tied values share their mean rank. A feature that is a function of those before it (all of order
2 in a column of two values) is 0.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import eval_legendre, ndtr, ndtri
from scipy.stats import rankdata

from locality._typing import BoolArray, Float32Array, FloatArray

__all__ = ["BENDS", "ORDERS", "RankFeatures", "legendre", "rank_features"]

ORDERS = (1, 2, 3)
BENDS = tuple(range(4, 11))
_LEAST_POWER = 1e-3


@dataclass(frozen=True, eq=False)
class RankFeatures:
    """Features of all columns; mean 0 and variance 1 over what was observed, 0 where missing.

    Attributes
    ----------
    scores : float array [n_columns, n_rows]
        Order 1.
    curved : tuple of float32 arrays [n_columns, n_rows]
        Orders 2 and 3.
    observed : bool array [n_columns, n_rows] or None
        None if nothing is missing.
    """

    scores: FloatArray
    curved: tuple[Float32Array, Float32Array]
    observed: BoolArray | None

    def row(self, column: int, order: int) -> FloatArray:
        """One feature [n_rows]; bends are made on demand."""
        made: FloatArray
        if order == 1:
            made = self.scores[column]
        elif order in ORDERS:
            made = self.curved[order - 2][column].astype(np.float64)
        else:
            made = self._bend(column, order)
        return made

    def _bend(self, column: int, order: int) -> FloatArray:
        """|u − knot| less its mean over u, for equally spaced knots."""
        knot = (order - BENDS[0] + 1) / (len(BENDS) + 1)
        mean = (knot**2 + (1 - knot) ** 2) / 2
        made: FloatArray = 4 * (np.abs(ndtr(self.scores[column]) - knot) - mean)
        return made if self.observed is None else made * self.observed[column]


def legendre(scores: FloatArray, order: int) -> FloatArray:
    """The feature of an order, not made orthogonal, from normal scores."""
    return _legendre(ndtr(scores), order)


def _legendre(u: FloatArray, order: int) -> FloatArray:
    found: FloatArray = np.sqrt(2 * order + 1) * eval_legendre(order, 2 * u - 1)
    return found


def rank_features(values: FloatArray) -> RankFeatures:
    """Features of the columns of a table.

    Parameters
    ----------
    values : float array [n_rows, n_columns]
        Missing values are NaN. Every column has at least two distinct values.

    Returns
    -------
    RankFeatures
    """
    n_rows, n_columns = values.shape
    seen = np.isfinite(values.T)
    scores = np.zeros((n_columns, n_rows))
    second = np.zeros((n_columns, n_rows), dtype=np.float32)
    third = np.zeros((n_columns, n_rows), dtype=np.float32)
    for j in range(n_columns):
        at = seen[j]
        u = (rankdata(values[at, j]) - 0.5) / at.sum()
        basis = [np.ones(len(u))]
        for order in ORDERS:
            raw = ndtri(u) if order == 1 else _legendre(u, order)
            basis.append(_orthogonal(raw, basis))
        scores[j, at], second[j, at], third[j, at] = basis[1:]
    return RankFeatures(scores, (second, third), None if seen.all() else seen)


def _orthogonal(raw: FloatArray, basis: list[FloatArray]) -> FloatArray:
    """What a feature adds to a standardized basis, standardized; 0 if nothing."""
    left = raw
    for known in basis:
        left = left - known * (left @ known / len(left))
    power = left @ left / len(left)
    return left / np.sqrt(power) if power > _LEAST_POWER else np.zeros(len(left))
