"""Exact draws of causal series: row by row from the law itself, without a walk through noise.

The closed form of a causal series is a linear recursion (`recursion`), so its rows need no sampler.
Networks know more than the closed form, and lattices and joint series are no recursion: these are
drawn by samplers.

Noise is keyed by (seed, series, block of rows), a block having a number of rows that depends on the
number of components alone. So the first 100 of 1,000 rows are the same bits as 100 rows, and each
of several series is the same whatever their number.
"""

from collections.abc import Callable

import numpy as np

from locality._typing import Float32Array, FloatArray
from locality.exceptions import OptionError
from locality.inference.laws.recursion import Recursion
from locality.inference.sampling.sampler import Trajectory
from locality.local.field import ScoreField
from locality.noise.streams import stream

__all__ = ["draw_exactly", "require_exact", "why_not_exact"]

_BLOCK_COMPONENTS = 1 << 20  # of noise drawn at once
_MOST_ROWS = 256


def why_not_exact(field: ScoreField) -> str:
    """Why a model cannot be drawn by its recursion; empty if it can.

    Parameters
    ----------
    field : ScoreField
    """
    axes = field.domain.axes
    if not axes:
        return "its rows are in no order"
    if any(not axis.is_series for axis in axes):
        return "it is a lattice"
    if any(not axis.is_causal for axis in axes):
        return "it is a joint series"
    learned = [shard.target[shard.networks.unit] for shard in field.shards if len(shard.networks)]
    if learned:
        nodes = np.sort(np.concatenate(learned))
        more = f" and of {len(nodes) - 1} others" if len(nodes) > 1 else ""
        return f"the network of {field.domain.names[nodes[0]]!r}{more} knows more than the law"
    return ""


def require_exact(field: ScoreField) -> None:
    """Refuse a model that cannot be drawn by its recursion.

    Parameters
    ----------
    field : ScoreField

    Raises
    ------
    OptionError
        Saying why.
    """
    reason = why_not_exact(field)
    if reason:
        raise OptionError(
            f'sampler="exact" draws causal series by their linear law; of this model {reason}.',
            remedy='Leave sampler at "auto", or fit with lags= and denoiser="linear".',
        )


def draw_exactly(
    recursion: Recursion,
    n_rows: int,
    n_series: int,
    seed: int,
    context: FloatArray | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Trajectory:
    """Series by a recursion.

    Parameters
    ----------
    recursion : Recursion
    n_rows, n_series : int
        Rows of each series, and their number.
    seed : int
    context : float array [n_context, n_rows, n_series], optional
        Standardized values of the context nodes.
    progress : callable
        Called with ("sampling", blocks done, blocks in all).

    Returns
    -------
    Trajectory
        Its one state is [n_targets, n_rows, n_series].
    """
    d = recursion.n_components
    block = int(np.clip(_BLOCK_COMPONENTS // d, 1, _MOST_ROWS))
    states: Float32Array = np.empty((1, d, n_rows, n_series), dtype=np.float32)
    starts = range(0, n_rows, block)
    for series in range(n_series):
        past = np.empty((0, d))
        for number, start in enumerate(starts):
            stop = min(start + block, n_rows)
            noise = _noise(seed, series, number, block, d)[: stop - start]
            known = None if context is None else context[:, start - len(past) : stop, series].T
            rows = recursion.rows(past, noise, known)
            states[0, :, start:stop, series] = rows.T
            together = np.concatenate([past, rows])
            past = together[max(0, len(together) - recursion.n_past) :]
            progress("sampling", series * len(starts) + number + 1, n_series * len(starts))
    return Trajectory(np.zeros(1), states)


def _noise(seed: int, series: int, number: int, n_rows: int, d: int) -> FloatArray:
    """Of a whole block [n_rows, d]."""
    import torch

    generator = stream("exact", seed, series, number)
    return np.asarray(torch.randn(n_rows, d, generator=generator, dtype=torch.float64))
