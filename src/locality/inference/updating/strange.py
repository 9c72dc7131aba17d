"""What later versions must still find abnormal: windows are recorded, and judged again.

A window is judged as a short file of its own, with the rows before it that it looks back upon. It
is recorded if the model that found it finds it in that way too, and clearly; a later version must
have an alarm in at least half as many of its rows.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.kinds import Kind
from locality.data.table import Table
from locality.inference.judging.judgment import Judgment
from locality.inference.judging.promise import Promise
from locality.inference.judging.stream import judge
from locality.model.model import Model
from locality.model.strange import MOST_ROWS, MOST_WINDOWS, StrangeWindow

__all__ = ["in_columns", "is_found", "merged", "recorded", "same_rows", "still_found", "window_of"]

_CLEARLY = 1e-4  # p-value of a window that is worth remembering
_MOST_VALUES = 1 << 22  # of all windows


def window_of(
    model: Model, table: Table, judgment: Judgment, span: tuple[int, int]
) -> tuple[StrangeWindow, float]:
    """The strangest rows of a span, and their lowest p-value when judged alone.

    Parameters
    ----------
    model : Model
        That judged the table.
    table : Table
    judgment : Judgment
    span : (int, int)
        First and last row.
    """
    first, last = span
    strength = np.where(judgment.alarm, -judgment.log_p, 0.0)[first : last + 1]
    sums = np.concatenate([[0.0], np.cumsum(strength)])
    width = min(MOST_ROWS, len(strength))
    first += int((sums[width:] - sums[:-width]).argmax())
    start = max(0, first - model.layout.n_lags)
    rows = table.rows(start, first + width)
    before = first - start
    unseen = np.zeros(rows.values.shape, dtype=bool) if rows.unseen is None else rows.unseen
    alone = judge(model, rows, Promise())
    alarm, log_p = alone.alarm[before:], alone.log_p[before:]
    share = alone.share[before:]
    blame = share[alarm].mean(axis=0) if alarm.any() else share.mean(axis=0)
    moment = np.datetime64("NaT", "ns")
    if table.time is not None and table.time.dtype.kind == "M":
        moment = table.time[first].astype("datetime64[ns]")
    window = StrangeWindow(
        np.array(rows.values), np.array(unseen), before, int(alarm.sum()),
        float(-log_p[alarm].sum()), int(blame.argmax()), first, int(moment.astype(np.int64)),
    )  # fmt: skip
    return window, float(np.exp(log_p.min()))


def recorded(windows: Sequence[tuple[StrangeWindow, float]]) -> tuple[StrangeWindow, ...]:
    """Those that are clearly abnormal when they are judged alone."""
    return tuple(
        window
        for window, p_value in windows
        if window.n_alarms and (p_value <= _CLEARLY or window.unseen.any())
    )


def is_found(model: Model, window: StrangeWindow) -> bool:
    """Whether a model has an alarm in at least half of the rows in which there was one."""
    real: Kind = "real"
    names = model.standardizer.names
    values = np.asfortranarray(window.values)
    rows = Table(values, ~np.isnan(values), names, (real,) * len(names), unseen=window.unseen)
    alarm = judge(model, rows, Promise()).alarm[window.n_before :]
    return 2 * int(alarm.sum()) >= window.n_alarms


def merged(windows: Sequence[StrangeWindow]) -> tuple[StrangeWindow, ...]:
    """As many as a model keeps: the strangest of every sensor first, then the next ones.

    One sensor that often fails does not crowd out the others.
    """
    rank: dict[int, int] = {}
    ordered: list[tuple[int, float, int, StrangeWindow]] = []
    for window in sorted(windows, key=lambda window: -window.strength):
        place = rank.get(window.column, 0)
        rank[window.column] = place + 1
        ordered.append((place, -window.strength, len(ordered), window))
    kept: list[StrangeWindow] = []
    room = _MOST_VALUES
    for *_, window in sorted(ordered)[:MOST_WINDOWS]:
        room -= window.values.size
        if room >= 0 or not kept:
            kept.append(window)
    return tuple(kept)


def in_columns(windows: Sequence[StrangeWindow], place: IntArray) -> tuple[StrangeWindow, ...]:
    """Windows of a model with other columns; those of a sensor that is gone are given up.

    Parameters
    ----------
    windows : sequence of StrangeWindow
    place : int array [n_columns]
        Which column each one was; −1 for a new one.
    """
    found = (window.with_columns(place) for window in windows)
    return tuple(window for window in found if window is not None)


def still_found(
    model: Model, windows: Sequence[StrangeWindow], stay: IntArray
) -> tuple[StrangeWindow, ...]:
    """Windows that a model finds without the columns that are to go."""
    gone = np.ones(model.standardizer.n_columns, dtype=bool)
    gone[stay] = False
    return tuple(
        window
        for window in windows
        if is_found(model, replace(window, values=np.where(gone, np.nan, window.values)))
    )


def same_rows(window: StrangeWindow, values: FloatArray) -> bool:
    """Whether a window was cut out of these rows [n_rows, n_columns]."""
    mine, found = window.values[window.n_before :], np.asarray(values)
    for start in np.flatnonzero(_equal(found, mine[0])):
        if len(mine) <= len(found) - start:
            part = found[start : start + len(mine)]
            if _equal(part, mine).all():
                return True
    return False


def _equal(rows: FloatArray, others: FloatArray) -> FloatArray:
    """Which rows are the same, gaps included."""
    same = (rows == others) | (np.isnan(rows) & np.isnan(others))
    return np.asarray(same.all(axis=-1))
