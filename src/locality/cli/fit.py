"""``locality fit``: from a table to a model folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from locality.cli.options import (
    AsJson,
    Overwrite,
    Score,
    Seed,
    Series,
    parse_noise,
    parse_radius,
    whole_number,
)
from locality.cli.outputs import is_unfinished, require_free_folder, under_way
from locality.cli.report import describe
from locality.cli.tables import read_fitting_rows
from locality.cli.terminal import Report, print_json, progress_bar
from locality.exceptions import DataError, OptionError, OutputExists

__all__ = ["fit"]

_MIN_ROWS = 5
_GRAPHS = ("learn", "chain", "ring", "complete")


def fit(
    table: Annotated[
        Path,
        typer.Argument(metavar="TABLE", help="Columns of numbers or states, one row per case."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="MODEL", help="Folder to be created for the model."),
    ],
    graph: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Who depends on whom: learn, chain, ring, complete, or a file of pairs in "
            "columns from and to (and weight or distance).",
        ),
    ] = "learn",
    neighbors: Annotated[
        int,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="With --graph learn: strongest neighbors of each column.",
        ),
    ] = 8,
    lags: Annotated[
        int,
        typer.Option(
            parser=whole_number(0),
            metavar="N",
            help="Rows of the past that each row depends on; 0: no order.",
        ),
    ] = 0,
    series: Annotated[
        Series,
        typer.Option(help="With lags: each row given its past, or whole windows at once."),
    ] = Series.causal,
    tied: Annotated[
        bool,
        typer.Option("--tied", metavar="", help="One law for all columns along a chain or ring."),
    ] = False,
    radius: Annotated[
        Any,
        typer.Option(
            parser=parse_radius,
            metavar="auto|R",
            help="Steps along the graph that a column sees; auto: by held-out rows.",
        ),
    ] = "auto",
    score: Annotated[
        Score, typer.Option(help="The closed form alone, or networks where they help.")
    ] = Score.neural,
    columns: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Columns to model; all by default. May be repeated."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Columns to leave out.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Conditions (recipe, set-point): known, not modeled."),
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with the time of each row.")
    ] = None,
    plain: Annotated[
        bool,
        typer.Option("--plain", metavar="", help="Take all columns as they are: no logarithms, …"),
    ] = False,
    noise: Annotated[
        Any,
        typer.Option(
            parser=parse_noise,
            metavar="SD|A=SD,…",
            help="Measurement noise: nothing finer is learned.",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="Processes that learn shards; no effect on the result.",
        ),
    ] = 2,
    engine: Annotated[
        str,
        typer.Option(
            metavar="auto|inline|processes|ray",
            help="Where shards are learned; ray starts a cluster here, or see --address.",
        ),
    ] = "auto",
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Of a Ray cluster that is running."),
    ] = None,
    device: Annotated[
        str,
        typer.Option(metavar="cpu|cuda|cuda:N", help="Where networks are trained."),
    ] = "cpu",
    gpu_share: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, metavar="SHARE", help="With --engine ray: of a GPU, for each shard."
        ),
    ] = 0.25,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", metavar="", help="Go on with a fit that was interrupted: the same command."
        ),
    ] = False,
    seed: Seed = 0,
    steps: Annotated[
        int,
        typer.Option(parser=whole_number(20), metavar="N", help="Training steps of the networks."),
    ] = 3000,
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
    _require_graph(graph)
    if address is not None and engine != "ray":
        raise OptionError("--address is that of a Ray cluster: it needs --engine ray.")
    frame, context = read_fitting_rows(
        table, columns=columns or (), drop=drop or (), given=given or (), time=time, complete=False
    )
    _require_rows(table, len(frame), lags)
    from locality.estimator import LocalizedDiffusion
    from locality.model.summary import summarize

    model = LocalizedDiffusion(
        graph=graph,
        radius=radius,
        lags=lags,
        series=series.value,
        tied=tied,
        given=context,
        time=time,
        gaussianize=not plain,
        noise=noise,
        score=score.value,
        n_neighbors=neighbors,
        n_steps=steps,
        n_jobs=workers,
        engine=engine if address is None else f"{engine}:{address}",
        device=device,
        gpu_share=gpu_share,
        random_state=seed,
    )
    with under_way(output, keep=resume) as work, progress_bar(f"Reading {table.name}") as progress:
        model.fit(frame, progress=progress, work=work)
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
