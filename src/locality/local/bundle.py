"""Bundles: shards without networks, denoised together.

A linear shard is a small matrix times the rows that it reads; called one by one, thousands of
shards spend their time on the calls. Here the matrices of a few shards are stacked, padded to a
common size, and one batched product does for all of them; their rows and their results fit the
cache. Padding reads the shard's own first source and weighs it zero, so that a shard depends on
nothing but its sources. What is kept for a noise level are the weights of the slots, not matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from locality._typing import IntArray
from locality.local.denoiser import LocalDenoiser
from locality.local.patches import Patches

__all__ = ["BUNDLE_SHARDS", "Bundle"]

BUNDLE_SHARDS = 16
_KEPT_BYTES = 1 << 28  # of all bundles of a field


@dataclass(frozen=True, eq=False)
class Bundle:
    """Some shards of one boundary class, without networks or given slots.

    Parameters
    ----------
    denoisers : tuple of LocalDenoiser [n_shards]
    state_rows : int tensor [n_shards * n_sources]
        Rows of the state that each shard reads, the last one padding.
    starts : tuple of int [n_shards]
        First row of the state that each shard owns.
    places : int tensor [n_units, n_slots]
        Where the slots of each unit stand in the flattened stack of matrices.
    shape : (int, int, int)
        Of the stack of matrices: shards, units, sources.
    n_kept : int
        Noise levels whose weights may be kept.
    """

    denoisers: tuple[LocalDenoiser, ...]
    state_rows: torch.Tensor
    starts: tuple[int, ...]
    places: torch.Tensor
    shape: tuple[int, int, int]
    n_kept: int
    _weights: dict[tuple[float, torch.dtype], torch.Tensor] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def of(
        cls,
        shards: Sequence[tuple[LocalDenoiser, IntArray, int]],
        n_targets: int,
    ) -> "Bundle":
        """Stack shards.

        Parameters
        ----------
        shards : sequence of (LocalDenoiser, int array, int)
            Rows of the state that each shard reads, and the first that it owns.
        n_targets : int
            Components of the whole field, for the memory that levels may take.
        """
        denoisers, state_rows, starts = zip(*shards, strict=True)
        patches = [denoiser.closed_form.patches for denoiser in denoisers]
        n_units = max(part.n_units for part in patches)
        n_sources = max(part.n_sources for part in patches) + 1
        n_slots = max(part.slots.shape[1] for part in patches)
        read = np.empty((len(patches), n_sources), dtype=np.int64)
        places = []
        for s, (part, rows) in enumerate(zip(patches, state_rows, strict=True)):
            read[s] = rows[0]
            read[s, : len(rows)] = rows
            places.append(_places(part, s * n_units, n_sources, n_slots))
        bytes_of_level = 4 * n_slots * n_targets
        return cls(
            denoisers,
            torch.from_numpy(read.ravel()),
            starts,
            torch.from_numpy(np.concatenate(places)),
            (len(patches), n_units, n_sources),
            max(1, _KEPT_BYTES // bytes_of_level),
        )

    def __call__(
        self, y: torch.Tensor, sigma: float, room: torch.Tensor, result: torch.Tensor
    ) -> None:
        """Write D of the units of all shards.

        Parameters
        ----------
        y : float tensor [n_targets, n_examples]
            The whole noisy state.
        sigma : float
        room : float tensor [at least n_shards * n_sources, n_examples]
            Where the rows of the shards are put.
        result : float tensor [n_targets, n_examples]
            Filled in the rows that the shards own.
        """
        n_shards, n_units, n_sources = self.shape
        z = room[: len(self.state_rows)]
        torch.index_select(y, 0, self.state_rows, out=z)
        matrices = torch.zeros(self.shape, dtype=y.dtype)
        matrices.view(-1).scatter_(0, self.places.ravel(), self._level(sigma, y.dtype).ravel())
        z = z.view(n_shards, n_sources, -1)
        first, stop = self.starts[0], self.starts[0] + n_shards * n_units
        if self._fills(first):
            torch.bmm(matrices, z, out=result[first:stop].view(n_shards, n_units, -1))
            return
        found = torch.bmm(matrices, z)
        for denoiser, start, part in zip(self.denoisers, self.starts, found, strict=True):
            result[start : start + denoiser.n_units] = part[: denoiser.n_units]

    def divergence(self, sigma: float, result: torch.Tensor) -> None:
        """Write ∂D_j/∂y_j of the units of all shards, the same in every example.

        Parameters
        ----------
        sigma : float
        result : float tensor [n_targets, n_examples]
            Filled in the rows that the shards own.
        """
        center, at = self._level(sigma, result.dtype)[:, :1], 0
        for denoiser, start in zip(self.denoisers, self.starts, strict=True):
            result[start : start + denoiser.n_units] = center[at : at + denoiser.n_units]
            at += denoiser.n_units

    def _fills(self, first: int) -> bool:
        """Whether the shards own all rows from the first one on, in equal parts."""
        n_shards, n_units, _ = self.shape
        wanted = tuple(range(first, first + n_shards * n_units, n_units))
        return self.starts == wanted and len(self.places) == n_shards * n_units

    def _level(self, sigma: float, dtype: torch.dtype) -> torch.Tensor:
        """Weights of the slots of all units at one level [n_units, n_slots]."""
        key = (sigma, dtype)
        if key not in self._weights:
            if len(self._weights) >= self.n_kept:
                self._weights.clear()
            found = torch.zeros(self.places.shape, dtype=dtype)
            at = 0
            for denoiser in self.denoisers:
                closed_form = denoiser.closed_form
                level = torch.full((closed_form.n_units, 1), sigma, dtype=torch.float64)
                weights = closed_form.weights(level)[:, 0, :, 0]
                found[at : at + len(weights), : weights.shape[1]] = weights
                at += len(weights)
            self._weights[key] = found
        return self._weights[key]


def _places(patches: Patches, first_unit: int, n_sources: int, n_slots: int) -> IntArray:
    """Places of slots in flattened matrices [n_units, n_slots]; padding in the last column."""
    slots = np.full((patches.n_units, n_slots), n_sources - 1, dtype=np.int64)
    known = patches.slots
    slots[:, : known.shape[1]] = np.where(known < patches.n_sources, known, n_sources - 1)
    return slots + n_sources * (first_unit + np.arange(patches.n_units))[:, None]
