"""The score field: all shards as one function of the whole state.

    s_j(y, σ) = (D_j(y_{N_j}, σ) − y_j) / σ²

The field knows who owns which node. Its states list the targets shard by shard
(``ScoreField.nodes``), so that a shard writes to rows that lie together. Binding it to an extent
and to the clean values (context and past rows) prepares everything that does not change while a
sampler or an integral walks through the noise levels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch

from locality._typing import IntArray
from locality.domain.domain import Domain
from locality.local.bundle import BUNDLE_SHARDS, Bundle
from locality.local.denoiser import LocalDenoiser
from locality.local.patches import Sources, unfold
from locality.local.shard import ShardState

__all__ = ["BoundField", "ScoreField"]

T = TypeVar("T")

_FEW_SHARDS = 64


@dataclass(frozen=True, eq=False)
class ScoreField:
    """The assembled model.

    Parameters
    ----------
    domain : Domain
    shards : tuple of ShardState
        Together they own every target of the domain once.
    limits : float array [n_nodes, 2], optional
        Lowest and highest value of every node. A posterior mean lies within the bounds of what
        it estimates, so bounded denoisers are clipped to them.
    """

    domain: Domain
    shards: tuple[ShardState, ...]
    limits: np.ndarray | None = None
    _denoisers: dict[tuple[int, ...], dict[int, tuple[LocalDenoiser, IntArray]]] = field(
        default_factory=dict, init=False, repr=False
    )
    _bundles: dict[tuple[int, ...], list[Bundle]] = field(
        default_factory=dict, init=False, repr=False
    )
    _derived: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def derived(self, make: Callable[["ScoreField"], T]) -> T:
        """What follows from the field, made when first asked for and kept with it.

        Parameters
        ----------
        make : callable
            From the field; the same one is asked once.
        """
        if make not in self._derived:
            self._derived[make] = make(self)
        found: T = self._derived[make]
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Workers get the field without what can be made again."""
        kept = dict(vars(self))
        for name in ("_denoisers", "_bundles", "_derived"):
            kept[name] = {}
        return kept

    def denoisers(self, extent: tuple[int, ...]) -> list[tuple[LocalDenoiser, IntArray]]:
        """Per shard its denoiser and the boundary class of every position, kept for reuse.

        Parameters
        ----------
        extent : tuple of int
            Positions along each axis.
        """
        return [self._denoiser(number, extent) for number in range(len(self.shards))]

    def _denoiser(self, number: int, extent: tuple[int, ...]) -> tuple[LocalDenoiser, IntArray]:
        """Of one shard."""
        if extent not in self._denoisers and len(self._denoisers) > 16:
            self._denoisers.clear()
            self._bundles.clear()
        kept = self._denoisers.setdefault(extent, {})
        if number not in kept:
            kept[number] = self.shards[number].denoiser(self.domain, extent)
        return kept[number]

    def unbundled(
        self, extent: tuple[int, ...]
    ) -> Iterator[tuple[ShardState, LocalDenoiser, IntArray]]:
        """The shards that are in no bundle, each with its denoiser and the boundary class of every
        position.
        """
        for number, shard in enumerate(self.shards):
            if not is_plain(shard):
                yield shard, *self._denoiser(number, extent)

    def walk(self, extent: tuple[int, ...]) -> Iterator[tuple[ShardState, LocalDenoiser, IntArray]]:
        """Every shard with its denoiser and the boundary class of every position, one by one.

        Of many shards the denoisers are made when it is their turn, and not kept: together they
        would take several times the room of the shards.

        Parameters
        ----------
        extent : tuple of int
        """
        kept = self._denoisers.get(extent, {})
        for number, shard in enumerate(self.shards):
            if len(self.shards) <= _FEW_SHARDS or number in kept:
                yield shard, *self._denoiser(number, extent)
            else:
                yield shard, *shard.denoiser(self.domain, extent)

    @cached_property
    def nodes(self) -> IntArray:
        """Node of every row of a state [n_targets], shard by shard."""
        return np.concatenate([shard.target for shard in self.shards])

    @property
    def row_of_node(self) -> IntArray:
        """Row of every node in a state [n_nodes], -1 for context."""
        row = np.full(self.domain.n_nodes, -1, dtype=np.int64)
        row[self.nodes] = np.arange(len(self.nodes))
        return row

    def bundles(self, extent: tuple[int, ...]) -> list[Bundle]:
        """The shards that are linear functions of the state at one position, kept for reuse."""
        if extent not in self._bundles:
            row = self.row_of_node
            plain = [
                (shard, row[shard.source_node], int(row[shard.target[0]]))
                for shard in self.shards
                if is_plain(shard)
            ]
            self._bundles[extent] = [
                Bundle.of(plain[at : at + BUNDLE_SHARDS], len(row))
                for at in range(0, len(plain), BUNDLE_SHARDS)
            ]
        return self._bundles[extent]

    @property
    def conditional_scale(self) -> np.ndarray:
        """Standard deviation of each target given its neighborhood [n_targets]."""
        scale = np.ones(self.domain.n_nodes)
        for shard in self.shards:
            interior = np.ones((1, len(shard.source_node)), dtype=bool)
            scale[shard.target] = shard.closed_form(interior).conditional_scale[:, 0].numpy()
        return scale[self.domain.targets]

    @property
    def largest_variance(self) -> float:
        """Largest variance of any direction within the reach of a shard, at least 1."""
        found = 1.0
        for shard in self.shards:
            noisy = ~shard.source_given
            values = np.linalg.eigvalsh(shard.covariance[np.ix_(noisy, noisy)])
            found = max(found, float(values[-1]))
        return found

    def bind(self, values: np.ndarray, positions: slice | None = None) -> "BoundField":
        """Prepare the field for states of one extent.

        Parameters
        ----------
        values : float32 array [n_nodes, *extent, n_samples]
            Clean values where they are given (context nodes, past rows); the rest is ignored
            when denoising.
        positions : slice, optional
            Flat positions of interest, default all.
        """
        return BoundField(self, values, positions)


class BoundField:
    """The field at fixed clean values.

    Parameters
    ----------
    field : ScoreField
    values : float32 array [n_nodes, *extent, n_samples]
    positions : slice, optional
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
            z = unfold(values, sources, domain)
        elif len(noisy) < sources.n_sources:
            z = unfold(values, sources, domain)[:, self.columns].contiguous()
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
        z = unfold(state, part.sources, self.field.domain)
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


def is_plain(shard: ShardState) -> bool:
    """Whether a shard is one linear function of the state at a position."""
    alone = not shard.source_given.any() and not shard.source_offset.any()
    return alone and not len(shard.networks)
