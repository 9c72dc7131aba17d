"""The cells of one column, read as numbers.

Numbers stay what they are, whole numbers and truth values are remembered as ``"integer"``, missing
cells become NaN. Nothing is parsed on the sly: a cell that holds text is a *fault*, told with its
column, its row and its content, even if the text looks like a number.
"""

import datetime
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Complex, Integral, Real
from typing import Any, Literal, TypeAlias

import narwhals as nw
import numpy as np
import pandas as pd

from locality._typing import FloatArray

__all__ = ["Cells", "Kind", "find_unbounded", "read_cells", "read_objects"]

Kind: TypeAlias = Literal["real", "integer"]

LARGEST = 1e30
"""Beyond this magnitude squares leave the range in which the networks compute."""

_NUMBER_WORDS = frozenset({"nan", "inf", "infinity"})


@dataclass(frozen=True)
class Cells:
    """One column as numbers, or what is wrong with it.

    Attributes
    ----------
    values : float64 array [n_rows]
        NaN where a cell is missing.
    kind : "real" or "integer"
    fault : str
        Empty, or the place and content of the first cell that is no number.
    is_date : bool
        The faulty cells are dates or times.
    """

    values: FloatArray
    kind: Kind
    fault: str = ""
    is_date: bool = False


def read_cells(name: str, series: "nw.Series[Any]") -> Cells:
    """Read a column of a data frame.

    Parameters
    ----------
    name : str
        The column's name, for messages.
    series : narwhals.Series
        Any element type.

    Examples
    --------
    >>> series = nw.from_native(pd.Series([1.5, None]), series_only=True)
    >>> read_cells("flow", series).values
    array([1.5, nan])
    """
    dtype = series.dtype
    if dtype.is_float() or dtype == nw.Decimal:
        return Cells(_as_float(series), "real")
    if dtype.is_integer() or dtype == nw.Boolean:
        return Cells(_as_float(series), "integer")
    return read_objects(name, series.to_list())


def read_objects(name: str, cells: Sequence[object]) -> Cells:
    r"""Read a column of arbitrary objects: numbers and missing cells only, or a fault.

    Examples
    --------
    >>> read_objects("TT-104", [20.5, "n/a", "21.5", "off"]).fault
    'column \'TT-104\', row 2: "n/a" is not a number (1 more such cell in this column)'
    >>> read_objects("TT-104", [1, None, True])
    Cells(values=array([ 1., nan,  1.]), kind='integer', fault='', is_date=False)
    """
    values = np.full(len(cells), np.nan)
    whole = True
    text: list[int] = []
    wrong: list[int] = []
    for row, cell in enumerate(cells):
        if isinstance(cell, str):
            (text if _reads_as_number(cell) else wrong).append(row)
        elif isinstance(cell, Real | Decimal | np.bool_):
            values[row] = float(cell)
            whole &= isinstance(cell, Integral | np.bool_) or math.isnan(values[row])
        elif not _is_missing(cell):
            wrong.append(row)
    kind: Kind = "integer" if whole and not np.isnan(values).all() else "real"
    # Text that is no number tells more than text that is one: it is why the column is text.
    offenders = wrong or text
    if not offenders:
        return Cells(values, kind)
    first = offenders[0]
    cell = cells[first]
    more = len(offenders) - 1
    tail = f" ({more} more such cell{'s' * (more > 1)} in this column)" if more else ""
    fault = f"column {name!r}, row {first + 1}: {_complaint(cell, bool(wrong))}{tail}"
    return Cells(values, kind, fault, isinstance(cell, datetime.date | np.datetime64))


def find_unbounded(names: Sequence[str], values: FloatArray) -> list[str]:
    """Return one fault per column that holds an infinite or unusably large value.

    Parameters
    ----------
    names : sequence of str
    values : float64 array [n_rows, n_columns]
        NaN (missing) is no fault.

    Examples
    --------
    >>> find_unbounded(["a", "b"], np.array([[1.0, 2.0], [np.nan, -np.inf]]))
    ["column 'b', row 2: -inf (infinite)"]
    """
    if values.shape[0] == 0:
        return []
    high = np.fmax.reduce(values, axis=0)
    low = np.fmin.reduce(values, axis=0)
    faults = []
    for column in np.flatnonzero((high > LARGEST) | (low < -LARGEST)).tolist():
        rows = np.flatnonzero(np.abs(values[:, column]) > LARGEST)
        value = values[rows[0], column]
        reason = "infinite" if np.isinf(value) else f"beyond the largest magnitude {LARGEST:g}"
        more = f"; {rows.size - 1} more in this column" if rows.size > 1 else ""
        place = f"column {names[column]!r}, row {rows[0] + 1}"
        faults.append(f"{place}: {value:g} ({reason}{more})")
    return faults


def _as_float(series: "nw.Series[Any]") -> FloatArray:
    native = series.to_native()
    if isinstance(native, pd.Series):
        return native.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _is_missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT


def _reads_as_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lstrip("+-").casefold() not in _NUMBER_WORDS


def _complaint(cell: object, is_wrong: bool) -> str:
    if isinstance(cell, str):
        shown = json.dumps(cell if len(cell) <= 40 else cell[:39] + "…", ensure_ascii=False)
        return f"{shown} is not a number" if is_wrong else f"{shown} is text, not a number"
    if isinstance(cell, datetime.date | np.datetime64):
        return f"{cell} is a date"
    if isinstance(cell, Complex):
        return f"{cell} is a complex number. Complex data not supported"
    return f"{cell!r:.40} ({type(cell).__name__}) is not a number"
