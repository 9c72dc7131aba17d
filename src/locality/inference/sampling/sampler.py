"""Samplers: from noise to data along falling noise levels.

A sampler owns the loop over σ_0 > … > σ_n = 0; subclasses only ``step`` from one level to the
next. With D the denoiser, the probability-flow equation in σ is dy/dσ = (y − D(y, σ))/σ.

* ``Heun``: second order, two evaluations a step (Karras et al., 2022, arXiv 2206.00364, alg. 1).
* ``Churn``: the same with noise added before each step (alg. 2).
* ``DPMSolver``: DPM-Solver++(2M), second order with one evaluation a step (Lu et al., 2022,
  arXiv 2211.01095, alg. 2), in the variable log σ.
* ``StochasticDPMSolver``: the same for the reverse diffusion, SDE-DPM-Solver++(2M) (the same
  paper, appendix): fresh noise at every step forgets what was wrong at earlier levels, so that
  samples are closer to the data than those of a deterministic walk at equal cost.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch

from locality._typing import FloatArray
from locality.exceptions import OptionError
from locality.local.bound import BoundField

__all__ = ["Churn", "DPMSolver", "Heun", "Sampler", "StochasticDPMSolver", "sampler"]

_ROWS = 256  # of a state that are worked on together


class Sampler(ABC):
    """Draws from a bound score field.

    Parameters
    ----------
    sigmas : float array [n_steps + 1]
        Falling noise levels, the last one 0.
    """

    evaluations_per_step: int

    def __init__(self, sigmas: FloatArray) -> None:
        self.sigmas = sigmas

    @property
    def levels(self) -> list[float]:
        """Noise levels at which the field is asked."""
        return [float(sigma) for sigma in self.sigmas if sigma > 0.0]

    def __call__(
        self,
        field: BoundField,
        noise: torch.Tensor,
        generator: torch.Generator,
        tick: Callable[[], None] = lambda: None,
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

        Returns
        -------
        float32 tensor [n_targets, n_columns]
        """
        return self.descend(field, self.start(field, noise), generator, tick)

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
    ) -> torch.Tensor:
        """Walk a state y at the highest level down to the last; arguments as for a call.

        The state is overwritten.
        """
        self._reset()
        for i in range(len(self.sigmas) - 1):
            y = self.step(field, y, float(self.sigmas[i]), float(self.sigmas[i + 1]), generator)
            tick()
        return y

    def _reset(self) -> None:  # noqa: B027 - most samplers remember nothing
        """Forget the previous run."""

    @abstractmethod
    def step(
        self,
        field: BoundField,
        y: torch.Tensor,
        sigma: float,
        next_sigma: float,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """From one noise level to the next lower one; y may be overwritten."""


class Heun(Sampler):
    """Second-order deterministic sampler."""

    evaluations_per_step = 2

    def step(
        self,
        field: BoundField,
        y: torch.Tensor,
        sigma: float,
        next_sigma: float,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Euler step, then the trapezoidal correction unless at zero."""
        slope = (y - field.denoise(y, sigma)) / sigma
        proposal = y + (next_sigma - sigma) * slope
        if next_sigma == 0.0:
            return proposal
        slope = 0.5 * (slope + (proposal - field.denoise(proposal, next_sigma)) / next_sigma)
        return y + (next_sigma - sigma) * slope


class Churn(Sampler):
    """Heun with noise added before every step.

    Parameters
    ----------
    sigmas : float array [n_steps + 1]
    churn : float, default 20
        S_churn of the paper: noise added over the whole run, spread over the steps.
    """

    evaluations_per_step = 2

    def __init__(self, sigmas: FloatArray, churn: float = 20.0) -> None:
        super().__init__(sigmas)
        self._gamma = min(churn / (len(sigmas) - 1), np.sqrt(2.0) - 1.0)
        self._heun = Heun(sigmas)

    @property
    def levels(self) -> list[float]:
        """Those of the grid, and the raised ones."""
        return [level for s in super().levels for level in (s, s * (1.0 + self._gamma))]

    def step(
        self,
        field: BoundField,
        y: torch.Tensor,
        sigma: float,
        next_sigma: float,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Raise the noise level, then take a Heun step down."""
        raised = sigma * (1.0 + self._gamma)
        extra = torch.randn(y.shape, generator=generator)
        y = y + (raised**2 - sigma**2) ** 0.5 * extra
        return self._heun.step(field, y, raised, next_sigma, generator)


class DPMSolver(Sampler):
    """DPM-Solver++(2M): extrapolates the denoiser from the last two levels."""

    evaluations_per_step = 1
    _noise = 0.0  # 1: as much fresh noise as the reverse diffusion has

    def _reset(self) -> None:
        self._last: tuple[float, torch.Tensor] | None = None

    def step(
        self,
        field: BoundField,
        y: torch.Tensor,
        sigma: float,
        next_sigma: float,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Exact for a denoiser linear in log σ; the step to zero returns the denoiser."""
        denoised = field.denoise(y, sigma)
        if next_sigma == 0.0:
            return denoised
        h = float(np.log(sigma / next_sigma))
        forgotten = self._noise * h
        weight = -float(np.expm1(-h - forgotten))
        half, last = 0.0, denoised
        if self._last is not None:
            last_sigma, last = self._last
            half = 0.5 * h / float(np.log(last_sigma / sigma))
        # in place, large states being slow to allocate, and in parts that stay in cache
        fresh = torch.empty(min(_ROWS, len(y)), y.shape[1])
        renewed = next_sigma * float(-np.expm1(-2.0 * forgotten)) ** 0.5
        for now, new, old in zip(
            *(torch.split(part, _ROWS) for part in (y, denoised, last)), strict=True
        ):
            now.mul_(1.0 - weight).add_(new, alpha=weight * (1.0 + half))
            now.sub_(old, alpha=weight * half)
            if forgotten:
                part = fresh[: len(now)]
                torch.randn(part.shape, generator=generator, out=part)
                now.add_(part, alpha=renewed)
        self._last = (sigma, denoised)
        return y


class StochasticDPMSolver(DPMSolver):
    """SDE-DPM-Solver++(2M)."""

    _noise = 1.0


_METHODS: dict[str, type[Sampler]] = {
    "sde": StochasticDPMSolver,
    "dpm": DPMSolver,
    "heun": Heun,
    "churn": Churn,
}


def sampler(method: str, grid: Callable[[int], FloatArray], n_evaluations: int) -> Sampler:
    """The sampler of this name at a budget of denoiser evaluations.

    Parameters
    ----------
    method : {"sde", "dpm", "heun", "churn"}
    grid : callable
        Number of steps to noise levels, such as ``NoiseLevels.grid``.
    n_evaluations : int
        About how many evaluations of the denoiser one sample costs.

    Raises
    ------
    OptionError
        If the method is unknown or the budget is below 2.
    """
    if method not in _METHODS:
        raise OptionError(
            f"Unknown sampling method {method!r}.", remedy=f"Choose one of {sorted(_METHODS)}."
        )
    if n_evaluations < 2:
        raise OptionError(f"n_evaluations must be at least 2, found {n_evaluations}.")
    kind = _METHODS[method]
    return kind(grid(max(2, n_evaluations // kind.evaluations_per_step)))
