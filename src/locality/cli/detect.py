"""``locality detect``: which rows are abnormal, and which sensors are to blame, into a table.

Alarms come in runs. A run is diagnosed at the last row in which the sensor most to blame does not
fit its neighbors: later rows are in alarm only because the past counts with them, and earlier ones
tell less of the kind of fault.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from locality.cli.departures import departed_columns, n_missing
from locality.cli.options import AsJson, ModelArgument, OutputTable, Overwrite, share
from locality.cli.outputs import require_free_file
from locality.cli.tables import FittedRows, read_fitted_rows, row_labels
from locality.cli.terminal import Report, counted, print_json, progress_bar, seconds_text
from locality.exceptions import DataError

if TYPE_CHECKING:
    import pandas as pd

    from locality._typing import FloatArray
    from locality.data.table import Table
    from locality.estimator.detection import Detection
    from locality.inference.alarm import Reference

__all__ = [
    "FalseAlarms",
    "JudgedTable",
    "NormalRows",
    "detect",
    "judge",
    "left_out",
    "p_value_text",
    "shares_text",
]

_RATE = 0.01
_N_EPISODES = 10
_N_SENSORS = 3
_SMALLEST_P = 1e-6  # below, the number depends on the assumed tail more than on the rows

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

FalseAlarms: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=share, metavar="SHARE", help="Accepted share of normal rows with an alarm."
    ),
]
NormalRows: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--normal",
        metavar="FILE",
        help="Rows known to be normal, at least 20, that alarms are measured against; by default "
        "held-out rows of the fit.",
    ),
]


@dataclass(frozen=True, eq=False)
class JudgedTable:
    """Rows that were judged.

    Parameters
    ----------
    fitted : LocalizedDiffusion
    rows : FittedRows
    table : Table
        The same rows as numbers.
    found : Detection
    labels : list of str
        How rows are named.
    """

    fitted: Any
    rows: FittedRows
    table: "Table"
    found: "Detection"
    labels: list[str]

    @property
    def names(self) -> list[str]:
        """Columns that may be to blame: all but the given ones."""
        standard = self.fitted.model_.standardizer.names
        return [name for name in standard if name not in self.fitted.given]

    @property
    def reference(self) -> "Reference":
        """How normal rows look."""
        found: Reference = self.fitted.model_.reference
        return found


@dataclass(frozen=True)
class Episode:
    """A run of alarms; short gaps do not end it.

    Parameters
    ----------
    first, last : int
        Rows, counted from 1.
    first_at, last_at : str
        The same with the time or index, if there is one.
    judged_at : int
        Row of the diagnosis, counted from 1; the one to be explained.
    n_alarms : int
    p_value : float
        The lowest.
    fault : str
        As in an explanation, "set aside" for a column that was constant or a copy in the fit, or
        "unseen state" for one that holds a state it never had there.
    sensors : dict of str to float
        Most to blame first, with the share of the blame, averaged over the alarms.
    """

    first: int
    last: int
    first_at: str
    last_at: str
    judged_at: int
    n_alarms: int
    p_value: float
    fault: str
    sensors: dict[str, float]


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
    false_alarms: FalseAlarms = _RATE,
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

    start = perf_counter()
    judged = judge(model, table, normal, false_alarms)
    seconds = perf_counter() - start
    write_frame(_alarm_table(judged), output, overwrite=overwrite)
    spans = _spans(judged)
    episodes = _diagnosed(judged, spans[:_N_EPISODES])
    n_rows, n_alarms = judged.table.n_rows, int(judged.found.alarm.sum())
    reference = judged.reference
    figures = {
        "n_rows": n_rows,
        "n_missing": n_missing(judged.table),
        "n_alarms": n_alarms,
        "n_episodes": len(spans),
        "false_alarms": false_alarms,
        "false_alarms_error": reference.error(false_alarms),
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
    _list(report, episodes, len(spans))
    if episodes:
        again = ["explain", str(model), str(table), "--row", str(episodes[0].judged_at)]
        again += [] if normal is None else ["--normal", str(normal)]
        again += [] if false_alarms == _RATE else ["--false-alarms", f"{false_alarms:g}"]
        report.line(f"Why: locality {shlex.join(again)}")
    report.line(f"\nAll rows are in {output}.")


def judge(model: Path, table: Path, normal: Path | None, false_alarms: float) -> JudgedTable:
    """Read a model and a table, and judge its rows.

    Parameters
    ----------
    model, table : Path
    normal : Path, optional
        Calibrate with these rows first.
    false_alarms : float

    Raises
    ------
    LocalityError
        A file cannot be used, the model has no law of a row, or it does not know normal rows.
    """
    from locality.estimator import LocalizedDiffusion
    from locality.estimator.detection import detection
    from locality.estimator.rows import read_rows
    from locality.training.executors import one_thread

    with progress_bar("Judging rows"):
        fitted = LocalizedDiffusion.load(model)
        rows = read_fitted_rows(table, fitted, complete=False)
        if normal is not None:
            known = read_fitted_rows(normal, fitted, complete=False)
            with _of_file(normal, "Pass more rows, or leave --normal out."):
                fitted.calibrate(known.rows)
        values = read_rows(fitted, rows.rows, reset=False, min_rows=0)
        with _of_file(table), one_thread():
            found = detection(fitted.model_, values, false_alarms)
    return JudgedTable(fitted, rows, values, found, row_labels(rows, fitted.time))


def left_out(report: Report, judged: JudgedTable) -> None:
    """Name columns that the model does not know, and say how many values are missing."""
    ignored = judged.rows.ignored
    if ignored:
        names = ", ".join(ignored[:8]) + (" …" if len(ignored) > 8 else "")
        report.line(f"Columns that the model does not know were left out: {names}")
    n_gaps = n_missing(judged.table)
    if n_gaps:
        is_one = n_gaps == 1
        whose = "its" if is_one else "their"
        report.line(
            f"{counted(n_gaps, 'value')} {'is' if is_one else 'are'} missing; {whose} neighbors "
            f"are judged with what is expected in {whose} place."
        )


def p_value_text(p: float) -> str:
    """A p-value for people; tiny ones say more of the assumed tail than of the rows.

    Examples
    --------
    >>> p_value_text(0.0123), p_value_text(1e-12)
    ('0.012', '< 1e-06')
    """
    return f"< {_SMALLEST_P:.0e}" if p < _SMALLEST_P else f"{p:.2g}"


def shares_text(shares: dict[str, float]) -> str:
    """Sensors with their share of the blame.

    Examples
    --------
    >>> shares_text({"flow": 0.8, "level": 0.2})
    'flow 80 %, level 20 %'
    """
    return ", ".join(f"{name} {100 * part:.0f} %" for name, part in shares.items())


@contextmanager
def _of_file(path: Path, remedy: str = "") -> Iterator[None]:
    """Name the file whose rows cannot be used."""
    try:
        yield
    except DataError as error:
        message = f"{path.name}: {error.message}"
        raise DataError(message, remedy=error.remedy or remedy) from error


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
    parts = [first, pd.DataFrame(_shares(judged), columns=judged.names, index=first.index)]
    if time in rows.frame.columns:
        parts.insert(0, rows.frame[[time]])
    return pd.concat(parts, axis=1)


def _free(name: str, taken: set[Any]) -> str:
    """A name that no sensor has."""
    while name in taken:
        name += "_"
    return name


def _shares(judged: JudgedTable) -> "FloatArray":
    standard = judged.fitted.model_.standardizer.names
    return judged.found.share[:, [standard.index(name) for name in judged.names]]


def _spans(judged: JudgedTable) -> list[tuple[int, int]]:
    """First and last row of all runs, by evidence (−log p, summed): strong and long ones first."""
    import numpy as np

    from locality.inference.diagnosis import episode

    found = judged.found
    alarms = np.flatnonzero(found.alarm)
    strength = -np.log(np.maximum(found.p_value, np.finfo(float).tiny)) * found.alarm
    spans, place = [], len(alarms) - 1
    while place >= 0:
        last = int(alarms[place])
        first = episode(found.alarm, last)
        spans.append((first, last))
        place = int(np.searchsorted(alarms, first)) - 1
    return sorted(spans, key=lambda span: (-float(strength[span[0] : span[1] + 1].sum()), span))


def _diagnosed(judged: JudgedTable, spans: list[tuple[int, int]]) -> list[Episode]:
    from locality.estimator.explanation import evidence
    from locality.inference.diagnosis import diagnose

    found, names, labels = judged.found, judged.names, judged.labels
    shares, components = _shares(judged), list(judged.fitted.component_names_)
    facts = evidence(judged.fitted.model_, judged.table, found)
    standard = judged.fitted.model_.standardizer.names
    episodes = []
    for first, last in spans:
        rows = first + found.alarm[first : last + 1].nonzero()[0]
        blame = shares[rows].mean(axis=0)
        order = (-blame).argsort(kind="stable").tolist()
        worst = names[order[0]]
        fault, at = "set aside", last
        moved = rows[found.departed[rows, standard.index(worst)]]
        if len(moved):
            fault = "unseen state" if worst in components else fault
            at = int(moved[-1])
        elif worst in components:
            misfits = rows[facts.wrong[rows, components.index(worst)]]
            at = int(misfits[-1]) if len(misfits) else last
            fault = diagnose(at, *facts).fault
        episodes.append(
            Episode(
                first + 1,
                last + 1,
                labels[first],
                labels[last],
                at + 1,
                len(rows),
                float(found.p_value[rows].min()),
                fault,
                {names[j]: float(blame[j]) for j in order[:_N_SENSORS] if blame[j] > 0},
            )
        )
    return episodes


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


def _list(report: Report, episodes: list[Episode], n_episodes: int) -> None:
    if not episodes:
        report.line("Nothing is unusual.")
        return
    report.heading("Runs of alarms, the strongest first (short gaps do not end one)")
    report.table(
        ("from row", "to row", "most to blame", "kind", "alarms", "lowest p"),
        [
            (
                part.first_at,
                str(part.last),
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
