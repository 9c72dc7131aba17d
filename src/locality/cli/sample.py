"""``locality sample``: rows drawn from a model, into a table."""

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
    Solver,
    whole_number,
)
from locality.cli.outputs import require_free_file
from locality.cli.tables import read_fitted_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar, seconds_text
from locality.exceptions import OptionError

__all__ = ["sample"]


def sample(
    model: ModelArgument,
    output: OutputTable,
    n_rows: Annotated[
        int,
        typer.Option("--n-rows", "-n", parser=whole_number(1), metavar="N", help="Rows to draw."),
    ] = 1000,
    seed: Seed = 0,
    series_count: Annotated[
        int,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="Of a time series: independent stretches, one after the other in the file.",
        ),
    ] = 1,
    method: Annotated[
        Solver, typer.Option(help="Solver: sde is most faithful, dpm needs the fewest evaluations.")
    ] = Solver.sde,
    evaluations: Annotated[
        int,
        typer.Option(
            parser=whole_number(2),
            metavar="N",
            help="Evaluations of the model per row: more is finer.",
        ),
    ] = 64,
    context: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Values of the given columns, one row per row to be drawn."
        ),
    ] = None,
    given: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITIONS",
            help='Hold or bound columns: "xmv_01=60, flow>120, mode=auto".',
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="Processes, for large draws; no effect on the result.",
        ),
    ] = 1,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw rows that look like the recorded ones, in their units.

    Constant columns and copies are restored, whole numbers are whole, states are those recorded,
    and near-equal sensors stay near-equal.

    [bold]Example:[/bold] locality sample plant.locality -n 1000 -o synthetic.parquet
    """
    require_free_file(output, overwrite)
    if series_count > n_rows:
        raise OptionError(
            f"--series-count is {series_count}, but only {n_rows} rows are drawn.",
            remedy="Draw at least one row per stretch.",
        )
    from locality.data.files import write_frame
    from locality.estimator import LocalizedDiffusion

    fitted = LocalizedDiffusion.load(model)
    needs = [fitted.model_.domain.names[j] for j in fitted.model_.domain.context]
    if needs and context is None:
        raise OptionError(
            f"The model needs values of its given columns {', '.join(needs)}.",
            remedy=f"Pass them in a table of {n_rows} rows (--context).",
        )
    conditions = None
    if context is not None:
        conditions = read_fitted_rows(context, fitted, columns=needs).rows if needs else context
    start = perf_counter()
    with progress_bar("Loading the model") as progress:
        rows = fitted.sample(
            n_rows,
            n_series=series_count,
            context=conditions,
            given=given,
            method=method.value,
            n_evaluations=evaluations,
            n_jobs=workers,
            random_state=seed,
            progress=progress,
        )
    seconds = perf_counter() - start
    write_frame(_named(rows, fitted), output, overwrite=overwrite)
    if as_json:
        content = {"model": str(model), "output": str(output), "n_rows": n_rows}
        print_json(content | {"seed": seed, "seconds": seconds})
    stretches = f", {series_count} stretches" if series_count > 1 else ""
    Report(quiet=as_json).line(
        f"{counted(n_rows, 'row')}{stretches} drawn in {seconds_text(seconds)} (seed {seed}): "
        f"{output}"
    )


def _named(rows: Any, fitted: Any) -> Any:
    """Rows in a table; those of a model that was fitted to an array have states without names."""
    import numpy as np
    import pandas as pd

    if isinstance(rows, np.ndarray) and rows.dtype == object:
        names = list(fitted.model_.standardizer.names)
        return pd.DataFrame(rows, columns=names).infer_objects()
    return rows
