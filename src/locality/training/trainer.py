"""The trainer: a domain and its values in, trained shards out.

The graph is cut into shards; each is a task of its own, made when a worker is free for it. What is
finished goes to a ledger, so that a fit that was interrupted only works on the rest.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.folds import N_FOLDS, fold_of_row
from locality.domain.domain import Domain
from locality.domain.partition import partition, sweep
from locality.domain.stencils import Stencils
from locality.exceptions import OptionError
from locality.local.field import ScoreField
from locality.local.shard import ShardState
from locality.training.executors import Executor, Inline
from locality.training.shard import fit_shard
from locality.training.task import ShardTask

if TYPE_CHECKING:
    from locality.training.options import TrainingOptions

__all__ = ["Ledger", "Progress", "ShardWatch", "Trained", "Trainer", "quiet"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, in all)."""

_SHARD_SIZE = 32
_MAX_SLOTS = 160
_RADII = (*range(9), 12, 16, 24)


def quiet(stage: str, done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, eq=False)
class Trained:
    """Shards and how long each stage took.

    Parameters
    ----------
    domain : Domain
    shards : tuple of ShardState
    seconds : dict
        Wall-clock time per stage.
    """

    domain: Domain
    shards: tuple[ShardState, ...]
    seconds: dict[str, float]

    def field(self, limits: FloatArray | None = None) -> ScoreField:
        """All shards as one field; ``limits`` as there."""
        return ScoreField(self.domain, self.shards, limits)


class Ledger(Protocol):
    """Finished shards as arrays, by the digest of their task; it outlives the process."""

    def get(self, key: str) -> Mapping[str, np.ndarray] | None:
        """The shard of a task, if it was finished before."""

    def put(self, key: str, arrays: Mapping[str, np.ndarray], note: str) -> None:
        """Keep a finished shard, and for people a note about it."""


