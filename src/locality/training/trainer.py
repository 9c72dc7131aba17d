"""The trainer: a domain and its values in, trained shards out.

The graph is cut into shards; each is a task of its own. With ``radius="auto"`` the shards are
first measured (the linear curve over all radii), then fitted at the radii their curves choose.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.folds import N_FOLDS, fold_of_row
from locality.domain.domain import Domain
from locality.domain.partition import partition
from locality.domain.stencils import Stencils
from locality.exceptions import OptionError
from locality.local.shard import ShardState
from locality.training.executors import Executor, Inline
from locality.training.options import TrainingOptions
from locality.training.radius import LinearCurve, choose_radii
from locality.training.shard import fit_linear, fit_shard, measure
from locality.training.task import ShardTask

__all__ = ["Trained", "Trainer"]

_SHARD_SIZE = 32
_MAX_SLOTS = 160
_RADII = (*range(9), 12, 16, 24)


@dataclass(frozen=True, eq=False)
class Trained:
    """Shards and how long each stage took.

    Parameters
    ----------
    shards : tuple of ShardState
    seconds : dict
        Wall-clock time per stage.
    """

    shards: tuple[ShardState, ...]
    seconds: dict[str, float]


@dataclass(frozen=True, eq=False)
class Trainer:
    """How a domain is trained.

    Parameters
    ----------
    domain : Domain
    radius : int or "auto"
    options : TrainingOptions or None
        None for the linear model.
    seed : int
    executor : Executor
        Of the networks; closed forms are always fitted in this process.
    shard_size : int
        Components of a shard.
    max_slots : int
        Of the largest neighborhood.
    """

    domain: Domain
    radius: int | str = "auto"
    options: TrainingOptions | None = None
    seed: int = 0
    executor: Executor = field(default_factory=Inline)
    shard_size: int = _SHARD_SIZE
    max_slots: int = _MAX_SLOTS

    def train(
        self,
        values: FloatArray,
        progress: Callable[[str, int, int], None] = lambda *_: None,
        only: Sequence[int] | None = None,
        observed: BoolArray | None = None,
    ) -> Trained:
        """Train all shards, or some.

        Parameters
        ----------
        values : float64 array [n_nodes, *extent, n_samples]
            Standardized and complete.
        progress : callable
            Called with (stage, shards done, shards in all).
        only : sequence of int, optional
            Numbers of the shards to train; they do not depend on the others.
        observed : bool array, optional
            Shaped like ``values``; False where a value is a draw in place of a missing one.
        """
        seconds = {}
        start = perf_counter()
        tasks = self.tasks(values, only, observed)
        seconds["neighborhoods"] = perf_counter() - start
        if self.options is None:
            start = perf_counter()
            shards = []
            for shard in Inline().map(fit_linear, tasks):
                shards.append(shard)
                progress("closed form", len(shards), len(tasks))
            seconds["closed form"] = perf_counter() - start
            return Trained(tuple(shards), seconds)
        start = perf_counter()
        curves = []
        for curve in Inline().map(measure, tasks):
            curves.append(curve)
            progress("radius", len(curves), len(tasks))
        seconds["radius"] = perf_counter() - start
        start = perf_counter()
        work = [(task, choose_radii(c), c) for task, c in zip(tasks, curves, strict=True)]
        shards = []
        for shard in self.executor.map(_fit, work):
            shards.append(shard)
            progress("networks", len(shards), len(tasks))
        seconds["networks"] = perf_counter() - start
        return Trained(tuple(shards), seconds)

    def candidate_radii(self, n_examples: int) -> dict[int, Stencils]:
        """Stencils at the radii worth measuring.

        From 0 to 8, then 12, 16 and 24, until neighborhoods stop growing or stick out of the
        lattice at more than half of its positions along an axis. The neighborhood of a single
        target, of a hub say, stops growing before it is larger than ``max_slots`` or, beyond radius
        1, than the number of examples supports (a quarter of it).
        """
        if self.radius != "auto":
            radius = int(self.radius)
            if not self._has_interior(radius):
                raise OptionError(
                    f"radius {radius} needs at least {2 * radius + 1} columns along a "
                    "chain that share a law.",
                    remedy="Choose a smaller radius, or leave tied=False.",
                )
            return {radius: self.domain.stencils(radius)}
        found = {0: self.domain.stencils(0)}
        reach = np.zeros(len(self.domain.targets), dtype=np.int64)
        for radius in _RADII[1:]:
            if not self._has_interior(radius, share=0.5):
                break
            most = self.max_slots if radius == 1 else min(self.max_slots, max(4, n_examples // 4))
            wider = np.where(reach == max(found), radius, reach)  # those that have not stopped
            stencils = self.domain.stencils(wider)
            if (stencils.sizes > most).any():
                wider = np.where(stencils.sizes > most, reach, wider)
                stencils = self.domain.stencils(wider)
            if stencils.n_slots == found[max(found)].n_slots:
                break
            found[radius], reach = stencils, wider
        return found

    def _has_interior(self, radius: int, share: float = 0.0) -> bool:
        """Whether this share of the positions along every lattice axis, at least one, is inside."""
        return all(
            axis.is_series
            or axis.periodic
            or axis.extent is None
            or axis.extent - 2 * radius >= max(1.0, share * axis.extent)
            for axis in self.domain.axes
        )

    def tasks(
        self,
        values: FloatArray,
        only: Sequence[int] | None = None,
        observed: BoolArray | None = None,
    ) -> list[ShardTask]:
        """The work, one task per shard; parameters as in ``train``."""
        series = any(axis.is_series for axis in self.domain.axes)
        n_rows = values.shape[1] if series else values.shape[-1]
        n_examples = int(np.prod(values.shape[1:], dtype=np.int64))
        stencils = self.candidate_radii(n_examples)
        targets = self.domain.targets
        n_shards = -(-len(targets) // self.shard_size)
        order = _order(self.domain)
        cut = partition(self.domain.graph, -(-len(targets) // n_shards), order)
        folds = fold_of_row(n_rows)
        tasks = []
        for number, nodes in enumerate(cut.shards):
            if only is not None and number not in only:
                continue
            mine = {radius: s.select(nodes) for radius, s in stencils.items()}
            halo = np.unique(mine[max(mine)].node)
            tasks.append(
                ShardTask(
                    (self.seed, number),
                    self.domain,
                    halo,
                    values[halo],
                    mine,
                    folds,
                    N_FOLDS,
                    self.options,
                    None if observed is None else observed[halo],
                )
            )
        return tasks


def _order(domain: Domain) -> IntArray:
    """Targets in reverse Cuthill–McKee order."""
    whole = partition(domain.graph, 1)
    order = np.concatenate(whole.shards)
    return order[~np.isin(order, domain.context)]


def _fit(work: tuple[ShardTask, IntArray, LinearCurve]) -> ShardState:
    return fit_shard(*work)
