"""The cells of one column, read as numbers.

Numbers stay what they are, whole numbers and truth values are remembered as such, missing cells
become NaN. A column of a few texts that occur again and again holds *states*: they become codes
from 0. Nothing else is parsed on the sly: a cell that holds text is a *fault*, told with its
column, its row and its content, even if the text looks like a number.
"""

import datetime
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Complex, Integral, Real
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from locality._typing import BoolArray, FloatArray
from locality.data.kinds import Kind

__all__ = ["Cells", "find_unbounded", "is_plain", "read_cells", "read_numbers", "read_objects"]

LARGEST = 1e30
"""Beyond this magnitude squares leave the range in which the networks compute."""

_MOST_STATES = 30
_ROWS_PER_STATE = 5
_MIN_ROWS = 10  # of texts; fewer are taken for a mistake
_NARROW = ("Float32", "Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32")
_PLAIN = {np.dtype(name.lower()): name for name in _NARROW}
_PLAIN |= {np.dtype(name): "" for name in ("float64", "int64", "uint64", "bool")}

_NUMBER_WORDS = frozenset({"nan", "inf", "infinity"})


@dataclass(frozen=True)
class Cells:
    """One column as numbers, or what is wrong with it.

    Attributes
    ----------
    values : float64 array [n_rows]
        NaN where a cell is missing, or holds a state that is not known.
    kind : "real", "integer", "boolean" or "category"
    fault : str
        Empty, or the place and content of the first cell that is no number.
    is_date : bool
        The faulty cells are dates or times.
    labels : tuple of str
        Texts of the states, by code.
    unseen : bool array [n_rows] or None
        Where a state is not among those known.
    dtype : str
        Element type, if it is narrower than 64 bits; as narwhals calls it.
    """

    values: FloatArray
    kind: Kind
    fault: str = ""
    is_date: bool = False
    labels: tuple[str, ...] = ()
    unseen: BoolArray | None = None
    dtype: str = ""


def read_cells(name: str, series: "nw.Series[Any]", labels: Sequence[str] | None = None) -> Cells:
    """Read a column of a data frame.

    Parameters
    ----------
    name : str
        The column's name, for messages.
    series : narwhals.Series
        Any element type.
    labels : sequence of str, optional
        Known states: none if the column must hold numbers; to be found when absent.

    Examples
    --------
    >>> series = nw.from_native(pd.Series([1.5, None]), series_only=True)
    >>> read_cells("flow", series).values
    array([1.5, nan])
    """
    dtype = series.dtype
    if labels or not (dtype.is_numeric() or dtype == nw.Boolean):
        return read_objects(name, series.to_list(), labels)
    narrow = str(dtype) if str(dtype) in _NARROW else ""
    if dtype == nw.Boolean:
        return Cells(_as_float(series), "boolean")
    kind: Kind = "integer" if dtype.is_integer() else "real"
    return Cells(_as_float(series), kind, dtype=narrow)


def is_plain(dtype: object) -> bool:
    """Whether an element type is one of NumPy's numbers or truth values, as machines have them."""
    return isinstance(dtype, np.dtype) and dtype in _PLAIN


def read_numbers(column: "NDArray[Any]") -> Cells:
    """Read an array of numbers or truth values.

    Examples
    --------
    >>> found = read_numbers(np.array([1, 2], dtype=np.int8))
    >>> found.values, found.kind, found.dtype
    (array([1., 2.]), 'integer', 'Int8')
    """
    kinds: dict[str, Kind] = {"f": "real", "b": "boolean"}
    kind = kinds.get(column.dtype.kind, "integer")
    return Cells(column.astype(np.float64), kind, dtype=_PLAIN.get(column.dtype, ""))


