"""The subject of a check: a table turned into normal scores, without what cannot be judged.

Dependence does not change when a column is put into other units, or bent by any increasing
function. So every column is replaced by its normal scores Φ⁻¹(rank/n), and what a check says in
nats is about dependence alone: a column by itself always has ½ log 2πe = 1.419 nats, and heavy
tails or skewed columns do not drown the rest.

Set aside are constant columns, exact copies, columns that stand still in a fifth of the rows or
more at a stretch (a model of the other rows could not judge them), and columns of which half is
missing. Remaining gaps are filled by draws from regressions on the columns most correlated
(scikit-learn's ``IterativeImputer``); the graph never sees them, it is learned from what was
observed.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from locality._typing import BoolArray, FloatArray, IntArray
from locality.analysis.context import Context
from locality.analysis.findings import Statement
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.exceptions import DataError

__all__ = ["Subject"]

MIN_ROWS = 40
_MOST_MISSING = 0.5
_STILL = 0.2  # of all rows; a column that does not move in as many is set aside
_LEAST_SPREAD = 0.05  # of a part of the rows, that of all rows being 1
_PARTS = 20
_NEAREST = 8  # columns that a gap is filled from
_LISTED = 5


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
        given: Sequence[str] = (),
        cycles: Sequence[str] = (),
    ) -> "Subject":
        """Prepare a table.

        Parameters
        ----------
        table : Table
        given : sequence of str
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
        aside: dict[str, list[str]] = {}
        missing = (~table.observed).mean(axis=0)
        context = Context.of(table, given, cycles)
        free = ~np.isin(table.names, list(given))
        kept = np.flatnonzero(free & (missing <= _MOST_MISSING))
        gone = np.flatnonzero(free & (missing > _MOST_MISSING))
        aside["note_missing_column"] = _names(table.names, gone)
        if not len(kept):
            raise DataError(
                f"Every column misses more than {_MOST_MISSING:.0%} of its values.",
                remedy="Pass columns that are observed.",
            )
        values = table.values[:, kept]
        copies = _set_aside(table, kept, aside)
        kept, values = kept[~copies], values[:, ~copies]
        scores = _scores(values)
        still = _stands_still(scores)
        aside["note_still"] = _names(table.names, kept[still])
        kept, scores = kept[~still], scores[:, ~still]
        if len(kept) < 2:
            raise DataError(
                f"{len(kept)} of {table.n_columns} columns can be judged; a check needs at least 2."
                f" {_why(aside)}",
                remedy="Pass columns that vary and are observed.",
            )
        told: list[Statement] = []
        if context is not None:
            before = np.nanmean(scores**2)
            left = context.removed(scores)
            share = 100.0 * (1.0 - float(np.nanmean(left**2) / before))
            known = ", ".join([*given, *cycles])
            told.append(Statement("note_context", {"names": known, "share": share}))
            scores = _scores(left)
        notes = told + [
            Statement(key, {"count": len(names), "names": ", ".join(names[:_LISTED])})
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


def _set_aside(table: Table, kept: IntArray, aside: dict[str, list[str]]) -> BoolArray:
    """Which of the kept columns are constant or copies; they are told apart on complete rows."""
    values = table.values[:, kept]
    if np.isnan(values).any():
        values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    names = tuple(table.names[j] for j in kept)
    kinds = tuple(table.kinds[j] for j in kept)
    part = Table(values, np.ones(values.shape, dtype=bool), names, kinds)
    standardizer = Standardizer.fit(part)
    for reason, key in (("constant", "note_constant"), ("copy", "note_copy")):
        aside[key] = [a.name for a in standardizer.set_aside if a.reason == reason]
    gone = np.ones(len(kept), dtype=bool)
    gone[standardizer.modeled] = False
    return gone


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
            still |= ~(np.nanstd(part, axis=0) > _LEAST_SPREAD)
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


def _names(names: tuple[str, ...], which: IntArray) -> list[str]:
    return [names[j] for j in which]


def _why(aside: Mapping[str, list[str]]) -> str:
    reasons = {
        "note_missing_column": "mostly missing",
        "note_constant": "constant",
        "note_copy": "copies of another",
        "note_still": "standing still in a fifth of the rows",
    }
    told = [f"{len(names)} {reasons[key]}" for key, names in aside.items() if names]
    return f"Set aside: {', '.join(told)}." if told else ""
