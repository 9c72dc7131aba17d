"""The sequential law with wider conditions, where they tell more than they cost.

A neighborhood is chosen for what a component owes to all others. Of the components before it in the
sweep (`sequential`) many neighbors are not, and what would have come by them is lost: one row is
little worse for it, but a series adds it up row by row, and slow waves grow larger than they were.
Shards know the second moments of all that they read. So each component is also regressed on all
components of its row before it that its shard reads, and keeps this wider law where Akaike's
criterion with the correction for small samples (Hurvich and Tsai, 1989), of k regressors and N rows

    log s² + 2 (k + 1) / (N − k − 2) ,

is lower. Which past it looks back upon stays as it was chosen.
"""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from locality._typing import BoolArray, FloatArray
from locality.inference.laws.sequential import SequentialLaw
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
    better = _criterion(wide[-1], n_rows) < _criterion(own[-1], n_rows)
    return tuple(_rows_of(better, a, b) for a, b in zip(wide, own, strict=True))


def _criterion(law: SequentialLaw, n_rows: int) -> FloatArray:
    """Akaike's, corrected, of every component [n_targets]; infinite with too few rows."""
    n_regressors = sum(np.diff(part.indptr) for part in (law.within, *law.past, *law.context)) - 1
    left = n_rows - n_regressors - 2.0
    cost = 2.0 * (n_regressors + 1.0) / np.maximum(left, 1.0)
    return np.where(left >= 1.0, 2.0 * np.log(law.scale) + cost, np.inf)


def _reading_all(shard: ShardState) -> ShardState:
    """Every component with all noisy sources of the shard as neighbors in the finest band."""
    n, m = len(shard.source_node), len(shard.target)
    every = np.flatnonzero(~shard.source_given)
    others = [every[every != center] for center in shard.noisy[:, 0]]
    noisy = np.column_stack([shard.noisy[:, 0], np.array(others).reshape(m, -1)])
    n_noisy = np.full_like(shard.n_noisy, noisy.shape[1])
    return replace(shard, noisy=noisy, n_noisy=n_noisy, networks=NetworkGroup.empty(n))


def _rows_of(first: BoolArray, a: SequentialLaw, b: SequentialLaw) -> SequentialLaw:
    """Some components as in one law, the others as in another."""
    one, other = sp.diags_array(first.astype(float)), sp.diags_array((~first).astype(float))

    def mixed(x: sp.csr_array, y: sp.csr_array) -> sp.csr_array:
        found = sp.csr_array(one @ x + other @ y)
        found.eliminate_zeros()
        return found

    return SequentialLaw(
        mixed(a.within, b.within),
        tuple(mixed(x, y) for x, y in zip(a.past, b.past, strict=True)),
        tuple(mixed(x, y) for x, y in zip(a.context, b.context, strict=True)),
        np.where(first, a.scale, b.scale),
    )
