"""``locality detect``: which rows are abnormal, and which sensors are to blame, into a table."""

import shlex
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from locality.cli.departures import departed_columns, n_missing
from locality.cli.episodes import diagnosed, list_episodes, spans_of
from locality.cli.judged import (
    FALSE_ALARMS,
    FalseAlarms,
    JudgedTable,
    NormalRows,
    judge,
    left_out,
)
from locality.cli.options import AsJson, ModelArgument, OutputTable, Overwrite
from locality.cli.outputs import require_free_file
from locality.cli.terminal import Report, counted, print_json, seconds_text

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["detect"]

_N_EPISODES = 10


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
    from locality.cli.rounding import rounding_warnings
    from locality.data.files import write_frame
    from locality.inference.judging.alarm import Alarm

    start = perf_counter()
    judged = judge(model, table, normal, false_alarms)
    seconds = perf_counter() - start
    write_frame(_alarm_table(judged), output, overwrite=overwrite)
    spans = spans_of(judged)
    episodes = diagnosed(judged, spans[:_N_EPISODES])
    n_rows, n_alarms = judged.table.n_rows, int(judged.found.alarm.sum())
    reference = judged.reference
    figures = {
        "n_rows": n_rows,
        "n_missing": n_missing(judged.table),
        "n_alarms": n_alarms,
        "n_episodes": len(spans),
        "false_alarms": false_alarms,
        "false_alarms_error": Alarm(reference).error(false_alarms),
        "expected_false_alarms": false_alarms * n_rows,
        "n_normal_rows": reference.n_rows,
        "is_extrapolated": false_alarms < 1 / reference.n_rows,
    }
    departures = departed_columns(
        judged.fitted.model_.standardizer, judged.table, judged.rows.frame, judged.labels
    )
    warnings = rounding_warnings(judged.fitted.model_, judged.table.values)
    if as_json:
        content: dict[str, Any] = {"model": str(model), "table": str(table), "output": str(output)}
        content |= {"normal": None if normal is None else str(normal), **figures}
        content["episodes"] = [asdict(episode) for episode in episodes]
        content |= {"departures": departures, "warnings": warnings}
        print_json(content | {"ignored": judged.rows.ignored, "seconds": seconds})
    report = Report(quiet=as_json)
    report.heading(f"Judged {table.name}: {counted(n_rows, 'row')} in {seconds_text(seconds)}")
    left_out(report, judged)
    for warning in warnings:
        report.line(f"Warning: {warning}")
    for name, departure in departures.items():
        report.line(f"{name} {departure}")
    _describe(report, figures, normal)
    list_episodes(report, episodes, len(spans))
    if episodes:
        again = ["explain", str(model), str(table), "--row", str(episodes[0].judged_at)]
        again += [] if normal is None else ["--normal", str(normal)]
        again += [] if false_alarms == FALSE_ALARMS else ["--false-alarms", f"{false_alarms:g}"]
        report.line(f"Why: locality {shlex.join(again)}")
    report.line(f"\nAll rows are in {output}.")


def _alarm_table(judged: JudgedTable) -> "pd.DataFrame":
    """The table to be written: time or index, alarm, p-value, shares."""
    import pandas as pd

    rows, found, time = judged.rows, judged.found, judged.fitted.time
    taken = {*judged.names, time}
    first = pd.DataFrame(
        {
            _free("alarm", taken): found.alarm.astype("int64"),
            _free("p_value", taken): found.p_value,
        },
        index=rows.frame.index,
    )
    parts = [first, pd.DataFrame(judged.shares, columns=judged.names, index=first.index)]
    if time in rows.frame.columns:
        parts.insert(0, rows.frame[[time]])
    return pd.concat(parts, axis=1)


def _free(name: str, taken: set[Any]) -> str:
    """A name that no sensor has."""
    while name in taken:
        name += "_"
    return name


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
