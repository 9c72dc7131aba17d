"""Learning curves: held-out nats against the number of rows, with and without locality.

Each kind of model (every column alone, local, one Gaussian of everything) is fitted to all rows, to
halves and to quarters. Its nats follow limit + slope/n, one half per parameter that must be
learned, so the curve says how many rows a quality q asks for: the smallest n at which

    independent − nats(n) ≥ q · (independent − best limit) .
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from locality._typing import FloatArray
from locality.analysis.errors import LimitCurve
from locality.analysis.findings import LearningPoint, RowsNeeded
from locality.analysis.rivals import Rival, Setting, independent, lagged, shrunk
from locality.analysis.trials import Fitted, Trials, contiguous_folds
from locality.analysis.verdict import difference_error

__all__ = ["LearningCurves"]

_MODELS: Final[tuple[Literal["independent", "global"], ...]] = ("independent", "global")
_WIDE = 300  # columns from which smaller parts are shrunk like the whole
_QUALITIES = (0.8, 0.9, 0.95, 0.99)
_FEWEST_ROWS = 20
_MOST_ROWS = 100  # times those there are; beyond, a prediction would be a guess


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Points of all kinds of models.

    Parameters
    ----------
    points : tuple of LearningPoint
    n_rows : int
        Of the table.
    """

    points: tuple[LearningPoint, ...]
    n_rows: int

    @classmethod
    def of(
        cls,
        z: FloatArray,
        lags: int,
        trials: Trials,
        fitted: list[Fitted],
        whole: dict[str, Rival],
        setting: Setting,
    ) -> "LearningCurves":
        """From the parts that local models were fitted to, and the rivals on all rows."""
        d = z.shape[1]
        points: list[LearningPoint] = []
        for rows, fit in zip(trials.parts, fitted, strict=True):
            rivals = (whole["independent"], whole["global"])
            if len(rows) < len(z):
                present = lagged(z[rows], lags)
                folds = contiguous_folds(len(present), trials.n_folds)
                alone = independent(present, d, folds)
                rivals = (alone, shrunk(present, d, folds, setting if d > _WIDE else None)[0])
            for model, rival in zip(_MODELS, rivals, strict=False):
                error = difference_error(rival.nats)
                nats = float(rival.nats.mean())
                points.append(LearningPoint(fit.n_rows, model, nats, error, 0.0))
            local = float(fit.held_out.sum())
            radius = float(fit.band_radius.mean())
            points.append(LearningPoint(fit.n_rows, "local", local, float("nan"), radius))
        return cls(_averaged(points), len(z))

    def rows_needed(self) -> tuple[RowsNeeded, ...]:
        """Rows that several qualities ask for; None where more than a hundredfold is."""
        curves = {}
        for model in (*_MODELS, "local"):
            mine = [point for point in self.points if point.model == model]
            n = np.array([point.n_rows for point in mine], dtype=np.float64)
            curves[model] = LimitCurve.fit(n, np.array([point.nats for point in mine]))
        alone = curves["independent"].limit
        known = alone - min(curves["local"].limit, curves["global"].limit)
        if known <= 0:
            return ()

        def rows(model: str, quality: float) -> int | None:
            found = curves[model].rows_for(alone - quality * known)
            return (
                None
                if found is None or found > _MOST_ROWS * self.n_rows
                else max(found, _FEWEST_ROWS)
            )

        return tuple(RowsNeeded(q, rows("local", q), rows("global", q)) for q in _QUALITIES)


def _averaged(points: list[LearningPoint]) -> tuple[LearningPoint, ...]:
    """One point per model and number of rows; errors from the parts where there are several."""
    found = []
    for key in dict.fromkeys((point.n_rows, point.model) for point in points):
        same = [point for point in points if (point.n_rows, point.model) == key]
        nats = np.array([point.nats for point in same])
        error = same[0].error
        if len(same) > 1:
            error = float(nats.std(ddof=1) / np.sqrt(len(same)))
        radius = float(np.mean([point.radius for point in same]))
        found.append(LearningPoint(*key, float(nats.mean()), error, radius))
    return tuple(found)
