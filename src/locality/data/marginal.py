r"""The law of a single column, and the map that makes it Gaussian.

A column may take some values again and again (a valve that is shut, a count, a state): *atoms*,
each with a mass :math:`p_a`. The rest is continuous, of mass :math:`p_c`, and normal after a shape
:math:`T`. With the distribution function

.. math:: F(x) = \sum_{a \le x} p_a + p_c\, \Phi\Bigl(\frac{T(x) - m}{s}\Bigr)

the column becomes :math:`y = \Phi^{-1}(F(x))`, standard normal. An atom is an interval of y:
fitting spreads its rows over the interval (randomized quantiles: Rüschendorf, 2009; in generative
models, dequantization: Theis et al., arXiv 1511.01844), scoring takes its middle, and a sample that
falls into it becomes the atom again. Densities are of the continuous part, probabilities of atoms:

.. math:: \log \frac{dy}{dx} = \log p_c + \log \varphi(t) + \log \frac{T'(x)}{s} - \log \varphi(y),
          \qquad \log p_a - \log \varphi(y) \text{ at an atom} .

Without atoms y = T(x): standardizing does the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.data.shapes import Shape

__all__ = ["Marginal"]

_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class Marginal:
    """Law of a column.

    Attributes
    ----------
    shape : Shape
        Of the continuous part.
    center, spread : float
        Mean m and standard deviation s of T(x) in the continuous part.
    atoms : float64 array [n_atoms]
        Increasing.
    masses : float64 array [n_atoms]
        Their probabilities, less than 1 in all.
    low, high : float
        Samples stay within.

    Examples
    --------
    A gauge that reads zero in 40 % of all rows:

    >>> law = Marginal(Shape("log"), 0.0, 1.0, np.array([0.0]), np.array([0.4]), low=0.0)
    >>> y = law.forward(np.array([0.0, 1.0, 5.0]))
    >>> np.round(y, 2)
    array([-0.84,  0.52,  1.85])
    >>> np.round(law.inverse(y), 6)
    array([0., 1., 5.])
    """

    shape: Shape = field(default_factory=Shape)
    center: float = 0.0
    spread: float = 1.0
    atoms: FloatArray = field(default_factory=lambda: np.zeros(0))
    masses: FloatArray = field(default_factory=lambda: np.zeros(0))
    low: float = -np.inf
    high: float = np.inf

    @property
    def rest(self) -> float:
        """Mass of the continuous part."""
        return 1.0 - float(self.masses.sum())

    def forward(self, x: FloatArray, place: FloatArray | float = 0.5) -> FloatArray:
        """Gaussian values of a column.

        Parameters
        ----------
        x : float array [n_rows]
            NaN stays NaN.
        place : float or float array [n_rows]
            Where in the interval of an atom, from 0 to 1.
        """
        if not len(self.atoms):
            return self.shape(x)
        from scipy.special import log_ndtr, ndtri_exp

        gaps = np.isnan(x)
        x = np.where(gaps, self.atoms[0], x)
        below, at, above = self._masses_around(x)
        t = (self.shape(x) - self.center) / self.spread
        log_rest = np.log(self.rest)
        lower = np.logaddexp(_log(below + place * at), log_rest + log_ndtr(t))
        upper = np.logaddexp(_log(above + (1.0 - place) * at), log_rest + log_ndtr(-t))
        y = np.where(lower <= upper, ndtri_exp(lower), -ndtri_exp(np.minimum(upper, 0.0)))
        return np.where(gaps, np.nan, y)

    def inverse(self, y: FloatArray) -> FloatArray:
        """The column of Gaussian values; within ``low`` and ``high``."""
        if not len(self.atoms):
            return np.clip(self.shape.inverse(y), self.low, self.high)
        from scipy.special import log_ndtr, ndtri_exp

        edges = np.stack([self.forward(self.atoms, 0.0), self.forward(self.atoms, 1.0)], axis=1)
        at = np.searchsorted(edges.ravel(), np.where(np.isnan(y), 0.0, y))
        gap = at // 2  # atoms below
        sums = np.concatenate([[0.0], np.cumsum(self.masses)])
        below, above = sums[gap], np.maximum(sums[-1] - sums[gap], 0.0)
        log_rest = np.log(self.rest)
        lower = _log_difference(log_ndtr(y), _log(below)) - log_rest
        upper = _log_difference(log_ndtr(-y), _log(above)) - log_rest
        t = np.where(lower <= upper, ndtri_exp(np.minimum(lower, 0.0)),
                     -ndtri_exp(np.minimum(upper, 0.0)))  # fmt: skip
        walls = np.concatenate([[-np.inf], self.atoms, [np.inf]])
        x = self.shape.inverse(self.center + self.spread * t)
        x = np.clip(x, walls[gap], walls[gap + 1])
        inside = at % 2 == 1
        x = np.where(inside, self.atoms[np.minimum(gap, len(self.atoms) - 1)], x)
        return np.where(np.isnan(y), np.nan, np.clip(x, self.low, self.high))

    def log_slope(self, x: FloatArray) -> FloatArray:
        """log dy/dx, of probabilities at atoms (their middle) [n_rows]."""
        return self.log_slope_at(x, self.forward(x))

    def log_slope_at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """The same where y says how atoms were spread."""
        if not len(self.atoms):
            return self.shape.log_slope(x)
        _, at, _ = self._masses_around(x)
        t = (self.shape(x) - self.center) / self.spread
        rest = np.log(self.rest / self.spread) - 0.5 * t**2 + self.shape.log_slope(x)
        return np.where(at > 0, _log(at) + 0.5 * _LOG_2PI, rest) + 0.5 * y**2

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `from_dict` restores it to the bit."""
        return {
            "shape": [self.shape.name, self.shape.a, self.shape.b],
            "center": self.center,
            "spread": self.spread,
            "atoms": self.atoms.tolist(),
            "masses": self.masses.tolist(),
            "low": None if np.isinf(self.low) else self.low,
            "high": None if np.isinf(self.high) else self.high,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Marginal":
        """Restore what `to_dict` returned."""
        name, a, b = state["shape"]
        if name not in ("identity", "log", "logit", "asinh"):
            raise ValueError(f"unknown shape {name!r}")
        low, high = state["low"], state["high"]
        atoms, masses = np.array(state["atoms"], float), np.array(state["masses"], float)
        numbers = [a, b, state["center"], state["spread"], *atoms, *masses]
        if (
            not np.isfinite(numbers).all()
            or not state["spread"] > 0
            or atoms.shape != masses.shape
            or (np.diff(atoms) <= 0).any()
            or (masses <= 0).any()
            or (len(masses) and masses.sum() >= 1.0)
        ):
            raise ValueError("a column's law contradicts itself")
        return cls(
            Shape(name, float(a), float(b)), float(state["center"]), float(state["spread"]),
            atoms, masses, -np.inf if low is None else float(low),
            np.inf if high is None else float(high),
        )  # fmt: skip

    def _masses_around(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mass of the atoms below each value, at it, and above it."""
        first = np.searchsorted(self.atoms, x, side="left")
        after = np.searchsorted(self.atoms, x, side="right")
        sums = np.concatenate([[0.0], np.cumsum(self.masses)])
        return sums[first], sums[after] - sums[first], np.maximum(sums[-1] - sums[after], 0.0)


def _log(mass: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(mass, 0.0))


def _log_difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """log(exp(a) − exp(b)), −inf where there is nothing left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = a + np.log1p(-np.exp(np.minimum(b - a, 0.0)))
    return np.where(np.isnan(rest), -np.inf, rest)
