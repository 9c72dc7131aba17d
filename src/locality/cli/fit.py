"""``locality fit``: from a table to a model folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from locality import DataError, Execution, OptionError, OutputExists
from locality.cli.options import AsJson, Overwrite, Selection
from locality.cli.outputs import is_unfinished, require_free_folder, under_way
from locality.cli.report import describe
from locality.cli.settings import EXECUTION, PARAMETERS, taking
from locality.cli.tables import read_fitting_rows
from locality.cli.terminal import Report, print_json, progress_bar

__all__ = ["fit"]

_MIN_ROWS = 5
_GRAPHS = ("learn", "chain", "ring", "complete")


@taking(PARAMETERS, EXECUTION)
def fit(
    table: Annotated[
        Path,
        typer.Argument(metavar="TABLE", help="Columns of numbers or states, one row per case."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="MODEL", help="Folder to be created for the model."),
    ],
    *,
    selection: Selection,
    settings: dict[str, Any],
    execution: Execution,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", metavar="", help="Go on with a fit that was interrupted: the same command."
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Learn a model from a table of normal operation.

    Empty cells are gaps: the other values train the model. Constant columns and exact copies are
    set aside (and restored in samples); stray text and infinities are refused with their place.
    What is finished is kept: after an interrupt or a crash the same command with --resume only
    works on the rest. --denoiser linear takes seconds and shows what is worth knowing before
    networks are trained.

    [bold]Example:[/bold] locality fit plant.parquet -o plant.locality --lags 2 --drop batch
    """
    unfinished = is_unfinished(output)
    if unfinished and not (resume or overwrite):
        raise OutputExists(
            f"{output} holds an unfinished fit.",
            remedy="Go on with --resume, or begin anew with --overwrite.",
        )
    require_free_folder(output, overwrite or unfinished)
    _require_graph(settings["graph"])
    rows, settings["context"] = read_fitting_rows(
        table,
        selection,
        context=settings["context"],
        time=settings["time"],
        complete=False,
    )
    _require_rows(table, rows.n_rows, settings["lags"])
    from locality import LocalizedDiffusion
    from locality.model.summary import summarize

    model = LocalizedDiffusion(**settings, execution=execution)
    with under_way(output, keep=resume) as work, progress_bar(f"Reading {table.name}") as progress:
        model.fit(rows, progress=progress, work=work)
        model.save(output, overwrite=overwrite or is_unfinished(output))
    summary = summarize(model.model_)
    if as_json:
        print_json({"table": str(table), "path": str(output)} | summary.to_dict())
    report = Report(quiet=as_json)
    report.heading(f"Fitted {table.name}")
    describe(report, summary)
    report.line(f"\nThe model is in {output}. Next: locality info {output} --components")


def _require_graph(graph: str) -> None:
    if graph not in _GRAPHS and not Path(graph).is_file():
        raise OptionError(
            f"--graph is {graph!r}: neither one of {', '.join(_GRAPHS)} nor a file.",
            remedy="A file lists pairs of sensors in columns from and to.",
        )


def _require_rows(table: Path, n_rows: int, lags: int) -> None:
    needed = max(_MIN_ROWS, 2 * (lags + 1))
    if n_rows < needed:
        found = f"{table.name} has {n_rows} row{'s' * (n_rows != 1)}"
        raise DataError(
            f"{found}, but --lags {lags} needs at least {needed}.",
            remedy="Pass more rows" + (", or choose fewer lags." if lags else "."),
        )
