"""The local denoiser: closed form plus correction, D = D⁰ + √v · F.

The closed form is NumPy and answers most questions by itself; states that are denoised, and what
networks add (``local.correction``), are torch, which is loaded when the first of them is met.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from locality._typing import BoolArray
from locality.local.linear import LinearDenoiser

if TYPE_CHECKING:
    import torch

    from locality.local.correction import Correction

__all__ = ["LocalDenoiser"]

_MAX_KEPT = 64  # noise levels for which the linear part is kept as a matrix


@dataclass(frozen=True, eq=False)
class LocalDenoiser:
    """Denoiser of all units of a shard.

    Parameters
    ----------
    closed_form : LinearDenoiser
        One unit per component of the shard.
    inside : bool array [n_classes, n_sources]
        Which sources lie inside, per boundary class.
    correction : Correction or None
        What networks add; None in a shard without any.
    """

    closed_form: LinearDenoiser
    inside: BoolArray
    correction: "Correction | None" = None
    _linear: "dict[tuple[float, torch.dtype], torch.Tensor]" = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def n_units(self) -> int:
        """Number of components."""
        return self.closed_form.n_units

    def linear(self, z: "torch.Tensor", sigma: float, classes: "torch.Tensor") -> "torch.Tensor":
        """D⁰ of every unit in every example at one noise level.

        Parameters
        ----------
        z : tensor [n_sources + 1, n_examples]
            Noisy rows y = x + σε, clean given rows, last row zero.
        sigma : float
        classes : int tensor [n_examples]
            Boundary class of each example.

        Returns
        -------
        tensor [n_units, n_examples]
            In the precision of z.
        """
        matrices = self._matrices(sigma, z.dtype)
        result = z.new_empty(self.n_units, z.shape[1])
        for k, members in _by_class(classes, self.closed_form.n_classes):
            if members is None:
                return matrices[k] @ z
            result[:, members] = matrices[k] @ z.index_select(1, members)
        return result

    def _matrices(self, sigma: float, dtype: "torch.dtype") -> "torch.Tensor":
        """D⁰ as dense matrices [n_classes, n_units, n_sources + 1], kept for reuse."""
        import torch

        key = (sigma, dtype)
        if key not in self._linear:
            if len(self._linear) >= _MAX_KEPT:
                self._linear.clear()
            form = self.closed_form
            weights = form.weights(np.full((self.n_units, 1), sigma))[..., 0]
            matrices = np.zeros((form.n_classes, self.n_units, form.patches.n_sources + 1))
            unit = np.arange(self.n_units)[:, None]
            matrices[:, unit, form.patches.slots] = weights.swapaxes(0, 1)
            self._linear[key] = torch.from_numpy(matrices).to(dtype)
        return self._linear[key]

    def with_divergence(
        self, z: "torch.Tensor", sigma: float, classes: "torch.Tensor"
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """D and ∂D_j/∂y_j of every unit in every example [n_units, n_examples] each."""
        result = self.linear(z, sigma, classes)
        center = self.closed_form.weights(np.full((self.n_units, 1), sigma))[:, :, 0, 0]
        slope = z.new_tensor(center)[:, classes]
        if self.correction is not None:
            change, tangent = self.correction.with_slope(z, sigma, classes)
            result[self.correction.units] += change
            slope[self.correction.units] += tangent
        return result, slope

    def __call__(self, z: "torch.Tensor", sigma: float, classes: "torch.Tensor") -> "torch.Tensor":
        """D of every unit in every example [n_units, n_examples]; arguments as ``linear``."""
        result = self.linear(z, sigma, classes)
        if self.correction is not None:
            result[self.correction.units] += self.correction(z, sigma, classes)
        return result


def _by_class(classes: "torch.Tensor", n_classes: int) -> "list[tuple[int, torch.Tensor | None]]":
    """Examples of each class that occurs; None stands for all of them."""
    if n_classes == 1:
        return [(0, None)]
    present = classes.bincount().nonzero().ravel().tolist()
    if len(present) == 1:
        return [(present[0], None)]
    return [(k, (classes == k).nonzero().ravel()) for k in present]
