"""Noise levels: the only place that knows sigma.

A noisy copy of x is y = x + σε with ε ~ N(0, I) (Karras et al., 2022, arXiv 2206.00364, with
scaling s(t) = 1). The signal-to-noise ratio is snr = 1/σ². Three uses of σ share one range:

* **sampling** walks down a schedule σ_0 > … > σ_{n-1} > 0;
* **training** spreads log σ evenly between the smallest scale a component still has given its
  neighbors and a few times its total scale;
* **nats** integrate over snr, that is over log-SNR with weight snr, in bands of log σ.

The paper on localized diffusion uses an Ornstein–Uhlenbeck process,
x_t = e^{-t} x + √(1 − e^{-2t}) ε. It is the same family: e^{t} x_t = x + σε with σ² = e^{2t} − 1.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.exceptions import OptionError

__all__ = [
    "BAND_EDGES",
    "TRAIN_CEILING",
    "NoiseLevels",
    "band_labels",
    "band_of",
    "ou_time",
    "sigma_of_ou_time",
    "training_levels",
]

BAND_EDGES: Final = (np.inf, *np.geomspace(2.0, 0.03, 5).tolist(), 0.0)
"""Edges of the noise bands, descending in σ: ∞, evenly in log σ from 2 to 0.03, 0.

The same for every model, so that bands mean the same: above twice the total scale of a component
noise drowns all but gross outliers and slow common movements; the last band holds what is decided
by close relations between sensors.
"""

_TRAIN_FLOOR = 0.07  # times the conditional scale of a component
TRAIN_CEILING: Final = 6.0
"""Highest level of training, times the total scale, which is 1 after standardization."""


@dataclass(frozen=True)
class NoiseLevels:
    """The range of σ of one model, in units of the standardized components.

    Parameters
    ----------
    sigma_min, sigma_max : float
        Smallest and largest level, 0 < sigma_min < sigma_max.

    Examples
    --------
    >>> NoiseLevels.for_scales(np.array([0.5, 1.0]), largest_variance=4.0)
    NoiseLevels(sigma_min=0.02, sigma_max=20.0)
    """

    sigma_min: float
    sigma_max: float

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max < np.inf:
            raise OptionError(
                "Noise levels need 0 < sigma_min < sigma_max, found "
                f"sigma_min={self.sigma_min} and sigma_max={self.sigma_max}."
            )

    @classmethod
    def for_scales(cls, conditional_scale: FloatArray, largest_variance: float) -> "NoiseLevels":
        """Levels that resolve the finest relation and drown the largest common movement.

        Parameters
        ----------
        conditional_scale : float array [n_components]
            Standard deviation of each component given its neighborhood, at most 1.
        largest_variance : float
            Of any direction of the state, at least 1. Samplers start with an error of the order
            of the square of largest_variance / σ_max², here of one in 100.
        """
        finest = float(np.min(conditional_scale))
        highest = float(np.clip(10.0 * np.sqrt(largest_variance), 12.0, 500.0))
        return cls(min(0.02, max(0.15 * finest, 1e-5)), highest)

    def quadrature(self, n_levels: int) -> tuple[FloatArray, FloatArray]:
        """Levels and weights for ∫ f(σ) d snr by the midpoint rule in log-SNR.

        From twice the highest trained level, above which only the closed form acts.

        Returns
        -------
        sigma : float array [n_levels]
            Descending.
        weight : float array [n_levels]
            snr · Δ log snr, so that Σ weight · f(σ) approximates the integral.
        """
        high = min(self.sigma_max, 2.0 * TRAIN_CEILING)  # networks fade above
        edges = np.linspace(np.log(high), np.log(self.sigma_min), n_levels + 1)
        sigma = np.exp(0.5 * (edges[1:] + edges[:-1]))
        return sigma, 2.0 * (edges[0] - edges[1]) / sigma**2


def band_of(sigma: FloatArray) -> IntArray:
    """Number of the noise band of each level, 0 for the coarsest.

    >>> band_of(np.array([5.0, 1.0, 0.001])).tolist()
    [0, 1, 5]
    """
    inner = -np.array(BAND_EDGES[1:-1])
    return np.searchsorted(inner, -np.asarray(sigma), side="right")


def band_labels() -> list[str]:
    """Names of the noise bands, from the coarsest to the finest.

    >>> band_labels()[:2]
    ['σ>2', '0.7<σ≤2']
    """
    inner = [f"{edge:.2g}" for edge in BAND_EDGES[1:-1]]
    middle = [f"{low}<σ≤{high}" for high, low in pairwise(inner)]
    return [f"σ>{inner[0]}", *middle, f"σ≤{inner[-1]}"]


def training_levels(conditional_scale: FloatArray, n_levels: int) -> FloatArray:
    """Levels at which one batch trains each network, ascending [n_networks, n_levels].

    Evenly in log σ: level i belongs to row i of every batch, which makes all that depends on σ
    alone a constant of training and stratifies the noise levels without any further randomness.

    Parameters
    ----------
    conditional_scale : float array [n_networks]
        Standard deviation of each component given its neighborhood.
    n_levels : int
        Rows of a batch.
    """
    low = np.log(_TRAIN_FLOOR * np.asarray(conditional_scale))[:, None]
    ramp = (np.arange(n_levels) + 0.5) / n_levels
    levels: FloatArray = np.exp(low + (np.log(TRAIN_CEILING) - low) * ramp)
    return levels


def sigma_of_ou_time(t: FloatArray) -> FloatArray:
    """Noise level σ = √(e^{2t} − 1) of Ornstein–Uhlenbeck time t.

    >>> float(sigma_of_ou_time(np.log(2.0)).round(6))
    1.732051
    """
    sigma: FloatArray = np.sqrt(np.expm1(2.0 * np.asarray(t, dtype=np.float64)))
    return sigma


def ou_time(sigma: FloatArray) -> FloatArray:
    """Ornstein–Uhlenbeck time t = ½ log(1 + σ²) of noise level σ.

    >>> float(ou_time(np.sqrt(3.0)).round(6))
    0.693147
    """
    return 0.5 * np.log1p(np.asarray(sigma, dtype=np.float64) ** 2)
