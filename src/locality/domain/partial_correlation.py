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

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtr

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.pairwise import masked_tests

__all__ = ["PairTests", "autocorrelation", "fisher_z", "pair_tests", "twins"]

_MAX_FULL = 1_500  # variables conditioned on all together
_ROWS_PER_VARIABLE = 8  # … and the rows each of them needs
_ROWS_PER_SCREENED = 4
_MIN_PAIRED = 8
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
    z : float array [n_tests]
        Its test statistic, standard normal without a link.
    """

    target: IntArray
    source: IntArray
    lag: IntArray
    correlation: FloatArray
    z: FloatArray

    @property
    def p_value(self) -> FloatArray:
        """Two-sided [n_tests]."""
        p: FloatArray = 2 * ndtr(-np.abs(self.z))
        return p


def pair_tests(
    values: FloatArray,
    lags: int,
    screen: int,
    observed: BoolArray | None = None,
    robust: bool = False,
) -> PairTests:
    """Test every column against every other now and up to ``lags`` rows ago.

    Parameters
    ----------
    values : float array [n_columns, n_rows]
        Columns of mean 0 and variance 1, one per row of the array; 0 where missing.
    lags : int
        Largest lag.
    screen : int
        Largest number of variables conditioned on where not all can be.
    observed : bool array [n_columns, n_rows], optional
        Which values are there; all by default. Missing ones are taken to be missing at random.
    robust : bool, default False
        Allow for residuals whose size depends on other columns; always so with missing values.

    Returns
    -------
    PairTests
        All pairs, or the screened ones; pairs left out have no evidence for a link.
    """
    n = values.shape[1] - lags
    n_variables = len(values) * (lags + 1)
    # without lags among the conditions, rows that repeat themselves count less from the start
    rho = autocorrelation(values)
    n_rows = int(n / (1.0 if lags else np.median(1 + 2 * (rho**2).sum(axis=1))))
    if observed is None and n_variables <= min(_MAX_FULL, n_rows // _ROWS_PER_VARIABLE):
        found = _given_all(values, lags, robust)
    else:
        size = max(1, min(screen, n_rows // _ROWS_PER_SCREENED, n_variables - 1))
        found = _given_screened(values, lags, size, n_rows / n, observed, robust)
    lag, source = np.divmod(found.variable, len(values))
    other = source != found.target
    source, lag = source[other], lag[other]
    target, r = found.target[other], found.correlation[other]
    inflation = _inflation(found.rho, target, source)
    freedom = (found.n_rows[other] / inflation - found.n_given[other] - 2) * found.worth[other]
    return PairTests(target, source, lag, r, fisher_z(r, freedom))


def fisher_z(r: FloatArray, freedom: FloatArray) -> FloatArray:
    """Correlations as standard normal statistics."""
    z: FloatArray = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    return z * np.sqrt(np.maximum(freedom, 0))


def twins(values: FloatArray, correlation: float, observed: BoolArray | None = None) -> IntArray:
    """For each column the column that stands for it: itself, or a near copy chosen before it.

    Columns with the most total correlation to their near copies choose first.
    """
    n_columns, n = values.shape
    chunk = max(1, _CHUNK // n_columns)
    rows, columns, sizes = [], [], []
    seen = None if observed is None else observed.astype(np.float32)
    for begin in range(0, n_columns, chunk):
        span = slice(begin, begin + chunk)
        close = np.abs(values[span] @ values.T)
        close /= n if seen is None else np.maximum(seen[span] @ seen.T, _MIN_PAIRED)
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


@dataclass(frozen=True, eq=False)
class _Tested:
    """Tests of targets against variables, with the residual autocorrelation of every column."""

    target: IntArray  # [n_tests]
    variable: IntArray  # [n_tests]
    correlation: FloatArray  # [n_tests]
    n_given: IntArray  # [n_tests]
    n_rows: FloatArray  # [n_tests], shared by target and variable
    worth: FloatArray  # [n_tests], of a row, in rows of a complete table of constant spread
    rho: FloatArray  # [n_columns, n_lags]


def _given_all(values: FloatArray, lags: int, robust: bool) -> _Tested:
    """Tests given everything else."""
    d, n_variables = len(values), len(values) * (lags + 1)
    rows = _gather(values, lags, np.arange(n_variables))
    n = rows.shape[1]
    precision = np.linalg.inv(rows @ rows.T / n + _RIDGE * np.eye(n_variables))
    scale = np.sqrt(np.diag(precision))
    r = -precision[:d] / (scale[:d, None] * scale)
    worth = np.ones(r.shape)
    if robust:
        residual = precision @ rows / scale[:, None]
        worth = _worth(residual[:d], residual, -r)
        rho = autocorrelation(residual[:d])
    else:
        rho = autocorrelation(precision[:d] @ rows)
    target, variable = np.indices(r.shape).reshape(2, -1)
    n_given = np.full(r.size, n_variables - 1)
    n_rows = np.full(r.size, float(n))
    return _Tested(target, variable, r.ravel(), n_given, n_rows, worth.ravel(), rho)


def _given_screened(
    values: FloatArray,
    lags: int,
    size: int,
    rows_worth: float,
    observed: BoolArray | None,
    robust: bool,
) -> _Tested:
    """Tests given at most ``size`` variables of correlation beyond noise each."""
    d, n = len(values), values.shape[1] - lags
    n_variables = d * (lags + 1)
    cut = float(np.sqrt(2 * np.log(n_variables) / max(n * rows_worth, 1)))
    parts: list[_Tested] = []
    chunk = max(1, _CHUNK // n_variables)
    batch = max(1, _CHUNK // (n * (size + 1)))
    now = values[:, lags:]
    seen = None if observed is None else observed.astype(np.float32)
    for begin in range(0, d, chunk):
        nodes = np.arange(begin, min(begin + chunk, d))
        close = np.empty((len(nodes), n_variables), dtype=values.dtype)
        for lag in range(lags + 1):
            part = close[:, lag * d : (lag + 1) * d]
            then = slice(lags - lag, lags - lag + n)
            part[:] = np.abs(now[nodes] @ values[:, then].T)
            if seen is None:
                part /= n
            else:  # in units of what noise produces among the rows that a pair shares
                paired = seen[nodes, lags:] @ seen[:, then].T
                few = paired < np.maximum(_MIN_PAIRED, seen[nodes, lags:].sum(axis=1)[:, None] / 2)
                part /= np.sqrt(np.maximum(paired, 1) * n)
                part[few] = 0.0
            part[np.arange(len(nodes)), nodes] = np.inf if lag else -np.inf
        variables = np.argpartition(-close, size - 1, axis=1)[:, :size]
        used = np.take_along_axis(close, variables, axis=1) > cut
        if observed is None:
            for at in range(0, len(nodes), batch):
                span = slice(at, at + batch)
                parts.append(
                    _given_sets(values, lags, nodes[span], variables[span], used[span], robust)
                )
        else:
            parts += [
                _given_masked(values, observed, lags, node, variables[k, used[k]], close[k])
                for k, node in enumerate(nodes.tolist())
            ]
    return _Tested(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(_Tested)))


def _given_sets(
    values: FloatArray,
    lags: int,
    nodes: IntArray,
    variables: IntArray,
    used: BoolArray,
    robust: bool,
) -> _Tested:
    """Tests of nodes given their own sets [n_nodes, size], where used."""
    ones = np.ones((len(nodes), 1), dtype=bool)
    present = np.hstack([ones, used])
    rows = _gather(values, lags, np.hstack([nodes[:, None], variables]))
    rows[~present] = 0.0
    n = rows.shape[2]
    gram = rows @ rows.transpose(0, 2, 1) / n
    step = np.arange(gram.shape[1])
    gram[:, step, step] += np.where(present, _RIDGE, 1.0)
    precision = np.linalg.inv(gram)
    scale = np.sqrt(precision[:, step, step])
    r = -precision[:, 0, 1:] / (scale[:, :1] * scale[:, 1:])
    worth = np.ones(r.shape)
    if robust:
        for k in range(len(nodes)):
            residual = precision[k] @ rows[k] / scale[k, :, None]
            kept = used[k]
            worth[k, kept] = _worth(residual[:1], residual[1:][kept], -r[k : k + 1, kept])[0]
    rho = autocorrelation((precision[:, :1] @ rows)[:, 0])
    n_used = used.sum(axis=1)
    target = np.broadcast_to(nodes[:, None], used.shape)[used]
    n_given = np.repeat(n_used, n_used)
    n_rows = np.full(len(target), float(n))
    return _Tested(target, variables[used], r[used], n_given, n_rows, worth[used], rho)


def _given_masked(
    values: FloatArray,
    observed: BoolArray,
    lags: int,
    node: int,
    variables: IntArray,
    closeness: FloatArray,
) -> _Tested:
    """Tests of one node given its set, from moments of the rows that each pair shares."""
    most = max(1, int(observed[node].sum()) // _ROWS_PER_SCREENED)
    variables = variables[np.argsort(-closeness[variables], kind="stable")[:most]]
    with_node = np.append(node, variables)
    tests = masked_tests(
        _gather(values, lags, with_node, center=False),
        _gather(observed, lags, with_node, center=False),
    )
    return _Tested(
        np.full(len(variables), node), variables, tests.correlation,
        np.full(len(variables), len(variables)), tests.n_rows, tests.worth,
        autocorrelation(tests.residual),
    )  # fmt: skip


def _worth(e: FloatArray, f: FloatArray, cosine: FloatArray) -> FloatArray:
    """What a row is worth if the sizes of residuals depend on each other, at most 1.

    ``e`` and ``f`` are the standardized residuals of targets and variables given all others,
    the target included; ``cosine`` is their inner product. Without that target the residual of
    the variable is f − cosine · e, and the variance of the estimate is that of the product of
    the two (White, 1980, *A heteroskedasticity-consistent covariance matrix estimator*).
    """
    n = e.shape[1]
    e2 = e**2
    product = (
        e2 @ (f**2).T - 2 * cosine * ((e2 * e) @ f.T) + cosine**2 * (e2**2).sum(axis=1)[:, None]
    )
    power = e2.sum(axis=1)[:, None]
    other = (f**2).sum(axis=1) - cosine**2 * power
    rows: FloatArray = power * other / np.maximum(product, np.finfo(np.float64).tiny)
    ridged = (power < n / 2) | ((f**2).sum(axis=1) < n / 2)  # copies: no residual but the ridge
    return np.where(ridged, 1.0, np.clip(rows / n, 0.0, 1.0))


def _gather(
    values: FloatArray | BoolArray, lags: int, variables: IntArray, center: bool = True
) -> FloatArray:
    """Rows of lagged variables [..., n_rows - lags]; variable = lag * d + column."""
    n = values.shape[1] - lags
    lag, column = np.divmod(variables, len(values))
    rows = np.empty((*variables.shape, n), dtype=np.float64)
    for k in range(lags + 1):
        rows[lag == k] = values[column[lag == k], lags - k : lags - k + n]
    if center:
        rows -= rows.mean(axis=-1, keepdims=True)
    return rows


def autocorrelation(rows: FloatArray) -> FloatArray:
    """Autocorrelations at rows 1, 2, … [n, n_lags], those within noise set to 0."""
    n = rows.shape[1]
    n_lags = min(_MAX_AUTOCORRELATION, n // 4)
    power = np.maximum((rows**2).sum(axis=1), np.finfo(np.float64).tiny)
    rho = np.empty((len(rows), n_lags), dtype=np.float64)
    for k in range(1, n_lags + 1):
        rho[:, k - 1] = np.einsum("it,it->i", rows[:, k:], rows[:, :-k])
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
