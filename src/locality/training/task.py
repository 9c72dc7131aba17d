"""The task of one shard: its own columns and halo, and what the local models make of them.

A task carries the standardized values of the nodes it reads and nothing else, so that it can be
computed anywhere.
"""

import hashlib
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.domain import Domain
from locality.domain.stencils import Stencils
from locality.local.moments import SecondMoments
from locality.local.patches import Patches, Sources, unfold
from locality.local.shard import ShardState

if TYPE_CHECKING:
    from locality.training.options import TrainingOptions

__all__ = ["ShardExamples", "ShardTask"]


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
        Their standardized values; those of all nodes if ``whole``.
    stencils : dict of Stencils
        By radius, for the shard's targets only; nodes as in the whole domain.
    fold_of_row : int array [n_rows]
        Fold of every row: samples, or positions of a series; −1 for those that are no examples.
    n_folds : int
    options : TrainingOptions or None
        None for the linear model.
    observed : bool array [n_halo, *extent, n_samples], optional
        False where a value is a draw in place of a missing one: networks see it as a neighbor, and
        do not learn to predict it.
    warm : tuple of ShardState
        Present states of some of the components: networks that see the same slots start from them.
    whole : bool
        Values are mapped from a file and those of all nodes: a task carries the place of the file,
        and whoever works on it reads the halo.
    """

    key: tuple[int, ...]
    domain: Domain
    halo: IntArray
    values: FloatArray
    stencils: dict[int, Stencils]
    fold_of_row: IntArray
    n_folds: int
    options: "TrainingOptions | None"
    observed: BoolArray | None = None
    warm: tuple[ShardState, ...] = ()
    whole: bool = False

    @property
    def halo_values(self) -> FloatArray:
        """Values of the halo [n_halo, *extent, n_samples]; read now if they lie in a file."""
        return np.ascontiguousarray(self.values[self.halo]) if self.whole else self.values

    @property
    def digest(self) -> str:
        """SHA-256 of all that the result depends on, the software included."""
        found = hashlib.sha256()

        def add(name: str, array: np.ndarray) -> None:
            whole = np.ascontiguousarray(array)
            found.update(f"{name} {whole.dtype} {whole.shape}".encode())
            found.update(whole.data)

        made_with = [version(name) for name in ("locality", "torch", "numpy")]
        parts = (self.key, self.domain.axes, self.n_folds, self.options, made_with)
        found.update(repr(parts).encode())
        add("halo", self.halo)
        add("values", self.halo_values)
        add("folds", self.fold_of_row)
        if self.observed is not None:
            add("observed", self.observed)
        for radius, stencils in self.stencils.items():
            for name in ("target", "indptr", "node", "offset", "role"):
                add(f"{radius} {name}", getattr(stencils, name))
        for part in self.warm:
            for name, array in part.arrays().items():
                add(f"warm {name}", array)
        return found.hexdigest()

    @property
    def is_series(self) -> bool:
        """Whether rows follow one another in time."""
        return any(axis.is_series for axis in self.domain.axes)


@dataclass(frozen=True, eq=False)
class ShardExamples:
    """The values of a task as the local models see them.

    Parameters
    ----------
    sources : Sources
        Nodes as in the whole domain.
    z : float array [n_sources + 1, n_examples]
    classes, folds : int arrays [n_examples]
        Boundary class and fold of every example.
    inside : bool array [n_classes, n_sources]
        Which sources lie inside, per boundary class.
    moments : SecondMoments
        By fold.
    patches : dict of Patches
        By radius, one unit per target.
    row : int array [n_examples]
        Row of the table that an example is of.
    observed : float32 array [n_sources + 1, n_examples] or None
        0 where a value is a draw in place of a missing one.
    """

    sources: Sources
    z: FloatArray
    classes: IntArray
    folds: IntArray
    inside: BoolArray
    moments: SecondMoments
    patches: dict[int, Patches]
    row: IntArray
    observed: FloatArray | None = None

    @classmethod
    def of(cls, task: ShardTask) -> "ShardExamples":
        """Unfold the values of a task."""
        sources = Sources.of(task.stencils[max(task.stencils)])
        local = replace(sources, node=np.searchsorted(task.halo, sources.node))
        z = unfold(task.halo_values, local, task.domain)
        extent, n_samples = task.values.shape[1:-1], task.values.shape[-1]
        class_of_position, inside = sources.inside(task.domain, extent)
        classes = np.repeat(class_of_position, n_samples)
        series = [a for a, axis in enumerate(task.domain.axes) if axis.is_series]
        if series:
            row = np.repeat(np.indices(extent)[series[0]].ravel(), n_samples)
        else:
            row = np.tile(np.arange(n_samples), len(class_of_position))
        folds = task.fold_of_row[row]
        moments = SecondMoments.of(z, np.where(classes == 0, folds, -1), task.n_folds)
        patches = {radius: Patches.of(s, sources) for radius, s in task.stencils.items()}
        observed = None
        if task.observed is not None:
            observed = unfold(task.observed.astype(np.float32), local, task.domain)
        return cls(sources, z, classes, folds, inside, moments, patches, row, observed)

    def slots_within(self, radius: IntArray) -> tuple[IntArray, IntArray]:
        """Numbers of noisy and given slots of every target within some radii.

        Parameters
        ----------
        radius : int array [n_targets, ...]

        Returns
        -------
        int arrays of the same shape
        """
        noisy, given = np.zeros((2, *radius.shape), dtype=np.int64)
        for value, patches in self.patches.items():
            here = radius == value
            for counts, present in zip((noisy, given), patches.n_present, strict=True):
                column = present.reshape(-1, *[1] * (radius.ndim - 1))
                counts[here] = np.broadcast_to(column, radius.shape)[here]
        return noisy, given
