"""Explanation: which sensors of a row are unusual, what was expected of them, and by whom."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.artifact.model import Model
from locality.data.table import Table
from locality.estimator.detection import Detection, detection, standard_rows
from locality.exceptions import OptionError
from locality.inference.alarm import MEMORIES
from locality.inference.conditional import ConditionalLaw
from locality.inference.diagnosis import Diagnosis, diagnose
from locality.noise.levels import band_labels

__all__ = ["Explanation", "Influence", "SensorFinding", "explanation"]

_INTERVAL = 1.6449  # standard deviations of a 90 % interval
_MOST_INFLUENCES = 5


@dataclass(frozen=True)
class Influence:
    """What a neighbor contributes to an expectation.

    Parameters
    ----------
    sensor : str
    lag : int
        Rows back.
    value : float
        In its units.
    shift : float
        By how much it moves the expectation from the mean, in units of the explained sensor.
    """

    sensor: str
    lag: int
    value: float
    shift: float


@dataclass(frozen=True)
class SensorFinding:
    """One sensor of a row.

    Parameters
    ----------
    sensor : str
    value : float
        NaN where missing.
    expected, low, high : float
        Expectation given the neighbors, and the interval that holds 90 % of normal values.
    share : float
        Of the blame.
    p_value : float
        Of this sensor alone.
    wrong : bool
        Whether it does not fit its neighbors.
    influences : tuple of Influence
        The strongest first.
    """

    sensor: str
    value: float
    expected: float
    low: float
    high: float
    share: float
    p_value: float
    wrong: bool
    influences: tuple[Influence, ...]


@dataclass(frozen=True)
class Explanation:
    """Why a row is unusual, or not.

    Parameters
    ----------
    row : int
        Position from 0.
    alarm : bool
    p_value : float
    fault : str
        "stuck", "spike", "drift", "noise", "offset" of one sensor, "process", or "none".
    since : int
        Row at which the episode began.
    first_out : tuple of str
        Sensors in the order in which they stood out.
    band : str
        Noise band in which the row is most unusual.
    rows : float
        Rows over which it was accumulated.
    departed : tuple of str
        Constant columns that moved, and copies that left their source.
    sensors : tuple of SensorFinding
        By share, the most to blame first.
    """

    row: int
    alarm: bool
    p_value: float
    fault: str
    since: int
    first_out: tuple[str, ...]
    band: str
    rows: float
    departed: tuple[str, ...]
    sensors: tuple[SensorFinding, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def explanation(model: Model, table: Table, row: int, false_alarms: float) -> Explanation:
    """Explain a row.

    Raises
    ------
    OptionError
        If there is no such row.
    """
    if not 0 <= row < table.n_rows:
        raise OptionError(f"row must be 0 to {table.n_rows - 1}, found {row}.")
    found = detection(model, table, false_alarms)
    assert model.reference is not None
    domain, standardizer = model.domain, model.standardizer
    place = {name: j for j, name in enumerate(standardizer.names)}
    names = [domain.names[node] for node in domain.targets]
    share = found.share[:, [place[name] for name in names]]
    residual = found.repaired.residual.T / model.reference.residual
    judged: Diagnosis = diagnose(
        row, found.alarm, share, found.repaired.wrong.T, residual,
        standard_rows(model, table)[domain.targets].T,
    )  # fmt: skip
    sensors = _sensors(model, table, found, row, share[row], names)
    return Explanation(
        row=row,
        alarm=bool(found.alarm[row]),
        p_value=float(found.p_value[row]),
        fault=judged.fault,
        since=judged.start,
        first_out=tuple(names[j] for j in judged.first_out),
        band=band_labels()[int(found.band[row])],
        rows=1.0 / MEMORIES[int(found.memory[row])],
        departed=tuple(
            name for name, gone in zip(standardizer.names, found.departed[row], strict=True) if gone
        ),
        sensors=sensors,
    )


def _sensors(
    model: Model,
    table: Table,
    found: Detection,
    row: int,
    share: FloatArray,
    names: list[str],
) -> tuple[SensorFinding, ...]:
    domain, standardizer, fixed = model.domain, model.standardizer, found.repaired
    assert model.reference is not None
    modeled = {name: j for j, name in enumerate(standardizer.modeled_names)}
    node = [modeled[name] for name in domain.names]
    mean, scale = standardizer.mean[node], standardizer.scale[node]
    laws = ConditionalLaw.of(model.field)
    law = laws[min(row, len(laws) - 1)]
    column = {name: j for j, name in enumerate(table.names)}
    result = []
    for j in np.lexsort((np.abs(np.nan_to_num(fixed.residual[:, row])), share))[::-1].tolist():
        at = int(domain.targets[j])
        middle = float(fixed.expected[j, row]) * scale[at] + mean[at]
        half = _INTERVAL * law.scale[j] * model.reference.residual[j] * scale[at]
        value = float(table.values[row, column[names[j]]])
        influences = []
        for back, weights in enumerate(law.weights[: row + 1]):
            start, stop = weights.indptr[j], weights.indptr[j + 1]
            for k, weight in zip(
                weights.indices[start:stop].tolist(), weights.data[start:stop].tolist(), strict=True
            ):
                z = float(fixed.values[k, row - back])
                influences.append(
                    Influence(domain.names[k], back, z * scale[k] + mean[k], weight * z * scale[at])
                )
        influences.sort(key=lambda part: -abs(part.shift))
        result.append(
            SensorFinding(
                names[j], value, middle, middle - half, middle + half, float(share[j]),
                float(found.sensor_p_value[row, j]), bool(fixed.wrong[j, row]),
                tuple(influences[:_MOST_INFLUENCES]),
            )
        )  # fmt: skip
    return tuple(result)
