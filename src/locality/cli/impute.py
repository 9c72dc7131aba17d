"""``locality impute``: gaps filled, with intervals and draws."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from locality.cli.options import (
    AsJson,
    ModelArgument,
    OutputTable,
    Overwrite,
    Seed,
    share,
    whole_number,
)
from locality.cli.outputs import require_free_file
from locality.cli.tables import read_fitted_rows
from locality.cli.terminal import Report, print_json, progress_bar, seconds_text
from locality.exceptions import DataError

__all__ = ["impute"]


def impute(
    model: ModelArgument,
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="Rows with gaps (empty cells), with the columns that were fitted."
        ),
    ],
    output: OutputTable,
    draws: Annotated[
        int,
        typer.Option(
            parser=whole_number(0),
            metavar="N",
            help="Also write N joint draws of all gaps, below each other, to FILE-draws.",
        ),
    ] = 0,
    level: Annotated[
        float,
        typer.Option(
            parser=share, metavar="SHARE", help="Probability that an interval holds the value."
        ),
    ] = 0.9,
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
    from locality.estimator import LocalizedDiffusion

    fitted = LocalizedDiffusion.load(model)
    rows = read_fitted_rows(table, fitted, complete=False)
    start = perf_counter()
    with progress_bar("Loading the model") as progress:
        found = fitted.impute(
            rows.rows, draws=draws, level=level, random_state=seed, progress=progress
        )
    seconds = perf_counter() - start
    names = list(fitted.model_.standardizer.names)
    before = rows.frame[names].isna().to_numpy()
    if not before.any():
        raise DataError(f"{table.name} has no gaps.", remedy="Missing values are empty cells.")
    write_frame(_filled(rows.frame, names, before, found), output, overwrite=overwrite)
    if draws:
        write_frame(_drawn(rows.frame, names, found.draws), drawn, overwrite=overwrite)
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
                "seconds": seconds,
            }
        )
    report = Report(quiet=as_json)
    report.line(
        f"{int(before.sum()):,} values of {len(counts)} columns filled in {seconds_text(seconds)}, "
        f"with {level:.0%} intervals: {output}"
    )
    if draws:
        report.line(f"{draws} joint draws: {drawn}")


def _filled(frame: Any, names: list[str], before: Any, found: Any) -> Any:
    """The table without gaps, and the interval of every value that was missing."""
    import numpy as np
    import pandas as pd

    mean, low, high = (
        np.asarray(part)[:, -len(names) :] for part in (found.mean, found.low, found.high)
    )
    columns = {}
    for name in frame.columns:
        columns[name] = frame[name]
        if name not in names or not before[:, names.index(name)].any():
            continue
        j = names.index(name)
        columns[name] = pd.Series(mean[:, j], index=frame.index)
        for side, values in (("low", low), ("high", high)):
            columns[f"{name}:{side}"] = pd.Series(
                np.where(before[:, j], values[:, j], np.nan), index=frame.index
            )
    return pd.DataFrame(columns)


def _drawn(frame: Any, names: list[str], draws: Sequence[Any]) -> Any:
    """All draws below each other, numbered from 1."""
    import numpy as np
    import pandas as pd

    stacked = [
        frame.assign(**dict(zip(names, np.asarray(draw)[:, -len(names) :].T, strict=True)))
        for draw in draws
    ]
    whole = pd.concat(stacked, ignore_index=True)
    whole.insert(0, "draw", np.repeat(np.arange(len(draws)) + 1, len(frame)))
    return whole