@runtime_checkable
class ShardWatch(Protocol):
    """A progress callable that wants to know more of finished shards than their number."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Some shards are done."""

    def finished(self, nats: FloatArray, seconds: float | None) -> None:
        """Held-out nats by component; seconds of work, None if the shard was in the ledger.

        Called before the progress that counts the shard.
        """


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
        Where shards are worked on.
    shard_size : int
        Components of a shard.
    max_slots : int
        Of the largest neighborhood.
    max_radius : int
        Largest radius that is measured.
    ledger : Ledger, optional
        Where finished shards are kept, and looked for before they are worked on.
    """

    domain: Domain
    radius: int | str = "auto"
    options: "TrainingOptions | None" = None
    seed: int = 0
    executor: Executor = field(default_factory=Inline)
    shard_size: int = _SHARD_SIZE
    max_slots: int = _MAX_SLOTS
    max_radius: int = _RADII[-1]
    ledger: Ledger | None = None

    def train(
        self,
        values: FloatArray,
        progress: Progress = quiet,
        only: Sequence[int] | None = None,
        observed: BoolArray | None = None,
        cut: Sequence[IntArray] | None = None,
        warm: Sequence[tuple[ShardState, ...]] | None = None,
        skipped: BoolArray | None = None,
    ) -> Trained:
        """Train all shards, or some.

        Parameters
        ----------
        values : float64 array [n_nodes, *extent, n_samples]
            Standardized and complete; large ones may be float32.
        progress : callable
            Called with (stage, shards done, shards in all); a ``ShardWatch`` learns more.
        only : sequence of int, optional
            Numbers of the shards to train; they do not depend on the others.
        observed : bool array, optional
            Shaped like ``values``; False where a value is a draw in place of a missing one.
        cut : sequence of int arrays, optional
            Targets of each shard, instead of a partition of all targets.
        warm : sequence of tuples of ShardState, optional
            Present states of the components of each shard of the cut, for networks to start from.
        skipped : bool array [n_rows], optional
            Rows of a series that are the past of others, but no examples themselves.
        """
        start = perf_counter()
        shards = self.cut() if cut is None else list(cut)
        numbers = list(range(len(shards)) if only is None else only)
        stencils = self.candidate_radii(int(np.prod(values.shape[1:], dtype=np.int64)))
        seconds = {"neighborhoods": perf_counter() - start}
        start = perf_counter()
        stage = "closed form" if self.options is None else "networks"
        done: dict[int, ShardState] = {}
        asked: list[tuple[int, str]] = []
        told = Lock()  # tasks may be asked for by another thread than takes the results

        def finished(number: int, shard: ShardState, seconds: float | None) -> None:
            with told:
                done[number] = shard
                if isinstance(progress, ShardWatch):
                    progress.finished(shard.held_out, seconds)
                progress(stage, len(done), len(numbers))

        def tasks() -> Iterator[ShardTask]:
            for number in numbers:
                nodes = shards[number]
                task = self._task(number, nodes, stencils, values, observed, skipped)
                if warm is not None:
                    task = replace(task, warm=warm[number])
                key = ""
                if self.ledger is not None:
                    key = task.digest
                    known = self.ledger.get(key)
                    if known is not None:
                        finished(number, ShardState.from_arrays(known), None)
                        continue
                asked.append((number, key))
                yield task

        for order, (shard, took) in self.executor.map(_timed, tasks()):
            number, key = asked[order]
            if self.ledger is not None:
                note = (
                    f"shard {number}, {took:.1f} s: {len(shard.target)} components, "
                    f"{shard.held_out.mean():.4f} nats each, {len(shard.networks)} networks"
                )
                self.ledger.put(key, shard.arrays(), note)
            finished(number, shard, took)
        seconds[stage] = perf_counter() - start
        return Trained(self.domain, tuple(done[number] for number in numbers), seconds)

    def cut(self) -> list[IntArray]:
        """Targets of every shard."""
        targets = self.domain.targets
        n_shards = -(-len(targets) // self.shard_size)
        size = -(-len(targets) // n_shards)
        order = sweep(self.domain.graph)
        order = order[~np.isin(order, self.domain.context)]
        return partition(self.domain.graph, size, order)

    def candidate_radii(self, n_examples: int) -> dict[int, Stencils]:
        """Stencils at the radii worth measuring.

        From 0 to 8, then 12, 16 and 24, up to ``max_radius``, until neighborhoods stop growing or
        stick out of the lattice at more than half of its positions along an axis. The neighborhood
        of a single target, of a hub say, stops growing before it is larger than ``max_slots`` or,
        beyond radius 1, than the number of examples supports (a quarter of it).
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
        sweep = self.domain.sweep()
        found = {0: self.domain.stencils(0, sweep)}
        reach = np.zeros(len(self.domain.targets), dtype=np.int64)
        for radius in sorted(
            {*(r for r in _RADII[1:] if r < self.max_radius), self.max_radius} - {0}
        ):
            if not self._has_interior(radius, share=0.5):
                break
            most = self.max_slots if radius == 1 else min(self.max_slots, max(4, n_examples // 4))
            wider = np.where(reach == max(found), radius, reach)  # those that have not stopped
            stencils = self.domain.stencils(wider, sweep)
            if (stencils.sizes > most).any():
                wider = np.where(stencils.sizes > most, reach, wider)
                stencils = self.domain.stencils(wider, sweep)
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
        cut: Sequence[IntArray] | None = None,
    ) -> list[ShardTask]:
        """The work, one task per shard; parameters as in ``train``."""
        stencils = self.candidate_radii(int(np.prod(values.shape[1:], dtype=np.int64)))
        cut = self.cut() if cut is None else cut
        numbers = range(len(cut)) if only is None else only
        return [self._task(number, cut[number], stencils, values, observed) for number in numbers]

    def _task(
        self,
        number: int,
        nodes: IntArray,
        stencils: dict[int, Stencils],
        values: FloatArray,
        observed: BoolArray | None,
        skipped: BoolArray | None = None,
    ) -> ShardTask:
        series = any(axis.is_series for axis in self.domain.axes)
        n_rows = values.shape[1] if series else values.shape[-1]
        mine = {radius: s.select(nodes) for radius, s in stencils.items()}
        halo = np.unique(mine[max(mine)].node)
        whole = is_mapped(values)
        folds = fold_of_row(n_rows)
        return ShardTask(
            (self.seed, number),
            self.domain,
            halo,
            values if whole else values[halo],
            mine,
            folds if skipped is None else np.where(skipped, -1, folds),
            N_FOLDS,
            self.options,
            None if observed is None else observed[halo],
            whole=whole,
        )


def _timed(task: ShardTask) -> tuple[ShardState, float]:
    """The shard of a task, and the seconds it took where it was worked on."""
    start = perf_counter()
    return fit_shard(task), perf_counter() - start


def is_mapped(values: np.ndarray) -> bool:
    """Whether an array lies in a file that is mapped into memory."""
    base: object = values
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False
