"""Fidelity: how well drawn rows stand for real ones, beside what real rows themselves reach.

Rows recorded at another time differ from those a model learned from, so no model can be asked for
more than the training rows reach: every figure is given for drawn rows and for training rows, both
against rows kept back.

* **Margins**: 1 − the mean Kolmogorov–Smirnov distance of columns.
* **Pairs**: 1 − the mean absolute difference of rank correlations, for pairs joined by an edge and
  for all others apart.
* **Classifier**: the area under the curve of a random forest that tells drawn (or training) rows
  from those kept back, out of fold; 0.5 means it cannot (Lopez-Paz and Oquab, 2017, *Revisiting
  classifier two-sample tests*).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp, rankdata
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from locality._typing import FloatArray
from locality.domain import DependencyGraph

__all__ = ["Fidelity", "fidelity", "rank_correlation"]

_TREES = 100
_MOST_ROWS = 1_000  # of each kind that the classifier sees
_FOLDS = 5


@dataclass(frozen=True)
class Fidelity:
    """Figures of one set of rows against rows kept back; 1 is best, for ``auc`` 0.5.

    Parameters
    ----------
    margins, edges, others : float
        NaN where there are no pairs of that kind.
    auc : float
    auc_error : float
        Standard error of ``auc`` (Hanley and McNeil, 1982).
    """

    margins: float
    edges: float
    others: float
    auc: float
    auc_error: float


def fidelity(
    rows: FloatArray, kept_back: FloatArray, graph: DependencyGraph, seed: int = 0
) -> Fidelity:
    """Compare rows with rows kept back.

    Parameters
    ----------
    rows, kept_back : float arrays [n, n_columns], [m, n_columns]
    graph : DependencyGraph
        Of the columns.
    seed : int
        Of the classifier, and of the choice of equally many rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.standard_normal((2, 300, 3))
    >>> found = fidelity(a, b, DependencyGraph.chain(3))
    >>> bool(found.margins > 0.9 and abs(found.auc - 0.5) < 0.1)
    True
    """
    d = rows.shape[1]
    distances = [ks_2samp(rows[:, j], kept_back[:, j], method="asymp").statistic for j in range(d)]
    gap = np.abs(rank_correlation(rows) - rank_correlation(kept_back))
    joined = graph.to_scipy().toarray() > 0
    upper = np.triu(np.ones((d, d), dtype=bool), k=1)
    return Fidelity(
        1.0 - float(np.mean(distances)),
        _agreement(gap[upper & joined]),
        _agreement(gap[upper & ~joined]),
        *_auc(rows, kept_back, seed),
    )


def _agreement(gap: FloatArray) -> float:
    return 1.0 - float(gap.mean()) if len(gap) else float("nan")


def rank_correlation(rows: FloatArray) -> FloatArray:
    """Spearman's correlations of all pairs of columns [n_columns, n_columns]."""
    ranks = rankdata(rows, axis=0)
    ranks = ranks - ranks.mean(axis=0)
    scale = np.maximum(np.sqrt((ranks**2).sum(axis=0)), 1e-12)
    return np.asarray(ranks.T @ ranks / np.outer(scale, scale))


def _auc(rows: FloatArray, kept_back: FloatArray, seed: int) -> tuple[float, float]:
    n = min(len(rows), len(kept_back), _MOST_ROWS)
    rng = np.random.default_rng(seed)
    parts = [part[np.sort(rng.permutation(len(part))[:n])] for part in (rows, kept_back)]
    label = np.repeat([0, 1], n)
    forest = RandomForestClassifier(_TREES, min_samples_leaf=3, random_state=seed)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    told = cross_val_predict(forest, np.vstack(parts), label, cv=folds, method="predict_proba")
    auc = float(roc_auc_score(label, told[:, 1]))
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (n - 1) * (q1 - auc**2 + q2 - auc**2)) / n**2
    return auc, float(np.sqrt(max(variance, 0.0)))
