"""``locality detect``: which rows are abnormal, and which sensors are to blame, into a table."""

import shlex
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from locality.cli.judged import (
    FALSE_ALARMS,
    FalseAlarms,
    NormalRows,
    judge,
    p_value_text,
    shares_text,
)
from locality.cli.options import AsJson, ModelArgument, OutputTable, Overwrite
from locality.cli.outputs import require_free_file
from locality.cli.tables import ModelRows
from locality.cli.terminal import Report, counted, print_json, seconds_text
from locality.cli.told import departed, left_out, missing, rounding_warnings

if TYPE_CHECKING:
    from locality.inference.judging.detection import Detection
    from locality.inference.judging.episodes import Episode

__all__ = ["detect"]

_N_EPISODES = 10
_FAULTS = {
    "stuck": "stuck",
    "spike": "spike",
    "drift": "drift",
    "noise": "noise",
    "offset": "offset",
    "process": "several sensors",
    "set aside": "not as in the fit",
    "unseen state": "state never seen",
}


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
    false_alarms: FalseAlarms = FALSE_ALARMS,
    normal: NormalRows = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Tell which rows are abnormal, since when, and which sensors are to blame.

    The table written has the alarm of every row (0 or 1), its p-value (the share of normal rows
    that are at least as unusual), and the share of the blame of every sensor; a time column or
    index is kept. A sensor that is wrong by itself takes the blame of what it does to others.

    [bold]Example:[/bold] locality detect plant.locality today.csv -o alarms.parquet
    """
    require_free_file(output, overwrite)
    from locality.data.files import write_frame
    from locality.inference.judging.episodes import diagnosed, spans_of

    start = perf_counter()
    judged = judge(model, table, normal, false_alarms)
    seconds = perf_counter() - start
    rows, found = judged.rows, judged.found
    write_frame(found.to_frame(), output, overwrite=overwrite)
    spans = spans_of(found.judgment)
    episodes = diagnosed(found.model, rows.table, found.judgment, spans[:_N_EPISODES])
    figures = _figures(found, len(spans), false_alarms)
    departures = departed(found.departures, rows)
    warnings = rounding_warnings(found.coarse)
    if as_json:
        content: dict[str, Any] = {"model": str(model), "table": str(table), "output": str(output)}
        content |= {"normal": None if normal is None else str(normal), **figures}
        content["episodes"] = [_plain(episode, rows.labels) for episode in episodes]
        content |= {"departures": departures, "warnings": warnings}
        print_json(content | {"ignored": rows.ignored, "seconds": seconds})
    report = Report(quiet=as_json)
    n_rows = counted(len(found), "row")
    report.heading(f"Judged {table.name}: {n_rows} in {seconds_text(seconds)}")
    left_out(report, rows.ignored)
    missing(report, rows.table.n_missing)
    for warning in warnings:
        report.line(f"Warning: {warning}")
    for name, departure in departures.items():
        report.line(f"{name} {departure}")
    _describe(report, figures, normal)
    _list(report, episodes, rows, len(spans))
    if episodes:
        again = ["explain", str(model), str(table), "--row", str(episodes[0].judged_at + 1)]
        again += [] if normal is None else ["--normal", str(normal)]
        again += [] if false_alarms == FALSE_ALARMS else ["--false-alarms", f"{false_alarms:g}"]
        report.line(f"Why: locality {shlex.join(again)}")
    report.line(f"\nAll rows are in {output}.")


def _figures(found: "Detection", n_episodes: int, false_alarms: float) -> dict[str, Any]:
    from locality.inference.judging.levels import error_of

    reference = found.model.reference
    assert reference is not None
    return {
        "n_rows": len(found),
        "n_missing": found.table.n_missing,
        "n_alarms": int(found.alarm.sum()),
        "n_episodes": n_episodes,
        "false_alarms": false_alarms,
        "false_alarms_error": error_of(reference.statistic, false_alarms),
        "expected_false_alarms": false_alarms * len(found),
        "n_normal_rows": reference.n_rows,
        "is_extrapolated": false_alarms < 1 / reference.n_rows,
    }


def _plain(episode: "Episode", labels: list[str]) -> dict[str, Any]:
    """A run with its rows counted from 1, and named."""
    told = episode.to_dict()
    first, last, at = (told.pop(name) for name in ("first", "last", "judged_at"))
    ends: dict[str, Any] = {"first": first + 1, "last": last + 1}
    ends |= {"first_at": labels[first], "last_at": labels[last], "judged_at": at + 1}
    return ends | told


def _describe(report: Report, figures: dict[str, Any], normal: Path | None) -> None:
    n_rows, n_alarms, n_normal = (figures[name] for name in ("n_rows", "n_alarms", "n_normal_rows"))
    if n_rows:
        have = "has" if n_alarms == 1 else "have"
        report.line(f"{counted(n_alarms, 'row')} {have} an alarm, {n_alarms / n_rows:.1%}.")
    rate, error = figures["false_alarms"], figures["false_alarms_error"]
    source = "held-out rows of the fit" if normal is None else f"rows of {normal.name}"
    report.line(
        f"Accepted: {100 * rate:.2g} % ± {100 * error:.1g} % of normal rows, that is about "
        f"{rate * n_rows:.2g} false alarms in {counted(n_rows, 'row')}. What is normal is known "
        f"from {n_normal:,} {source}."
    )
    if figures["is_extrapolated"]:
        report.line(
            f"So many rows show no p-value below {1 / n_normal:.2g}: the rate asked for is "
            "extrapolated, with an exponential tail. More normal rows (--normal) would tell."
        )


def _list(report: Report, episodes: "list[Episode]", rows: ModelRows, n_episodes: int) -> None:
    """Runs of alarms; there may be more of them."""
    if not episodes:
        report.line("Nothing is unusual.")
        return
    report.heading("Runs of alarms, the strongest first (short gaps do not end one)")
    report.table(
        ("from row", "to row", "most to blame", "kind", "alarms", "lowest p"),
        [
            (
                rows.labels[part.first],
                str(part.last + 1),
                shares_text(part.sensors),
                _FAULTS[part.fault],
                f"{part.n_alarms:,}",
                p_value_text(part.p_value),
            )
            for part in episodes
        ],
        words=4,
    )
    more = n_episodes - len(episodes)
    if more > 0:
        report.line(f"{more:,} more {'run' if more == 1 else 'runs'} of alarms.")
