"""The reference of a fitted model: what its alarms are measured against.

Rows that a law was learned from surprise it less than fresh ones. So each third of the table is
judged by the law of the other two; what networks gain on top is taken from the model itself. Rows
known to be normal that the model has not seen are better still, see ``calibration``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from time import perf_counter

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.table import Table
from locality.exceptions import DataError
from locality.inference.judging.evidence import bounds_of, scores
from locality.inference.judging.levels import levels_of, log_p_values
from locality.inference.judging.memory import MEMORIES, Memory, sensor_nats
from locality.inference.judging.networks import network_gain
from locality.inference.laws.learning import LawMoments, Relearned, looks_across
from locality.inference.laws.repair import repair
from locality.inference.laws.row_law import Operator, RowLaw
from locality.inference.laws.sequential import SequentialLaw, sequence
from locality.inference.laws.window import Window
from locality.model.model import Model
from locality.model.reference import Reference

__all__ = [
    "CrossFit",
    "calibration",
    "fresh_reference",
    "law_of",
    "learned_reference",
    "plain_rows",
    "relearned_reference",
    "sensors_of",
]

_PARTS = 3
_MOST_JUDGED, _LEAST_JUDGED = 5_000, 200  # rows of a part
_MOST_VALUES = 2_000_000  # judged of a part
_MOST_LEARNED = 1 << 26  # values a law is learned from
_MIN_NORMAL = 20  # rows
_MIN_MEASURED = 300  # new rows from which alarms are measured anew
_LESS = 0.5  # times as many rows may have been behind levels that are kept
_CHECKED, _APART = 0.05, 2.5  # share of rows that levels are checked by, and a factor of it
_BLOCKS, _MIN_BLOCK = 5, 10  # rows in a row that are judged by the levels of all others
_USUAL = 0.9  # share of residuals that tell their spread
_LEAST_SPREAD = 0.2  # of the root of the mean square


def law_of(reference: Reference) -> RowLaw:
    """The law of a row by which a reference was measured."""
    return reference.derived(_law_of)


def _law_of(reference: Reference) -> RowLaw:
    return RowLaw.from_arrays(reference.law)


def sensors_of(reference: Reference) -> tuple[Operator, Operator]:
    """From innovations to what they say of each sensor alone."""
    return reference.derived(_sensors_of)


def _sensors_of(reference: Reference) -> tuple[Operator, Operator]:
    return law_of(reference).of_sensors(reference.spread)


def plain_rows(model: Model, table: Table) -> FloatArray:
    """Values of the nodes in the units of the table [n_rows, n_nodes]; of a model of rows."""
    standardizer = model.standardizer
    return np.asarray(standardizer.known(table.values)[:, standardizer.modeled], dtype=np.float64)


def measured(
    law: RowLaw,
    innovations: FloatArray,
    residual: FloatArray,
    gain: FloatArray | None,
    *,
    ordered: bool,
) -> Reference:
    """From normal rows that the law was not learned from.

    Parameters
    ----------
    law : RowLaw
    innovations : float array [n_rows, n_components]
        In order of time; NaN where missing.
    residual : float array [n_rows, n_components]
        Values minus what their neighbors let expect, in standard deviations.
    gain : float array [n_rows, n_components] or None
        Nats that networks add.
    ordered : bool
        Whether rows follow each other; otherwise nothing is remembered.
    """
    spread, far = _spread(innovations), _spread(residual)
    away, left = innovations / spread, _complete(residual / far)[0]
    nats = sensor_nats(away) if gain is None else sensor_nats(away) + gain
    count = np.maximum((~np.isnan(nats)).sum(axis=0), 1)
    mean = np.nansum(nats, axis=0) / count
    deviation = np.sqrt(np.nansum((nats - mean) ** 2, axis=0) / count)
    away, nats = _complete(away, nats)
    start = Memory.empty(len(mean), float(mean.sum()), len(MEMORIES) if ordered else 1)
    channels, _ = start.take(away, nats.sum(axis=1), law.of_sensors(spread))
    n = channels.shape[1]
    block = np.arange(n) * _BLOCKS // n if n >= _BLOCKS * _MIN_BLOCK else np.arange(n) * 0
    statistic = np.empty(n)
    for k in np.unique(block):
        others = block != k if block.any() else block == k
        known = levels_of(channels[:, others])
        statistic[block == k] = -log_p_values(known, channels[:, block == k]).sum(axis=0)
    total = nats.sum(axis=1)
    whole = float(np.maximum(total.std(), 1e-6))
    psi = scores(away, total, float(mean.sum()), whole)
    return Reference(
        spread, mean, np.maximum(deviation, 1e-6), whole, far, levels_of(channels),
        levels_of(statistic[None]), levels_of(np.abs(left).T), bounds_of(psi), n, law.arrays(),
    )  # fmt: skip


def _complete(*parts: FloatArray) -> list[FloatArray]:
    """The same with values of other rows where they are missing: rows without gaps vary more than
    rows in which gaps say nothing, and it is against these that all are judged.
    """
    missing = np.isnan(parts[0])
    if not missing.any():
        return list(parts)
    row = np.tile(np.arange(len(missing))[:, None], missing.shape[1])
    for j in np.flatnonzero(missing.any(axis=0)):
        known = np.flatnonzero(~missing[:, j])
        row[missing[:, j], j] = np.resize(known, len(missing) - len(known)) if len(known) else 0
    return [np.nan_to_num(np.take_along_axis(part, row, axis=0)) for part in parts]


def _spread(residual: FloatArray) -> FloatArray:
    """Spread of residuals by their 90 % quantile [n_components]."""
    size = np.abs(np.where(np.isnan(residual), np.nan, residual))
    empty = np.isnan(size).all(axis=0)
    size[:, empty] = 1.0
    quantile = np.nanquantile if np.isnan(size).any() else np.quantile
    usual = quantile(size, _USUAL, axis=0) / NormalDist().inv_cdf(0.5 + 0.5 * _USUAL)
    root = np.sqrt(np.nanmean(size**2, axis=0))
    return np.asarray(np.maximum(np.maximum(usual, _LEAST_SPREAD * root), 1e-6))


def fresh_reference(
    model: Model, law: RowLaw, table: Table, kept: BoolArray | None = None
) -> Reference:
    """Of some normal rows, by default all; the others are only looked back upon."""
    rows = model.layout.standard_rows(table)
    innovations, _, _ = Window.empty(law).take(law, law.plain(plain_rows(model, table)))
    residual = repair(model.field, rows, np.inf).residual.T
    gain = network_gain(model, rows)
    which = slice(None) if kept is None else kept
    return measured(
        law,
        innovations[which],
        residual[which],
        None if gain is None else gain[which],
        ordered=model.is_ordered,
    )


def calibration(model: Model, table: Table) -> Reference:
    """The reference of rows that are known to be normal."""
    model = model.unrolled
    rows = model.layout.standard_rows(table)
    known = ~np.isnan(rows[model.domain.targets])
    n_seen = int(known.any(axis=0).sum())
    if n_seen < _MIN_NORMAL:
        raise DataError(
            f"Calibration needs at least {_MIN_NORMAL} normal rows with values, found {n_seen}."
        )
    known_before = model.reference
    law = _implied_law(model) if known_before is None else law_of(known_before)
    return fresh_reference(model, law, table)


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
    return fresh_reference(model, _implied_law(model), table, kept)


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
    part = np.concatenate([np.zeros(older, np.int64), 1 + np.arange(n_new) * _PARTS // n_new])
    old, new = law_of(known), np.concatenate(filled)
    learned = Relearned.of(old, model.field, new, chosen, part, skipped)
    if n_new < _MIN_MEASURED:
        return replace(known, law=learned.law().arrays())
    rows, plain = np.concatenate(standard, axis=1), np.concatenate(seen)
    found = []
    for k in range(1, _PARTS + 1):
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
    away = innovations / fresh.spread
    nats = sensor_nats(away) if gain is None else sensor_nats(away) + gain
    nats, away = np.where(np.isnan(nats), fresh.mean, nats), np.where(np.isnan(away), 0.0, away)
    n_memories = len(MEMORIES) if ordered else 1
    start = Memory.empty(len(fresh.mean), float(fresh.mean.sum()), n_memories)
    channels, _ = start.take(away, nats.sum(axis=1), sensors_of(fresh))
    statistic = -log_p_values(known.channels, channels).sum(axis=0)
    share = float((log_p_values(known.statistic, statistic[None]) <= np.log(_CHECKED)).mean())
    if not _CHECKED / _APART <= share <= _CHECKED * _APART:
        return fresh
    return replace(fresh, channels=known.channels, statistic=known.statistic, n_rows=known.n_rows)


def _implied_law(model: Model) -> RowLaw:
    """What the closed form implies, with columns in their units alone: where no rows are left to
    learn a law from.
    """
    domain = model.domain
    ends = np.array([[-1.0], [0.0], [1.0]]) * np.ones(domain.n_nodes)
    low, center, high = model.standardizer.values_of(ends, domain.names)
    unit = np.where(high > low, 0.5 * (high - low), 1.0)
    order = np.argsort(np.argsort(sequence(domain)[domain.targets]))
    context = np.array(domain.context, dtype=np.int64)
    laws = tuple(
        replace(law, past=law.past[:k], context=law.context[: k + 1])
        for k, law in enumerate(SequentialLaw.of(model.field))
    )
    return RowLaw(laws, center, unit, domain.targets, context, order)


@dataclass(frozen=True, eq=False)
class CrossFit:
    """The reference of the rows that a model was fitted to; worked out when it is first asked for.

    Parameters
    ----------
    rows : float array [n_rows, n_nodes]
        As learned from: standardized and complete.
    values : float array [n_rows, n_columns]
        The table; NaN where missing.
    skipped : bool array [n_rows], optional
        Rows that are the past of others, but are not counted themselves.
    """

    rows: FloatArray
    values: FloatArray
    skipped: BoolArray | None = None

    def __call__(self, model: Model) -> Reference | None:
        """How normal rows look to the model; None if there are too few."""
        start = perf_counter()
        layout, (n_rows, n_nodes) = model.layout, self.rows.shape
        if not layout.has_row_law or n_rows < 10 * _PARTS * (layout.n_lags + 1):
            return None
        part = np.arange(n_rows) * _PARTS // n_rows
        kept = self._kept(part, max(_MOST_LEARNED // n_nodes, _PARTS * _LEAST_JUDGED))
        part, standardizer = part[kept], model.standardizer
        known = standardizer.known(self.values[kept])
        known = standardizer.measured(known, model.settings.seed)
        rows = standardizer.standardize(known).T
        values = np.asarray(known[:, standardizer.modeled], dtype=np.float64)
        missing = np.isnan(values)
        if missing.any():
            filled = np.asarray(self.rows[kept], dtype=np.float64)
            rows = np.where(missing.T, filled.T, rows)
            named = standardizer.values_of(filled, standardizer.modeled_names)
            values = np.where(missing, named, values)
        center, unit = values.mean(axis=0), values.std(axis=0)
        unit = np.where(unit > 0.0, unit, 1.0)
        plain = ((values - center) / unit).T
        skipped = np.zeros(len(part), dtype=bool) if self.skipped is None else self.skipped[kept]
        moments = LawMoments.of(model.field, plain, part, skipped=skipped)
        usual = LawMoments.of(model.field, rows, part, local=True, skipped=skipped)
        most = min(_MOST_JUDGED, max(_LEAST_JUDGED, _MOST_VALUES // n_nodes))
        found, left, places = [], [], []
        for k in range(_PARTS):
            inside = np.flatnonzero(part == k)[:most]
            law = moments.law(center, unit, without=k)
            seen = np.where(missing[inside], np.nan, plain[:, inside].T)
            counted = ~skipped[inside]
            found.append(Window.empty(law).take(law, seen)[0][counted])
            conditional = usual.conditionals(without=k)
            left.append(_left(conditional, rows[:, inside], missing[inside])[counted])
            places.append(inside[counted])
        gain = network_gain(model, rows)
        found_reference = measured(
            moments.law(center, unit),
            np.concatenate(found),
            np.concatenate(left),
            None if gain is None else gain[np.concatenate(places)],
            ordered=model.is_ordered,
        )
        model.seconds["reference"] = perf_counter() - start
        return found_reference

    def _kept(self, part: np.ndarray, most: int) -> np.ndarray:
        """The first rows of every part, if they are very many."""
        n = most // _PARTS
        return np.concatenate([np.flatnonzero(part == k)[:n] for k in range(_PARTS)])


def _left(laws: tuple, rows: FloatArray, missing: BoolArray) -> FloatArray:  # type: ignore[type-arg]
    """Residuals given neighborhoods [n_rows, n_targets], in standard deviations."""
    law = laws[-1]
    residual = (rows[law.targets] - law.expected(rows)) / law.scale[:, None]
    residual[:, : len(laws) - 1] = np.nan
    return np.asarray(np.where(missing[:, law.targets], np.nan, residual.T))
