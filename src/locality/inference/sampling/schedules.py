"""Level schedules: where a sampler spends its steps.

A schedule walks down the range of noise levels of a model. It says which level is reached after
which share of the walk, the share going from 0 at the highest level to 1 at the lowest:

* `KarrasLevels`: σ^(1/ρ) falls evenly (Karras et al., 2022, arXiv 2206.00364, eq. 5). With ρ = 7
  steps are short near the data; ρ = 1 is even in σ, and ρ → ∞ is even in log σ;
* `GeometricLevels`: log σ falls evenly, every octave of noise gets as many steps;
* `LogNormalLevels`: quantiles of a log-normal law of σ, evenly spaced. That paper trains on levels
  of this law (table 1, P_mean = −1.2, P_std = 1.2): steps lie where a network learns most.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from locality._typing import FloatArray
from locality.exceptions import OptionError
from locality.noise.levels import NoiseLevels

__all__ = ["GeometricLevels", "KarrasLevels", "LevelSchedule", "LogNormalLevels"]


class LevelSchedule(ABC):
    """Noise levels of a walk; a subclass writes ``after``.

    Examples
    --------
    >>> class Even(LevelSchedule):
    ...     def after(self, levels, share):
    ...         return levels.sigma_max + share * (levels.sigma_min - levels.sigma_max)
    >>> Even()(NoiseLevels(1.0, 9.0), 3).tolist()
    [9.0, 5.0, 1.0, 0.0]
    """

    def __call__(self, levels: NoiseLevels, n_steps: int) -> FloatArray:
        """Levels from sigma_max down to sigma_min, and then 0 [n_steps + 1].

        Parameters
        ----------
        levels : NoiseLevels
        n_steps : int

        Raises
        ------
        OptionError
            If there is no step, or what the schedule says does not fall from level to level.
        """
        if n_steps < 1:
            raise OptionError(f"A sampler needs at least 1 step, found {n_steps}.")
        sigmas = np.append(self.after(levels, np.linspace(0.0, 1.0, n_steps)), 0.0)
        if sigmas.shape != (n_steps + 1,) or not (np.diff(sigmas) < 0).all():
            raise OptionError(
                f"{type(self).__name__} does not give {n_steps} levels that fall towards 0.",
                remedy=f"Levels of this model lie between {levels.sigma_max:g} and "
                f"{levels.sigma_min:g}.",
            )
        return sigmas

    @abstractmethod
    def after(self, levels: NoiseLevels, share: FloatArray) -> FloatArray:
        """Level after each share of the walk.

        Parameters
        ----------
        levels : NoiseLevels
            The range of the model.
        share : float array [n_steps]
            Rising evenly from 0 to 1.

        Returns
        -------
        float array [n_steps]
            Falling and positive.
        """


@dataclass(frozen=True)
class KarrasLevels(LevelSchedule):
    """Evenly in σ^(1/ρ).

    Parameters
    ----------
    rho : float, default 7
        Above 0; the larger, the more of the steps are near the data.

    Examples
    --------
    >>> KarrasLevels()(NoiseLevels(0.01, 10.0), 3).round(3).tolist()
    [10.0, 0.718, 0.01, 0.0]
    """

    rho: float = 7.0

    def __post_init__(self) -> None:
        if not 0 < self.rho < np.inf:
            raise OptionError(f"rho must be a number above 0, found {self.rho}.")

    def after(self, levels: NoiseLevels, share: FloatArray) -> FloatArray:
        """Level after each share of the walk [n_steps]."""
        low, high = levels.sigma_min ** (1 / self.rho), levels.sigma_max ** (1 / self.rho)
        return np.asarray((high + share * (low - high)) ** self.rho)


@dataclass(frozen=True)
class GeometricLevels(LevelSchedule):
    """Evenly in log σ.

    Examples
    --------
    >>> GeometricLevels()(NoiseLevels(0.01, 100.0), 3).round(6).tolist()
    [100.0, 1.0, 0.01, 0.0]
    """

    def after(self, levels: NoiseLevels, share: FloatArray) -> FloatArray:
        """Level after each share of the walk [n_steps]."""
        return np.asarray(levels.sigma_max * (levels.sigma_min / levels.sigma_max) ** share)


@dataclass(frozen=True)
class LogNormalLevels(LevelSchedule):
    """Evenly spaced quantiles of log σ ~ N(mean, deviation²), cut to the range of the model.

    Parameters
    ----------
    mean, deviation : float, default -1.2 and 1.2
        Of log σ; the deviation is above 0.

    Examples
    --------
    >>> LogNormalLevels(0.0, 1.0)(NoiseLevels(0.01, 100.0), 3).round(6).tolist()
    [100.0, 1.0, 0.01, 0.0]
    """

    mean: float = -1.2
    deviation: float = 1.2

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and 0 < self.deviation < np.inf):
            raise OptionError(
                "LogNormalLevels needs a finite mean and a deviation above 0, found "
                f"mean={self.mean} and deviation={self.deviation}."
            )

    def after(self, levels: NoiseLevels, share: FloatArray) -> FloatArray:
        """Level after each share of the walk [n_steps]."""
        ends = np.log([levels.sigma_max, levels.sigma_min])
        above = norm.sf(ends, self.mean, self.deviation)
        middle = norm.isf(above[0] + share * (above[1] - above[0]), self.mean, self.deviation)
        middle[share == 0.0], middle[share == 1.0] = ends  # to the bit, wherever they lie
        return np.asarray(np.exp(np.clip(middle, ends[1], ends[0])))
