"""Tables in files: CSV, Parquet and Arrow (Feather).

Reading keeps what the file says: in a CSV only an empty cell is missing, so ``n/a`` is found as
text in a column of numbers, with its row, instead of turning into a gap. Writing is atomic: the
file appears under its name when it is complete, or not at all.
"""

import contextlib
import gzip
import io
import os
import warnings
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import feather, parquet

from locality.data.atomic import replacing
from locality.data.frames import build_frame, flavor_of
from locality.data.names import check_names, choose_names, require_known
from locality.data.table import Table
from locality.exceptions import DataError, OutputExists

__all__ = ["SUFFIXES", "read_frame", "read_names", "read_table", "write_frame"]

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".feather", ".arrow")
"""The file types that can be read and written."""

# Newer versions of pandas read decimals to the bit anyway, and warn of the option.
_NEW_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
_EXACT: dict[str, Any] = {} if _NEW_PANDAS else {"float_precision": "round_trip"}

_UNREADABLE = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    zlib.error,
    pa.ArrowException,
    pd.errors.ParserWarning,
)


def read_table(
    path: str | os.PathLike[str],
    *,
    columns: Iterable[str] | None = None,
    drop: Iterable[str] = (),
    time: str | None = None,
    min_rows: int = 1,
) -> Table:
    """Read a file into a checked table.

    Only the columns asked for are read from Parquet and Arrow files.

    Parameters
    ----------
    path : path
        Its name ends in one of ``SUFFIXES``.
    columns, drop, time, min_rows
        As in `Table.from_frame`.

    Raises
    ------
    DataError
        The file is missing, of another type, damaged, or holds what cannot be modeled.
    """
    path = Path(path)
    with _named(path):
        available = _column_names(path)
        wanted = list(choose_names(available, columns, drop, aside=time))
        if time is not None:
            require_known(available, [time], "time")
            wanted.append(time)
        frame = _read(path, wanted)
        # A saved pandas index comes back as the index, so it is no column any more.
        present = [name for name in wanted if name in frame.columns]
        return Table.from_frame(frame, columns=present, time=time, min_rows=min_rows)


def read_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The columns of a file, from its header alone.

    Raises
    ------
    DataError
        The file is missing, of another type or damaged.
    """
    path = Path(path)
    with _named(path):
        return _column_names(path)


def read_frame(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a file as a pandas frame, without judging its cells.

    Raises
    ------
    DataError
        The file is missing, of another type or damaged.
    """
    path = Path(path)
    with _named(path):
        return _read(path, list(_column_names(path)))


def write_frame(frame: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a table to a file, completely or not at all.

    Parameters
    ----------
    frame : pandas.DataFrame, polars.DataFrame, pyarrow.Table or numpy.ndarray [n_rows, n_columns]
        A pandas index other than the plain row count is written as the first column.
    path : path
        Its name ends in one of ``SUFFIXES``; the folder must exist.
    overwrite : bool, default False
        Replace a file that is already there.

    Returns
    -------
    pathlib.Path
        The path written.

    Raises
    ------
    OutputExists
        The file is already there.
    DataError
        The file type is unknown, or the folder is missing or cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_frame(pd.DataFrame({"flow": [1.5, 2.5]}), Path(folder) / "flow.csv")
    ...     path.read_text().split()
    ['flow', '1.5', '2.5']
    """
    path = Path(path)
    suffix = _suffix(path)
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} is already there.", remedy="Choose another name, or overwrite.")
    table = _as_arrow(frame)
    with replacing(path) as file:
        if suffix == ".csv":
            _write_csv(table, file)
        elif suffix == ".csv.gz":
            # No name and no date inside, so that equal tables give equal files.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                _write_csv(table, packed)
        elif suffix == ".parquet":
            parquet.write_table(table, file, compression="zstd")
        else:
            feather.write_feather(table, file, compression="zstd")
    return path


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return suffix
    raise DataError(
        f"{path.name!r} is of an unknown file type.",
        remedy=f"File names end in one of {', '.join(SUFFIXES)}.",
    )


def _column_names(path: Path) -> tuple[str, ...]:
    """Read only the header: repeated names would be renamed silently later on."""
    suffix = _suffix(path)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"the file {found} ({path}).", remedy="Check the path.")
    with _translating():
        if suffix == ".parquet":
            return check_names(parquet.read_schema(path).names)
        if suffix in (".feather", ".arrow"):
            with pa.memory_map(str(path)) as source:
                return check_names(pa.ipc.open_file(source).schema.names)
        header = pd.read_csv(
            path, header=None, nrows=1, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
        names = [str(cell) for cell in header.iloc[0]]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise DataError(
            f"the header {names[0]!r:.60} is a single column.",
            remedy="Separate the columns by commas.",
        )
    return check_names(names)


def _read(path: Path, names: list[str]) -> pd.DataFrame:
    suffix = _suffix(path)
    with _translating():
        if suffix == ".parquet":
            return parquet.read_table(path, columns=names).to_pandas()  # type: ignore[no-any-return]
        if suffix in (".feather", ".arrow"):
            return feather.read_table(path, columns=names).to_pandas()  # type: ignore[no-any-return]
        with warnings.catch_warnings():
            # A row with more cells than the header has would lose them with a warning only.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame: pd.DataFrame = pd.read_csv(
                path,
                index_col=False,
                keep_default_na=False,
                na_values=[""],
                low_memory=False,
                encoding="utf-8-sig",
                **_EXACT,
            )
        return frame[names]


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors begin with the name of the file."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path.name}: {error.message}", remedy=error.remedy) from error


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    """Turn what the readers raise into a `DataError` that keeps the cause."""
    try:
        yield
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(
            f"the file is not UTF-8 text (byte {error.start}).", remedy="Save it as UTF-8."
        ) from error
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            f"the file cannot be read: {reason[0]}.", remedy="Check that it is complete."
        ) from error


def _as_arrow(frame: Any) -> Any:
    if flavor_of(frame) == "numpy":
        array = np.asarray(frame)
        frame = build_frame(array, [f"x{j}" for j in range(array.shape[1])], "pandas")
    if isinstance(frame, pd.DataFrame):
        if not isinstance(frame.index, pd.RangeIndex):
            frame = frame.reset_index()
        try:
            return pa.Table.from_pandas(frame, preserve_index=False)
        except pa.ArrowException as error:
            raise DataError(f"the table cannot be written: {error.args[0]}.") from error
    return nw.from_native(frame, eager_only=True).to_arrow()


def _write_csv(table: Any, file: Any) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    frame: pd.DataFrame = table.to_pandas(integer_object_nulls=True)
    frame.to_csv(text, index=False, lineterminator="\n")
    text.flush()
    text.detach()
