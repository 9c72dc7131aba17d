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

import numpy as np
import torch

from locality._typing import BoolArray
from locality.local.patches import Patches
from locality.noise.levels import BAND_EDGES

__all__ = ["LocalGaussian", "present_slots"]

_FLOOR = 1e-9  # of an eigenvalue, total variance being 1
_NEAR = 1e-6  # relative gap below which eigenvalues count as equal
_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class LocalGaussian:
    """Closed-form linear denoisers of some units, one per boundary class.

    Parameters
    ----------
    eigenvalues : float64 tensor [n_units, n_classes, n_noisy]
    eigenvectors : float64 tensor [n_units, n_classes, n_noisy, n_noisy]
        Columns are eigenvectors; slot 0 is the component itself.
    regression : float64 tensor [n_units, n_classes, n_noisy, n_given]
        B, the mean of the noisy slots per unit of the given ones.
    """

    eigenvalues: torch.Tensor
    eigenvectors: torch.Tensor
    regression: torch.Tensor

    @classmethod
    def fit(
        cls,
        covariance: torch.Tensor,
        n_noisy: int,
        present: torch.Tensor,
        shrinkage: torch.Tensor,
    ) -> "LocalGaussian":
        """From covariances of patches.

        Parameters
        ----------
        covariance : float64 tensor [n_units, n_slots, n_slots]
            Noisy slots first.
        n_noisy : int
            Number of noisy slots.
        present : bool tensor [n_units, n_classes, n_slots]
            False for padding and slots outside the lattice; these are decoupled.
        shrinkage : float64 tensor [n_units]
            Weight of the identity, in [0, 1].
        """
        n_slots = covariance.shape[-1]
        eye = torch.eye(n_slots, dtype=torch.float64)
        gamma = shrinkage[:, None, None]
        shrunk = ((1.0 - gamma) * covariance + gamma * eye)[:, None]
        both = present[:, :, :, None] & present[:, :, None, :]
        shrunk = torch.where(both, shrunk, eye)
        noisy, cross = shrunk[..., :n_noisy, :n_noisy], shrunk[..., :n_noisy, n_noisy:]
        given = shrunk[..., n_noisy:, n_noisy:]
        if n_slots > n_noisy:
            ridge = given + _FLOOR * eye[n_noisy:, n_noisy:]
            regression = torch.linalg.solve(ridge, cross.transpose(-1, -2)).transpose(-1, -2)
            noisy = noisy - regression @ cross.transpose(-1, -2)
            noisy = 0.5 * (noisy + noisy.transpose(-1, -2))
        else:
            regression = cross
        values, vectors = torch.linalg.eigh(noisy)
        return cls(values.clamp_min(_FLOOR), vectors, regression)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.eigenvalues.shape[0])

    @property
    def n_classes(self) -> int:
        """Number of boundary classes."""
        return int(self.eigenvalues.shape[1])

    @property
    def loading(self) -> torch.Tensor:
        """u, the component's row of the eigenvectors [n_units, n_classes, n_noisy]."""
        return self.eigenvectors[:, :, 0, :]

    @property
    def conditional_scale(self) -> torch.Tensor:
        """Standard deviation of each component given its patch [n_units, n_classes]."""
        return (self.loading**2 / self.eigenvalues).sum(-1).rsqrt()

    @property
    def prediction(self) -> torch.Tensor:
        """Weight of every slot in E[x_j | all other slots] [n_units, n_classes, n_slots].

        With Q = U Λ⁻¹ Uᵀ the precision of the noisy slots, x_0 is expected at
        (B g)_0 − Σ_k Q_0k (x_k − (B g)_k)/Q_00, with variance 1/Q_00 (``conditional_scale``²). The
        component's own slot weighs zero.
        """
        precision = (self.eigenvectors @ (self.loading / self.eigenvalues)[..., None])[..., 0]
        noisy = -precision / precision[..., :1]
        noisy[..., 0] = 0.0
        given = self.regression[:, :, 0] - (noisy[..., None, :] @ self.regression)[..., 0, :]
        return torch.cat([noisy, given], dim=-1)

    def take(self, units: torch.Tensor) -> "LocalGaussian":
        """Some units only."""
        return LocalGaussian(
            self.eigenvalues[units], self.eigenvectors[units], self.regression[units]
        )

    def in_classes(self, classes: torch.Tensor) -> "LocalGaussian":
        """Some boundary classes only."""
        return LocalGaussian(
            self.eigenvalues[:, classes],
            self.eigenvectors[:, classes],
            self.regression[:, classes],
        )

    def weights(self, sigma: torch.Tensor) -> torch.Tensor:
        """Weight of every slot in D⁰ [n_units, n_classes, n_slots, n_levels].

        Parameters
        ----------
        sigma : float64 tensor [n_units, n_levels]
            Levels of each unit.
        """
        variance = sigma[:, None, None, :] ** 2
        values = self.eigenvalues[..., None]
        gain = self.loading[..., None] * values / (values + variance)
        noisy = self.eigenvectors @ gain
        given = self.regression[:, :, 0, :, None] - self.regression.transpose(-1, -2) @ noisy
        return torch.cat([noisy, given], dim=2)

    def variance(self, sigma: torch.Tensor) -> torch.Tensor:
        """Error variance v of D⁰ [n_units, n_classes, n_levels] at levels [n_units, n_levels]."""
        variance = sigma[:, None, None, :] ** 2
        values = self.eigenvalues[..., None]
        return (self.loading[..., None] ** 2 * values * variance / (values + variance)).sum(2)

    def expected_surprises(
        self, covariance: torch.Tensor, shrinkages: tuple[float, ...] = (0.0,)
    ) -> torch.Tensor:
        """Mean surprise, by noise band, over rows with these second moments; first class.

        Shrinking moves eigenvalues, λ → (1 − γ)λ + γ, and leaves eigenvectors alone, so that
        several strengths need no further decomposition. With r_kl the second moments of
        u_k z_k and u_l z_l,

            Σ_kl r_kl log(λ_k/λ_l)/(λ_k − λ_l) = 2 Σ_k log λ_k Σ_l r_kl/(λ_k − λ_l) ,

        which takes logarithms of p numbers instead of p².

        Parameters
        ----------
        covariance : float64 tensor [n_units, n_slots, n_slots]
            Of held-out rows; noisy slots first.
        shrinkages : tuple of float
            Further shrinkage. Other than zero only for a fit without given slots.

        Returns
        -------
        float64 tensor [n_shrinkages, n_bands, n_units]
        """
        n = self.eigenvalues.shape[-1]
        b, values, u = self.regression[:, 0], self.eigenvalues[:, 0], self.loading[:, 0]
        cross = b @ covariance[:, n:, :n]
        residual = covariance[:, :n, :n] - cross - cross.transpose(1, 2)
        residual = residual + b @ covariance[:, n:, n:] @ b.transpose(1, 2)
        loaded = self.eigenvectors[:, 0] * u[:, None, :]
        r = loaded.transpose(1, 2) @ residual @ loaded
        gap = values[:, :, None] - values[:, None, :]
        near = gap.abs() <= _NEAR * torch.maximum(values[:, :, None], values[:, None, :])
        apart = (r / gap.masked_fill(near, torch.inf)).sum(2)
        together = r.masked_fill(~near, 0.0).sum(2)
        gamma = torch.tensor(shrinkages, dtype=torch.float64)[:, None, None]
        moved = ((1.0 - gamma) * values + gamma).clamp_min_(_FLOOR)  # [n_shrinkages, n_units, n]
        power = u**2
        of_log = power + 2.0 * apart / (1.0 - gamma)
        reached = []
        for edge in BAND_EDGES:
            if edge == 0.0:
                total = (of_log * moved.log()).sum(-1) + (together / moved).sum(-1)
            else:
                snr = edge**-2.0
                scaled = moved * snr
                total = (of_log * torch.log1p(scaled)).sum(-1)
                total += (scaled.add_(1.0).reciprocal_() * (power + snr * together)).sum(-1)
                total -= float(np.log1p(snr)) * power.sum(-1)
            reached.append(0.5 * total)
        result = torch.stack(reached, dim=1).diff(dim=1)
        result[:, 0] += 0.5 * (_LOG_2PI + 1.0)
        return result

    def quadratic(self, upper: float, lower: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Surprise gathered between two noise levels, as constant + ½ pᵀ F p of a patch p.

        Parameters
        ----------
        upper, lower : float
            ∞ ≥ upper > lower ≥ 0. What starts at ∞ carries the constant ½ log 2πe, so that
            pieces which tile (∞, 0) add up to the whole.

        Returns
        -------
        constant : float64 tensor [n_units, n_classes]
        form : float64 tensor [n_units, n_classes, n_slots, n_slots]
        """
        values, u = self.eigenvalues, self.loading
        start = 0.0 if np.isinf(upper) else upper**-2.0
        stop = lower**-2.0 if lower else torch.inf
        first, last = (sum(_antiderivative(values, snr)) for snr in (start, stop))
        constant = 0.5 * (u**2 * (last - first)).sum(-1)
        if start == 0.0:
            constant = constant + 0.5 * (_LOG_2PI + 1.0)
        product = _pairs(values, stop) - _pairs(values, start)
        form = self.eigenvectors @ (u[..., :, None] * u[..., None, :] * product)
        form = form @ self.eigenvectors.transpose(-1, -2)
        across = -form @ self.regression
        both = -self.regression.transpose(-1, -2) @ across
        top = torch.cat([form, across], dim=-1)
        return constant, torch.cat([top, torch.cat([across.transpose(-1, -2), both], -1)], -2)


def _pairs(values: torch.Tensor, snr: float) -> torch.Tensor:
    """A_kl integrated from 0 to snr; stable for equal eigenvalues."""
    a, b = values[..., :, None], values[..., None, :]
    if snr == 0.0:
        return torch.zeros_like(a * b)
    if np.isinf(snr):
        x = (a - b) / b
        scale = 1.0 / b
    else:  # log((1 + a s)/(1 + b s)) / (a - b) with x = (a - b) s / (1 + b s)
        x = (a - b) * snr / (1.0 + b * snr)
        scale = snr / (1.0 + b * snr)
    small = x.abs() < 1e-8
    safe = torch.where(small, torch.ones_like(x), x)
    return scale * torch.where(small, 1.0 - 0.5 * x, torch.log1p(safe) / safe)


def _antiderivative(values: torch.Tensor, snr: float) -> tuple[torch.Tensor, torch.Tensor]:
    """∫ [λ² snr/(1 + λ snr)² − 1/(1 + snr)] d snr, in two terms; zero and one at snr = 0."""
    if np.isinf(snr):
        return torch.log(values), torch.zeros_like(values)
    return torch.log1p(values * snr) - float(np.log1p(snr)), 1.0 / (1.0 + values * snr)


def present_slots(patches: Patches, inside: BoolArray) -> torch.Tensor:
    """Whether each slot is real and inside, per boundary class [n_units, n_classes, n_slots]."""
    padded = np.concatenate([inside, np.zeros((len(inside), 1), dtype=bool)], axis=1)
    return torch.from_numpy(np.ascontiguousarray(padded[:, patches.slots].transpose(1, 0, 2)))
