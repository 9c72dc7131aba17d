"""Exact solutions where what is missing lies close together: a banded Cholesky factor.

In order of rows, a missing cell is tied to missing cells of the same row and of as many rows before
and after as the model looks back. So the matrix H_MM of what is missing (`imputation`) is banded,
and its factor costs (cells) × (bandwidth)². Conjugate gradients need no factor, but stop early
where two sensors are almost equal and both missing: what they have in common is then left open by
far more than their difference, and found last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded

from locality._typing import BoolArray, FloatArray, IntArray
from locality.inference.laws.sequential import SequentialLaw

__all__ = ["BandedFactor"]

_MOST_NUMBERS = 1 << 27  # of the factor: a gigabyte
_MOST_WORK = 1e11  # multiplications
_TOGETHER = 128  # right-hand sides
_MOST_ENTRIES = 1 << 25  # of the matrix whose square is factorized


@dataclass(frozen=True, eq=False)
class BandedFactor:
    """A factor of H_MM.

    Parameters
    ----------
    factor : float array [bandwidth + 1, n_missing]
        Lower Cholesky factor, by diagonals.
    free : bool array [n_rows, n_targets]
        Which cells are missing.
    """

    factor: FloatArray
    free: BoolArray

    @classmethod
    def of(cls, laws: Sequence[SequentialLaw], free: BoolArray) -> "BandedFactor | None":
        """Factorize; None if that would take too long, or fails.

        Parameters
        ----------
        laws : sequence of SequentialLaw
            Of the first rows, and of all others.
        free : bool array [n_rows, n_targets]
        """
        rows = _innovations(laws, free)
        if rows is None:
            return None
        filled = np.diff(rows.indptr) > 0
        first, last = rows.indptr[:-1][filled], rows.indptr[1:][filled] - 1
        width, n = int((rows.indices[last] - rows.indices[first]).max(initial=0)), rows.shape[1]
        if (width + 1) * n > _MOST_NUMBERS or float(width) ** 2 * n > _MOST_WORK:
            return None
        square = sp.coo_array(rows.T @ rows)
        lower = square.row >= square.col
        bands = np.zeros((width + 1, n))
        bands[(square.row - square.col)[lower], square.col[lower]] = square.data[lower]
        try:
            return cls(cholesky_banded(bands, overwrite_ab=True, lower=True), free)
        except LinAlgError:
            return None

    def solve(self, right: FloatArray) -> FloatArray:
        """H_MM⁻¹ of a right-hand side [n_rows, n_targets], zero where nothing is missing."""
        result = np.zeros_like(right)
        result[self.free] = cho_solve_banded((self.factor, True), right[self.free])
        return result

    def covariance(self, chosen: BoolArray) -> FloatArray:
        """Covariance of some missing cells [n_chosen, n_chosen], in order of rows.

        Parameters
        ----------
        chosen : bool array [n_rows, n_targets]
        """
        place = np.flatnonzero(chosen[self.free])
        found = np.empty((len(place), len(place)))
        for start in range(0, len(place), _TOGETHER):
            part = place[start : start + _TOGETHER]
            unit = np.zeros((self.factor.shape[1], len(part)))
            unit[part, np.arange(len(part))] = 1.0
            solved = cho_solve_banded((self.factor, True), unit, overwrite_b=True)
            found[:, start : start + len(part)] = solved[place]
        return 0.5 * (found + found.T)


def _innovations(laws: Sequence[SequentialLaw], free: BoolArray) -> "sp.csr_array | None":
    """What missing cells do to innovations, in units of their scales [n_cells, n_missing]; None if
    it is too large.
    """
    n_rows, n_targets = free.shape
    row, column = np.nonzero(free)
    n_lags = len(laws) - 1
    parts: list[tuple[IntArray, IntArray, FloatArray]] = []
    size = 0
    for n_past, law in enumerate(laws):
        for lag, weights in enumerate([law.within, *law.past[:n_past]]):
            signed = sp.csc_array(sp.diags_array((-1.0 if lag else 1.0) / law.scale) @ weights)
            then = row + lag
            here = then == n_past if n_past < n_lags else (then >= n_lags) & (then < n_rows)
            cells = np.flatnonzero(here & (then < n_rows))
            counts = np.diff(signed.indptr)[column[cells]]
            size += int(counts.sum())
            if size > _MOST_ENTRIES:
                return None
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            at = np.repeat(signed.indptr[column[cells]], counts) + within
            target = np.repeat(then[cells], counts) * n_targets + signed.indices[at]
            parts.append((target, np.repeat(cells, counts), signed.data[at]))
    i, j, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    found = sp.csr_array((value, (i, j)), shape=(n_rows * n_targets, len(row)))
    found.sort_indices()
    return found
