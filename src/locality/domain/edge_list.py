"""Edge lists in files: CSV or Parquet tables that name the sensors they join.

Columns ``from`` and ``to`` hold sensor names exactly as in the data table. A third column says
how close the pair is:

* ``weight``: used as it is;
* any name with ``dist`` or ``cost`` in it: a distance, turned into 1 / (1 + d / median)
  (`locality.domain.distances`), selected by ``k_nearest`` and ``threshold``;
* none: all edges weigh 1.

Beside one of these, further columns are ignored. A table with columns ``group`` and ``member``
instead joins all members of a group (the sensors of a station, say).

Names are text here: ``7`` in the file is the sensor called "7", never the seventh one.
"""

import csv
import difflib
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from locality._typing import FloatArray, IntArray
from locality.domain.graph import DependencyGraph
from locality.exceptions import DataError, GraphError, OptionError

__all__ = ["read_edge_list"]

_MAX_LISTED = 10


def read_edge_list(
    path: str | Path,
    names: Sequence[str],
    *,
    k_nearest: int | None = None,
    threshold: float | None = None,
) -> DependencyGraph:
    r"""Read the graph of a sensor network from a table of pairs.

    Parameters
    ----------
    path : str or Path
        A ``.csv`` or ``.parquet`` file with columns ``from``, ``to`` and at most one of
        ``weight``, ``…dist…``, ``…cost…``; or with columns ``group`` and ``member``.
    names : sequence of str
        Sensor names; node j is ``names[j]``. Sensors without an edge are isolated.
    k_nearest : int, optional
        With distances: keep pairs where either sensor is among the other's k nearest.
    threshold : float, optional
        With distances: keep pairs at most this far apart, in the unit of the file.

    Returns
    -------
    DependencyGraph
        Pairs listed twice, in either direction, are one edge.

    Raises
    ------
    DataError
        If the file is missing, unreadable or lacks the columns.
    GraphError
        If it names a sensor that is not in ``names``, joins a sensor to itself, or holds a
        negative or missing number.
    OptionError
        If pairs are to be selected by distance but the file has none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "roads.csv"
    ...     _ = path.write_text("from,to,distance_m\ns1,s2,120\ns2,s3,80\n")
    ...     graph = read_edge_list(path, ["s1", "s2", "s3"])
    >>> graph.n_edges
    2
    """
    path = Path(path)
    table = _read(path)
    start, end = _positions(path, table, names)
    measure, values = _measure(path, table)
    _require_rows(path, start, end, measure, values, names)
    if measure == "distance":
        return DependencyGraph.from_distances(
            start, end, values, len(names), k_nearest=k_nearest, threshold=threshold
        )
    if k_nearest is not None or threshold is not None:
        raise OptionError(
            f"{path} has no column of distances, so k_nearest and threshold select nothing.",
            remedy="Name the column of distances distance, or drop the options.",
        )
    return DependencyGraph.from_edges(np.column_stack([start, end, values]), len(names))


def _read(path: Path) -> dict[str, Any]:
    """Columns by lower-case name; from and to as text."""
    if not path.is_file():
        raise DataError(f"There is no edge list at {path}.", remedy="Check the path.")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise DataError(f"{path} is not an edge list: expected .csv or .parquet, found {suffix!r}.")
    try:
        table = _read_csv(path) if suffix == ".csv" else pa.parquet.read_table(path)
        columns = {str(name).strip().lower(): table[k] for k, name in enumerate(table.column_names)}
        for end in {"from", "to", "group", "member"} & columns.keys():
            columns[end] = pc.cast(columns[end], pa.string())
    except (pa.ArrowException, OSError, UnicodeDecodeError, StopIteration) as error:
        raise DataError(
            f"{path} cannot be read as an edge list: {str(error) or 'the file is empty'}.",
            remedy="Expected a table with columns from, to and at most one of weight, distance.",
        ) from error
    if {"group", "member"} <= columns.keys():
        return _within_groups(path, columns["group"].to_pylist(), columns["member"].to_pylist())
    missing = [name for name in ("from", "to") if name not in columns]
    if missing:
        raise DataError(
            f"{path} has no column {' and '.join(repr(name) for name in missing)}; found "
            f"{', '.join(repr(name) for name in table.column_names)}.",
            remedy="Name the first two columns from and to.",
        )
    for name in ("from", "to"):
        if columns[name].null_count:
            row = pc.index(pc.is_null(columns[name]), True).as_py() + 1
            raise GraphError(f"{path}, row {row}: column {name!r} is empty.")
    return columns


