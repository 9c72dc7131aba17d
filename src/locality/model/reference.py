"""The reference of a fitted model: how normal rows look, as plain numbers.

What it is measured from and how rows are judged by it is in `locality.inference.judging`; here are
the arrays alone, which a model carries and a store keeps.
"""

from dataclasses import dataclass, fields

import numpy as np

from locality._typing import FloatArray

__all__ = ["Reference"]


@dataclass(frozen=True, eq=False)
class Reference:
    """How normal rows look: all that a decision needs of them.

    Parameters
    ----------
    mean, deviation : float arrays [n_bands, n_components]
        Of nats.
    spread : float array [n_memories, n_bands, n_components]
        Deviation of accumulated nats.
    center, scale : float arrays [n_channels]
        Of the channels: first those of many sensors, memory by memory and band by band, then those
        of few.
    statistic : float array [n_rows]
        Of the normal rows, ascending.
    sensor : float array [n_kept, n_components]
        Highest accumulated nats of each sensor, ascending; at most 400 evenly spaced ranks.
    residual : float array [n_components]
        Spread of standardized residuals: their 90 % quantile, as a multiple of that of the normal
        law. Rare large ones do not enter.
    """

    mean: FloatArray
    deviation: FloatArray
    spread: FloatArray
    center: FloatArray
    scale: FloatArray
    statistic: FloatArray
    sensor: FloatArray
    residual: FloatArray

    @property
    def n_rows(self) -> int:
        """Normal rows behind it."""
        return len(self.statistic)

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