def read_objects(name: str, cells: Sequence[object], labels: Sequence[str] | None = None) -> Cells:
    r"""Read a column of arbitrary objects: numbers and missing cells, or states, or a fault.

    Examples
    --------
    >>> read_objects("TT-104", [20.5, "n/a", "21.5", "off"]).fault
    'column \'TT-104\', row 2: "n/a" is not a number (1 more such cell in this column)'
    >>> read_objects("TT-104", [1, None, True]).values
    array([ 1., nan,  1.])
    >>> read_objects("mode", ["auto", "manual", None, "auto"] * 5).labels
    ('auto', 'manual')
    """
    states = _states(cells) if labels is None else tuple(labels)
    if states:
        return _read_states(name, cells, states)
    values = np.full(len(cells), np.nan)
    whole = truth = True
    text: list[int] = []
    wrong: list[int] = []
    for row, cell in enumerate(cells):
        if isinstance(cell, str):
            (text if _reads_as_number(cell) else wrong).append(row)
        elif isinstance(cell, Real | Decimal | np.bool_):
            values[row] = float(cell)
            whole &= isinstance(cell, Integral | np.bool_) or math.isnan(values[row])
            truth &= isinstance(cell, bool | np.bool_) or math.isnan(values[row])
        elif not _is_missing(cell):
            wrong.append(row)
    kind: Kind = "real"
    if not np.isnan(values).all():
        kind = "boolean" if truth else "integer" if whole else "real"
    # Text that is no number tells more than text that is one: it is why the column is text.
    offenders = wrong or text
    if not offenders:
        return Cells(values, kind)
    first = offenders[0]
    cell = cells[first]
    texts, n_known = _texts(cells) if labels is None else ((), 0)
    if texts:  # more than states
        fault = f"column {name!r}, row {first + 1}: {_shown(str(cell))} is one of {len(texts):,} "
        fault += f"different texts, and at most {_most_states(n_known)} count as states"
        return Cells(values, kind, fault)
    more = len(offenders) - 1
    tail = f" ({more} more such cell{'s' * (more > 1)} in this column)" if more else ""
    fault = f"column {name!r}, row {first + 1}: {_complaint(cell, bool(wrong))}{tail}"
    return Cells(values, kind, fault, isinstance(cell, datetime.date | np.datetime64))


def _states(cells: Sequence[object]) -> tuple[str, ...]:
    """Texts of a column of states in alphabetical order, none if it is something else."""
    texts, n_known = _texts(cells)
    return texts if len(texts) <= _most_states(n_known) else ()


def _texts(cells: Sequence[object]) -> tuple[tuple[str, ...], int]:
    """Different texts in alphabetical order, and how many cells are known; none if they are few,
    or if some cell is no text, or reads as a number or a date.
    """
    known = [cell for cell in cells if not _is_missing(cell) and not _is_nan(cell)]
    if len(known) < _MIN_ROWS or not all(isinstance(cell, str) for cell in known):
        return (), len(known)
    texts = sorted({str(cell) for cell in known})
    if any(_reads_as_number(text) or _reads_as_date(text) for text in texts):
        return (), len(known)
    return tuple(texts), len(known)


def _most_states(n_known: int) -> int:
    return min(_MOST_STATES, max(2, n_known // _ROWS_PER_STATE))


def _read_states(name: str, cells: Sequence[object], states: tuple[str, ...]) -> Cells:
    code = {text: float(number) for number, text in enumerate(states)}
    values = np.full(len(cells), np.nan)
    unseen = np.zeros(len(cells), dtype=np.bool_)
    for row, cell in enumerate(cells):
        if isinstance(cell, str):
            values[row] = code.get(cell, np.nan)
            unseen[row] = cell not in code
        elif not (_is_missing(cell) or _is_nan(cell)):
            listed = ", ".join(json.dumps(text, ensure_ascii=False) for text in states[:5])
            more = ", …" if len(states) > 5 else ""
            fault = f"column {name!r}, row {row + 1}: {cell!r:.40} is none of the states "
            return Cells(values, "category", f"{fault}{listed}{more}")
    return Cells(values, "category", labels=states, unseen=unseen)


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


def _is_nan(cell: object) -> bool:
    return isinstance(cell, float | np.floating) and math.isnan(cell)


def _reads_as_date(cell: str) -> bool:
    try:
        datetime.datetime.fromisoformat(cell.strip())
    except ValueError:
        return False
    return True


def _reads_as_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lstrip("+-").casefold() not in _NUMBER_WORDS


def _shown(cell: str) -> str:
    return json.dumps(cell if len(cell) <= 40 else cell[:39] + "…", ensure_ascii=False)


def _complaint(cell: object, is_wrong: bool) -> str:
    if isinstance(cell, str):
        shown = _shown(cell)
        return f"{shown} is not a number" if is_wrong else f"{shown} is text, not a number"
    if isinstance(cell, datetime.date | np.datetime64):
        return f"{cell} is a date"
    if isinstance(cell, Complex):
        return f"{cell} is a complex number. Complex data not supported"
    return f"{cell!r:.40} ({type(cell).__name__}) is not a number"
