"""The local Gaussian: the best linear denoiser of a component from its patch, in closed form.

Let the noisy slots of a patch have covariance C = U Λ Uᵀ given the clean (given) slots g, and mean
B g. With y = x + σε, the component in slot 0 and u = U[0, :],

    D⁰(y) = (B g)_0 + w(σ)ᵀ (y − B g) ,   w(σ) = U diag(λ / (λ + σ²)) u ,
    v(σ)  = Σ_k u_k² λ_k σ² / (λ_k + σ²)                      (its error variance).

One eigendecomposition serves every σ. Put into the I-MMSE relation (Kong, Brekelmans, Ver Steeg,
2023, arXiv 2302.03792) the denoising error integrates in closed form as well: the **surprise** is
a quadratic form of the patch residual z = Uᵀ (x − B g),

    ℓ = ½ log 2π + ½ Σ_k u_k² log λ_k + ½ Σ_kl u_k u_l A_kl z_k z_l ,
    A_kl = ∫ d snr / ((1 + λ_k snr)(1 + λ_l snr)) = log(λ_k / λ_l) / (λ_k − λ_l) ,

so its mean over rows needs only their second moments. If every patch is the whole state, the sum
over components is exactly −log p(x).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.local.patches import Patches
from locality.noise.levels import BAND_EDGES

__all__ = ["LocalGaussian", "present_slots"]

_FLOOR = 1e-9  # of an eigenvalue, total variance being 1
_NEAR = 1e-6  # relative gap below which eigenvalues count as equal
_DIGITS = 40.0  # natural logarithm of the accuracy of an integral: that of rounding
_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class LocalGaussian:
    """Closed-form linear denoisers of some units, one per boundary class.

    Parameters
    ----------
    eigenvalues : float array [n_units, n_classes, n_noisy]
    eigenvectors : float array [n_units, n_classes, n_noisy, n_noisy]
        Columns are eigenvectors; slot 0 is the component itself.
    regression : float array [n_units, n_classes, n_noisy, n_given]
        B, the mean of the noisy slots per unit of the given ones.
    """

    eigenvalues: FloatArray
    eigenvectors: FloatArray
    regression: FloatArray

    @classmethod
    def fit(
        cls, covariance: FloatArray, n_noisy: int, present: BoolArray, shrinkage: FloatArray
    ) -> "LocalGaussian":
        """From covariances of patches.

        Parameters
        ----------
        covariance : float array [n_units, n_slots, n_slots]
            Noisy slots first.
        n_noisy : int
            Number of noisy slots.
        present : bool array [n_units, n_classes, n_slots]
            False for padding and slots outside the lattice; these are decoupled.
        shrinkage : float array [n_units]
            Weight of the identity, in [0, 1].
        """
        n_slots = covariance.shape[-1]
        eye = np.eye(n_slots)
        gamma = shrinkage[:, None, None]
        shrunk = ((1.0 - gamma) * covariance + gamma * eye)[:, None]
        both = present[:, :, :, None] & present[:, :, None, :]
        shrunk = np.where(both, shrunk, eye)
        noisy, cross = shrunk[..., :n_noisy, :n_noisy], shrunk[..., :n_noisy, n_noisy:]
        regression = cross
        if n_slots > n_noisy:
            ridge = shrunk[..., n_noisy:, n_noisy:] + _FLOOR * eye[n_noisy:, n_noisy:]
            solved = np.linalg.solve(ridge, cross.swapaxes(-1, -2)).swapaxes(-1, -2)
            regression = np.asarray(solved, dtype=np.float64)
            noisy = noisy - regression @ cross.swapaxes(-1, -2)
            noisy = 0.5 * (noisy + noisy.swapaxes(-1, -2))
        values, vectors = np.linalg.eigh(noisy)
        return cls(np.maximum(values, _FLOOR), vectors, regression)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.eigenvalues)

    @property
    def n_classes(self) -> int:
        """Number of boundary classes."""
        return int(self.eigenvalues.shape[1])

    @property
    def loading(self) -> FloatArray:
        """u, the component's row of the eigenvectors [n_units, n_classes, n_noisy]."""
        return self.eigenvectors[:, :, 0, :]

    @property
    def conditional_scale(self) -> FloatArray:
        """Standard deviation of each component given its patch [n_units, n_classes]."""
        return np.asarray((self.loading**2 / self.eigenvalues).sum(-1) ** -0.5)

    @property
    def prediction(self) -> FloatArray:
        """Weight of every slot in E[x_j | all other slots] [n_units, n_classes, n_slots].

        With Q = U Λ⁻¹ Uᵀ the precision of the noisy slots, x_0 is expected at
        (B g)_0 − Σ_k Q_0k (x_k − (B g)_k)/Q_00, with variance 1/Q_00 (``conditional_scale``²). The
        component's own slot weighs zero.
        """
        precision = (self.eigenvectors @ (self.loading / self.eigenvalues)[..., None])[..., 0]
        noisy = -precision / precision[..., :1]
        noisy[..., 0] = 0.0
        given = self.regression[:, :, 0] - (noisy[..., None, :] @ self.regression)[..., 0, :]
        return np.concatenate([noisy, given], axis=-1)

    def take(self, units: IntArray) -> "LocalGaussian":
        """Some units only."""
        return LocalGaussian(
            self.eigenvalues[units], self.eigenvectors[units], self.regression[units]
        )

    def rearranged(self, noisy: IntArray, given: IntArray) -> "LocalGaussian":
        """The same Gaussians with their slots in another order.

        Parameters
        ----------
        noisy, given : int arrays [n_units, n_noisy], [n_units, n_given]
            Which slot comes to each place.
        """
        unit = np.arange(self.n_units)[:, None]
        vectors = self.eigenvectors.swapaxes(1, 2)[unit, noisy].swapaxes(1, 2)
        regression = self.regression.swapaxes(1, 2)[unit, noisy].swapaxes(1, 2)
        regression = regression.transpose(0, 3, 1, 2)[unit, given].transpose(0, 2, 3, 1)
        return LocalGaussian(self.eigenvalues, vectors, regression)

    def in_classes(self, classes: IntArray) -> "LocalGaussian":
        """Some boundary classes only."""
        return LocalGaussian(
            self.eigenvalues[:, classes],
            self.eigenvectors[:, classes],
            self.regression[:, classes],
        )

    def weights(self, sigma: FloatArray) -> FloatArray:
        """Weight of every slot in D⁰ [n_units, n_classes, n_slots, n_levels].

        Parameters
        ----------
        sigma : float array [n_units, n_levels]
            Levels of each unit.
        """
        variance = sigma[:, None, None, :] ** 2
        values = self.eigenvalues[..., None]
        gain = self.loading[..., None] * values / (values + variance)
        noisy = self.eigenvectors @ gain
        given = self.regression[:, :, 0, :, None] - self.regression.swapaxes(-1, -2) @ noisy
        return np.concatenate([noisy, given], axis=2)

    def variance(self, sigma: FloatArray) -> FloatArray:
        """Error variance v of D⁰ [n_units, n_classes, n_levels] at levels [n_units, n_levels]."""
        variance = sigma[:, None, None, :] ** 2
        values = self.eigenvalues[..., None]
        power = self.loading[..., None] ** 2
        return np.asarray((power * values * variance / (values + variance)).sum(axis=2))

    def expected_surprises(
        self,
        covariance: FloatArray,
        centers: IntArray | None = None,
        shrinkages: tuple[float, ...] = (0.0,),
    ) -> FloatArray:
        """Mean surprise, by noise band, over rows with these second moments; first class.

        Shrinking moves eigenvalues, λ → (1 − γ)λ + γ, and leaves eigenvectors alone, so that
        several strengths need no further decomposition; nor do other noisy slots in place of the
        first one. With r_kl the second moments of u_k z_k and u_l z_l,

            Σ_kl r_kl log(λ_k/λ_l)/(λ_k − λ_l) = 2 Σ_k log λ_k Σ_l r_kl/(λ_k − λ_l) ,

        which takes logarithms of p numbers instead of p².

        Parameters
        ----------
        covariance : float array [n_units, n_slots, n_slots]
            Of held-out rows; noisy slots first.
        centers : int array [n_units, n_centers], optional
            Noisy slots whose surprise is asked for; slot 0 by default.
        shrinkages : tuple of float
            Further shrinkage. Other than zero only for a fit without given slots.

        Returns
        -------
        float array [n_shrinkages, n_bands, n_units, n_centers]
        """
        n, n_units = self.eigenvalues.shape[-1], self.n_units
        values, vectors = self.eigenvalues[:, 0], self.eigenvectors[:, 0]
        residual = covariance[:, :n, :n]
        if covariance.shape[-1] > n:
            b = self.regression[:, 0]
            cross = b @ covariance[:, n:, :n]
            residual = residual - cross - cross.swapaxes(1, 2)
            residual = residual + b @ covariance[:, n:, n:] @ b.swapaxes(1, 2)
        r = vectors.swapaxes(1, 2) @ residual @ vectors
        gap = values[:, None, :] - values[:, :, None]
        near = np.abs(gap) <= _NEAR * np.maximum(values[:, :, None], values[:, None, :])
        alike = np.where(near, r, 0.0)
        np.divide(r, gap, out=r, where=~near)
        r[near] = 0.0
        slot = np.zeros((n_units, 1), dtype=np.int64) if centers is None else centers
        u = vectors[np.arange(n_units)[:, None], slot]
        loads = np.concatenate([u**2, u * (u @ r), u * (u @ alike)], axis=2)
        gamma = np.array(shrinkages)[:, None]
        moved = np.maximum((1.0 - gamma) * values[:, :, None, None] + gamma, _FLOOR)
        snr = np.array([np.inf if edge == 0.0 else edge**-2.0 for edge in BAND_EDGES])
        weights = _reached(moved, snr)  # [n_units, n, n_shrinkages, n_edges] each
        weights[1] *= 2.0 / (1.0 - gamma)
        table = np.concatenate(weights, axis=1).reshape(n_units, 3 * n, -1)
        reached = (0.5 * loads @ table).reshape(n_units, -1, len(gamma), len(snr))
        result = np.diff(reached, axis=3)
        result[..., 0] += 0.5 * (_LOG_2PI + 1.0)
        return result.transpose(2, 3, 0, 1)

    def factor(self, upper: float, lower: float) -> tuple[FloatArray, FloatArray]:
        """Surprise gathered between two noise levels, as constant + ½ |Hᵀ p|² of a patch p.

        A_kl is integrated by Gauss and Legendre's rule in τ = log (1 + b snr)/(1 + a snr), where
        all eigenvalues lie between a and b: poles of the integrand lie at |Im τ| = π, so that the
        rule converges geometrically, here to rounding, with a number of points that grows with
        the logarithm of b/a and not with the patch.

        Parameters
        ----------
        upper, lower : float
            ∞ ≥ upper > lower ≥ 0. What starts at ∞ carries the constant ½ log 2πe, so that
            pieces which tile (∞, 0) add up to the whole.

        Returns
        -------
        constant : float array [n_units, n_classes]
        factor : float array [n_units, n_classes, n_slots, n_points]
            H.
        """
        values, u = self.eigenvalues, self.loading
        start = 0.0 if np.isinf(upper) else upper**-2.0
        stop = lower**-2.0 if lower else np.inf
        constant = 0.5 * (u**2 * (_antiderivative(values, stop) - _antiderivative(values, start)))
        constant = constant.sum(-1) + (0.5 * (_LOG_2PI + 1.0) if start == 0.0 else 0.0)
        low, high = 0.5 * values[..., :1], 2.0 * values[..., -1:]  # ascending; ends never meet
        first, last = (
            np.log(high / low if np.isinf(snr) else (1.0 + high * snr) / (1.0 + low * snr))
            for snr in (start, stop)
        )
        x, w = _rule(float((last - first).max(initial=0.0)))
        m = np.exp(first + (last - first) * x)  # [n_units, n_classes, n_points]
        weight = np.sqrt(w * (last - first) * m * (high - low))
        below, above = (high - values)[..., None], (values - low)[..., None]
        spectrum = u[..., None] * weight[..., None, :] / (below + above * m[..., None, :])
        noisy = self.eigenvectors @ spectrum
        return constant, np.concatenate([noisy, -self.regression.swapaxes(-1, -2) @ noisy], axis=-2)


