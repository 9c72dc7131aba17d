"""Updating a part of a model: some sensors are learned again from new rows, all others stay.

What learning again does is in `locality.inference.updating.relearning`. A gate decides: on the
latest rows, which the challenger has not seen, all components that changed must be no worse than
before, with a confidence bound. Otherwise nothing changes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.table import Table
from locality.exceptions import DataError, OptionError
from locality.inference.judging.reference import learned_reference, relearned_reference
from locality.inference.judging.stream import sensor_surprise
from locality.inference.updating.drift import drift, upper_bound
from locality.inference.updating.gate import fresh_nats
from locality.inference.updating.relearning import Learning, learn_again, lookers
from locality.model.model import Model

__all__ = ["MIN_ROWS", "Update", "choose_sensors", "n_training", "require_row_law", "update_model"]

_HELD_OUT = 0.3  # of the new rows, the latest
MIN_ROWS = 60
_MIN_SEEN = 10  # values of a sensor, learned from and kept back, for it to be learned again
_MIN_REFERENCE = 100  # held-out rows from which alarms are measured anew
_GATE_LEVEL = 0.05
_ROUNDS = 4  # in which gaps are filled where sensors come or go


@dataclass(frozen=True)
class Update:
    """What an update did, or why it did nothing.

    Parameters
    ----------
    accepted : bool
    sensors : tuple of str
        Learned again.
    rescaled : tuple of str
        Those of them whose mean or spread has moved.
    affected : tuple of str
        Sensors that look at a rescaled one; they are judged by the gate, not learned again.
    champion, challenger : float
        Mean nats per component and held-out row before and after, in the units of the table.
    change, bound : float
        Difference of the two, and its upper confidence bound (95 %).
    margin : float or None
        What the bound may not exceed.
    n_rows, n_held_out : int
        New rows learned from, and kept back for the gate.
    n_shards, n_shards_new : int
        Shards in all, and those that are new.
    added, removed : tuple of str
        Columns that the model has now, and those that it had.
    """

    accepted: bool
    sensors: tuple[str, ...]
    rescaled: tuple[str, ...]
    affected: tuple[str, ...]
    champion: float
    challenger: float
    change: float
    bound: float
    margin: float | None
    n_rows: int
    n_held_out: int
    n_shards: int
    n_shards_new: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain data; None where nothing was measured."""
        return {
            key: None if isinstance(value, float) and np.isnan(value) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def nothing(cls, model: Model, margin: float | None) -> "Update":
        """No sensor was to be learned again."""
        nan = float("nan")
        return cls(False, (), (), (), nan, nan, nan, nan, margin, 0, 0, len(model.shards), 0)


def choose_sensors(
    model: Model, table: Table, sensors: str | int | Sequence[str], level: float
) -> IntArray:
    """Numbers of the targets to be learned again.

    Parameters
    ----------
    model : Model
    table : Table
        New rows.
    sensors : "drifted", "all", int or sequence of str
        Those whose surprise has risen; all; so many whose surprise has risen most; or names.
    level : float
        Of any false call of drift.

    Raises
    ------
    OptionError, DataError
        If the choice is none of these, or a name is no component.
    """
    require_row_law(model)
    _require_rows(table)
    names = model.layout.names
    few = _seldom_seen(model, table)
    if isinstance(sensors, str) and sensors == "all":
        return np.setdiff1d(np.arange(len(names)), list(few))
    if isinstance(sensors, bool | np.bool_):
        raise OptionError(f"sensors must not be a truth value, found {sensors}.")
    if not isinstance(sensors, str | int | np.integer):
        unknown = [name for name in sensors if name not in names]
        if unknown:
            raise DataError(
                f"The model has no component {unknown[0]!r}.",
                remedy=f"It models {', '.join(names[:10])}" + (", …" if len(names) > 10 else "."),
            )
        if not len(sensors):
            raise OptionError("No sensor was named.", remedy='Name some, or pass "drifted".')
        chosen = np.unique([names.index(name) for name in sensors])
        for j in chosen.tolist():
            if j in few:
                raise DataError(
                    f"Sensor {names[j]!r} has {few[j][0]} values in the first 70 % of the "
                    f"new rows and {few[j][1]} in the rest, which is kept back to judge it by; "
                    f"at least {_MIN_SEEN} each are needed.",
                    remedy="Collect more rows in which it is there, or leave it out.",
                )
        return chosen
    if isinstance(sensors, str) and sensors != "drifted":
        raise OptionError(
            f'sensors must be "drifted", "all", a number or a list of names, found {sensors!r}.'
        )
    if model.reference is None:
        raise OptionError(
            "The model does not know how normal rows look.",
            remedy="Name the sensors, or calibrate it with normal rows.",
        )
    excess = sensor_surprise(model, table) - model.reference.mean
    found = drift(excess, model.reference.deviation, model.reference.n_rows, level)
    if isinstance(sensors, str):
        return np.setdiff1d(np.flatnonzero(found.drifted), list(few))
    if not 1 <= sensors <= len(names):
        raise OptionError(f"sensors must be 1 to {len(names)} of them, found {sensors}.")
    worst = np.argsort(-found.excess)
    return np.sort(worst[~np.isin(worst, list(few))][:sensors])


def _seldom_seen(model: Model, table: Table) -> dict[int, tuple[int, int]]:
    """Targets with too few values to be learned again, and how many there are in the rows learned
    from and in those kept back.
    """
    n_train, known = n_training(table), table.observed
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


def _require_rows(table: Table) -> None:
    if table.n_rows < MIN_ROWS:
        raise DataError(
            f"An update needs at least {MIN_ROWS} new rows, found {table.n_rows}.",
            remedy="Collect more, or use calibrate for the alarms alone.",
        )


def n_training(table: Table) -> int:
    """How many of the first rows are learned from; the others are kept back for the gate."""
    return table.n_rows - int(_HELD_OUT * table.n_rows)


def update_model(
    model: Model,
    table: Table,
    chosen: IntArray,
    learning: Learning,
    *,
    mix: Table | None = None,
    margin: float | None = 0.01,
    gate_on: IntArray | None = None,
) -> tuple[Model, Update]:
    """Learn some components again.

    Parameters
    ----------
    model : Model
        The champion.
    table : Table
        New rows, in order of time.
    chosen : int array
        Numbers of targets, ascending.
    learning : Learning
    mix : Table, optional
        Older rows to be learned from as well.
    margin : float or None
        Nats per component by which the challenger may seem worse; None: no gate.
    gate_on : int array, optional
        Where sensors come or go: the targets that the gate asks about, instead of all that change.
        Networks are trained in full then, and gaps are filled in rounds.

    Returns
    -------
    model : Model
        The challenger if it was accepted, else the champion.
    update : Update
    """
    _require_rows(table)
    n_train = n_training(table)
    parts = [] if mix is None else [(mix, mix.n_rows)]
    parts.append((table, n_train))
    revised = gate_on is not None
    drawn_from, nodes = model, model.domain.targets[chosen]
    if revised and any((~part.observed[:stop]).any() for part, stop in parts):
        simple = learning.linear
        for _ in range(_ROUNDS):
            drawn_from, _ = learn_again(model, drawn_from, nodes, parts, simple, revised)
    challenger, fresh = learn_again(model, drawn_from, nodes, parts, learning, revised)
    names = model.layout.names
    old, new = model.standardizer, challenger.standardizer
    rescaled = np.flatnonzero((new.mean != old.mean) | (new.scale != old.scale))
    affected = np.setdiff1d(lookers(model, rescaled), chosen)
    judged = np.union1d(chosen, affected)
    asked = np.isin(judged, gate_on) if gate_on is not None and len(gate_on) else slice(None)
    before, after = (
        fresh_nats(end, table, judged, n_train)[:, asked] for end in (model, challenger)
    )
    rises = _rises(before, after)
    if not len(rises):
        raise _unjudged(table.n_rows - n_train, [names[j] for j in judged])
    change, bound = upper_bound(rises, _GATE_LEVEL)
    accepted = margin is None or bound <= margin
    told = Update(
        accepted=accepted,
        sensors=tuple(names[j] for j in chosen),
        rescaled=tuple(model.domain.names[node] for node in rescaled),
        affected=tuple(names[j] for j in affected),
        champion=float(np.nanmean(before)),
        challenger=float(np.nanmean(after)),
        change=change,
        bound=bound,
        margin=margin,
        n_rows=sum(stop for _, stop in parts),
        n_held_out=table.n_rows - n_train,
        n_shards=len(challenger.shards),
        n_shards_new=len(fresh),
    )
    if not accepted:
        return model, told
    if revised:
        challenger = replace(challenger, normal=learned_reference(challenger, table))
    elif model.reference is not None:
        first = n_train if table.n_rows - n_train >= _MIN_REFERENCE else None
        known = relearned_reference(model.reference, challenger, parts, chosen, table, first)
        challenger = replace(challenger, normal=known)
    return challenger, told


def _rises(before: FloatArray, after: FloatArray) -> FloatArray:
    """Mean rise of nats per component, of every row in which one is known."""
    seen = ~np.isnan(before)
    count = seen.sum(axis=1)
    sums = np.where(seen, after - before, 0.0).sum(axis=1)
    return np.asarray(sums[count > 0] / count[count > 0])


def _unjudged(n_held_out: int, names: list[str]) -> DataError:
    return DataError(
        f"The last {n_held_out} rows, kept back to judge the update by, have no value of "
        f"{names[0]!r}" + (" or the others." if len(names) > 1 else "."),
        remedy="Pass rows that end with values of the sensors.",
    )
