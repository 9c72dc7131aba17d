"""The score field: all shards as one function of the whole state.

    s_j(y, σ) = (D_j(y_{N_j}, σ) − y_j) / σ²

The field knows who owns which node. Its states list the targets shard by shard
(``ScoreField.nodes``), so that a shard writes to rows that lie together. States are denoised by the
field bound to clean values (``local.bound``), which is where it needs torch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from locality._typing import IntArray
from locality.domain.domain import Domain
from locality.local.denoiser import LocalDenoiser
from locality.local.shard import ShardState
from locality.noise.levels import NoiseLevels

if TYPE_CHECKING:
    from locality.local.bundle import Bundle

__all__ = ["ScoreField"]

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
    _bundles: "dict[tuple[int, ...], list[Bundle]]" = field(
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

    def bundles(self, extent: tuple[int, ...]) -> "list[Bundle]":
        """The shards that are linear functions of the state at one position, kept for reuse."""
        from locality.local.bundle import BUNDLE_SHARDS, Bundle

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
            scale[shard.target] = shard.closed_form(interior).conditional_scale[:, 0]
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

    @property
    def needed_levels(self) -> NoiseLevels:
        """Levels that resolve the finest relation and drown the largest common movement."""
        return NoiseLevels.for_scales(self.conditional_scale, self.largest_variance)


def is_plain(shard: ShardState) -> bool:
    """Whether a shard is one linear function of the state at a position."""
    alone = not shard.source_given.any() and not shard.source_offset.any()
    return alone and not len(shard.networks)
