"""``locality detect``: which rows are abnormal, and which sensors are to blame, into a table."""

import shlex
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from locality.cli.judged import (
    FalseAlarms,
    JudgedRows,
    NormalRows,
    Sampling,
    again,
    judge,
)
from locality.cli.options import AsJson, ModelArgument, OutputTable, Overwrite
from locality.cli.outputs import require_free_file
from locality.cli.runs import episodes_file, frame_of, list_runs, plain_run
from locality.cli.terminal import Report, counted, print_json, seconds_text
from locality.cli.told import departed, left_out, missing, rounding_warnings

if TYPE_CHECKING:
    from locality.inference.judging.moved import MovedNormal

__all__ = ["detect"]

_N_COLUMNS = 5  # that have moved


def detect(
    model: ModelArgument,
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="Rows to judge, in order of time; values may be missing (empty cells).",
        ),
    ],
    output: OutputTable,
    false_alarms: FalseAlarms = None,
    sampling: Sampling = None,
    normal: NormalRows = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            metavar="FOLDER",
            help="Go on where the last call with this folder ended, as if all rows were one table; "
            "made by the first call. Its --false-alarms go on, too, unless told otherwise.",
        ),
    ] = None,
    anchor: Annotated[
        bool,
        typer.Option(
            "--anchor",
            metavar="",
            help="Let the first version of the model judge, too, as it was before all updates.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Tell which rows are abnormal, since when, and which sensors are to blame.

    The table written has the alarm of every row (0 or 1), its p-value (the share of normal rows
    that are at least as unusual) and the logarithm of it, its state (normal, alarm, or moved: an
    alarm that lasts), and the share of the blame of every sensor; a time column or index is kept. A
    sensor that is wrong by itself takes the blame of what it does to others. A second table beside
    it, alarms.episodes.parquet, has one row for each run of alarms.

    With --continue, every call writes tables of its own rows; name another output each time. The
    state counts once all is written: after a failure the same call, with --overwrite, does it
    again. Rows that are not later than the last are refused, if the model has a time column.

    [bold]Example:[/bold] locality detect plant.locality today.csv -o alarms.parquet

    [bold]Example:[/bold] locality detect plant.locality today.csv -o alarms.parquet --false-alarms
    "1 per 30 days" --continue stream/
    """
    require_free_file(output, overwrite)
    runs_output = episodes_file(output)
    require_free_file(runs_output, overwrite)
    from locality.cli.continued import Continued
    from locality.data.files import write_frame

    start = perf_counter()
    continued = None if state is None else Continued(state)
    judged = judge(model, table, normal, false_alarms, sampling, continued=continued, anchor=anchor)
    seconds = perf_counter() - start
    rows, found = judged.rows, judged.found
    episodes = found.episodes
    write_frame(frame_of(episodes, rows), runs_output, overwrite=overwrite)
    write_frame(_alarms(judged), output, overwrite=overwrite)
    if continued is not None and judged.judges is not None:
        continued.save(*judged.judges)
    figures = _figures(judged, false_alarms)
    if as_json:
        content: dict[str, Any] = {"model": str(model), "table": str(table), "output": str(output)}
        content |= {"episodes_output": str(runs_output)}
        content |= {"normal": None if normal is None else str(normal), **figures}
        content["episodes"] = [plain_run(episode, rows.labels) for episode in episodes]
        content |= {"departures": departed(found.departures, rows)}
        content |= {"warnings": rounding_warnings(found.coarse)}
        print_json(content | {"ignored": rows.ignored, "seconds": seconds})
        return
    report, place = Report(), [str(model), str(table)]
    options = again(false_alarms, sampling, normal)
    _tell(report, judged, figures, seconds, normal, place, options)
    if state is not None:
        report.line(f"{state} goes on after {counted(figures['n_rows_so_far'], 'row')}.")
    report.line(f"\nAll rows are in {output}, runs of alarms in {runs_output}.")


def _alarms(judged: JudgedRows) -> Any:
    """The table of the rows."""
    found, frame = judged.found, judged.found.to_frame()
    if judged.anchor is not None:
        free = found.free_names(["alarm", "p_value", "log_p", "state", "anchor"])
        place = list(frame.columns).index(free["state"]) + 1
        frame.insert(place, free["anchor"], judged.anchor.alarm.astype("int64"))
    return frame


def _figures(judged: JudgedRows, asked: float | str | None) -> dict[str, Any]:
    from locality.inference.judging.judgment import known_reference
    from locality.inference.judging.levels import error_of

    found, promise = judged.found, judged.promise
    reference, moved = known_reference(found.model.unrolled), found.moved_normal
    figures = {
        "n_rows": len(found),
        "n_missing": found.table.n_missing,
        "n_alarms": int(found.alarm.sum()),
        "n_episodes": len(found.episodes),
        "n_normal_rows": reference.n_rows,
        "false_alarms": judged.rate(asked),
        "moved_normal": None if moved is None else moved.to_dict() | {"since": moved.since + 1},
    }
    if promise.n_rows is None:
        figures |= {
            "false_alarms_error": error_of(reference.statistic, promise.share),
            "expected_false_alarms": promise.share * len(found),
            "rows_per_false_episode": None,
            "is_extrapolated": promise.share < 1 / reference.n_rows,
        }
    else:
        figures |= {
            "rows_per_false_episode": promise.n_rows,
            "is_extrapolated": False,
        }
    if judged.anchor is not None:
        alone = judged.anchor.alarm & ~found.alarm
        figures["anchor"] = {
            "n_alarms": int(judged.anchor.alarm.sum()),
            "n_alone": int(alone.sum()),
            "rows_alone": [int(row) + 1 for row in alone.nonzero()[0]],
        }
    if judged.judges is not None:
        figures["n_rows_so_far"] = judged.judges[0].n_rows
    return figures


def _tell(
    report: Report,
    judged: JudgedRows,
    figures: dict[str, Any],
    seconds: float,
    normal: Path | None,
    place: list[str],
    options: list[str],
) -> None:
    """All that was found, in sentences and tables."""
    rows, found = judged.rows, judged.found
    why = ["explain", *place, "--row"]
    if found.episodes:
        why += [str(found.episodes[0].judged_at + 1), *options]
    if found.moved_normal is not None:
        _tell_moved(report, found.moved_normal, judged, place, why)
    report.heading(f"Judged {rows.name}: {counted(len(found), 'row')} in {seconds_text(seconds)}")
    left_out(report, rows.ignored)
    missing(report, rows.table.n_missing)
    for warning in rounding_warnings(found.coarse):
        report.line(f"Warning: {warning}")
    for name, departure in departed(found.departures, rows).items():
        report.line(f"{name} {departure}")
    _describe(report, figures, judged, normal)
    list_runs(report, found.episodes, rows)
    if found.episodes:
        is_alone = figures.get("n_rows_so_far", len(found)) == len(found)
        alone = "" if is_alone else " (judged without the rows before this table)"
        report.line(f"Why{alone}: locality {shlex.join(why)}")


def _tell_moved(
    report: Report, moved: "MovedNormal", judged: JudgedRows, place: list[str], why: list[str]
) -> None:
    """A state of its own, before anything else."""
    report.line(
        f"Normal has moved, or a fault lasts: {moved.share:.0%} of the rows are in alarm, most of "
        f"them since row {judged.rows.labels[moved.since]}."
    )
    far = [*moved.columns.items()]
    listed = ", ".join(f"{name} by {away:+.2g}" for name, away in far[:_N_COLUMNS])
    more = f" ({len(far) - _N_COLUMNS:,} more)" if len(far) > _N_COLUMNS else ""
    if far:
        report.line(f"Moved, in standard deviations of the fit: {listed}{more}.")
    else:
        report.line("No column has moved far by itself: how they depend has changed.")
    update = shlex.join(["locality", "update", *place, "--process-change"])
    report.line(
        "If this is normal from now on: judge against rows of now (--normal FILE), or learn again "
        f'({update} "reason"). If not, look at the fault: locality {shlex.join(why)}'
    )


def _describe(
    report: Report, figures: dict[str, Any], judged: JudgedRows, normal: Path | None
) -> None:
    n_rows, n_alarms, n_normal = (figures[name] for name in ("n_rows", "n_alarms", "n_normal_rows"))
    if n_rows:
        have = "has" if n_alarms == 1 else "have"
        report.line(f"{counted(n_alarms, 'row')} {have} an alarm, {n_alarms / n_rows:.1%}.")
    source = "held-out rows of the fit" if normal is None else f"rows of {normal.name}"
    if judged.promise.n_rows is None:
        rate, error = figures["false_alarms"], figures["false_alarms_error"]
        accepted = f"{100 * rate:.2g} % ± {100 * error:.1g} % of normal rows"
        if figures["moved_normal"] is None:
            accepted += f", that is about {rate * n_rows:.2g} false alarms in {n_rows:,} rows"
    else:
        accepted = f"on average {judged.promise}"
        if isinstance(figures["false_alarms"], str) and "row" not in figures["false_alarms"]:
            accepted += f" ({figures['false_alarms']})"
    report.line(f"Accepted: {accepted}. What is normal is known from {n_normal:,} {source}.")
    if figures["is_extrapolated"]:
        report.line(
            f"So many rows show no p-value below {1 / n_normal:.2g}: the rate asked for is "
            "extrapolated, with an exponential tail. More normal rows (--normal) would tell."
        )
    anchor = figures.get("anchor")
    if anchor is not None:
        n_alarms = counted(anchor["n_alarms"], "row")
        told = f"The first version of the model has an alarm in {n_alarms}"
        if anchor["n_alone"]:
            first = judged.rows.labels[anchor["rows_alone"][0] - 1]
            told += f"; in {anchor['n_alone']:,} of them alone, first in row {first}"
        report.line(f"{told} (column anchor).")
