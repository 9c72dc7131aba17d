"""``locality likelihood``: the exact log-likelihood of every row, into a table."""

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from locality import OptionError
from locality.cli.options import AsJson, ModelArgument, OutputTable, Overwrite
from locality.cli.outputs import require_free_file
from locality.cli.tables import read_model_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar, seconds_text

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
    import numpy as np

    from locality.data.files import write_frame
    from locality.inference.density.rows import (
        UNSURE,
        log_likelihood_of_rows,
        surprise_of_rows,
        unsure_rows,
    )  # fmt: skip
    from locality.store.store import load_model

    fitted = load_model(model)
    rows = read_model_rows(table, fitted).table
    if not rows.n_rows:
        raise OptionError(f"{table.name} has no rows.", remedy="Pass at least one row.")
    start = perf_counter()
    with progress_bar("Loading the model") as progress:
        progress("likelihood", 0, 1)
        value, error = log_likelihood_of_rows(fitted, rows, tolerance)
        surprise, _ = surprise_of_rows(fitted, rows)
        nats = -np.nansum(surprise["all"], axis=1)
        progress("likelihood", 1, 1)
    seconds = perf_counter() - start
    names = ("log_likelihood", "error", "minus_nats")
    result = rows.frame(np.column_stack([value, error, nats]), names, keep_rows=True)
    write_frame(result, output, overwrite=overwrite)
    d = len(fitted.layout.names)
    gap = float(abs(value - nats).mean() / d)
    unsure = unsure_rows(value, nats, d)
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
                "n_unsure": int(unsure.sum()),
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
    if unsure.any():
        report.line(
            f"In {counted(int(unsure.sum()), 'row')} by more than {UNSURE}: there the model is the "
            "score of no density, and neither is sure."
        )
