"""Second moments of the sources of a shard, fold by fold.

All covariances of a shard come from one product z zᵀ over the union of its neighborhoods; the
matrix of a patch is then a matter of indexing. Kept apart per fold, the same sums give training
and held-out moments of every fold, so that cross-validated nats of Gaussian models need no second
pass over the rows. Standardized components have mean zero by construction. On lattices with a rim
only interior examples count, in which every source is seen: sums over unequal sets of examples
would not make a covariance (it could have negative variances).
"""

from dataclasses import dataclass

import torch

from locality._typing import IntArray
from locality.local.patches import Patches

__all__ = ["SecondMoments"]

_CHUNK = 1 << 16  # examples per product: bounds the memory of the float64 copy


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """Sums of products and the numbers of examples behind them.

    Parameters
    ----------
    sums : float64 tensor [n_folds, n_sources + 1, n_sources + 1]
        The last row and column, for padding, are zero.
    counts : float64 tensor [n_folds]
    """

    sums: torch.Tensor
    counts: torch.Tensor

    @classmethod
    def of(cls, z: torch.Tensor, fold_of_example: IntArray, n_folds: int) -> "SecondMoments":
        """Accumulate over examples.

        Parameters
        ----------
        z : tensor [n_sources + 1, n_examples]
        fold_of_example : int array [n_examples]
            0 … n_folds - 1, or -1 for examples to leave out.
        n_folds : int
        """
        n = z.shape[0]
        sums = torch.zeros(n_folds, n, n, dtype=torch.float64)
        counts = torch.zeros(n_folds, dtype=torch.float64)
        fold = torch.from_numpy(fold_of_example)
        for f in range(n_folds):
            members = torch.nonzero(fold == f).ravel()
            for part in torch.split(members, _CHUNK):
                block = z.index_select(1, part).double()
                sums[f].addmm_(block, block.T)
            counts[f] = len(members)
        return cls(sums, counts)

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.sums)

    def covariance(self, patches: Patches, folds: list[int] | None = None) -> torch.Tensor:
        """Covariance of every patch from some folds (default all) [n_units, n_slots, n_slots].

        Zero in the rows and columns of padded slots.
        """
        matrix = self.matrix(folds)
        slots = torch.from_numpy(patches.slots)
        return matrix[slots[:, :, None], slots[:, None, :]]

    def patch_sums(self, patches: Patches) -> torch.Tensor:
        """Sums of products of every patch, by fold [n_folds, n_units, n_slots, n_slots]."""
        slots = torch.from_numpy(patches.slots)
        return self.sums[:, slots[:, :, None], slots[:, None, :]]

    def matrix(self, folds: list[int] | None = None) -> torch.Tensor:
        """Covariance of all sources from some folds [n_sources + 1, n_sources + 1]."""
        which = list(range(self.n_folds)) if folds is None else folds
        return self.sums[which].sum(0) / self.counts[which].sum().clamp_min(1.0)
