r"""The law of a table given known cells, networks and all, as a denoiser.

Samplers only ask for the denoiser. Given the noisy state and known cells O, a clean state that is
normal with mean D and covariance C = σ² ∂D/∂y has the mean

.. math:: D^O = D + C_{\cdot O}\, C_{OO}^{-1} (x_O - D_O)

(Boys et al., 2023, *Tweedie moment projected diffusions*, arXiv 2310.06721). With this denoiser in
place of D any sampler draws from the law given the known cells: exactly where the model is
Gaussian, and better and better towards fine noise where it is not. The Jacobian is sparse like the
graph, so the equations are solved by conjugate gradients, every row by itself.
"""

import numpy as np
import torch

from locality._typing import BoolArray, Float32Array
from locality.inference.laws.gradients import conjugate_gradients
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.local.jacobian import Jacobian

__all__ = ["PosteriorField"]

_TOLERANCE = 1e-3  # of the equations, in the norm of the preconditioner
_MOST_STEPS = 100
_LEAST = 1e-6  # of the diagonal, added to it


class PosteriorField:
    """The denoiser of some rows given their known cells; samplers take it for a bound field.

    Parameters
    ----------
    field : ScoreField
        Of a table.
    values : float32 array [n_nodes, n_columns]
        Standardized; anything where a cell is missing.
    known : bool array [n_nodes, n_columns]
    """

    def __init__(self, field: ScoreField, values: Float32Array, known: BoolArray) -> None:
        self._bound = BoundField(field, values)
        self._known = known[field.nodes]
        self._values = values[field.nodes]
        self._multiplier = np.zeros_like(self._values)
        self.n_columns = self._bound.n_columns

    def denoise(self, y: torch.Tensor, sigma: float) -> torch.Tensor:
        """E[x | y, known cells] of every target [n_targets, n_columns]."""
        denoised = self._bound.denoise(y, sigma)
        jacobian = Jacobian.of(self._bound, y, sigma)
        gap = np.where(self._known, self._values - denoised.numpy(), np.float32(0))
        with np.errstate(over="ignore", invalid="ignore"):
            right = np.asarray(gap / sigma**2, dtype=np.float32)
            self._multiplier = self._solve(jacobian, right)
            moved = denoised.numpy() + np.float32(sigma**2) * (jacobian @ self._multiplier)
        # far from the data a Jacobian of networks may be no covariance, and a solution run away:
        # such rows take one step without being told what is known, and are told again at the next
        lost = ~(np.isfinite(moved).all(axis=0) & np.isfinite(self._multiplier).all(axis=0))
        moved[:, lost] = denoised.numpy()[:, lost]
        self._multiplier[:, lost] = 0.0
        if self._bound.limits is not None:
            low, high = self._bound.limits
            np.clip(moved, low.numpy(), high.numpy(), out=moved)
        return torch.from_numpy(np.where(self._known, self._values, moved))

    def _solve(self, jacobian: Jacobian, right: Float32Array) -> Float32Array:
        """Multipliers w of the known cells, J_OO w = right, starting from the last ones."""
        diagonal = np.maximum(jacobian.diagonal(right.shape[1]), np.float32(1e-8))

        def apply(v: Float32Array) -> Float32Array:
            product = (jacobian @ v + _LEAST * diagonal * v) * self._known
            return np.asarray(product, dtype=np.float32)

        return conjugate_gradients(
            apply, right, diagonal, axis=0, tolerance=_TOLERANCE, most_steps=_MOST_STEPS,
            start=self._multiplier,
        )  # fmt: skip
