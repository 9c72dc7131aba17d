"""The linear denoiser: in every noise band a local Gaussian with a radius of its own.

The noised law at level σ has longer memory than the clean one: what is lost at one component is
found again farther away. So the neighborhood that is best for given data grows with σ, and one
radius for all levels either cuts off the slow common movements of samples or asks more of fine
levels than the data can tell. Here each band of σ has its own patch, cut from the widest one (slots
are ordered by distance), and its own shrinkage; between bands D⁰ is put together piece by piece.
The surprise stays a quadratic form in closed form, the sum of those of the bands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.local.gaussian import LocalGaussian, present_slots
from locality.local.patches import Patches
from locality.noise.levels import BAND_EDGES, band_of

__all__ = ["LinearDenoiser"]

_CHUNK = 1 << 12  # examples whose surprise is worked out together


@dataclass(frozen=True, eq=False)
class LinearDenoiser:
    """Closed form of some units at all noise levels.

    Parameters
    ----------
    patches : Patches
        The widest patch of every unit; its slots are those of this denoiser.
    bands : tuple of LocalGaussian
        From the coarsest band to the finest.
    places : tuple of int arrays [n_units, n_slots of the band]
        Where the slots of each band stand among ``patches.slots``; one past the end if padded.
    """

    patches: Patches
    bands: tuple[LocalGaussian, ...]
    places: tuple[IntArray, ...]

    @classmethod
    def fit(
        cls,
        covariance: FloatArray,
        patches: Patches,
        n_noisy: IntArray,
        n_given: IntArray,
        shrinkage: FloatArray,
        inside: BoolArray,
    ) -> "LinearDenoiser":
        """From second moments of the sources.

        Parameters
        ----------
        covariance : float array [n_sources + 1, n_sources + 1]
            The last row and column are padding.
        patches : Patches
            The widest.
        n_noisy, n_given : int arrays [n_units, n_bands]
            How many of the first slots of each kind a band sees.
        shrinkage : float array [n_units, n_bands]
        inside : bool array [n_classes, n_sources]
            Which sources lie inside, per boundary class.
        """
        bands: list[LocalGaussian] = []
        places: list[IntArray] = []
        settings = np.stack([n_noisy, n_given, shrinkage], axis=-1)
        for b in range(settings.shape[1]):
            if b and np.array_equal(settings[:, b], settings[:, b - 1]):
                bands.append(bands[-1])
                places.append(places[-1])
                continue
            part = patches.within(n_noisy[:, b], n_given[:, b])
            bands.append(_fitted(covariance, part, shrinkage[:, b], inside))
            places.append(_places(part, patches))
        return cls(patches, tuple(bands), tuple(places))

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.patches.n_units

    @property
    def n_classes(self) -> int:
        """Number of boundary classes."""
        return self.bands[0].n_classes

    @property
    def conditional_scale(self) -> FloatArray:
        """Standard deviation of each component given its finest patch [n_units, n_classes]."""
        return self.bands[-1].conditional_scale

    @property
    def prediction(self) -> FloatArray:
        """Weight of every slot in what is expected given the finest patch but the component itself
        [n_units, n_classes, n_slots].
        """
        part = self.bands[-1].prediction
        n_slots = self.patches.slots.shape[1]
        result = np.zeros((self.n_units, self.n_classes, n_slots + 1))
        np.put_along_axis(result, np.broadcast_to(self.places[-1][:, None], part.shape), part, 2)
        return result[..., :n_slots]

    def take(self, units: IntArray) -> "LinearDenoiser":
        """Some units only; slots keep their places."""
        patches = Patches(
            self.patches.noisy[units], self.patches.given[units], self.patches.n_sources
        )
        bands = tuple(band.take(units) for band in self.bands)
        return LinearDenoiser(patches, bands, tuple(place[units] for place in self.places))

    def in_classes(self, classes: IntArray) -> "LinearDenoiser":
        """Some boundary classes only."""
        bands = tuple(band.in_classes(classes) for band in self.bands)
        return LinearDenoiser(self.patches, bands, self.places)

    def weights(self, sigma: FloatArray) -> FloatArray:
        """Weight of every slot in D⁰ [n_units, n_classes, n_slots, n_levels].

        Parameters
        ----------
        sigma : float array [n_units, n_levels]
            Levels of each unit.
        """
        n_slots = self.patches.slots.shape[1]
        result = np.zeros((self.n_units, self.n_classes, n_slots + 1, sigma.shape[1]))
        unit = np.arange(self.n_units)[:, None]
        for b, here in self._levels_by_band(sigma):
            part = self.bands[b].weights(sigma) * here[:, None, None, :]
            result[unit, :, self.places[b]] += part.swapaxes(1, 2)
        return result[:, :, :n_slots]

    def variance(self, sigma: FloatArray) -> FloatArray:
        """Error variance v of D⁰ [n_units, n_classes, n_levels] at levels [n_units, n_levels]."""
        result = np.zeros((self.n_units, self.n_classes, sigma.shape[1]))
        for b, here in self._levels_by_band(sigma):
            result += self.bands[b].variance(sigma) * here[:, None, :]
        return result

    def surprise(
        self,
        z: FloatArray,
        classes: IntArray,
        bands: Sequence[tuple[float, float]] = ((np.inf, 0.0),),
    ) -> FloatArray:
        """Surprise of every component in every example, in nats of standardized units.

        Parameters
        ----------
        z : float array [n_sources + 1, n_examples]
        classes : int array [n_examples]
            Boundary class.
        bands : sequence of (float, float), default all noise as one
            Upper and lower σ.

        Returns
        -------
        float array [n_bands, n_units, n_examples]
        """
        pieces = list(self._pieces(bands))
        result = np.empty((len(bands), self.n_units, z.shape[1]))
        for k in range(self.n_classes):
            members = np.flatnonzero(classes == k)
            for start in range(0, len(members), _CHUNK):
                part = members[start : start + _CHUNK]
                rows = z[:, part].astype(np.float64)
                total = np.zeros((len(bands), self.n_units, len(part)))
                for slots, of_band in pieces:
                    for j, read in enumerate(slots):
                        patch = rows[read]
                        for number, constant, factor in of_band:
                            total[number, j] += constant[j, k] + 0.5 * _squares(factor[j, k], patch)
                result[..., part] = total
        return result

    def _pieces(
        self, bands: Sequence[tuple[float, float]]
    ) -> Iterator[tuple[IntArray, list[tuple[int, FloatArray, FloatArray]]]]:
        """Slots [n_units, n_slots] of every Gaussian, with the bands asked for that it is part of:
        number, constant and factor of each.
        """
        slots = np.pad(self.patches.slots, ((0, 0), (0, 1)), constant_values=self.patches.n_sources)
        edges = list(pairwise(BAND_EDGES))
        for same in _runs(self.bands):
            gaussian, place = self.bands[same[0]], self.places[same[0]]
            top, bottom = edges[same[0]][0], edges[same[-1]][1]
            spans = [(min(top, upper), max(bottom, lower)) for upper, lower in bands]
            yield (
                np.take_along_axis(slots, place, axis=1),
                [
                    (number, *gaussian.factor(high, low))
                    for number, (high, low) in enumerate(spans)
                    if high > low
                ],
            )

    def _levels_by_band(self, sigma: FloatArray) -> list[tuple[int, BoolArray]]:
        """Bands that hold some of the levels, and which [n_units, n_levels]."""
        band = band_of(sigma)
        return [(b, band == b) for b in np.flatnonzero(np.bincount(band.ravel())).tolist()]


def _fitted(
    covariance: FloatArray, patches: Patches, shrinkage: FloatArray, inside: BoolArray
) -> LocalGaussian:
    """Gaussians of patches; units that see the same slots share a decomposition."""
    order = [np.argsort(part, axis=1, kind="stable") for part in (patches.noisy, patches.given)]
    sets = [
        np.take_along_axis(patches.noisy, order[0], 1),
        np.take_along_axis(patches.given, order[1], 1),
    ]
    key = np.column_stack([*sets, np.unique(shrinkage, return_inverse=True)[1]])
    _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    slots = patches.slots[first]
    found = LocalGaussian.fit(
        covariance[slots[:, :, None], slots[:, None, :]],
        patches.noisy.shape[1],
        present_slots(patches, inside)[first],
        shrinkage[first],
    )
    if len(first) == patches.n_units:
        return found.take(which.ravel())
    back = [np.empty_like(part) for part in order]
    for part, mine in zip(order, back, strict=True):
        np.put_along_axis(mine, part, part[first][which.ravel()], axis=1)
    return found.take(which.ravel()).rearranged(*back)


def _places(part: Patches, whole: Patches) -> IntArray:
    """Where the slots of narrower patches stand among those of wider ones."""
    n_noisy, n_slots = whole.noisy.shape[1], whole.slots.shape[1]
    given = np.arange(part.given.shape[1], dtype=np.int64)
    place = np.concatenate([np.arange(part.noisy.shape[1], dtype=np.int64), n_noisy + given])
    return np.where(part.slots < part.n_sources, place, n_slots)


def _runs(bands: Sequence[LocalGaussian]) -> list[list[int]]:
    """Numbers of neighboring bands that are one Gaussian."""
    runs = [[0]]
    for b in range(1, len(bands)):
        if bands[b] is bands[b - 1]:
            runs[-1].append(b)
        else:
            runs.append([b])
    return runs


def _squares(factor: FloatArray, patch: FloatArray) -> FloatArray:
    """|Hᵀ p|² of every column p; by the matrix H Hᵀ where that is smaller than the factor."""
    n_slots, n_points = factor.shape
    if n_slots <= n_points:
        return np.asarray(np.einsum("sn,sn->n", (factor @ factor.T) @ patch, patch))
    moved = factor.T @ patch
    return np.asarray(np.einsum("qn,qn->n", moved, moved))
