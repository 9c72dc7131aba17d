"""Blame: which sensors of an abnormal row are wrong; it does not depend on the order of a sweep.

A value that does not fit its neighborhood is freed (`laws.repair`), and its neighbors are judged
without it. What is then left of each sensor, and the nats gained by freeing it, fade over the same
memories as the channels of an alarm; the memory that decided says who is to blame.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.inference.judging.memory import MEMORIES, faded
from locality.inference.laws.conditional import ConditionalLaw
from locality.inference.laws.repair import repair
from locality.local.field import ScoreField

__all__ = ["FITS", "Blame", "Blamed"]

FITS = 4.0
"""Spreads of normal residuals beyond which a value does not fit."""

_RECENT = 0.1  # weight of a row in how far a sensor has moved
_UNUSUAL = 2.0  # nats of a sensor below which it is not to blame, if others are


@dataclass(frozen=True, eq=False)
class Blamed:
    """What was found of each sensor in some rows.

    Parameters
    ----------
    values : float array [n_nodes, n_before + n_rows]
        Standardized; where missing or wrong, what is expected. The first ones lie before.
    expected : float array [n_rows, n_components]
        Given a neighborhood without wrong values.
    residual : float array [n_rows, n_components]
        Value minus expectation in units of what normal rows have; NaN where missing.
    wrong : bool array [n_rows, n_components]
        Values that were freed though present.
    openness : float array [n_rows, n_components]
        Factor by which gaps of the row raise the variance of what is left.
    nats : float array [n_memories, n_rows, n_components]
        Against each sensor, over every memory.
    moved : float array [n_rows, n_components]
        How far each is from its own usual values, whatever the others do.
    """

    values: FloatArray
    expected: FloatArray
    residual: FloatArray
    wrong: BoolArray
    openness: FloatArray
    nats: FloatArray
    moved: FloatArray

    def shares(self, memory: IntArray) -> FloatArray:
        """Share of each sensor [n_rows, n_components], by the memory that decided in each row."""
        blame = self.nats[memory, np.arange(len(memory))]
        beyond = np.where(blame > _UNUSUAL, blame, 0.0)
        blame = np.where(beyond.any(axis=1, keepdims=True), beyond, blame)
        total = blame.sum(axis=1, keepdims=True)
        return np.asarray(blame / np.where(total > 0, total, 1.0))


@dataclass(frozen=True, eq=False)
class Blame:
    """What fades, and the repaired rows that later ones look back upon.

    Parameters
    ----------
    past : float array [n_nodes, n_past]
    residual, gain : float arrays [n_memories, n_components]
    moved : float array [n_components]
    """

    past: FloatArray
    residual: FloatArray
    gain: FloatArray
    moved: FloatArray

    @classmethod
    def empty(cls, n_nodes: int, n_components: int, n_memories: int) -> "Blame":
        """Before the first row."""
        none = np.zeros((n_memories, n_components))
        return cls(np.zeros((n_nodes, 0)), none, none, np.full(n_components, 0.5))

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name; `from_arrays` restores them."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Blame":
        """What `arrays` returned."""
        return cls(**{name: arrays[name] for name in ("past", "residual", "gain", "moved")})

    def take(
        self, field: ScoreField, usual: FloatArray, rows: FloatArray, fits: float = FITS
    ) -> "tuple[Blamed, Blame]":
        """Judge every sensor of the next rows.

        Parameters
        ----------
        field : ScoreField
        usual : float array [n_components]
            Spread of what is left of each sensor in normal rows.
        rows : float array [n_nodes, n_rows]
            Standardized, NaN where missing.
        fits : float
            Spreads within which a sensor fits its neighborhood; one that does not is looked past.
        """
        laws, targets = ConditionalLaw.of(field), field.domain.targets
        before, n_lags = self.past.shape[1], len(laws) - 1
        missing = np.isnan(rows[targets]).T
        openness = np.ones(missing.shape)
        for t in np.flatnonzero(missing.any(axis=1)).tolist():
            openness[t] = laws[min(before + t, n_lags)].openness(missing[t])
        limit = np.ones((len(targets), before + len(missing)))
        limit[:, before:] = fits * (usual * np.sqrt(openness)).T
        found = repair(field, np.hstack([self.past, rows]), limit, first=before)
        residual = found.residual[:, before:].T / (usual * np.sqrt(openness))
        gain = found.gain[:, before:].T
        left = np.where(missing, 0.0, residual)
        nats, ends = [], []
        for k, weight in enumerate(MEMORIES[: len(self.gain)]):
            mean, end = faded(left, weight, self.residual[k])
            lasting, end_of_gain = faded(gain, weight, self.gain[k])
            nats.append(np.maximum(0.5 * (2.0 - weight) / weight * mean**2, lasting))
            ends.append((end, end_of_gain))
        own = found.values[targets, before:].T
        known = np.where(missing, own, rows[targets].T)
        moved, moved_end = faded(0.5 * known**2, _RECENT, self.moved)
        blamed = Blamed(
            found.values, found.expected[:, before:].T, residual, found.wrong[:, before:].T,
            openness, np.stack(nats), moved,
        )  # fmt: skip
        kept = found.values[:, max(0, found.values.shape[1] - n_lags) :]
        residuals, gains = (np.stack(part) for part in zip(*ends, strict=True))
        return blamed, Blame(np.array(kept), residuals, gains, moved_end)
