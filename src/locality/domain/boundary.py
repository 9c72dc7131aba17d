"""Where a stencil sticks out of a lattice.

At most positions of a lattice every slot of a stencil lies inside; near the rim some do not.
Which ones depends, along each axis, only on how many positions are left on either side, and only
up to the reach of the stencil: of a million rows all but a few share one pattern. So positions
fall into few **boundary classes**, each with one row of slots inside or outside.
"""

from collections.abc import Sequence

import numpy as np

from locality._typing import BoolArray, IntArray
from locality.domain.stencils import Stencils
from locality.exceptions import OptionError

__all__ = ["boundary_classes"]


def boundary_classes(
    stencils: Stencils, extent: Sequence[int], periodic: Sequence[bool]
) -> tuple[IntArray, BoolArray]:
    """Group the positions of a lattice by which slots lie inside it.

    Parameters
    ----------
    stencils : Stencils
        Slots of all targets; their offsets along n_axes axes.
    extent : sequence of int [n_axes]
        Number of positions along each axis.
    periodic : sequence of bool [n_axes]
        Axes that close on themselves; along them every slot lies inside.

    Returns
    -------
    class_of_position : int array [prod(extent)]
        Class of every position, row-major.
    inside : bool array [n_classes, n_slots]
        Whether a slot lies inside. Class 0 is the interior, all inside, even if the lattice is
        so small that no position belongs to it.

    Raises
    ------
    OptionError
        If the number of extents or flags is not n_axes, or an extent is below 1.

    Examples
    --------
    >>> from locality.domain import Axis, DependencyGraph, Domain
    >>> domain = Domain(DependencyGraph.empty(1), ("x",), (Axis("time", window=(1, 0)),))
    >>> classes, inside = boundary_classes(domain.stencils(0), (4,), (False,))
    >>> classes.tolist(), inside.tolist()
    ([1, 0, 0, 0], [[True, True], [True, False]])
    """
    n_axes = stencils.n_axes
    if len(extent) != n_axes or len(periodic) != n_axes or any(e < 1 for e in extent):
        raise OptionError(
            f"The stencils have {n_axes} axes; expected as many extents of at least 1 and flags, "
            f"found extent {tuple(extent)} and periodic {tuple(periodic)}."
        )
    offsets, slot_offset = _distinct_rows(stencils.offset)
    class_of_position = np.zeros(1, dtype=np.int64)
    inside = np.ones((1, len(offsets)), dtype=bool)
    for axis in range(n_axes):
        group, fits = _axis_classes(offsets[:, axis], extent[axis], periodic[axis])
        class_of_position = (class_of_position[:, None] * len(fits) + group).ravel()
        inside = (inside[:, None, :] & fits).reshape(-1, len(offsets))
    # the interior goes first (as all outside = 0) and equal patterns merge
    outside = np.vstack([np.zeros((1, len(offsets)), dtype=bool), ~inside])
    patterns, pattern = _distinct_rows(outside)
    return pattern[1:][class_of_position], ~patterns[:, slot_offset]


def _axis_classes(offsets: IntArray, extent: int, periodic: bool) -> tuple[IntArray, BoolArray]:
    """Class of each position along one axis, and for each class which offsets fit."""
    if periodic:
        return np.zeros(extent, dtype=np.int64), np.ones((1, len(offsets)), dtype=bool)
    before = max(0, -int(offsets.min()))
    after = max(0, int(offsets.max()))
    position = np.arange(extent, dtype=np.int64)
    room_before = np.minimum(position, before)
    room_after = np.minimum(extent - 1 - position, after)
    codes, group = np.unique(room_before * (after + 1) + room_after, return_inverse=True)
    room = np.stack([codes // (after + 1), codes % (after + 1)])
    fits = (-offsets <= room[0][:, None]) & (offsets <= room[1][:, None])
    return group.astype(np.int64), fits


def _distinct_rows(table: np.ndarray) -> tuple[np.ndarray, IntArray]:
    """Distinct rows in ascending order, and for each row which one it is."""
    if table.shape[1] == 0:
        return table[:1], np.zeros(len(table), dtype=np.int64)
    rows, which = np.unique(table, axis=0, return_inverse=True)
    return rows, which.ravel().astype(np.int64)
