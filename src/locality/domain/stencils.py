"""Stencils: what every local model looks at, as frozen flat arrays.

The stencil of a target node is a list of slots. A slot is a (node, offset) seen from the
target's position, and has a role: NOISY slots are modeled and seen as x + σε, GIVEN slots are
clean context. The center (the target itself at offset zero) is always slot 0.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locality._typing import IntArray
from locality.exceptions import GraphError

__all__ = ["GIVEN", "NOISY", "Stencils"]

NOISY: Final = 0
GIVEN: Final = 1


@dataclass(frozen=True, eq=False)
class Stencils:
    """The stencils of some target nodes.

    Parameters
    ----------
    target : int array [n_targets]
        Node of each stencil, each at most once.
    indptr : int array [n_targets + 1]
        Where each stencil begins.
    node : int array [n_slots]
        Node of each slot.
    offset : int array [n_slots, n_axes]
        Its offset along every axis.
    role : int8 array [n_slots]
        NOISY (0) or GIVEN (1).

    Notes
    -----
    Within a stencil: the center, then the other noisy slots by (distance, node, offset), then
    the given slots, those of context nodes first, then by (distance, node, offset). So of each
    role, the slots at a smaller radius are the first ones of those at a larger radius.

    Examples
    --------
    >>> from locality.domain.domain import Domain
    >>> from locality.domain.graph import DependencyGraph
    >>> stencils = Domain(DependencyGraph.chain(3), ("a", "b", "c")).stencils(1)
    >>> stencils.sizes.tolist()
    [2, 3, 2]
    >>> node, offset, role = stencils.slots(1)
    >>> node.tolist()
    [1, 0, 2]
    """

    target: IntArray
    indptr: IntArray
    node: IntArray
    offset: IntArray
    role: NDArray[np.int8]

    def __post_init__(self) -> None:
        for array in (self.target, self.indptr, self.node, self.offset, self.role):
            array.flags.writeable = False

    @property
    def n_targets(self) -> int:
        """Number of stencils."""
        return len(self.target)

    @property
    def n_slots(self) -> int:
        """Number of slots of all stencils together."""
        return len(self.node)

    @property
    def n_axes(self) -> int:
        """Number of tied axes."""
        return int(self.offset.shape[1])

    @property
    def sizes(self) -> IntArray:
        """Number of slots of each stencil [n_targets]."""
        return np.diff(self.indptr)

    @property
    def n_given(self) -> IntArray:
        """Number of given slots of each stencil [n_targets]."""
        given = np.concatenate([[0], np.cumsum(self.role == GIVEN)])
        return np.diff(given[self.indptr])

    @property
    def n_noisy(self) -> IntArray:
        """Number of noisy slots of each stencil, the center included [n_targets]."""
        return self.sizes - self.n_given

    def slots(self, j: int) -> tuple[IntArray, IntArray, NDArray[np.int8]]:
        """Node, offset and role of the slots of target node j."""
        row = self._rows(np.array([j], dtype=np.int64))[0]
        span = slice(self.indptr[row], self.indptr[row + 1])
        return self.node[span], self.offset[span], self.role[span]

    def select(self, targets: ArrayLike) -> "Stencils":
        """The stencils of these target nodes only, in this order.

        Parameters
        ----------
        targets : int array
            Node numbers, as in ``target``.

        Raises
        ------
        GraphError
            If one of them has no stencil here.
        """
        rows = self._rows(np.atleast_1d(np.asarray(targets, dtype=np.int64)))
        sizes = self.sizes[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        pick = np.repeat(self.indptr[rows] - indptr[:-1], sizes) + np.arange(indptr[-1])
        return Stencils(
            self.target[rows], indptr, self.node[pick], self.offset[pick], self.role[pick]
        )

    def _rows(self, targets: IntArray) -> IntArray:
        """Position of each target node in ``target``."""
        order = np.argsort(self.target)
        place = np.searchsorted(self.target, targets, sorter=order)
        rows = order[np.minimum(place, self.n_targets - 1)]
        unknown = self.target[rows] != targets
        if unknown.any():
            raise GraphError(
                f"Node {targets[unknown][0]} is not among the {self.n_targets} targets "
                f"({int(unknown.sum())} such nodes).",
                remedy="Context nodes are given to every stencil and have none of their own.",
            )
        return rows
