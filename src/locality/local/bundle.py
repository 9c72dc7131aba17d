"""Bundles: shards without networks, denoised together.

A linear shard is a small matrix times the rows that it reads; called one by one, thousands of
shards spend their time on the calls. Here the matrices of a few shards are stacked, padded to a
common size, and one batched product does for all of them; their rows and their results fit the
cache. Padding reads the shard's own first source and weighs it zero, so that a shard depends on
nothing but its sources. What is kept for a noise level are the weights of the slots, not matrices.

Decompositions of covariances take far more room than the weights of some levels. So where the
levels are known before, weights are made shard by shard and the decompositions are forgotten.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from locality._typing import IntArray
from locality.local.linear import LinearDenoiser
from locality.local.patches import Patches
from locality.local.shard import ShardState

__all__ = ["BUNDLE_SHARDS", "Bundle"]

BUNDLE_SHARDS = 16
_KEPT_BYTES = 1 << 28  # of all bundles of a field


@dataclass(frozen=True, eq=False)
class Bundle:
    """Some shards of one boundary class, without networks or given slots.

    Parameters
    ----------
    shards : tuple of ShardState
    state_rows : int tensor [n_shards * n_sources]
        Rows of the state that each shard reads, the last one padding.
    starts : tuple of int [n_shards]
        First row of the state that each shard owns.
    places : int tensor [n_units, n_slots]
        Where the slots of each unit stand in the flattened stack of matrices.
    shape : (int, int, int)
        Of the stack of matrices: shards, units, sources.
    n_kept : int
        Noise levels whose weights may be kept, beside those that a walk was prepared for.
    """

    shards: tuple[ShardState, ...]
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
        shards: Sequence[tuple[ShardState, IntArray, int]],
        n_targets: int,
    ) -> "Bundle":
        """Stack shards.

        Parameters
        ----------
        shards : sequence of (ShardState, int array, int)
            Rows of the state that each shard reads, and the first that it owns.
        n_targets : int
            Components of the whole field, for the memory that levels may take.
        """
        members, state_rows, starts = zip(*shards, strict=True)
        patches = [shard.patches for shard in members]
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
            members,
            torch.from_numpy(read.ravel()),
            starts,
            torch.from_numpy(np.concatenate(places)),
            (len(patches), n_units, n_sources),
            max(1, _KEPT_BYTES // bytes_of_level),
        )

    @cached_property
    def closed_forms(self) -> tuple[LinearDenoiser, ...]:
        """Of the shards, kept from the first level on that was not prepared."""
        return tuple(_closed_form(shard) for shard in self.shards)

    def prepare(self, sigmas: Sequence[float], dtype: torch.dtype) -> None:
        """Make the weights of some levels; of others as many are kept as there is room for.

        Parameters
        ----------
        sigmas : sequence of float
        dtype : torch.dtype
            Of the states.
        """
        made = vars(self).get("closed_forms")
        self._make(sigmas, dtype, made or (_closed_form(shard) for shard in self.shards))

    def _make(
        self, sigmas: Sequence[float], dtype: torch.dtype, forms: Iterable[LinearDenoiser]
    ) -> None:
        asked = dict.fromkeys((sigma, dtype) for sigma in sigmas)
        new = [sigma for sigma, _ in asked if (sigma, dtype) not in self._weights]
        if not new:
            return
        if len(self._weights) + len(new) > self.n_kept:
            for key in self._weights.keys() - asked.keys():
                del self._weights[key]
        found = torch.zeros((len(new), *self.places.shape), dtype=dtype)
        at = 0
        for closed_form in forms:
            levels = np.tile(new, (closed_form.n_units, 1))
            weights = closed_form.weights(levels)[:, 0].transpose(2, 0, 1)
            here = slice(at, at + closed_form.n_units)
            found[:, here, : weights.shape[2]] = torch.from_numpy(weights)
            at = here.stop
        for sigma, weights in zip(new, found, strict=True):
            self._weights[sigma, dtype] = weights

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
        for shard, start, part in zip(self.shards, self.starts, found, strict=True):
            result[start : start + len(shard.target)] = part[: len(shard.target)]

    def divergence(self, sigma: float, result: torch.Tensor) -> None:
        """Write ∂D_j/∂y_j of the units of all shards, the same in every example.

        Parameters
        ----------
        sigma : float
        result : float tensor [n_targets, n_examples]
            Filled in the rows that the shards own.
        """
        center, at = self._level(sigma, result.dtype)[:, :1], 0
        for shard, start in zip(self.shards, self.starts, strict=True):
            n_units = len(shard.target)
            result[start : start + n_units] = center[at : at + n_units]
            at += n_units

    def _fills(self, first: int) -> bool:
        """Whether the shards own all rows from the first one on, in equal parts."""
        n_shards, n_units, _ = self.shape
        wanted = tuple(range(first, first + n_shards * n_units, n_units))
        return self.starts == wanted and len(self.places) == n_shards * n_units

    def _level(self, sigma: float, dtype: torch.dtype) -> torch.Tensor:
        """Weights of the slots of all units at one level [n_units, n_slots]."""
        if (sigma, dtype) not in self._weights:
            self._make([sigma], dtype, self.closed_forms)  # kept: there will be more such levels
        return self._weights[sigma, dtype]


def _closed_form(shard: ShardState) -> LinearDenoiser:
    return shard.closed_form(np.ones((1, len(shard.source_node)), dtype=bool))


def _places(patches: Patches, first_unit: int, n_sources: int, n_slots: int) -> IntArray:
    """Places of slots in flattened matrices [n_units, n_slots]; padding in the last column."""
    slots = np.full((patches.n_units, n_slots), n_sources - 1, dtype=np.int64)
    known = patches.slots
    slots[:, : known.shape[1]] = np.where(known < patches.n_sources, known, n_sources - 1)
    return slots + n_sources * (first_unit + np.arange(patches.n_units))[:, None]
