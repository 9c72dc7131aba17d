"""Learning again: some components of a model are learned from new rows, all others stay.

Chosen components get shards of their own, which start from the present networks; what remains of
the shards they leave is cut out, not trained, and all other shards are the same bits as before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.data.transforms_fit import rescaled
from locality.domain.domain import Domain
from locality.inference.laws.learning import looks_across
from locality.inference.laws.table import GaussianTable
from locality.local.field import ScoreField
from locality.local.shard import ShardState
from locality.model.layout import limits_of, stacked
from locality.model.learning import trainer_for, training_options
from locality.model.model import Model
from locality.model.settings import Settings
from locality.noise.levels import NoiseLevels
from locality.training.execution import Execution
from locality.training.trainer import quiet

__all__ = ["Learning", "learn_again", "lookers", "wider_levels"]

_MOVED = 0.1  # of a standard deviation, or of its logarithm: a changed scale
_DRAWS = 3  # of missing values, side by side


@dataclass(frozen=True, eq=False)
class Learning:
    """How sensors are learned again.

    Parameters
    ----------
    settings : Settings
    execution : Execution
    progress : callable
        Called with (stage, shards done, shards in all).
    """

    settings: Settings
    execution: Execution = field(default_factory=Execution)
    progress: Callable[[str, int, int], None] = quiet

    @property
    def linear(self) -> "Learning":
        """The same without networks."""
        return replace(self, settings=self.settings.replace(denoiser="linear"))


def learn_again(
    model: Model,
    drawn_from: Model,
    nodes: IntArray,
    parts: Sequence[tuple[Table, int]],
    learning: Learning,
    in_full: bool,
) -> tuple[Model, tuple[ShardState, ...]]:
    """Learn some nodes from some tables.

    Parameters
    ----------
    model : Model
    drawn_from : Model
        Of the same domain: gaps are filled with draws from it.
    nodes : int array
        At least one.
    parts : sequence of (Table, int)
        The first so many rows of each: runs that do not follow each other.
    learning : Learning
    in_full : bool
        Train networks as in a fit; otherwise those of a model that has some go on from there.

    Returns
    -------
    model : Model
        With the reference of before.
    fresh : tuple of ShardState
        The shards of the nodes.
    """
    values = np.concatenate([part.values[:stop] for part, stop in parts])
    names = [model.domain.names[node] for node in nodes]
    standardizer = rescaled(model.standardizer, names, values, _MOVED)
    state, observed = _training_state(drawn_from, standardizer, parts)
    kept, leaving = _cut(model, nodes)
    settings = learning.settings.replace(seed=model.settings.seed)
    training = training_options(settings, learning.execution)
    if training and not in_full and any(len(shard.networks) for shard in leaving):
        training = training.refitting()
    trainer = trainer_for(model.domain, settings, learning.execution, training)
    # few large shards, whatever shards the components come from: small ones waste time
    everything = np.concatenate([shard.target for shard in leaving])
    n_shards = -(-len(everything) // trainer.shard_size)
    cut = [np.sort(part) for part in np.array_split(everything, n_shards)]
    warm = [tuple(s for s in leaving if np.isin(s.target, part).any()) for part in cut]
    skipped = looks_across([stop for _, stop in parts], model.layout.n_lags)
    fresh = trainer.train(
        state,
        learning.progress,
        observed=observed,
        cut=cut,
        warm=warm,
        skipped=skipped if skipped.any() else None,
    ).shards
    bounds = model.limits.copy()
    bounds[nodes] = limits_of(state)[nodes]
    learned = replace(
        model,
        standardizer=standardizer,
        field=ScoreField(model.domain, (*kept, *fresh), bounds),
        levels=wider_levels(model.domain, model.levels, fresh),
    )
    return learned, fresh


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
    rng = np.random.default_rng(model.settings.seed)
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
    state = stacked((z * factor + shift).transpose(0, 2, 1), domain)
    if n_draws == 1:
        return state, None
    return state, stacked(np.repeat(known.T[None], n_draws, axis=0), domain)


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


def wider_levels(domain: Domain, levels: NoiseLevels, fresh: Sequence[ShardState]) -> NoiseLevels:
    """Noise levels that suit the present shards and the new ones."""
    part = ScoreField(domain, tuple(fresh))
    new = NoiseLevels.for_scales(part.conditional_scale, part.largest_variance)
    return NoiseLevels(min(levels.sigma_min, new.sigma_min), max(levels.sigma_max, new.sigma_max))


def lookers(model: Model, nodes: IntArray) -> IntArray:
    """Numbers of the targets that look at one of the nodes."""
    found = []
    for shard in model.shards:
        looks, networks = shard.seeing(nodes)
        looks[shard.networks.unit] |= networks
        found.append(shard.target[looks])
    return np.searchsorted(model.domain.targets, np.unique(np.concatenate(found)))
