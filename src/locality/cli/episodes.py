"""Alarms come in runs, **episodes**, one for each thing that went wrong.

A run is diagnosed at the last row in which the sensor most to blame does not fit its neighbors:
later rows are in alarm only because the past counts with them, and earlier ones tell less of the
kind of fault.
"""

from dataclasses import dataclass

from locality.cli.judged import JudgedTable, p_value_text, shares_text
from locality.cli.terminal import Report

__all__ = ["Episode", "diagnosed", "list_episodes", "spans_of"]

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


def spans_of(judged: JudgedTable) -> list[tuple[int, int]]:
    """First and last row of all runs, by evidence (−log p, summed): strong and long ones first."""
    import numpy as np

    from locality.inference.judging.diagnosis import episode

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


def diagnosed(judged: JudgedTable, spans: list[tuple[int, int]]) -> list[Episode]:
    """Runs of alarms, each with its kind of fault and the sensors to blame."""
    from locality.inference.judging.diagnosis import diagnose
    from locality.inference.judging.explanation import evidence

    found, names, labels = judged.found, judged.names, judged.labels
    shares, components = judged.shares, list(judged.fitted.component_names_)
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


def list_episodes(report: Report, episodes: list[Episode], n_episodes: int) -> None:
    """Print runs of alarms; there may be more of them."""
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
