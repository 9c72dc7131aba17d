"""The time of each row: read from a column, checked to run forward.

Lags of a series count rows, so the rows must be in order of time and no moment may occur twice.
Dates are compared in UTC; text is read as ISO 8601, because the caller has said that it is time.
"""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from locality.data.cells import read_cells
from locality.exceptions import DataError

__all__ = ["read_time"]

_REMEDY = "Sort the rows by time and keep one row per moment."


def read_time(name: str, series: "nw.Series[Any]") -> NDArray[Any]:
    """Return the moments of the rows.

    Parameters
    ----------
    name : str
        Name of the time column, for messages.
    series : narwhals.Series
        Dates, numbers or ISO 8601 text.

    Returns
    -------
    array [n_rows]
        ``datetime64[ns]`` in UTC for dates and text, ``float64`` for numbers; strictly increasing.

    Raises
    ------
    DataError
        A moment is missing, unreadable, repeated or earlier than the one before.

    Examples
    --------
    >>> hours = pd.Series(["2024-05-01 00:00", "2024-05-01 01:00"])
    >>> np.diff(read_time("when", nw.from_native(hours, series_only=True)))
    array([3600000000000], dtype='timedelta64[ns]')
    """
    moments = _moments(name, series)
    missing = np.flatnonzero(np.isnat(moments) if moments.dtype.kind == "M" else np.isnan(moments))
    if missing.size:
        raise DataError(
            f"time column {name!r}: {missing.size} missing, the first in row {missing[0] + 1}.",
            remedy="Every row needs a time.",
        )
    back = np.flatnonzero(moments[1:] < moments[:-1])
    if back.size:
        row = back[0] + 1
        raise DataError(
            f"time column {name!r}, row {row + 1}: {moments[row]} comes after {moments[row - 1]} "
            f"({back.size} step{'s' * (back.size > 1)} back in all).",
            remedy=_REMEDY,
        )
    same = np.flatnonzero(moments[1:] == moments[:-1])
    if same.size:
        row = same[0] + 1
        raise DataError(
            f"time column {name!r}, row {row + 1}: {moments[row]} occurs twice "
            f"({same.size} repeated moment{'s' * (same.size > 1)} in all).",
            remedy=_REMEDY,
        )
    return moments


def _moments(name: str, series: "nw.Series[Any]") -> NDArray[Any]:
    dtype = series.dtype
    if dtype.is_numeric():
        return read_cells(name, series).values
    cells = series.to_list()
    parsed = pd.to_datetime(
        pd.Series(cells, dtype=object), format="ISO8601", errors="coerce", utc=True
    )
    unreadable = np.flatnonzero(parsed.isna().to_numpy() & ~pd.isna(np.array(cells, dtype=object)))
    if unreadable.size:
        row = unreadable[0]
        raise DataError(
            f"time column {name!r}, row {row + 1}: {cells[row]!r:.60} is not a date.",
            remedy="Write dates as 2024-05-01 or 2024-05-01 13:30:00, or use a number.",
        )
    return np.asarray(parsed.dt.tz_localize(None).to_numpy(), dtype="datetime64[ns]")
