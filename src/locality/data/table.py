"""A table of numbers with names: the only form in which data enters the library.

Columns are the components of a random vector, rows are its observations. A ``Table`` knows where
its values came from (library, row index, time) and can put results back into the same form. What
cannot be modeled is refused here, once, with its column, row and content; rows are counted from 1
and the header is not counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from locality._typing import BoolArray, FloatArray
from locality.data.categories import recoded
from locality.data.cells import Cells, find_unbounded
from locality.data.frames import Source, build_frame
from locality.data.kinds import Flavor, Kind
from locality.data.names import choose_names, listing, require_known
from locality.data.timeline import read_time
from locality.exceptions import DataError

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Values with the names, kinds and origin of their columns and rows.

    Attributes
    ----------
    values : float64 array [n_rows, n_columns]
        NaN where a value is missing; never infinite. Columns are contiguous in memory.
    observed : bool array [n_rows, n_columns]
        False where a value is missing.
    names : tuple of str [n_columns]
    kinds : tuple of str [n_columns]
        "real", "integer", "boolean" (0 and 1), or "category" (codes of texts).
    index : pandas.Index or None
        The row index of a pandas frame.
    time : array [n_rows] or None
        Strictly increasing moments: ``datetime64[ns]`` in UTC, or ``float64``.
    flavor : "pandas", "polars", "pyarrow" or "numpy"
        The library that ``frame`` answers in.
    time_column : (name, column) or None
        The time column as it was, when it was taken out of the frame.
    labels : mapping of str to tuple of str
        Texts of the columns of categories, by code.
    dtypes : mapping of str to str
        Columns of numbers with fewer than 64 bits.
    unseen : bool array [n_rows, n_columns] or None
        Where a text is none of the states asked for; such values count as missing.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"flow": [1.5, 2.5], "open": [True, False]}, index=["mon", "tue"])
    >>> table = Table.from_frame(frame)
    >>> table.names, table.kinds
    (('flow', 'open'), ('real', 'boolean'))
    >>> table.frame(table.values + 0.2, kinds=table.kinds)
         flow   open
    mon   1.7   True
    tue   2.7  False
    """

    values: FloatArray
    observed: BoolArray
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    index: Any = None
    time: NDArray[Any] | None = None
    flavor: Flavor = "numpy"
    time_column: tuple[str, Any] | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    unseen: BoolArray | None = None

    @classmethod
    def from_frame(
        cls,
        X: object,
        *,
        columns: Iterable[str] | None = None,
        drop: Iterable[str] = (),
        time: str | None = None,
        min_rows: int = 1,
        labels: Mapping[str, Sequence[str]] | None = None,
    ) -> "Table":
        """Read a data frame or a two-dimensional array.

        Parameters
        ----------
        X : pandas.DataFrame, polars.DataFrame, pyarrow.Table or array_like [n_rows, n_columns]
            Columns of an array are called ``x0``, ``x1``, and so on. Of a ``Table`` columns are
            taken; it is not read again.
        columns : iterable of str, optional
            The columns to keep, in this order; all of them when absent.
        drop : iterable of str
            Columns to leave out.
        time : str, optional
            The column (or the named pandas index) with the moment of each row. A column is taken
            out of the values.
        min_rows : int, default 1
            The fewest rows that are of use to the caller.
        labels : mapping of str to sequence of str, optional
            States of the columns of texts, all others hold numbers. By default columns of a few
            texts that occur again and again are found.

        Raises
        ------
        DataError
            A name is unknown, repeated or unusable; a cell is no number, infinite or a date; time
            does not run forward; there are too few rows or no columns.
        """
        if isinstance(X, Table):
            if time is not None and X.time is None:
                raise DataError(f"the table was read without its time {time!r}.")
            return X._chosen(choose_names(X.names, columns, drop, aside=time), min_rows, labels)
        source = Source.open(X)
        moments: NDArray[Any] | None = None
        time_column: tuple[str, Any] | None = None
        if time is not None and time not in source.positions and _names_index(source, time):
            moments = read_time(time, nw.from_native(source.index.to_series(), series_only=True))
        elif time is not None:
            require_known(source.names, [time], "time")
            moments = read_time(time, source.series(time))
            time_column = (time, source.series(time).to_native())
        chosen = choose_names(source.names, columns, drop, aside=time)
        shape = (source.n_rows, len(chosen))
        _refuse_few(shape, min_rows)
        values = source.room(shape)
        cells = []
        for j, name in enumerate(chosen):
            known = None if labels is None else labels.get(name, ())
            column = source.cells(name, known)
            values[:, j] = column.values
            cells.append(replace(column, values=values[:, j]))  # no second copy of a large table
        _refuse_faults(cells, fixed=labels is not None)
        _refuse_unbounded(chosen, values)
        kinds = tuple(column.kind for column in cells)
        observed = ~np.isnan(values)
        found = {name: c.labels for name, c in zip(chosen, cells, strict=True) if c.labels}
        unseen = None
        if labels is None:
            found = dict(recoded(values, found, chosen))
        elif any(c.unseen is not None and c.unseen.any() for c in cells):
            none = np.zeros(source.n_rows, dtype=np.bool_)
            unseen = np.stack([none if c.unseen is None else c.unseen for c in cells], axis=1)
        dtypes = {name: c.dtype for name, c in zip(chosen, cells, strict=True) if c.dtype}
        return cls(
            values, observed, chosen, kinds, source.index, moments, source.flavor, time_column,
            found, dtypes, unseen,
        )  # fmt: skip

    def _chosen(
        self, names: Sequence[str], min_rows: int, labels: Mapping[str, Sequence[str]] | None
    ) -> "Table":
        """Some columns, if there are enough rows and states are those asked for."""
        _refuse_few((self.n_rows, len(names)), min_rows)
        for name in names if labels is not None else ():
            known, found = (tuple(part.get(name, ())) for part in (labels or {}, self.labels))
            if known != found:
                raise DataError(f"column {name!r} has states {found}, expected {known}.")
        return self if tuple(names) == self.names else self.take(names)

    def take(self, names: Sequence[str]) -> "Table":
        """Some columns, in this order."""
        at = [self.names.index(name) for name in names]
        return replace(
            self,
            values=np.asfortranarray(self.values[:, at]),
            observed=self.observed[:, at],
            names=tuple(names),
            kinds=tuple(self.kinds[j] for j in at),
            labels={name: self.labels[name] for name in names if name in self.labels},
            dtypes={name: self.dtypes[name] for name in names if name in self.dtypes},
            unseen=None if self.unseen is None else self.unseen[:, at],
        )

    def rows(self, start: int, stop: int) -> "Table":
        """Consecutive rows, without the time column they came with."""
        here = slice(start, stop)
        return replace(
            self,
            values=np.asfortranarray(self.values[here]),
            observed=self.observed[here],
            index=None if self.index is None else self.index[here],
            time=None if self.time is None else self.time[here],
            time_column=None,
            unseen=None if self.unseen is None else self.unseen[here],
        )

    def those(self, which: BoolArray) -> "Table":
        """The rows that are meant, without the time column they came with."""
        return replace(
            self,
            values=np.asfortranarray(self.values[which]),
            observed=self.observed[which],
            index=None if self.index is None else self.index[which],
            time=None if self.time is None else self.time[which],
            time_column=None,
            unseen=None if self.unseen is None else self.unseen[which],
        )

    def joined(self, other: "Table") -> "Table":
        """Put the columns of another table of the same rows beside those of this one."""
        unseen = None
        if self.unseen is not None or other.unseen is not None:
            none = (np.zeros(part.values.shape, dtype=bool) for part in (self, other))
            seen = (self.unseen, other.unseen)
            unseen = np.hstack([b if a is None else a for a, b in zip(seen, none, strict=True)])
        return replace(
            self,
            values=np.asfortranarray(np.hstack([self.values, other.values])),
            observed=np.hstack([self.observed, other.observed]),
            names=(*self.names, *other.names),
            kinds=(*self.kinds, *other.kinds),
            labels={**self.labels, **other.labels},
            dtypes={**self.dtypes, **other.dtypes},
            unseen=unseen,
        )

    def followed_by(self, later: "Table") -> "Table":
        """Rows of both, one after the other, without index and time."""
        unseen = [
            np.zeros(part.values.shape, dtype=bool) if part.unseen is None else part.unseen
            for part in (self, later)
        ]
        return replace(
            self,
            values=np.asfortranarray(np.vstack([self.values, later.values])),
            observed=np.vstack([self.observed, later.observed]),
            index=None,
            time=None,
            time_column=None,
            unseen=np.vstack(unseen),
        )

    @property
    def n_rows(self) -> int:
        """Number of observations."""
        return int(self.values.shape[0])

    @property
    def n_columns(self) -> int:
        """Number of components."""
        return int(self.values.shape[1])

    @property
    def n_missing(self) -> int:
        """Number of values that are missing; states that are none of those asked for are not."""
        return int(self.observed.size - self.observed.sum()) - (
            0 if self.unseen is None else int(self.unseen.sum())
        )

    def require_complete(
        self, remedy: str = "Fill these values, or leave the columns or rows out."
    ) -> None:
        """Raise if a value is missing, or a state is none of those asked for.

        Parameters
        ----------
        remedy : str
            What to do about missing values.

        Raises
        ------
        DataError
            Names the columns, how many of their values are missing and where the first one is.

        Examples
        --------
        >>> Table.from_frame([[1.0, 2.0], [3.0, float("nan")]]).require_complete()
        Traceback (most recent call last):
            ...
        locality.exceptions.DataError: Input contains NaN in 1 of 2 columns: column 'x1': 1 of 2 \
values missing, the first in row 2. Fill these values, or leave the columns or rows out.
        """
        if self.unseen is not None and self.unseen.any():
            j = int(self.unseen.any(axis=0).argmax())
            row = int(self.unseen[:, j].argmax()) + 1
            raise DataError(
                f"column {self.names[j]!r}, row {row}: the state is none of those of the fit, "
                f"{listing([repr(text) for text in self.labels.get(self.names[j], ())])}.",
                remedy="Leave these rows out, or fit again with rows that have it.",
            )
        counts = np.count_nonzero(~self.observed, axis=0)
        gaps = [
            f"column {self.names[j]!r}: {counts[j]} of {self.n_rows} values missing, the first in "
            f"row {int(np.argmin(self.observed[:, j])) + 1}"
            for j in np.flatnonzero(counts)
        ]
        if gaps:
            raise DataError(
                f"Input contains NaN in {len(gaps)} of {self.n_columns} columns: "
                f"{listing(gaps, '; ')}.",
                remedy=remedy,
            )

    def frame(
        self,
        values: ArrayLike,
        names: Sequence[str] | None = None,
        *,
        kinds: Sequence[Kind] | None = None,
        keep_rows: bool | None = None,
    ) -> Any:
        """Put results into the form this table came in.

        Parameters
        ----------
        values : array_like [n_values, n_names]
        names : sequence of str, optional
            Column names; this table's by default.
        kinds : sequence of str, optional
            Pass ``table.kinds`` to get whole numbers, truth values and texts where the input had
            them; all real by default.
        keep_rows : bool, optional
            The rows of ``values`` are the rows of this table, so they get its index or time
            column. By default they do if there are equally many; pass False for new rows.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame, pyarrow.Table or numpy.ndarray
        """
        array = np.asarray(values, dtype=np.float64)
        same = array.shape[:1] == (self.n_rows,)
        if keep_rows and not same:
            raise DataError(
                f"values have shape {array.shape}, but the table has {self.n_rows} rows."
            )
        keep = same if keep_rows is None else keep_rows
        return build_frame(
            array,
            self.names if names is None else names,
            self.flavor,
            kinds=kinds,
            labels=self.labels,
            dtypes=self.dtypes if kinds is not None else None,
            index=self.index if keep else None,
            leading=self.time_column if keep else None,
        )


