"""Edges of regular graphs: chains, rings, grids.

A grid of shape ``(m_1, …, m_k)`` numbers its cells in row-major order,

    index(c) = Σ_a c_a · stride_a ,     stride_k = 1,  stride_a = m_{a+1} ··· m_k ,

and joins two cells whose coordinates differ by one along a single axis; along a periodic axis
the last cell is also joined to the first. A chain is a grid with one axis, a ring a periodic
one. Graph distance on a grid is then the sum of the coordinate distances.
"""

from collections.abc import Sequence

import numpy as np

from locality._typing import IntArray
from locality.exceptions import OptionError

__all__ = ["grid_edges"]


def grid_edges(shape: Sequence[int], periodic: Sequence[bool]) -> tuple[IntArray, IntArray]:
    """Pairs of neighboring cells of a grid, each pair once.

    Parameters
    ----------
    shape : sequence of int
        Number of cells along each axis, all at least 1.
    periodic : sequence of bool
        For each axis, whether its last cell neighbors its first.

    Returns
    -------
    i, j : int arrays [n_edges]
        The two ends of every edge, row-major cell numbers.

    Raises
    ------
    OptionError
        If the shape is empty, an extent is below 1, or ``periodic`` has another length.

    Examples
    --------
    >>> i, j = grid_edges((2, 2), (False, False))
    >>> list(zip(i.tolist(), j.tolist()))
    [(0, 2), (1, 3), (0, 1), (2, 3)]
    """
    if len(shape) == 0 or any(extent < 1 for extent in shape):
        raise OptionError(
            f"A grid needs at least one axis and at least 1 cell along each, found {tuple(shape)}."
        )
    if len(periodic) != len(shape):
        raise OptionError(
            f"The grid has {len(shape)} axes, but periodic has {len(periodic)} entries.",
            remedy="Pass one truth value for all axes, or one per axis.",
        )
    cells = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(tuple(shape))
    starts: list[IntArray] = [np.empty(0, dtype=np.int64)]
    ends: list[IntArray] = [np.empty(0, dtype=np.int64)]
    for axis, extent in enumerate(shape):
        along = np.moveaxis(cells, axis, 0)
        starts.append(along[:-1].ravel())
        ends.append(along[1:].ravel())
        if periodic[axis] and extent > 2:  # with two cells the pair is already joined
            starts.append(along[0].ravel())
            ends.append(along[-1].ravel())
    return np.concatenate(starts), np.concatenate(ends)
