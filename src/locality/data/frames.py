"""Data frames of several libraries, read column by column and built again.

The one place that knows which library a table came from. A frame built here is of the same
library as the frame it answers: pandas with its index, polars, pyarrow, or a plain NumPy array.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from tempfile import TemporaryFile
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy import sparse

from locality._typing import FloatArray
from locality.data.cells import Cells, is_plain, read_cells, read_numbers, read_objects
from locality.data.columns import ColumnFile
from locality.data.kinds import Flavor, Kind
from locality.data.names import check_names
from locality.exceptions import DataError

__all__ = ["Source", "build_frame", "flavor_of"]

_REAL: Kind = "real"
_EXACT_INTEGERS = 2.0**53
_REMEDY = "Pass a pandas, polars or pyarrow table, or a two-dimensional NumPy array."


def flavor_of(X: object) -> Flavor:
    """Return the library that a table belongs to.

    Anything that is no data frame counts as ``"numpy"``: it will be read as an array.

    Raises
    ------
    DataError
        A lazy frame, a single column, a sparse matrix, or a frame of another library.

    Examples
    --------
    >>> flavor_of(pd.DataFrame({"a": [1.0]})), flavor_of([[1.0, 2.0]])
    ('pandas', 'numpy')
    """
    if sparse.issparse(X):
        raise DataError(
            "found a sparse matrix; sparse data is not supported.", remedy="Use X.toarray()."
        )
    # Told apart by type, so that repeated names are found by name and place later on.
    if isinstance(X, pd.DataFrame | ColumnFile):
        return "pandas"
    if isinstance(X, pa.Table):
        return "pyarrow"
    frame: Any = nw.from_native(X, pass_through=True, allow_series=True)
    if isinstance(frame, nw.LazyFrame):
        raise DataError("found a lazy frame.", remedy="Call .collect() first.")
    if isinstance(frame, nw.Series):
        raise DataError("found a single column, expected a table.", remedy=_REMEDY)
    if not isinstance(frame, nw.DataFrame):
        return "numpy"
    if frame.implementation != nw.Implementation.POLARS:
        raise DataError(f"found a table of {frame.implementation}.", remedy=_REMEDY)
    return "polars"


@dataclass(frozen=True)
class Source:
    """A native table whose columns are read by name.

    Attributes
    ----------
    native : pandas.DataFrame, polars.DataFrame, pyarrow.Table or numpy.ndarray
    flavor : "pandas", "polars", "pyarrow" or "numpy"
    positions : mapping of str to int
        Where each named column is. Columns of an array are called ``x0``, ``x1``, and so on.

    Examples
    --------
    >>> Source.open([[1.0, 2.0], [3.0, 4.0]]).cells("x1").values
    array([2., 4.])
    """

    native: Any
    flavor: Flavor
    positions: Mapping[str, int]

    @classmethod
    def open(cls, X: object) -> "Source":
        """Recognize the library and check the column names."""
        flavor = flavor_of(X)
        native: Any = _as_array(X) if flavor == "numpy" else X
        if flavor == "numpy":
            names = tuple(f"x{j}" for j in range(native.shape[1]))
        else:
            names = check_names(native.column_names if flavor == "pyarrow" else native.columns)
        return cls(native, flavor, {name: j for j, name in enumerate(names)})

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.positions)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.native.shape[0])

    def room(self, shape: tuple[int, int]) -> FloatArray:
        """Where the values of some columns are put, column by column.

        Those of a large file lie in an unnamed file that is mapped into memory, if the disk has
        room for it.
        """
        if isinstance(self.native, ColumnFile) and hasattr(os, "posix_fallocate"):
            with suppress(OSError), TemporaryFile(prefix="locality-") as file:
                os.posix_fallocate(file.fileno(), 0, max(1, 8 * shape[0] * shape[1]))
                return np.memmap(file, np.float64, "r+", shape=shape, order="F")
        return np.empty(shape, order="F")

    @property
    def index(self) -> Any:
        """The row index of a pandas frame, None for the other libraries."""
        return self.native.index if isinstance(self.native, pd.DataFrame) else None

    @cached_property
    def _columns(self) -> "list[pd.Series[Any]]":
        """Those of a pandas frame; taken one by one by their place they cost four times as much."""
        return [column for _, column in self.native.items()]

    def series(self, name: str) -> "nw.Series[Any]":
        """Return one column as it is."""
        position = self.positions[name]
        native: Any
        if self.flavor == "numpy":
            native = pd.Series(self.native[:, position])
        elif isinstance(self.native, ColumnFile):
            native = self.native.column(position)
        elif self.flavor == "pandas":
            native = self._columns[position]
        elif self.flavor == "polars":
            native = self.native.to_series(position)
        else:
            native = self.native.column(position)
        return nw.from_native(native, series_only=True)

    def cells(self, name: str, labels: Sequence[str] | None = None) -> Cells:
        """Return one column as numbers, or its fault; with the states known of it, if any."""
        if self.flavor == "numpy":
            column = self.native[:, self.positions[name]]
            if column.dtype == object or labels:
                return read_objects(name, column.tolist(), labels)
            return replace(read_numbers(column), dtype="")
        if isinstance(self.native, pd.DataFrame) and not labels:
            column = self._columns[self.positions[name]]
            if is_plain(column.dtype):
                return read_numbers(column.to_numpy())
        return read_cells(name, self.series(name), labels)


def build_frame(
    values: ArrayLike,
    names: Sequence[str],
    flavor: Flavor,
    *,
    kinds: Sequence[Kind] | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
    dtypes: Mapping[str, str] | None = None,
    index: Any = None,
    leading: tuple[str, Any] | None = None,
) -> Any:
    """Build a table of the given library.

    Parameters
    ----------
    values : array_like [n_rows, n_columns]
    names : sequence of str [n_columns]
        Unused for ``flavor="numpy"``.
    flavor : "pandas", "polars", "pyarrow" or "numpy"
    kinds : sequence of str, optional
        Columns marked ``"integer"`` or ``"boolean"`` are rounded, and become 64-bit integers or
        truth values unless they hold a missing value; ``"category"`` become texts. All are real
        by default.
    labels : mapping of str to sequence of str, optional
        Texts of the columns of categories.
    dtypes : mapping of str to str, optional
        Narrower element types of some columns of numbers, as narwhals calls them.
    index : pandas.Index, optional
        Row index of a pandas frame; the other libraries have none.
    leading : (name, column), optional
        A column in the frame library's own type to be put first, for example the time; an array
        has no place for it.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame, pyarrow.Table or numpy.ndarray

    Raises
    ------
    DataError
        The numbers of columns, names and kinds differ.

    Examples
    --------
    >>> build_frame([[0.9, 0.5]], ["state", "flow"], "pandas", kinds=["integer", "real"])
       state  flow
    0      1   0.5
    """
    array: FloatArray = np.asarray(values, dtype=np.float64)
    known = [_REAL] * len(names) if kinds is None else kinds
    if array.ndim != 2 or array.shape[1] != len(names) or len(known) != len(names):
        raise DataError(
            f"found values of shape {array.shape}, {len(names)} names and {len(known)} kinds, "
            "expected one name and one kind per column."
        )
    if index is None and flavor == "pandas":
        index = pd.RangeIndex(len(array))
    if flavor == "pandas" and leading is None and not dtypes and set(known) == {_REAL}:
        return pd.DataFrame(array, index=index, columns=pd.Index(names), copy=True)
    texts = labels or {}
    columns = [
        _column(array[:, j], kind, texts.get(name, ()))
        for j, (name, kind) in enumerate(zip(names, known, strict=True))
    ]
    if flavor == "numpy":
        if any(column.dtype == object for column in columns):
            columns = [column.astype(object) for column in columns]
        return np.column_stack(columns) if columns else array
    for j, name in enumerate(names):
        if dtypes and name in dtypes and (known[j] == "real" or columns[j].dtype.kind == "i"):
            columns[j] = columns[j].astype(dtypes[name].lower())
    if flavor == "pandas":
        data = dict(zip(names, columns, strict=True))
        frame = pd.DataFrame(data, index=index)
        if leading is not None:
            frame.insert(0, leading[0], leading[1])
        return frame
    built = nw.from_dict(dict(zip(names, columns, strict=True)), backend=flavor)
    if leading is not None:
        first = nw.from_native(leading[1], series_only=True).alias(leading[0])
        built = built.select(first, nw.all())
    return built.to_native()


def _as_array(X: object) -> Any:
    array = np.asarray(X)
    if array.dtype.names is not None or array.ndim != 2:
        raise DataError(
            f"Expected 2D array, got {array.ndim}D array instead (shape {array.shape}, "
            f"dtype {array.dtype}).",
            remedy="Reshape your data either using array.reshape(-1, 1) if it has one column or "
            "array.reshape(1, -1) if it has one row.",
        )
    return array if array.dtype.kind in "biuf" else array.astype(object)


def _column(values: FloatArray, kind: Kind, labels: Sequence[str]) -> Any:
    if kind == "real":
        return values
    rounded = np.rint(values)
    if kind == "category":
        texts = np.array([*labels, None], dtype=object)
        known = ~np.isnan(rounded)
        code = np.full(len(values), len(labels))
        code[known] = np.clip(rounded[known], 0, len(labels) - 1).astype(np.int64)
        return texts[code]
    exact = bool(np.all(np.abs(rounded) <= _EXACT_INTEGERS))  # False where NaN
    if not exact:
        return rounded
    return rounded > 0 if kind == "boolean" else rounded.astype(np.int64)
