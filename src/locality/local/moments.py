"""Second moments of the sources of a shard, fold by fold.

All covariances of a shard come from one product z zᵀ over the union of its neighborhoods; the
matrix of a patch is then a matter of indexing. Kept apart per fold, the same sums give training
and held-out moments of every fold, so that cross-validated nats of Gaussian models need no second
pass over the rows. Standardized components have mean zero by construction. On lattices with a rim
only interior examples count, in which every source is seen: sums over unequal sets of examples
would not make a covariance (it could have negative variances).
"""

from dataclasses import dataclass

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.local.patches import Patches

__all__ = ["SecondMoments"]

_CHUNK = 1 << 16  # examples per product: bounds the memory of the float64 copy


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """Sums of products and the numbers of examples behind them.

    Parameters
    ----------
    sums : float array [n_folds, n_sources + 1, n_sources + 1]
        The last row and column, for padding, are zero.
    counts : float array [n_folds]
    judged : tuple of int, optional
        Folds that are held out in turn, all by default.
    """

    sums: FloatArray
    counts: FloatArray
    judged: tuple[int, ...] | None = None

    @classmethod
    def of(cls, z: FloatArray, fold_of_example: IntArray, n_folds: int) -> "SecondMoments":
        """Accumulate over examples.

        Parameters
        ----------
        z : float array [n_sources + 1, n_examples]
        fold_of_example : int array [n_examples]
            0 … n_folds - 1, or -1 for examples to leave out.
        n_folds : int
        """
        sums = np.zeros((n_folds, len(z), len(z)))
        counts = np.zeros(n_folds)
        for f in range(n_folds):
            members = np.flatnonzero(fold_of_example == f)
            for start in range(0, len(members), _CHUNK):
                block = z[:, members[start : start + _CHUNK]].astype(np.float64)
                sums[f] += block @ block.T
            counts[f] = len(members)
        return cls(sums, counts)

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.sums)

    @property
    def held_out(self) -> IntArray:
        """Folds that are held out in turn."""
        return np.arange(self.n_folds) if self.judged is None else np.array(self.judged)

    def covariance(self, patches: Patches, folds: list[int] | None = None) -> FloatArray:
        """Covariance of every patch from some folds (default all) [n_units, n_slots, n_slots].

        Zero in the rows and columns of padded slots.
        """
        slots = patches.slots
        return self.matrix(folds)[slots[:, :, None], slots[:, None, :]]

    def matrix(self, folds: list[int] | None = None) -> FloatArray:
        """Covariance of all sources from some folds [n_sources + 1, n_sources + 1]."""
        which = list(range(self.n_folds)) if folds is None else folds
        return np.asarray(self.sums[which].sum(axis=0) / max(self.counts[which].sum(), 1.0))
