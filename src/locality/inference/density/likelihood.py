"""Exact log-likelihood of the probability-flow sampler.

The deterministic sampler moves a state by dy/dσ = (y − D(y, σ))/σ, a change of variables whose
density is known along the way (Song et al., 2021, arXiv 2011.13456, eq. 39). In τ = log σ,

    dy/dτ = y − D(y, σ) ,   d log p_σ(y(σ))/dτ = −Σ_j (1 − ∂D_j/∂y_j) ,

from σ = 0, where y is the data, up to a level at which the state is nearly normal. The divergence
is exact and costs about one more pass, whatever the number of components: each local denoiser has
its own copy of its patch. The walk is that of u = y/√(1 + σ²), which hardly moves where noise is
either drowned or drowning.

**Levels** are fixed beforehand by the model and the tolerance, so that a row has the same value
whatever rows it is scored with. Steps, those of Dormand and Prince (1980) of order 5, begin and end
where denoisers change their form: at the edges of noise bands and at the highest trained level. The
first one, in σ², begins at no noise at all.

**Errors** come from three sources, taken as independent: every step, whose solution of order 4 is
another one by δu, worth δu·∇ log p nats beside what the divergence changes; and the law at the end,
from how its value differs one step earlier. Networks have kinks, which limit the order to 2. Over
kinks at random places the solution of order 5 errs by 13.4 times the difference of the two in the
root mean square (the ratio of their Peano kernels).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import torch

from locality._typing import FloatArray
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.noise.levels import BAND_EDGES, TRAIN_CEILING, NoiseLevels

__all__ = ["Likelihood", "LogLikelihood"]

_NODES: Final = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_TIMES: Final = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_ERROR: Final = (
    71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40,
)  # fmt: skip
_KINKED: Final = 13.4  # error of order 5 over that difference, where slopes have kinks
_WIDTH = 0.55  # of a step in log σ, at a tolerance of 1e-4
_WIDTHS: Final = (0.01, 0.9)  # beyond, the difference of orders no longer tells the error
_FIRST = 0.05  # of the finest conditional scale: where the first step ends, below any kink
_LOWEST = 1e-7
_NEXT = 1e-9  # relative: beyond an edge
_CHUNK = 1 << 20  # components times rows walked together


@dataclass(frozen=True, eq=False)
class LogLikelihood:
    """Of some rows.

    Parameters
    ----------
    value : float array [n_rows]
        Nats, of standardized units.
    error : float array [n_rows]
        Estimated standard error of the integration.
    n_evaluations : int
        Of the denoiser, per chunk of rows.
    """

    value: FloatArray
    error: FloatArray
    n_evaluations: int


@dataclass(frozen=True)
class Likelihood:
    """How the flow is integrated.

    Parameters
    ----------
    levels : NoiseLevels
        Its highest level is where the walk ends.
    tolerance : float, default 1e-4
        Nats per component that a linear model may err by. Steps are as wide as its fifth root; what
        is reached with networks is told by the reported error.
    """

    levels: NoiseLevels
    tolerance: float = 1e-4

    def __call__(
        self, field: ScoreField, values: FloatArray, tick: Callable[[], None] = lambda: None
    ) -> LogLikelihood:
        """Log-likelihood of every row.

        Parameters
        ----------
        field : ScoreField
        values : float64 array [n_nodes, *extent, n_samples]
            Standardized and complete. Rows of a causal series are the positions of its axis, each
            given the rows before it; otherwise rows are the samples.
        tick : callable
            Called after every chunk of rows.
        """
        field = replace(field, limits=None)
        causal = any(axis.is_causal for axis in field.domain.axes)
        steps = self._steps(float(field.conditional_scale.min()))
        kinked = any(len(shard.networks) for shard in field.shards)
        per_row = len(field.domain.targets) * (
            1 if causal else int(np.prod(values.shape[1:-1], dtype=np.int64))
        )
        n_rows = values.shape[1] if causal else values.shape[-1]
        size = max(1, _CHUNK // per_row)
        parts = []
        for start in range(0, n_rows, size):
            stop = min(start + size, n_rows)
            if causal:
                bound = BoundField(field, values, slice(start, stop))
                y = values[field.nodes, start:stop].reshape(len(field.nodes), -1)
            else:
                part = np.ascontiguousarray(values[..., start:stop])
                bound = BoundField(field, part)
                y = part[field.nodes].reshape(len(field.nodes), -1)
            walk = _Walk(bound, stop - start)
            parts.append(walk(torch.from_numpy(np.array(y)), steps, _KINKED if kinked else 1.0))
            tick()
        return LogLikelihood(
            np.concatenate([part.value for part in parts] or [np.zeros(0)]),
            np.concatenate([part.error for part in parts] or [np.zeros(0)]),
            max((part.n_evaluations for part in parts), default=0),
        )

    def _steps(self, finest: float) -> list["_Step"]:
        """From no noise to the highest level."""
        width = float(np.clip(_WIDTH * (self.tolerance / 1e-4) ** 0.2, *_WIDTHS))
        edges = sorted([*BAND_EDGES[1:-1], TRAIN_CEILING])
        first = min(max(_FIRST * finest, _LOWEST), edges[0])
        inner = [edge for edge in edges if first < edge < self.levels.sigma_max]
        steps = [_Step.from_nothing(first)]
        for low, high in pairwise([first, *inner, self.levels.sigma_max]):
            steps += _Step.between(low, high, max(1, int(np.ceil(np.log(high / low) / width))))
        return steps


@dataclass(frozen=True)
class _Step:
    """Levels of the seven stages, dτ of each, and whether a new piece begins with it."""

    sigmas: tuple[float, ...]
    weights: tuple[float, ...]
    is_first: bool

    @classmethod
    def from_nothing(cls, high: float) -> "_Step":
        """In σ², of which dτ is d(σ²)/2σ²: near no noise, y − D has a limit when divided by σ²."""
        squares = high**2 * np.maximum(_TIMES, 1e-4)
        return cls(
            tuple(np.sqrt(squares).tolist()), tuple((high**2 / (2 * squares)).tolist()), True
        )

    @classmethod
    def between(cls, low: float, high: float, n_steps: int) -> list["_Step"]:
        """Some steps in τ that do not leave a piece; its lower end belongs to the piece below."""
        width = float(np.log(high / low)) / n_steps
        steps = []
        for number in range(n_steps):
            sigmas = low * np.exp(width * (number + np.array(_TIMES)))
            sigmas = np.clip(sigmas, low * (1 + _NEXT), high)
            steps.append(cls(tuple(sigmas.tolist()), (width,) * 7, number == 0))
        return steps


@dataclass(eq=False)
class _Walk:
    """Of some rows together, up from the data to noise."""

    bound: BoundField
    n_rows: int
    n_evaluations: int = 0

    def __call__(self, u: torch.Tensor, steps: list[_Step], error_scale: float) -> LogLikelihood:
        """Of standardized rows [n_targets, n_columns]; ``error_scale`` times the differences."""
        gathered = torch.zeros(self.n_rows, dtype=torch.float64)
        squares, values = torch.zeros_like(gathered), []
        slope, change = self._slopes(u, steps[0].sigmas[0])
        for number, step in enumerate(steps):
            if number and step.is_first:
                slope, change = self._slopes(u, step.sigmas[0])
            slopes, changes = [slope], [change]
            for stage in range(1, 7):
                moved = _sum(_NODES[stage], step.weights, slopes, u.clone())
                slope, change = self._slopes(moved, step.sigmas[stage])
                slopes.append(slope)
                changes.append(change)
            u, sigma = moved, step.sigmas[-1]
            gathered = _sum(_NODES[6], step.weights, changes, gathered)
            wrong = _sum(_ERROR, step.weights, slopes, torch.zeros_like(u))
            missed = _sum(_ERROR, step.weights, changes, torch.zeros_like(gathered))
            against = slope * (1.0 + sigma**-2) + u  # −∇ log p, by u
            squares += (missed - self._by_row(against * wrong)) ** 2
            if number >= len(steps) - 2:
                values.append(gathered + self._end(u, against, sigma))
        closing = (values[1] - values[0]) / ((sigma / steps[-1].sigmas[0]) ** 3 - 1.0)
        error = (error_scale**2 * squares + closing**2).sqrt()
        return LogLikelihood(values[1].numpy(), error.numpy(), self.n_evaluations)

    def _slopes(self, u: torch.Tensor, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
        """du/dτ, and the change of log p that is not that of independent components."""
        self.n_evaluations += 1
        room, drowned = (1.0 + sigma**2) ** 0.5, sigma**2 / (1.0 + sigma**2)
        denoised, slope = self.bound.with_divergence(u * room, sigma)
        return (1.0 - drowned) * u - denoised / room, self._by_row(1.0 - drowned - slope.double())

    def _end(self, u: torch.Tensor, against: torch.Tensor, sigma: float) -> torch.Tensor:
        """log p of u at a high level, as of a normal law of covariance C + σ² and some mean m.

        Its quadratic form is read off D at y and, for m, at 0. Its determinant, log |1 + C/σ²|, is
        the integral of the trace of C (C/σ'² + 1)⁻¹ over 1/σ'² from 0 to 1/σ², by the midpoint.
        """
        room = (1.0 + sigma**2) ** 0.5
        self.n_evaluations += 2
        mean = self.bound.denoise(torch.zeros_like(u), sigma)
        trace = self.bound.with_divergence(u * room, 2**0.5 * sigma)[1]
        form = against * u + (mean / sigma) ** 2 - u * mean * (room / sigma**2)
        excess = np.log(2 * np.pi) - np.log1p(sigma**-2)
        return -0.5 * self._by_row(form + 2.0 * trace.double() + excess)

    def _by_row(self, values: torch.Tensor) -> torch.Tensor:
        """Sums over components and positions [n_rows]; columns are position, then sample."""
        return values.sum(0).view(-1, self.n_rows).sum(0)


def _sum(
    nodes: tuple[float, ...],
    weights: tuple[float, ...],
    slopes: list[torch.Tensor],
    start: torch.Tensor,
) -> torch.Tensor:
    """Stages put together, added to the start."""
    for node, weight, slope in zip(nodes, weights, slopes, strict=False):
        if node:
            start.add_(slope, alpha=node * weight)
    return start
