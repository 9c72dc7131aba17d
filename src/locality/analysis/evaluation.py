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

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.neighbors import NearestNeighbors

from locality._typing import FloatArray
from locality.analysis.fidelity import fidelity, rank_correlation
from locality.analysis.quality import (
    LEVELS,
    ColumnQuality,
    MemoryQuality,
    PairQuality,
    Quality,
)
from locality.data.table import Table
from locality.domain import DependencyGraph
from locality.estimator import LocalizedDiffusion
from locality.exceptions import DataError, OptionError

__all__ = ["evaluate"]

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
        Fitted, without given columns.
    real : frame or array [n_rows, n_columns]
        Complete, at least 40 rows, in order of time if the model is of a series.
    train : frame or array, optional
        The rows the model was fitted to, for privacy.
    target : str, optional
        Column to be learned from the others.
    title : str, optional
        Of the real rows, for the page.
    random_state : int

    Raises
    ------
    DataError
        If there are too few rows, or the target is unknown.
    OptionError
        If the model has given columns.

    Examples
    --------
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> law = OrnsteinUhlenbeckChain(6, correlation=0.8)
    >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
    >>> found = evaluate(model.fit(law.sample(500, 0)), law.sample(400, 1))
    >>> bool(abs(found.drawn.auc - 0.5) < 0.1 and found.drawn.edges > 0.9)
    True
    """
    inner = model.model_
    if inner.domain.context:
        raise OptionError("Models with given columns cannot be evaluated by what they draw alone.")
    names = list(model.component_names_)
    rows = _numbers(model, real, names)
    if len(rows) < _MIN_ROWS:
        raise DataError(f"Evaluation needs at least {_MIN_ROWS} real rows, found {len(rows)}.")
    if target is not None and target not in names:
        raise DataError(
            f"The target {target!r} is no column that is modeled.",
            remedy=f"Choose one of {', '.join(names[:10])}{' …' if len(names) > 10 else ''}.",
        )
    half = len(rows) // 2
    earlier, later = rows[:half], rows[half:]
    drawn = _numbers(model, model.sample(len(later), random_state=random_state), names)
    graph = inner.domain.graph if not inner.is_lattice else DependencyGraph.chain(len(names))
    ordered = inner.is_series
    low, high = np.quantile(later, [0.01, 0.99], axis=0)
    beyond, real_beyond = (((x < low) | (x > high)).mean(axis=0) for x in (drawn, earlier))
    distance, real_distance = (_distance(x, later) for x in (drawn, earlier))
    r2 = real_r2 = privacy = float("nan")
    if target is not None:
        r2, real_r2 = (_r2(x, later, names.index(target), random_state) for x in (drawn, earlier))
    if train is not None:
        privacy = _privacy(drawn, _numbers(model, train, names), later, random_state)
    levels = [np.quantile(x, LEVELS, axis=0).T.tolist() for x in (drawn, earlier, later)]
    columns = (
        ColumnQuality(
            names[j],
            float(distance[j]),
            float(real_distance[j]),
            float(beyond[j]),
            *(tuple(x[j]) for x in levels),
        )
        for j in np.argsort(-distance).tolist()
    )
    return Quality(
        title,
        len(drawn),
        len(rows),
        fidelity(drawn, later, graph, random_state),
        fidelity(earlier, later, graph, random_state),
        float(beyond.mean()),
        float(real_beyond.mean()),
        _autocorrelation_gap(drawn, later) if ordered else float("nan"),
        _autocorrelation_gap(earlier, later) if ordered else float("nan"),
        target or "",
        r2,
        real_r2,
        privacy,
        tuple(columns),
        _pairs(names, graph, drawn, earlier, later),
        _memory(drawn, earlier, later) if ordered else (),
    )


def _pairs(
    names: list[str],
    graph: DependencyGraph,
    drawn: FloatArray,
    earlier: FloatArray,
    later: FloatArray,
) -> tuple[PairQuality, ...]:
    """Rank correlations of joined pairs and of others, those that differ most first."""
    found = [rank_correlation(x) for x in (drawn, earlier, later)]
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


def _memory(drawn: FloatArray, earlier: FloatArray, later: FloatArray) -> tuple[MemoryQuality, ...]:
    lags = [lag for lag in _SHOWN_LAGS if 2 * lag < min(map(len, (drawn, earlier, later)))]
    means = [_autocorrelation(x, lags).mean(axis=1).tolist() for x in (drawn, earlier, later)]
    return tuple(MemoryQuality(*at) for at in zip(lags, *means, strict=True))


def _numbers(model: LocalizedDiffusion, rows: Any, names: list[str]) -> FloatArray:
    columns = list(model.model_.standardizer.names)
    table = Table.from_frame(
        rows,
        columns=columns if hasattr(rows, "columns") else None,
        labels=model.model_.standardizer.labels,
    )
    table.require_complete()
    place = {name: j for j, name in enumerate(columns)}
    return table.values[:, [place[name] for name in names]]


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


def _r2(rows: FloatArray, test: FloatArray, target: int, seed: int) -> float:
    forest = RandomForestRegressor(_TREES, min_samples_leaf=3, random_state=seed)
    rows = rows[:_MOST_ROWS]
    forest.fit(np.delete(rows, target, axis=1), rows[:, target])
    told = forest.predict(np.delete(test, target, axis=1))
    return float(r2_score(test[:, target], told))


def _privacy(drawn: FloatArray, train: FloatArray, later: FloatArray, seed: int) -> float:
    """Share of drawn rows closer to training rows than to equally many later ones."""
    rng = np.random.default_rng(seed)
    n = min(len(train), len(later), _MOST_ROWS)
    scale = np.maximum(train.std(axis=0), 1e-12)
    near = []
    for rows in (train, later):
        part = rows[np.sort(rng.permutation(len(rows))[:n])] / scale
        near.append(NearestNeighbors(n_neighbors=1).fit(part).kneighbors(drawn / scale)[0][:, 0])
    return float(np.mean(near[0] < near[1]) + 0.5 * np.mean(near[0] == near[1]))
