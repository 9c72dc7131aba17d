"""Findings: what stands out among scored rows.

Surprise has another level for every sensor, because a precise sensor costs fewer nats than a
noisy one. So sensors and rows are compared by their nats *beyond normal*: surprise minus the mean
surprise of that sensor on held-out rows of the fit, in the same units.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.model.model import Model
from locality.model.summary import expected_surprise

__all__ = ["Findings", "RowSurprise", "SensorSurprise", "findings"]

_N_SENSORS = 10
_N_ROWS = 5
_N_WITHIN = 3


@dataclass(frozen=True)
class SensorSurprise:
    """A sensor whose values surprise: nats beyond normal, and the row (from 0) where most."""

    sensor: str
    mean: float
    highest: float
    at: int


@dataclass(frozen=True)
class RowSurprise:
    """A row (from 0) that surprises: nats beyond normal, and the sensors where most."""

    row: int
    nats: float
    sensors: dict[str, float]


@dataclass(frozen=True)
class Findings:
    """What stands out.

    Parameters
    ----------
    n_rows : int
    mean, expected : float
        Nats of a row: of these rows (None if there are none), and of held-out rows of the fit.
    error_row, error_value : float
        Typical Monte-Carlo errors; zero for closed forms.
    sensors : tuple of SensorSurprise
        By mean nats beyond normal.
    rows : tuple of RowSurprise
        By nats beyond normal.
    """

    n_rows: int
    mean: float | None
    expected: float
    error_row: float
    error_value: float
    sensors: tuple[SensorSurprise, ...]
    rows: tuple[RowSurprise, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def findings(model: Model, nats: FloatArray, error: FloatArray) -> Findings:
    """Compare surprise with its normal level.

    Parameters
    ----------
    model : Model
    nats, error : float arrays [n_rows, n_components]
        Surprise, NaN where a value is missing, and its Monte-Carlo error.
    """
    names, normal = model.layout.names, expected_surprise(model)
    beyond = np.nan_to_num(nats - normal, nan=0.0)  # what is missing is as usual
    total, noisy = beyond.sum(axis=1), error[:, error.any(axis=0)]
    level = float(normal.sum())
    rows = []
    for i in np.argsort(-total, kind="stable")[:_N_ROWS].tolist():
        most = np.argsort(-beyond[i], kind="stable")[:_N_WITHIN].tolist()
        rows.append(RowSurprise(i, float(total[i]), {names[j]: float(beyond[i, j]) for j in most}))
    return Findings(
        len(nats),
        level + float(total.mean()) if len(nats) else None,
        level,
        float(np.median(np.sqrt((error**2).sum(axis=1)))) if len(nats) else 0.0,
        float(np.median(noisy)) if noisy.size else 0.0,
        _sensors(names, beyond) if len(nats) else (),
        tuple(rows),
    )


def _sensors(names: tuple[str, ...], beyond: FloatArray) -> tuple[SensorSurprise, ...]:
    mean, top = beyond.mean(axis=0), beyond.argmax(axis=0)
    order = np.argsort(-mean, kind="stable")[:_N_SENSORS].tolist()
    return tuple(
        SensorSurprise(names[j], float(mean[j]), float(beyond[top[j], j]), int(top[j]))
        for j in order
    )
