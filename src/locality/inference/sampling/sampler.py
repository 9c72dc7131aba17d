"""The sampler: from noise to data along falling noise levels.

A sampler owns the loop over σ_0 > … > σ_n = 0; subclasses only ``step`` from one level to the
next. The methods of the library are in `methods`; a new one is written in a few lines::

    class Euler(Sampler):
        def step(self, field, y, sigma, next_sigma, generator):
            slope = (y - field.denoise(y, sigma)) / sigma
            return y + (next_sigma - sigma) * slope
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from locality._typing import Float32Array, FloatArray
from locality.local.bound import BoundField

__all__ = ["Sampler", "Trajectory"]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The way of some draws from noise to data.

    Parameters
    ----------
    sigmas : float array [n_levels]
        Falling noise levels, the last one 0.
    states : float32 array [n_levels, n_targets, *positions, n_draws]
        Standardized state at every level: first noise alone, nearly; last the draws. Each row of
        a causal series has a walk of its own, given the finished rows before it.
    """

    sigmas: FloatArray
    states: Float32Array

    @property
    def draws(self) -> Float32Array:
        """Where the walks end [n_targets, *positions, n_draws]."""
        return np.asarray(self.states[-1])


class Sampler(ABC):
    """Draws from a bound score field; a subclass writes ``step``.

    Parameters
    ----------
    sigmas : float array [n_steps + 1]
        Falling noise levels, the last one 0.

    Attributes
    ----------
    evaluations_per_step : int
        Of the denoiser, 1 unless a subclass says otherwise. A budget of evaluations divided by it
        is the number of steps.
    """

    evaluations_per_step: int = 1

    def __init__(self, sigmas: FloatArray) -> None:
        self.sigmas = sigmas

    @property
    def levels(self) -> list[float]:
        """Noise levels at which the field is asked, for it to be made ready."""
        return [float(sigma) for sigma in self.sigmas if sigma > 0.0]

    def __call__(
        self,
        field: BoundField,
        noise: torch.Tensor,
        generator: torch.Generator,
        tick: Callable[[], None] = lambda: None,
        record: Callable[[torch.Tensor], None] = lambda y: None,
    ) -> torch.Tensor:
        """Turn standard normal noise into a sample.

        Parameters
        ----------
        field : BoundField
        noise : float32 tensor [n_targets, n_columns]
        generator : torch.Generator
            For the noise that a stochastic sampler adds.
        tick : callable
            Called after every step.
        record : callable
            Called with the state at every level, the highest first; a later step may overwrite
            the state, so what is to be kept is copied.

        Returns
        -------
        float32 tensor [n_targets, n_columns]
        """
        return self.descend(field, self.start(field, noise), generator, tick, record)

    def start(self, field: BoundField, noise: torch.Tensor) -> torch.Tensor:
        """State at the highest level [n_targets, n_columns], from standard normal noise.

        It has the law of the noised data but for their mean m and covariance C. As D(y) is about
        m + C y/σ², half of D(0) + D(y) adds m, and C to the variance, up to order C²/σ⁴.
        """
        sigma = float(self.sigmas[0])
        y = torch.from_numpy(np.zeros(noise.shape, noise.numpy().dtype))  # in large pages
        mean = field.denoise(y, sigma)
        torch.mul(noise, sigma, out=y)  # in place: large states are slow to allocate
        return y.add_(mean.add_(field.denoise(y, sigma)), alpha=0.5)

    def descend(
        self,
        field: BoundField,
        y: torch.Tensor,
        generator: torch.Generator,
        tick: Callable[[], None] = lambda: None,
        record: Callable[[torch.Tensor], None] = lambda y: None,
    ) -> torch.Tensor:
        """Walk a state y at the highest level down to the last; arguments as for a call.

        The state is overwritten.
        """
        self.reset()
        record(y)
        for i in range(len(self.sigmas) - 1):
            y = self.step(field, y, float(self.sigmas[i]), float(self.sigmas[i + 1]), generator)
            record(y)
            tick()
        return y

    def reset(self) -> None:  # noqa: B027 - most samplers remember nothing
        """Forget the previous walk; called before the first step of every walk."""

    @abstractmethod
    def step(
        self,
        field: BoundField,
        y: torch.Tensor,
        sigma: float,
        next_sigma: float,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """From one noise level to the next lower one.

        Parameters
        ----------
        field : BoundField
            ``denoise(y, sigma)`` is D(y, σ) = E[x | y] of every component, ``score(y, sigma)``
            is (D − y)/σ².
        y : float tensor [n_targets, n_columns]
            Noisy state; may be overwritten.
        sigma, next_sigma : float
            Its noise level and the one wanted, which is 0 in the last step.
        generator : torch.Generator
            The only source of chance, so that the same seed draws the same bits.

        Returns
        -------
        float tensor [n_targets, n_columns]
        """
