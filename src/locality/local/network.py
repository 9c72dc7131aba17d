"""Local networks: many small multilayer perceptrons, stacked, with a hand-written backward pass.

Unit j maps its inputs x ∈ R^P through L − 1 hidden layers (two, unless asked otherwise) to one
number,

    a¹ = φ(W¹ᵀ x) ,  … ,  aˡ = φ(Wˡᵀ aˡ⁻¹) ,  … ,  F = w_Lᵀ a^{L−1} + b_L ,

where one input is the constant 1 and the last layer starts at zero, so that F = 0 at first. The
activation is the integral of a clipped ramp, with c = clip(u, 0, κ),

    φ(u) = c (u − c/2) ,   φ'(u) = c ,

once continuously differentiable and made of three cheap passes; its derivative comes for free.

Weights of all units are stacked ([n_units, P, h] and so on). Units are processed in chunks whose
activations stay in cache, with preallocated buffers: of the time of a training step about two
thirds are then spent in matrix products (``benchmarks/engine.py``).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch

from locality.local.kinds import perceptron, perceptron_name

__all__ = ["LocalNetworks", "round_up"]

_KNEE = 2.0  # κ
_CHUNK_ROWS = 1536  # units times rows processed together, whose activations fit the cache
_CHUNK_ROWS_GPU = 1 << 18  # a GPU has no such cache, and wants large operations


class LocalNetworks:
    """A stack of perceptrons, one per unit.

    Parameters
    ----------
    weights : dict of float32 tensors
        Of three layers: ``w1`` [n_units, n_inputs, width], ``w2`` [n_units, width, width],
        ``w3`` [n_units, width], ``b3`` [n_units].
    """

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        self.weights = weights
        self.names = tuple(perceptron(len(weights) - 1))
        self._buffers: dict[tuple[int, int], tuple[_Layer, ...]] = {}
        self._kept: dict[tuple[int, int, int], _Views] = {}

    @classmethod
    def initial(
        cls, n_units: int, n_inputs: int, width: int, generator: torch.Generator, layers: int = 3
    ) -> "LocalNetworks":
        """Random hidden layers and a last layer of zeros.

        Parameters
        ----------
        n_units, n_inputs, width : int
            Inputs should be a multiple of 8 (see ``round_up``).
        generator : torch.Generator
            Source of all randomness.
        layers : int, default 3
            Of weights, the last one included; at least 2.
        """
        lengths = {"networks": n_units, "inputs": n_inputs, "width": width}
        weights = {}
        for name, axes in perceptron(layers).items():
            shape = [lengths[axis] for axis in axes]
            if len(shape) < 3:
                weights[name] = torch.zeros(shape)
                continue
            scale = _KNEE**0.5 / n_inputs**0.5 if name == "w1" else 1.0 / (_KNEE * width**0.5)
            weights[name] = torch.randn(shape, generator=generator) * scale
        return cls(weights)

    @classmethod
    def of(cls, weights: Mapping[str, np.ndarray]) -> "LocalNetworks":
        """Networks with these weights, which are not copied."""
        return cls({name: torch.from_numpy(array) for name, array in weights.items()})

    @property
    def kind(self) -> str:
        """Name among ``kinds.KINDS``."""
        return perceptron_name(len(self.weights) - 1)

    @property
    def n_units(self) -> int:
        """Number of stacked networks."""
        return int(self.weights["w1"].shape[0])

    @property
    def n_inputs(self) -> int:
        """Number of inputs, padding included."""
        return int(self.weights["w1"].shape[1])

    @property
    def width(self) -> int:
        """Units of a hidden layer."""
        return int(self.weights["w1"].shape[2])

    def take(self, units: torch.Tensor) -> "LocalNetworks":
        """A copy of some units."""
        return LocalNetworks({name: w[units].clone() for name, w in self.weights.items()})

    def zeros_like(self) -> dict[str, torch.Tensor]:
        """Tensors for gradients, shaped like the weights."""
        return {name: torch.zeros_like(w) for name, w in self.weights.items()}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.weights["w1"].device

    def to(self, device: torch.device | str) -> "LocalNetworks":
        """The networks on another device; themselves if they are there."""
        if self.device == torch.device(device):
            return self
        return LocalNetworks({name: w.to(device) for name, w in self.weights.items()})

    def chunk_size(self, n_rows: int) -> int:
        """Number of units that are processed together."""
        return max(1, (_CHUNK_ROWS if self.device.type == "cpu" else _CHUNK_ROWS_GPU) // n_rows)

    def chunks(self, n_rows: int) -> Iterator[slice]:
        """Slices of units that are processed together."""
        size = self.chunk_size(n_rows)
        for start in range(0, self.n_units, size):
            yield slice(start, min(start + size, self.n_units))

    def forward(self, x: torch.Tensor, chunk: slice) -> torch.Tensor:
        """Outputs F of a chunk of units.

        Parameters
        ----------
        x : float32 tensor [n_units of the chunk, n_inputs, n_rows]
        chunk : slice

        Returns
        -------
        float32 tensor [n_units of the chunk, n_rows]
            Activations are kept for a ``backward`` that follows immediately.
        """
        b = self._workspace(x.shape[0], x.shape[2])
        w = self._views(self.weights, chunk)
        a = x.transpose(1, 2)
        for layer, weight in zip(b, w.hidden, strict=True):
            a = torch.bmm(a, weight, out=layer.a)
            _activate(a, layer.c)
        return torch.bmm(w.last, b[-1].a_transposed)[:, 0].add_(w.bias)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """F of all units as a differentiable expression, in the precision of its inputs.

        Parameters
        ----------
        x : tensor [n_units, n_inputs, n_rows]

        Returns
        -------
        tensor [n_units, n_rows]
        """
        *hidden, last, bias = (self.weights[name].to(x.dtype) for name in self.names)
        a = x.transpose(1, 2)
        for weight in hidden:
            u = a @ weight
            c = u.clamp(0.0, _KNEE)
            a = c * (u - 0.5 * c)
        return (a @ last[:, :, None])[..., 0] + bias[:, None]

    def slope(self, x: torch.Tensor, chunk: slice, slot: int = 0) -> torch.Tensor:
        """∂F/∂x of one input of every unit, forward mode; call right after its ``forward``.

        Parameters
        ----------
        x : float32 tensor [n_units of the chunk, n_inputs, n_rows]
        chunk : slice
        slot : int, default 0
            Number of the input.

        Returns
        -------
        float32 tensor [n_units of the chunk, n_rows]
        """
        b = self._workspace(x.shape[0], x.shape[2])
        w = self._views(self.weights, chunk)
        tangent = b[0].c.mul_(w.hidden[0][:, slot : slot + 1])
        for layer, weight in zip(b[1:], w.hidden[1:], strict=True):
            tangent = torch.bmm(tangent, weight).mul_(layer.c)
        return torch.bmm(w.last, tangent.transpose(1, 2))[:, 0]

    def gradient(self, x: torch.Tensor, chunk: slice) -> torch.Tensor:
        """∂F/∂x of all inputs of every unit; call right after its ``forward``.

        Parameters
        ----------
        x : float32 tensor [n_units of the chunk, n_inputs, n_rows]
        chunk : slice

        Returns
        -------
        float32 tensor [n_units of the chunk, n_inputs, n_rows]
        """
        b = self._workspace(x.shape[0], x.shape[2])
        w = self._views(self.weights, chunk)
        change = b[-1].c.mul_(w.last)
        for layer, below, transposed in zip(b[:0:-1], b[-2::-1], w.transposed, strict=True):
            change = torch.bmm(change, transposed, out=layer.a).mul_(below.c)
        return torch.bmm(w.hidden[0], change.transpose(1, 2))

    def backward(
        self, x: torch.Tensor, slope: torch.Tensor, chunk: slice, gradients: dict[str, torch.Tensor]
    ) -> None:
        """Write the gradients of a chunk, given ∂loss/∂F; call right after its ``forward``.

        Parameters
        ----------
        x : float32 tensor [n_units of the chunk, n_inputs, n_rows]
        slope : float32 tensor [n_units of the chunk, n_rows]
            ∂loss/∂F.
        chunk : slice
        gradients : dict of tensors
            As from ``zeros_like``; overwritten in the chunk.
        """
        b = self._workspace(x.shape[0], x.shape[2])
        w, g = self._views(self.weights, chunk), self._views(gradients, chunk)
        torch.sum(slope, 1, keepdim=True, out=g.bias)
        torch.bmm(slope[:, None], b[-1].a, out=g.last)
        change = b[-1].c.mul_(slope[:, :, None]).mul_(w.last)
        for k, transposed in zip(range(len(b) - 1, 0, -1), w.transposed, strict=True):
            torch.bmm(b[k - 1].a_transposed, change, out=g.hidden[k])
            change = torch.bmm(change, transposed, out=b[k].a).mul_(b[k - 1].c)
        torch.bmm(x, change, out=g.hidden[0])

    def _views(self, tensors: dict[str, torch.Tensor], chunk: slice) -> "_Views":
        """Views of weights or gradients, kept: to make one takes as long as a small operation."""
        key = (id(tensors), chunk.start, chunk.stop)
        found = self._kept.get(key)
        if found is None or any(
            tensors[n] is not base for n, base in zip(self.names, found.of, strict=True)
        ):
            *hidden, last, bias = (tensors[name][chunk] for name in self.names)
            of = tuple(tensors[name] for name in self.names)
            transposed = tuple(weight.transpose(1, 2) for weight in hidden[:0:-1])
            found = self._kept[key] = _Views(
                of, tuple(hidden), transposed, last[:, None], bias[:, None]
            )
        return found

    def _workspace(self, n_units: int, n_rows: int) -> "tuple[_Layer, ...]":
        key = (n_units, n_rows)
        if key not in self._buffers:
            if len(self._buffers) > 4:
                self._buffers.clear()
            with torch.inference_mode(False):  # buffers serve inside and outside of it
                shape, device = (n_units, n_rows, self.width), self.device
                pairs = [[torch.empty(shape, device=device) for _ in "ac"] for _ in self.names[:-2]]
            self._buffers[key] = tuple(_Layer(a, c, a.transpose(1, 2)) for a, c in pairs)
        return self._buffers[key]


class _Views(NamedTuple):
    """A chunk of the tensors ``of``: hidden layers, all but the first transposed from the last one
    down, the last layer [n, 1, width] and its bias [n, 1].
    """

    of: tuple[torch.Tensor, ...]
    hidden: tuple[torch.Tensor, ...]
    transposed: tuple[torch.Tensor, ...]
    last: torch.Tensor
    bias: torch.Tensor


class _Layer(NamedTuple):
    """Activations a of a hidden layer, their transpose, and derivatives c [n, n_rows, width]."""

    a: torch.Tensor
    c: torch.Tensor
    a_transposed: torch.Tensor


def round_up(n: int) -> int:
    """The next multiple of 8: the width that vector units like."""
    return -(-n // 8) * 8


def _activate(u: torch.Tensor, c: torch.Tensor) -> None:
    """Write c = clip(u, 0, κ), the derivative, and u ← c (u − c/2)."""
    torch.clamp(u, 0.0, _KNEE, out=c)
    u.sub_(c, alpha=0.5).mul_(c)
