"""The two errors of a local model, separated by their dependence on the number of rows.

At a fixed radius r, held-out nats from n rows fall to a limit as 1/n (one half per parameter that
must be learned),

    nats_r(n) = limit_r + slope_r / n .

The **statistical error** at n rows is slope_r/n; the **localization error** is limit_r − min limit.
The first grows with r, the second falls, about as exp(−r/ξ) (Gottwald et al., arXiv 2505.04417):
both are estimated as monotone functions of r from fits to all rows, halves and quarters.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import isotonic_regression

from locality._typing import FloatArray, IntArray
from locality.analysis.check.findings import RadiusFinding
from locality.analysis.check.trials import Trial

__all__ = ["ErrorCurves", "LimitCurve"]

_SMALL = 0.01


@dataclass(frozen=True)
class LimitCurve:
    """nats(n) = limit + slope/n of one kind of model.

    Parameters
    ----------
    limit, slope : float
    """

    limit: float
    slope: float

    @classmethod
    def fit(cls, n_rows: FloatArray, nats: FloatArray) -> "LimitCurve":
        """Least squares over 1/n, points weighted by their rows; slope at least 0."""
        inverse, weight = 1.0 / n_rows, np.asarray(n_rows, dtype=np.float64)
        center, middle = np.average(inverse, weights=weight), np.average(nats, weights=weight)
        spread = np.average((inverse - center) ** 2, weights=weight)
        slope = 0.0
        if spread > 0:
            slope = float(np.average((inverse - center) * (nats - middle), weights=weight) / spread)
        slope = max(slope, 0.0)
        return cls(float(middle - slope * center), slope)

    def rows_for(self, nats: float) -> int | None:
        """Rows at which these nats are reached; None if they never are."""
        if nats <= self.limit:
            return None
        return int(np.ceil(self.slope / (nats - self.limit)))


@dataclass(frozen=True, eq=False)
class ErrorCurves:
    """Both errors over the radius, in nats of a row.

    Parameters
    ----------
    n_rows : int
    radii : int array [n_radii]
    limit, slope : float arrays [n_radii]
    spread : float array [n_radii]
        Standard error of the difference to the best radius, NaN if unknown.
    n_sizes : int
        Numbers of rows that were tried.
    """

    n_rows: int
    radii: IntArray
    limit: FloatArray
    slope: FloatArray
    spread: FloatArray
    n_sizes: int

    @classmethod
    def of(cls, points: list[Trial]) -> "ErrorCurves":
        """From fits to parts of the rows; radii that small parts cannot support are left out."""
        n_radii = min(len(point.radii) for point in points)
        whole = max(points, key=lambda point: point.n_rows)
        n = np.array([point.n_rows for point in points], dtype=np.float64)
        nats = np.stack([point.by_radius[:n_radii] for point in points])
        fits = [LimitCurve.fit(n, nats[:, r]) for r in range(n_radii)]
        slope = np.array(isotonic_regression([fit.slope for fit in fits]))
        limit = nats[int(n.argmax())] - slope / n.max()
        limit = np.array(isotonic_regression(limit, increasing=False))
        best = int((limit + slope / n.max()).argmin())
        excess = nats - nats[:, best : best + 1]
        halves = excess[n == np.sort(np.unique(n))[-2]] if len(np.unique(n)) > 1 else excess
        spread = np.full(n_radii, np.nan)  # unknown from a single part
        if len(halves) > 1:
            spread = halves.std(axis=0, ddof=1) / np.sqrt(len(halves))
        return cls(whole.n_rows, whole.radii[:n_radii], limit, slope, spread, len(np.unique(n)))

    @property
    def statistical(self) -> FloatArray:
        """Nats lost by too few rows [n_radii]."""
        return self.slope / self.n_rows

    @property
    def localization(self) -> FloatArray:
        """Nats lost by dependence cut off [n_radii]."""
        return np.asarray(self.limit - self.limit.min())

    def findings(self) -> tuple[RadiusFinding, ...]:
        """One for each radius."""
        errors = self.spread, self.localization, self.statistical
        columns = (self.radii, self.limit + self.statistical, *errors)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return tuple(RadiusFinding(*row) for row in rows)

    def best_radius(self, n_rows: float | None = None) -> int:
        """Smallest radius that gives up less than a hundredth of what neighborhoods save.

        Parameters
        ----------
        n_rows : float, optional
            To learn from; those there are by default.
        """
        total = self.limit + self.slope / (n_rows or self.n_rows)
        excess = total - total.min()
        return int(self.radii[int((excess <= _SMALL * excess[0]).argmax())])

    @property
    def decay_length(self) -> float | None:
        """ξ of a localization error that falls as exp(−r/ξ); None if it hardly falls."""
        falling = self.localization > 0.01 * max(self.localization.max(), 1e-12)
        if falling.sum() < 2 or self.localization.max() < 0.01:
            return None
        x, y = self.radii[falling], np.log(self.localization[falling])
        slope = float(np.polyfit(x, y, 1)[0])
        return -1.0 / slope if slope < 0 else None
