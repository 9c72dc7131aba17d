"""Kinds of local networks: what their weights look like, and the class that knows what they mean.

Everybody else (shards, store, task, trainer) handles networks as named arrays whose first axis
counts networks, so another kind is one more entry of ``KINDS``. The class is imported when it is
first needed: whoever only keeps or counts networks does without it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, Self, cast

from locality.exceptions import OptionError

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = [
    "KINDS",
    "MAX_LAYERS",
    "NetworkKind",
    "Networks",
    "kind_of",
    "perceptron",
    "perceptron_name",
]

MAX_LAYERS = 6


class Networks(Protocol):
    """A stack of networks of one kind, one per unit, each from its inputs to one number F.

    Inputs are tensors [n_units of a chunk, n_inputs, n_rows]; ``slope``, ``gradient`` and
    ``backward`` follow immediately after the ``forward`` of their chunk.
    """

    kind: str
    weights: "dict[str, torch.Tensor]"

    @classmethod
    def initial(
        cls, n_units: int, n_inputs: int, width: int, generator: "torch.Generator", layers: int
    ) -> Self:
        """Random networks with F = 0."""

    @classmethod
    def of(cls, weights: "Mapping[str, np.ndarray]") -> Self:
        """Networks with these weights, which are not copied."""

    @property
    def n_units(self) -> int:
        """Number of stacked networks."""

    @property
    def n_inputs(self) -> int:
        """Number of inputs, padding included."""

    def take(self, units: "torch.Tensor") -> Self:
        """A copy of some units."""

    def to(self, device: "torch.device | str") -> Self:
        """The networks on another device."""

    def zeros_like(self) -> "dict[str, torch.Tensor]":
        """Tensors for gradients, shaped like the weights."""

    def chunk_size(self, n_rows: int) -> int:
        """Number of units that are processed together."""

    def chunks(self, n_rows: int) -> Iterator[slice]:
        """Slices of units that are processed together."""

    def forward(self, x: "torch.Tensor", chunk: slice) -> "torch.Tensor":
        """F of a chunk of units [n_units of the chunk, n_rows]."""

    def apply(self, x: "torch.Tensor") -> "torch.Tensor":
        """F of all units [n_units, n_rows] as a differentiable expression."""

    def slope(self, x: "torch.Tensor", chunk: slice, slot: int = 0) -> "torch.Tensor":
        """∂F/∂x of one input of every unit [n_units of the chunk, n_rows]."""

    def gradient(self, x: "torch.Tensor", chunk: slice) -> "torch.Tensor":
        """∂F/∂x of all inputs of every unit, shaped like ``x``."""

    def backward(
        self,
        x: "torch.Tensor",
        slope: "torch.Tensor",
        chunk: slice,
        gradients: "dict[str, torch.Tensor]",
    ) -> None:
        """Write the gradients of a chunk, given ∂loss/∂F [n_units of the chunk, n_rows]."""


@dataclass(frozen=True)
class NetworkKind:
    """One kind of networks.

    Parameters
    ----------
    weights : mapping
        Axes of each of its arrays, all float32: lengths by name, "networks" first; "inputs" is the
        number of inputs.
    networks : class, or str
        What evaluates and trains it; as "module:class" it is imported when it is first needed.
    """

    weights: Mapping[str, tuple[str, ...]]
    networks: type[Networks] | str

    def load(self) -> type[Networks]:
        """The class that evaluates and trains this kind."""
        if not isinstance(self.networks, str):
            return self.networks
        module, _, name = self.networks.partition(":")
        return cast(type[Networks], getattr(import_module(module), name))


def perceptron(layers: int) -> dict[str, tuple[str, ...]]:
    """Axes of the weights of a perceptron, by name.

    >>> list(perceptron(3))
    ['w1', 'w2', 'w3', 'b3']
    """
    wide = {f"w{k}": ("networks", "width", "width") for k in range(2, layers)}
    last = {f"w{layers}": ("networks", "width"), f"b{layers}": ("networks",)}
    return {"w1": ("networks", "inputs", "width"), **wide, **last}


def perceptron_name(layers: int) -> str:
    """The kind of perceptrons with so many layers of weights; three go without saying."""
    return "perceptron" if layers == 3 else f"perceptron-{layers}"


KINDS: dict[str, NetworkKind] = {
    perceptron_name(layers): NetworkKind(perceptron(layers), "locality.local.network:LocalNetworks")
    for layers in range(2, MAX_LAYERS + 1)
}
"""By name; another kind is entered here before it is used."""


def kind_of(name: str) -> NetworkKind:
    """The kind of this name.

    Raises
    ------
    OptionError
        If there is none.

    Examples
    --------
    >>> list(kind_of("perceptron").weights)
    ['w1', 'w2', 'w3', 'b3']
    """
    if name not in KINDS:
        raise OptionError(
            f"There are no networks of kind {name!r}.",
            remedy=f"Choose one of {', '.join(sorted(KINDS))}.",
        )
    return KINDS[name]
