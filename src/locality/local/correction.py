"""The correction of the closed form by networks, √v · F: where torch begins.

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

from locality._typing import BoolArray, FloatArray
from locality.local.gaussian import present_slots
from locality.local.kinds import Networks
from locality.local.linear import LinearDenoiser
from locality.local.network import round_up
from locality.local.networks import NetworkGroup
from locality.local.patches import Patches
from locality.local.reach import limits, within

__all__ = ["Correction", "NetworkInputs"]

_BLOCK = 256  # examples worked on together
_MAX_KEPT = 256  # noise levels


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
    seen : float32 tensor [n_units, n_slots, 2]
        Lowest and highest clean value of each slot that networks learned from; see
        ``local.reach``.
    """

    patches: Patches
    level_range: torch.Tensor
    rim: torch.Tensor | None
    seen: torch.Tensor

    @classmethod
    def of(
        cls,
        patches: Patches,
        level_range: FloatArray,
        inside: BoolArray | None,
        trained_range: FloatArray | None = None,
    ) -> "NetworkInputs":
        """Inputs of networks that see these patches.

        Parameters
        ----------
        patches : Patches
        level_range : float array [n_units, 2]
        inside : bool array [n_classes, n_sources] or None
            Which sources lie inside, if networks are to see it.
        trained_range : float array [n_sources, 2], optional
            Lowest and highest clean value of each source; by default there are no ends.
        """
        rim = None
        if inside is not None:
            present = present_slots(patches, inside)[:, :, 1 : patches.noisy.shape[1]]
            rim = torch.from_numpy(present.astype(np.float32))
        if trained_range is None:
            trained_range = np.tile([-np.inf, np.inf], (patches.n_sources, 1))
        padded = np.vstack([trained_range, np.zeros((1, 2))]).astype(np.float32)
        seen = torch.from_numpy(padded[patches.slots])
        return cls(patches, torch.from_numpy(level_range), rim, seen)

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
        return NetworkInputs(patches, self.level_range[units], rim, self.seen[units])

    def limits(self, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Ends of what was seen [n_units, n_slots, n_levels] at levels [n_units or 1, n_levels]."""
        return limits(self.seen, self.patches.noisy.shape[1], sigma)

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
class Correction:
    """What networks add to the closed form of their units.

    Parameters
    ----------
    units : int tensor [n_networks]
        Units of the shard that have a network.
    networks : Networks
    inputs : NetworkInputs
    closed_form : LinearDenoiser
        Of all units of the shard.
    classes : bool tensor [n_classes]
        Boundary classes in which networks were trained; elsewhere they are silent.
    factor : float32 tensor [n_networks]
        Share of each network that held-out rows speak for.
    """

    units: torch.Tensor
    networks: Networks
    inputs: NetworkInputs
    closed_form: LinearDenoiser
    classes: torch.Tensor
    factor: torch.Tensor
    _levels: "dict[float, _Level]" = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls, group: NetworkGroup, closed_form: LinearDenoiser, inside: BoolArray
    ) -> "Correction":
        """Of the networks of a shard, in some boundary classes.

        Parameters
        ----------
        group : NetworkGroup
        closed_form : LinearDenoiser
        inside : bool array [n_classes, n_sources]
        """
        patches = Patches(group.noisy, group.given, closed_form.patches.n_sources)
        trained = {row.tobytes() for row in group.trained_inside}
        return cls(
            torch.from_numpy(group.unit),
            group.evaluator(),
            NetworkInputs.of(
                patches, group.level_range, inside if group.uses_rim else None, group.trained_range
            ),
            closed_form,
            torch.tensor([row.tobytes() in trained for row in inside]),
            torch.from_numpy(group.factor).float(),
        )

    def __call__(self, z: torch.Tensor, sigma: float, classes: torch.Tensor) -> torch.Tensor:
        """√v F of the units that have a network [n_networks, n_examples], float32.

        Parameters
        ----------
        z : tensor [n_sources + 1, n_examples]
            Noisy rows y = x + σε, clean given rows, last row zero.
        sigma : float
        classes : int tensor [n_examples]
            Boundary class of each example.
        """
        return self._evaluate(z, sigma, classes, False)[0]

    def with_slope(
        self, z: torch.Tensor, sigma: float, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """√v F and its derivative by the center, both [n_networks, n_examples]."""
        return self._evaluate(z, sigma, classes, True)

    def _at(self, sigma: float) -> "_Level":
        """What depends on the level alone; kept, for whoever asks for a level asks often."""
        if sigma not in self._levels:
            if len(self._levels) >= _MAX_KEPT:
                self._levels.clear()
            variance = self.closed_form.variance(np.full((self.closed_form.n_units, 1), sigma))
            error = torch.from_numpy(variance[..., 0] ** 0.5)[self.units].float()
            level = torch.full((self.networks.n_units, 1), sigma, dtype=torch.float64)
            low, high = self.inputs.limits(level)
            self._levels[sigma] = _Level(
                error * (self.inputs.fade(sigma) * self.factor)[:, None],
                self.inputs.level_features(level), low.float(), high.float(),
            )  # fmt: skip
        return self._levels[sigma]

    def _evaluate(
        self, z: torch.Tensor, sigma: float, classes: torch.Tensor, with_slope: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """√v F, and its derivative by the center if wanted (else empty)."""
        level = self._at(sigma)
        error, z = level.error * self.classes.float(), z.float()
        n_noisy, shrink = self.inputs.patches.noisy.shape[1], (1.0 + sigma**2) ** -0.5
        result = torch.empty(self.networks.n_units, z.shape[1])
        slope = torch.empty_like(result if with_slope else result[:0])
        for columns in torch.split(torch.arange(z.shape[1]), _BLOCK):
            here = slice(int(columns[0]), int(columns[-1]) + 1)
            part, kinds = z[:, here], classes[columns]
            for chunk in self.networks.chunks(len(columns)):
                x = self.inputs.assemble(part, chunk, level.features, kinds)
                x[:, :n_noisy] *= shrink
                fade, fading, is_held = level.hold(x, chunk)
                scale = error[chunk][:, kinds] if error.shape[1] > 1 else error[chunk]
                value = self.networks.forward(x, chunk)
                result[chunk, here] = value * fade * scale
                if with_slope:
                    bend = value * fading[:, 0]
                    own = self.networks.slope(x, chunk).masked_fill(is_held[:, 0], 0.0) * fade
                    slope[chunk, here] = (own + bend) * scale * shrink
        return result, slope

    def jacobian(self, z: torch.Tensor, sigma: float) -> torch.Tensor:
        """√v ∂F/∂y of the noisy slots [n_networks, n_noisy, n_examples], float32.

        Parameters
        ----------
        z : tensor [n_sources + 1, n_examples]
            All of the first boundary class.
        sigma : float
        """
        shrink, level = (1.0 + sigma**2) ** -0.5, self._at(sigma)
        scale = (level.error[:, 0] * shrink)[:, None, None]
        n_noisy = self.inputs.patches.noisy.shape[1]
        z = z.float()
        result = torch.empty(self.networks.n_units, n_noisy, z.shape[1])
        classes = torch.zeros(z.shape[1], dtype=torch.int64)
        for chunk in self.networks.chunks(z.shape[1]):
            x = self.inputs.assemble(z, chunk, level.features, classes)
            x[:, :n_noisy] *= shrink
            fade, fading, is_held = level.hold(x, chunk)
            bend = self.networks.forward(x, chunk)[:, None] * fading[:, :n_noisy]
            own = self.networks.gradient(x, chunk)[:, :n_noisy]
            own = own.masked_fill(is_held[:, :n_noisy], 0.0) * fade[:, None]
            result[chunk] = (own + bend) * scale[chunk]
        return result


@dataclass(frozen=True, eq=False)
class _Level:
    """What depends on the noise level alone.

    Parameters
    ----------
    error : tensor [n_networks, n_classes]
        √v, faded outside the trained levels.
    features : tensor [n_networks, 3, 1]
    low, high : tensors [n_networks, n_slots, 1]
        Ends of what networks have seen.
    """

    error: torch.Tensor
    features: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def hold(
        self, x: torch.Tensor, chunk: slice
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Hold inputs at their ends, in place; how F fades, its slopes, and what was held."""
        slots = x[:, : self.low.shape[1]]
        held, fade, fading = within(slots, self.low[chunk], self.high[chunk])
        is_held = held != slots
        slots.copy_(held)
        return fade, fading, is_held
