"""Memory: what innovations add up to over one row, and over some ten or hundred.

With innovations e_j(t) of sensor j, in units of their spread on normal rows, and
ℓ_j = 2 log(1 + e_j²/3), nats of a Student law of three degrees of freedom (one giant innovation of
a nearly determined sensor then does not drown all others), three **channels** at each memory α,

    squared    mean over time of Σ_j ℓ_j ,      weights α (1 − α)^k
    signed     log Σ_j b_j² ,                   b_j the same mean of e_j, in units of its deviation
    one sensor log max_j (g_jᵀ b)² ,        g_j what a change of sensor j alone does to innovations,
                                            of one row at α = 1, otherwise of all from then on.

Signs matter: a slow drift is far below the noise of a row, and adds up. A change of one sensor is
seen in its own innovation and in those of all that look at it: g_jᵀ b is standard normal on normal
rows, and gathers it again.

The statistic of a row is Σ over memories of the largest −log p of the three: a wrong sensor shows
in one of them, and the other two would only dilute it, while a change that lasts shows in all
memories.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtbtrs

from locality._typing import FloatArray
from locality.inference.laws.row_law import Operator, product

__all__ = ["KINDS", "MEMORIES", "Memory", "combined", "faded", "sensor_nats"]

MEMORIES = (1.0, 1.0 / 3.0, 0.1, 0.03)
"""Weights of the last row."""

KINDS = ("squared", "signed", "one sensor")

_FREEDOM = 3.0
_LARGEST = 1e60
_SMALLEST = 1e-12


def sensor_nats(innovations: FloatArray) -> FloatArray:
    """Nats of each sensor, 0 at the expectation, as the channels count them.

    Parameters
    ----------
    innovations : float array
        In units of their spread.
    """
    half = 0.5 * (_FREEDOM + 1.0)
    return np.asarray(half * np.log1p(np.square(innovations) / _FREEDOM))


@dataclass(frozen=True, eq=False)
class Memory:
    """Sums that fade.

    Parameters
    ----------
    signed : float array [n_memories, n_components]
    squared : float array [n_memories]
    n_seen : int
        Rows so far.
    """

    signed: FloatArray
    squared: FloatArray
    n_seen: int = 0

    @classmethod
    def empty(cls, n_components: int, normal: float, n_memories: int = len(MEMORIES)) -> "Memory":
        """Before the first row.

        Parameters
        ----------
        n_components : int
        normal : float
            Nats of a normal row.
        n_memories : int
            The first so many; one if rows do not follow each other.
        """
        return cls(np.zeros((n_memories, n_components)), np.full(n_memories, normal))

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name; `from_arrays` restores them."""
        return {**vars(self), "n_seen": np.array([self.n_seen])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Memory":
        """What `arrays` returned."""
        return cls(arrays["signed"], arrays["squared"], int(arrays["n_seen"][0]))

    def take(
        self, innovations: FloatArray, nats: FloatArray, sensors: tuple[Operator, Operator]
    ) -> "tuple[FloatArray, Memory]":
        """The channels of the next rows, and the memory after them.

        Parameters
        ----------
        innovations : float array [n_rows, n_components]
            0 where missing.
        nats : float array [n_rows]
            Σ_j ℓ_j.
        sensors : two arrays [n_components, n_components]
            g_j of a change of one row, and of one that lasts: ``RowLaw.of_sensors``.

        Returns
        -------
        channels : float array [n_memories · n_kinds, n_rows]
        memory : Memory
        """
        innovations = np.clip(innovations, -_LARGEST, _LARGEST)
        found, signed, squared = [], np.empty_like(self.signed), np.empty_like(self.squared)
        for k, weight in enumerate(MEMORIES[: len(self.squared)]):
            mean, signed[k] = faded(innovations, weight, self.signed[k])
            total, squared[k] = faded(nats, weight, self.squared[k])
            alone = product(sensors[0 if weight == 1.0 else 1], mean, self.n_seen)
            size = np.log((2.0 - weight) / weight)
            found += [
                total,
                size + np.log(np.square(mean).sum(axis=1) + _SMALLEST),
                size + 2.0 * np.log(np.abs(alone).max(axis=1) + _SMALLEST),
            ]
        return np.stack(found), Memory(signed, squared, self.n_seen + len(nats))


def combined(unusual: FloatArray) -> FloatArray:
    """The statistic [n_rows]; to the same bits whatever rows come together.

    Parameters
    ----------
    unusual : float array [n_memories · n_kinds, n_rows]
        −log p of the channels.

    Examples
    --------
    >>> combined(np.array([[1.0], [3.0], [2.0], [0.5], [0.0], [0.25]]))
    array([3.5])
    """
    n_channels, n_rows = unusual.shape
    largest = unusual.reshape(n_channels // len(KINDS), len(KINDS), n_rows).max(axis=1)
    return np.asarray(np.ascontiguousarray(largest.T).sum(axis=1))


def faded(
    values: FloatArray, weight: float, before: FloatArray | float
) -> tuple[FloatArray, FloatArray]:
    """Exponentially weighted means along the rows, s_t = (1 − α) s_{t−1} + α x_t, and the last one.

    Parameters
    ----------
    values : float array [n_rows, ...]
    weight : float
        α, in (0, 1]; 1 forgets all but the row itself.
    before : float array [...]
        The mean before the first row.

    Examples
    --------
    >>> faded(np.array([1.0, 0.0, 0.0]), 0.5, 0.0)[0].tolist()
    [0.5, 0.25, 0.125]
    """
    before = np.asarray(before, dtype=np.float64)
    if not len(values):
        return values, np.broadcast_to(before, values.shape[1:])
    if weight == 1.0:
        return values, values[-1]
    rest = 1.0 - weight
    step = np.empty((2, len(values)), order="F")  # y_t − (1 − α) y_{t−1} = α x_t
    step[0], step[1] = 1.0, -rest
    driven = np.array(weight * values.reshape(len(values), -1), order="F")
    driven[0] += rest * before.ravel()
    found = dtbtrs(step, driven, uplo="L", diag="U", overwrite_b=True)[0]
    found = np.ascontiguousarray(found).reshape(values.shape)
    return found, found[-1].copy()
