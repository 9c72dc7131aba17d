"""Exact log-likelihood of the probability-flow sampler.

The deterministic sampler moves a state by dy/dσ = (y − D(y, σ))/σ, a change of variables whose
density is known along the way (Song et al., 2021, arXiv 2011.13456, eq. 39). In τ = log σ,

    dy/dτ = y − D(y, σ) ,   d log p_σ(y(σ))/dτ = −Σ_j (1 − ∂D_j/∂y_j) ,

from a level far below the finest scale, where y is the data, up to one at which the state is
normal with the mean of the data and variance 1 + σ². The divergence is exact and costs about one
more pass, whatever the number of components: each local denoiser has its own copy of its patch.
Steps are those of Dormand and Prince (1980), order 5 with an embedded one of order 4, of a size
that keeps their difference within a tolerance; the differences add up to the error of the result.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch

from locality._typing import FloatArray
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.noise.levels import NoiseLevels

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
_BELOW = 0.02  # of the finest conditional scale: the data themselves
_CHUNK = 1 << 20  # components times rows walked together
_SMALLEST_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class LogLikelihood:
    """Of some rows.

    Parameters
    ----------
    value : float array [n_rows]
        Nats, of standardized units.
    error : float array [n_rows]
        Accumulated differences of the two orders.
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
        Error of a step, relative to the state and, for log p, in nats per component.
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
        low = _BELOW * float(field.conditional_scale.min())
        per_row = len(field.domain.targets) * (
            1 if causal else int(np.prod(values.shape[1:-1], dtype=np.int64))
        )
        n_rows = values.shape[1] if causal else values.shape[-1]
        size = max(1, _CHUNK // per_row)
        parts = []
        for start in range(0, n_rows, size):
            stop = min(start + size, n_rows)
            if causal:
                bound = field.bind(values, slice(start, stop))
                y = values[field.nodes, start:stop].reshape(len(field.nodes), -1)
            else:
                part = np.ascontiguousarray(values[..., start:stop])
                bound = field.bind(part)
                y = part[field.nodes].reshape(len(field.nodes), -1)
            parts.append(
                self._walk(bound, torch.from_numpy(np.ascontiguousarray(y)), low, stop - start)
            )
            tick()
        return LogLikelihood(
            np.concatenate([part.value for part in parts] or [np.zeros(0)]),
            np.concatenate([part.error for part in parts] or [np.zeros(0)]),
            max((part.n_evaluations for part in parts), default=0),
        )

    def _walk(self, bound: BoundField, y: torch.Tensor, low: float, n_rows: int) -> LogLikelihood:
        """Up from the data to noise, all rows with the same steps."""
        n_components = y.numel() // n_rows
        time, end = float(np.log(low)), float(np.log(self.levels.sigma_max))
        gathered = torch.zeros(n_rows, dtype=torch.float64)
        error = torch.zeros(n_rows, dtype=torch.float64)
        slopes = [self._slopes(bound, y, time, n_rows)]
        step, count = 0.1, 1
        while time < end - 1e-12:
            step = min(step, end - time)
            for stage in range(1, 7):
                moved = y.clone()
                for weight, (slope, _) in zip(_NODES[stage], slopes, strict=True):
                    if weight:
                        moved.add_(slope, alpha=step * weight)
                slopes.append(self._slopes(bound, moved, time + _TIMES[stage] * step, n_rows))
            count += 6
            wrong = torch.zeros_like(y)
            for weight, (slope, _) in zip(_ERROR, slopes, strict=True):
                if weight:
                    wrong.add_(slope, alpha=step * weight)
            change = sum(w * s[1] for w, s in zip(_NODES[6], slopes, strict=False))
            miss = sum(w * s[1] for w, s in zip(_ERROR, slopes, strict=True))
            assert isinstance(change, torch.Tensor)
            assert isinstance(miss, torch.Tensor)
            scale = torch.maximum(y.abs(), moved.abs()).add_(float(np.exp(time)) + 1e-3)
            size = float((wrong / scale).square().mean().sqrt()) / self.tolerance
            size = max(size, float(step * miss.abs().max()) / n_components / self.tolerance)
            if size <= 1.0 or step <= _SMALLEST_STEP:
                time += step
                y, slopes = moved, [slopes[-1]]
                gathered += step * change
                error += (step * miss).abs()
            else:
                slopes = slopes[:1]
            step *= float(np.clip(0.9 * max(size, 1e-10) ** -0.2, 0.2, 5.0))
        variance = 1.0 + self.levels.sigma_max**2
        mean = bound.denoise(torch.zeros_like(y), self.levels.sigma_max)  # of the data, nearly
        squares = _by_row((y - mean).double() ** 2, n_rows)
        top = -0.5 * (squares / variance + n_components * float(np.log(2 * np.pi * variance)))
        return LogLikelihood((top + gathered).numpy(), error.numpy(), count)

    def _slopes(
        self, bound: BoundField, y: torch.Tensor, time: float, n_rows: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """dy/dτ, and the divergence of every row."""
        denoised, slope = bound.with_divergence(y, float(np.exp(time)))
        return y - denoised, _by_row(1.0 - slope.double(), n_rows)


def _by_row(values: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Sums over components and lattice positions [n_rows]; columns are position, then sample."""
    return values.sum(0).view(-1, n_rows).sum(0)
