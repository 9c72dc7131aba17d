"""Explanation: which sensors of a row are unusual, what was expected of them, and by whom."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.judging.diagnosis import Diagnosis, diagnose
from locality.inference.judging.judgment import Judgment, known_reference
from locality.inference.judging.memory import KINDS, MEMORIES
from locality.inference.judging.promise import Promise
from locality.inference.judging.stream import judge
from locality.inference.laws.conditional import ConditionalLaw
from locality.model.model import Model

__all__ = [
    "Evidence",
    "Explanation",
    "Influence",
    "SensorFinding",
    "evidence",
    "expectations",
    "explained",
    "explanation",
]

_INTERVAL = 1.6449  # standard deviations of a 90 % interval
_FAR = 2.0  # nats: two standard deviations
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
        "stuck", "spike", "drift", "noise", "offset" of one sensor, "unseen state" if it holds one
        that it never had in the fit, "process", or "none" (also if nothing but a column that was
        set aside has moved).
    since : int
        Row at which the episode began.
    first_out : tuple of str
        Sensors in the order in which they stood out.
    channel : str
        What is most unusual: "squared", sizes of innovations of all sensors; "signed", their sums
        over time, of all sensors; "one sensor", those of one.
    rows : float
        Rows over which it was accumulated.
    departed : tuple of str
        Constant columns that moved, and copies that left their source.
    moved : tuple of str
        Sensors away from their own usual values (beyond two standard deviations over the last ten
        rows or so), whatever is to blame; the farthest first.
    sensors : tuple of SensorFinding
        By share, the most to blame first.
    """

    row: int
    alarm: bool
    p_value: float
    fault: str
    since: int
    first_out: tuple[str, ...]
    channel: str
    rows: float
    departed: tuple[str, ...]
    moved: tuple[str, ...]
    sensors: tuple[SensorFinding, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


class Evidence(NamedTuple):
    """What a diagnosis looks at; the last arguments of `diagnose`.

    Parameters
    ----------
    alarm : bool array [n_rows]
    share : float array [n_rows, n_components]
        Of the blame of components, without columns that were set aside.
    wrong : bool array [n_rows, n_components]
    residual : float array [n_rows, n_components]
        In units of normal ones.
    values : float array [n_rows, n_components]
        Standardized.
    """

    alarm: BoolArray
    share: FloatArray
    wrong: BoolArray
    residual: FloatArray
    values: FloatArray


def evidence(model: Model, table: Table, found: Judgment) -> Evidence:
    """Prepare the diagnosis of any row: ``diagnose(row, *evidence(model, table, found))``.

    Parameters
    ----------
    model : Model
        With a reference.
    table : Table
    found : Judgment
        Of the table.
    """
    model = model.unrolled
    domain = model.domain
    share = found.share[:, model.layout.columns]
    total = share.sum(axis=1, keepdims=True)
    return Evidence(
        found.alarm,
        share / np.where(total > 0, total, 1.0),
        found.blamed.wrong,
        found.blamed.residual,
        model.layout.standard_rows(table)[domain.targets].T,
    )


def expectations(
    model: Model, found: Judgment, rows: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What was expected of every component, and the interval that holds 90 % of normal values.

    Parameters
    ----------
    model : Model
        With a reference.
    found : Judgment
    rows : int array [n_chosen]
        Positions from 0.

    Returns
    -------
    expected, low, high : float arrays [n_chosen, n_components]
        In the units of the table.
    """
    model = model.unrolled
    laws = ConditionalLaw.of(model.field)
    names = model.layout.names
    spread = np.stack([law.scale for law in laws])[
        np.minimum(found.before.past.shape[1] + rows, len(laws) - 1)
    ]
    middle = found.blamed.expected[rows]
    usual = known_reference(model).residual
    half = _INTERVAL * spread * usual * np.sqrt(found.blamed.openness[rows])
    units = model.standardizer.values_of
    return units(middle, names), units(middle - half, names), units(middle + half, names)


def explanation(model: Model, table: Table, row: int, promise: Promise) -> Explanation:
    """Explain a row.

    Raises
    ------
    OptionError
        If there is no such row.
    """
    if not 0 <= row < table.n_rows:
        raise OptionError(f"row must be 0 to {table.n_rows - 1}, found {row}.")
    return explained(model, table, judge(model, table, promise), row)


def explained(model: Model, table: Table, found: Judgment, row: int) -> Explanation:
    """Explain a row of a table that was judged.

    Parameters
    ----------
    model : Model
        With a reference.
    table : Table
    found : Judgment
        Of the table.
    row : int
    """
    model = model.unrolled
    names = model.layout.names
    judged: Diagnosis = diagnose(row, *evidence(model, table, found))
    share = found.share[row, model.layout.columns]
    sensors = _sensors(model, table, found, row, share, names)
    gone = zip(model.standardizer.names, found.departed[row], strict=True)
    departed = tuple(name for name, is_gone in gone if is_gone)
    fault: str = judged.fault if share.any() else "none"
    if fault not in ("process", "none") and sensors[0].sensor in departed:
        fault = "unseen state"
    return Explanation(
        row=row,
        alarm=bool(found.alarm[row]),
        p_value=float(found.p_value[row]),
        fault=fault,
        since=judged.start,
        first_out=tuple(names[j] for j in judged.first_out),
        channel=KINDS[int(found.channel[row]) % len(KINDS)],
        rows=1.0 / MEMORIES[int(found.memory[row])],
        departed=departed,
        moved=_moved(found.blamed.moved[row], names),
        sensors=sensors,
    )


def _moved(nats: FloatArray, names: Sequence[str]) -> tuple[str, ...]:
    far = np.flatnonzero(nats > _FAR)
    return tuple(names[j] for j in far[np.argsort(-nats[far], kind="stable")])


def _sensors(
    model: Model,
    table: Table,
    found: Judgment,
    row: int,
    share: FloatArray,
    names: Sequence[str],
) -> tuple[SensorFinding, ...]:
    domain, fixed = model.domain, found.blamed
    laws, at_row = ConditionalLaw.of(model.field), found.before.past.shape[1] + row
    law = laws[min(at_row, len(laws) - 1)]
    expected, low, high = (part[0] for part in expectations(model, found, np.array([row])))
    column = {name: j for j, name in enumerate(table.names)}

    def units(z: float, node: int) -> float:
        return float(model.standardizer.values_of(np.array([[z]]), [domain.names[node]])[0, 0])

    result = []
    for j in np.lexsort((np.abs(np.nan_to_num(fixed.residual[row])), share))[::-1].tolist():
        at = int(domain.targets[j])
        value = float(table.values[row, column[names[j]]])
        influences: list[tuple[float, Influence]] = []
        middle = float(fixed.expected[row, j])
        for back, weights in enumerate(law.weights[: at_row + 1]):
            start, stop = weights.indptr[j], weights.indptr[j + 1]
            for k, weight in zip(
                weights.indices[start:stop].tolist(), weights.data[start:stop].tolist(), strict=True
            ):
                z = float(fixed.values[k, at_row - back])
                without = units(middle - weight * z, at)
                found_there = units(z, k)
                told = Influence(domain.names[k], back, found_there, float(expected[j]) - without)
                influences.append((abs(weight * z), told))
        influences.sort(key=lambda part: -part[0])  # of a state the shift is 0 or a step
        result.append(
            SensorFinding(
                names[j], value, float(expected[j]), float(low[j]), float(high[j]),
                float(share[j]), float(found.sensor_p_value[row, j]), bool(fixed.wrong[row, j]),
                tuple(told for _, told in influences[:_MOST_INFLUENCES]),
            )
        )  # fmt: skip
    return tuple(result)
