"""Quality of synthetic rows: what a model draws, beside what real rows reach among themselves.

Real rows are cut into an earlier and a later half. The later half is what drawn rows are compared
with, and so is the earlier half: no model can be asked for more than real rows of another time.

* margins, pairs with and without an edge, and the classifier, as in `fidelity`;
* **tails**: the share of values beyond the 1 % and 99 % quantiles of real ones, 2 % if right;
* **autocorrelation**: mean absolute difference over lags 1, 2, 5 and 10, for series;
* **target**: R² on the later half of a random forest that learned one column from the others, on
  drawn rows and on the earlier half;
* **privacy**: the share of drawn rows that lie closer to a training row than to any row of a later
  half of equal size; one half if drawn rows keep no memory of the rows learned from.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from locality._typing import FloatArray
from locality.analysis.quality.fidelity import fidelity, rank_correlation
from locality.analysis.quality.quality import (
    LEVELS,
    ColumnQuality,
    MemoryQuality,
    PairQuality,
    Quality,
)
from locality.data.frames import flavor_of
from locality.data.names import listing
from locality.data.table import Table
from locality.domain import DependencyGraph
from locality.estimator import LocalizedDiffusion
from locality.exceptions import DataError, OptionError

__all__ = ["evaluate"]

_T = TypeVar("_T")
_NAN = float("nan")
_MIN_ROWS = 40
_LAGS = (1, 2, 5, 10)  # compared
_SHOWN_LAGS = (1, 2, 3, 4, 5, 7, 10, 14, 20, 30)
_TREES = 100
_MOST_ROWS = 5_000
_MOST_PAIRS = 1_000  # of each kind


def evaluate(
    model: LocalizedDiffusion,
    real: Any,
    *,
    train: Any = None,
    target: str | None = None,
    title: str = "",
    random_state: int = 0,
) -> Quality:
    """Judge what a model draws by real rows that it was not fitted to.

    Parameters
    ----------
    model : LocalizedDiffusion
        Fitted, without context columns.
    real : pandas, polars or pyarrow frame, or array [n_rows, n_columns]
        Complete, at least 40 rows, in order of time if the model is of a series. A frame has the
        columns that were fitted, others are ignored; an array has just those, in their order.
    train : frame or array [n_train, n_columns], optional
        The rows the model was fitted to, for privacy.
    target : str, optional
        Column to be learned from the others.
    title : str, optional
        Of the real rows, for the page.
    random_state : int, default 0

    Returns
    -------
    Quality
        With ``grade`` and ``statements``, as a dictionary and as a page.

    Raises
    ------
    DataError
        If there are too few rows, values or columns are missing, or the target is unknown.
    OptionError
        If the model has context columns.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Examples
    --------
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> law = OrnsteinUhlenbeckChain(6, correlation=0.8)
    >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
    >>> found = evaluate(model.fit(law.sample(500, 0)), law.sample(400, 1))
    >>> bool(abs(found.drawn.auc - 0.5) < 0.1 and found.drawn.edges > 0.9)
    True
    """
    check_is_fitted(model)
    inner, names = model.model_, list(model.component_names_)
    if inner.domain.context:
        raise OptionError(
            "Models with context columns cannot be evaluated by what they draw alone."
        )
    recorded = _numbers(model, real, names)
    _require(recorded, target, names)
    half = len(recorded) // 2
    drawn = model.sample(len(recorded) - half, random_state=random_state)
    rows = _Rows(_numbers(model, drawn, names), recorded[:half], recorded[half:])
    graph = inner.domain.graph if not inner.layout.is_lattice else DependencyGraph.chain(len(names))
    learned = None if train is None else _numbers(model, train, names)
    return Quality(
        title,
        len(rows.drawn),
        len(recorded),
        *rows.judged(lambda a, b: fidelity(a, b, graph, random_state)),
        *rows.judged(lambda a, b: float(_beyond(a, b).mean())),
        *rows.judged(lambda a, b: _autocorrelation_gap(a, b) if inner.layout.is_series else _NAN),
        target or "",
        *rows.judged(lambda a, b: _r2(a, b, names, target, random_state)),
        _privacy(rows, learned, random_state),
        _columns(names, rows),
        _pairs(names, graph, rows),
        _memory(rows) if inner.layout.is_series else (),
    )


def _require(recorded: FloatArray, target: str | None, names: list[str]) -> None:
    if len(recorded) < _MIN_ROWS:
        raise DataError(f"Evaluation needs at least {_MIN_ROWS} real rows, found {len(recorded)}.")
    if target is not None and target not in names:
        raise DataError(
            f"The target {target!r} is no column that is modeled.",
            remedy=f"Choose one of {listing(names)}.",
        )


class _Rows(NamedTuple):
    """Rows that are compared, each [n, n_columns]."""

    drawn: FloatArray
    earlier: FloatArray
    later: FloatArray

    def judged(self, by: Callable[[FloatArray, FloatArray], _T]) -> tuple[_T, _T]:
        """Drawn and earlier rows, both against later ones."""
        return by(self.drawn, self.later), by(self.earlier, self.later)


def _columns(names: list[str], rows: _Rows) -> tuple[ColumnQuality, ...]:
    """Quantiles of every column, the worst first."""
    distance, real_distance = rows.judged(_distance)
    beyond = _beyond(rows.drawn, rows.later)
    levels = [np.quantile(x, LEVELS, axis=0).T.tolist() for x in rows]
    return tuple(
        ColumnQuality(
            names[j],
            float(distance[j]),
            float(real_distance[j]),
            float(beyond[j]),
            *(tuple(x[j]) for x in levels),
        )
        for j in np.argsort(-distance).tolist()
    )


def _beyond(rows: FloatArray, later: FloatArray) -> FloatArray:
    """Share of values beyond the 1 % and 99 % quantiles of later rows [n_columns]."""
    low, high = np.quantile(later, [0.01, 0.99], axis=0)
    return np.asarray(((rows < low) | (rows > high)).mean(axis=0))


def _pairs(names: list[str], graph: DependencyGraph, rows: _Rows) -> tuple[PairQuality, ...]:
    """Rank correlations of joined pairs and of others, those that differ most first."""
    found = [rank_correlation(x) for x in rows]
    joined = graph.to_scipy().toarray() > 0
    pairs = []
    for kind in (True, False):
        i, j = np.nonzero(np.triu(joined == kind, k=1))
        most = np.argsort(-np.abs(found[0][i, j] - found[2][i, j]))[:_MOST_PAIRS]
        pairs += [
            PairQuality(names[a], names[b], kind, *(float(x[a, b]) for x in found))
            for a, b in zip(i[most].tolist(), j[most].tolist(), strict=True)
        ]
    return tuple(pairs)


def _memory(rows: _Rows) -> tuple[MemoryQuality, ...]:
    lags = [lag for lag in _SHOWN_LAGS if 2 * lag < min(map(len, rows))]
    means = [_autocorrelation(x, lags).mean(axis=1).tolist() for x in rows]
    return tuple(MemoryQuality(*at) for at in zip(lags, *means, strict=True))


def _numbers(model: LocalizedDiffusion, rows: Any, names: list[str]) -> FloatArray:
    """Modeled columns of complete rows; those of an array are in the order that was fitted."""
    standardizer = model.model_.standardizer
    columns = standardizer.names
    named = flavor_of(rows) != "numpy"
    table = Table.from_frame(rows, columns=columns if named else None, labels=standardizer.labels)
    if table.n_columns != len(columns):
        raise DataError(
            f"The rows have {table.n_columns} columns, expected {len(columns)} as were fitted."
        )
    table.require_complete()
    return table.values[:, [columns.index(name) for name in names]]


def _distance(a: FloatArray, b: FloatArray) -> FloatArray:
    """Mean absolute difference of quantiles, in standard deviations of b [n_columns]."""
    levels = (np.arange(200) + 0.5) / 200
    gap = np.abs(np.quantile(a, levels, axis=0) - np.quantile(b, levels, axis=0)).mean(axis=0)
    return np.asarray(gap / np.maximum(b.std(axis=0), 1e-12))


def _autocorrelation_gap(a: FloatArray, b: FloatArray) -> float:
    lags = [lag for lag in _LAGS if lag < min(len(a), len(b))]
    return float(np.mean(np.abs(_autocorrelation(a, lags) - _autocorrelation(b, lags))))


def _autocorrelation(rows: FloatArray, lags: list[int]) -> FloatArray:
    """Of every column [n_lags, n_columns]."""
    z = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-12)
    return np.stack([(z[lag:] * z[:-lag]).mean(axis=0) for lag in lags])


def _r2(
    rows: FloatArray, test: FloatArray, names: list[str], target: str | None, seed: int
) -> float:
    """Of one column of the test rows, told from the others by a forest that learned on the rows."""
    if target is None:
        return _NAN
    place = names.index(target)
    forest = RandomForestRegressor(_TREES, min_samples_leaf=3, random_state=seed)
    rows = rows[:_MOST_ROWS]
    forest.fit(np.delete(rows, place, axis=1), rows[:, place])
    told = forest.predict(np.delete(test, place, axis=1))
    return float(r2_score(test[:, place], told))


def _privacy(rows: _Rows, train: FloatArray | None, seed: int) -> float:
    """Share of drawn rows closer to training rows than to equally many later ones."""
    if train is None:
        return _NAN
    rng = np.random.default_rng(seed)
    n = min(len(train), len(rows.later), _MOST_ROWS)
    scale, near = np.maximum(train.std(axis=0), 1e-12), []
    for real in (train, rows.later):
        part = real[np.sort(rng.permutation(len(real))[:n])] / scale
        index = NearestNeighbors(n_neighbors=1).fit(part)
        near.append(index.kneighbors(rows.drawn / scale)[0][:, 0])
    return float(np.mean(near[0] < near[1]) + 0.5 * np.mean(near[0] == near[1]))
