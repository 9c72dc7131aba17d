"""A Parquet file as a table that is never in memory as a whole: a few columns are read at once."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from locality.exceptions import DataError

__all__ = ["ColumnFile", "open_large"]

_TOGETHER = 64  # columns read at once
_LARGE = 1 << 26  # values


class ColumnFile:
    """Some columns of a Parquet file; may be fitted like a data frame.

    Parameters
    ----------
    path : path
    names : sequence of str, optional
        Columns, in this order; all by default.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "rows.parquet"
    ...     pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}).to_parquet(file)
    ...     rows = ColumnFile(file, ["b"])
    ...     rows.shape, rows.column(0).to_pylist()
    ((2, 1), [3.0, 4.0])
    """

    def __init__(self, path: str | PathLike[str], names: Sequence[str] | None = None) -> None:
        self.path = Path(path)
        try:
            self._file = parquet.ParquetFile(self.path, memory_map=True)
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"{self.path} cannot be read: {str(error).splitlines()[0]}.",
                remedy="Check the path, and that the file is complete.",
            ) from error
        known = self._file.schema_arrow.names
        self.columns = list(known if names is None else names)
        lost = [name for name in self.columns if name not in known]
        if lost:
            raise DataError(f"{self.path.name} has no column {lost[0]!r}.")
        self._block: pa.Table | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return int(self._file.metadata.num_rows)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self), len(self.columns)

    def header(self) -> pd.DataFrame:
        """A frame with these columns and no rows."""
        return pd.DataFrame(columns=self.columns)

    def column(self, position: int) -> Any:
        """One column as a pyarrow array; its neighbors are read with it."""
        name = self.columns[position]
        if self._block is None or name not in self._block.column_names:
            begin = position - position % _TOGETHER
            try:
                self._block = self._file.read(self.columns[begin : begin + _TOGETHER])
            except (OSError, pa.ArrowException) as error:
                raise DataError(
                    f"{self.path} cannot be read: {str(error).splitlines()[0]}.",
                    remedy="Check that the file is complete.",
                ) from error
        return self._block.column(name)


def open_large(path: str | PathLike[str]) -> ColumnFile | None:
    """A Parquet file with more values than should be read at once; None if it is something else."""
    file = Path(path)
    if not (file.name.lower().endswith(".parquet") and file.is_file()):
        return None
    rows = ColumnFile(file)
    if rows.shape[0] * rows.shape[1] <= _LARGE:
        return None
    index = [name for name in rows.columns if name.startswith("__index_level_")]
    return ColumnFile(file, [name for name in rows.columns if name not in index])
