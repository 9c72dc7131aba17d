"""Strange windows: rows that were kept out of learning, so that no later version forgets them.

A model carries a few stretches of rows that it found abnormal when it was updated, as they were in
the table, and asks of every later version that it still does. What is asked is in
`locality.inference.updating.strange`; here are the rows alone, which a store keeps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray

__all__ = ["MOST_ROWS", "MOST_WINDOWS", "StrangeWindow", "arrays_of", "windows_of"]

MOST_WINDOWS = 20
MOST_ROWS = 40
"""Of a window, without those before it."""


@dataclass(frozen=True, eq=False)
class StrangeWindow:
    """Consecutive abnormal rows, and those before that they look back upon.

    Parameters
    ----------
    values : float array [n_rows, n_columns]
        In the units of the table; NaN where missing.
    unseen : bool array [n_rows, n_columns]
        Where a state was none of the fit.
    n_before : int
        The first rows, which are not judged.
    n_alarms : int
        Rows with an alarm when it was recorded, judged alone.
    strength : float
        Their −log p, summed.
    column : int
        Most to blame.
    first : int
        Row of the first judged one in the table it came from, from 0.
    time : int
        Its moment in nanoseconds since 1970, or that of "NaT".
    """

    values: FloatArray
    unseen: BoolArray
    n_before: int
    n_alarms: int
    strength: float
    column: int
    first: int
    time: int

    def with_columns(self, place: IntArray) -> "StrangeWindow | None":
        """The window of a model with other columns.

        Parameters
        ----------
        place : int array [n_columns]
            Which column each one was; −1 for a new one, of which nothing is known.

        Returns
        -------
        StrangeWindow or None
            None if the column most to blame is gone.
        """
        if self.column not in place:
            return None
        values = np.where(place >= 0, self.values[:, place], np.nan)
        unseen = (place >= 0) & self.unseen[:, place]
        column = int(np.flatnonzero(place == self.column)[0])
        return replace(self, values=values, unseen=unseen, column=column)

    @property
    def place(self) -> str:
        """Where its rows were, in words."""
        stop = self.first + len(self.values) - self.n_before - 1
        moment = np.datetime64(self.time, "ns")
        when = "" if np.isnat(moment) else f", from {np.datetime_as_string(moment, unit='s')} on"
        return f"rows {self.first} to {stop} of the table it was kept out of{when}"


def arrays_of(windows: Sequence[StrangeWindow]) -> dict[str, np.ndarray]:
    """All numbers by name; ``windows_of`` restores them."""
    found = {
        name: np.array([getattr(window, name) for window in windows], dtype=dtype)
        for name, dtype in _NUMBERS.items()
    }
    lengths = [len(window.values) for window in windows]
    return found | {
        "bounds": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "values": np.ascontiguousarray(np.concatenate([window.values for window in windows])),
        "unseen": np.ascontiguousarray(np.concatenate([window.unseen for window in windows])),
    }


def windows_of(arrays: Mapping[str, np.ndarray]) -> tuple[StrangeWindow, ...]:
    """The windows of ``arrays_of``.

    Raises
    ------
    ValueError
        If numbers contradict each other.
    """
    bounds, column = arrays["bounds"], arrays["column"]
    n_rows, n_columns = arrays["values"].shape
    lengths, before = np.diff(bounds), arrays["n_before"]
    whole = len(bounds) == len(column) + 1 and bounds[0] == 0 and bounds[-1] == n_rows
    if not whole or (before < 0).any() or (lengths <= before).any():
        raise ValueError("the bounds of strange windows are not theirs")
    if ((column < 0) | (column >= n_columns)).any():
        raise ValueError("a strange window blames a column that is not there")
    found = []
    for k, (start, stop) in enumerate(pairwise(bounds.tolist())):
        numbers = {name: arrays[name][k].item() for name in _NUMBERS}
        rows = slice(start, stop)
        found.append(StrangeWindow(arrays["values"][rows], arrays["unseen"][rows], **numbers))
    return tuple(found)


_NUMBERS = {
    "n_before": np.int64,
    "n_alarms": np.int64,
    "strength": np.float64,
    "column": np.int64,
    "first": np.int64,
    "time": np.int64,
}
