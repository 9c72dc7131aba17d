"""Runs of alarms, as a table in a file, in sentences, and as plain data."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from locality.cli.judged import p_value_text, shares_text
from locality.cli.tables import ModelRows
from locality.cli.terminal import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locality.inference.judging.episodes import Episode

__all__ = ["episodes_file", "frame_of", "list_runs", "plain_run"]

_LISTED = 10
_N_SENSORS = 3
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


def episodes_file(output: Path) -> Path:
    """Beside the table of the rows, in the same format.

    Examples
    --------
    >>> episodes_file(Path("alarms.csv.gz")).name
    'alarms.episodes.csv.gz'
    """
    from locality.data.files import SUFFIXES

    suffix = next(part for part in SUFFIXES if output.name.lower().endswith(part))
    stem = output.name[: -len(suffix)]
    return output.with_name(f"{stem}.episodes{output.name[-len(suffix) :]}")


def frame_of(episodes: "Sequence[Episode]", rows: ModelRows) -> Any:
    """One row for each run, in order of time.

    The beginning and the end are moments or labels where rows have any, and row numbers from 1.
    """
    import pandas as pd

    ordered = sorted(episodes, key=lambda part: part.first)
    moments = rows.moments
    columns: dict[str, Any] = {}
    for name, places in (
        ("beginning", [part.first for part in ordered]),
        ("end", [part.last for part in ordered]),
    ):
        if moments is not None:
            columns[name] = moments[1].take(places)
        columns[f"{name}_row"] = pd.array([place + 1 for place in places], dtype="int64")
    columns["n_rows"] = pd.array([part.n_rows for part in ordered], dtype="int64")
    columns["n_alarms"] = pd.array([part.n_alarms for part in ordered], dtype="int64")
    columns["log_p"] = pd.array([part.log_p for part in ordered], dtype="float64")
    columns["fault"] = pd.array([part.fault for part in ordered], dtype="object")
    for k in range(_N_SENSORS):
        named = [[*part.sensors.items()][k : k + 1] for part in ordered]
        columns[f"sensor_{k + 1}"] = pd.array([n[0][0] if n else "" for n in named], "object")
        shares = [n[0][1] if n else 0.0 for n in named]
        columns[f"share_{k + 1}"] = pd.array(shares, dtype="float64")
    columns["first_out"] = pd.array([", ".join(part.first_out) for part in ordered], "object")
    columns["judged_at_row"] = pd.array([part.judged_at + 1 for part in ordered], dtype="int64")
    plain = {name: getattr(column, "array", column) for name, column in columns.items()}
    return pd.DataFrame(plain, index=range(len(ordered)))


def plain_run(episode: "Episode", labels: list[str]) -> dict[str, Any]:
    """A run with its rows counted from 1, and named."""
    told = episode.to_dict()
    first, last, at = (told.pop(name) for name in ("first", "last", "judged_at"))
    ends: dict[str, Any] = {"first": first + 1, "last": last + 1}
    ends |= {"first_at": labels[first], "last_at": labels[last], "judged_at": at + 1}
    return ends | told


def list_runs(report: Report, episodes: "Sequence[Episode]", rows: ModelRows) -> None:
    """The strongest runs."""
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
            for part in episodes[:_LISTED]
        ],
        words=4,
    )
    more = len(episodes) - _LISTED
    if more > 0:
        report.line(f"{more:,} more {'run' if more == 1 else 'runs'} of alarms.")
