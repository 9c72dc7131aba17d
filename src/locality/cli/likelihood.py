"""``locality likelihood``: the exact log-likelihood of every row, into a table."""

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from locality.cli.options import AsJson, ModelArgument, OutputTable, Overwrite
from locality.cli.outputs import require_free_file
from locality.cli.tables import read_fitted_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar, seconds_text
from locality.exceptions import OptionError

__all__ = ["likelihood"]


def _tolerance(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise typer.BadParameter(f"found {str(value)!r}, expected a number between 0 and 1.")
    return number


def likelihood(
    model: ModelArgument,
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="Rows, with the columns that were fitted.")
    ],
    output: OutputTable,
    tolerance: Annotated[
        float,
        typer.Option(parser=_tolerance, metavar="NATS", help="Error of a step of the solver."),
    ] = 1e-4,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Say how likely every row is: the exact log-likelihood of the deterministic sampler.

    The table written has log_likelihood, its error estimate, and minus the nats of score, which
    would be the same for a perfect model: their difference tells how far the model is from one.

    [bold]Example:[/bold] locality likelihood plant.locality new.parquet -o likelihood.parquet
    """
    require_free_file(output, overwrite)
    import pandas as pd

    from locality.data.files import write_frame
    from locality.estimator import LocalizedDiffusion

    fitted = LocalizedDiffusion.load(model)
    rows = read_fitted_rows(table, fitted)
    if not len(rows.frame):
        raise OptionError(f"{table.name} has no rows.", remedy="Pass at least one row.")
    start = perf_counter()
    with progress_bar("Loading the model") as progress:
        progress("likelihood", 0, 1)
        value, error = fitted.log_likelihood(rows.rows, tolerance=tolerance, return_error=True)
        nats = fitted.score_samples(rows.rows)
        progress("likelihood", 1, 1)
    seconds = perf_counter() - start
    columns = {"log_likelihood": value, "error": error, "minus_nats": nats}
    leading = [name for name in rows.frame.columns if name == fitted.time]
    result = pd.concat([rows.frame[leading], pd.DataFrame(columns, index=rows.frame.index)], axis=1)
    write_frame(result, output, overwrite=overwrite)
    d = len(fitted.component_names_)
    gap = float(abs(value - nats).mean() / d)
    if as_json:
        print_json(
            {
                "model": str(model),
                "table": str(table),
                "output": str(output),
                "n_rows": len(value),
                "n_components": d,
                "mean": float(value.mean()),
                "error": float(error.mean()),
                "difference_per_component": gap,
                "seconds": seconds,
            }
        )
    report = Report(quiet=as_json)
    report.line(
        f"{counted(len(value), 'row')} in {seconds_text(seconds)}: log-likelihood "
        f"{value.mean():.2f} nats on average, {value.mean() / d:.3f} per component "
        f"(error {error.mean() / d:.1g})."
    )
    report.line(f"It differs from the nats of score by {gap:.2g} per component: {output}")
