"""Held-out nats of the linear model in many neighborhoods at once.

With the second moments of each fold, training on the others and the mean surprise on this one are
closed forms. What they cost are decompositions, of the third power of a neighborhood. So a
neighborhood counts as a set: components that see the same slots, at one radius or at several, share
its decomposition, and neighborhoods of one size are worked on together, without padding.
"""

from collections.abc import Sequence

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.local.gaussian import LocalGaussian
from locality.local.moments import SecondMoments
from locality.local.patches import Patches
from locality.noise.levels import BAND_EDGES

__all__ = ["held_out_nats"]

_MOST_ENTRIES = 1 << 20  # of matrices worked on together


def held_out_nats(
    moments: SecondMoments, patches: Sequence[Patches], shrinkages: tuple[float, ...]
) -> FloatArray:
    """Mean held-out nats over the folds [n_patches, n_shrinkages, n_bands, n_units].

    Parameters
    ----------
    moments : SecondMoments
        By fold.
    patches : sequence of Patches
        Over the same sources; units are the same components in the same order.
    shrinkages : tuple of float
    """
    n_sources = patches[0].n_sources
    noisy = _as_sets([part.noisy for part in patches], n_sources)
    given = _as_sets([part.given for part in patches], n_sources)
    sets, which = np.unique(np.hstack([noisy, given]), axis=0, return_inverse=True)
    # of a set is asked what it says of one of its components
    center = np.concatenate([part.center for part in patches])
    asked, of_unit = np.unique(
        np.column_stack([which.ravel(), center]), axis=0, return_inverse=True
    )
    parts = sets[:, : noisy.shape[1]], sets[:, noisy.shape[1] :]
    sizes = np.column_stack([(part < n_sources).sum(axis=1) for part in parts])
    found = np.empty((len(shrinkages), len(BAND_EDGES) - 1, len(asked)))
    for n_noisy, n_given in np.unique(sizes, axis=0).tolist():
        alike = np.flatnonzero((sizes == (n_noisy, n_given)).all(axis=1))
        n_together = max(1, _MOST_ENTRIES // (moments.n_folds * (n_noisy + n_given) ** 2))
        for start in range(0, len(alike), n_together):
            some = alike[start : start + n_together]
            slots = np.hstack([parts[0][some, :n_noisy], parts[1][some, :n_given]])
            here = np.flatnonzero(np.isin(asked[:, 0], some))
            unit = np.searchsorted(some, asked[here, 0])
            number = np.arange(len(here)) - np.searchsorted(unit, unit)
            centers = np.zeros((len(some), number.max() + 1), dtype=np.int64)
            centers[unit, number] = (slots[unit] == asked[here, 1:]).argmax(axis=1)
            nats = _cross_validated(moments, slots, n_noisy, centers, shrinkages)
            found[..., here] = nats[..., unit, number]
    by_patch = found[..., of_unit.ravel()].reshape(*found.shape[:2], len(patches), -1)
    return by_patch.transpose(2, 0, 1, 3)


def _as_sets(tables: list[IntArray], padding: int) -> IntArray:
    """Rows of tables of different widths, each in order, with padding at the end."""
    width = max(table.shape[1] for table in tables)
    wide = [
        np.pad(table, ((0, 0), (0, width - table.shape[1])), constant_values=padding)
        for table in tables
    ]
    return np.sort(np.concatenate(wide), axis=1)


def _cross_validated(
    moments: SecondMoments,
    slots: IntArray,
    n_noisy: int,
    centers: IntArray,
    shrinkages: tuple[float, ...],
) -> FloatArray:
    """Mean held-out nats [n_shrinkages, n_bands, n_sets, n_centers] of sets of one size.

    Parameters
    ----------
    moments : SecondMoments
    slots : int array [n_sets, n_slots]
        Noisy ones first.
    n_noisy : int
    centers : int array [n_sets, n_centers]
        Noisy slots whose nats are asked for.
    shrinkages : tuple of float
    """
    folds, (n_sets, n_slots) = moments.held_out, slots.shape
    n_folds = len(folds)
    sums = moments.sums[:, slots[:, :, None], slots[:, None, :]]
    counts = moments.counts[folds, None, None, None]
    held = sums[folds]
    test = (held / np.maximum(counts, 1.0)).reshape(-1, n_slots, n_slots)
    others = np.maximum(moments.counts.sum() - counts, 1.0)
    train = ((sums.sum(axis=0) - held) / others).reshape(test.shape)
    asked = np.tile(centers, (n_folds, 1))
    present = np.ones((len(test), 1, n_slots), dtype=bool)

    def model(gamma: float) -> LocalGaussian:
        return LocalGaussian.fit(train, n_noisy, present, np.full(len(test), gamma))

    if n_slots > n_noisy:
        each = [model(gamma).expected_surprises(test, asked) for gamma in shrinkages]
        nats = np.concatenate(each)
    else:
        nats = model(0.0).expected_surprises(test, asked, shrinkages)
    by_fold = nats.reshape(*nats.shape[:2], n_folds, n_sets, -1)
    return np.asarray(np.average(by_fold, axis=2, weights=moments.counts[folds]))
