"""The work on one shard: from its own columns and halo to a trained shard state.

A task carries the standardized values of the nodes it reads and nothing else, so that it can be
computed anywhere. The functions have no side effects: ``measure`` gives the linear curve over
radii, ``fit_linear`` the linear model, and ``fit_shard`` the final state with networks, trying
them at the chosen radius and at smaller ones.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.domain import Domain
from locality.domain.stencils import Stencils
from locality.local.denoiser import NetworkInputs
from locality.local.gaussian import LocalGaussian, present_slots
from locality.local.moments import SecondMoments
from locality.local.network import LocalNetworks
from locality.local.patches import Patches, Sources, unfold
from locality.local.shard import ShardState
from locality.noise.levels import training_levels
from locality.training.engine import Engine, Examples
from locality.training.options import TrainingOptions
from locality.training.radius import LinearCurve, choose_radii, linear_curve
from locality.training.selection import best_units, worthwhile

__all__ = ["ShardTask", "fit_linear", "fit_shard", "measure"]

_MIN_CLASS_EXAMPLES = 200  # of a boundary class, for networks to be trained in it
_NEAR_NATS = 0.02  # by which the closed form may fall behind its best radius
_MAX_TRIED = 3
_PROMISING, _SURE = 1.0, 2.0  # standard errors of a gain, to go on after the trial and to be kept
_HELD_SHARE = 0.3  # of rows that repeat the row before, above which a series counts as held
_KEPT = 0.8  # share of its best gain that a network must have in the end, to be refitted
_MIN_EXAMPLES = 60  # for networks to be trained at all


@dataclass(frozen=True, eq=False)
class ShardTask:
    """One shard to be fitted.

    Parameters
    ----------
    key : tuple of int
        Seed and number of the shard.
    domain : Domain
        Only its axes are used; nodes are numbered by ``halo``.
    halo : int array [n_halo]
        Nodes that the shard reads, ascending.
    values : float64 array [n_halo, *extent, n_samples]
        Their standardized values.
    stencils : dict of Stencils
        By radius, for the shard's targets only; nodes as in the whole domain.
    fold_of_row : int array [n_rows]
        Fold of every row: samples, or positions of a series.
    n_folds : int
    options : TrainingOptions or None
        None for the linear model.
    """

    key: tuple[int, ...]
    domain: Domain
    halo: IntArray
    values: FloatArray
    stencils: dict[int, Stencils]
    fold_of_row: IntArray
    n_folds: int
    options: TrainingOptions | None


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Examples, moments and patches of a task."""

    sources: Sources  # nodes as in the whole domain
    z: torch.Tensor
    classes: IntArray
    inside: BoolArray
    folds: IntArray
    moments: SecondMoments
    patches: dict[int, Patches]


def measure(task: ShardTask) -> LinearCurve:
    """Held-out nats of the linear model at every radius of the task."""
    prepared = _prepare(task)
    return linear_curve(prepared.moments, prepared.patches)


def fit_linear(task: ShardTask) -> ShardState:
    """Measure the curve and fit the closed form at the radii it chooses."""
    prepared = _prepare(task)
    curve = linear_curve(prepared.moments, prepared.patches)
    return _fit(replace(task, options=None), prepared, choose_radii(curve), curve)


def fit_shard(task: ShardTask, choice: IntArray, curve: LinearCurve) -> ShardState:
    """Fit the closed form and, if options are given, networks.

    Parameters
    ----------
    task : ShardTask
    choice : int array [n_targets]
        Index into the radii of the curve for each target.
    curve : LinearCurve
        From ``measure``.
    """
    return _fit(task, _prepare(task), choice, curve)


