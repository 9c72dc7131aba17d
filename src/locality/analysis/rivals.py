"""Rivals of a local model: every column alone, one Gaussian of everything, a few global factors.

A local model is judged by what others would know on the same held-out rows. All rivals are
Gaussian, so that their nats are known row by row and noise band by noise band: with eigenvalues λ_k
of the covariance (given the past, for a series) and z the rotated row, the surprise of the whole
row gathered between the signal-to-noise ratios s₀ and s₁ is

    ½ Σ_k [ log((1 + λ_k s)/(1 + s)) + 1/(1 + λ_k s) + z_k² s/(1 + λ_k s) ]  from s₀ to s₁

(I-MMSE with the exact global denoiser; Kong, Brekelmans, Ver Steeg, 2023, arXiv 2302.03792).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import FactorAnalysis

from locality._typing import FloatArray, IntArray
from locality.noise.levels import BAND_EDGES

__all__ = ["Rival", "factors", "independent", "lagged", "shrunk"]

SHRINKAGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6)
_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class Rival:
    """Held-out nats of one rival.

    Parameters
    ----------
    name : str
    nats : float array [n_rows]
        Of each row, held out once; standardized units.
    bands : float array [n_rows, n_bands]
        The same by noise band.
    """

    name: str
    nats: FloatArray
    bands: FloatArray


def lagged(z: FloatArray, lags: int) -> FloatArray:
    """Rows beside their past [n_rows - lags, n_columns · (lags + 1)], the present first."""
    n = len(z) - lags
    return np.hstack([z[lags - k : lags - k + n] for k in range(lags + 1)])


def independent(rows: FloatArray, d: int, folds: IntArray) -> Rival:
    """Every column alone, without its past."""
    own = rows[:, :d]

    def fit(train: FloatArray) -> FloatArray:
        return np.diag(np.maximum((train**2).mean(axis=0), 1e-9))

    return Rival("independent", *_cross_validated(own, d, folds, fit))


def shrunk(rows: FloatArray, d: int, folds: IntArray) -> Rival:
    """One Gaussian of all columns, its covariance shrunk to the identity as held-out nats say.

    The best of eight strengths on the same folds: the comparison leans to the rival's side.
    """
    best: Rival | None = None
    for gamma in SHRINKAGES:

        def fit(train: FloatArray, gamma: float = gamma) -> FloatArray:
            c = train.T @ train / len(train)
            return (1.0 - gamma) * c + gamma * np.eye(len(c))

        found = Rival("global", *_cross_validated(rows, d, folds, fit))
        if best is None or found.nats.mean() < best.nats.mean():
            best = found
    assert best is not None
    return best


def factors(rows: FloatArray, d: int, folds: IntArray, n_factors: int) -> Rival:
    """A few global factors and independent noise (maximum likelihood), nothing else."""

    def fit(train: FloatArray) -> FloatArray:
        method = "randomized" if rows.shape[1] > 100 else "lapack"
        model = FactorAnalysis(n_factors, tol=1e-3, max_iter=300, svd_method=method, random_state=0)
        return np.asarray(model.fit(train).get_covariance())

    return Rival(f"{n_factors} factors", *_cross_validated(rows, d, folds, fit))


def _cross_validated(
    rows: FloatArray, d: int, folds: IntArray, fit: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    bands = np.empty((len(rows), len(BAND_EDGES) - 1))
    for fold in np.unique(folds):
        out = folds == fold
        train = rows[~out]
        center = train.mean(axis=0)
        bands[out] = _gaussian_bands(fit(train - center), rows[out] - center, d)
    return bands.sum(axis=1), bands


def _gaussian_bands(covariance: FloatArray, rows: FloatArray, d: int) -> FloatArray:
    """Surprise of the first d entries of each row, given the others, by noise band."""
    now, past = covariance[:d, :d], covariance[d:, d:]
    residual = rows[:, :d]
    if len(covariance) > d:
        gain = np.linalg.solve(past, covariance[d:, :d]).T
        now = now - gain @ covariance[d:, :d]
        residual = residual - rows[:, d:] @ gain.T
    values, vectors = np.linalg.eigh(0.5 * (now + now.T))
    values = np.maximum(values, 1e-9)
    squares = (residual @ vectors) ** 2
    reached = []
    for edge in BAND_EDGES:
        if edge == 0.0:
            constant, slope = np.log(values).sum(), 1.0 / values
        else:
            s = edge**-2.0
            slope = s / (1.0 + values * s)
            constant = (np.log1p(values * s) - np.log1p(s) + 1.0 / (1.0 + values * s)).sum()
        reached.append(0.5 * (constant + squares @ slope))
    bands = np.diff(np.stack(reached, axis=1), axis=1)
    bands[:, 0] += 0.5 * d * (_LOG_2PI + 1.0)
    return np.asarray(bands)
