"""Alarms measured anew, for a model that was learned again, wholly or in part."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.table import Table
from locality.inference.judging.crossfit import PARTS, CrossFit
from locality.inference.judging.levels import log_p_values
from locality.inference.judging.memory import MEMORIES, Memory, combined
from locality.inference.judging.networks import network_gain
from locality.inference.judging.reference import (
    away_of,
    fresh_reference,
    implied_law,
    law_of,
    measured,
    plain_rows,
    sensors_of,
)
from locality.inference.laws.learning import looks_across
from locality.inference.laws.relearned import Relearned
from locality.inference.laws.repair import repair
from locality.inference.laws.window import Window
from locality.model.model import Model
from locality.model.reference import Reference

__all__ = ["learned_reference", "relearned_reference"]

_MIN_MEASURED = 300  # new rows from which alarms are measured anew
_LESS = 0.5  # times as many rows may have been behind levels that are kept
_CHECKED, _APART = 0.05, 2.5  # share of rows that levels are checked by, and a factor of it


def learned_reference(model: Model, table: Table, skipped: BoolArray | None = None) -> Reference:
    """Of a model whose columns have changed, from the rows it was given then.

    Parameters
    ----------
    model : Model
    table : Table
    skipped : bool array [n_rows], optional
        Rows that are the past of others, but are not counted themselves.
    """
    rows = repair(model.field, model.layout.standard_rows(table), np.inf).values
    found = CrossFit(rows.T, table.values, skipped)(model)
    if found is not None:
        return found
    kept = None if skipped is None else ~skipped
    return fresh_reference(model, implied_law(model), table, kept)


def relearned_reference(
    known: Reference,
    model: Model,
    parts: Sequence[Table],
    n_older: int,
    chosen: IntArray,
) -> Reference:
    """Of a model some of whose components were learned again.

    As in a fit, each third of the new rows is judged by a law that the other two teach; with few
    of them alarms are measured as before.

    Parameters
    ----------
    known : Reference
        Of before.
    model : Model
    parts : sequence of Table
        Normal rows, older ones first: runs that do not follow each other.
    n_older : int
        So many runs are of older rows, which are learned from but not judged.
    chosen : int array
        Numbers of the targets.
    """
    filled, seen, standard = [], [], []
    for table in parts:
        values, rows = plain_rows(model, table), model.layout.standard_rows(table)
        seen.append(values)
        if np.isnan(values).any():
            complete = repair(model.field, rows, np.inf).values.T
            named = model.standardizer.values_of(complete, model.standardizer.modeled_names)
            values = np.where(np.isnan(values), named, values)
        filled.append(values)
        standard.append(rows)
    lengths = [len(values) for values in filled]
    older, n_new = sum(lengths[:n_older]), sum(lengths[n_older:])
    skipped = looks_across(lengths, model.layout.n_lags)
    part = np.concatenate([np.zeros(older, np.int64), 1 + np.arange(n_new) * PARTS // n_new])
    old, new = law_of(known), np.concatenate(filled)
    learned = Relearned.of(old, model.field, new, chosen, part, skipped)
    if n_new < _MIN_MEASURED:
        return replace(known, law=learned.law().arrays())
    rows, plain = np.concatenate(standard, axis=1), np.concatenate(seen)
    found = []
    for k in range(1, PARTS + 1):
        law, inside = learned.law(without=k), part == k
        away = Window.empty(law).take(law, law.plain(plain[inside]))[0]
        found.append(away[~skipped[inside]])
    counted = ~skipped & (part > 0)
    gain = network_gain(model, rows)
    residual = repair(model.field, rows, np.inf).residual.T
    away = np.concatenate(found)
    gain = None if gain is None else gain[counted]
    fresh = measured(learned.law(), away, residual[counted], gain, ordered=model.is_ordered)
    return _with_levels(fresh, known, away, gain, ordered=model.is_ordered)


def _with_levels(
    fresh: Reference,
    known: Reference,
    innovations: FloatArray,
    gain: FloatArray | None,
    *,
    ordered: bool,
) -> Reference:
    """The fresh reference with the levels of before, if these suit the new rows.

    Levels of innovations in units of their spread hardly change, and those of every few rows would
    wander off, update by update.
    """
    if known.n_rows < _LESS * fresh.n_rows:
        return fresh
    away, nats = away_of(fresh, innovations, gain)
    n_memories = len(MEMORIES) if ordered else 1
    start = Memory.empty(len(fresh.mean), float(fresh.mean.sum()), n_memories)
    channels, _ = start.take(away, nats, sensors_of(fresh))
    statistic = combined(-log_p_values(known.channels, channels))
    share = float((log_p_values(known.statistic, statistic[None]) <= np.log(_CHECKED)).mean())
    if not _CHECKED / _APART <= share <= _CHECKED * _APART:
        return fresh
    return replace(fresh, channels=known.channels, statistic=known.statistic, n_rows=known.n_rows)
