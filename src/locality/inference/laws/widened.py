"""The sequential law with wider conditions, where what is new in a row is then less.

A neighborhood is chosen for what a component owes to all others. Of the components before it in the
sweep (`sequential`) many neighbors are not, and what would have come by them is lost: one row is
little worse for it, but a series adds it up row by row, and slow waves grow larger than they were.
Shards know the second moments of all that they read. So each component of a shard is also regressed
on all components of its row before it that the shard reads; its past stays as it was chosen. Of N
rows and k regressors the variance of what is new, estimated without bias (Theil, 1961, *Economic
forecasts and policy*), is

    s² N / (N − k − 1) ,

and the shard takes the wider law if the mean of its logarithm is lower. It decides for all of its
components together: regressed on all before them they have the covariance learned, all of it, and
with exceptions they have not. Akaike's criterion asks for twice as much, for the sake of single
rows; series drawn by it are further from the real ones.
"""

from dataclasses import replace

import numpy as np

from locality._typing import BoolArray, FloatArray
from locality.inference.laws.sequential import SequentialLaw, mixed
from locality.local.field import ScoreField
from locality.local.networks import NetworkGroup
from locality.local.shard import ShardState

__all__ = ["widened"]


def widened(field: ScoreField, n_rows: int) -> tuple[SequentialLaw, ...]:
    """Sequential laws of rows, by the number of rows before them, as by ``SequentialLaw.of``.

    Parameters
    ----------
    field : ScoreField
    n_rows : int
        Rows that it was learned from.
    """
    own = SequentialLaw.of(field)
    wide = SequentialLaw.of(replace(field, shards=tuple(map(_reading_all, field.shards))))
    (before, _), (after, enough) = (_innovation(laws[-1], n_rows) for laws in (own, wide))
    gain = np.empty(field.domain.n_nodes)
    gain[field.domain.targets] = np.where(enough, before - after, -np.inf)
    for shard in field.shards:
        gain[shard.target] = gain[shard.target].mean()
    better = gain[field.domain.targets] > 0.0
    return tuple(mixed(better, a, b) for a, b in zip(wide, own, strict=True))


def _innovation(law: SequentialLaw, n_rows: int) -> tuple[FloatArray, BoolArray]:
    """Logarithm of the variance of what is new, without bias [n_targets], and whether there are
    more rows than regressors.
    """
    parts = [law.within, *law.past, *law.context]
    n_regressors = np.array([np.diff(part.indptr) for part in parts]).sum(axis=0) - 1
    left: FloatArray = n_rows - n_regressors - 1.0
    return 2.0 * np.log(law.scale) + np.log(n_rows / np.maximum(left, 1.0)), left >= 1.0


def _reading_all(shard: ShardState) -> ShardState:
    """Every component with all noisy sources of the shard as neighbors in the finest band."""
    n, m = len(shard.source_node), len(shard.target)
    every = np.flatnonzero(~shard.source_given)
    others = [every[every != center] for center in shard.noisy[:, 0]]
    noisy = np.column_stack([shard.noisy[:, 0], np.array(others).reshape(m, -1)])
    n_noisy = np.full_like(shard.n_noisy, noisy.shape[1])
    return replace(shard, noisy=noisy, n_noisy=n_noisy, networks=NetworkGroup.empty(n))
