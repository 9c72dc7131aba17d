"""The reference of a fitted model: what its alarms are measured against, as plain numbers.

What it is measured from and how rows are judged by it is in `locality.inference.judging`; here are
the arrays alone, which a model carries and a store keeps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from locality._typing import FloatArray

__all__ = ["Reference"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Reference:
    """How normal rows look: all that a decision needs of them.

    Parameters
    ----------
    spread : float array [n_components]
        Of innovations: their 90 % quantile, as a multiple of that of the normal law. Rare large
        ones do not enter.
    mean : float array [n_components]
        Of the nats of each sensor, by innovations.
    surprise, surprise_deviation : float arrays [n_components]
        Mean and deviation of the nats of what is left of each sensor given its neighborhood.
    total_deviation : float
        Of the nats of a row.
    residual : float array [n_components]
        Spread of what is left of each sensor given its neighborhood, in the same way.
    channels : float array [n_channels, n_kept + 3]
        Of each channel evenly spaced ranks, ascending up to its tail, and the tail itself.
    statistic : float array [1, n_kept + 3]
        The same of the statistic.
    sensors : float array [n_components, n_kept + 3]
        The same of what is left of each sensor.
    evidence : float array [n_scores, n_sizes, 2]
        What evidence for a change may grow by, of each sensor and of all together.
    n_rows : int
        Normal rows behind it.
    law : mapping of arrays
        The law of a row given its past.
    """

    spread: FloatArray
    mean: FloatArray
    surprise: FloatArray
    surprise_deviation: FloatArray
    total_deviation: float
    residual: FloatArray
    channels: FloatArray
    statistic: FloatArray
    sensors: FloatArray
    evidence: FloatArray
    n_rows: int
    law: Mapping[str, np.ndarray]
    _derived: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def derived(self, make: Callable[["Reference"], T]) -> T:
        """What follows from the numbers, made when first asked for and kept with them."""
        if make not in self._derived:
            self._derived[make] = make(self)
        found: T = self._derived[make]
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name."""
        own = {name: getattr(self, name) for name in _OWN}
        own["total_deviation"] = np.array([self.total_deviation])
        own["n_rows"] = np.array([self.n_rows])
        return own | {_LAW + name: array for name, array in self.law.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Reference | None":
        """The reference of ``arrays``; None if they were written by a version that judged rows in
        another way.
        """
        law = {k.removeprefix(_LAW): v for k, v in arrays.items() if k.startswith(_LAW)}
        if not law:
            return None
        own = {name: arrays[name] for name in _OWN}
        deviation = float(arrays["total_deviation"][0])
        return cls(total_deviation=deviation, n_rows=int(arrays["n_rows"][0]), law=law, **own)


_LAW = "law."
_NO_ARRAYS = ("total_deviation", "n_rows", "law", "_derived")
_OWN = tuple(item.name for item in fields(Reference) if item.name not in _NO_ARRAYS)
