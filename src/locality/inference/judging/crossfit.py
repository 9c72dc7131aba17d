"""Held-out rows of a fit: each third of the table is judged by the law of the other two.

What networks gain on top is taken from the model itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from locality._typing import BoolArray, FloatArray
from locality.inference.judging.networks import network_gain
from locality.inference.judging.reference import measured
from locality.inference.laws.conditional import ConditionalLaw
from locality.inference.laws.learning import LawMoments
from locality.inference.laws.window import Window
from locality.model.model import Model
from locality.model.reference import Reference

__all__ = ["PARTS", "CrossFit"]

PARTS = 3
"""Of the table, each judged by the law of the others."""

_MOST_JUDGED, _LEAST_JUDGED = 5_000, 200  # rows of a part
_MOST_VALUES = 2_000_000  # judged of a part
_MOST_LEARNED = 1 << 26  # values a law is learned from


@dataclass(frozen=True, eq=False)
class CrossFit:
    """The reference of the rows that a model was fitted to; worked out when it is first asked for.

    Parameters
    ----------
    rows : float array [n_rows, n_nodes]
        As learned from: standardized and complete.
    values : float array [n_rows, n_columns]
        The table; NaN where missing.
    skipped : bool array [n_rows], optional
        Rows that are the past of others, but are not counted themselves.
    """

    rows: FloatArray
    values: FloatArray
    skipped: BoolArray | None = None

    def __call__(self, model: Model) -> Reference | None:
        """How normal rows look to the model; None if there are too few."""
        start = perf_counter()
        layout, (n_rows, n_nodes) = model.layout, self.rows.shape
        if not layout.has_row_law or n_rows < 10 * PARTS * (layout.n_lags + 1):
            return None
        part = np.arange(n_rows) * PARTS // n_rows
        kept = self._kept(part, max(_MOST_LEARNED // n_nodes, PARTS * _LEAST_JUDGED))
        part, standardizer = part[kept], model.standardizer
        known = standardizer.known(self.values[kept])
        known = standardizer.measured(known, model.settings.seed)
        rows = standardizer.standardize(known).T
        values = np.asarray(known[:, standardizer.modeled], dtype=np.float64)
        missing = np.isnan(values)
        if missing.any():
            filled = np.asarray(self.rows[kept], dtype=np.float64)
            rows = np.where(missing.T, filled.T, rows)
            named = standardizer.values_of(filled, standardizer.modeled_names)
            values = np.where(missing, named, values)
        center, unit = values.mean(axis=0), values.std(axis=0)
        unit = np.where(unit > 0.0, unit, 1.0)
        plain = ((values - center) / unit).T
        skipped = np.zeros(len(part), dtype=bool) if self.skipped is None else self.skipped[kept]
        moments = LawMoments.of(model.field, plain, part, skipped=skipped)
        usual = LawMoments.of(model.field, rows, part, local=True, skipped=skipped)
        most = min(_MOST_JUDGED, max(_LEAST_JUDGED, _MOST_VALUES // n_nodes))
        found, left, places = [], [], []
        for k in range(PARTS):
            inside = np.flatnonzero(part == k)[:most]
            law = moments.law(center, unit, without=k)
            seen = np.where(missing[inside], np.nan, plain[:, inside].T)
            counted = ~skipped[inside]
            found.append(Window.empty(law).take(law, seen)[0][counted])
            conditional = usual.conditionals(without=k)
            left.append(_left(conditional, rows[:, inside], missing[inside])[counted])
            places.append(inside[counted])
        gain = network_gain(model, rows)
        found_reference = measured(
            moments.law(center, unit),
            np.concatenate(found),
            np.concatenate(left),
            None if gain is None else gain[np.concatenate(places)],
            ordered=model.is_ordered,
        )
        model.seconds["reference"] = perf_counter() - start
        return found_reference

    def _kept(self, part: np.ndarray, most: int) -> np.ndarray:
        """The first rows of every part, if they are very many."""
        n = most // PARTS
        return np.concatenate([np.flatnonzero(part == k)[:n] for k in range(PARTS)])


def _left(laws: Sequence[ConditionalLaw], rows: FloatArray, missing: BoolArray) -> FloatArray:
    """Residuals given neighborhoods [n_rows, n_targets], in standard deviations."""
    law = laws[-1]
    residual = (rows[law.targets] - law.expected(rows)) / law.scale[:, None]
    residual[:, : len(laws) - 1] = np.nan
    return np.asarray(np.where(missing[:, law.targets], np.nan, residual.T))
