"""The radius of every component by held-out nats.

Two errors trade off (Gottwald et al., arXiv 2505.04417): a larger neighborhood leaves less
dependence out, and has more to learn from the same rows. Held-out nats measure their sum, and they
do so noise band by noise band: the best radius grows with the noise. For the linear model the whole
curve over radii costs only covariances: with the second moments of each fold, training on the
others and the mean surprise on this one are closed forms. The same cross-validation chooses the
shrinkage of each neighborhood.
"""

from dataclasses import dataclass, replace

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.local.moments import SecondMoments
from locality.local.patches import Patches
from locality.training.held_out import held_out_nats

__all__ = ["SHRINKAGES", "LinearCurve", "choose_radii", "linear_curve"]

_LEAST_GAIN = 0.002  # nats per component, in all bands together
_POOLING = 1.0  # weight of the shard's median beside a component's own held-out nats
SHRINKAGES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4)
"""Weights of the identity in a covariance that are tried."""


@dataclass(frozen=True, eq=False)
class LinearCurve:
    """Held-out nats of local Gaussians, by noise band.

    Parameters
    ----------
    radii : int array [n_radii]
    nats : float array [n_units, n_radii, n_bands]
        Mean over all rows, each held out once; the sum over bands is the surprise.
    shrinkage : float array [n_units, n_radii, n_bands]
        The best for each.
    n_slots : int array [n_units, n_radii]
        Size of the neighborhood.
    independent : float array [n_units]
        Held-out nats of a Gaussian that sees its own component alone.
    n_measured : int
        Radii that were measured, the smallest ones; at the others the curve goes on level.
    """

    radii: IntArray
    nats: FloatArray
    shrinkage: FloatArray
    n_slots: IntArray
    independent: FloatArray
    n_measured: int

    def widened(self, radii: IntArray, n_slots: IntArray) -> "LinearCurve":
        """The curve continued level to further radii.

        Parameters
        ----------
        radii : int array [n_radii]
            Beginning with those of the curve.
        n_slots : int array [n_units, n_radii]
        """
        more = [(0, 0), (0, len(radii) - len(self.radii)), (0, 0)]
        nats, shrinkage = (np.pad(v, more, mode="edge") for v in (self.nats, self.shrinkage))
        return replace(self, radii=radii, nats=nats, shrinkage=shrinkage, n_slots=n_slots)

    def extended(self, wider: "LinearCurve") -> "LinearCurve":
        """The curve with further radii measured."""
        joined = {
            name: np.concatenate([getattr(self, name), getattr(wider, name)], axis=1)
            for name in ("nats", "shrinkage", "n_slots")
        }
        radii = np.concatenate([self.radii, wider.radii])
        return replace(self, radii=radii, n_measured=len(radii), **joined)

    @property
    def still_falls(self) -> bool:
        """Whether the last radius gained something over all before it."""
        if self.n_measured < 2:
            return True
        last = self.n_measured - 1
        gain = np.maximum(self.nats[:, :last].min(axis=1) - self.nats[:, last], 0.0).sum(axis=1)
        return bool(gain.mean() > _LEAST_GAIN)

    def chosen(self, choice: IntArray, values: FloatArray) -> FloatArray:
        """Of an array [n_units, n_radii, n_bands] what was chosen [n_units, n_bands]."""
        return np.take_along_axis(values, choice[:, None, :], axis=1)[:, 0]


def linear_curve(
    moments: SecondMoments,
    patches: dict[int, Patches],
    shrinkages: tuple[float, ...] = SHRINKAGES,
) -> LinearCurve:
    """Cross-validate local Gaussians at several radii.

    Parameters
    ----------
    moments : SecondMoments
        By fold.
    patches : dict of Patches
        By radius; the units are the same components in the same order.
    shrinkages : tuple of float
        Candidates.
    """
    radii = np.array(sorted(patches))
    wide = [patches[radius] for radius in radii.tolist()]
    alone = Patches(wide[0].noisy[:, :1], wide[0].given[:, :0], wide[0].n_sources)
    *by_radius, independent = held_out_nats(moments, [*wide, alone], shrinkages)
    nats, shrinkage = [], []
    for mean in by_radius:
        best = _pooled(mean, units=2, candidates=0).argmin(axis=0)
        nats.append(np.take_along_axis(mean, best[None], axis=0)[0].T)
        shrinkage.append(np.array(shrinkages)[best].T)
    return LinearCurve(
        radii,
        np.stack(nats, 1),
        np.stack(shrinkage, 1),
        np.stack([sum(part.n_present) for part in wide], 1),
        independent[0].sum(axis=0),
        len(radii),
    )


def choose_radii(curve: LinearCurve) -> IntArray:
    """Radius of every component in every noise band, from its own curve and the shard's.

    With few rows a component's own curve is noisy, and its neighbors' curves inform it.

    Returns
    -------
    int array [n_units, n_bands]
        Indices into ``curve.radii``.
    """
    chosen = _pooled(curve.nats, units=0, candidates=1).argmin(axis=1)
    # a neighborhood that has stopped growing has the smallest radius at which it is the same
    size = np.take_along_axis(curve.n_slots, chosen, axis=1)
    return np.asarray((curve.n_slots[:, :, None] == size[:, None]).argmax(axis=1))


def _pooled(nats: FloatArray, units: int, candidates: int) -> FloatArray:
    """Nats of each unit plus what is typical of all of them.

    Typical is the median of curves freed of their level: the few columns that nearly repeat each
    other gain nats by the dozen, and would decide for all others if a mean were taken.
    """
    centered = nats - nats.mean(axis=candidates, keepdims=True)
    return np.asarray(nats + _POOLING * np.median(centered, axis=units, keepdims=True))
