"""Diagnosis: is one sensor wrong, or the process, and since when?

One sensor is wrong if it alone takes most of the blame and its neighbors, judged without it, are
fine. What kind of fault it is shows in its residuals (value minus expectation) since they first
stood out:

* *stuck*: the value repeats while the expectation moves,
* *spike*: a single row,
* *drift*: residuals grow with time,
* *noise*: residuals change sign and do not last,
* *offset*: anything else that lasts.

If several sensors share the blame, the *process* has changed.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from locality._typing import BoolArray, FloatArray

__all__ = ["Diagnosis", "Fault", "diagnose", "episode"]

Fault: TypeAlias = Literal["stuck", "spike", "drift", "noise", "offset", "process", "none"]

_ALONE = 0.75  # share of the blame of a sensor that is wrong by itself
_GAP = 5  # rows without alarm that do not end an episode
_MOST_ROWS = 200


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong in a row.

    Parameters
    ----------
    fault : "stuck", "spike", "drift", "noise", "offset", "process" or "none"
    start : int
        First row of the episode.
    first_out : tuple of int
        Components in the order in which they stood out; within a row the one farthest from its
        own usual values first: a cause has moved before what follows it.
    """

    fault: Fault
    start: int
    first_out: tuple[int, ...]


def episode(alarm: BoolArray, row: int) -> int:
    """First row of the run of alarms that a row belongs to; short gaps do not end it."""
    start, quiet = row, 0
    for t in range(row, -1, -1):
        quiet = 0 if alarm[t] else quiet + 1
        if alarm[t]:
            start = t
        if quiet > _GAP:
            break
    return start


def diagnose(
    row: int,
    alarm: BoolArray,
    share: FloatArray,
    wrong: BoolArray,
    residual: FloatArray,
    values: FloatArray,
) -> Diagnosis:
    """Diagnose a row from the rows up to it.

    Parameters
    ----------
    row : int
    alarm : bool array [n_rows]
    share : float array [n_rows, n_components]
        Of the blame.
    wrong : bool array [n_rows, n_components]
        Values that did not fit a neighborhood without wrong values.
    residual : float array [n_rows, n_components]
        In units of normal ones; NaN where missing.
    values : float array [n_rows, n_components]
        Standardized; NaN where missing.
    """
    if not alarm[row]:
        return Diagnosis("none", row, ())
    start = episode(alarm, row)
    order: list[int] = []
    for t in range(start, row + 1):
        size = np.where(wrong[t], np.abs(np.nan_to_num(values[t])), 0.0)
        order += [j for j in np.argsort(-size).tolist() if size[j] > 0 and j not in order]
    if not order:
        order = np.argsort(-share[row]).tolist()[:1]
    worst = int(share[row].argmax())
    fault: Fault = "process"
    if share[row, worst] >= _ALONE:
        begin = max(start, row + 1 - _MOST_ROWS)
        fault = _sensor_fault(
            residual[begin : row + 1, worst], values[begin : row + 1, worst],
            bool(wrong[row + 1 : row + 2, worst].any()),
        )  # fmt: skip
    return Diagnosis(fault, start, tuple(order))


def _sensor_fault(residual: FloatArray, values: FloatArray, goes_on: bool) -> Fault:
    """Kind of fault of a sensor since its episode began, the last row being the present one."""
    seen = ~np.isnan(residual)
    residual, values = residual[seen], values[seen]
    n = len(residual)
    if n <= 2:
        return "spike" if not goes_on else "offset"
    still = int((np.diff(values[::-1]) == 0.0).cumprod().sum())
    if still >= max(3, n // 2):
        return "stuck"
    if abs(residual.mean()) < 0.3 * np.sqrt((residual**2).mean()):
        return "noise"
    if n >= 8 and _growth(np.abs(residual)) > 0.6:
        return "drift"
    return "offset"


def _growth(values: FloatArray) -> float:
    """Spearman's correlation with time; NaN if nothing changes."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count - 1))[place]
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(np.arange(len(values)), rank)[0, 1])
