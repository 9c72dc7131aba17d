"""Columns of states: texts as numbers, in an order that the other columns tell.

A state has no order of its own, but a Gaussian law needs one: the states stand in the order of
their mean along the direction in which the means of the other columns differ most between states
(the first principal axis of the table of means; optimal scaling, Gifi, 1990).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from locality._typing import FloatArray

__all__ = ["order_states", "recoded"]


def order_states(values: FloatArray, column: int, others: Sequence[int]) -> list[int]:
    """Codes of a column in their order.

    Parameters
    ----------
    values : float array [n_rows, n_columns]
        Codes in the column; NaN where missing.
    column : int
    others : sequence of int
        Columns of numbers.

    Examples
    --------
    >>> values = np.array([[0, 5.0], [0, 5.1], [1, 1.0], [1, 1.1], [2, 3.0], [2, 3.1]])
    >>> order_states(values, 0, [1])
    [1, 2, 0]
    """
    codes = values[:, column]
    known = ~np.isnan(codes)
    present, index = np.unique(codes[known].astype(np.int64), return_inverse=True)
    if len(present) < 3 or not len(others):
        return [int(code) for code in present]
    counts = np.bincount(index)
    means = np.zeros((len(present), len(others)))
    for k, j in enumerate(others):
        x = values[known, j]
        scale = np.nanstd(x)
        if scale > 0:
            z = np.nan_to_num((x - np.nanmean(x)) / scale)
            means[:, k] = np.bincount(index, weights=z) / counts
    _, _, axes = np.linalg.svd(np.sqrt(counts)[:, None] * means, full_matrices=False)
    axis = axes[0] * np.sign(axes[0][np.argmax(np.abs(axes[0]))])
    return [int(present[k]) for k in np.argsort(means @ axis, kind="stable")]


def recoded(
    values: FloatArray, labels: Mapping[str, tuple[str, ...]], names: Sequence[str]
) -> Mapping[str, tuple[str, ...]]:
    """Put the states of all columns of texts into order, in place, and return their texts.

    Parameters
    ----------
    values : float array [n_rows, n_columns]
        Codes are replaced.
    labels : mapping of str to tuple of str
        Texts by code.
    names : sequence of str [n_columns]
    """
    numbers = [j for j, name in enumerate(names) if name not in labels]
    found = {}
    for name, texts in labels.items():
        column = names.index(name)
        order = order_states(values, column, numbers)
        place = np.full(len(texts), np.nan)
        place[order] = np.arange(len(order))
        known = ~np.isnan(values[:, column])
        values[known, column] = place[values[known, column].astype(np.int64)]
        found[name] = tuple(texts[code] for code in order)
    return found
