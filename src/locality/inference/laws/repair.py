"""Repair: which values are wrong, and what they should have been.

A wrong value makes its neighbors look wrong as well, each of which is judged by it. So the worst
value of a row is freed first: it is replaced by what the others let expect, jointly with all
values freed before and those that are missing,

    R_SS x_S = (A x)_S − R_SO x_O ,   S freed or missing, O the rest,

and the others are judged again, until none stands out. The gain of freeing value j, ½ e_j²/s_j²
nats, is its likelihood ratio against a change of any size in this one sensor. In a series repaired
rows are the past of later rows, so that a fault of yesterday does not blame its neighbors today.
Rows in which more than a third of the sensors stand out are no matter of single values.
"""

from dataclasses import dataclass

import numpy as np

from locality._typing import BoolArray, FloatArray
from locality.inference.laws.conditional import ConditionalLaw
from locality.local.field import ScoreField

__all__ = ["Repair", "repair"]

_MOST = 1 / 3  # of the sensors of a row that may be freed
_FEW = 256  # components whose pivots are cheaper than solutions


@dataclass(frozen=True, eq=False)
class Repair:
    """A table without what does not fit.

    Parameters
    ----------
    values : float array [n_nodes, n_rows]
        Wrong and missing values replaced by what is expected.
    gain : float array [n_targets, n_rows]
        Nats gained by replacing; zero where nothing was wrong.
    expected : float array [n_targets, n_rows]
        Given the repaired neighborhood.
    residual : float array [n_targets, n_rows]
        Value minus expectation in units of the standard deviation; NaN where missing.
    """

    values: FloatArray
    gain: FloatArray
    expected: FloatArray
    residual: FloatArray

    @property
    def wrong(self) -> BoolArray:
        """Which values were replaced though present [n_targets, n_rows]."""
        return np.asarray(self.gain > 0.0)


def repair(
    field: ScoreField, values: FloatArray, threshold: float | FloatArray, *, first: int = 0
) -> Repair:
    """Replace what is missing or does not fit.

    Parameters
    ----------
    field : ScoreField
        Of a table or causal series.
    values : float array [n_nodes, n_rows]
        Standardized; NaN where missing (context must be complete).
    threshold : float or float array [n_targets] or [n_targets, n_rows]
        Standard deviations beyond which a value does not fit; infinite to fill gaps only.
    first : int, default 0
        Rows before it are taken as they are.
    """
    laws = ConditionalLaw.of(field)
    targets, n_rows = field.domain.targets, values.shape[1]
    fixed = np.array(values, dtype=np.float64)
    missing = np.isnan(fixed)
    limit = np.asarray(threshold, dtype=np.float64)
    limit = limit[:, None] if limit.ndim == 1 else limit
    limit = np.broadcast_to(limit, (len(targets), n_rows))
    gain, expected = np.zeros((2, len(targets), n_rows))
    most = max(1, int(len(targets) * _MOST))
    suspect = _suspects(laws, fixed, missing, limit)
    suspect[:first] = False
    n_lags = len(laws) - 1
    touched = -n_lags - 1  # last row that was changed
    visited = range(n_rows) if n_lags else np.flatnonzero(suspect).tolist()
    for t in visited:
        if not suspect[t] and t - touched > n_lags:
            continue
        law = laws[min(t, n_lags)]
        base = law.from_past(fixed, t)
        row, free = fixed[:, t], missing[targets, t].copy()
        row[missing[:, t]] = 0.0
        left = row[targets] - base - law.weights[0] @ row
        pivot = _Freeing(law, left)
        for j in np.flatnonzero(free).tolist():
            pivot.free(j)
        while True:
            excess = np.abs(pivot.left) / law.scale
            excess[free] = 0.0
            ratio = excess / limit[:, t]
            worst = int(ratio.argmax())
            if ratio[worst] <= 1.0 or np.count_nonzero(gain[:, t]) >= most:
                break
            gain[worst, t] = 0.5 * excess[worst] ** 2
            free[worst] = True
            pivot.free(worst)
        if free.any():
            _solve(law, row, base, free)
        if free.any():
            touched = t
    for n_past, law in enumerate(laws):
        if n_past == n_lags:
            expected[:, n_past:] = law.expected(fixed)[:, n_past:]
        elif n_past < n_rows:
            expected[:, n_past] = law.expected(fixed[:, : n_past + 1])[:, n_past]
    scale = np.stack([laws[min(t, n_lags)].scale for t in range(n_lags + 1)], axis=1)
    scale = scale[:, np.minimum(np.arange(n_rows), n_lags)]
    residual = (values[targets] - expected) / scale
    return Repair(fixed, gain, expected, residual)


class _Freeing:
    """What is left of every component, x − A x − base, while values are freed one after the other.

    Of few components by pivots on R = I − A (Gauss and Jordan), one outer product each; of many by
    solving for all that are free.
    """

    def __init__(self, law: ConditionalLaw, left: FloatArray) -> None:
        self.law, self.left, self.start = law, np.array(left), left
        self.matrix = np.array(law.dense_residual) if len(left) <= _FEW else None
        self.chosen: list[int] = []

    def free(self, j: int) -> None:
        """Give one value the expectation of it, jointly with all that were freed before."""
        if self.matrix is not None:
            column, row = self.matrix[:, j] / self.matrix[j, j], self.matrix[j]
            self.left -= column * self.left[j]
            self.matrix -= np.multiply.outer(column, row)
            return
        self.chosen.append(j)
        among = self.law.residual_operator[:, self.chosen].toarray()
        moved = np.linalg.solve(among[self.chosen], self.start[self.chosen])
        self.left = self.start - among @ moved


def _suspects(
    laws: tuple[ConditionalLaw, ...], values: FloatArray, missing: BoolArray, limit: FloatArray
) -> BoolArray:
    """Rows with gaps or with values that do not fit at first sight [n_rows]."""
    found = np.zeros(missing.shape[1], dtype=np.bool_)
    found[np.flatnonzero(missing.any(axis=0))] = True
    rows = np.where(missing, 0.0, values)
    targets = laws[0].targets
    for n_past, law in enumerate(laws):
        stop = rows.shape[1] if n_past == len(laws) - 1 else min(n_past + 1, rows.shape[1])
        misfit = np.abs(rows[targets, :stop] - law.expected(rows[:, :stop]))
        ratio = np.max(misfit / (limit[:, :stop] * law.scale[:, None]), axis=0, initial=0.0)
        found[n_past:stop][ratio[n_past:] > 1.0] = True
    return found


def _solve(law: ConditionalLaw, row: FloatArray, base: FloatArray, free: BoolArray) -> None:
    """Put the joint expectation of the free values into the row."""
    which = np.flatnonzero(free)
    nodes = law.targets[which]
    row[nodes] = 0.0
    row[nodes] = law.joint(row, base, which)
