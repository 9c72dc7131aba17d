"""Tables for the command line: from a file to the columns that a command needs.

Fitting takes the columns that were asked for. Scoring and context take the columns that were
fitted, found by name: their order does not matter, further columns are left out and named, missing
ones are an error.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locality.exceptions import DataError

__all__ = ["FittedRows", "given_names", "read_fitted_rows", "read_fitting_rows", "row_labels"]


@dataclass(frozen=True)
class FittedRows:
    """Rows in the columns of a model.

    Parameters
    ----------
    rows : pandas.DataFrame or array [n_rows, n_columns]
        For the estimator; an array if the model was fitted to one.
    frame : pandas.DataFrame
        The same rows with names, index and time.
    ignored : tuple of str
        Columns of the file that the model does not know.
    source : pandas.DataFrame
        All columns of the file.
    """

    rows: Any
    frame: Any
    ignored: tuple[str, ...]
    source: Any


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
    *,
    columns: Sequence[str],
    drop: Sequence[str],
    given: Sequence[str],
    time: str | None,
    complete: bool = True,
) -> tuple[Any, list[str]]:
    """Read a table to be fitted, or looked into.

    Parameters
    ----------
    path : Path
    columns, drop, given : sequences of str
        As typed; no ``columns`` means all.
    time : str, optional
    complete : bool, default True
        Refuse missing values.

    Returns
    -------
    frame : pandas.DataFrame or ColumnFile [n_rows, n_columns]
        With the time column, if any; the latter if a Parquet file is large.
    given : list of str
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
        frame = read_frame(path)
        available = [str(name) for name in frame.columns]  # a saved frame may number its columns
        frame = frame.set_axis(available, axis=1)
    else:
        available = list(frame.columns)
    if time is not None and not (hasattr(frame, "index") and time == frame.index.name):
        require_known(available, [time], f"{path.name}: --time")
    wanted = given_names(columns, available) or available
    dropped, context = given_names(drop, available), given_names(given, available)
    for option, names in (("--columns", wanted), ("--drop", dropped), ("--given", context)):
        require_known(available, names, f"{path.name}: {option}")
    lost = [name for name in context if name in dropped]
    if lost:
        raise DataError(f"{lost[0]!r} is named by --drop and by --given.", remedy="Name it once.")
    wanted = list(dict.fromkeys([*wanted, *context]))
    chosen = list(choose_names(available, wanted, dropped, aside=time))
    leading = [time] if time in available else []
    if isinstance(frame, ColumnFile):  # its cells are looked at when they are needed
        return ColumnFile(path, leading + chosen), context
    frame = frame[leading + chosen]
    _require_numbers(path, frame, time, complete)
    return frame, context


def read_fitted_rows(
    path: Path,
    model: Any,
    columns: Sequence[str] | None = None,
    *,
    complete: bool = True,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> FittedRows:
    """Read rows in the columns of a fitted estimator.

    Parameters
    ----------
    path : Path
    model : LocalizedDiffusion
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
    from locality.data.names import listing

    frame = read_frame(path)
    if not len(frame) and model.lags:
        raise DataError(f"{path.name} has no rows; a series has at least one.")
    available = [str(name) for name in frame.columns]  # a saved frame may number its columns
    frame = frame.set_axis(available, axis=1)
    wanted = list(model.model_.standardizer.names if columns is None else columns)
    wanted = [*(name for name in wanted if name not in remove), *add]
    named = hasattr(model, "feature_names_in_")
    if not named and columns is None and not set(wanted) <= set(available):
        if len(available) != len(wanted):
            raise DataError(
                f"{path.name}: found {len(available)} columns, but the model was fitted to "
                f"{len(wanted)} columns without names.",
                remedy="Pass a table with just these columns in their order.",
            )
        renamed = frame.set_axis(wanted, axis=1)
        return FittedRows(frame.to_numpy(), renamed, (), renamed)
    time = model.time if columns is None else None
    if time is not None and time != frame.index.name:
        wanted = [time, *wanted]
    missing = [repr(name) for name in wanted if name not in available]
    if missing:
        noun = "a column" if len(missing) == 1 else f"{len(missing)} columns"
        raise DataError(
            f"{path.name} lacks {noun} that the model was fitted to: {listing(missing)}.",
            remedy=f"The file has {listing([repr(name) for name in available])}.",
        )
    chosen = frame[wanted]
    labels = model.model_.standardizer.labels
    strict = wanted if complete else model.given
    _require_numbers(path, chosen.drop(columns=list(add)), time, complete, labels, strict)
    if add:  # states of new columns are not known yet
        _require_numbers(path, chosen[list(add)], None, complete)
    ignored = tuple(name for name in available if name not in wanted)
    return FittedRows(chosen if named else chosen.to_numpy(), chosen, ignored, frame)


def row_labels(rows: FittedRows, time: str | None) -> list[str]:
    """How rows are named: numbers from 1, with the time or index where there is one.

    Parameters
    ----------
    rows : FittedRows
    time : str, optional
        Column with time stamps.
    """
    frame = rows.frame
    if time in frame.columns:
        moments, name = frame[time], time
    elif frame.index.equals(frame.reset_index().index):
        return [str(i + 1) for i in range(len(frame))]
    else:
        moments, name = frame.index, frame.index.name or "index"
    return [f"{i + 1} ({name} {moment})" for i, moment in enumerate(moments)]


def _require_numbers(
    path: Path,
    frame: Any,
    time: str | None,
    complete: bool = True,
    labels: Mapping[str, Sequence[str]] | None = None,
    strict: Sequence[str] = (),
) -> None:
    """Name the file that holds what cannot be used; ``strict`` columns hold known states only."""
    from locality.cli.departures import refuse_unseen
    from locality.data.table import Table

    try:
        table = Table.from_frame(frame, time=time, min_rows=0, labels=labels)
        refuse_unseen(table, frame, strict)
        if complete and labels is None:
            table.require_complete()
        elif complete:
            table.require_complete("Fill them (locality impute), or leave these rows out.")
    except DataError as error:
        raise DataError(f"{path.name}: {error.message}", remedy=error.remedy) from error
