"""Partial correlations of lagged columns, each with its test.

Variables are pairs (column i, lag l): the value of column i, l rows ago. For every column j now
and every variable (i, l), i ≠ j, the question is whether they are correlated given a set S_j of
other variables. With R the correlation matrix of (j, 0) and S_j, and Ω = (R + 10⁻⁶ I)⁻¹,

    r = −Ω_j,il / √(Ω_jj Ω_il,il) ,     z = atanh(r) · √(n_eff − |S_j| − 2) ,

and z is standard normal if there is no direct link (Fisher). S_j is *everything* when rows abound
(at most one variable per eight rows, and 1,500 in all); otherwise the ``screen`` variables with
the largest correlations to j that exceed what noise produces, √(2 log p / n) for p variables, at
most one per four rows, j's own lags first. Conditioning on few, strong variables keeps the test
exact with more columns than rows; shrinking all correlations instead biases partial correlations
away from zero and floods the graph with edges between neighbors of neighbors.

Rows that follow each other in time repeat themselves. What counts is the residual of j given S_j:
with autocorrelations ρ_j(k), a pair has n_eff = n / (1 + 2 Σ_k ρ_j(k) ρ_i(k)) (Bartlett, 1946, *On
the theoretical specification and sampling properties of autocorrelated time-series*).
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import ndtr

from locality._typing import BoolArray, FloatArray, IntArray

__all__ = ["PairTests", "pair_tests", "twins"]

_MAX_FULL = 1_500  # variables conditioned on all together
_ROWS_PER_VARIABLE = 8  # … and the rows each of them needs
_ROWS_PER_SCREENED = 4
_RIDGE = 1e-6
_MAX_AUTOCORRELATION = 50  # rows
_CHUNK = 16_000_000  # numbers held at once


@dataclass(frozen=True, eq=False)
class PairTests:
    """One row per tested pair: column ``target`` now, column ``source`` ``lag`` rows ago.

    Attributes
    ----------
    target, source, lag : int arrays [n_tests]
        The pair.
    correlation : float array [n_tests]
        Partial correlation given the rest.
    p_value : float array [n_tests]
        Two-sided.
    """

    target: IntArray
    source: IntArray
    lag: IntArray
    correlation: FloatArray
    p_value: FloatArray


def pair_tests(values: FloatArray, lags: int, screen: int) -> PairTests:
    """Test every column against every other now and up to ``lags`` rows ago.

    Parameters
    ----------
    values : float array [n_columns, n_rows]
        Columns of mean 0 and variance 1, one per row of the array.
    lags : int
        Largest lag.
    screen : int
        Largest number of variables conditioned on where not all can be.

    Returns
    -------
    PairTests
        All pairs, or the screened ones; pairs left out have no evidence for a link.
    """
    n = values.shape[1] - lags
    n_variables = len(values) * (lags + 1)
    # without lags among the conditions, rows that repeat themselves count less from the start
    rho = _autocorrelation(values)
    n_rows = int(n / (1.0 if lags else np.median(1 + 2 * (rho**2).sum(axis=1))))
    if n_variables <= min(_MAX_FULL, n_rows // _ROWS_PER_VARIABLE):
        target, variable, r, n_given, rho = _given_all(values, lags)
    else:
        size = max(1, min(screen, n_rows // _ROWS_PER_SCREENED, n_variables - 1))
        cut = float(np.sqrt(2 * np.log(n_variables) / max(n_rows, 1)))
        target, variable, r, n_given, rho = _given_screened(values, lags, size, cut)
    lag, source = np.divmod(variable, len(values))
    other = source != target
    target, source, lag, r, n_given = (a[other] for a in (target, source, lag, r, n_given))
    freedom = n / _inflation(rho, target, source) - n_given - 2
    z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)) * np.sqrt(np.maximum(freedom, 0))
    return PairTests(target, source, lag, r, 2 * ndtr(-np.abs(z)))


def twins(values: FloatArray, correlation: float) -> IntArray:
    """For each column the column that stands for it: itself, or a near copy chosen before it.

    Columns with the most total correlation to their near copies choose first.
    """
    n_columns, n = values.shape
    chunk = max(1, _CHUNK // n_columns)
    rows, columns, sizes = [], [], []
    for begin in range(0, n_columns, chunk):
        close = np.abs(values[begin : begin + chunk] @ values.T) / n
        row, column = np.nonzero(close > correlation)
        sizes.append(close[row, column])
        rows.append(row + begin)
        columns.append(column)
    row, column, size = np.concatenate(rows), np.concatenate(columns), np.concatenate(sizes)
    total = np.bincount(row, weights=size, minlength=n_columns)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n_columns))])
    stands = np.full(n_columns, -1, dtype=np.int64)
    for j in np.argsort(-total, kind="stable"):
        if stands[j] < 0:
            near = column[indptr[j] : indptr[j + 1]]
            stands[near[stands[near] < 0]] = j
            stands[j] = j
    return stands


_Tested: TypeAlias = tuple[IntArray, IntArray, FloatArray, IntArray, FloatArray]


def _given_all(values: FloatArray, lags: int) -> _Tested:
    """Target, variable, r, |S| per test and residual autocorrelation, given everything."""
    d, n_variables = len(values), len(values) * (lags + 1)
    rows = _gather(values, lags, np.arange(n_variables))
    precision = np.linalg.inv(rows @ rows.T / rows.shape[1] + _RIDGE * np.eye(n_variables))
    scale = np.sqrt(np.diag(precision))
    r = -precision[:d] / (scale[:d, None] * scale)
    rho = _autocorrelation(precision[:d] @ rows)
    target, variable = np.indices(r.shape).reshape(2, -1)
    n_given = np.full(r.size, n_variables - 1)
    return target, variable, r.ravel(), n_given, rho


def _given_screened(values: FloatArray, lags: int, size: int, cut: float) -> _Tested:
    """The same, given at most ``size`` variables of correlation above ``cut`` each."""
    d, n = len(values), values.shape[1] - lags
    n_variables = d * (lags + 1)
    parts: list[_Tested] = []
    chunk = max(1, _CHUNK // n_variables)
    batch = max(1, _CHUNK // (n * (size + 1)))
    now = values[:, lags:]
    for begin in range(0, d, chunk):
        nodes = np.arange(begin, min(begin + chunk, d))
        close = np.empty((len(nodes), n_variables), dtype=values.dtype)
        for lag in range(lags + 1):
            then = values[:, lags - lag : lags - lag + n]
            close[:, lag * d : (lag + 1) * d] = np.abs(now[nodes] @ then.T) / n
            close[np.arange(len(nodes)), lag * d + nodes] = np.inf if lag else -np.inf
        variables = np.argpartition(-close, size - 1, axis=1)[:, :size]
        used = np.take_along_axis(close, variables, axis=1) > cut
        for at in range(0, len(nodes), batch):
            span = slice(at, at + batch)
            parts.append(_given_sets(values, lags, nodes[span], variables[span], used[span]))
    target, variable, r, n_given, rho = (
        np.concatenate([part[k] for part in parts]) for k in range(5)
    )
    return target, variable, r, n_given, rho


def _given_sets(
    values: FloatArray, lags: int, nodes: IntArray, variables: IntArray, used: BoolArray
) -> _Tested:
    """Partial correlations of nodes with their own sets [n_nodes, size], where used."""
    ones = np.ones((len(nodes), 1), dtype=bool)
    present = np.hstack([ones, used])
    rows = _gather(values, lags, np.hstack([nodes[:, None], variables]))
    rows[~present] = 0.0
    gram = rows @ rows.transpose(0, 2, 1) / rows.shape[2]
    step = np.arange(gram.shape[1])
    gram[:, step, step] += np.where(present, _RIDGE, 1.0)
    precision = np.linalg.inv(gram)
    scale = np.sqrt(precision[:, step, step])
    r = -precision[:, 0, 1:] / (scale[:, :1] * scale[:, 1:])
    rho = _autocorrelation((precision[:, :1] @ rows)[:, 0])
    n_used = used.sum(axis=1)
    target = np.broadcast_to(nodes[:, None], used.shape)[used]
    return target, variables[used], r[used], np.repeat(n_used, n_used), rho


def _gather(values: FloatArray, lags: int, variables: IntArray) -> FloatArray:
    """Centered rows of lagged variables [..., n_rows - lags]; variable = lag * d + column."""
    n = values.shape[1] - lags
    lag, column = np.divmod(variables, len(values))
    rows = np.empty((*variables.shape, n), dtype=np.float64)
    for k in range(lags + 1):
        rows[lag == k] = values[column[lag == k], lags - k : lags - k + n]
    rows -= rows.mean(axis=-1, keepdims=True)
    return rows


def _autocorrelation(rows: FloatArray) -> FloatArray:
    """Autocorrelations at rows 1, 2, … [n, n_lags], those within noise set to 0."""
    n = rows.shape[1]
    n_lags = min(_MAX_AUTOCORRELATION, n // 4)
    power = np.maximum((rows**2).sum(axis=1), np.finfo(np.float64).tiny)
    rho = np.stack([(rows[:, k:] * rows[:, :-k]).sum(axis=1) for k in range(1, n_lags + 1)], axis=1)
    rho /= power[:, None]
    rho[np.abs(rho) < 2 / np.sqrt(n)] = 0.0
    return rho


def _inflation(rho: FloatArray, target: IntArray, source: IntArray) -> FloatArray:
    """How many repeating rows count as one, for each pair."""
    factor = np.empty(len(target), dtype=np.float64)
    chunk = max(1, _CHUNK // rho.shape[1])
    for begin in range(0, len(target), chunk):
        span = slice(begin, begin + chunk)
        factor[span] = 1 + 2 * np.einsum("ik,ik->i", rho[target[span]], rho[source[span]])
    return np.maximum(factor, 1.0)
