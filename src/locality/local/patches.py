"""Patches: what the local models of a shard see, gathered from its own columns and halo.

The stencils of a shard together name a list of **sources**: pairs (node, offset). For every
position and sample the values of all sources form one **example**, a column of the matrix
z [n_sources + 1, n_examples]; its last row is zero. The patch of unit j is the row gather
z[slots_j]. Ragged stencils are padded with the index of the zero row, never by repeating a
component, so padding cannot be read, carries no gradient, and adds nothing to a divergence.
Slots outside the lattice hold zero as well; which ones, is told by the boundary class.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.boundary import boundary_classes
from locality.domain.domain import Domain
from locality.domain.stencils import GIVEN, Stencils

__all__ = ["Patches", "Sources", "unfold"]


@dataclass(frozen=True, eq=False)
class Sources:
    """The distinct (node, offset) pairs that some stencils read, in a fixed order.

    Parameters
    ----------
    node : int array [n_sources]
    offset : int array [n_sources, n_axes]
    given : bool array [n_sources]
        Clean context, as opposed to noisy.
    """

    node: IntArray
    offset: IntArray
    given: BoolArray

    @classmethod
    def of(cls, stencils: Stencils) -> "Sources":
        """Sources of these stencils, ordered by (role, offset, node)."""
        table = np.column_stack([stencils.role, stencils.offset, stencils.node])
        rows = np.unique(table, axis=0)
        return cls(rows[:, -1], rows[:, 1:-1], rows[:, 0] == GIVEN)

    @property
    def n_sources(self) -> int:
        """Number of sources."""
        return len(self.node)

    def find(self, stencils: Stencils) -> IntArray:
        """Position here of every slot of the stencils [n_slots]."""
        table = np.vstack(
            [
                np.column_stack([part.node, part.offset]).astype(np.int64)
                for part in (self, stencils)
            ]
        )
        code = np.unique(table, axis=0, return_inverse=True)[1].ravel()
        mine, theirs = code[: self.n_sources], code[self.n_sources :]
        order = np.argsort(mine)
        return order[np.searchsorted(mine, theirs, sorter=order)]

    def inside(self, domain: Domain, extent: tuple[int, ...]) -> tuple[IntArray, BoolArray]:
        """Boundary class of every position, and per class which sources lie inside."""
        as_stencil = Stencils(
            target=np.zeros(1, dtype=np.int64),
            indptr=np.array([0, self.n_sources], dtype=np.int64),
            node=self.node.copy(),
            offset=self.offset.copy(),
            role=self.given.astype(np.int8),
        )
        return boundary_classes(as_stencil, extent, tuple(axis.periodic for axis in domain.axes))


@dataclass(frozen=True, eq=False)
class Patches:
    """Padded index arrays of some stencils over common sources; one row is a **unit**.

    Parameters
    ----------
    noisy : int array [n_units, n_noisy]
        Source of every noisy slot, the center first; ``n_sources`` where padded.
    given : int array [n_units, n_given]
        Source of every given slot; ``n_sources`` where padded.
    n_sources : int
    """

    noisy: IntArray
    given: IntArray
    n_sources: int

    @classmethod
    def of(cls, stencils: Stencils, sources: Sources) -> "Patches":
        """Patches of these stencils, all of whose slots are among the sources."""
        where = sources.find(stencils)
        unit = np.repeat(np.arange(stencils.n_targets), stencils.sizes)
        noisy, given = (
            _pad(where[keep], unit[keep], stencils.n_targets, sources.n_sources)
            for keep in (stencils.role != GIVEN, stencils.role == GIVEN)
        )
        return cls(noisy, given, sources.n_sources)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.noisy)

    @cached_property
    def slots(self) -> IntArray:
        """Noisy then given slots [n_units, n_noisy + n_given]."""
        return np.concatenate([self.noisy, self.given], axis=1)

    @property
    def center(self) -> IntArray:
        """Source of each unit's own component [n_units]."""
        return self.noisy[:, 0]

    def take(self, units: NDArray[np.int64]) -> "Patches":
        """Some units only, without columns that are padding for all of them."""
        noisy, given = self.noisy[units], self.given[units]
        keep_noisy = (noisy < self.n_sources).any(axis=0)
        keep_given = (given < self.n_sources).any(axis=0)
        return Patches(noisy[:, keep_noisy], given[:, keep_given], self.n_sources)

    def within(self, n_noisy: IntArray, n_given: IntArray) -> "Patches":
        """The first slots of each kind only, without columns that are padding for all.

        Slots are ordered by distance, so these are the patches of smaller radii.

        Parameters
        ----------
        n_noisy, n_given : int arrays [n_units]
        """
        noisy, given = (
            np.where(np.arange(table.shape[1]) < count[:, None], table, self.n_sources)
            for table, count in ((self.noisy, n_noisy), (self.given, n_given))
        )
        return Patches(noisy, given, self.n_sources).take(np.arange(self.n_units))

    @property
    def n_present(self) -> tuple[IntArray, IntArray]:
        """Numbers of noisy and of given slots that are not padding [n_units] each."""
        noisy, given = (np.count_nonzero(t < self.n_sources, 1) for t in (self.noisy, self.given))
        return noisy, given


def unfold(values: FloatArray, sources: Sources, domain: Domain) -> FloatArray:
    """The matrix of examples of some sources.

    Parameters
    ----------
    values : array [n_nodes, *extent, n_samples]
        Standardized state.
    sources : Sources
    domain : Domain
        For which axes are periodic.

    Returns
    -------
    float array [n_sources + 1, prod(extent) * n_samples]
        Same precision as ``values``; zero where a source lies outside the lattice, and in the
        last row. Examples are ordered by position, then sample.
    """
    extent, n_samples = values.shape[1:-1], values.shape[-1]
    z = np.zeros((sources.n_sources + 1, *extent, n_samples), dtype=values.dtype)
    offsets, which = np.unique(sources.offset, axis=0, return_inverse=True)
    for number, offset in enumerate(offsets):
        rows = np.flatnonzero(which.ravel() == number)
        block = values[sources.node[rows]]
        into: list[slice] = []
        read: list[slice] = []
        for a, axis in enumerate(domain.axes):
            step = int(offset[a])
            if axis.periodic:
                block = np.roll(block, -step, axis=a + 1)
                step = 0
            size = extent[a]
            into.append(slice(max(0, -step), max(0, size - max(0, step))))
            read.append(slice(max(0, step), max(0, size + min(0, step))))
        if all(part.start < part.stop for part in into):
            z[(rows, *into)] = block[(slice(None), *read)]  # type: ignore[index]
    return z.reshape(sources.n_sources + 1, -1)


def _pad(values: IntArray, unit: IntArray, n_units: int, fill: int) -> IntArray:
    counts = np.bincount(unit, minlength=n_units)
    table = np.full((n_units, int(counts.max(initial=0))), fill, dtype=np.int64)
    column = np.arange(len(unit)) - np.repeat(np.cumsum(counts) - counts, counts)
    table[unit, column] = values
    return table
