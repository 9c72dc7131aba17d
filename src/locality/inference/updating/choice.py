"""The choice of sensors that are learned again: drifted ones, the worst, or those named."""

from collections.abc import Sequence

import numpy as np

from locality._typing import BoolArray, IntArray
from locality.data.table import Table
from locality.exceptions import DataError, OptionError
from locality.inference.judging.stream import sensor_surprise
from locality.inference.updating.drift import drift
from locality.inference.updating.normal_rows import NormalRows
from locality.inference.updating.outcome import MIN_ROWS
from locality.model.model import Model

__all__ = ["choose_sensors", "require_choice", "require_row_law", "require_rows"]

_FAR = 0.5  # standard deviations
_MIN_SEEN = 10  # values of a sensor, learned from and kept back, for it to be learned again


def choose_sensors(
    model: Model, rows: NormalRows, sensors: str | int | Sequence[str], level: float
) -> IntArray:
    """Numbers of the targets to be learned again.

    Parameters
    ----------
    model : Model
    rows : NormalRows
        New ones.
    sensors : "drifted", "all", int or sequence of str
        Those whose surprise has risen (and, if a change of the process was declared, those that
        are elsewhere: where all move together, neighbors explain each other); all; so many whose
        surprise has risen most; or names.
    level : float
        Of any false call of drift.

    Raises
    ------
    OptionError, DataError
        If the model cannot judge rows, or a sensor that was named has too few values.
    """
    names = model.layout.names
    few = _seldom_seen(model, rows)
    if isinstance(sensors, str) and sensors == "all":
        return np.setdiff1d(np.arange(len(names)), list(few))
    if not isinstance(sensors, str | int | np.integer):
        chosen = np.unique([names.index(name) for name in sensors])
        for j in chosen.tolist():
            if j in few:
                raise DataError(
                    f"Sensor {names[j]!r} has {few[j][0]} values in the first 70 % of the "
                    f"normal rows and {few[j][1]} in the rest, which is kept back to judge it by; "
                    f"at least {_MIN_SEEN} each are needed.",
                    remedy="Collect more rows in which it is there, or leave it out.",
                )
        return chosen
    if model.reference is None:
        raise OptionError(
            "The model does not know how normal rows look.",
            remedy="Name the sensors, or calibrate it with normal rows.",
        )
    excess = sensor_surprise(model, rows.table)[rows.normal] - model.reference.surprise
    deviation = model.reference.surprise_deviation
    found = drift(excess, deviation, model.reference.n_rows, level)
    if isinstance(sensors, str):
        drifted = found.drifted
        if rows.process_change is not None:
            drifted = drifted | _elsewhere(model, rows, level)
        return np.setdiff1d(np.flatnonzero(drifted), list(few))
    worst = np.argsort(-found.excess)
    return np.sort(worst[~np.isin(worst, list(few))][:sensors])


def _elsewhere(model: Model, rows: NormalRows, level: float) -> BoolArray:
    """Targets whose mean has moved by half a standard deviation of the fit, for sure."""
    assert model.reference is not None
    values = model.layout.standard_rows(rows.table)[model.domain.targets][:, rows.normal].T
    found, n_normal = np.zeros(values.shape[1], dtype=bool), model.reference.n_rows
    for sign in (1.0, -1.0):
        moved = drift(sign * values, np.ones(values.shape[1]), n_normal, 0.5 * level)
        found |= moved.drifted & (moved.excess >= _FAR)
    return found


def require_choice(model: Model, sensors: str | int | Sequence[str]) -> None:
    """Refuse a choice that is none, or names what the model does not have.

    Raises
    ------
    OptionError, DataError
    """
    names = model.layout.names
    if isinstance(sensors, bool | np.bool_):
        raise OptionError(f"sensors must not be a truth value, found {sensors}.")
    if isinstance(sensors, str):
        if sensors not in ("all", "drifted"):
            raise OptionError(
                f'sensors must be "drifted", "all", a number or a list of names, found {sensors!r}.'
            )
    elif isinstance(sensors, int | np.integer):
        if not 1 <= sensors <= len(names):
            raise OptionError(f"sensors must be 1 to {len(names)} of them, found {sensors}.")
    else:
        unknown = [name for name in sensors if name not in names]
        if unknown:
            raise DataError(
                f"The model has no component {unknown[0]!r}.",
                remedy=f"It models {', '.join(names[:10])}" + (", …" if len(names) > 10 else "."),
            )
        if not len(sensors):
            raise OptionError("No sensor was named.", remedy='Name some, or pass "drifted".')


def _seldom_seen(model: Model, rows: NormalRows) -> dict[int, tuple[int, int]]:
    """Targets with too few values to be learned again, and how many there are in the rows learned
    from and in those kept back.
    """
    n_train, known = rows.n_train, rows.table.observed & rows.normal[:, None]
    found = {}
    for j, column in enumerate(model.layout.columns):
        seen = known[:, column]
        counts = int(seen[:n_train].sum()), int(seen[n_train:].sum())
        if min(counts) < _MIN_SEEN:
            found[j] = counts
    return found


def require_row_law(model: Model) -> None:
    """Refuse a model that cannot be updated."""
    if model.layout.is_lattice or not model.layout.has_row_law:
        raise OptionError(
            "An update needs a model of rows; this one is a tied chain, or a joint series.",
            remedy="Fit it again.",
        )


def require_rows(table: Table) -> None:
    """Refuse fewer rows than an update needs."""
    if table.n_rows < MIN_ROWS:
        raise DataError(
            f"An update needs at least {MIN_ROWS} new rows, found {table.n_rows}.",
            remedy="Collect more, or use calibrate for the alarms alone.",
        )