@lru_cache(maxsize=256)
def _rule(length: float) -> tuple[FloatArray, FloatArray]:
    """Points and weights on (0, 1) for functions that are analytic where |Im| < π/length."""
    ratio = 2.0 * np.pi / max(length, 1.0)
    n = int(np.ceil(_DIGITS / (2.0 * np.arcsinh(ratio))))
    x, w = np.polynomial.legendre.leggauss(n)
    return 0.5 * (x + 1.0), 0.5 * w


def _reached(values: FloatArray, snr: FloatArray) -> list[FloatArray]:
    """What is gathered up to signal-to-noise ratios, the last one infinite: factors of u_k², of
    Σ_l r_kl/(λ_k − λ_l), and of r_kl where eigenvalues are equal.
    """
    below = snr[:-1]
    scaled = 1.0 + values * below
    log, inverse = np.log(scaled), 1.0 / scaled
    limit = np.log(values)
    return [
        np.concatenate([log + inverse - np.log1p(below), limit], axis=-1),
        np.concatenate([log, limit], axis=-1),
        np.concatenate([below * inverse, 1.0 / values], axis=-1),
    ]


def _antiderivative(values: FloatArray, snr: float) -> FloatArray:
    """∫ [λ² snr/(1 + λ snr)² − 1/(1 + snr)] d snr; one at snr = 0."""
    if np.isinf(snr):
        return np.log(values)
    return np.asarray(np.log1p(values * snr) - np.log1p(snr) + 1.0 / (1.0 + values * snr))


def present_slots(patches: Patches, inside: BoolArray) -> BoolArray:
    """Whether each slot is real and inside, per boundary class [n_units, n_classes, n_slots]."""
    padded = np.concatenate([inside, np.zeros((len(inside), 1), dtype=bool)], axis=1)
    return np.ascontiguousarray(padded[:, patches.slots].transpose(1, 0, 2))
