"""Rivals of a local model: every column alone, one Gaussian of everything, a few global factors.

A local model is judged by what others would know on the same held-out rows. All rivals are
Gaussian, so that their nats are known row by row and noise band by noise band: with eigenvalues λ_k
of the covariance (given the past, for a series) and z the rotated row, the surprise of the whole
row gathered between the signal-to-noise ratios s₀ and s₁ is

    ½ Σ_k [ log((1 + λ_k s)/(1 + s)) + 1/(1 + λ_k s) + z_k² s/(1 + λ_k s) ]  from s₀ to s₁

(I-MMSE with the exact global denoiser; Kong, Brekelmans, Ver Steeg, 2023, arXiv 2302.03792).
"""

import warnings
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import ConvergenceWarning

from locality._typing import FloatArray, IntArray
from locality.analysis.check.trials import HeldOut
from locality.noise.levels import BAND_EDGES

__all__ = ["Setting", "factors", "independent", "lagged", "shrunk"]

_Fit: TypeAlias = Callable[[FloatArray, int], FloatArray]  # covariance of rows without a fold

Setting: TypeAlias = tuple[int, float]
SHRINKAGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6)
_WIDE = 300
_TARGET_FACTORS = 8
_LOG_2PI = float(np.log(2.0 * np.pi))


def lagged(z: FloatArray, lags: int) -> FloatArray:
    """Rows beside their past [n_rows - lags, n_columns · (lags + 1)], the present first."""
    n = len(z) - lags
    return np.hstack([z[lags - k : lags - k + n] for k in range(lags + 1)])


def independent(rows: FloatArray, d: int, folds: IntArray) -> HeldOut:
    """Every column alone; for a series, given its own past."""

    def fit(train: FloatArray, fold: int) -> FloatArray:
        return np.diag(np.maximum((train**2).mean(axis=0), 1e-9))

    return _given_own_past(rows, d, folds, fit)


def shrunk(
    rows: FloatArray, d: int, folds: IntArray, setting: Setting | None = None
) -> tuple[HeldOut, Setting]:
    """One Gaussian of all columns, shrunk to independence or to a few factors, as nats say.

    The best of several strengths and two targets on the same folds (in wide tables of fewer, on
    the first fold): the comparison leans to the rival's side. The second target keeps columns that
    are nearly equal, which a shrunk covariance loses.

    Parameters
    ----------
    rows, d, folds
    setting : (int, float), optional
        Factors of the target and strength, if they are known.

    Returns
    -------
    held_out : HeldOut
    setting : (int, float)
    """
    wide = rows.shape[1] > _WIDE
    every = np.unique(folds)

    def goals(n_factors: int, which: IntArray) -> dict[int, FloatArray]:
        if not n_factors:
            return dict.fromkeys(which.tolist(), np.eye(rows.shape[1]))
        trains = {f: rows[folds != f] for f in which.tolist()}
        return {f: _factor_covariance(t - t.mean(axis=0), n_factors) for f, t in trains.items()}

    if setting is None:
        trial = every[:1] if wide else every
        best = np.inf
        for n_factors in (0, min(_TARGET_FACTORS, rows.shape[1] // 3)):
            targets = goals(n_factors, trial)
            for gamma in SHRINKAGES[2::3] if wide else SHRINKAGES:
                found = _cross_validated(rows, d, folds, _mixture(gamma, targets), trial)
                nats = float(np.nanmean(found.nats))
                if nats < best:
                    best, setting, winner = nats, (n_factors, gamma), found
        if not wide and setting is not None:
            return winner, setting
    assert setting is not None
    n_factors, gamma = setting
    mixture = _mixture(gamma, goals(n_factors, every))
    return _cross_validated(rows, d, folds, mixture), setting


def _mixture(gamma: float, goals: dict[int, FloatArray]) -> "_Fit":
    def fit(train: FloatArray, fold: int) -> FloatArray:
        return np.asarray((1.0 - gamma) * (train.T @ train / len(train)) + gamma * goals[fold])

    return fit


def factors(rows: FloatArray, d: int, folds: IntArray, n_factors: int) -> HeldOut:
    """A few global factors and independent noise (maximum likelihood), nothing else.

    For a series, of what is new in every column given its own past.
    """
    return _given_own_past(rows, d, folds, lambda train, fold: _factor_covariance(train, n_factors))


def _given_own_past(rows: FloatArray, d: int, folds: IntArray, fit: _Fit) -> HeldOut:
    """Nats of what is new in every column given its own past."""
    n_lags = rows.shape[1] // d - 1
    if not n_lags:
        return _cross_validated(rows, d, folds, fit)
    new = np.empty((len(rows), d))
    bands = np.empty((len(rows), len(BAND_EDGES) - 1))
    for fold in np.unique(folds):
        out = folds == fold
        center = rows[~out].mean(axis=0)
        for j in range(d):
            own = rows[:, j::d] - center[j::d]
            past, now = own[:, 1:], own[:, 0]
            gram = past[~out].T @ past[~out] + 1e-6 * len(rows) * np.eye(n_lags)
            new[:, j] = now - past @ np.linalg.solve(gram, past[~out].T @ now[~out])
        bands[out] = _gaussian_bands(fit(new[~out], int(fold)), new[out], d)
    return HeldOut(bands)


def _factor_covariance(train: FloatArray, n_factors: int) -> FloatArray:
    method = "randomized" if train.shape[1] > 100 else "lapack"
    model = FactorAnalysis(n_factors, tol=1e-3, max_iter=200, svd_method=method, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough for a rival
        covariance: FloatArray = model.fit(_compressed(train)).get_covariance()
        return covariance


def _compressed(rows: FloatArray) -> FloatArray:
    """Fewer rows with the same mean and covariance, where there are many."""
    n, d = rows.shape
    if n <= 2 * d:
        return rows
    centered = rows - rows.mean(axis=0)
    values, vectors = np.linalg.eigh(centered.T @ centered / n)
    root = np.sqrt(d * np.maximum(values, 0.0))[:, None] * vectors.T
    return np.vstack([root, -root])


def _cross_validated(
    rows: FloatArray,
    d: int,
    folds: IntArray,
    fit: _Fit,
    which: IntArray | None = None,
) -> HeldOut:
    """Nats of every row; NaN in folds other than ``which``."""
    bands = np.full((len(rows), len(BAND_EDGES) - 1), np.nan)
    for fold in np.unique(folds) if which is None else which:
        out = folds == fold
        train = rows[~out]
        center = train.mean(axis=0)
        bands[out] = _gaussian_bands(fit(train - center, int(fold)), rows[out] - center, d)
    return HeldOut(bands)


def _gaussian_bands(covariance: FloatArray, rows: FloatArray, d: int) -> FloatArray:
    """Surprise of the first d entries of each row, given the others, by noise band."""
    now, past = covariance[:d, :d], covariance[d:, d:]
    residual = rows[:, :d]
    if len(covariance) > d:
        gain = np.linalg.solve(past, covariance[d:, :d]).T
        now = now - gain @ covariance[d:, :d]
        residual = residual - rows[:, d:] @ gain.T
    values, vectors = np.diag(now), None
    if np.count_nonzero(now) > d:
        values, vectors = np.linalg.eigh(0.5 * (now + now.T))
    values = np.maximum(values, 1e-9)
    squares = (residual if vectors is None else residual @ vectors) ** 2
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
