"""Drawing rows, series and lattices: who gets which noise, and in which order.

Noise is keyed by (seed, tile): samples are drawn in tiles of a fixed number that depends on the
domain and its extent alone, the last tile being cut to size. So the first 100 of 1,000 samples are
the same bits as 100 samples. A causal series is drawn row by row, each given the rows before it;
the first rows have no past and come from the law of rows whose past is not known.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from locality._typing import Float32Array, FloatArray
from locality.exceptions import OptionError
from locality.inference.sampling.methods import Method, build_sampler
from locality.inference.sampling.sampler import Sampler, Trajectory
from locality.inference.sampling.schedules import LevelSchedule
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.noise.levels import NoiseLevels
from locality.noise.streams import stream

__all__ = ["Drawing", "draw"]

_TILE_COMPONENTS = 1 << 24  # bounds the memory of a tile, and what a single sample costs
_TILE_POSITIONS = 1 << 12  # of lattices and series: positions of one sample keep a core busy
_SERIES_TILE = 16


@dataclass(frozen=True)
class Drawing:
    """What is to be drawn, and how.

    Parameters
    ----------
    n_samples : int
        Rows in all.
    n_series : int
        For time series: independent stretches that the rows are split over.
    method : str, subclass of Sampler, or callable
        As for ``build_sampler``, to which "auto" is "sde"; "auto" and "exact" are told apart by
        `rows`.
    n_evaluations : int
        Denoiser evaluations per row.
    schedule : LevelSchedule, optional

    Raises
    ------
    OptionError
        If a number is below 1.
    """

    n_samples: int
    n_series: int = 1
    method: Method = "sde"
    n_evaluations: int = 64
    schedule: LevelSchedule | None = None

    def __post_init__(self) -> None:
        for name in ("n_samples", "n_series"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise OptionError(f"{name} must be a whole number of at least 1, found {value!r}.")

    def walk(self, levels: NoiseLevels) -> Sampler:
        """The sampler for a model of these levels."""
        return build_sampler(self.method, levels, self.n_evaluations, self.schedule)

    def __call__(
        self,
        field: ScoreField,
        levels: NoiseLevels,
        extent: tuple[int, ...],
        seed: int,
        context: FloatArray | None,
        progress: Callable[[str, int, int], None],
        spread: Callable[..., Iterator[tuple[int, Float32Array]]] | None = None,
        *,
        every_level: bool = False,
    ) -> Trajectory:
        """Draw from a field.

        Parameters
        ----------
        field : ScoreField
        levels : NoiseLevels
        extent : tuple of int
            Positions of a lattice; () for tables and series.
        seed : int
        context : float array or None
            As in ``draw``.
        progress : callable
            Called with ("sampling", steps done, steps in all).
        spread : callable, optional
            An executor's ``map``: tiles are drawn by its workers, to the same bits.
        every_level : bool
            Keep the states of all levels, which takes their number times the room of the draws.

        Returns
        -------
        Trajectory
            Of the last level only, unless all are kept.
        """
        walk = self.walk(levels)
        n_rows = -(-self.n_samples // self.n_series)
        is_series = any(axis.is_series for axis in field.domain.axes)
        shape, n_draws = ((n_rows,), self.n_series) if is_series else (extent, self.n_samples)
        work = _TileWork(field, walk, shape, seed, every_level)
        tiles = list(work.tiles(n_draws, context))
        spread = spread if len(tiles) > 1 else None
        total = len(tiles) * (1 if spread else work.n_ticks)
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            progress("sampling", done, total)

        if spread is None:
            return work.gather(n_draws, ((start, work(tile, tick)) for start, tile in tiles))

        def arriving() -> Iterator[tuple[int, Float32Array]]:
            for number, drawn in spread(work, [tile for _, tile in tiles]):
                yield tiles[number][0], drawn
                tick()

        return work.gather(n_draws, arriving())


def draw(
    field: ScoreField,
    walk: Sampler,
    n_samples: int,
    extent: tuple[int, ...],
    seed: int,
    context: FloatArray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Float32Array:
    """Samples of a table, a series or a lattice.

    Parameters
    ----------
    field : ScoreField
    walk : Sampler
    n_samples : int
        Rows of a table, or independent lattices or series drawn side by side.
    extent : tuple of int
        Positions along each axis; () for the rows of a table.
    seed : int
    context : float array [n_context, *extent, n_samples], optional
        Standardized values of the context nodes.
    tick : callable
        Called after every step of every tile; of a causal series after every row.

    Returns
    -------
    float32 array [n_targets, *extent, n_samples]
        Standardized.
    """
    work = _TileWork(field, walk, extent, seed)
    tiles = work.tiles(n_samples, context)
    return work.gather(n_samples, ((start, work(tile, tick)) for start, tile in tiles)).draws


@dataclass(frozen=True, eq=False)
class _Tile:
    """Some samples, drawn apart from all others.

    ``number`` keys their noise, with the seed; ``size`` are the samples of a whole tile,
    ``n_samples`` those that are wanted of it; context is [n_context, *extent, n_samples] or None.
    """

    number: int
    size: int
    n_samples: int
    context: FloatArray | None


@dataclass(frozen=True, eq=False)
class _TileWork:
    """What is done with every tile, in whatever process."""

    field: ScoreField
    walk: Sampler
    extent: tuple[int, ...]
    seed: int
    every_level: bool = False

    @property
    def is_causal(self) -> bool:
        return any(axis.is_causal for axis in self.field.domain.axes)

    @property
    def n_ticks(self) -> int:
        """How often a tile calls its tick."""
        return self.extent[0] if self.is_causal else len(self.walk.sigmas) - 1

    def tiles(self, n_samples: int, context: FloatArray | None) -> Iterator[tuple[int, _Tile]]:
        """First sample of every tile, and the tile."""
        n_targets = len(self.field.domain.targets)
        size = _SERIES_TILE if self.is_causal else _tile_size(n_targets, self.extent)
        for number, start in enumerate(range(0, n_samples, size)):
            stop = min(start + size, n_samples)
            part = None if context is None else context[..., start:stop]
            yield start, _Tile(number, size, stop - start, part)

    def gather(self, n_samples: int, parts: Iterable[tuple[int, Float32Array]]) -> Trajectory:
        """Put tiles together, each with its first sample."""
        sigmas = self.walk.sigmas if self.every_level else self.walk.sigmas[-1:]
        shape = (len(sigmas), len(self.field.domain.targets), *self.extent, n_samples)
        states = np.empty(shape, dtype=np.float32)
        for start, drawn in parts:
            states[..., start : start + drawn.shape[-1]] = drawn
        return Trajectory(sigmas, states)

    def __call__(self, tile: _Tile, tick: Callable[[], None] = lambda: None) -> Float32Array:
        """Draw a tile [n_levels, n_targets, *extent, n_samples]."""
        values = np.zeros((self.field.domain.n_nodes, *self.extent, tile.size), dtype=np.float32)
        if tile.context is not None:
            values[list(self.field.domain.context), ..., : tile.n_samples] = tile.context
        drawn = (self._row_by_row if self.is_causal else self._at_once)(tile, values, tick)
        result = np.empty((*drawn.shape[:-1], tile.n_samples), dtype=np.float32)
        order = np.searchsorted(self.field.domain.targets, self.field.nodes)
        result[:, order] = drawn[..., : tile.n_samples]
        return result

    def _at_once(self, tile: _Tile, values: Float32Array, tick: Callable[[], None]) -> Float32Array:
        bound = BoundField(self.field, values)
        bound.prepare(self.walk.levels, torch.float32)
        drawn = self._states(bound, stream("draw", self.seed, tile.number), tick)
        return drawn.reshape(*drawn.shape[:2], *self.extent, tile.size)

    def _row_by_row(
        self, tile: _Tile, values: Float32Array, tick: Callable[[], None]
    ) -> Float32Array:
        window = self.field.domain.axes[0].window
        assert window is not None
        rows = []
        for row in range(self.extent[0]):
            first = max(0, row - window[0])
            bound = BoundField(
                self.field, values[:, first : row + 1], slice(row - first, row - first + 1)
            )
            rows.append(self._states(bound, stream("series", self.seed, tile.number, row)))
            values[self.field.nodes, row] = rows[-1][-1]
            tick()
        return np.stack(rows, axis=2)

    def _states(
        self, bound: BoundField, generator: torch.Generator, tick: Callable[[], None] = lambda: None
    ) -> Float32Array:
        """Of the levels that are kept [n_levels, n_targets, n_columns], in the field's order."""
        noise = torch.randn(len(self.field.nodes), bound.n_columns, generator=generator)
        if not self.every_level:
            return np.asarray(self.walk(bound, noise, generator, tick)[None])
        kept: list[torch.Tensor] = []
        self.walk(bound, noise, generator, tick, lambda y: kept.append(y.clone()))
        return np.asarray(torch.stack(kept))


def _tile_size(n_targets: int, extent: tuple[int, ...]) -> int:
    n_positions = int(np.prod(extent, dtype=np.int64))
    most = _TILE_POSITIONS // n_positions if extent else 256
    return int(np.clip(_TILE_COMPONENTS // (n_targets * n_positions), 1, np.clip(most, 1, 256)))
