"""Drawing rows, series and lattices: who gets which noise, and in which order.

Noise is keyed by (seed, tile): samples are drawn in tiles of a fixed number that depends on the
domain alone, the last tile being cut to size. So the first 100 of 1,000 samples are the same bits
as 100 samples. A causal series is drawn row by row, each given the rows before it; the first rows
have no past and come from the law of rows whose past is not known.
"""

from collections.abc import Callable

import numpy as np
import torch

from locality._typing import FloatArray
from locality.inference.sampler import Sampler
from locality.local.field import ScoreField
from locality.noise.streams import stream

__all__ = ["draw", "draw_series", "n_tiles"]

_TILE_COMPONENTS = 1 << 24
_SERIES_TILE = 16


def draw(
    field: ScoreField,
    sampler: Sampler,
    n_samples: int,
    extent: tuple[int, ...],
    seed: int,
    context: FloatArray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Samples of a table, a joint series or a lattice.

    Parameters
    ----------
    field : ScoreField
    sampler : Sampler
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
    size = _tile_size(len(targets) * int(np.prod(extent, dtype=np.int64)))
    result = np.empty((len(targets), *extent, n_samples), dtype=np.float32)
    for tile, start in enumerate(range(0, n_samples, size)):
        stop = min(start + size, n_samples)
        values = np.zeros((domain.n_nodes, *extent, size), dtype=np.float32)
        if context is not None:
            values[list(domain.context), ..., : stop - start] = context[..., start:stop]
        bound = field.bind(values)
        generator = stream(seed, 10, tile)
        noise = torch.randn(len(targets), bound.n_columns, generator=generator)
        drawn = sampler(bound, noise, generator, tick).numpy()
        result[..., start:stop] = drawn.reshape(len(targets), *extent, size)[..., : stop - start]
    return result


def draw_series(
    field: ScoreField,
    sampler: Sampler,
    n_rows: int,
    n_series: int,
    seed: int,
    context: FloatArray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Causal series, row after row.

    Parameters
    ----------
    field : ScoreField
        Of a domain with one causal axis.
    sampler : Sampler
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
            generator = stream(seed, 11, tile, row)
            noise = torch.randn(len(targets), _SERIES_TILE, generator=generator)
            state[targets, row] = sampler(bound, noise, generator).numpy()
            tick()
        result[..., start:stop] = state[targets][..., : stop - start]
    return result


def n_tiles(n_components: int, n_samples: int) -> int:
    """Number of tiles in which ``draw`` makes this many samples."""
    return -(-n_samples // _tile_size(n_components))


def _tile_size(n_components: int) -> int:
    return int(np.clip(_TILE_COMPONENTS // max(1, n_components), 1, 256))
