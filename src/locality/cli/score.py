"""``locality score``: how surprising every value of a table is, into a table."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from locality.cli.options import AsJson, ModelArgument, OutputTable, Overwrite
from locality.cli.outputs import require_free_file
from locality.cli.tables import read_fitted_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar, seconds_text

if TYPE_CHECKING:
    from locality.cli.findings import Findings

__all__ = ["score"]


def score(
    model: ModelArgument,
    table: Annotated[
        Path,
        typer.Argument(metavar="TABLE", help="Rows to score, with the columns that were fitted."),
    ],
    output: OutputTable,
    bands: Annotated[
        bool,
        typer.Option(
            "--bands",
            metavar="",
            help="Also one column per sensor and noise band: coarse bands ask whether a value is "
            "usual at all, fine ones whether it fits its neighbors now.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Say how surprising every row and every value is, in nats.

    The table written has the nats of the row (row_nats, which is −log p) and of every sensor; a
    time column or index is kept. Columns are found by name, further ones are left out.

    [bold]Example:[/bold] locality score plant.locality today.csv -o surprise.parquet
    """
    require_free_file(output, overwrite)
    from locality.cli.findings import find, surprise_table
    from locality.data.files import write_frame
    from locality.estimator import LocalizedDiffusion

    fitted = LocalizedDiffusion.load(model)
    rows = read_fitted_rows(table, fitted, complete=False)
    start = perf_counter()
    with progress_bar("Loading the model") as progress:
        found, error = fitted.surprise(
            rows.rows, by_band=bands, return_error=True, progress=progress
        )
    seconds = perf_counter() - start
    result = surprise_table(fitted, rows, found)
    write_frame(result, output, overwrite=overwrite)
    findings = find(fitted, rows, found, error)
    if as_json:
        content = {"model": str(model), "table": str(table), "output": str(output)}
        print_json(content | findings.to_dict() | {"seconds": seconds})
    report = Report(quiet=as_json)
    n_rows = counted(findings.n_rows, "row")
    report.heading(f"Scored {table.name}: {n_rows} in {seconds_text(seconds)}")
    _describe(report, findings)
    report.line(f"\nAll values are in {output}.")


def _describe(report: Report, findings: "Findings") -> None:
    if findings.ignored:
        names = ", ".join(findings.ignored[:8]) + (" …" if len(findings.ignored) > 8 else "")
        report.line(f"Columns that the model does not know were left out: {names}")
    for name, departure in findings.departures.items():
        report.line(f"{name} {departure}")
    if not findings.n_rows:
        return
    report.line(
        f"A row costs {findings.mean:.2f} nats on average; held-out rows of the fit cost "
        f"{findings.expected:.2f}. Below, nats beyond that level."
    )
    report.heading("Most surprising sensors (mean nats beyond normal)")
    report.table(
        ("sensor", "mean", "highest", "at row"),
        [
            (part.sensor, f"{part.mean:+.2f}", f"{part.highest:+.2f}", part.at)
            for part in findings.sensors
        ],
    )
    report.heading("Most surprising rows (nats beyond normal)")
    report.table(
        ("row", "most in", "beyond normal"),
        [
            (
                part.row,
                ", ".join(f"{name} {nats:+.1f}" for name, nats in part.sensors.items()),
                f"{part.nats:+.2f}",
            )
            for part in findings.rows
        ],
        words=2,
    )
    report.line(
        "Monte-Carlo error: "
        + (
            f"about ±{findings.error_row:.2g} nats for a row, ±{findings.error_value:.2g} for the "
            "value of a column with a network."
            if findings.error_row
            else "none, all columns have a closed form."
        )
    )