def _within_groups(path: Path, group: list[str | None], member: list[str | None]) -> dict[str, Any]:
    """All pairs of members of each group, as columns from and to."""
    members: dict[str, list[str]] = {}
    for row, (name, one) in enumerate(zip(group, member, strict=True), 1):
        if not name or not one:
            raise GraphError(f"{path}, row {row}: the group or the member is empty.")
        members.setdefault(name, []).append(one)
    pairs = [pair for all_ in members.values() for pair in combinations(dict.fromkeys(all_), 2)]
    start, end = ([pair[k] for pair in pairs] for k in (0, 1))
    return {"from": pa.array(start, pa.string()), "to": pa.array(end, pa.string())}


def _read_csv(path: Path) -> Any:
    """The file with every cell as text, so that names such as 007 stay what they are."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        header = next(csv.reader(stream))
    options = pa.csv.ConvertOptions(column_types={name: pa.string() for name in header})
    return pa.csv.read_csv(path, convert_options=options)


def _measure(path: Path, table: dict[str, Any]) -> tuple[str, FloatArray]:
    """Whether the third column is a weight or a distance, and its numbers."""
    others = [name for name in table if name not in ("from", "to")]
    known = [name for name in others if name == "weight" or "dist" in name or "cost" in name]
    if len(known) > 1 or len(known) < min(len(others), 1):
        raise DataError(
            f"{path} has columns {', '.join(repr(name) for name in others)} beside from and to; "
            "expected one of them to be named weight, …dist… or …cost…, or none at all.",
            remedy="Rename or remove the other columns.",
        )
    if not known:
        return "none", np.ones(len(table["from"]))
    column = table[known[0]]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_trim_whitespace(column)
    try:
        values = pc.cast(column, pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise DataError(f"{path}, column {known[0]!r}: {error}.") from error
    return ("weight" if known[0] == "weight" else "distance"), np.asarray(values, dtype=np.float64)


def _positions(
    path: Path, table: dict[str, Any], names: Sequence[str]
) -> tuple[IntArray, IntArray]:
    """Node numbers of both ends of every row; all unknown names in one error."""
    position = {name: j for j, name in enumerate(names)}
    start, end = table["from"].to_pylist(), table["to"].to_pylist()
    unknown = [name for name in dict.fromkeys([*start, *end]) if name not in position]
    if unknown:
        shown = ", ".join(_with_suggestion(name, names) for name in unknown[:_MAX_LISTED])
        more = f" and {len(unknown) - _MAX_LISTED} more" if len(unknown) > _MAX_LISTED else ""
        raise GraphError(
            f"{path} names {len(unknown)} sensors that are not in the table: {shown}{more}.",
            remedy="Use the table's column names in the edge list, and drop other sensors.",
        )
    ends = ([position[name] for name in column] for column in (start, end))
    i, j = (np.array(column, dtype=np.int64) for column in ends)
    return i, j


def _with_suggestion(name: str, names: Sequence[str]) -> str:
    close: list[str] = []
    if name.strip().isdecimal():  # 7 where the table says s007
        tail = re.compile(rf"\D0*{int(name)}$")
        close = [candidate for candidate in names if tail.search(candidate)][:2]
    close = close or difflib.get_close_matches(name, names, n=2)
    suggestion = " or ".join(repr(candidate) for candidate in close)
    return f"{name!r} (did you mean {suggestion}?)" if close else repr(name)


def _require_rows(
    path: Path,
    start: IntArray,
    end: IntArray,
    measure: str,
    values: FloatArray,
    names: Sequence[str],
) -> None:
    """Errors that only this file can state by row and sensor name."""
    looped = start == end
    if measure == "distance":  # distance tables often list each sensor at 0 from itself
        looped &= values != 0
        bad = np.isnan(values) | (values < 0)
    else:
        bad = ~(np.isfinite(values) & (values >= 0))
    for wrong, what in ((looped, "joins the sensor to itself"), (bad, f"has no {measure} ≥ 0")):
        if wrong.any():
            at = int(np.argmax(wrong))
            raise GraphError(
                f"{path}, row {at + 1} ({names[start[at]]!r} to {names[end[at]]!r}): the edge "
                f"{what} ({int(wrong.sum())} such rows).",
                remedy="Correct or remove these rows.",
            )
