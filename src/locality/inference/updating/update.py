"""Updating a part of a model: some sensors are learned again from new rows, all others stay.

What learning again does is in `locality.inference.updating.relearning`; from which rows, in
`normal_rows`. A gate decides: on the latest rows, which the challenger has not seen, all components
that changed must be no worse than before, with a confidence bound; and whatever was kept out of
learning, now or earlier, must still raise an alarm. Otherwise nothing changes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.exceptions import DataError
from locality.inference.judging.promise import Promise
from locality.inference.judging.stream import judge
from locality.inference.updating.drift import upper_bound
from locality.inference.updating.gate import fresh_nats
from locality.inference.updating.normal_rows import NormalRows
from locality.inference.updating.outcome import Update, most_blamed
from locality.inference.updating.relearning import Learning, learn_again, lookers
from locality.inference.updating.remeasured import learned_reference, relearned_reference
from locality.inference.updating.strange import is_found, merged, same_rows
from locality.model.model import Model
from locality.model.strange import StrangeWindow

__all__ = ["forgotten", "silenced", "to_be_found", "update_model"]

_GATE_LEVEL = 0.05
_FEWEST, _STILL = 5, 0.9  # extreme rows, and the share of them that must stay in alarm
_ROUNDS = 4  # in which gaps are filled where sensors come or go


def update_model(
    model: Model,
    rows: NormalRows,
    chosen: IntArray,
    learning: Learning,
    *,
    mix: NormalRows | None = None,
    margin: float | None = 0.01,
    gate_on: IntArray | None = None,
) -> tuple[Model, Update]:
    """Learn some components again.

    Parameters
    ----------
    model : Model
        The champion.
    rows : NormalRows
        New ones.
    chosen : int array
        Numbers of targets, ascending.
    learning : Learning
    mix : NormalRows, optional
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
    table, n_train = rows.table, rows.n_train
    parts = [] if mix is None else mix.runs(len(mix))
    n_older = len(parts)
    parts += rows.runs(n_train)
    if len(parts) == n_older:
        raise _too_short(model.layout.n_lags)
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
    held_out = rows.held_out[n_train:]
    before, after = (
        fresh_nats(end, table, judged, n_train)[held_out][:, asked] for end in (model, challenger)
    )
    rises = _rises(before, after)
    if not len(rises):
        raise _unjudged(int(held_out.sum()), [names[j] for j in judged])
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
        n_held_out=int(held_out.sum()),
        n_shards=len(challenger.shards),
        n_shards_new=len(fresh),
    ).about(rows, mix)
    if not accepted:
        return model, replace(
            told,
            why=f"By the bound the sensors may be worse by more than {margin:g} nats each. More "
            "rows make the bound tighter; --margin (margin=…) states what is accepted.",
        )
    if revised:
        fresh_normal = learned_reference(challenger, rows.compact, rows.across)
        challenger = replace(challenger, normal=fresh_normal)
    elif model.reference is not None:
        normal = [part.rows(0, stop) for part, stop in parts[:n_older] + rows.runs(len(rows))]
        known = relearned_reference(model.reference, challenger, normal, n_older, chosen)
        challenger = replace(challenger, normal=known)
    windows = to_be_found(model, rows, mix)
    lost = forgotten(challenger, windows) or silenced(challenger, rows)
    if lost:
        return model, told.refused(lost)
    return replace(challenger, strange=merged(windows)), told


def to_be_found(
    model: Model, rows: NormalRows, mix: NormalRows | None = None
) -> list[StrangeWindow]:
    """What a successor of a model must find: what was left out now, and before.

    Rows that a person has declared to be those of another process are no longer strange.
    """
    fresh = [window for part in (rows, mix) if part is not None for window in part.windows]
    older = list(model.strange)
    if rows.process_change is not None:
        older = [window for window in older if not same_rows(window, rows.table.values)]
    return [*older, *fresh]


def forgotten(challenger: Model, windows: Sequence[StrangeWindow]) -> str:
    """The first window that a challenger takes for normal, in words; "" if there is none."""
    if challenger.reference is None:
        return ""
    for window in windows:
        if is_found(challenger, window):
            continue
        sensor = challenger.standardizer.names[window.column]
        return (
            f"What was abnormal would no longer raise an alarm: {window.place}, because of "
            f"{sensor}. Learn from rows without it; if that is how the process is meant to run "
            'now, pass these rows with process_change="reason" (--process-change "reason").'
        )
    return ""


def silenced(challenger: Model, rows: NormalRows) -> str:
    """Whether a challenger is silent in rows that were left out because they are extreme, in words;
    "" if it has an alarm in nine of ten.
    """
    n = int(rows.extreme.sum())
    if n < _FEWEST or challenger.reference is None:
        return ""
    alarm = judge(challenger, rows.table, Promise()).alarm[rows.extreme]
    if alarm.mean() >= _STILL:
        return ""
    return (
        f"Only {int(alarm.sum()):,} of {n:,} extreme rows that were left out, mostly because of "
        f"{' and '.join(most_blamed(rows.left_out))}, would still raise an alarm. Learn from rows "
        "without them; if that is how the process is meant to run now, say so: "
        'process_change="reason" (--process-change "reason").'
    )


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


def _too_short(n_lags: int) -> DataError:
    return DataError(
        f"Between rows in alarm no {n_lags + 1} normal ones follow each other.",
        remedy="Pass rows without alarms.",
    )
