"""Examples: rows of a shard as tensors, and which of them networks learn from."""

from dataclasses import dataclass, replace

import torch

__all__ = ["Examples"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of a shard that networks learn from and are judged on.

    Parameters
    ----------
    z : float32 tensor [n_sources + 1, n_examples]
    noisy_sources : float32 tensor [n_sources + 1, n_classes or 1]
        1 for sources that receive noise, 0 for given ones, those outside the lattice and the
        padding row.
    classes : int tensor [n_examples]
        Boundary class.
    train, held_out : int tensors
        Disjoint example numbers.
    observed : float32 tensor [n_sources + 1, n_examples] or None
        1 where the value of a source may be learned to be predicted, 0 where it may not; None if
        it may everywhere.
    """

    z: torch.Tensor
    noisy_sources: torch.Tensor
    classes: torch.Tensor
    train: torch.Tensor
    held_out: torch.Tensor
    observed: torch.Tensor | None = None

    def to(self, device: torch.device) -> "Examples":
        """The rows on a device; example numbers, which are shuffled, stay on the CPU."""
        if device.type == "cpu":
            return self
        return replace(
            self,
            z=self.z.to(device),
            noisy_sources=self.noisy_sources.to(device),
            classes=self.classes.to(device),
            observed=None if self.observed is None else self.observed.to(device),
        )
