"""Partial correlations when values are missing: moments of the rows that each pair shares.

With masks m_p (1 where variable p was observed) and n_pq shared rows, the moments are

    Ĝ_pq = Σ_t m_pt m_qt x_pt x_qt / n_pq .

Different entries then rest on different rows, and their errors no longer cancel as they do in a
regression on complete rows, so n_pq overstates what is known. To first order a bilinear form
α' Ĝ γ whose coefficients solve the two regressions errs by the mean over rows of

    ψ_t = Σ_pq α_p γ_q w_pq m_pt m_qt (x_pt x_qt − Ĝ_pq) ,      w_pq = n / n_pq ,

and its variance is Σ_t ψ_t² / n². With nothing missing ψ is the product of the two residuals and
this is the variance of White (1980), which also allows for residuals whose size depends on other
columns. Values must be missing irrespective of what they would have been.
"""

from dataclasses import dataclass

import numpy as np

from locality._typing import FloatArray

__all__ = ["MaskedTests", "Moments", "masked_tests"]

_RIDGE = 1e-6
_LEAST_EIGENVALUE = 1e-3  # moments of different rows need not be positive definite
_MIN_PAIRED = 8


@dataclass(frozen=True, eq=False)
class Moments:
    """Variables with missing values and their second moments.

    Parameters
    ----------
    rows : float array [n_variables, n_rows]
        Of mean 0 over what was observed, and 0 where missing.
    seen : float array [n_variables, n_rows]
        1 where observed, 0 where missing.
    gram : float array [n_variables, n_variables]
        Pairwise moments; 0 where too few rows are shared.
    paired : float array [n_variables, n_variables]
        Rows that two variables share.
    """

    rows: FloatArray
    seen: FloatArray
    gram: FloatArray
    paired: FloatArray

    @classmethod
    def of(cls, rows: FloatArray, seen: FloatArray) -> "Moments":
        """Moments of rows."""
        paired = seen @ seen.T
        gram = np.where(paired < _MIN_PAIRED, 0.0, rows @ rows.T / np.maximum(paired, 1))
        gram[np.diag_indices_from(gram)] += max(
            _RIDGE, _LEAST_EIGENVALUE - float(np.linalg.eigvalsh(gram)[0])
        )
        return cls(rows, seen, gram, paired)

    def squared_influence(self, alpha: FloatArray, gamma: FloatArray) -> FloatArray:
        """Σ_t ψ_t² of α' Ĝ γ for one α [n_variables] and each column of γ [n_variables, s]."""
        n = self.rows.shape[1]
        weight = np.where(self.paired < _MIN_PAIRED, 0.0, n / np.maximum(self.paired, 1))
        here = (alpha != 0) | (gamma != 0).any(axis=1)
        x, m, w, g = self.rows[here], self.seen[here], weight[here][:, here], self.gram[here]
        a, c = alpha[here, None], gamma[here]
        score = (w @ (x * a)) * x - ((g[:, here] * w) @ (m * a)) * m
        psi = c.T @ score
        psi -= psi.mean(axis=1, keepdims=True)
        total: FloatArray = np.einsum("st,st->s", psi, psi)
        return total


@dataclass(frozen=True, eq=False)
class MaskedTests:
    """Partial correlations of one variable with others.

    Attributes
    ----------
    correlation : float array [n_others]
        Given all the rest.
    n_rows : float array [n_others]
        Rows that the two share.
    worth : float array [n_others]
        How many rows of a complete table one of them is worth, at most 1.
    residual : float array [1, n_rows]
        Of the variable, missing values at their mean.
    """

    correlation: FloatArray
    n_rows: FloatArray
    worth: FloatArray
    residual: FloatArray


def masked_tests(rows: FloatArray, seen: FloatArray) -> MaskedTests:
    """Tests of the first variable against each of the others, given the remaining ones.

    Parameters
    ----------
    rows, seen : float arrays [1 + n_others, n_rows]
        As in `Moments`.

    Returns
    -------
    MaskedTests
    """
    moments = Moments.of(rows, seen)
    n = rows.shape[1]
    inverse = np.linalg.inv(moments.gram[1:, 1:])
    slope = inverse @ moments.gram[1:, 0]
    alpha = np.append(1.0, -slope)
    left = max(float(alpha @ moments.gram[:, 0]), np.finfo(np.float64).tiny)
    size = np.diag(inverse)
    t = slope / np.sqrt(left * size)
    gamma = np.vstack([np.zeros(len(slope)), inverse])
    psi = moments.squared_influence(alpha, gamma)
    paired = np.maximum(moments.paired[0, 1:], 1.0)
    worth = left * size * n**2 / np.maximum(psi, np.finfo(np.float64).tiny) / paired
    return MaskedTests(
        t / np.sqrt(1 + t**2),
        paired,
        np.minimum(worth, 1.0),
        (alpha @ rows * seen[0])[None],
    )
