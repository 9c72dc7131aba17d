"""The four methods of the library, by name, and how what a user passes becomes a sampler.

With D the denoiser, the probability-flow equation in σ is dy/dσ = (y − D(y, σ))/σ.

* ``Heun``: second order, two evaluations a step (Karras et al., 2022, arXiv 2206.00364, alg. 1).
* ``Churn``: the same with noise added before each step (alg. 2).
* ``DPMSolver``: DPM-Solver++(2M), second order with one evaluation a step (Lu et al., 2022,
  arXiv 2211.01095, alg. 2), in the variable log σ.
* ``StochasticDPMSolver``: the same for the reverse diffusion, SDE-DPM-Solver++(2M) (the same
  paper, appendix): fresh noise at every step forgets what was wrong at earlier levels, so that
  samples are closer to the data than those of a deterministic walk at equal cost.
"""

from collections.abc import Callable
from inspect import isabstract

import numpy as np
import torch

from locality._typing import FloatArray
from locality.exceptions import OptionError
from locality.inference.sampling.sampler import Sampler
from locality.inference.sampling.schedules import KarrasLevels, LevelSchedule
from locality.local.bound import BoundField
from locality.noise.levels import NoiseLevels

__all__ = ["Churn", "DPMSolver", "Heun", "Method", "StochasticDPMSolver", "build_sampler"]

Method = str | Callable[[FloatArray], Sampler]
"""Name of a sampler, a subclass of `Sampler`, or anything that makes one of falling levels."""

_ROWS = 256  # of a state that are worked on together


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

    def reset(self) -> None:
        """Forget the last denoised state."""
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
    "auto": StochasticDPMSolver,
    "sde": StochasticDPMSolver,
    "dpm": DPMSolver,
    "heun": Heun,
    "churn": Churn,
}


def build_sampler(
    method: Method, levels: NoiseLevels, n_evaluations: int, schedule: LevelSchedule | None = None
) -> Sampler:
    """The sampler that a user asks for, at a budget of denoiser evaluations.

    Parameters
    ----------
    method : {"auto", "sde", "dpm", "heun", "churn"}, subclass of Sampler, or callable
        "auto" is "sde". A callable takes falling levels [n_steps + 1] and returns a `Sampler`, such
        as ``lambda sigmas: Churn(sigmas, churn=40)``.
    levels : NoiseLevels
        Of the model.
    n_evaluations : int
        About how many evaluations of the denoiser one sample costs; at least two steps are made.
    schedule : LevelSchedule, optional
        Default: ``KarrasLevels()``.

    Raises
    ------
    OptionError
        If the method makes no sampler, the schedule is none, or the budget is below 2.
    """
    schedule = KarrasLevels() if schedule is None else schedule
    if not isinstance(schedule, LevelSchedule):
        raise OptionError(
            f"Noise levels are chosen by a LevelSchedule, found {schedule!r}.",
            remedy="Pass KarrasLevels(), GeometricLevels(), LogNormalLevels(), or a subclass.",
        )
    if not isinstance(n_evaluations, int | np.integer) or n_evaluations < 2:
        raise OptionError(
            f"n_evaluations must be a whole number of at least 2, found {n_evaluations!r}."
        )
    make = _METHODS.get(method) if isinstance(method, str) else method
    if not callable(make) or isabstract(make):
        raise OptionError(
            f"Unknown sampling method {method!r}.",
            remedy=f"Choose one of {sorted([*_METHODS, 'exact'])}, or pass a subclass of Sampler.",
        )
    cost = _made(make, schedule(levels, 2)).evaluations_per_step
    return _made(make, schedule(levels, max(2, n_evaluations // cost)))


def _made(make: Callable[[FloatArray], Sampler], sigmas: FloatArray) -> Sampler:
    found = make(sigmas)
    if not isinstance(found, Sampler):
        raise OptionError(
            f"The sampling method made {found!r} of the noise levels, which is no Sampler.",
            remedy="Pass a subclass of Sampler, or a function that returns an instance of one.",
        )
    return found
