"""``locality impute``: gaps filled, with intervals and draws."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from locality import DataError
from locality.cli.options import (
    AsJson,
    ModelArgument,
    OutputTable,
    Overwrite,
    Seed,
    seeded,
    share,
    whole_number,
)
from locality.cli.outputs import require_free_file
from locality.cli.tables import ModelRows, read_model_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar, seconds_text

if TYPE_CHECKING:
    import pandas as pd

    from locality.data.transforms import Standardizer

__all__ = ["impute"]


_Table: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help="Rows with gaps (empty cells), with the columns that were fitted."
    ),
]
_Draws: TypeAlias = Annotated[
    int,
    typer.Option(
        parser=whole_number(0),
        metavar="N",
        help="Also write N joint draws of all gaps, below each other, to FILE-draws.",
    ),
]
_Level: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=share, metavar="SHARE", help="Probability that an interval holds the value."
    ),
]
_Median: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--median",
        help="Fill with medians instead of expectations: nearer to most values where a column "
        "is skewed (rain), but sums come out too low.",
    ),
]


def impute(
    model: ModelArgument,
    table: _Table,
    output: OutputTable,
    draws: _Draws = 0,
    level: _Level = 0.9,
    median: _Median = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Fill the gaps of a table with what the other sensors and the rows around let expect.

    Single values, blocks in time and dead sensors are filled alike. Columns that had gaps are
    followed by two more, NAME:low and NAME:high, the interval of every value that was missing.

    [bold]Example:[/bold] locality impute plant.locality gappy.parquet -o filled.parquet --draws 20
    """
    require_free_file(output, overwrite)
    drawn = output.with_name(f"{output.stem}-draws{output.suffix}")
    if draws:
        require_free_file(drawn, overwrite)
    from locality.data.files import write_frame
    from locality.inference.rows import filled
    from locality.store.store import load_model

    fitted = load_model(model)
    rows = read_model_rows(table, fitted, complete=False)
    standardizer = fitted.standardizer
    names = list(standardizer.names)
    before = rows.frame[names].isna().to_numpy()  # a state never seen is no gap
    if not before.any():
        raise DataError(f"{table.name} has no gaps.", remedy="Missing values are empty cells.")
    start = perf_counter()
    with progress_bar("Loading the model") as progress:
        found = filled(fitted, rows.table, draws, level, seeded(seed), progress)
    seconds = perf_counter() - start
    middle = found.median if median else found.mean
    ends = (found.low, found.high)
    write_frame(_filled(rows, standardizer, before, middle, ends), output, overwrite=overwrite)
    if draws:
        write_frame(_drawn(rows, standardizer, before, found.draws), drawn, overwrite=overwrite)
    counts = dict(zip(names, before.sum(axis=0).tolist(), strict=True))
    counts = {name: n for name, n in counts.items() if n}
    if as_json:
        print_json(
            {
                "model": str(model),
                "table": str(table),
                "output": str(output),
                "draws": str(drawn) if draws else None,
                "n_filled": int(before.sum()),
                "filled": counts,
                "kept": list(rows.ignored),
                "seconds": seconds,
            }
        )
    report = Report(quiet=as_json)
    report.line(
        f"{counted(int(before.sum()), 'value')} of {counted(len(counts), 'column')} filled in "
        f"{seconds_text(seconds)}, with {level:.0%} intervals: {output}"
    )
    if draws:
        report.line(f"{counted(draws, 'joint draw')}: {drawn}")
    if rows.ignored:
        others = ", ".join(rows.ignored[:8]) + (" …" if len(rows.ignored) > 8 else "")
        report.line(f"Columns that the model does not know are as they were: {others}")


def _filled(
    rows: ModelRows, standardizer: "Standardizer", before: Any, middle: Any, ends: tuple[Any, Any]
) -> "pd.DataFrame":
    """The table without gaps, and the interval of every value that was missing."""
    import pandas as pd

    names, (low, high) = list(standardizer.names), ends
    filled = _without_gaps(rows, standardizer, before, middle)
    columns = {}
    for name in filled.columns:
        columns[name] = filled[name]
        if name not in names or not before[:, names.index(name)].any():
            continue
        is_truth = standardizer.kinds[names.index(name)] == "boolean"
        for side, bound in (("low", low[name]), ("high", high[name])):
            told = (bound >= 0.5).astype(object) if is_truth else bound
            columns[f"{name}:{side}"] = told.where(before[:, names.index(name)])
    return pd.DataFrame(columns)


def _drawn(
    rows: ModelRows, standardizer: "Standardizer", before: Any, draws: Sequence[Any]
) -> "pd.DataFrame":
    """All draws below each other, numbered from 1."""
    import numpy as np
    import pandas as pd

    stacked = [_without_gaps(rows, standardizer, before, draw) for draw in draws]
    whole = pd.concat(stacked, ignore_index=True)
    whole.insert(0, "draw", np.repeat(np.arange(len(draws)) + 1, len(rows.frame)))
    return whole


def _without_gaps(
    rows: ModelRows, standardizer: "Standardizer", before: Any, values: Any
) -> "pd.DataFrame":
    """The whole file with its gaps filled by values; a state never seen stays as it was.

    Gaps often turn whole numbers and truth values into others: they become what they were.
    """
    import numpy as np

    frame = rows.frame
    filled: pd.DataFrame = rows.source.copy()
    for j, name in enumerate(standardizer.names):
        gap, kind, column = before[:, j], standardizer.kinds[j], values[name]
        if not gap.any():
            continue
        if kind == "category":
            column = frame[name].where(~gap, column)
        elif kind == "boolean":
            column = column.astype(float) >= 0.5
        elif kind == "integer" and (column[~gap] % 1 == 0).all():
            column = np.rint(column).astype("int64")
        filled[name] = column
    return filled
