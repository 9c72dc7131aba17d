"""Local networks: many small multilayer perceptrons, stacked, with a hand-written backward pass.

Unit j maps its inputs x ∈ R^P through two hidden layers to one number,

    a¹ = φ(W¹ᵀ x) ,  a² = φ(W²ᵀ a¹) ,  F = w³ᵀ a² + b³ ,

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

__all__ = ["LocalNetworks", "round_up"]

_KNEE = 2.0  # κ
_CHUNK_ROWS = 1536  # units times rows processed together, whose activations fit the cache
_CHUNK_ROWS_GPU = 1 << 18  # a GPU has no such cache, and wants large operations


class LocalNetworks:
    """A stack of two-hidden-layer perceptrons, one per unit.

    Parameters
    ----------
    weights : dict of float32 tensors
        ``w1`` [n_units, n_inputs, width], ``w2`` [n_units, width, width],
        ``w3`` [n_units, width], ``b3`` [n_units].
    """

    kind = "perceptron"
    names = ("w1", "w2", "w3", "b3")

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        self.weights = weights
        self._buffers: dict[tuple[int, int], _Workspace] = {}
        self._kept: dict[tuple[int, int, int], _Views] = {}

    @classmethod
    def initial(
        cls, n_units: int, n_inputs: int, width: int, generator: torch.Generator
    ) -> "LocalNetworks":
        """Random hidden layers and a last layer of zeros.

        Parameters
        ----------
        n_units, n_inputs, width : int
            Inputs should be a multiple of 8 (see ``round_up``).
        generator : torch.Generator
            Source of all randomness.
        """
        gain = np.sqrt(_KNEE)
        w1 = torch.randn(n_units, n_inputs, width, generator=generator)
        w2 = torch.randn(n_units, width, width, generator=generator)
        return cls(
            {
                "w1": w1 * (gain / n_inputs**0.5),
                "w2": w2 * (1.0 / (_KNEE * width**0.5)),
                "w3": torch.zeros(n_units, width),
                "b3": torch.zeros(n_units),
            }
        )

    @classmethod
    def of(cls, weights: Mapping[str, np.ndarray]) -> "LocalNetworks":
        """Networks with these weights, which are not copied."""
        return cls({name: torch.from_numpy(weights[name]) for name in cls.names})

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
        _activate(torch.bmm(x.transpose(1, 2), w.w1, out=b.a1), b.c1)
        _activate(torch.bmm(b.a1, w.w2, out=b.a2), b.c2)
        return torch.bmm(w.w3, b.a2_transposed)[:, 0].add_(w.b3)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """F of all units as a differentiable expression, in the precision of its inputs.

        Parameters
        ----------
        x : tensor [n_units, n_inputs, n_rows]

        Returns
        -------
        tensor [n_units, n_rows]
        """
        w = {name: weight.to(x.dtype) for name, weight in self.weights.items()}
        a = x.transpose(1, 2)
        for name in ("w1", "w2"):
            u = a @ w[name]
            c = u.clamp(0.0, _KNEE)
            a = c * (u - 0.5 * c)
        return (a @ w["w3"][:, :, None])[..., 0] + w["b3"][:, None]

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
        tangent = torch.bmm(b.c1.mul_(w.w1[:, slot : slot + 1]), w.w2)
        return torch.bmm(w.w3, tangent.mul_(b.c2).transpose(1, 2))[:, 0]

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
        b.c2.mul_(w.w3)
        torch.bmm(b.c2, w.w2_transposed, out=b.a2).mul_(b.c1)
        return torch.bmm(w.w1, b.a2_transposed)

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
        torch.sum(slope, 1, keepdim=True, out=g.b3)
        torch.bmm(slope[:, None], b.a2, out=g.w3)
        b.c2.mul_(slope[:, :, None]).mul_(w.w3)
        torch.bmm(b.a1_transposed, b.c2, out=g.w2)
        torch.bmm(b.c2, w.w2_transposed, out=b.a2).mul_(b.c1)
        torch.bmm(x, b.a2, out=g.w1)

    def _views(self, tensors: dict[str, torch.Tensor], chunk: slice) -> "_Views":
        """Views of weights or gradients, kept: to make one takes as long as a small operation."""
        key = (id(tensors), chunk.start, chunk.stop)
        found = self._kept.get(key)
        if found is None or any(
            tensors[n] is not base for n, base in zip(self.names, found.of, strict=True)
        ):
            w1, w2, w3, b3 = (tensors[name][chunk] for name in self.names)
            of = tuple(tensors[name] for name in self.names)
            found = self._kept[key] = _Views(
                of, w1, w2, w2.transpose(1, 2), w3[:, None], b3[:, None]
            )
        return found

    def _workspace(self, n_units: int, n_rows: int) -> "_Workspace":
        key = (n_units, n_rows)
        if key not in self._buffers:
            if len(self._buffers) > 4:
                self._buffers.clear()
            with torch.inference_mode(False):  # buffers serve inside and outside of it
                shape, device = (n_units, n_rows, self.width), self.device
                a1, c1, a2, c2 = (torch.empty(shape, device=device) for _ in range(4))
            flipped = (part.transpose(1, 2) for part in (a1, a2))
            self._buffers[key] = _Workspace(a1, c1, a2, c2, *flipped)
        return self._buffers[key]


class _Views(NamedTuple):
    """A chunk of the tensors ``of``; w3 [n, 1, width] and b3 [n, 1]."""

    of: tuple[torch.Tensor, ...]
    w1: torch.Tensor
    w2: torch.Tensor
    w2_transposed: torch.Tensor
    w3: torch.Tensor
    b3: torch.Tensor


class _Workspace(NamedTuple):
    """Activations a and derivatives c [n, n_rows, width], and transposes."""

    a1: torch.Tensor
    c1: torch.Tensor
    a2: torch.Tensor
    c2: torch.Tensor
    a1_transposed: torch.Tensor
    a2_transposed: torch.Tensor


def round_up(n: int) -> int:
    """The next multiple of 8: the width that vector units like."""
    return -(-n // 8) * 8


def _activate(u: torch.Tensor, c: torch.Tensor) -> None:
    """Write c = clip(u, 0, κ), the derivative, and u ← c (u − c/2)."""
    torch.clamp(u, 0.0, _KNEE, out=c)
    u.sub_(c, alpha=0.5).mul_(c)
