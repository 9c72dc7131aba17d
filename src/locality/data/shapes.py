r"""Shapes: smooth monotone maps that make the continuous part of a column more Gaussian.

=========  =====================================  ==========================================
name       :math:`T(x)`                           for
=========  =====================================  ==========================================
identity   :math:`x`                              most sensors
log        :math:`\log(x - l)`                    positive, long to the right
logit      :math:`\log(x - l) - \log(h - x)`      between two bounds
asinh      :math:`\mathrm{asinh}((x - m)/c)`      heavy tails on both sides
=========  =====================================  ==========================================
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from locality._typing import FloatArray

__all__ = ["Shape", "ShapeName"]

ShapeName: TypeAlias = Literal["identity", "log", "logit", "asinh"]

_EDGE = 1e-9  # of a bound's width: values on or beyond a bound count as this far inside


@dataclass(frozen=True)
class Shape:
    """A monotone map with its two parameters.

    Attributes
    ----------
    name : "identity", "log", "logit" or "asinh"
    a, b : float
        Lower bound l (log); bounds l and h (logit); middle m and width c (asinh).

    Examples
    --------
    >>> shape = Shape("log", 0.0, 1.0)
    >>> x = np.array([0.5, 1.0, 8.0])
    >>> np.allclose(shape.inverse(shape(x)), x), np.allclose(shape.log_slope(x), -np.log(x))
    (True, True)
    """

    name: ShapeName = "identity"
    a: float = 0.0
    b: float = 1.0

    def __call__(self, x: FloatArray) -> FloatArray:
        """T(x); values beyond a bound are taken as just inside it."""
        return np.asarray(_FORWARD[self.name](self._inside(x), self.a, self.b))

    def inverse(self, t: FloatArray) -> FloatArray:
        """The x with T(x) = t."""
        return np.asarray(_INVERSE[self.name](t, self.a, self.b))

    def log_slope(self, x: FloatArray) -> FloatArray:
        """log dT/dx."""
        return np.asarray(_LOG_SLOPE[self.name](self._inside(x), self.a, self.b))

    def _inside(self, x: FloatArray) -> FloatArray:
        edge = _EDGE * max(abs(self.b - self.a), abs(self.a), 1e-30)
        if self.name == "log":
            return np.maximum(x, self.a + edge)
        if self.name == "logit":
            return np.clip(x, self.a + edge, self.b - edge)
        return x


_Map: TypeAlias = Callable[[FloatArray, float, float], FloatArray]

_FORWARD: dict[str, _Map] = {
    "identity": lambda x, _a, _b: x,
    "log": lambda x, a, _b: np.log(x - a),
    "logit": lambda x, a, b: np.log(x - a) - np.log(b - x),
    "asinh": lambda x, a, b: np.arcsinh((x - a) / b),
}
_INVERSE: dict[str, _Map] = {
    "identity": lambda t, _a, _b: t,
    "log": lambda t, a, _b: a + np.exp(np.minimum(t, 69.0)),
    "logit": lambda t, a, b: a + (b - a) * 0.5 * (1.0 + np.tanh(0.5 * t)),
    "asinh": lambda t, a, b: a + b * np.sinh(np.clip(t, -69.0, 69.0)),
}
_LOG_SLOPE: dict[str, _Map] = {
    "identity": lambda x, _a, _b: np.zeros_like(x),
    "log": lambda x, a, _b: -np.log(x - a),
    "logit": lambda x, a, b: np.log(b - a) - np.log(x - a) - np.log(b - x),
    "asinh": lambda x, a, b: -np.log(b) - 0.5 * np.log1p(((x - a) / b) ** 2),
}