def _fit(task: ShardTask, prepared: _Prepared, choice: IntArray, curve: LinearCurve) -> ShardState:
    n = len(choice)
    candidates = _candidates(task, choice, curve)
    patches, shrinkage, target, radius_index = _units(prepared, curve, candidates)
    gaussian = _closed_form(prepared, patches, shrinkage)
    neural = np.full_like(curve.nats, np.nan)
    final = np.flatnonzero(radius_index == choice[target])  # unit of each target so far
    final = final[np.argsort(target[final])]
    gain, error = np.zeros(n), np.zeros(n)
    networks = LocalNetworks.initial(0, 8, 8, torch.Generator())
    inputs, keep = None, np.empty(0, dtype=np.int64)
    trained = np.zeros((0, prepared.sources.n_sources), dtype=bool)
    examples, trained_classes = _examples(task, prepared)
    if task.options is not None and len(examples.train) >= _MIN_EXAMPLES:
        trained = prepared.inside[trained_classes]
        gaussian = gaussian.in_classes(torch.from_numpy(trained_classes))
        inputs = _network_inputs(patches, gaussian, trained)
        engine = Engine(examples, inputs, gaussian, task.options, task.key)
        nats = curve.nats[target, radius_index]
        free = ~_held(task, prepared)[target]
        engine.run(lambda g, e: _survivors(g, e, nats, target, free))
        neural[target, radius_index] = nats + np.where(engine.pruned, np.nan, engine.best_gain)
        total = nats + engine.best_gain
        tried = best_units(total, target)
        tried = tried[free[tried]]
        worth = worthwhile(engine.best_gain[tried], engine.best_error[tried], _SURE)
        tried = tried[worth & (total[tried] < nats[final[target[tried]]])]
        keep = target[tried]
        final[keep] = tried
        gain[keep], error[keep] = engine.best_gain[tried], engine.best_error[tried]
        units = torch.from_numpy(final[keep])
        inputs, gaussian = inputs.take(units), gaussian.take(units)
        networks = engine.best.take(units)
        # networks that lost what they had gained overfit, and would again with nobody to see it
        steady = np.flatnonzero(engine.last_gain[final[keep]] <= _KEPT * gain[keep])
        if task.options.refit and len(steady):
            rows = torch.from_numpy(steady)
            everything = torch.cat([examples.train, examples.held_out]).sort().values
            examples = replace(examples, train=everything, held_out=everything[:0])
            last = Engine(
                examples,
                inputs.take(rows),
                gaussian.take(rows),
                task.options.refitting(),
                (*task.key, 4),
                networks.take(rows),
            )
            last.run()
            for name, weights in networks.weights.items():
                weights[rows] = last.average.weights[name]
    chosen = Patches(patches.noisy[final], patches.given[final], patches.n_sources)
    covariance = prepared.moments.matrix()[:-1, :-1].contiguous().numpy()
    return ShardState(
        target=next(iter(task.stencils.values())).target,
        radius=curve.radii[radius_index[final]],
        shrinkage=shrinkage[final],
        source_node=prepared.sources.node,
        source_offset=prepared.sources.offset,
        source_given=prepared.sources.given,
        noisy=chosen.noisy,
        given=chosen.given,
        covariance=covariance,
        network_unit=keep,
        level_range=np.zeros((0, 2)) if inputs is None else inputs.level_range.numpy(),
        trained_inside=trained,
        uses_rim=np.array([inputs is not None and inputs.rim is not None]),
        **{name: w.numpy() for name, w in networks.weights.items()},
        held_out=curve.nats[np.arange(n), radius_index[final]] + gain,
        held_out_error=error,
        held_out_independent=curve.independent,
        radii=curve.radii,
        linear_curve=curve.nats,
        neural_curve=neural,
    )


def _prepare(task: ShardTask) -> _Prepared:
    """Everything that both functions need."""
    widest = task.stencils[max(task.stencils)]
    sources = Sources.of(widest)
    local = replace(sources, node=np.searchsorted(task.halo, sources.node))
    z = unfold(task.values, local, task.domain)
    extent, n_samples = task.values.shape[1:-1], task.values.shape[-1]
    class_of_position, inside = sources.inside(task.domain, extent)
    classes = np.repeat(class_of_position, n_samples)
    if any(axis.is_series for axis in task.domain.axes):
        folds = np.repeat(task.fold_of_row, n_samples)
    else:
        folds = np.tile(task.fold_of_row, len(class_of_position))
    moments = SecondMoments.of(z, np.where(classes == 0, folds, -1), task.n_folds)
    patches = {radius: Patches.of(s, sources) for radius, s in task.stencils.items()}
    return _Prepared(sources, z, classes, inside, folds, moments, patches)


