"""The subject of a check: a table turned into normal scores, without what cannot be judged.

Dependence does not change when a column is put into other units, or bent by any increasing
function. So every column is replaced by its normal scores Φ⁻¹(rank/n), and what a check says in
nats is about dependence alone: a column by itself always has ½ log 2πe = 1.419 nats, and heavy
tails or skewed columns do not drown the rest.

Set aside are constant columns, copies (also bent or reversed ones), columns that stand still in a
fifth of the rows or more at a stretch (a model of the other rows could not judge them), and columns
of which half is missing. Remaining gaps are filled by draws from regressions on the columns most
correlated (scikit-learn's ``IterativeImputer``); the graph never sees them, it is learned from what
was observed.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from locality._typing import BoolArray, FloatArray, IntArray
from locality.analysis.check.context import Context
from locality.analysis.pages.words import Statement
from locality.data.table import Table
from locality.data.transforms_fit import fit_standardizer
from locality.exceptions import DataError

__all__ = ["Subject"]

MIN_ROWS = 40
_MOST_MISSING = 0.5
_STILL = 0.2  # of all rows; a column that does not move in as many is set aside
_LEAST_SPREAD = 0.05  # of a part of the rows, that of all rows being 1
_PARTS = 20
_NEAREST = 8  # columns that a gap is filled from
_LISTED = 5
_EXPLAINED = 1e-3  # variance that context leaves of a column, below which it is nothing of its own
_NEARLY = 0.995  # correlation of scores from which a column may be a copy
_CHUNK = 500
_FEW = 8  # values of a part that can tell whether a column moves


@dataclass(frozen=True, eq=False)
class Subject:
    """What is checked.

    Parameters
    ----------
    names : tuple of str [n_columns]
        Columns that are judged.
    scores : float array [n_rows, n_columns]
        Normal scores, mean 0 and variance 1, NaN where missing.
    complete : float array [n_rows, n_columns]
        The same with gaps filled.
    notes : tuple of Statement
        What was set aside, and what looks odd.
    """

    names: tuple[str, ...]
    scores: FloatArray
    complete: FloatArray
    notes: tuple[Statement, ...]

    @classmethod
    def of(
        cls,
        table: Table,
        seed: int = 0,
        context: Sequence[str] = (),
        cycles: Sequence[str] = (),
    ) -> "Subject":
        """Prepare a table.

        Parameters
        ----------
        table : Table
        context : sequence of str
            Columns that are known to drive the others; their part is taken out.
        cycles : sequence of str
            Lengths of cycles of the clock, likewise.
        seed : int
            Of the draws that fill gaps.

        Raises
        ------
        DataError
            There are too few rows, or fewer than two columns to be judged.
        """
        if table.n_rows < MIN_ROWS:
            raise DataError(
                f"The table has {table.n_rows} rows; a check needs at least {MIN_ROWS}.",
                remedy="Pass more rows.",
            )
        if set(table.names) <= set(context):
            raise DataError("All columns are context, so none is left to be judged.")
        driver = Context.of(table, context, cycles)
        kept, scores, aside = _judgeable(table, context)
        told: list[Statement] = []
        if driver is not None:
            left = driver.removed(scores)
            rest = np.nanmean(left**2, axis=0)
            share = 100.0 * max(0.0, 1.0 - float(np.nanmean(left**2) / np.nanmean(scores**2)))
            explained = rest < _EXPLAINED
            aside["note_explained"] = _names(table.names, kept[explained])
            kept, scores = kept[~explained], _scores(left[:, ~explained])
            known = ", ".join([*context, *cycles])
            told.append(Statement("note_context", {"names": known, "share": share}))
        if len(kept) < 2:
            raise DataError(
                f"{len(kept)} of {table.n_columns} columns can be judged; a check needs at least 2."
                f" {_why(aside)}",
                remedy="Pass columns that vary and are observed.",
            )
        notes = told + [
            Statement(key, {"count": len(names), "names": _listed(names)})
            for key, names in aside.items()
            if names
        ]
        gaps = np.isnan(scores)
        if gaps.any():
            count = int(gaps.any(axis=0).sum())
            share = 100.0 * float(gaps.mean())
            notes.append(Statement("note_missing", {"count": count, "share": share}))
        names = tuple(table.names[j] for j in kept)
        return cls(names, scores, _filled(scores, seed) if gaps.any() else scores, tuple(notes))


def _judgeable(
    table: Table, context: Sequence[str]
) -> tuple[IntArray, FloatArray, dict[str, list[str]]]:
    """Columns that can be judged, their scores, and by reason the names of those that cannot."""
    aside: dict[str, list[str]] = {}
    kept = np.flatnonzero(~np.isin(table.names, list(context)))
    values = table.values[:, kept]

    def leave(reason: str, out: BoolArray) -> None:
        nonlocal kept, values
        aside[reason] = _names(table.names, kept[out])
        kept, values = kept[~out], values[:, ~out]

    leave("note_missing_column", np.isnan(values).mean(axis=0) > _MOST_MISSING)
    if not len(kept):
        raise DataError(
            f"Every column misses more than {_MOST_MISSING:.0%} of its values.",
            remedy="Pass columns that are observed.",
        )
    leave("note_constant", _constant(table, kept))
    values = _scores(values)
    leave("note_copy", _copies(values))
    leave("note_counter", np.all(np.diff(values, axis=0) > 0, axis=0))
    leave("note_still", _stands_still(values))
    return kept, values, aside


def _constant(table: Table, kept: IntArray) -> BoolArray:
    """Which of the kept columns are constant where they are observed."""
    values = table.values[:, kept]
    if np.isnan(values).any():
        values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    names = tuple(table.names[j] for j in kept)
    kinds = tuple(table.kinds[j] for j in kept)
    part = Table(values, np.ones(values.shape, dtype=bool), names, kinds, labels=table.labels)
    found = [
        a.name
        for a in fit_standardizer(part, gaussianize=False).set_aside
        if a.reason == "constant"
    ]
    return np.isin(names, found)


def _copies(scores: FloatArray) -> BoolArray:
    """Columns whose order is that of one before them, or its reverse, where both are observed."""
    n, d = scores.shape
    seen = (~np.isnan(scores)).astype(np.float64)
    filled = np.nan_to_num(scores)
    copy = np.zeros(d, dtype=bool)
    for begin in range(0, d, _CHUNK):
        span = slice(begin, begin + _CHUNK)
        r = np.abs(filled[:, span].T @ filled) / np.maximum(seen[:, span].T @ seen, 1)
        for k, i in zip(*np.nonzero(r > _NEARLY), strict=True):
            j = begin + k
            if i < j and not copy[i] and not copy[j]:
                both = (seen[:, i] * seen[:, j]) > 0
                a, b = (rankdata(scores[both, column]) for column in (i, j))
                same = np.array_equal(a, b) or np.array_equal(a, both.sum() + 1 - b)
                copy[j] = same and both.sum() >= n / 4
    return copy


def _scores(values: FloatArray) -> FloatArray:
    """Normal scores of what was observed; ties share their mean rank."""
    scores = np.full(values.shape, np.nan)
    for j in range(values.shape[1]):
        seen = ~np.isnan(values[:, j])
        h = ndtri((rankdata(values[seen, j]) - 0.5) / seen.sum())
        scores[seen, j] = (h - h.mean()) / max(h.std(), 1e-12)
    return scores


def _stands_still(scores: FloatArray) -> BoolArray:
    """Columns that hardly move in a fifth of the rows at a stretch [n_columns]."""
    n = len(scores)
    edges = np.linspace(0, n, _PARTS + 1).astype(int)
    width = round(_STILL * _PARTS)
    still = np.zeros(scores.shape[1], dtype=bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # parts without any value
        for first in range(_PARTS - width + 1):
            part = scores[edges[first] : edges[first + width]]
            enough = (~np.isnan(part)).sum(axis=0) >= _FEW
            still |= enough & ~(np.nanstd(part, axis=0) > _LEAST_SPREAD)
    return still


def _filled(scores: FloatArray, seed: int) -> FloatArray:
    """Gaps filled by draws given the most correlated columns."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    n_nearest = _NEAREST if scores.shape[1] > _NEAREST + 1 else None
    imputer = IterativeImputer(
        max_iter=3, sample_posterior=True, n_nearest_features=n_nearest, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(imputer.fit_transform(scores))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")


def _names(names: tuple[str, ...], which: IntArray) -> list[str]:
    return [names[j] for j in which]


def _why(aside: Mapping[str, list[str]]) -> str:
    reasons = {
        "note_missing_column": "mostly missing",
        "note_constant": "constant",
        "note_copy": "copies of another",
        "note_explained": "explained by what is given",
        "note_counter": "counting rows",
        "note_still": "standing still in a fifth of the rows",
    }
    told = [f"{len(names)} {reasons[key]}" for key, names in aside.items() if names]
    return f"Set aside: {', '.join(told)}." if told else ""
