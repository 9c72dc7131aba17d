"""Alarms come in runs, **episodes**, one for each thing that went wrong.

A run is diagnosed at the last row in which the sensor most to blame does not fit its neighbors:
later rows are in alarm only because the past counts with them, and earlier ones tell less of the
kind of fault.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from locality.data.table import Table
from locality.inference.judging.diagnosis import diagnose, episode
from locality.inference.judging.explanation import evidence
from locality.inference.judging.judgment import Judgment
from locality.model.model import Model

__all__ = ["Episode", "diagnosed", "spans_of"]

_N_SENSORS = 3


@dataclass(frozen=True)
class Episode:
    """A run of alarms; short gaps do not end it.

    Parameters
    ----------
    first, last : int
        Rows, from 0.
    judged_at : int
        Row of the diagnosis, from 0; the one to be explained.
    n_alarms : int
    p_value, log_p : float
        The lowest, and its logarithm.
    fault : str
        As in an explanation, "set aside" for a column that was constant or a copy in the fit, or
        "unseen state" for one that holds a state it never had there.
    sensors : dict of str to float
        Most to blame first, with the share of the blame, averaged over the alarms.
    first_out : tuple of str
        Sensors in the order in which they stood out, up to the row of the diagnosis.
    """

    first: int
    last: int
    judged_at: int
    n_alarms: int
    p_value: float
    log_p: float
    fault: str
    sensors: dict[str, float]
    first_out: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        """From the first to the last."""
        return self.last + 1 - self.first

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"n_rows": self.n_rows, "first_out": list(self.first_out)}


def spans_of(judgment: Judgment) -> list[tuple[int, int]]:
    """First and last row of all runs, by evidence (−log p, summed): strong and long ones first."""
    alarms = np.flatnonzero(judgment.alarm)
    strength = -judgment.log_p * judgment.alarm
    spans, place = [], len(alarms) - 1
    while place >= 0:
        last = int(alarms[place])
        first = episode(judgment.alarm, last)
        spans.append((first, last))
        place = int(np.searchsorted(alarms, first)) - 1
    return sorted(spans, key=lambda span: (-float(strength[span[0] : span[1] + 1].sum()), span))


def diagnosed(
    model: Model, table: Table, judgment: Judgment, spans: Sequence[tuple[int, int]]
) -> list[Episode]:
    """Runs of alarms, each with its kind of fault and the sensors to blame.

    Parameters
    ----------
    model : Model
    table : Table
    judgment : Judgment
        Of the table.
    spans : sequence of (int, int)
        From `spans_of`.
    """
    layout = model.layout
    components = list(layout.names)
    blamable = np.array([j for j, name in enumerate(table.names) if name not in layout.context])
    facts = evidence(model, table, judgment)
    episodes = []
    for first, last in spans:
        rows = first + judgment.alarm[first : last + 1].nonzero()[0]
        blame = judgment.share[np.ix_(rows, blamable)].mean(axis=0)
        order = (-blame).argsort(kind="stable").tolist()
        column = int(blamable[order[0]])
        worst = table.names[column]
        fault, at, out = "set aside", last, [worst]
        moved = rows[judgment.departed[rows, column]]
        if len(moved):
            fault = "unseen state" if worst in components else fault
            at = int(moved[-1])
        elif worst in components:
            misfits = rows[facts.wrong[rows, components.index(worst)]]
            at = int(misfits[-1]) if len(misfits) else last
            told = diagnose(at, *facts)
            fault, out = told.fault, [components[j] for j in told.first_out]
        sensors = {table.names[blamable[j]]: float(blame[j]) for j in order[:_N_SENSORS]}
        episodes.append(
            Episode(
                first, last, at, len(rows), float(judgment.p_value[rows].min()),
                float(judgment.log_p[rows].min()), fault,
                {name: share for name, share in sensors.items() if share > 0}, tuple(out),
            )
        )  # fmt: skip
    return episodes
