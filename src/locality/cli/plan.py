"""``locality plan``: what a fit will cost, before it starts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from locality import Execution
from locality.cli.options import AsJson, Selection
from locality.cli.settings import PARAMETERS, taking
from locality.cli.tables import read_fitting_rows
from locality.cli.terminal import Report, print_json, progress_bar, seconds_text

__all__ = ["plan"]


@taking(PARAMETERS, ("n_jobs",))
def plan(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="Columns of numbers or states without gaps, one row per case."
        ),
    ],
    *,
    selection: Selection,
    settings: dict[str, Any],
    execution: Execution,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL", help="Fitted to this table: puts its actual times beside the plan."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict time, memory and disk of a fit from a few seconds of work on a piece of it.

    How many networks go on after their trial is not known before; the plan says what they cost at
    least and at most.

    [bold]Example:[/bold] locality plan plant.parquet --lags 2 --workers 4
    """
    rows, settings["context"] = read_fitting_rows(
        table,
        selection,
        context=settings["context"],
        time=settings["time"],
    )
    workers = execution.n_jobs
    from locality import LocalizedDiffusion
    from locality import plan as predict

    fitted = None if model is None else LocalizedDiffusion.load(model)
    with progress_bar(f"Working on a piece of {table.name}"):
        made = predict(rows, workers=[workers], model=fitted, execution=execution, **settings)
    if as_json:
        print_json({"table": str(table)} | made.to_dict())
        return
    page = Report()
    page.heading(f"A fit of {table.name} with {workers} worker{'s' * (workers > 1)}")
    page.table(
        ["stage", "predicted", "actual"],
        [
            [
                cost.stage,
                seconds_text(cost.seconds),
                "" if cost.actual_seconds is None else seconds_text(cost.actual_seconds),
            ]
            for cost in made.costs
        ],
    )
    low, high = made.range(workers)
    told = seconds_text(low)
    if high > 1.05 * low:
        told += f" if no network gains, at most {seconds_text(high)} if all do"
    page.facts(
        [
            ("time in all", told),
            ("memory", f"{made.costs[0].memory_bytes / 1e9:.1f} GB"),
            ("disk", f"{made.costs[0].disk_bytes / 1e6:.1f} MB"),
            ("shards", f"{made.n_shards:,} of at most 32 columns"),
            ("edges", f"{made.n_edges:,}"),
        ]
    )
