"""The networks of a shard: at which radii they are tried, how trained, and which are kept.

A network corrects the closed form of its component, and may see less than it: networks profit less
from far slots than they suffer from further inputs. So the smallest radii at which the closed form
loses little are tried side by side, where a regression on a few products gains (`prospects`). Of
the folds the first decides when training stops and which radius is kept; the last, which has the
latest rows, chose nothing of them and has the last word; the others are learned from, and in the
end all are.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from locality._typing import BoolArray, FloatArray, IntArray
from locality.local.correction import NetworkInputs
from locality.local.kinds import Networks
from locality.local.linear import LinearDenoiser
from locality.local.networks import NetworkGroup
from locality.local.patches import Patches, Sources
from locality.local.shard import ShardState
from locality.noise.levels import training_levels
from locality.noise.streams import stream
from locality.training.engine import Engine
from locality.training.examples import Examples
from locality.training.options import TrainingOptions
from locality.training.prospects import prospects
from locality.training.radius import LinearCurve
from locality.training.selection import best_units, shrunken, worthwhile
from locality.training.task import ShardExamples, ShardTask

__all__ = ["Learned", "learn", "radii_to_try"]

_MIN_CLASS_EXAMPLES = 200  # of a boundary class, for networks to be trained in it
_NEAR_NATS = 0.02  # by which the closed form may fall behind its best radius
_MAX_TRIED = 3
_PROMISING, _SURE = 1.0, 2.0  # standard errors of a gain, to go on after the trial and to be kept
_HELD_SHARE = 0.3  # of rows that repeat the row before, above which a series counts as held
_KEPT = 0.8  # share of its best gain that a network must have in the end, to be refitted
_N_BLOCKS = 4  # of a fold
_LONG_TRIAL = 50  # steps, which take longer than a regression
_MIN_EXAMPLES = 60  # for networks to be trained at all


@dataclass(frozen=True, eq=False)
class Learned:
    """Networks that held-out rows speak for.

    Parameters
    ----------
    networks : NetworkGroup
        Their slots are of all sources of the examples.
    gain, error : float arrays [w]
        Change of held-out nats, negative, and its standard error.
    curve : float array [n_targets, n_radii]
        Change of held-out nats of all networks trained to the end, NaN elsewhere.
    """

    networks: NetworkGroup
    gain: FloatArray
    error: FloatArray
    curve: FloatArray


def radii_to_try(curve: LinearCurve) -> BoolArray:
    """The smallest distinct radii at which the closed form loses little [n_targets, n_radii]."""
    total = curve.nats.sum(axis=2)
    near = total <= total.min(axis=1, keepdims=True) + _NEAR_NATS
    near[:, 1:] &= np.diff(curve.n_slots, axis=1) > 0  # or it would be the same network again
    near[:, curve.n_measured :] = False
    return np.asarray(near & (near.cumsum(axis=1) <= _MAX_TRIED))


def learn(
    task: ShardTask,
    examples: ShardExamples,
    closed_form: LinearDenoiser,
    radii: IntArray,
    tried: BoolArray,
) -> Learned | None:
    """Train networks and keep the good ones.

    Parameters
    ----------
    task : ShardTask
        With options.
    examples : ShardExamples
    closed_form : LinearDenoiser
        One unit per target; its patches hold those of all radii tried.
    radii : int array [n_radii]
    tried : bool array [n_targets, n_radii]

    Returns
    -------
    Learned or None
        None if there are too few examples, or no network is worth it.
    """
    options = task.options
    rows, confirming, classes = _rows(task, examples)
    if options is None or len(rows.train) < _MIN_EXAMPLES:
        return None
    if not len(rows.held_out) or not len(confirming):
        return None
    target, index = np.nonzero(tried)
    patches = _patches(examples, closed_form.patches, radii[index], target)
    forms = closed_form.in_classes(classes).take(target)
    inputs = _network_inputs(
        patches, forms, examples.inside[classes], _range(examples.z, rows.train.numpy())
    )
    start = None
    if task.warm:
        start = _warm(task.warm, examples, inputs, target, options, task.key)
    engine = Engine(rows, inputs, forms, options, task.key, start)
    free = ~_held(task, examples)[target]

    def block_of(part: torch.Tensor) -> IntArray:
        return np.asarray(examples.row[part.numpy()] * _N_BLOCKS // len(task.fold_of_row))

    def surviving(gain: FloatArray, error: FloatArray, n_errors: float = _PROMISING) -> IntArray:
        best = best_units(gain, target)
        best = best[free[best]]
        return best[worthwhile(gain[best], error[best], n_errors)]

    if start is None and options.trial_steps >= _LONG_TRIAL:
        _, gain, error = shrunken(*prospects(engine), block_of(rows.held_out))
        likely = np.isin(target, target[surviving(gain, error)])
        if not likely.any():
            return None
        engine.prune(np.flatnonzero(likely))
    engine.run(surviving)
    gains = np.full(tried.shape, np.nan)
    gains[target, index] = np.where(engine.pruned, np.nan, engine.best_gain)
    units = surviving(engine.best_gain, engine.best_error)
    units = units[engine.best_gain[units] < 0.0]
    if not len(units):
        return None
    which = torch.from_numpy(units)
    judge = Engine(
        replace(rows, held_out=confirming), inputs.take(which), forms.take(units), options,
        (*task.key, 5), engine.best.take(which),
    )  # fmt: skip
    factor, gain, error = shrunken(*judge.held_out_parts(judge.networks), block_of(confirming))
    sure = worthwhile(gain, error, _SURE)
    units, (factor, gain, error) = units[sure], (part[sure] for part in (factor, gain, error))
    if not len(units):
        return None
    best = engine.best.take(torch.from_numpy(units)).to("cpu")
    # networks that lost what they had gained overfit, and would again with nobody to see it
    steady = np.flatnonzero(engine.last_gain[units] <= _KEPT * engine.best_gain[units])
    if options.refit and len(steady):
        chosen = units[steady]
        parts = inputs.take(torch.from_numpy(chosen)), forms.take(chosen)
        _refit(task, rows, confirming, parts, best, torch.from_numpy(steady))
    group = NetworkGroup(
        kind=best.kind,
        unit=target[units],
        radius=radii[index[units]],
        noisy=patches.noisy[units],
        given=patches.given[units],
        level_range=inputs.level_range.numpy()[units],
        factor=factor,
        trained_inside=examples.inside[classes],
        trained_range=_range(
            examples.z,
            np.concatenate([part.numpy() for part in (rows.train, rows.held_out, confirming)]),
        ),
        uses_rim=inputs.rim is not None,
        weights={name: w.numpy() for name, w in best.weights.items()},
    )
    return Learned(group, gain, error, gains)


def _warm(
    warm: tuple[ShardState, ...],
    examples: ShardExamples,
    inputs: NetworkInputs,
    target: IntArray,
    options: TrainingOptions,
    key: tuple[int, ...],
) -> Networks:
    """Networks that start from present ones where those see just the same slots."""
    networks = options.initial(len(target), inputs.n_inputs, stream(*key, 0))

    def slots(sources: Sources, patches: Patches, unit: int) -> list[np.ndarray]:
        found = []
        for part in (patches.noisy[unit], patches.given[unit]):
            real = part < sources.n_sources
            read = np.column_stack([sources.node, sources.offset])[part[real]]
            found += [np.flatnonzero(real), read]
        return found

    center = examples.patches[min(examples.patches)].center
    own = examples.sources.node[center][target]
    for part in warm:
        group = part.networks
        if group.kind != networks.kind or any(
            group.weights[name].shape[1:] != w.shape[1:] for name, w in networks.weights.items()
        ):
            continue
        seen = Patches(group.noisy, group.given, len(part.source_node))
        for old, component in enumerate(group.unit):
            wanted = slots(part.sources, seen, old)
            for unit in np.flatnonzero(own == part.target[component]):
                now = slots(examples.sources, inputs.patches, int(unit))
                if all(np.array_equal(a, b) for a, b in zip(wanted, now, strict=True)):
                    for name, weights in networks.weights.items():
                        weights[unit] = torch.as_tensor(group.weights[name][old])
    return networks


def _refit(
    task: ShardTask,
    rows: Examples,
    confirming: torch.Tensor,
    parts: tuple[NetworkInputs, LinearDenoiser],
    networks: Networks,
    which: torch.Tensor,
) -> None:
    """Go on training some networks on all rows, those held out as well.

    ``parts`` are of these networks only.
    """
    assert task.options is not None
    everything = torch.cat([rows.train, rows.held_out, confirming]).sort().values
    engine = Engine(
        replace(rows, train=everything, held_out=everything[:0]),
        *parts,
        task.options.refitting(),
        (*task.key, 4),
        networks.take(which),
    )
    engine.run()
    for name, weights in networks.weights.items():
        weights[which] = engine.average.weights[name].cpu()


def _rows(task: ShardTask, examples: ShardExamples) -> tuple[Examples, torch.Tensor, IntArray]:
    """Examples for networks, those that confirm, and the boundary classes they belong to."""
    counts = np.bincount(examples.classes, minlength=len(examples.inside))
    enough = counts >= _MIN_CLASS_EXAMPLES
    enough[0] = True
    usable = enough[examples.classes]
    last = task.n_folds - 1  # with the last rows
    place = np.cumsum(enough) - 1  # classes are renumbered, those without networks left out
    receives_noise = np.zeros((examples.sources.n_sources + 1, int(enough.sum())), np.float32)
    receives_noise[:-1] = (examples.inside[enough] & ~examples.sources.given).T
    rows = Examples(
        torch.from_numpy(examples.z.astype(np.float32)),
        torch.from_numpy(receives_noise),
        torch.from_numpy(np.maximum(place[examples.classes], 0)),
        torch.from_numpy(np.flatnonzero(usable & (examples.folds > 0) & (examples.folds < last))),
        torch.from_numpy(np.flatnonzero(usable & (examples.folds == 0))),
        None if examples.observed is None else torch.from_numpy(examples.observed),
    )
    confirming = torch.from_numpy(np.flatnonzero(usable & (examples.folds == last)))
    return rows, confirming, np.flatnonzero(enough)


def _patches(
    examples: ShardExamples, whole: Patches, radius: IntArray, target: IntArray
) -> Patches:
    """What networks of these radii see of the patches of their targets."""
    everywhere = np.tile(radius, (whole.n_units, 1))  # [n_targets, n_networks]
    unit = np.arange(len(target))
    n_noisy, n_given = (n[target, unit] for n in examples.slots_within(everywhere))
    rows = Patches(whole.noisy[target], whole.given[target], whole.n_sources)
    return rows.within(n_noisy, n_given)


def _range(z: FloatArray, rows: IntArray) -> FloatArray:
    """Lowest and highest value of every source in some examples [n_sources, 2]."""
    values = z[:-1, rows]
    return np.stack([values.min(axis=1), values.max(axis=1)], axis=1).astype(np.float64)


def _network_inputs(
    patches: Patches, forms: LinearDenoiser, inside: BoolArray, trained_range: FloatArray
) -> NetworkInputs:
    levels = training_levels(forms.conditional_scale[:, 0], 64)
    edge = np.sqrt(levels[:, 1] / levels[:, 0])  # half a step beyond the outermost levels
    span = np.stack([levels[:, 0] / edge, levels[:, -1] * edge], axis=1)
    rim = inside if len(inside) > 1 else None
    return NetworkInputs.of(patches, span, rim, trained_range)


def _held(task: ShardTask, examples: ShardExamples) -> BoolArray:
    """Targets of a series that mostly repeat the value before, such as slow analyzers.

    A network would learn the repetition itself, a point mass with no finite density: nats without
    end that say nothing of the plant and drown what does. These keep the closed form.
    """
    first = examples.patches[min(examples.patches)]
    held = np.zeros(first.n_units, dtype=bool)
    if task.is_series:
        series = examples.z[first.center].reshape(first.n_units, -1, task.values.shape[-1])
        held = (series[:, 1:] == series[:, :-1]).mean(axis=(1, 2)) > _HELD_SHARE
    return held
