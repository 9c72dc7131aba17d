"""The work on one shard: from a task to a trained shard state, without side effects.

``fit_shard`` does it all; ``measure`` (the linear curve over radii) and ``fit_chosen`` (the state
at radii chosen from it) are its parts, for those who want to time them.

Costs grow with the third power of a neighborhood. So radii with up to 48 slots are measured first,
and one more; the wider ones only if that one still gained.
"""

from dataclasses import replace

import numpy as np

from locality._typing import IntArray
from locality.local.linear import LinearDenoiser
from locality.local.networks import NetworkGroup
from locality.local.patches import Patches
from locality.local.shard import ShardState
from locality.training.radius import SHRINKAGES, LinearCurve, choose_radii, linear_curve
from locality.training.task import ShardExamples, ShardTask

__all__ = ["fit_chosen", "fit_shard", "measure"]

_MANY_SLOTS = 48


def fit_shard(task: ShardTask) -> ShardState:
    """Measure the curve, and fit the closed form and any networks at the radii it chooses."""
    examples, curve = _measured(task)
    return _fit(task, examples, choose_radii(curve), curve)


def measure(
    task: ShardTask,
    judged: tuple[int, ...] | None = None,
    shrinkages: tuple[float, ...] = SHRINKAGES,
) -> LinearCurve:
    """Held-out nats of the linear model at the radii of the task.

    Parameters
    ----------
    task : ShardTask
    judged : tuple of int, optional
        Folds that are held out in turn; all by default.
    shrinkages : tuple of float
        Candidates.
    """
    return _measured(task, judged, shrinkages)[1]


def fit_chosen(task: ShardTask, choice: IntArray, curve: LinearCurve) -> ShardState:
    """Fit the closed form and, if options are given, networks.

    Parameters
    ----------
    task : ShardTask
    choice : int array [n_targets, n_bands]
        Index into the radii of the curve for each target and noise band.
    curve : LinearCurve
        From ``measure``.
    """
    return _fit(task, ShardExamples.of(task), choice, curve)


def _measured(
    task: ShardTask,
    judged: tuple[int, ...] | None = None,
    shrinkages: tuple[float, ...] = SHRINKAGES,
) -> tuple[ShardExamples, LinearCurve]:
    """Examples at the widest radius that was measured, and the curve."""
    sizes = {radius: stencils.sizes for radius, stencils in sorted(task.stencils.items())}
    few = sum(bool(np.median(size) <= _MANY_SLOTS) for size in sizes.values())
    narrow = list(sizes)[: max(2, few + 1)]
    examples = ShardExamples.of(
        replace(task, stencils={radius: task.stencils[radius] for radius in narrow})
    )
    moments = replace(examples.moments, judged=judged)
    curve = linear_curve(moments, examples.patches, shrinkages)
    if len(narrow) == len(sizes):
        return examples, curve
    if curve.still_falls:
        examples = ShardExamples.of(task)
        rest = {radius: part for radius, part in examples.patches.items() if radius not in narrow}
        moments = replace(examples.moments, judged=judged)
        return examples, curve.extended(linear_curve(moments, rest, shrinkages))
    return examples, curve.widened(np.array(list(sizes)), np.stack(list(sizes.values()), axis=1))


def _fit(
    task: ShardTask, examples: ShardExamples, choice: IntArray, curve: LinearCurve
) -> ShardState:
    radius, shrinkage = curve.radii[choice], curve.chosen(choice, curve.shrinkage)
    held_out = curve.chosen(choice, curve.nats).sum(axis=1)
    n_noisy, n_given = examples.slots_within(radius)
    covariance = examples.moments.matrix()
    learned = None
    if task.options is not None:
        from locality.training.networks import learn, radii_to_try

        tried = radii_to_try(curve)
        reach = np.maximum(radius.max(axis=1), np.where(tried, curve.radii, 0).max(axis=1))
        patches = _patches(examples, reach)
        closed_form = LinearDenoiser.fit(
            covariance, patches, n_noisy, n_given, shrinkage, examples.inside
        )
        learned = learn(task, examples, closed_form, curve.radii, tried)
    patches = _patches(examples, radius.max(axis=1))
    error, neural = np.zeros(len(radius)), np.full(curve.nats.shape[:2], np.nan)
    networks = NetworkGroup.empty(examples.sources.n_sources)
    if learned is not None:
        neural = held_out[:, None] + learned.curve
        held_out[learned.networks.unit] += learned.gain
        error[learned.networks.unit] = learned.error
        networks = learned.networks
    return ShardState(
        target=next(iter(task.stencils.values())).target,
        radius=radius,
        shrinkage=shrinkage,
        source_node=examples.sources.node,
        source_offset=examples.sources.offset,
        source_given=examples.sources.given,
        noisy=patches.noisy,
        given=patches.given,
        n_noisy=n_noisy,
        n_given=n_given,
        covariance=covariance[:-1, :-1],
        networks=networks,
        held_out=held_out,
        held_out_error=error,
        held_out_independent=curve.independent,
        radii=curve.radii,
        linear_curve=curve.nats,
        neural_curve=neural,
    ).compacted()


def _patches(examples: ShardExamples, reach: IntArray) -> Patches:
    """What each target sees within a radius of its own."""
    whole = examples.patches[int(reach.max())]
    return whole.within(*examples.slots_within(reach))
