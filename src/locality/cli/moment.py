"""A row by its moment: what --at names, in the time column or the index of a table."""

import difflib
from typing import Any

from locality import OptionError
from locality.cli.tables import ModelRows

__all__ = ["row_at"]

_NEAREST = 3
_ROW = "Name the row by its number: --row."


def row_at(rows: ModelRows, text: str) -> int:
    """The row that a time or a label names, from 0.

    Parameters
    ----------
    rows : ModelRows
    text : str
        As the table has it, or a date or number that is equal.

    Raises
    ------
    OptionError
        No row has it, naming the nearest ones, or several have.
    """
    if rows.moments is None:
        raise OptionError(
            f"--at is {text!r}, but rows of {rows.name} have neither a time column nor an index.",
            remedy=_ROW,
        )
    name, moments = rows.moments
    labels = [str(moment) for moment in moments]
    places = [place for place, label in enumerate(labels) if label == text]
    gaps, found = None if places else _gaps(rows, moments, text), "it has no rows"
    if gaps is not None:
        places = (gaps == 0).nonzero()[0].tolist()
        nearest = sorted(gaps.argsort(kind="stable")[:_NEAREST].tolist())
        if nearest:
            found = f"the nearest are {', '.join(labels[place] for place in nearest)}"
    elif labels:
        near = difflib.get_close_matches(text, list(dict.fromkeys(labels)), _NEAREST, 0.6)
        found = f"the nearest are {', '.join(near)}" if near else ""
        found = found or f"they go from {labels[0]} to {labels[-1]}"
    if len(places) == 1:
        return int(places[0])
    if places:
        listed = ", ".join(str(place + 1) for place in places[:_NEAREST])
        more = " …" if len(places) > _NEAREST else ""
        raise OptionError(
            f"--at is {text!r}, and {len(places):,} rows of {rows.name} have it: {listed}{more}.",
            remedy=_ROW,
        )
    raise OptionError(
        f"--at is {text!r}, which no row of {rows.name} has as its {name!r}; {found}.",
        remedy="Write a time as the table has it, or pass the number of the row: --row.",
    )


def _gaps(rows: ModelRows, moments: Any, text: str) -> Any:
    """How far every row is from a date or number; None if labels are texts, or it is neither."""
    import numpy as np
    import pandas as pd

    time = rows.table.time
    column = pd.Series(moments) if time is None else pd.Series(time)
    try:
        if column.dtype.kind in "iuf":
            return np.abs(column.to_numpy(dtype=float) - float(text))
        if column.dtype.kind != "M":
            return None
        moment = pd.Timestamp(text)
        zone = getattr(pd.Series(moments).dtype, "tz", None)
        if moment.tzinfo is None and zone is not None:
            moment = moment.tz_localize(zone)
        if moment.tzinfo is not None:
            moment = moment.tz_convert(None)
        if getattr(column.dtype, "tz", None) is not None:
            column = column.dt.tz_convert(None)
        gap = (column - moment).to_numpy().astype("timedelta64[ns]")
        return np.abs(gap.astype(np.int64))
    except (ValueError, TypeError, OverflowError):
        return None
