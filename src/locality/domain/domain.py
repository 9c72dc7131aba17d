"""The domain: what the components are and who neighbors whom.

A domain is nodes × axes. Nodes (sensors, columns, channels) are joined by a dependency graph and
each has a law of its own; along the axes the law is the same everywhere. A component is a node at
a position. The distance between (i, position s) and (j, position t) is

    h(i, j) + Σ over lattice axes |s_a − t_a| ,

hops plus lattice steps; series axes do not count, their window belongs to every stencil. Slots
with a past offset on a causal axis are GIVEN. **Context** nodes (set-points, operating mode,
calendar) are GIVEN wherever they appear: they belong to every stencil at lattice offset zero and
all its series offsets, have no stencil themselves, and paths through them do not count, because
what is known transmits no dependence.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from locality._typing import IntArray
from locality.domain.axis import Axis
from locality.domain.graph import DependencyGraph
from locality.domain.neighborhoods import Sweep
from locality.domain.stencils import GIVEN, NOISY, Stencils
from locality.exceptions import GraphError, OptionError

__all__ = ["Axis", "Domain", "Stencils"]

_Slots: TypeAlias = tuple[IntArray, IntArray, IntArray, IntArray]  # row, node, offset, distance


@dataclass(frozen=True)
class Domain:
    """Nodes with their graph, and tied axes.

    Parameters
    ----------
    graph : DependencyGraph
        Who depends directly on whom.
    names : tuple of str [n_nodes]
        Name of every node, each different.
    axes : tuple of Axis, default ()
        At most one of them a series axis; none for a plain table.
    context : tuple of int, default ()
        Nodes that are only ever given.

    Raises
    ------
    GraphError
        If names and graph differ in size, a name repeats, or a context node does not exist.
    OptionError
        If there is more than one series axis, or only context.

    Examples
    --------
    >>> domain = Domain(DependencyGraph.chain(3), ("a", "b", "c"), (Axis("time", window=(1, 0)),))
    >>> node, offset, role = domain.stencils(1).slots(0)
    >>> list(zip(node.tolist(), offset[:, 0].tolist(), role.tolist()))
    [(0, 0, 0), (1, 0, 0), (0, -1, 1), (1, -1, 1)]
    """

    graph: DependencyGraph
    names: tuple[str, ...]
    axes: tuple[Axis, ...] = ()
    context: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for field in ("names", "axes"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        object.__setattr__(self, "context", tuple(sorted({int(j) for j in self.context})))
        n = self.graph.n_nodes
        if len(self.names) != n:
            raise GraphError(
                f"The graph has {n} nodes, but there are {len(self.names)} names.",
                remedy="Build the graph over the columns of this table.",
            )
        repeated = len(self.names) - len(set(self.names))
        if repeated:
            raise GraphError(f"Names must be different, but {repeated} of {n} repeat another.")
        if self.context and not (self.context[0] >= 0 and self.context[-1] < n):
            raise GraphError(f"Context nodes {self.context} are not all within 0 to {n - 1}.")
        if len(self.context) == n:
            raise OptionError("All nodes are context, so there is nothing to model.")
        if sum(axis.is_series for axis in self.axes) > 1:
            raise OptionError("A domain has at most one series axis.")

    @property
    def n_nodes(self) -> int:
        """Number of nodes, context included."""
        return self.graph.n_nodes

    @property
    def n_axes(self) -> int:
        """Number of tied axes."""
        return len(self.axes)

    @cached_property
    def targets(self) -> IntArray:
        """Nodes that are modeled: all but context [n_targets]."""
        return np.setdiff1d(np.arange(self.n_nodes), np.asarray(self.context, dtype=np.int64))

    def sweep(self) -> Sweep:
        """For stencils of several radii, each of which goes on from the one before."""
        return Sweep(self._free_graph())

    def stencils(self, radius: int | ArrayLike, sweep: Sweep | None = None) -> Stencils:
        """The stencil of every target.

        Parameters
        ----------
        radius : int or int array [n_targets]
            Largest distance, one for all or one per target (in the order of ``targets``).
        sweep : Sweep, optional
            Of this domain; by default one of its own.

        Returns
        -------
        Stencils
            With the center first; see there for the order.

        Raises
        ------
        OptionError
            If a radius is negative or fractional, or their number is wrong.
        """
        targets = self.targets.copy()  # stencils are frozen
        radii = self._radii(radius, len(targets))
        row, node, offset, distance = self._neighborhood(targets, radii, sweep or self.sweep())
        extra = self._context_slots(len(targets))
        n_neighborhood = len(row)
        row, node, offset, distance = (
            np.concatenate([a, b])
            for a, b in zip((row, node, offset, distance), extra, strict=True)
        )
        role = np.full(len(row), NOISY, dtype=np.int8)
        role[n_neighborhood:] = GIVEN
        for a, axis in enumerate(self.axes):
            if axis.is_causal:
                role[offset[:, a] < 0] = GIVEN
        if self.axes or self.context:  # otherwise the sweep is in order already
            center = (node == targets[row]) & (offset == 0).all(axis=1)
            keys = [offset[:, a] for a in reversed(range(self.n_axes))]
            order = np.lexsort((*keys, node, distance, ~center, role, row))
            row, node, offset, role = row[order], node[order], offset[order], role[order]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(targets)))])
        return Stencils(targets, indptr.astype(np.int64), node, offset, role)

    def _radii(self, radius: int | ArrayLike, n_targets: int) -> IntArray:
        radii = np.asarray(radius)
        if radii.ndim > 1 or (radii.ndim == 1 and len(radii) != n_targets):
            raise OptionError(
                f"radius must be one number or one per target ({n_targets}), found shape "
                f"{radii.shape}."
            )
        if radii.dtype.kind not in "iu" or radii.min() < 0:
            raise OptionError(f"A radius counts hops: a whole number ≥ 0, found {radius!r}.")
        return np.broadcast_to(radii, (n_targets,)).astype(np.int64)

    def _free_graph(self) -> DependencyGraph:
        """The graph without the edges of context nodes."""
        if not self.context:
            return self.graph
        i, j, weight = self.graph.edges()
        free = ~(np.isin(i, self.context) | np.isin(j, self.context))
        edges = np.column_stack([i[free], j[free], weight[free]])
        return DependencyGraph.from_edges(edges, self.n_nodes)

    def _neighborhood(self, targets: IntArray, radii: IntArray, sweep: Sweep) -> _Slots:
        """Row, node, offset, distance of all slots but context."""
        indptr, indices, hops = sweep.within(int(radii.max()))
        row_of_node = np.full(self.n_nodes, -1, dtype=np.int64)
        row_of_node[targets] = np.arange(len(targets))
        row = np.repeat(row_of_node, np.diff(indptr))
        left = np.where(row >= 0, radii[row] - hops, -1)  # distance left for lattice steps
        keep = left >= 0
        row, node, hop, left = row[keep], indices[keep], hops[keep], left[keep]
        offset, steps = self._offsets(int(radii.max()))
        n_near = np.cumsum(np.bincount(steps, minlength=int(radii.max()) + 1))[left]
        pair = np.repeat(np.arange(len(row)), n_near)
        which = np.arange(len(pair)) - np.repeat(np.cumsum(n_near) - n_near, n_near)
        return row[pair], node[pair], offset[which], hop[pair] + steps[which]

    def _offsets(self, radius: int) -> tuple[IntArray, IntArray]:
        """Offset vectors within the radius and their lattice steps, fewest steps first."""
        ranges = [axis.offsets(radius).tolist() for axis in self.axes]
        places = list(product(*ranges))
        table = np.array(places, dtype=np.int64).reshape(len(places), self.n_axes)
        lattice = [a for a, axis in enumerate(self.axes) if not axis.is_series]
        steps = np.abs(table[:, lattice]).sum(axis=1).astype(np.int64)
        order = np.argsort(steps, kind="stable")
        order = order[steps[order] <= radius]
        return table[order], steps[order]

    def _context_slots(self, n_targets: int) -> _Slots:
        """The same slots for every target and radius: context nodes over the series window."""
        center_only = [axis.offsets(0).tolist() for axis in self.axes]
        places = list(product(self.context, *center_only))
        table = np.array(places, dtype=np.int64).reshape(-1, 1 + self.n_axes)
        row = np.repeat(np.arange(n_targets), len(table))
        table = np.tile(table, (n_targets, 1))
        return row, table[:, 0], table[:, 1:], np.full(len(table), -1, dtype=np.int64)
