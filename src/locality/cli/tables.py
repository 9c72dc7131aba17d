"""Tables for the command line: from a file to the columns that a command needs.

Fitting takes the columns that were asked for. Scoring and context take the columns that were
fitted, found by name: their order does not matter, further columns are left out and named, missing
ones are an error.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locality import DataError
from locality.cli.options import Selection

if TYPE_CHECKING:
    from locality.data.columns import ColumnFile
    from locality.data.table import Table
    from locality.model.model import Model

__all__ = ["ModelRows", "given_names", "quoted", "read_fitting_rows", "read_model_rows"]


@dataclass(frozen=True, eq=False)
class ModelRows:
    """Rows in the columns of a model, read once.

    Parameters
    ----------
    name : str
        Of the file.
    table : Table [n_rows, n_columns]
        Read with the states of the model.
    frame : pandas.DataFrame
        The same rows as they were, with names, index and time.
    source : pandas.DataFrame
        All columns of the file.
    ignored : tuple of str
        Those of them that the model does not know.
    """

    name: str
    table: "Table"
    frame: Any
    source: Any
    ignored: tuple[str, ...]

    @cached_property
    def labels(self) -> list[str]:
        """How rows are named: numbers from 1, with the time or index where there is one."""
        if self.moments is None:
            return [str(i + 1) for i in range(len(self.frame))]
        name, moments = self.moments
        return [f"{i + 1} ({name} {moment})" for i, moment in enumerate(moments)]

    @cached_property
    def moments(self) -> tuple[str, Any] | None:
        """The time column or the index, with its name; None if rows have numbers only."""
        frame, time = self.frame, self.table.time_column
        if time is not None:
            return time[0], frame[time[0]]
        if frame.index.equals(frame.reset_index(drop=True).index):
            return None
        return str(frame.index.name or "index"), frame.index

    def text(self, column: str, row: int) -> str:
        """A cell as it was."""
        return str(self.frame[column].iloc[row])


def quoted(text: str) -> str:
    """A text in quotes, cut if it is long."""
    return json.dumps(text if len(text) <= 40 else text[:39] + "…", ensure_ascii=False)


def given_names(values: Iterable[str], available: Sequence[str]) -> list[str]:
    """Column names from repeated options, each with one name or several between commas.

    Parameters
    ----------
    values : iterable of str
        As typed.
    available : sequence of str
        Columns of the table: a name with a comma in it is taken whole.

    Examples
    --------
    >>> given_names(["a, b", "flow, in", "c"], ["a", "b", "c", "flow, in"])
    ['a', 'b', 'flow, in', 'c']
    """
    names: list[str] = []
    for value in values:
        parts = [value] if value in available else value.split(",")
        names += [part if part in available else part.strip() for part in parts]
    return [name for name in names if name]


def read_fitting_rows(
    path: Path,
    selection: Selection,
    *,
    context: Sequence[str] | None = None,
    time: str | None = None,
    complete: bool = True,
) -> "tuple[Table | ColumnFile, list[str]]":
    """Read a table to be fitted, or looked into.

    Parameters
    ----------
    path : Path
    selection : Selection
        As typed.
    context : sequence of str, optional
        As typed.
    time : str, optional
    complete : bool, default True
        Refuse missing values.

    Returns
    -------
    rows : Table or ColumnFile [n_rows, n_columns]
        With the time, if any; the latter if a Parquet file is large.
    context : list of str
        Names of the context columns.

    Raises
    ------
    DataError
        The file or a name cannot be used.
    """
    from locality.data.columns import ColumnFile, open_large
    from locality.data.files import read_frame
    from locality.data.names import choose_names, require_known

    frame: Any = open_large(path)
    if frame is None:
        frame = _text_names(read_frame(path))
    available = list(frame.columns)
    if time is not None and not (hasattr(frame, "index") and time == frame.index.name):
        require_known(available, [time], f"{path.name}: --time")
    wanted = given_names(selection.columns or (), available) or available
    dropped = given_names(selection.drop or (), available)
    given = given_names(context or (), available)
    for option, names in (("--columns", wanted), ("--drop", dropped), ("--context", given)):
        require_known(available, names, f"{path.name}: {option}")
    lost = [name for name in given if name in dropped]
    if lost:
        raise DataError(f"{lost[0]!r} is named by --drop and by --context.", remedy="Name it once.")
    wanted = list(dict.fromkeys([*wanted, *given]))
    chosen = list(choose_names(available, wanted, dropped, aside=time))
    leading = [time] if time is not None and time in available else []
    if isinstance(frame, ColumnFile):  # its cells are looked at when they are needed
        return ColumnFile(path, leading + chosen), given
    return _numbers(path, frame[leading + chosen], time, complete), given


def read_model_rows(
    path: Path,
    model: "Model",
    columns: Sequence[str] | None = None,
    *,
    complete: bool = True,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> ModelRows:
    """Read rows in the columns of a model.

    Parameters
    ----------
    path : Path
    model : Model
    columns : sequence of str, optional
        Only these; by default all that were fitted, and the time.
    complete : bool, default True
        Refuse missing values.
    add, remove : sequences of str
        Columns that the model does not have, and those of its own that are left out.

    Raises
    ------
    DataError
        The file cannot be read, or lacks columns.
    """
    from locality.data.files import read_frame

    frame, settings = _text_names(read_frame(path)), model.settings
    if not len(frame) and settings.lags:
        raise DataError(f"{path.name} has no rows; a series has at least one.")
    wanted = list(model.standardizer.names if columns is None else columns)
    wanted = [*(name for name in wanted if name not in remove), *add]
    time = settings.time if columns is None else None
    if columns is None and settings.feature_names is None and not set(wanted) <= set(frame.columns):
        if frame.shape[1] != len(wanted):
            raise DataError(
                f"{path.name}: found {frame.shape[1]} columns, but the model was fitted to "
                f"{len(wanted)} columns without names.",
                remedy="Pass a table with just these columns in their order.",
            )
        frame = frame.set_axis(wanted, axis=1)
    elif time is not None and time != frame.index.name:
        wanted = [time, *wanted]
    _require_columns(path, list(frame.columns), wanted)
    chosen, labels = frame[wanted], model.standardizer.labels
    strict = wanted if complete else settings.context
    table = _numbers(path, chosen.drop(columns=list(add)), time, complete, labels, strict)
    if add:  # states of new columns are not known yet
        table = table.joined(_numbers(path, chosen[list(add)], None, complete))
    ignored = tuple(name for name in frame.columns if name not in wanted)
    return ModelRows(path.name, table, chosen, frame, ignored)


def _text_names(frame: Any) -> Any:
    """A frame whose columns have names; a saved one may number them."""
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _require_columns(path: Path, available: list[str], wanted: Sequence[str]) -> None:
    from locality.data.names import listing

    missing = [repr(name) for name in wanted if name not in available]
    if missing:
        noun = "a column" if len(missing) == 1 else f"{len(missing)} columns"
        raise DataError(
            f"{path.name} lacks {noun} that the model was fitted to: {listing(missing)}.",
            remedy=f"The file has {listing([repr(name) for name in available])}.",
        )


def _numbers(
    path: Path,
    frame: Any,
    time: str | None,
    complete: bool,
    labels: Mapping[str, Sequence[str]] | None = None,
    strict: Sequence[str] = (),
) -> "Table":
    """A table, or the name of the file that cannot be one; ``strict`` columns hold known states."""
    from locality.data.table import Table

    try:
        table = Table.from_frame(frame, time=time, min_rows=0, labels=labels)
        _refuse_unseen(table, frame, strict)
        if complete and labels is None:
            table.require_complete()
        elif complete:
            table.require_complete("Fill them (locality impute), or leave these rows out.")
    except DataError as error:
        raise DataError(f"{path.name}: {error.message}", remedy=error.remedy) from error
    return table


def _refuse_unseen(table: "Table", frame: Any, names: Sequence[str]) -> None:
    """Refuse states that were never seen, in some columns, with the text of the first."""
    if table.unseen is None:
        return
    for name, unseen in zip(table.names, table.unseen.T, strict=True):
        rows = unseen.nonzero()[0]
        if name in names and len(rows):
            n_more = len(rows) - 1
            more = f" ({n_more:,} more such row{'s' * (n_more > 1)})" if n_more else ""
            raise DataError(
                f"column {name!r}, row {rows[0] + 1}: {quoted(str(frame[name].iloc[rows[0]]))} is "
                f"a state never seen in the fit{more}.",
                remedy="Leave these rows out, or fit again with rows that have it.",
            )
