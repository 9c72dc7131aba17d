"""``locality poc``: the smallest group of columns with which a local model is good enough."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from locality import Execution
from locality.cli.options import AsJson, Overwrite, Seed, Selection, auto_or_number, share
from locality.cli.outputs import require_free_concept
from locality.cli.settings import taking
from locality.cli.tables import read_fitting_rows
from locality.cli.terminal import Report, print_json, progress_bar

if TYPE_CHECKING:
    from locality.analysis.planning.concept import ProofOfConcept

__all__ = ["poc"]

_LABELS = {
    "margins": "margins agree (1: the same)",
    "pairs on edges": "correlations on edges agree",
    "other pairs": "correlations elsewhere agree",
    "classifier": "classifier tells apart (AUC, 0.5: cannot)",
}


@taking(("time",), ("n_jobs",))
def poc(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="Columns of numbers or states without gaps, one row per case."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder to be created.")
    ],
    *,
    quality: Annotated[
        float,
        typer.Option(parser=share, metavar="Q", help="Share of what can be reached, below 1."),
    ] = 0.95,
    start: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Grow from here; else from the strongest ties."),
    ] = None,
    graph: Annotated[
        str | None, typer.Option(metavar="FILE|chain|ring", help="As for locality check.")
    ] = None,
    lags: Annotated[
        Any,
        typer.Option(
            parser=auto_or_number("rows"), metavar="auto|L", help="As for locality check."
        ),
    ] = "auto",
    selection: Selection,
    settings: dict[str, Any],
    execution: Execution,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Prove on few columns that a local model works, before all are modeled.

    A group grows along the strongest ties until a model of it alone knows the wanted share of what
    a model of the whole table knows of these columns. It is then learned from the first four
    fifths of the rows and judged on the rest: margins, pairs, and a classifier that tries to tell
    drawn rows from real ones. The folder has the model, drawn rows, all figures and a picture.

    [bold]Example:[/bold] locality poc plant.parquet --quality 0.95 -o poc/
    """
    require_free_concept(output, overwrite)
    rows, _ = read_fitting_rows(table, selection, **settings)
    from locality import poc as prove
    from locality.analysis.planning.drawing import draw_concept

    with progress_bar(f"Reading {table.name}") as progress:
        found = prove(
            rows,
            quality=quality,
            start=start,
            graph=graph,
            lags=lags,
            n_jobs=execution.n_jobs,
            random_state=seed,
            progress=progress,
            **settings,
        )
        found.save(output, overwrite=overwrite, draw=draw_concept)
    if as_json:
        print_json({"table": str(table), "path": str(output)} | found.to_dict())
        return
    _tell(Report(), found, output)


def _tell(page: Report, found: "ProofOfConcept", output: Path) -> None:
    from locality.analysis.pages.words import say

    met = "reached" if found.met else f"not reached: {', '.join(found.short)}"
    page.heading(f"{found.target:.0%} of what can be reached: {met}")
    page.table(
        ["columns", "radius", "share of nats"],
        [[f"{t.n_columns}", f"{t.radius}", f"{t.quality:.1%}"] for t in found.trials],
        words=0,
    )
    page.line(f"Group: {', '.join(found.columns)}")
    page.table(
        ["drawn rows against rows kept back", "drawn", "training rows", "share"],
        [
            [_LABELS.get(name, name), f"{a:.3f}", f"{b:.3f}", f"{s:.1%}"]
            for name, a, b, s in found.figures()
        ],
    )
    page.heading("Next")
    for number, statement in enumerate(found.next_steps(str(output)), 1):
        page.line(f"{number}. {say(statement)}")
    page.line(f"\nModel, rows and figures are in {output}.")
