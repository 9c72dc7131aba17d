"""``locality score``: how surprising every value of a table is, into a table."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from locality.cli.options import AsJson, ModelArgument, OutputTable, Overwrite
from locality.cli.outputs import require_free_file
from locality.cli.tables import ModelRows, read_model_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar, seconds_text
from locality.cli.told import departed, left_out

if TYPE_CHECKING:
    import numpy as np

    from locality.inference.judging.findings import Findings
    from locality.model.model import Model

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
    import numpy as np

    from locality.data.files import write_frame
    from locality.inference.density.rows import surprise_of_rows
    from locality.inference.judging.departures import departures
    from locality.inference.judging.findings import findings
    from locality.store.store import load_model

    fitted = load_model(model)
    rows = read_model_rows(table, fitted, complete=False)
    start = perf_counter()
    with progress_bar("Loading the model") as progress:
        by_band, error = surprise_of_rows(fitted, rows.table, by_band=bands, progress=progress)
    seconds = perf_counter() - start
    write_frame(_surprise_table(fitted, rows, by_band), output, overwrite=overwrite)
    nats = np.sum(list(by_band.values()), axis=0)
    found = findings(fitted, nats, error)
    gone = departed(departures(fitted.standardizer, rows.table), rows)
    if as_json:
        content = {"model": str(model), "table": str(table), "output": str(output)}
        told = found.to_dict() | {"departures": gone, "ignored": rows.ignored}
        for part in told["sensors"]:
            part["at"] = rows.labels[part["at"]]
        for part in told["rows"]:
            part["row"] = rows.labels[part["row"]]
        print_json(content | told | {"seconds": seconds})
    report = Report(quiet=as_json)
    n_rows = counted(found.n_rows, "row")
    report.heading(f"Scored {table.name}: {n_rows} in {seconds_text(seconds)}")
    left_out(report, rows.ignored)
    for name, departure in gone.items():
        report.line(f"{name} {departure}")
    if found.n_rows:
        _describe(report, found, rows.labels)
    report.line(f"\nAll values are in {output}.")


def _surprise_table(model: "Model", rows: ModelRows, bands: "dict[str, np.ndarray]") -> Any:
    """Time or index first, then the nats of rows, of sensors, and of bands if told apart."""
    import numpy as np

    names, total = model.layout.names, "row_nats"
    while total in (*names, *(rows.table.time_column or ())[:1]):
        total += "_"
    nats = np.sum(list(bands.values()), axis=0)
    titles = [f"{name} [{label}]" for label in bands for name in names]
    several = len(bands) > 1
    return rows.table.frame(
        np.column_stack([np.nansum(nats, axis=1), nats, *(bands.values() if several else ())]),
        [total, *names, *(titles if several else ())],
        keep_rows=True,
    )


def _describe(report: Report, findings: "Findings", labels: list[str]) -> None:
    report.line(
        f"A row costs {findings.mean:.2f} nats on average; held-out rows of the fit cost "
        f"{findings.expected:.2f}. Below, nats beyond that level."
    )
    report.heading("Most surprising sensors (mean nats beyond normal)")
    report.table(
        ("sensor", "mean", "highest", "at row"),
        [
            (part.sensor, f"{part.mean:+.2f}", f"{part.highest:+.2f}", labels[part.at])
            for part in findings.sensors
        ],
    )
    report.heading("Most surprising rows (nats beyond normal)")
    report.table(
        ("row", "most in", "beyond normal"),
        [
            (
                labels[part.row],
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
