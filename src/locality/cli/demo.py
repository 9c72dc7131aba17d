"""``locality demo``: the whole job on a chemical plant that comes with the package."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from locality import DataError, Execution, OutputExists
from locality.cli.options import Overwrite, Seed
from locality.cli.outputs import fresh_folder
from locality.cli.report import describe, describe_times
from locality.cli.settings import taking
from locality.cli.terminal import Report, progress_bar

if TYPE_CHECKING:
    from locality.analysis.demo.plant import FaultFindings

__all__ = ["demo"]

_FOLDER = Path("locality-demo")
_STEPS, _QUICK_STEPS = 3000, 100
_STRETCHES, _QUICK_STRETCHES = 16, 4  # of 125 rows each
_N_SENSORS = 6


_Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Where results go; by default locality-demo, or locality-demo-2 and so on if "
        "that is there.",
    ),
]
_Quick: TypeAlias = Annotated[
    bool,
    typer.Option("--quick", metavar="", help="Less training and fewer rows: seconds, not minutes."),
]


@taking(execution=("n_jobs",))
def demo(
    *,
    output: _Output = None,
    quick: _Quick = False,
    execution: Execution,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fit, judge and use a model of the Tennessee Eastman plant.

    Learns from 25 hours of normal operation of 52 sensors and valves, compares drawn with recorded
    rows, and finds a fault and the sensors that show it. Everything is written to a folder.

    [bold]Example:[/bold] locality demo --quick
    """
    folder, report, seconds = _prepared(output, overwrite), Report(), dict[str, float]()
    with _timed(seconds, "loading libraries and data"):
        from locality.analysis.demo.pictures import draw_fault, draw_radius
        from locality.analysis.demo.plant import Plant
        from locality.model.summary import summarize

        plant = Plant.load()
    report.heading("Tennessee Eastman: a plant with 52 sensors and valves, read every 3 min")
    report.line("Every row is modeled given the 2 rows before it (--lags 2).")

    with _timed(seconds, "fitting the linear model") as progress:
        linear = plant.fit("linear", _QUICK_STEPS, Execution(), seed, progress)
    with _timed(seconds, "fitting the neural model") as progress:
        neural = plant.fit("neural", _QUICK_STEPS if quick else _STEPS, execution, seed, progress)
        neural.save(folder / "plant.locality", overwrite=overwrite)
    summary = summarize(neural.model_)
    describe(report, summary)

    with _timed(seconds, "scoring a second normal run") as progress:
        checks = plant.check({"local linear": linear, "local neural": neural}, progress)
    report.heading("The same on a run of 48 h that played no part in fitting")
    report.table(
        ("model", "per column", "per row"),
        [
            (name, f"{nats / summary.n_components:.3f}", f"{nats:.2f}")
            for name, nats in checks.items()
        ],
    )

    stretches = _QUICK_STRETCHES if quick else _STRETCHES
    with _timed(seconds, "drawing rows") as progress:
        drawn = plant.draw(neural, stretches, seed, progress, folder, overwrite)
    ours, theirs = plant.correlation_errors(drawn)
    report.heading(f"{len(drawn):,} rows drawn, in {stretches} stretches of time")
    report.line(
        f"Pair correlations differ from the second normal run by {ours:.3f} on average; those of "
        f"the rows fitted do by {theirs:.3f}."
    )

    with _timed(seconds, "scoring a fault") as progress:
        fault = plant.score_fault(neural, progress, folder, overwrite)
    _describe_fault(report, fault)
    with _timed(seconds, "painting pictures"):
        draw_radius(folder / "radius.png", summary)
        plant.draw_samples(folder / "samples.png", drawn)
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


def _describe_fault(report: Report, found: "FaultFindings") -> None:
    """Name the sensors, with units and meaning, and the time of the first alarm."""
    from locality.analysis.demo.plant import SHOWN, words

    plant, run = found.plant, found.run
    active = plant.fault_active.to_numpy()
    meaning, unit = (words(plant.variables, name) for name in ("description", "unit"))
    fault, kind = (words(plant.faults, name)[plant.fault] for name in ("description", "type"))
    report.heading(f"A run with a fault: {fault} ({kind}), from {run.onset:g} h on")
    report.line(
        "Alarm: a sensor is more surprising than it ever was in 48 normal hours, three rows "
        "running."
    )
    if isfinite(run.alarm):
        minutes = round(60 * (run.alarm - run.onset))
        named = ", ".join(f"{name} ({meaning[name]})" for name in found.first)
        report.line(
            f"First alarm at {run.alarm:g} h, {minutes} minutes after the fault, by {named}."
        )
    report.line(
        f"In alarm: {found.alarms[active].mean():.1%} of the rows with the fault, "
        f"{found.alarms[~active].mean():.1%} of those before it."
    )
    nats, before, after = found.means
    report.table(
        ("most surprising", "meaning", "unit", "nats beyond normal", "mean before", "after"),
        [
            (
                name,
                meaning[name],
                unit[name],
                f"{nats[name]:+.2f}",
                f"{before[name]:.5g}",
                f"{after[name]:.5g}",
            )
            for name in sorted(nats, key=nats.__getitem__, reverse=True)[:_N_SENSORS]
        ],
        words=3,
    )
    valve, reactor = SHOWN
    report.line(
        f"The cooling water comes in warmer, so the controller opens its valve ({valve}, "
        f"{before[valve]:.1f} → {after[valve]:.1f} %) and holds the reactor at "
        f"{after[reactor]:.1f} °C: but for a moment, the temperature does not show the fault."
    )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show progress within a stage, and note how long it took."""
    start = perf_counter()
    with progress_bar(stage.capitalize()) as progress:
        yield progress
    seconds[stage] = perf_counter() - start


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
