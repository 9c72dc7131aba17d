"""Updating a part of a model: some sensors are learned again from new rows, all others stay.

Chosen components get shards of their own, which start from the present networks; what remains of
the shards they leave is cut out, not trained, and all other shards are the same bits as before. A
gate decides: on the latest rows, which the challenger has not seen, all components that changed
must be no worse than before, with a confidence bound. Otherwise nothing changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.artifact.model import Model
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.estimator.detection import standard_rows
from locality.estimator.gate import Judged
from locality.estimator.layout import limits
from locality.estimator.reference import has_row_law, nats_by_band
from locality.exceptions import DataError, OptionError
from locality.inference.drift import drift, upper_bound
from locality.inference.imputation import GaussianTable
from locality.inference.repair import repair
from locality.local.field import ScoreField
from locality.local.shard import ShardState
from locality.noise.levels import NoiseLevels
from locality.training.executors import executor
from locality.training.options import TrainingOptions
from locality.training.trainer import Trainer

__all__ = ["Update", "choose_sensors", "update_model"]

_HELD_OUT = 0.3  # of the new rows, the latest
_MIN_ROWS = 60
_MIN_REFERENCE = 100  # held-out rows from which alarms are measured anew
_MOVED = 0.1  # of a standard deviation, or of its logarithm: a changed scale
_GATE_LEVEL = 0.05
_DRAWS = 3  # of missing values, side by side


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
    if model.is_lattice or not has_row_law(model.domain):
        raise OptionError(
            "An update needs a model of rows; this one is a lattice, or a joint series.",
            remedy="Fit it again.",
        )
    names = [model.domain.names[node] for node in model.domain.targets]
    if isinstance(sensors, str) and sensors == "all":
        return np.arange(len(names))
    if not isinstance(sensors, str | int):
        unknown = [name for name in sensors if name not in names]
        if unknown:
            raise DataError(
                f"The model has no component {unknown[0]!r}.",
                remedy=f"It models {', '.join(names[:10])}" + (", …" if len(names) > 10 else "."),
            )
        if not len(sensors):
            raise OptionError("No sensor was named.", remedy='Name some, or pass "drifted".')
        return np.unique([names.index(name) for name in sensors])
    if isinstance(sensors, str) and sensors != "drifted":
        raise OptionError(
            f'sensors must be "drifted", "all", a number or a list of names, found {sensors!r}.'
        )
    if model.reference is None:
        raise OptionError(
            "The model does not know how normal rows look.",
            remedy="Name the sensors, or calibrate it with normal rows.",
        )
    rows = standard_rows(model, table)
    complete = repair(model.field, rows, np.inf).values
    nats = nats_by_band(model.field, model.levels, complete).sum(axis=0)
    nats[np.isnan(rows[model.domain.targets].T)] = np.nan
    excess = nats - model.reference.mean.sum(axis=0)
    deviation = np.sqrt((model.reference.deviation**2).sum(axis=0))
    found = drift(excess, deviation, model.reference.n_rows, level)
    if isinstance(sensors, str):
        return np.flatnonzero(found.drifted)
    if not 1 <= sensors <= len(names):
        raise OptionError(f"sensors must be 1 to {len(names)} of them, found {sensors}.")
    return np.sort(np.argsort(-found.excess)[:sensors])


def update_model(
    model: Model,
    table: Table,
    chosen: IntArray,
    parameters: Mapping[str, Any],
    progress: Callable[[str, int, int], None],
    *,
    mix: Table | None = None,
    margin: float | None = 0.01,
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
    parameters : mapping
        Of the estimator.
    progress : callable
    mix : Table, optional
        Older rows to be learned from as well.
    margin : float or None
        Nats per component by which the challenger may seem worse; None: no gate.

    Returns
    -------
    model : Model
        The challenger if it was accepted, else the champion.
    update : Update
    """
    if table.n_rows < _MIN_ROWS:
        raise DataError(
            f"An update needs at least {_MIN_ROWS} new rows, found {table.n_rows}.",
            remedy="Collect more, or use calibrate for the alarms alone.",
        )
    n_train = table.n_rows - int(_HELD_OUT * table.n_rows)
    targets = model.domain.targets
    nodes, names = targets[chosen], [model.domain.names[node] for node in targets]
    parts = [] if mix is None else [(mix, mix.n_rows)]
    parts.append((table, n_train))
    values = np.concatenate([part.values[:stop] for part, stop in parts])
    standardizer = model.standardizer.rescaled([names[j] for j in chosen], values, _MOVED)
    state, observed = _training_state(model, standardizer, parts)
    kept, leaving = _cut(model, nodes)
    training = None
    if parameters["score"] == "neural":
        training = TrainingOptions(n_steps=parameters["n_steps"])
        if any(len(shard.network_unit) for shard in leaving):
            training = training.refitting()
    workers = executor(parameters["n_jobs"], parameters["engine"])
    trainer = Trainer(model.domain, parameters["radius"], training, model.settings["seed"], workers)
    # few large shards, whatever shards the components come from: small ones waste time
    everything = np.concatenate([shard.target for shard in leaving])
    n_shards = -(-len(everything) // trainer.shard_size)
    cut = [np.sort(part) for part in np.array_split(everything, n_shards)]
    warm = [tuple(s for s in leaving if np.isin(s.target, part).any()) for part in cut]
    fresh = trainer.train(state, progress, observed=observed, cut=cut, warm=warm).shards
    bounds = model.limits.copy()
    bounds[nodes] = limits(state)[nodes]
    challenger = replace(
        model,
        standardizer=standardizer,
        shards=(*kept, *fresh),
        limits=bounds,
        levels=_levels(model, fresh),
    )
    rescaled = np.flatnonzero(standardizer.mean != model.standardizer.mean)
    affected = np.setdiff1d(_lookers(model, rescaled), chosen)
    judged = np.union1d(chosen, affected)
    ends = [Judged.of(m, table, judged, n_train, m is challenger) for m in (model, challenger)]
    before, after = (end.nats(table.values[n_train:]) for end in ends)
    seen = ~np.isnan(before)
    count = seen.sum(axis=1)
    sums = np.where(seen, after - before, 0.0).sum(axis=1)
    known = count > 0
    change, bound = upper_bound(sums[known] / count[known], _GATE_LEVEL)
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
        n_rows=len(values),
        n_held_out=table.n_rows - n_train,
        n_shards=len(challenger.shards),
        n_shards_new=len(fresh),
    )
    if not accepted:
        return model, told
    if table.n_rows - n_train >= _MIN_REFERENCE:
        challenger = replace(challenger, reference=ends[1].reference())
    return challenger, told