def _refuse_few(shape: tuple[int, int], min_rows: int) -> None:
    if not shape[1]:
        raise DataError(
            f"no column is left to model: 0 feature(s) (shape={shape}) while a minimum of 1 is "
            "required."
        )
    if shape[0] < min_rows:
        raise DataError(
            f"the table has too few rows: {shape[0]} sample(s) (shape={shape}) while a minimum of "
            f"{min_rows} is required."
        )


def _names_index(source: Source, name: str) -> bool:
    return source.index is not None and source.index.name == name


def _refuse_faults(cells: Sequence[Cells], fixed: bool) -> None:
    """Name unusable cells; ``fixed`` columns are those of a fit and cannot be left out."""
    faults = [column.fault for column in cells if column.fault]
    if not faults:
        return
    if fixed:
        remedy = "Correct the cell, or leave it empty if it is missing."
    elif any(column.is_date for column in cells):
        remedy = "Name the column with the time of each row (time=..., --time), and leave other "
        remedy += "dates out (drop=..., --drop)."
    else:
        remedy = "Correct the cell, leave it empty if it is missing, or leave the column out "
        remedy += "(drop=..., --drop). The column with the time of each row is named by time=... "
        remedy += "(--time)."
    raise DataError(f"{listing(faults, '; ')}.", remedy=remedy)


def _refuse_unbounded(names: Sequence[str], values: FloatArray) -> None:
    faults = find_unbounded(names, values)
    if faults:
        raise DataError(
            f"Input contains infinity or unusably large values: {listing(faults, '; ')}.",
            remedy="Leave the cell empty if it is missing, or change the unit of the column.",
        )
