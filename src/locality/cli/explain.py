"""``locality explain``: why a row is abnormal, in words, figures and a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from locality import OptionError
from locality.cli.judged import (
    FalseAlarms,
    JudgedRows,
    NormalRows,
    Sampling,
    judge,
    p_value_text,
)
from locality.cli.options import AsJson, ModelArgument, Overwrite, whole_number
from locality.cli.outputs import require_free_picture
from locality.cli.terminal import Report, print_json
from locality.cli.told import departed_here, left_out, missing

if TYPE_CHECKING:
    from locality.data.transforms import Standardizer
    from locality.inference.judging.explanation import Explanation, SensorFinding

__all__ = ["explain"]

_N_SENSORS = 8
_LEAST = 0.005  # of the blame, to be shown
_N_FIRST = 5
_N_TRACES = 3
_N_ROWS = 100

_FAULTS = {
    "stuck": "its value is stuck",
    "spike": "a spike",
    "drift": "it drifts away from what is expected",
    "noise": "it is noisy",
    "offset": "it is offset",
}
_CHANNELS = {
    "squared": "sizes of innovations (what rows before and other sensors do not let expect)",
    "signed": "a lasting shift of several sensors",
    "one sensor": "a lasting shift of one sensor",
}


def explain(
    model: ModelArgument,
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="The row and those before it, in order of time; values may be missing.",
        ),
    ],
    row: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="Row to explain, counted from 1 without the header.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The same by its time, or its label in the index; instead of --row.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Picture to be written (.png): the sensors most to blame over the last 100 rows.",
        ),
    ] = None,
    false_alarms: FalseAlarms = None,
    sampling: Sampling = None,
    normal: NormalRows = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Say why a row is abnormal: one sensor or the process, since when, and against what.

    One sensor is wrong if its neighbors are fine without it: then it is stuck, offset, drifting,
    noisy, or had a spike. Otherwise the process has changed. Every sensor is shown beside the value
    that its neighbors let expect.

    [bold]Example:[/bold] locality explain plant.locality today.csv --row 171 -o why.png

    [bold]Example:[/bold] locality explain plant.locality today.csv --at "2024-03-01 14:05"
    """
    if (row is None) == (at is None):
        raise OptionError(
            f"Found {'neither' if row is None else 'both'} of --row and --at, expected one.",
            remedy='Write --row 171, or --at "2024-03-01 14:05".',
        )
    if output is not None:
        require_free_picture(output, overwrite)
    judged = judge(model, table, normal, false_alarms, sampling)
    row = _row(judged, row, at)
    from locality.inference.judging.explanation import explained

    found = explained(judged.found.model, judged.rows.table, judged.found.judgment, row - 1)
    if output is not None:
        _draw(output, judged, found)
    if as_json:
        print_json(
            {
                "model": str(model),
                "table": str(table),
                "normal": None if normal is None else str(normal),
                "output": None if output is None else str(output),
                "false_alarms": judged.rate(false_alarms),
                "at": judged.rows.labels[row - 1],
                "diagnosis": _diagnosis(judged, found),
                "accumulated": _accumulated(found),
                "ignored": judged.rows.ignored,
            }
            | _plain(_spoken(judged, found))
            | {"row": row, "since": found.since + 1}
        )
    report = Report(quiet=as_json)
    is_alarm = "an alarm" if found.alarm else "no alarm"
    report.heading(
        f"Row {judged.rows.labels[row - 1]} of {table.name}: {is_alarm} (p {_p(found.p_value)})"
    )
    left_out(report, judged.rows.ignored)
    missing(report, judged.rows.table.n_missing)
    report.line(_diagnosis(judged, found))
    report.line(f"Most unusual: {_accumulated(found)}.")
    _list(report, judged, found)
    if output is not None:
        report.line(f"\nThe picture is in {output}.")


def _row(judged: JudgedRows, row: int | None, at: str | None) -> int:
    """The row that was asked for, from 1."""
    if row is None:
        from locality.cli.moment import row_at

        return row_at(judged.rows, at or "") + 1
    n_rows = judged.rows.table.n_rows
    if row > n_rows:
        raise OptionError(
            f"--row is {row}, but {judged.rows.name} has {n_rows:,} rows.",
            remedy="Rows are counted from 1, without the header.",
        )
    return row


def _accumulated(found: "Explanation") -> str:
    """What is most unusual, and over how many rows it was looked at."""
    over = "in this row" if found.rows <= 1 else f"over some {found.rows:.0f} rows"
    return f"{_CHANNELS[found.channel]} {over}"


def _diagnosis(judged: JudgedRows, found: "Explanation") -> str:
    """What is wrong, in plain sentences."""
    if not found.alarm:
        return "Nothing unusual."
    rows, standardizer = judged.rows, judged.found.model.standardizer
    sentences = [
        departed_here(standardizer, part, rows, found.row)
        for part in judged.found.departures
        if part.column in found.departed
    ]
    since, fault = rows.labels[found.since], found.fault
    if fault in _FAULTS:
        sensor = found.sensors[0].sensor
        sentences.append(f"{sensor} alone is wrong since row {since}: {_FAULTS[fault]}.")
    elif fault == "process" and found.departed and len(found.first_out) == 1:
        sentences.append(f"{found.first_out[0]} does not fit its neighbors since row {since}.")
    elif fault == "process":
        first, *others = found.first_out[:_N_FIRST]
        more = " …" if len(found.first_out) > _N_FIRST else ""
        then = f", then {', '.join(others)}{more}" if others else ""
        sentences.append(
            f"Several sensors changed together since row {since}, first {first}{then}."
        )
    return " ".join(sentences)


