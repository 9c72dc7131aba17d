"""The bound field: the score field at fixed clean values, ready for a walk through noise levels.

Binding a field to an extent and to the clean values (context and past rows) prepares everything
that does not change while a sampler or an integral walks through the noise levels. Here the state
is torch: shards write to the rows that they own, bundled where they are plain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from locality._typing import IntArray
from locality.local.denoiser import LocalDenoiser
from locality.local.field import ScoreField
from locality.local.patches import Sources, unfold
from locality.local.shard import ShardState

__all__ = ["BoundField"]


class BoundField:
    """The field at fixed clean values.

    Parameters
    ----------
    field : ScoreField
    values : float32 array [n_nodes, *extent, n_samples]
        Clean values where they are given (context nodes, past rows); the rest is ignored
        when denoising.
    positions : slice, optional
        Flat positions of interest, default all.
    """

    def __init__(
        self, field: ScoreField, values: np.ndarray, positions: slice | None = None
    ) -> None:
        self.field = field
        self.extent = values.shape[1:-1]
        self.n_samples = values.shape[-1]
        n_positions = int(np.prod(self.extent, dtype=np.int64))
        self.positions = positions or slice(0, n_positions)
        self.columns = slice(
            self.positions.start * self.n_samples, self.positions.stop * self.n_samples
        )
        self.limits = None
        if field.limits is not None:
            bounds = field.limits[field.nodes].astype(np.float32)
            self.limits = torch.from_numpy(bounds).unsqueeze(-1).unbind(1)
        row = field.row_of_node
        self.bundles = field.bundles(self.extent)
        self.parts = [
            self._part(shard, denoiser, classes, values, row)
            for shard, denoiser, classes in field.unbundled(self.extent)
        ]
        # one room for all shards: it stays in cache, whatever the number of components
        largest = [len(bundle.state_rows) for bundle in self.bundles]
        largest += [part.sources.n_sources + 1 for part in self.parts]
        self._room = torch.from_numpy(np.empty((max(largest), self.n_columns), values.dtype))

    def _part(
        self,
        shard: ShardState,
        denoiser: LocalDenoiser,
        class_of_position: IntArray,
        values: np.ndarray,
        row_of_node: IntArray,
    ) -> "_Part":
        domain, sources = self.field.domain, shard.sources
        classes = torch.from_numpy(np.repeat(class_of_position, self.n_samples))
        noisy = np.flatnonzero(~sources.given)  # the first ones
        first = int(row_of_node[shard.target[0]])
        centered = not sources.offset[noisy].any()
        z = None
        if not centered:
            z = torch.from_numpy(unfold(values, sources, domain))
        elif len(noisy) < sources.n_sources:
            z = torch.from_numpy(unfold(values, sources, domain)[:, self.columns]).contiguous()
        return _Part(
            denoiser,
            sources,
            z,
            classes[self.columns if centered else slice(None)],
            torch.from_numpy(row_of_node[sources.node[noisy]]),
            slice(first, first + len(shard.target)),
            centered,
        )

    def prepare(self, sigmas: Sequence[float], dtype: torch.dtype) -> None:
        """Make ready for the levels of a walk, which are then all that takes room."""
        for bundle in self.bundles:
            bundle.prepare(sigmas, dtype)

    @property
    def n_columns(self) -> int:
        """Examples: positions times samples."""
        return int(self.columns.stop - self.columns.start)

    def denoise(self, y: torch.Tensor, sigma: float) -> torch.Tensor:
        """D(y, σ) of every target.

        Parameters
        ----------
        y : float32 tensor [n_targets, n_positions * n_samples]
            Noisy state in the order of ``ScoreField.nodes``; columns by position, then sample.
        sigma : float

        Returns
        -------
        float32 tensor of the same shape
        """
        result = torch.from_numpy(np.empty(y.shape, y.numpy().dtype))  # in large pages
        for bundle in self.bundles:
            bundle(y, sigma, self._room, result)
        for part in self.parts:
            result[part.rows] = part.denoiser(self._examples(part, y), sigma, part.classes)
        if self.limits is not None:
            result.clamp_(*self.limits)
        return result

    def with_divergence(self, y: torch.Tensor, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
        """D(y, σ), and ∂D_j/∂y_j of every target: each sees its own copy of its patch, so one
        forward-mode pass gives the whole diagonal. Limits are not applied.

        Parameters
        ----------
        y : float tensor [n_targets, n_positions * n_samples]
        sigma : float

        Returns
        -------
        two tensors of the same shape
        """
        result, slope = torch.empty_like(y), torch.empty_like(y)
        for bundle in self.bundles:
            bundle(y, sigma, self._room, result)
            bundle.divergence(sigma, slope)
        for part in self.parts:
            result[part.rows], slope[part.rows] = part.denoiser.with_divergence(
                self._examples(part, y), sigma, part.classes
            )
        return result, slope

    def examples(self, part: int, y: torch.Tensor) -> torch.Tensor:
        """Examples of a shard with networks: what its sources hold at a state.

        Parameters
        ----------
        part : int
            Number of the shard among those that are no part of a bundle.
        y : float32 tensor [n_targets, n_columns]
        """
        return self._examples(self.parts[part], y)

    def score(self, y: torch.Tensor, sigma: float) -> torch.Tensor:
        """∇ log p_σ(y) of every target; arguments as ``denoise``."""
        return (self.denoise(y, sigma) - y) / sigma**2

    def _examples(self, part: "_Part", y: torch.Tensor) -> torch.Tensor:
        """Noisy rows of a shard, its given rows as they are."""
        if not part.centered:
            return self._unfold_state(part, y)
        z = part.z
        if z is None:
            z = self._room[: part.sources.n_sources + 1]
            z[-1] = 0.0
        torch.index_select(y.to(z.dtype), 0, part.state_rows, out=z[: len(part.state_rows)])
        return z

    def _unfold_state(self, part: "_Part", y: torch.Tensor) -> torch.Tensor:
        """Examples of a lattice whose noisy neighbors lie at other positions."""
        state = np.zeros(
            (self.field.domain.n_nodes, *self.extent, self.n_samples), dtype=y.numpy().dtype
        )
        state[self.field.nodes] = y.numpy().reshape(-1, *self.extent, self.n_samples)
        z = torch.from_numpy(unfold(state, part.sources, self.field.domain))
        if part.z is not None:
            given = torch.from_numpy(np.flatnonzero(part.sources.given))
            z[given] = part.z[given]
        return z


@dataclass(frozen=True, eq=False)
class _Part:
    """One shard, bound.

    ``centered``: all noisy slots lie at the position itself. ``z``: examples with clean given
    rows, None if nothing is given.
    """

    denoiser: LocalDenoiser
    sources: Sources
    z: torch.Tensor | None
    classes: torch.Tensor
    state_rows: torch.Tensor
    rows: slice
    centered: bool
