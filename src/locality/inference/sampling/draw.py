"""Drawing rows, series and lattices: who gets which noise, and in which order.

Noise is keyed by (seed, tile): samples are drawn in tiles of a fixed number that depends on the
domain and its extent alone, the last tile being cut to size. So the first 100 of 1,000 samples are
the same bits as 100 samples. A causal series is drawn row by row, each given the rows before it;
the first rows have no past and come from the law of rows whose past is not known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from locality._typing import Float32Array, FloatArray
from locality.exceptions import OptionError
from locality.inference.sampling.sampler import Sampler, sampler
from locality.local.field import ScoreField
from locality.noise.levels import NoiseLevels
from locality.noise.streams import stream

__all__ = ["Drawing", "draw", "draw_series"]

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
    method : str
        Name of the sampler.
    n_evaluations : int
        Denoiser evaluations per row.

    Raises
    ------
    OptionError
        If a number is below 1.
    """

    n_samples: int
    n_series: int = 1
    method: str = "sde"
    n_evaluations: int = 64

    def __post_init__(self) -> None:
        for name in ("n_samples", "n_series"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise OptionError(f"{name} must be a whole number of at least 1, found {value!r}.")

    def __call__(
        self,
        field: ScoreField,
        levels: NoiseLevels,
        extent: tuple[int, ...],
        seed: int,
        context: FloatArray | None,
        progress: Callable[[str, int, int], None],
        spread: Callable[..., Iterator[tuple[int, Float32Array]]] | None = None,
    ) -> Float32Array:
        """Draw from a field.

        Parameters
        ----------
        field : ScoreField
        levels : NoiseLevels
        extent : tuple of int
            Positions of a lattice; () for tables and series.
        seed : int
        context : float array or None
            As in ``draw`` or ``draw_series``.
        progress : callable
            Called with ("sampling", steps done, steps in all).
        spread : callable, optional
            An executor's ``map``: tiles are drawn by its workers, to the same bits.

        Returns
        -------
        float32 array [n_targets, *positions, n_draws]
        """
        walk = sampler(self.method, levels.grid, self.n_evaluations)
        axes = field.domain.axes
        n_rows = -(-self.n_samples // self.n_series)
        causal = any(axis.is_causal for axis in axes)
        shape, n_draws = extent, self.n_samples
        if any(axis.is_series for axis in axes):
            shape, n_draws = (n_rows,), self.n_series
        size = _SERIES_TILE if causal else _tile_size(len(field.domain.targets), shape)
        n_tiles, done = -(-n_draws // size), 0
        total = n_tiles * (n_rows if causal else len(walk.sigmas) - 1)

        def tick() -> None:
            nonlocal done
            done += 1
            progress("sampling", done, total)

        if spread is not None and n_tiles > 1:
            total = n_tiles
            tiles = list(_tiles(n_draws, size, context))
            work = _TileWork(field, walk, shape, n_rows if causal else None, seed)
            result = np.empty((len(field.domain.targets), *shape, n_draws), dtype=np.float32)
            for number, drawn in spread(work, [tile for _, tile in tiles]):
                start = tiles[number][0]
                result[..., start : start + drawn.shape[-1]] = drawn
                tick()
            return result
        if causal:
            return draw_series(field, walk, n_rows, self.n_series, seed, context, tick)
        return draw(field, walk, n_draws, shape, seed, context, tick)


@dataclass(frozen=True, eq=False)
class _TileWork:
    """What is done with every tile, in whatever process."""

    field: ScoreField
    walk: Sampler
    extent: tuple[int, ...]
    n_rows: int | None  # of a causal series
    seed: int

    def __call__(self, tile: "Tile") -> Float32Array:
        if self.n_rows is None:
            return tile(self.field, self.walk, self.extent, self.seed)
        return draw_stretches(tile, self.field, self.walk, self.n_rows, self.seed)


def draw(
    field: ScoreField,
    walk: Sampler,
    n_samples: int,
    extent: tuple[int, ...],
    seed: int,
    context: FloatArray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Float32Array:
    """Samples of a table, a joint series or a lattice.

    Parameters
    ----------
    field : ScoreField
    walk : Sampler
    n_samples : int
    extent : tuple of int
        Positions along each axis; () for the rows of a table.
    seed : int
    context : float array [n_context, *extent, n_samples], optional
        Standardized values of the context nodes.
    tick : callable
        Called after every step of every tile.

    Returns
    -------
    float32 array [n_targets, *extent, n_samples]
        Standardized.
    """
    targets = field.domain.targets
    size = _tile_size(len(targets), extent)
    result = np.empty((len(targets), *extent, n_samples), dtype=np.float32)
    for start, tile in _tiles(n_samples, size, context):
        drawn = tile(field, walk, extent, seed, tick)
        result[..., start : start + drawn.shape[-1]] = drawn
    return result


@dataclass(frozen=True, eq=False)
class Tile:
    """Some samples of a table, joint series or lattice, drawn apart from all others.

    Parameters
    ----------
    number : int
        Keys its noise, with the seed.
    size : int
        Samples of a whole tile.
    n_samples : int
        Those that are wanted of it.
    context : float array [n_context, *extent, n_samples] or None
    """

    number: int
    size: int
    n_samples: int
    context: FloatArray | None

    def __call__(
        self,
        field: ScoreField,
        walk: Sampler,
        extent: tuple[int, ...],
        seed: int,
        tick: Callable[[], None] = lambda: None,
    ) -> Float32Array:
        """Draw it [n_targets, *extent, n_samples]."""
        domain, targets = field.domain, field.domain.targets
        values = np.zeros((domain.n_nodes, *extent, self.size), dtype=np.float32)
        if self.context is not None:
            values[list(domain.context), ..., : self.n_samples] = self.context
        bound = field.bind(values)
        bound.prepare(walk.levels, torch.float32)
        generator = stream("draw", seed, self.number)
        noise = torch.randn(len(targets), bound.n_columns, generator=generator)
        drawn = walk(bound, noise, generator, tick).numpy()
        drawn = drawn.reshape(len(targets), *extent, self.size)[..., : self.n_samples]
        result = np.empty(drawn.shape, dtype=np.float32)
        result[np.searchsorted(targets, field.nodes)] = drawn
        return result


def _tiles(n_samples: int, size: int, context: FloatArray | None) -> Iterator[tuple[int, Tile]]:
    """First sample of every tile, and the tile."""
    for number, start in enumerate(range(0, n_samples, size)):
        stop = min(start + size, n_samples)
        part = None if context is None else context[..., start:stop]
        yield start, Tile(number, size, stop - start, part)


def draw_series(
    field: ScoreField,
    walk: Sampler,
    n_rows: int,
    n_series: int,
    seed: int,
    context: FloatArray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Float32Array:
    """Causal series, row after row.

    Parameters
    ----------
    field : ScoreField
        Of a domain with one causal axis.
    walk : Sampler
    n_rows : int
        Length of each series.
    n_series : int
        Drawn side by side, independent of each other.
    seed : int
    context : float array [n_context, n_rows, n_series], optional
        Standardized values of the context nodes.
    tick : callable
        Called after every row of every tile.

    Returns
    -------
    float32 array [n_targets, n_rows, n_series]
        Standardized.
    """
    result = np.empty((len(field.domain.targets), n_rows, n_series), dtype=np.float32)
    for start, tile in _tiles(n_series, _SERIES_TILE, context):
        drawn = draw_stretches(tile, field, walk, n_rows, seed, tick)
        result[..., start : start + drawn.shape[-1]] = drawn
    return result


def draw_stretches(
    tile: Tile,
    field: ScoreField,
    walk: Sampler,
    n_rows: int,
    seed: int,
    tick: Callable[[], None] = lambda: None,
) -> Float32Array:
    """The series of one tile [n_targets, n_rows, n_series], row after row."""
    domain = field.domain
    window = domain.axes[0].window
    assert window is not None
    state = np.zeros((domain.n_nodes, n_rows, tile.size), dtype=np.float32)
    if tile.context is not None:
        state[list(domain.context), :, : tile.n_samples] = tile.context
    for row in range(n_rows):
        first = max(0, row - window[0])
        here = slice(row - first, row - first + 1)
        bound = field.bind(state[:, first : row + 1], here)
        generator = stream("series", seed, tile.number, row)
        noise = torch.randn(len(domain.targets), tile.size, generator=generator)
        state[field.nodes, row] = walk(bound, noise, generator).numpy()
        tick()
    return state[domain.targets][..., : tile.n_samples]


def _tile_size(n_targets: int, extent: tuple[int, ...]) -> int:
    n_positions = int(np.prod(extent, dtype=np.int64))
    most = _TILE_POSITIONS // n_positions if extent else 256
    return int(np.clip(_TILE_COMPONENTS // (n_targets * n_positions), 1, np.clip(most, 1, 256)))
