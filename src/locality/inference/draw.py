"""Drawing rows, series and lattices: who gets which noise, and in which order.

Noise is keyed by (seed, tile): samples are drawn in tiles of a fixed number that depends on the
domain and its extent alone, the last tile being cut to size. So the first 100 of 1,000 samples are
the same bits as 100 samples. A causal series is drawn row by row, each given the rows before it;
the first rows have no past and come from the law of rows whose past is not known.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from locality._typing import Float32Array, FloatArray
from locality.exceptions import OptionError
from locality.inference.sampler import Sampler, sampler
from locality.local.field import ScoreField
from locality.noise.levels import NoiseLevels
from locality.noise.streams import stream

__all__ = ["Drawing", "draw", "draw_series"]

_TILE_COMPONENTS = 1 << 25  # bounds the memory of a tile
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
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, found {getattr(self, name)}.")

    def __call__(
        self,
        field: ScoreField,
        levels: NoiseLevels,
        extent: tuple[int, ...],
        seed: int,
        context: FloatArray | None,
        progress: Callable[[str, int, int], None],
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

        Returns
        -------
        float32 array [n_targets, *positions, n_draws]
        """
        walk = sampler(self.method, levels.grid, self.n_evaluations)
        axes = field.domain.axes
        n_rows = -(-self.n_samples // self.n_series)
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            progress("sampling", done, total)

        if any(axis.is_causal for axis in axes):
            total = n_rows * -(-self.n_series // _SERIES_TILE)
            return draw_series(field, walk, n_rows, self.n_series, seed, context, tick)
        shape, n_draws = extent, self.n_samples
        if any(axis.is_series for axis in axes):
            shape, n_draws = (n_rows,), self.n_series
        size = _tile_size(len(field.domain.targets), shape)
        total = -(-n_draws // size) * (len(walk.sigmas) - 1)
        return draw(field, walk, n_draws, shape, seed, context, tick)


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
    domain = field.domain
    targets = domain.targets
    size = _tile_size(len(targets), extent)
    into = np.searchsorted(targets, field.nodes)
    result = np.empty((len(targets), *extent, n_samples), dtype=np.float32)
    for tile, start in enumerate(range(0, n_samples, size)):
        stop = min(start + size, n_samples)
        values = np.zeros((domain.n_nodes, *extent, size), dtype=np.float32)
        if context is not None:
            values[list(domain.context), ..., : stop - start] = context[..., start:stop]
        bound = field.bind(values)
        generator = stream("draw", seed, tile)
        noise = torch.randn(len(targets), bound.n_columns, generator=generator)
        drawn = walk(bound, noise, generator, tick).numpy()
        drawn = drawn.reshape(len(targets), *extent, size)[..., : stop - start]
        result[into, ..., start:stop] = drawn
    return result


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
    domain = field.domain
    targets = domain.targets
    window = domain.axes[0].window
    assert window is not None
    past = window[0]
    result = np.empty((len(targets), n_rows, n_series), dtype=np.float32)
    for tile, start in enumerate(range(0, n_series, _SERIES_TILE)):
        stop = min(start + _SERIES_TILE, n_series)
        state = np.zeros((domain.n_nodes, n_rows, _SERIES_TILE), dtype=np.float32)
        if context is not None:
            state[list(domain.context), :, : stop - start] = context[:, :, start:stop]
        for row in range(n_rows):
            first = max(0, row - past)
            here = slice(row - first, row - first + 1)
            bound = field.bind(state[:, first : row + 1], here)
            generator = stream("series", seed, tile, row)
            noise = torch.randn(len(targets), _SERIES_TILE, generator=generator)
            state[field.nodes, row] = walk(bound, noise, generator).numpy()
            tick()
        result[..., start:stop] = state[targets][..., : stop - start]
    return result


def _tile_size(n_targets: int, extent: tuple[int, ...]) -> int:
    n_positions = int(np.prod(extent, dtype=np.int64))
    most = _TILE_POSITIONS // n_positions if extent else 256
    return int(np.clip(_TILE_COMPONENTS // (n_targets * n_positions), 1, np.clip(most, 1, 256)))
