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
from locality.analysis.check.errors import LimitCurve
from locality.analysis.check.findings import LearningPoint, RowsNeeded
from locality.analysis.check.rivals import Setting, independent, lagged, shrunk
from locality.analysis.check.trials import Trial, Trials
from locality.analysis.check.verdict import difference_error
from locality.analysis.pages.words import Statement
from locality.data.folds import fold_of_row

__all__ = ["LearningCurves"]

_MODELS: Final[tuple[Literal["independent", "global"], ...]] = ("independent", "global")
_EVERY: Final = (*_MODELS, "local")
_LITTLE = 0.5  # nats of a row below which there is hardly anything to learn
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
        cls, z: FloatArray, trials: Trials, fitted: list[Trial], setting: Setting
    ) -> "LearningCurves":
        """From the parts that local models were fitted to; rivals are judged on the same folds.

        Parameters
        ----------
        z : float array [n_rows, n_columns]
        trials : Trials
        fitted : list of Trial
            One for each of its parts.
        setting : (int, float)
            How the global Gaussian of all rows is shrunk.
        """
        d, lags = z.shape[1], trials.lags
        points: list[LearningPoint] = []
        for rows, fit in zip(trials.parts, fitted, strict=True):
            present = lagged(z[rows], lags)
            folds = fold_of_row(len(rows))[lags:]
            whole, _ = shrunk(present, d, folds, setting if d > _WIDE else None)
            for model, rival in zip(_MODELS, (independent(present, d, folds), whole), strict=True):
                error = difference_error(rival.nats)
                nats = float(rival.nats.mean())
                points.append(LearningPoint(fit.n_rows, model, nats, error, 0.0))
            local = float(fit.held_out.sum())
            radius = float(fit.band_radius.mean())
            points.append(LearningPoint(fit.n_rows, "local", local, float("nan"), radius))
        return cls(_averaged(points), len(z))

    def rows_needed(self) -> tuple[RowsNeeded, ...]:
        """Rows that several qualities ask for; None where more than a hundredfold is.

        Nothing where fewer rows did as well: then rows differ more over time than with number.
        """
        curves = {}
        for model in _EVERY:
            mine = [point for point in self.points if point.model == model]
            n = np.array([point.n_rows for point in mine], dtype=np.float64)
            curves[model] = LimitCurve.fit(n, np.array([point.nats for point in mine]))
        alone = curves["independent"].limit
        tested = sorted({point.n_rows for point in self.points})
        if len(tested) < 2 or curves["local"].slope == 0.0:
            return ()
        known = alone - min(curves["local"].limit, curves["global"].limit)
        if known <= 0:
            return ()

        def rows(model: str, quality: float) -> int | None:
            found = curves[model].rows_for(alone - quality * known)
            if found is None or found > _MOST_ROWS * self.n_rows:
                return None
            return max(found, _FEWEST_ROWS)

        return tuple(RowsNeeded(q, rows("local", q), rows("global", q)) for q in _QUALITIES)

    def remarks(self) -> tuple[Statement, ...]:
        """What to know about the curves."""
        nats = {model: [p.nats for p in self.points if p.model == model] for model in _EVERY}
        known = max(nats["independent"][0] - nats["local"][0], 0.0)
        if len(nats["local"]) > 1 and known > _LITTLE and not self.rows_needed():
            return (Statement("note_moves"),)
        return ()


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