def _list(report: Report, judged: JudgedRows, found: "Explanation") -> None:
    text = judged.found.model.standardizer.text
    shown = [part for part in found.sensors[:_N_SENSORS] if part.share >= _LEAST]
    shown = shown or [found.sensors[0]]
    is_blamed = found.alarm and found.fault != "none"
    report.heading("Sensors most to blame" if is_blamed else "Least usual sensors")
    report.table(
        ("sensor", "value", "expected", "90 % interval", "share", "p alone"),
        [
            (
                part.sensor,
                _recorded(judged, found, part) or text(part.sensor, part.value, 5),
                text(part.sensor, part.expected, 5),
                _interval(text(part.sensor, part.low, 5), text(part.sensor, part.high, 5)),
                f"{100 * part.share:.0f} %",
                "–" if _recorded(judged, found, part) else p_value_text(part.p_value),
            )
            for part in shown
        ],
    )
    report.line(
        "Share: of the blame. p alone: share of normal rows in which the sensor by itself is as "
        "unusual."
    )
    _neighbors(report, judged.found.model.standardizer, shown[0])


def _interval(low: str, high: str) -> str:
    return low if low == high else f"{low} … {high}"


def _recorded(judged: JudgedRows, found: "Explanation", part: "SensorFinding") -> str:
    """The text of a state that was never seen, empty for other values."""
    is_unseen = part.sensor in found.departed and part.value != part.value
    return judged.rows.text(part.sensor, found.row) if is_unseen else ""


def _neighbors(report: Report, standardizer: "Standardizer", part: "SensorFinding") -> None:
    if not part.influences:
        report.line(f"{part.sensor} has no neighbors: it is compared with its mean.")
        return
    text, is_state = standardizer.text, bool(standardizer.states(part.sensor))
    report.heading(f"Why {text(part.sensor, part.expected, 5)} is expected of {part.sensor}")
    report.table(
        ("neighbor", "when", "value", "without it" if is_state else f"moves {part.sensor} by"),
        [
            (
                near.sensor,
                _when(near.lag),
                text(near.sensor, near.value, 5),
                text(part.sensor, part.expected - near.shift) if is_state else f"{near.shift:+.3g}",
            )
            for near in part.influences
        ],
        words=2,
    )
    start = "Moves start from the mean of the fit."
    if is_state:
        start = (
            f"Without it: expected of {part.sensor} if that neighbor were at its mean of the fit."
        )
    report.line(f"{start} Neighbors that do not fit count with what is expected of them.")


def _when(lag: int) -> str:
    """A lag in words.

    >>> _when(0), _when(1), _when(2)
    ('same row', '1 row before', '2 rows before')
    """
    if lag == 0:
        return "same row"
    return f"{lag} {'row' if lag == 1 else 'rows'} before"


def _p(p: float) -> str:
    text = p_value_text(p)
    return text if text.startswith("<") else f"= {text}"


def _spoken(judged: JudgedRows, found: "Explanation") -> dict[str, Any]:
    """The explanation as plain data, with states as texts and truth values."""
    standardizer = judged.found.model.standardizer

    def cell(name: str, value: float) -> Any:
        if value != value or not standardizer.states(name):
            return value
        text = standardizer.text(name, value)
        return text if name in standardizer.labels else text == "true"

    content = found.to_dict()
    for part, told in zip(found.sensors, content["sensors"], strict=True):
        for key in ("value", "expected", "low", "high"):
            told[key] = cell(part.sensor, told[key])
        if text := _recorded(judged, found, part):
            told |= {"value": text, "p_value": None}
        for near in told["influences"]:
            near["value"] = cell(near["sensor"], near["value"])
            near["without"] = cell(part.sensor, part.expected - near["shift"])
            if standardizer.states(part.sensor):
                near["shift"] = None
    return content | {"fault": found.fault}


def _plain(content: Any) -> Any:
    """In terms of JSON, that knows no NaN."""
    if isinstance(content, dict):
        return {key: _plain(part) for key, part in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(part) for part in content]
    return None if isinstance(content, float) and content != content else content


def _draw(path: Path, judged: JudgedRows, found: "Explanation") -> None:
    """The worst sensors over the last rows, with what was expected."""
    import numpy as np

    from locality.analysis.pages.drawings import SensorTrace, draw_traces
    from locality.inference.judging.explanation import expectations

    rows = np.arange(max(0, found.row + 1 - _N_ROWS), found.row + 1)
    expected, low, high = expectations(judged.found.model, judged.found.judgment, rows)
    components, columns = list(judged.found.model.layout.names), list(judged.rows.table.names)
    traces = []
    for part in found.sensors[:_N_TRACES]:
        j = components.index(part.sensor)
        value = judged.rows.table.values[rows, columns.index(part.sensor)]
        states = judged.found.model.standardizer.states(part.sensor)
        lines = (expected[:, j], low[:, j], high[:, j])
        traces.append(SensorTrace(part.sensor, value, *lines, states))
    title = f"Row {judged.rows.labels[found.row]}: {_diagnosis(judged, found)}"
    draw_traces(path, title, rows + 1, judged.found.alarm[rows], traces)