def _training_state(
    model: Model, standardizer: Standardizer, parts: Sequence[tuple[Table, int]]
) -> tuple[FloatArray, BoolArray | None]:
    """First rows of some tables in the units of a standardizer, one after the other; gaps are
    drawn from the model.
    """
    old, domain = model.standardizer, model.domain
    rows = [old.training_rows(part.values[:stop]).T for part, stop in parts]
    known = ~np.isnan(np.concatenate(rows, axis=1))
    n_draws = 1 if known.all() else _DRAWS
    rng = np.random.default_rng(model.settings["seed"])
    filled = []
    for part in rows:
        draws = np.repeat(part[None], n_draws, axis=0)
        if n_draws > 1:
            found = GaussianTable(model.field).posterior(part, n_draws, rng, n_variance=0)
            draws[:, domain.targets] = found.draws
        filled.append(draws)
    z = np.concatenate(filled, axis=2)
    factor = (old.scale / standardizer.scale)[:, None]
    shift = ((old.mean - standardizer.mean) / standardizer.scale)[:, None]
    state = np.ascontiguousarray((z * factor + shift).transpose(1, 2, 0))
    observed = None
    if n_draws > 1:
        observed = np.repeat(known[:, :, None], n_draws, axis=2)
    if domain.axes:
        return state, observed
    flat = None if observed is None else observed.reshape(len(observed), -1)
    return state.reshape(len(state), -1), flat


def _cut(model: Model, nodes: IntArray) -> tuple[list[ShardState], list[ShardState]]:
    """What stays of the shards, and the parts of them that own the nodes."""
    kept, leaving = [], []
    for shard in model.shards:
        chosen = np.isin(shard.target, nodes)
        if not chosen.any():
            kept.append(shard)
            continue
        if not chosen.all():
            kept.append(shard.take(np.flatnonzero(~chosen)))
        leaving.append(shard.take(np.flatnonzero(chosen)))
    return kept, leaving


def _levels(model: Model, fresh: Sequence[ShardState]) -> NoiseLevels:
    """Noise levels that suit the present shards and the new ones."""
    part = ScoreField(model.domain, tuple(fresh))
    new = NoiseLevels.for_scales(part.conditional_scale, part.largest_variance)
    old = model.levels
    return NoiseLevels(min(old.sigma_min, new.sigma_min), max(old.sigma_max, new.sigma_max))


def _lookers(model: Model, nodes: IntArray) -> IntArray:
    """Numbers of the targets that look at one of the nodes."""
    found = []
    for shard in model.shards:
        at = np.append(np.isin(shard.source_node, nodes), False)
        looks = np.asarray(at[shard.noisy].any(axis=1) | at[shard.given].any(axis=1))
        looks[shard.network_unit] |= at[shard.network_noisy].any(axis=1)
        looks[shard.network_unit] |= at[shard.network_given].any(axis=1)
        found.append(shard.target[looks])
    return np.searchsorted(model.domain.targets, np.unique(np.concatenate(found)))
