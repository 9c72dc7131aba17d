"""A promise: how often alarms may be false, as a share of normal rows or as episodes in a time.

``0.01`` is one normal row in a hundred; ``"1 per 30 days"`` at most one false episode in that time,
on average.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.judging.evidence import rows_needed
from locality.model.reference import Reference

__all__ = ["Promise", "promise_for"]

_EPISODES = re.compile(r"\s*(\d+(?:\.\d+)?)\s+(?:in|per)\s+(\d+(?:\.\d+)?\s*)?([a-z]+)\s*", re.I)
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)?\s*([a-z]+)\s*", re.I)
_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("week", "weeks"), 604_800.0),
    **dict.fromkeys(("month", "months"), 2_629_800.0),
    **dict.fromkeys(("year", "years"), 31_557_600.0),
}
_MOST = 1e12  # rows


@dataclass(frozen=True)
class Promise:
    """How often alarms may be false.

    Parameters
    ----------
    share : float
        Of normal rows with an alarm; not used where episodes are promised.
    n_rows : float or None
        Rows from one false episode to the next, at least, on average.
    """

    share: float = 0.01
    n_rows: float | None = None

    @classmethod
    def of(cls, false_alarms: Any, sampling: Any = None) -> "Promise":
        """Read what was asked for.

        Parameters
        ----------
        false_alarms : float or str
            A share, or "N per TIME", "N in TIME", as in "1 per 30 days"; "1 per 10000 rows" needs
            no time.
        sampling : str or float, optional
            Time from row to row: "3min", or seconds.

        Raises
        ------
        OptionError
            If it cannot be read, or the time between rows is not known.

        Examples
        --------
        >>> Promise.of("1 per 30 days", "3min").n_rows
        14400.0
        >>> Promise.of(0.01).share
        0.01
        """
        if isinstance(false_alarms, cls):
            return false_alarms
        share = _number(false_alarms)
        if share is not None:
            if not 0.0 < share < 1.0:
                raise OptionError(
                    f"false_alarms must be a share between 0 and 1, found {false_alarms}.",
                    remedy="0.01 is one false alarm in a hundred normal rows.",
                )
            return cls(share)
        match = _EPISODES.fullmatch(false_alarms) if isinstance(false_alarms, str) else None
        if match is None or float(match[1]) <= 0 or float(match[2] or 1) <= 0:
            raise OptionError(
                f"false_alarms must be a share of rows or episodes in a time, found "
                f"{false_alarms!r}.",
                remedy='Write 0.01, or "1 per 30 days".',
            )
        number = float(match[2] or 1) / float(match[1])
        if match[3].lower() in ("row", "rows"):
            n_rows = number
        else:
            n_rows = number * _unit(match[3]) / seconds_of(sampling)
        if not 2.0 <= n_rows <= _MOST:
            raise OptionError(
                f"{false_alarms!r} is one false episode in {n_rows:.3g} rows; between 2 and "
                f"{_MOST:.0e} can be promised.",
                remedy="Name a longer or a shorter time, or the time between rows (sampling).",
            )
        return cls(n_rows=n_rows)

    def require_known(self, reference: Reference) -> None:
        """Refuse what normal rows cannot carry.

        Raises
        ------
        OptionError
            With the rows needed.
        """
        if self.n_rows is not None and reference.n_rows < rows_needed():
            raise OptionError(
                f"A promise of false episodes needs at least {rows_needed()} normal rows; the "
                f"model knows {reference.n_rows}.",
                remedy="Calibrate with more normal rows (--normal), or ask for a share of rows.",
            )

    def __str__(self) -> str:
        """In words."""
        if self.n_rows is None:
            return f"{100 * self.share:.2g} % of normal rows"
        return f"one false episode in {self.n_rows:,.0f} rows or more"


def promise_for(table: Table, false_alarms: Any, sampling: Any = None) -> Promise:
    """What is promised of the rows of a table: its time column tells the time between rows.

    Parameters
    ----------
    table : Table
    false_alarms, sampling : optional
        As in ``Promise.of``.
    """
    time = table.time
    if sampling is None and time is not None and len(time) > 1 and time.dtype.kind == "M":
        steps = np.diff(time).astype("timedelta64[ns]").astype(np.float64)
        sampling = float(np.median(steps)) / 1e9
    return Promise.of(false_alarms, sampling)


def seconds_of(sampling: Any) -> float:
    """Seconds from row to row.

    Examples
    --------
    >>> seconds_of("3min"), seconds_of("hour"), seconds_of(60)
    (180.0, 3600.0, 60.0)
    """
    if sampling is None:
        raise OptionError(
            "The time between rows is not known, so episodes in a time cannot be counted.",
            remedy='Say it: sampling="3min" (--sampling 3min), or ask for "1 per 10000 rows".',
        )
    number = _number(sampling)
    if number is None:
        match = _TIME.fullmatch(str(sampling))
        number = float(match[1] or 1) * _unit(match[2]) if match else None
    if number is None or not np.isfinite(number) or number <= 0:
        raise OptionError(
            f"sampling must be a time from row to row, found {sampling!r}.",
            remedy='Write "3min", "10 s" or seconds.',
        )
    return number


def _unit(name: str) -> float:
    if name.lower() not in _SECONDS:
        raise OptionError(
            f"{name!r} is no unit of time.",
            remedy="Known are s, min, h, days, weeks, months and years, and rows.",
        )
    return _SECONDS[name.lower()]


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
