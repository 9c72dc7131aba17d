"""``locality demo``: the whole job on a chemical plant that comes with the package."""

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from locality.cli.options import Overwrite, Seed, whole_number
from locality.cli.outputs import fresh_folder
from locality.cli.report import describe, describe_times
from locality.cli.terminal import Report, progress_bar
from locality.exceptions import DataError, OutputExists

__all__ = ["demo"]

_FOLDER = Path("locality-demo")
_STEPS, _QUICK_STEPS = 3000, 200
_STRETCHES, _QUICK_STRETCHES = 16, 4  # of 125 rows each


def demo(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where results go; by default locality-demo, or locality-demo-2 and so on if "
            "that is there.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", metavar="", help="Less training and fewer rows: seconds, not minutes."
        ),
    ] = False,
    workers: Annotated[
        int,
        typer.Option(parser=whole_number(1), metavar="N", help="Processes that train networks."),
    ] = 2,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fit, judge and use a model of the Tennessee Eastman plant.

    Learns from 25 hours of normal operation of 52 sensors and valves, compares drawn with recorded
    rows, and finds a fault and the sensors that show it. Everything is written to a folder.

    [bold]Example:[/bold] locality demo --quick
    """
    folder = _prepared(output, overwrite)
    from locality.artifact.summary import summarize
    from locality.cli.pictures import draw_fault, draw_radius
    from locality.cli.plant import Plant

    report, seconds = Report(), {}
    report.heading("Tennessee Eastman: a plant with 52 sensors and valves, read every 3 min")
    report.line("Every row is modeled given the 2 rows before it (--lags 2).")
    start = perf_counter()
    plant = Plant.load()
    seconds["loading the data"] = perf_counter() - start

    start = perf_counter()
    with progress_bar("Fitting the linear model") as progress:
        linear = plant.fit("linear", 20, 1, seed, progress)
    seconds["fitting the linear model"] = perf_counter() - start
    start = perf_counter()
    with progress_bar("Fitting the neural model") as progress:
        neural = plant.fit("neural", _QUICK_STEPS if quick else _STEPS, workers, seed, progress)
    seconds["fitting the neural model"] = perf_counter() - start
    neural.save(folder / "plant.locality", overwrite=overwrite)
    summary = summarize(neural.model_)
    describe(report, summary)
    draw_radius(folder / "radius.png", summary)

    start = perf_counter()
    with progress_bar("Scoring a second normal run") as progress:
        checks = plant.check({"local linear": linear, "local neural": neural}, progress)
    seconds["scoring a second normal run"] = perf_counter() - start
    report.heading("The same on a run of 48 h that played no part in fitting")
    n = summary.n_components
    report.table(
        ("model", "per column", "per row"),
        [(name, f"{nats / n:.3f}", f"{nats:.2f}") for name, nats in checks.items()],
    )

    start = perf_counter()
    with progress_bar("Drawing rows") as progress:
        stretches = _QUICK_STRETCHES if quick else _STRETCHES
        drawn = plant.draw(neural, stretches, seed, progress, folder, overwrite)
    seconds["drawing rows"] = perf_counter() - start
    ours, theirs = plant.correlation_errors(drawn)
    report.heading(f"{len(drawn):,} rows drawn, in {stretches} stretches of time")
    report.line(
        f"Pair correlations differ from the second normal run by {ours:.3f} on average; those of "
        f"the rows fitted do by {theirs:.3f}."
    )
    plant.draw_samples(folder / "samples.png", drawn)

    start = perf_counter()
    with progress_bar("Scoring a fault") as progress:
        fault = plant.score_fault(neural, progress, folder, overwrite)
    seconds["scoring a fault"] = perf_counter() - start
    fault.describe(report)
    draw_fault(folder / "fault.png", fault.run, plant.variables)

    describe_times(report, seconds, "The demo took")
    report.heading(f"Written to {folder}")
    report.facts(
        [
            ("plant.locality", f"the neural model; try: locality info {folder / 'plant.locality'}"),
            ("radius.png", "held-out nats against radius"),
            ("synthetic.parquet", f"{len(drawn):,} rows drawn"),
            ("samples.png", "drawn rows beside recorded ones"),
            ("surprise.parquet", "nats of every value of the fault run"),
            ("fault.png", "the fault, in nats and in plain values"),
        ]
    )


def _prepared(output: Path | None, overwrite: bool) -> Path:
    """The folder for the results, made before any work."""
    folder = output
    if folder is None:
        folder = _FOLDER if overwrite else fresh_folder(_FOLDER)
    elif folder.exists() and not overwrite:
        raise OutputExists(
            f"{folder} is already there.", remedy="Choose another folder, or pass --overwrite."
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be made: {error.strerror or error}.",
            remedy="Create the folder above it first, or choose one that may be written to.",
        ) from error
    return folder
