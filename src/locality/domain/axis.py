"""A tied axis: a lattice direction along which the law does not change.

Along an axis a stencil holds whole-number offsets. There are two kinds.

* A **lattice** axis counts as distance: offset o adds |o| to the hops between nodes, so a
  neighborhood of radius r spans at most -r … r. If periodic with extent E, offsets that differ by
  E are the same place, and each place appears once, at its shortest offset.
* A **series** axis has a window (past, future): every stencil spans -past … future whatever its
  radius. With future 0 the axis is *causal*, and the past is given, not modeled.
"""

from dataclasses import dataclass

import numpy as np

from locality._typing import IntArray
from locality.exceptions import OptionError

__all__ = ["Axis"]


@dataclass(frozen=True)
class Axis:
    """One tied axis of a domain.

    Parameters
    ----------
    name : str
        What runs along it, such as "time".
    window : (int, int), optional
        Rows of past and future in every stencil of a series axis; None makes a lattice axis.
    extent : int, optional
        Number of positions, if fixed.
    periodic : bool, default False
        Whether the last position neighbors the first; needs an extent, lattice axes only.

    Raises
    ------
    OptionError
        If these contradict each other.

    Examples
    --------
    >>> Axis("time", window=(2, 0)).offsets(radius=7).tolist()
    [-2, -1, 0]
    >>> Axis("position").offsets(radius=1).tolist()
    [-1, 0, 1]
    >>> Axis("angle", extent=4, periodic=True).offsets(radius=7).tolist()
    [-1, 0, 1, 2]
    """

    name: str
    window: tuple[int, int] | None = None
    extent: int | None = None
    periodic: bool = False

    def __post_init__(self) -> None:
        if self.window is not None and (len(self.window) != 2 or min(self.window) < 0):
            raise OptionError(
                f"The window of axis {self.name!r} must be two numbers of rows, past and future, "
                f"of at least 0, found {self.window}."
            )
        if self.extent is not None and self.extent < 1:
            raise OptionError(f"Axis {self.name!r} needs at least 1 position, not {self.extent}.")
        if self.periodic and (self.extent is None or self.window is not None):
            raise OptionError(
                f"Axis {self.name!r} cannot be periodic: it has "
                f"{'a window' if self.window is not None else 'no extent'}.",
                remedy="Only a lattice axis (no window) of known extent closes on itself.",
            )

    @property
    def is_series(self) -> bool:
        """Whether the axis has a window."""
        return self.window is not None

    @property
    def is_causal(self) -> bool:
        """Whether it is a series axis without future, so that its past is given."""
        return self.window is not None and self.window[1] == 0

    def offsets(self, radius: int) -> IntArray:
        """Offsets of a stencil of this radius, ascending, each place once."""
        if self.window is not None:
            return np.arange(-self.window[0], self.window[1] + 1, dtype=np.int64)
        low, high = -radius, radius
        if self.extent is not None and self.periodic:
            low, high = max(low, -((self.extent - 1) // 2)), min(high, self.extent // 2)
        elif self.extent is not None:
            low, high = max(low, 1 - self.extent), min(high, self.extent - 1)
        return np.arange(low, high + 1, dtype=np.int64)
