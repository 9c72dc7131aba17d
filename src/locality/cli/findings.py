"""Findings: what stands out among scored rows.

Surprise has another level for every sensor, because a precise sensor costs fewer nats than a
noisy one. So sensors and rows are compared by their nats *beyond normal*: surprise minus the mean
surprise of that sensor on held-out rows of the fit, in the same units.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from locality._typing import FloatArray
from locality.cli.departures import departed_columns
from locality.cli.tables import FittedRows
from locality.data.table import Table
from locality.model.summary import expected_surprise

__all__ = ["Findings", "find", "surprise_table"]

_N_SENSORS = 10
_N_ROWS = 5
_N_WITHIN = 3


@dataclass(frozen=True)
class SensorFinding:
    """A sensor whose values surprise; ``at`` is the row where most."""

    sensor: str
    mean: float
    highest: float
    at: str


@dataclass(frozen=True)
class RowFinding:
    """A row that surprises, and the sensors where most."""

    row: str
    nats: float
    sensors: dict[str, float]


@dataclass(frozen=True)
class Findings:
    """What stands out.

    Parameters
    ----------
    n_rows : int
    mean, expected : float
        Nats of a row: of these rows, and of held-out rows of the fit.
    error_row, error_value : float
        Typical Monte-Carlo errors; zero for closed forms.
    sensors : list of SensorFinding
        By mean nats beyond normal.
    rows : list of RowFinding
        By nats beyond normal.
    departures : dict
        Columns that were constant or copies in the fit and are no longer, and those with states
        that were never seen.
    ignored : tuple of str
        Columns of the table that the model does not know.
    """

    n_rows: int
    mean: float | None
    expected: float
    error_row: float
    error_value: float
    sensors: list[SensorFinding]
    rows: list[RowFinding]
    departures: dict[str, str]
    ignored: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The findings in terms of JSON."""
        return asdict(self)


def surprise_table(fitted: Any, rows: FittedRows, found: Any) -> pd.DataFrame:
    """The table to be written.

    Parameters
    ----------
    fitted : LocalizedDiffusion
    rows : FittedRows
    found : frame or dict of frames
        From ``surprise``.

    Returns
    -------
    pandas.DataFrame [n_rows, n_columns]
        Time or index first, then ``row_nats``, the sensors, and their bands if told apart.
    """
    names = list(fitted.component_names_)
    nats = pd.DataFrame(_total(names, found), columns=names, index=rows.frame.index)
    total = "row_nats"
    while total in names or total == fitted.time:
        total += "_"
    parts = [nats.sum(axis=1).rename(total).to_frame(), nats]
    if fitted.time in rows.frame.columns:
        parts.insert(0, rows.frame[[fitted.time]])
    if isinstance(found, dict):
        for label, band in found.items():
            titles = [f"{name} [{label}]" for name in names]
            parts.append(pd.DataFrame(_values(names, band), columns=titles, index=nats.index))
    return pd.concat(parts, axis=1)


def find(fitted: Any, rows: FittedRows, found: Any, error: Any) -> Findings:
    """Compare surprise with its normal level.

    Parameters
    ----------
    fitted : LocalizedDiffusion
    rows : FittedRows
    found, error : frames, or ``found`` a dict of frames
        From ``surprise``.
    """
    names = list(fitted.component_names_)
    nats, spread = _total(names, found), _values(names, error)
    normal = expected_surprise(fitted.model_)
    beyond = np.nan_to_num(nats - normal, nan=0.0)  # what is missing is as usual
    labels = _labels(fitted, rows)
    noisy = spread[:, spread.any(axis=0)]
    return Findings(
        len(nats),
        float(normal.sum() + beyond.sum(axis=1).mean()) if len(nats) else None,
        float(normal.sum()),
        float(np.median(np.sqrt((spread**2).sum(axis=1)))) if len(nats) else 0.0,
        float(np.median(noisy)) if noisy.size else 0.0,
        _sensors(names, beyond, labels) if len(nats) else [],
        _rows(names, beyond, labels),
        _departures(fitted, rows, labels),
        rows.ignored,
    )


def _sensors(names: list[str], beyond: FloatArray, labels: list[str]) -> list[SensorFinding]:
    mean, top = beyond.mean(axis=0), beyond.argmax(axis=0)
    order = np.argsort(-mean, kind="stable")[:_N_SENSORS].tolist()
    return [
        SensorFinding(names[j], float(mean[j]), float(beyond[top[j], j]), labels[top[j]])
        for j in order
    ]


def _rows(names: list[str], beyond: FloatArray, labels: list[str]) -> list[RowFinding]:
    total = beyond.sum(axis=1)
    found = []
    for i in np.argsort(-total, kind="stable")[:_N_ROWS].tolist():
        most = np.argsort(-beyond[i], kind="stable")[:_N_WITHIN].tolist()
        sensors = {names[j]: float(beyond[i, j]) for j in most}
        found.append(RowFinding(labels[i], float(total[i]), sensors))
    return found


def _departures(fitted: Any, rows: FittedRows, labels: list[str]) -> dict[str, str]:
    standardizer = fitted.model_.standardizer
    frame = rows.frame[list(standardizer.names)]
    table = Table.from_frame(frame, min_rows=0, labels=standardizer.labels)
    return departed_columns(standardizer, table, frame, labels)


def _labels(fitted: Any, rows: FittedRows) -> list[str]:
    """Row numbers counted from 1, with the time or index where there is one."""
    frame = rows.frame
    numbers = [str(i + 1) for i in range(len(frame))]
    if fitted.time in frame.columns:
        moments, name = frame[fitted.time], fitted.time
    elif isinstance(frame.index, pd.RangeIndex):
        return numbers
    else:
        moments, name = frame.index.to_series(), frame.index.name or "index"
    return [f"{n} ({name} {moment})" for n, moment in zip(numbers, moments, strict=True)]


def _total(names: list[str], found: Any) -> FloatArray:
    if isinstance(found, dict):
        return np.asarray(sum(_values(names, band) for band in found.values()))
    return _values(names, found)


def _values(names: list[str], frame: Any) -> FloatArray:
    """Numbers of the components; a frame may lead with its time."""
    if isinstance(frame, pd.DataFrame):
        frame = frame[names]
    return np.asarray(frame, dtype=np.float64)
