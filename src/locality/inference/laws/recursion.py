"""Recursion: rows of a causal series one after the other, from the sequential law.

The law of a row given its past and context (`sequential`, `widened`),
R x_t = Σ_l A_l x_{t-l} + c_t + s ε_t, is a recipe to draw it:

    x_t = R⁻¹ (Σ_l A_l x_{t-l} + c_t + s ε_t) .

In the order of the sweep R is triangular with a unit diagonal, so it is its own factor: what is
solved is as sparse as what was learned. Of few components R⁻¹ is written down instead. The first
rows come from the laws of rows that have 0, 1, … rows before them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from locality._typing import FloatArray, IntArray
from locality.domain.partition import sweep
from locality.inference.laws.sequential import SequentialLaw
from locality.inference.laws.widened import widened
from locality.local.field import ScoreField

__all__ = ["Recursion"]

_MOST_DENSE = 128  # components whose inverse is written down


class Recursion:
    """Rows of a series given noise.

    Parameters
    ----------
    field : ScoreField
        Of a causal series. Rows stay within its limits, as those of a sampler do.
    laws : sequence of SequentialLaw
        Of the first rows, and of all others.
    """

    def __init__(self, field: ScoreField, laws: Sequence[SequentialLaw]) -> None:
        targets = field.domain.targets
        place = np.full(field.domain.n_nodes, -1, dtype=np.int64)
        place[targets] = np.arange(len(targets))
        order = place[sweep(field.domain.graph)]
        order = order[order >= 0]
        self._steps = [_Step.of(law, n_past, order) for n_past, law in enumerate(laws)]
        everywhere = np.tile([-np.inf, np.inf], (len(targets), 1))
        self._low, self._high = (everywhere if field.limits is None else field.limits[targets]).T

    @classmethod
    def of(cls, field: ScoreField, n_rows: int) -> "Recursion":
        """By the widened laws; made when first asked for, and kept with the field.

        Parameters
        ----------
        field : ScoreField
        n_rows : int
            Rows that it was learned from.

        Raises
        ------
        OptionError
            If columns lie along a lattice axis, or rows depend on later ones.
        """
        return field.derived(_Made(n_rows))

    @property
    def n_past(self) -> int:
        """Rows that a row looks back upon."""
        return len(self._steps) - 1

    @property
    def n_components(self) -> int:
        """Components of a row."""
        return len(self._steps[0].scale)

    def rows(
        self, past: FloatArray, noise: FloatArray, context: FloatArray | None = None
    ) -> FloatArray:
        """Rows that follow others [n_rows, n_targets].

        Parameters
        ----------
        past : float array [n_before, n_targets]
            The rows before, the last ones of which are looked at; [0, n_targets] at the start.
        noise : float array [n_rows, n_targets]
            Standard normal.
        context : float array [min(n_before, n_past) + n_rows, n_context], optional
            Standardized, of the rows looked back upon and of these.
        """
        n_rows, d = noise.shape
        n_before = min(len(past), self.n_past)
        found = np.empty((n_before + n_rows, d))
        found[:n_before] = past[len(past) - n_before :]
        flat = found.ravel()  # the same memory: what a row looks back upon lies together
        for t in range(n_before, min(self.n_past, len(found))):  # too little past
            drive = self._steps[t].drive(noise[t - n_before], context, slice(t, t + 1))
            self._steps[t].into(found[t], flat[: t * d], drive[0], self._low, self._high)
        step, first = self._steps[-1], max(n_before, self.n_past)
        if first < len(found):
            drive = step.drive(noise[first - n_before :], context, slice(first, len(found)))
            for t in range(first, len(found)):
                before = flat[(t - self.n_past) * d : t * d]
                step.into(found[t], before, drive[t - first], self._low, self._high)
        return found[n_before:]


@dataclass(frozen=True)
class _Made:
    """What is derived from a field."""

    n_rows: int

    def __call__(self, field: ScoreField) -> Recursion:
        return Recursion(field, widened(field, self.n_rows))


@dataclass(frozen=True, eq=False)
class _Step:
    """One row given those before it.

    Parameters
    ----------
    past : sparse or dense array [n_targets, n_past * n_targets]
        Weights of the rows before, the oldest first.
    context : tuple of sparse arrays [n_targets, n_context]
        Of this row and of the rows 1, 2, … before.
    scale : float array [n_targets]
    solve : callable
        R⁻¹ of a vector.
    """

    past: sp.csr_array | FloatArray
    context: tuple[sp.csr_array, ...]
    scale: FloatArray
    solve: Callable[[FloatArray], FloatArray]

    @classmethod
    def of(cls, law: SequentialLaw, n_past: int, order: IntArray) -> "_Step":
        """Of a law of rows that have so many rows before them, triangular in this order."""
        d = len(law.scale)
        past = sp.csr_array(sp.hstack([sp.csr_array((d, 0)), *law.past[:n_past][::-1]]))
        context = law.context[: n_past + 1]
        if d <= _MOST_DENSE:
            inverse = np.linalg.inv(law.within.toarray())
            return cls(past.toarray(), context, law.scale, inverse.dot)
        triangle = sp.csc_array(law.within[order][:, order])
        factor = splu(triangle, permc_spec="NATURAL", diag_pivot_thresh=0.0)

        def solve(right: FloatArray) -> FloatArray:
            found = np.empty_like(right)
            found[order] = factor.solve(right[order])
            return found

        return cls(past, context, law.scale, solve)

    def drive(self, noise: FloatArray, context: FloatArray | None, rows: slice) -> FloatArray:
        """c + s ε of some rows [n_rows, n_targets]; all in the order of ``context``."""
        found = np.atleast_2d(noise * self.scale)
        if context is not None:
            for lag, weights in enumerate(self.context):
                found += (weights @ context[rows.start - lag : rows.stop - lag].T).T
        return found

    def into(
        self, row: FloatArray, before: FloatArray, drive: FloatArray, low: FloatArray,
        high: FloatArray,
    ) -> None:  # fmt: skip
        """Write the row that follows those ``before``, one after the other."""
        row[:] = self.solve(drive + self.past @ before if len(before) else drive)
        np.maximum(row, low, out=row)
        np.minimum(row, high, out=row)
