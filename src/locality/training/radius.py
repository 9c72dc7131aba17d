"""The radius of every component by held-out nats.

Two errors trade off (Gottwald et al., arXiv 2505.04417): a larger neighborhood leaves less
dependence out, and has more to learn from the same rows. Held-out nats measure their sum. For the
linear model the whole curve over radii costs only covariances: with the second moments of each
fold, training on the others and the mean surprise on this one are closed forms. The same
cross-validation chooses the shrinkage of each neighborhood.
"""

from dataclasses import dataclass

import numpy as np
import torch

from locality._typing import FloatArray, IntArray
from locality.local.gaussian import LocalGaussian
from locality.local.moments import SecondMoments
from locality.local.patches import Patches

__all__ = ["LinearCurve", "choose_radii", "linear_curve"]

_SLACK = 3.0  # nats times rows by which a smaller radius may be worse
SHRINKAGES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4)


@dataclass(frozen=True, eq=False)
class LinearCurve:
    """Held-out nats of local Gaussians.

    Parameters
    ----------
    radii : int array [n_radii]
    nats : float array [n_units, n_radii]
        Mean over all rows, each held out once.
    fold_nats : float array [n_units, n_radii, n_folds]
    shrinkage : float array [n_units, n_radii]
        The best for each.
    independent : float array [n_units]
        Held-out nats of a Gaussian that sees its own component alone.
    n_examples : int
    """

    radii: IntArray
    nats: FloatArray
    fold_nats: FloatArray
    shrinkage: FloatArray
    independent: FloatArray
    n_examples: int


def linear_curve(moments: SecondMoments, patches: dict[int, Patches]) -> LinearCurve:
    """Cross-validate local Gaussians at several radii.

    Parameters
    ----------
    moments : SecondMoments
        By fold.
    patches : dict of Patches
        By radius; the units are the same components in the same order.
    """
    radii = np.array(sorted(patches))
    nats, fold_nats, shrinkage = [], [], []
    for radius in radii.tolist():
        by_fold = _held_out(moments, patches[radius])  # [n_shrinkages, n_units, n_folds]
        mean = by_fold.mean(-1)
        best = mean.argmin(0)
        unit = np.arange(len(best))
        nats.append(mean[best, unit])
        fold_nats.append(by_fold[best, unit])
        shrinkage.append(np.array(SHRINKAGES)[best])
    alone = patches[int(radii[0])]
    alone = Patches(alone.noisy[:, :1], alone.given[:, :0], alone.n_sources)
    return LinearCurve(
        radii,
        np.stack(nats, 1),
        np.stack(fold_nats, 1),
        np.stack(shrinkage, 1),
        _held_out(moments, alone, (0.0,))[0].mean(-1),
        int(moments.counts.sum()),
    )


def choose_radii(curve: LinearCurve, pooling: float = 0.5) -> IntArray:
    """Radius of every component from its own curve and, for steadiness, the shard's.

    The score is nats_j(r) + pooling · mean over the shard of nats(r), each relative to radius
    zero: with few rows a component's own curve is noisy and its neighbors' curves inform it.
    The smallest radius wins that is not surely worse than the best. If one of two close models is
    better by Δ nats, the log ratio of their densities has variance 2Δ, so from n rows Δ has a
    standard error of √(2Δ/n): it is below 1.2 of them if Δ < 3/n.

    Returns
    -------
    int array [n_units]
        Indices into ``curve.radii``.
    """
    relative = curve.nats - curve.nats[:, :1]
    score = relative + pooling * relative.mean(0)
    slack = _SLACK * (1.0 + pooling) / curve.n_examples
    chosen = np.argmax(score <= score.min(1, keepdims=True) + slack, axis=1)
    # a neighborhood that has stopped growing has the smallest radius at which it is the same
    same = np.isclose(curve.nats, np.take_along_axis(curve.nats, chosen[:, None], 1), atol=1e-12)
    return np.asarray(same.argmax(axis=1))


def _held_out(
    moments: SecondMoments, patches: Patches, shrinkages: tuple[float, ...] = SHRINKAGES
) -> FloatArray:
    """Held-out nats [n_shrinkages, n_units, n_folds]."""
    n_folds, n_noisy = moments.n_folds, patches.noisy.shape[1]
    sums = moments.patch_sums(patches)
    counts = moments.counts[:, None, None, None]
    test = (sums / counts.clamp_min(1.0)).flatten(0, 1)
    others = (counts.sum() - counts).clamp_min(1.0)
    train = ((sums.sum(0) - sums) / others).flatten(0, 1)
    present = torch.from_numpy(np.tile(patches.slots < patches.n_sources, (n_folds, 1)))[:, None]

    def model(gamma: float) -> LocalGaussian:
        strength = torch.full((len(test),), gamma, dtype=torch.float64)
        return LocalGaussian.fit(train, n_noisy, present, strength)

    if patches.given.shape[1]:
        nats = torch.stack([model(gamma).expected_surprise(test) for gamma in shrinkages])
    else:
        nats = model(0.0).shrunk_surprises(test, shrinkages)
    return nats.view(len(shrinkages), n_folds, -1).transpose(1, 2).numpy()