def _candidates(task: ShardTask, choice: IntArray, curve: LinearCurve) -> list[IntArray]:
    """Radii (as indices) to try per target.

    Besides the chosen one, for networks, the smallest radii at which the closed form loses little:
    networks profit less from far slots than they suffer from further inputs.
    """
    if task.options is None:
        return [np.array([index]) for index in choice]
    near = curve.nats <= curve.nats.min(axis=1, keepdims=True) + _NEAR_NATS
    return [
        np.union1d(np.flatnonzero(row)[:_MAX_TRIED], index)
        for row, index in zip(near, choice, strict=True)
    ]


def _units(
    prepared: _Prepared, curve: LinearCurve, candidates: list[IntArray]
) -> tuple[Patches, FloatArray, IntArray, IntArray]:
    """One unit per target and candidate radius: patches, shrinkage, target, radius index."""
    pieces: list[Patches] = []
    target: list[int] = []
    index: list[int] = []
    for i, radius in enumerate(curve.radii.tolist()):
        mine = np.array([j for j, c in enumerate(candidates) if i in c], dtype=np.int64)
        if len(mine):
            pieces.append(prepared.patches[radius].take(mine))
            target += mine.tolist()
            index += [i] * len(mine)
    patches = pieces[0]
    for piece in pieces[1:]:
        patches = patches.stack(piece)
    rows, columns = np.array(target), np.array(index)
    return patches, curve.shrinkage[rows, columns], rows, columns


def _closed_form(prepared: _Prepared, patches: Patches, shrinkage: FloatArray) -> LocalGaussian:
    """Local Gaussians of all units, from all rows."""
    return LocalGaussian.fit(
        prepared.moments.covariance(patches),
        patches.noisy.shape[1],
        present_slots(patches, prepared.inside),
        torch.from_numpy(shrinkage),
    )


def _examples(task: ShardTask, prepared: _Prepared) -> tuple[Examples, IntArray]:
    """Examples for networks, and the boundary classes they belong to."""
    counts = np.bincount(prepared.classes, minlength=len(prepared.inside))
    enough = counts >= _MIN_CLASS_EXAMPLES
    enough[0] = True
    usable = enough[prepared.classes]
    place = np.cumsum(enough) - 1  # classes are renumbered, those without networks left out
    receives_noise = np.zeros((prepared.sources.n_sources + 1, int(enough.sum())), np.float32)
    receives_noise[:-1] = (prepared.inside[enough] & ~prepared.sources.given).T
    return (
        Examples(
            prepared.z.float(),
            torch.from_numpy(receives_noise),
            torch.from_numpy(np.maximum(place[prepared.classes], 0)),
            torch.from_numpy(np.flatnonzero(usable & (prepared.folds != 0))),
            torch.from_numpy(np.flatnonzero(usable & (prepared.folds == 0))),
        ),
        np.flatnonzero(enough),
    )


def _network_inputs(patches: Patches, gaussian: LocalGaussian, trained: BoolArray) -> NetworkInputs:
    levels = training_levels(gaussian.conditional_scale[:, 0].numpy(), 64)
    edge = np.sqrt(levels[:, 1] / levels[:, 0])  # half a step beyond the outermost levels
    span = np.stack([levels[:, 0] / edge, levels[:, -1] * edge], axis=1)
    rim = present_slots(patches, trained)[:, :, 1 : patches.noisy.shape[1]].float()
    return NetworkInputs(patches, torch.from_numpy(span), rim if len(trained) > 1 else None)


def _held(task: ShardTask, prepared: _Prepared) -> BoolArray:
    """Targets of a series that mostly repeat the value before, such as slow analyzers.

    A network would learn the repetition itself, a point mass with no finite density: nats without
    end that say nothing of the plant and drown what does. These keep the closed form.
    """
    first = prepared.patches[min(prepared.patches)]
    held = np.zeros(first.n_units, dtype=bool)
    if any(axis.is_series for axis in task.domain.axes):
        series = prepared.z[torch.from_numpy(first.center)].reshape(
            first.n_units, -1, task.values.shape[-1]
        )
        held = (series[:, 1:] == series[:, :-1]).float().mean((1, 2)).numpy() > _HELD_SHARE
    return held


def _survivors(
    gain: FloatArray, error: FloatArray, nats: FloatArray, target: IntArray, free: BoolArray
) -> IntArray:
    """Per target its best radius after the trial, if its network promises anything."""
    tried = best_units(nats + gain, target)
    tried = tried[free[tried]]
    return tried[worthwhile(gain[tried], error[tried], _PROMISING)]
