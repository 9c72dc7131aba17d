"""The local denoiser: closed form plus network, D = D⁰ + √v · F.

F_j(y_N, σ) is a network in units of the error √v of the linear denoiser; at zero, the model is the
local Gaussian. Its inputs are, in this order: the noisy slots scaled by 1/√(1 + σ²), the given
slots, two features of the level and the constant 1, and, on lattices with a rim, which noisy slots
lie inside. Each unit has its own range [low, high] of trained levels. Beyond it the network is
evaluated at the end of the range and fades: as σ/low below (the part of a posterior mean that is
not linear vanishes with σ) and as (high/σ)² above.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from locality._typing import BoolArray
from locality.local.kinds import Networks
from locality.local.linear import LinearDenoiser
from locality.local.network import round_up
from locality.local.patches import Patches

__all__ = ["LocalDenoiser", "NetworkInputs"]

_MAX_KEPT = 64  # noise levels for which the linear part is kept as a matrix


@dataclass(frozen=True, eq=False)
class NetworkInputs:
    """Where each input of the networks comes from.

    Parameters
    ----------
    patches : Patches
        What each network sees.
    level_range : float64 tensor [n_units, 2]
        Lowest and highest trained σ of each unit.
    rim : float32 tensor [n_units, n_classes, n_noisy - 1] or None
        Whether each noisy slot but the center lies inside, per boundary class; None if all
        examples that networks see belong to one class.
    """

    patches: Patches
    level_range: torch.Tensor
    rim: torch.Tensor | None

    @property
    def n_inputs(self) -> int:
        """Number of inputs, rounded up to a multiple of 8."""
        n_rim = 0 if self.rim is None else self.rim.shape[2]
        return round_up(self.patches.slots.shape[1] + 3 + n_rim)

    def take(self, units: torch.Tensor) -> "NetworkInputs":
        """Some units only; slots keep their places, so that networks stay valid."""
        rows = units.numpy()
        patches = replace(
            self.patches, noisy=self.patches.noisy[rows], given=self.patches.given[rows]
        )
        rim = None if self.rim is None else self.rim[units]
        return NetworkInputs(patches, self.level_range[units], rim)

    def level_features(self, sigma: torch.Tensor) -> torch.Tensor:
        """Two features and the constant [n_units, 3, n_levels] of levels [n_units, n_levels]."""
        low, high = self.level_range.log().unbind(1)
        position = (sigma.log() - low[:, None]) / (high - low)[:, None]
        t = (2.0 * position.clamp(0.0, 1.0) - 1.0) * np.sqrt(3.0)
        return torch.stack([t, t**2 - 1.0, torch.ones_like(t)], dim=1).float()

    def fade(self, sigma: float) -> torch.Tensor:
        """Factor of F outside the trained range [n_units]."""
        low, high = self.level_range.unbind(1)
        return ((sigma / low).clamp_max(1.0) * (high / sigma).clamp_max(1.0) ** 2).float()

    def assemble(
        self, z: torch.Tensor, chunk: slice, features: torch.Tensor, classes: torch.Tensor
    ) -> torch.Tensor:
        """Inputs of a chunk of networks, slots not yet scaled.

        Parameters
        ----------
        z : float32 tensor [n_sources + 1, n_examples]
        chunk : slice
            Of units.
        features : float32 tensor [n_units, 3, n_examples or 1]
            From ``level_features``.
        classes : int tensor [n_examples]

        Returns
        -------
        float32 tensor [n_units of the chunk, n_inputs, n_examples]
        """
        slots = torch.from_numpy(self.patches.slots[chunk])
        n_units, n_slots = slots.shape
        x = torch.zeros(n_units, self.n_inputs, z.shape[1])
        x[:, :n_slots] = z.index_select(0, slots.ravel()).view(n_units, n_slots, -1)
        x[:, n_slots : n_slots + 3] = features[chunk]
        if self.rim is not None:
            at = n_slots + 3
            x[:, at : at + self.rim.shape[2]] = self.rim[chunk].transpose(1, 2)[:, :, classes]
        return x


@dataclass(frozen=True, eq=False)
class LocalDenoiser:
    """Denoiser of all units of a shard.

    Parameters
    ----------
    closed_form : LinearDenoiser
        One unit per component of the shard.
    inside : bool array [n_classes, n_sources]
        Which sources lie inside, per boundary class.
    networks : Networks or None
        Of the units listed in ``network_units`` only.
    inputs : NetworkInputs or None
    network_units : int tensor
        Units that have a network.
    network_classes : bool tensor [n_classes]
        Boundary classes in which networks were trained; elsewhere the closed form stands alone.
    """

    closed_form: LinearDenoiser
    inside: BoolArray
    networks: Networks | None
    inputs: NetworkInputs | None
    network_units: torch.Tensor
    network_classes: torch.Tensor
    _linear: dict[tuple[float, torch.dtype], torch.Tensor] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def n_units(self) -> int:
        """Number of components."""
        return self.closed_form.n_units

    def linear(self, z: torch.Tensor, sigma: float, classes: torch.Tensor) -> torch.Tensor:
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
        result = torch.empty(self.n_units, z.shape[1], dtype=z.dtype)
        for k, members in _by_class(classes, self.closed_form.n_classes):
            if members is None:
                return matrices[k] @ z
            result[:, members] = matrices[k] @ z.index_select(1, members)
        return result

    def _matrices(self, sigma: float, dtype: torch.dtype) -> torch.Tensor:
        """D⁰ as dense matrices [n_classes, n_units, n_sources + 1], kept for reuse."""
        key = (sigma, dtype)
        if key not in self._linear:
            if len(self._linear) >= _MAX_KEPT:
                self._linear.clear()
            level = torch.full((self.n_units, 1), sigma, dtype=torch.float64)
            weights = self.closed_form.weights(level)[..., 0].transpose(0, 1)
            slots = torch.from_numpy(self.closed_form.patches.slots).expand_as(weights)
            matrices = torch.zeros(
                self.closed_form.n_classes,
                self.n_units,
                self.closed_form.patches.n_sources + 1,
                dtype=torch.float64,
            )
            self._linear[key] = matrices.scatter_add_(2, slots, weights).to(dtype)
        return self._linear[key]

    def correction(self, z: torch.Tensor, sigma: float, classes: torch.Tensor) -> torch.Tensor:
        """√v F of the units that have a network [n_network_units, n_examples], float32.

        Zero in boundary classes where no network was trained.
        """
        return self._networks(z, sigma, classes, False)[0]

    def _networks(
        self, z: torch.Tensor, sigma: float, classes: torch.Tensor, with_slope: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """√v F, and its derivative by the center if wanted (else empty)."""
        if self.networks is None or self.inputs is None:
            return torch.zeros(0, z.shape[1]), torch.zeros(0, z.shape[1])
        level = torch.full((self.networks.n_units, 1), sigma, dtype=torch.float64)
        error = self.closed_form.take(self.network_units).variance(level)[..., 0].sqrt().float()
        error = error * self.inputs.fade(sigma)[:, None] * self.network_classes.float()
        features = self.inputs.level_features(level)
        z = z.float()
        shrink = (1.0 + sigma**2) ** -0.5
        result = torch.empty(self.networks.n_units, z.shape[1])
        slope = torch.empty_like(result if with_slope else result[:0])
        for columns in torch.split(torch.arange(z.shape[1]), 256):
            here = slice(int(columns[0]), int(columns[-1]) + 1)
            part, kinds = z[:, here], classes[columns]
            for chunk in self.networks.chunks(len(columns)):
                x = self.inputs.assemble(part, chunk, features, kinds)
                x[:, : self.inputs.patches.noisy.shape[1]] *= shrink
                scale = error[chunk][:, kinds] if error.shape[1] > 1 else error[chunk]
                result[chunk, here] = self.networks.forward(x, chunk) * scale
                if with_slope:
                    slope[chunk, here] = self.networks.slope(x, chunk) * scale * shrink
        return result, slope

    def network_jacobian(self, z: torch.Tensor, sigma: float) -> torch.Tensor:
        """√v ∂F/∂y of the noisy slots [n_network_units, n_noisy, n_examples], float32.

        Parameters
        ----------
        z : tensor [n_sources + 1, n_examples]
            All of the first boundary class.
        sigma : float
        """
        assert self.networks is not None
        assert self.inputs is not None
        level = torch.full((self.networks.n_units, 1), sigma, dtype=torch.float64)
        error = self.closed_form.take(self.network_units).variance(level)[:, 0, 0].sqrt().float()
        scale = (error * self.inputs.fade(sigma) * (1.0 + sigma**2) ** -0.5)[:, None, None]
        features = self.inputs.level_features(level)
        n_noisy = self.inputs.patches.noisy.shape[1]
        z = z.float()
        result = torch.empty(self.networks.n_units, n_noisy, z.shape[1])
        classes = torch.zeros(z.shape[1], dtype=torch.int64)
        for chunk in self.networks.chunks(z.shape[1]):
            x = self.inputs.assemble(z, chunk, features, classes)
            x[:, :n_noisy] *= (1.0 + sigma**2) ** -0.5
            self.networks.forward(x, chunk)
            result[chunk] = self.networks.gradient(x, chunk)[:, :n_noisy] * scale[chunk]
        return result

    def with_divergence(
        self, z: torch.Tensor, sigma: float, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """D and ∂D_j/∂y_j of every unit in every example [n_units, n_examples] each."""
        result = self.linear(z, sigma, classes)
        level = torch.full((self.n_units, 1), sigma, dtype=torch.float64)
        center = self.closed_form.weights(level)[:, :, 0, 0]
        slope = center[:, classes].to(result.dtype)
        if self.networks is not None:
            change, tangent = self._networks(z, sigma, classes, True)
            result[self.network_units] += change
            slope[self.network_units] += tangent
        return result, slope

    def __call__(self, z: torch.Tensor, sigma: float, classes: torch.Tensor) -> torch.Tensor:
        """D of every unit in every example [n_units, n_examples]; arguments as ``linear``."""
        result = self.linear(z, sigma, classes)
        if self.networks is not None:
            result[self.network_units] += self.correction(z, sigma, classes)
        return result


def _by_class(classes: torch.Tensor, n_classes: int) -> list[tuple[int, torch.Tensor | None]]:
    """Examples of each class that occurs; None stands for all of them."""
    if n_classes == 1:
        return [(0, None)]
    present = torch.unique(classes).tolist()
    if len(present) == 1:
        return [(present[0], None)]
    return [(k, torch.nonzero(classes == k).ravel()) for k in present]
