"""Assembly: what each component expects, shard by shard, put together as sparse matrices of a row.

Both laws of rows are linear expectations of components from their neighborhoods; they differ in
what each component may look at. Here the weights of all shards become one matrix for the same row,
and one for each row before, once for every number of past rows that there can be.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from locality._typing import FloatArray, IntArray
from locality.exceptions import OptionError
from locality.local.field import ScoreField
from locality.local.shard import ShardState

__all__ = ["Expectations", "assembled", "rows_extent"]

Expectations = tuple[ShardState, FloatArray, FloatArray, IntArray, IntArray]
"""Of a shard: weights [n_units, n_classes, n_slots], standard deviations [n_units, n_classes],
slots [n_units, n_slots], and the boundary class of every position."""


def rows_extent(field: ScoreField) -> tuple[int, ...]:
    """Positions at which all laws of rows are met: () for a table, past rows and one for a series.

    Raises
    ------
    OptionError
        If columns lie along a lattice axis, or rows depend on later ones.
    """
    axes = field.domain.axes
    if any(not axis.is_causal for axis in axes):
        raise OptionError(
            "Rows of this model have no law of their own: it is a lattice, or a joint series.",
            remedy='Fit with series="causal" and without tied=True.',
        )
    return tuple(1 + (axis.window or (0, 0))[0] for axis in axes)


def assembled(
    field: ScoreField, parts: list[Expectations]
) -> Iterator[tuple[list[sp.csr_array], FloatArray]]:
    """Weights by lag [n_targets, n_nodes], and what remains [n_targets], for the first rows of a
    series, that have 0, 1, … rows before them, and at last for all others; of a table, once.

    Parameters
    ----------
    field : ScoreField
    parts : list of Expectations
    """
    n_nodes, targets = field.domain.n_nodes, field.domain.targets
    (n_rows,) = rows_extent(field) or (1,)
    for n_past in range(n_rows):
        scale, entries = np.empty(n_nodes), []
        for shard, weights, scales, slots, class_of_position in parts:
            k = int(class_of_position[n_past])
            scale[shard.target] = scales[:, k]
            unit, slot = np.nonzero((slots < len(shard.source_node)) & (weights[:, k] != 0.0))
            source = slots[unit, slot]
            lag = -shard.source_offset[source].sum(axis=1)
            entries.append(
                [shard.target[unit], shard.source_node[source], lag, weights[unit, k, slot]]
            )
        row, column, lag, weight = (np.concatenate(part) for part in zip(*entries, strict=True))
        by_lag = []
        for back in range(n_rows):
            here = lag == back
            whole = (weight[here], (row[here], column[here]))
            by_lag.append(sp.csr_array(whole, shape=(n_nodes, n_nodes))[targets])
        yield by_lag, scale[targets]
