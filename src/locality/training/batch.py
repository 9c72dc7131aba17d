"""Batches: what the networks of a shard see and should answer, chunk by chunk.

With y = x + σε on the noisy slots, unit j sees y/√(1 + σ²), the given slots and features of the
level, and should answer the residual of the closed form in units of its error,

    T_j = (x_j − w_jᵀ y)/√v_j = ((e_1 − w_j)ᵀ y − σ ε_1)/√v_j .

The second form has no small difference of large numbers, and needs the clean value no more. Row i
always has noise level i of each unit, so weights and scales are tables made once.

What is the same at every step is prepared once per chunk, buffers and views included: with small
networks the time to dispatch an operation is as long as the operation.
"""

from dataclasses import dataclass

import numpy as np
import torch

from locality._typing import FloatArray
from locality.local.correction import NetworkInputs
from locality.local.linear import LinearDenoiser
from locality.local.reach import limits

__all__ = ["Batches"]


class Batches:
    """Inputs and targets of some units at fixed noise levels.

    Parameters
    ----------
    inputs : NetworkInputs
        Their patches are the first slots of those of the closed form.
    closed_form : LinearDenoiser
        Of the same units.
    sigma : float array [n_units, n_rows]
        Level of every row of a batch, evenly spaced in log σ.
    device : torch.device
        Of batches; tables are made on the CPU.
    chunk_size : int
        Most units in a chunk.
    """

    def __init__(
        self,
        inputs: NetworkInputs,
        closed_form: LinearDenoiser,
        sigma: FloatArray,
        device: torch.device,
        chunk_size: int,
    ) -> None:
        self.n_rows, self._device = sigma.shape[1], device
        self._inputs, self._patches = inputs, closed_form.patches
        variance = closed_form.variance(sigma)
        weights = -closed_form.weights(sigma)
        weights[:, :, 0] += 1.0
        weights /= np.sqrt(variance)[:, :, None]
        spacing = 2.0 * np.log(sigma[:, -1:] / sigma[:, :1]) / (self.n_rows - 1)
        nats_weight = (0.5 * spacing / sigma**2)[:, None] * variance
        self._nats_weight = torch.from_numpy(nats_weight).to(device)
        self._weights = self._table(weights)
        self._error_noise = self._table(sigma[:, None] / np.sqrt(variance))
        self._sigma = self._table(sigma)
        self._scale = self._table((1.0 + sigma[:, None] ** 2) ** -0.5)
        seen = torch.from_numpy(inputs.patches.slots < inputs.patches.n_sources).to(device)
        n_noisy = inputs.patches.noisy.shape[1]
        self._scale_given, self._one = None, torch.ones(1, device=device)
        if (
            inputs.patches.slots == inputs.patches.n_sources
        ).any():  # what the closed form sees beyond the network
            self._scale = self._scale * seen[:, :n_noisy, None]
            self._scale_given = seen[:, n_noisy:, None].float()
        self._features = inputs.level_features(torch.from_numpy(sigma)).to(device)
        self._rim = None if inputs.rim is None else inputs.rim.to(device)
        self._levels = torch.arange(self.n_rows, device=device)
        size = min(len(sigma), chunk_size)
        n_slots = self._patches.slots.shape[1]
        self._gathered = torch.empty(2, size * n_slots, self.n_rows, device=device)
        self._x = torch.zeros(size, inputs.n_inputs, self.n_rows, device=device)
        self._chunks: dict[tuple[int, int], _Chunk] = {}
        self._limits: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = {}
        self._one_class = weights.shape[1] == 1

    def _table(self, values: FloatArray) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)

    def load(self, z: torch.Tensor, noise: torch.Tensor, classes: torch.Tensor) -> None:
        """Take the rows of the next batch.

        Parameters
        ----------
        z, noise : float32 tensors [n_sources + 1, n_rows]
            Clean rows, and ε (zero for given sources and in the last row).
        classes : int tensor [n_rows]
            Boundary class of each row.
        """
        self._z, self._noise, self._classes = z, noise, classes

    def __call__(self, chunk: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs [n_units of the chunk, n_inputs, n_rows] and targets [.., n_rows].

        Both are valid until the next call.
        """
        c = self._chunk(chunk)
        torch.index_select(self._z, 0, c.slots, out=c.flat_y)
        torch.index_select(self._noise, 0, c.slots, out=c.flat_noise)
        c.y.addcmul_(c.noise, c.sigma)
        torch.mul(c.y_noisy, c.scale, out=c.x_noisy)
        if c.y_given.shape[1]:
            torch.mul(c.y_given, c.scale_given, out=c.x_given)
        c.x_features.copy_(c.features)
        if self._rim is not None:
            c.x_rim.copy_(self._rim[chunk].transpose(1, 2)[:, :, self._classes])
        weights, error_noise = c.weights, c.error_noise
        if not self._one_class:
            level = self._levels
            weights = self._weights[chunk][:, self._classes, :, level].permute(1, 2, 0)
            error_noise = self._error_noise[chunk][:, self._classes, level]
        torch.sum(c.y.mul_(weights), 1, out=c.target)
        c.target.addcmul_(c.noise_center, error_noise, value=-1.0)
        return c.x, c.target

    def expected(self, chunk: slice) -> torch.Tensor:
        """What the closed form expects, D⁰ = x − √v T, after the call for a chunk [.., n_rows]."""
        c = self._chunk(chunk)
        error_noise = c.error_noise
        if not self._one_class:
            error_noise = self._error_noise[chunk][:, self._classes, self._levels]
        clean = self._z[c.center]
        return clean - c.target * (self._sigma[chunk] / error_noise)

    def nats_weight(self, chunk: slice) -> torch.Tensor:
        """Nats per squared error in units of √v, times the number of levels [.., n_rows]."""
        table = self._nats_weight[chunk]
        if self._one_class:
            return table[:, 0]
        return table[:, self._classes, self._levels]

    def limits(self, chunk: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Ends of what networks may see [n_units of the chunk, n_slots, n_rows]."""
        key = (chunk.start, chunk.stop)
        if key not in self._limits:
            seen, n_noisy = self._inputs.seen[chunk], self._inputs.patches.noisy.shape[1]
            low, high = limits(seen.to(self._device), n_noisy, self._sigma[chunk].double())
            self._limits[key] = low.float(), high.float()
        return self._limits[key]

    def _chunk(self, chunk: slice) -> "_Chunk":
        key = (chunk.start, chunk.stop)
        if key not in self._chunks:
            with torch.inference_mode(False):
                self._chunks[key] = self._views(chunk)
        return self._chunks[key]

    def _views(self, chunk: slice) -> "_Chunk":
        slots = torch.from_numpy(self._patches.slots)[chunk].to(self._device)
        n_units, n_slots = slots.shape
        flat = self._gathered[:, : slots.numel()]
        y, noise = flat.view(2, n_units, n_slots, self.n_rows)
        x, first = self._x[:n_units], self._patches.noisy.shape[1]
        seen = self._inputs.patches
        n_noisy, n_given = seen.noisy.shape[1], seen.given.shape[1]
        n = n_noisy + n_given
        return _Chunk(
            slots=slots.ravel(),
            center=slots[:, 0],
            flat_y=flat[0],
            flat_noise=flat[1],
            y=y,
            y_noisy=y[:, :n_noisy],
            y_given=y[:, first : first + n_given],
            noise=noise,
            noise_center=noise[:, 0],
            x=x,
            x_noisy=x[:, :n_noisy],
            x_given=x[:, n_noisy:n],
            x_features=x[:, n : n + 3],
            x_rim=x[:, n + 3 : n + 2 + n_noisy],
            target=torch.empty(n_units, self.n_rows, device=self._device),
            sigma=self._sigma[chunk][:, None],
            scale=self._scale[chunk],
            scale_given=self._one if self._scale_given is None else self._scale_given[chunk],
            features=self._features[chunk],
            weights=self._weights[chunk][:, 0],
            error_noise=self._error_noise[chunk][:, 0],
        )


@dataclass(frozen=True, eq=False, slots=True)
class _Chunk:
    """Views into buffers and tables for one chunk of units."""

    slots: torch.Tensor
    center: torch.Tensor
    flat_y: torch.Tensor
    flat_noise: torch.Tensor
    y: torch.Tensor
    y_noisy: torch.Tensor
    y_given: torch.Tensor
    noise: torch.Tensor
    noise_center: torch.Tensor
    x: torch.Tensor
    x_noisy: torch.Tensor
    x_given: torch.Tensor
    x_features: torch.Tensor
    x_rim: torch.Tensor
    target: torch.Tensor
    sigma: torch.Tensor
    scale: torch.Tensor
    scale_given: torch.Tensor
    features: torch.Tensor
    weights: torch.Tensor
    error_noise: torch.Tensor
