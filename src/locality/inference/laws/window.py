"""The window of the past: rows arrive one after the other, with gaps, and leave innovations.

A missing value is not filled by rule of thumb. The values missing in the last rows have a joint
Gaussian law given all that was seen, N(μ, P). In the next row only some equations of the law of
rows touch a missing value, of this row or of an earlier one; for these, in the order of the sweep,

    x = T⁻¹( −r + S ε − G (v − μ) ) ,   cov x = T⁻¹( S² + G P Gᵀ ) T⁻ᵀ ,

T what they say of each other, r what known values add, G the weights of earlier missing values v.
A triangular factor of the joint law, what is observed first, whitens it: innovations are as
independent, and of unit variance, as those of complete rows (a square-root Kalman filter that only
carries what is missing); the rest of the factor is that of the new N(μ, P). So −log p of what was
seen is exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import solve_triangular

from locality._typing import BoolArray, FloatArray, IntArray
from locality.inference.laws.row_law import RowLaw

__all__ = ["Window"]

_MOST = 1_500  # values of a row that gaps may touch; beyond, they are not judged


@dataclass(frozen=True, eq=False)
class Window:
    """What later rows depend on.

    Parameters
    ----------
    n_seen : int
        Rows so far.
    rows : float array [n_past, n_nodes]
        The last ones, at most the lags of the law; where missing, their expectation.
    row, target : int arrays [n_missing]
        Which values of these rows are missing.
    root : float array [n_missing, n_roots]
        Their covariance given all that was seen is root rootᵀ: carried as a factor, since sensors
        that nearly determine each other would soon leave a matrix with negative eigenvalues.
    """

    n_seen: int
    rows: FloatArray
    row: IntArray
    target: IntArray
    root: FloatArray

    @classmethod
    def empty(cls, law: RowLaw) -> "Window":
        """Before the first row."""
        none = np.zeros(0, dtype=np.int64)
        return cls(0, np.zeros((0, law.n_nodes)), none, none, np.zeros((0, 0)))

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name; `from_arrays` restores them."""
        kept = {name: getattr(self, name) for name in ("rows", "row", "target", "root")}
        return kept | {"n_seen": np.array(self.n_seen)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Window":
        """The window of ``arrays``."""
        kept = {name: arrays[name] for name in ("rows", "row", "target", "root")}
        return cls(n_seen=int(arrays["n_seen"]), **kept)

    def take(self, law: RowLaw, rows: FloatArray) -> "tuple[FloatArray, FloatArray, Window]":
        """Innovations of the next rows, and the window after them.

        Parameters
        ----------
        law : RowLaw
            The same for all rows.
        rows : float array [n_rows, n_nodes]
            As they are judged; NaN where missing. Context is complete.

        Returns
        -------
        innovations : float array [n_rows, n_targets]
            NaN where missing.
        scale : float array [n_rows, n_targets]
            Their standard deviations: what e_j is in units of.
        window : Window
        """
        n, L = len(rows), law.n_lags
        missing: BoolArray = np.isnan(rows[:, law.targets])
        gap = np.asarray(missing.any(axis=1))
        found, scale = np.empty((2, n, len(law.targets)))
        window, at = self, 0
        while at < n:
            n_past = min(window.n_seen, L)
            if gap[at] or len(window.row):
                found[at], scale[at], window = window._with_gaps(law, rows[at], missing[at])
                at += 1
                continue
            later = np.flatnonzero(gap[at:])
            stop = at + int(later[0]) if len(later) else n
            if n_past < L:
                stop = at + 1
            whole = np.concatenate([window.rows[len(window.rows) - n_past :], rows[at:stop]])
            found[at:stop] = law.innovations(whole, n_past, window.n_seen)
            scale[at:stop] = law.scales[n_past]
            kept = np.array(whole[max(0, len(whole) - L) :])
            window = Window(window.n_seen + stop - at, kept, window.row, window.target, window.root)
            at = stop
        return found, scale, window

    def _with_gaps(
        self, law: RowLaw, row: FloatArray, missing: BoolArray
    ) -> "tuple[FloatArray, FloatArray, Window]":
        """One row that has gaps, or follows such rows."""
        L, n_past = law.n_lags, min(self.n_seen, law.n_lags)
        scale = np.array(law.scales[n_past])
        row = np.array(row)
        row[law.targets[missing]] = 0.0
        whole = np.concatenate([self.rows[len(self.rows) - n_past :], row[None]])
        found = law.innovations(whole, n_past, self.n_seen)[0]
        touched, within, earlier = self._touched(law, n_past, missing)
        kept = self.row >= len(self.rows) - max(L - 1, 0)
        prior, cells = self.root, np.flatnonzero(missing)
        mean_of_past: FloatArray = np.zeros(len(self.row))
        if len(touched) > _MOST:
            found[touched] = np.nan
            alone = np.concatenate([np.sqrt((prior**2).sum(axis=1)), np.ones(len(cells))])
            joint = np.diag(alone)
        else:
            solve = partial(solve_triangular, within, lower=True, unit_diagonal=True)
            values = row[law.targets[touched]]
            residual = found[touched] * scale[touched] - within @ values
            mean = -solve(residual)
            # of observed values, of missing ones, and of those missing in earlier rows
            own = np.hstack([solve(np.diag(scale[touched])), -solve(earlier @ prior)])
            earlier_own = np.hstack([np.zeros((len(prior), len(touched))), prior])
            seen = ~missing[touched]
            whole = np.vstack([own[seen], own[~seen], earlier_own])
            lower = np.asarray(np.linalg.qr(whole.T, mode="r")).T
            lower = lower * np.where(np.diag(lower) < 0.0, -1.0, 1.0)
            n_seen = int(seen.sum())
            factor = lower[:n_seen, :n_seen]
            away = solve_triangular(factor, (values - mean)[seen], lower=True)
            found[touched[seen]], scale[touched[seen]] = away, np.diag(factor)
            told, left = lower[n_seen:, :n_seen] @ away, lower[n_seen:, n_seen:]
            cells = touched[~seen]
            row[law.targets[cells]] = mean[~seen] + told[: len(cells)]
            mean_of_past = told[len(cells) :]
            order = np.concatenate([len(cells) + np.arange(len(prior)), np.arange(len(cells))])
            joint = left[order]
        found[missing], scale[missing] = np.nan, np.nan
        past = np.array(self.rows)
        past[self.row, law.targets[self.target]] += mean_of_past
        rows = np.concatenate([past, row[None]])
        drop = max(0, len(rows) - L)
        numbers = np.concatenate([self.row[kept], np.full(len(cells), len(past))]) - drop
        chosen = np.concatenate([np.flatnonzero(kept), len(self.row) + np.arange(len(cells))])
        if L == 0:
            chosen, numbers = chosen[:0], numbers[:0]
        targets = np.concatenate([self.target, cells])[chosen]
        window = Window(self.n_seen + 1, rows[drop:], numbers, targets, joint[chosen])
        return found, scale, window

    def _touched(
        self, law: RowLaw, n_past: int, missing: BoolArray
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """Equations that touch a missing value, in the order of the sweep, and their weights among
        each other and for earlier missing values.
        """
        back = len(self.rows) - self.row  # rows between
        if len(law.targets) <= _MOST:
            within, past = law.dense(n_past)
            earlier = np.zeros((len(law.targets), len(self.row)))
            for lag in range(1, n_past + 1):
                here = back == lag
                earlier[:, here] = -past[lag - 1][:, self.target[here]]
            touched = (within[:, missing] != 0.0).any(axis=1) | (earlier != 0.0).any(axis=1)
            chosen = np.flatnonzero(touched)
            chosen = chosen[np.argsort(law.order[chosen], kind="stable")]
            return chosen, within[np.ix_(chosen, chosen)], earlier[chosen]
        sparse = law.laws[n_past]
        count = np.zeros(len(law.targets))
        count += abs(sparse.within) @ missing.astype(float)
        for lag in range(1, n_past + 1):
            marked = np.zeros(len(law.targets))
            marked[self.target[back == lag]] = 1.0
            count += abs(sparse.past[lag - 1]) @ marked
        chosen = np.flatnonzero(count)
        chosen = chosen[np.argsort(law.order[chosen], kind="stable")]
        if len(chosen) > _MOST:
            return chosen, np.zeros((0, 0)), np.zeros((0, 0))
        earlier = np.zeros((len(chosen), len(self.row)))
        for lag in range(1, n_past + 1):
            here = np.flatnonzero(back == lag)
            part = sparse.past[lag - 1][chosen][:, self.target[here]]
            earlier[:, here] = -part.toarray()
        return chosen, sparse.within[chosen][:, chosen].toarray(), earlier
