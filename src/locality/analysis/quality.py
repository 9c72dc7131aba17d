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

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.neighbors import NearestNeighbors

from locality._typing import FloatArray
from locality.analysis.fidelity import Fidelity, fidelity
from locality.data.table import Table
from locality.domain import DependencyGraph
from locality.estimator import LocalizedDiffusion
from locality.exceptions import DataError, OptionError

__all__ = ["ColumnQuality", "Quality", "evaluate"]

_MIN_ROWS = 40
_LAGS = (1, 2, 5, 10)
_TREES = 100
_MOST_ROWS = 5_000


@dataclass(frozen=True)
class ColumnQuality:
    """One column.

    Parameters
    ----------
    name : str
    distance : float
        Mean absolute difference of quantiles, in standard deviations of real rows.
    real_distance : float
        The same of the earlier half.
    beyond : float
        Share of drawn values beyond the 1 % and 99 % quantiles of real ones.
    """

    name: str
    distance: float
    real_distance: float
    beyond: float


@dataclass(frozen=True)
class Quality:
    """Drawn rows and the earlier half of real rows, both against the later half.

    Parameters
    ----------
    n_drawn, n_real : int
    drawn, real : Fidelity
    beyond, real_beyond : float
        Mean share of values beyond the 1 % and 99 % quantiles.
    autocorrelation, real_autocorrelation : float
        Mean absolute difference; NaN for rows in no order.
    r2, real_r2 : float
        NaN without a target.
    privacy : float
        NaN without training rows.
    columns : tuple of ColumnQuality
        The worst first.
    """

    n_drawn: int
    n_real: int
    drawn: Fidelity
    real: Fidelity
    beyond: float
    real_beyond: float
    autocorrelation: float
    real_autocorrelation: float
    r2: float
    real_r2: float
    privacy: float
    columns: tuple[ColumnQuality, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def evaluate(
    model: LocalizedDiffusion,
    real: Any,
    *,
    train: Any = None,
    target: str | None = None,
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
    >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0)
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
    order = np.argsort(-distance)
    return Quality(
        len(drawn),
        len(rows),
        fidelity(drawn, later, graph, random_state),
        fidelity(earlier, later, graph, random_state),
        float(beyond.mean()),
        float(real_beyond.mean()),
        _autocorrelation_gap(drawn, later) if ordered else float("nan"),
        _autocorrelation_gap(earlier, later) if ordered else float("nan"),
        r2,
        real_r2,
        privacy,
        tuple(
            ColumnQuality(names[j], float(distance[j]), float(real_distance[j]), float(beyond[j]))
            for j in order.tolist()
        ),
    )


def _numbers(model: LocalizedDiffusion, rows: Any, names: list[str]) -> FloatArray:
    columns = list(model.model_.standardizer.names)
    table = Table.from_frame(rows, columns=columns if hasattr(rows, "columns") else None)
    table.require_complete()
    place = {name: j for j, name in enumerate(columns)}
    return table.values[:, [place[name] for name in names]]


def _distance(a: FloatArray, b: FloatArray) -> FloatArray:
    """Mean absolute difference of quantiles, in standard deviations of b [n_columns]."""
    levels = (np.arange(200) + 0.5) / 200
    gap = np.abs(np.quantile(a, levels, axis=0) - np.quantile(b, levels, axis=0)).mean(axis=0)
    return np.asarray(gap / np.maximum(b.std(axis=0), 1e-12))


def _autocorrelation_gap(a: FloatArray, b: FloatArray) -> float:
    return float(np.mean(np.abs(_autocorrelation(a) - _autocorrelation(b))))


def _autocorrelation(rows: FloatArray) -> FloatArray:
    z = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-12)
    return np.stack([(z[lag:] * z[:-lag]).mean(axis=0) for lag in _LAGS if lag < len(z)])


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
