r"""Posterior sampling: rows of a model of a table in which some cells are known, networks and all.

Samplers only ask for the denoiser. Given the noisy state and known cells O, a clean state that is
normal with mean D and covariance C = σ² ∂D/∂y has the mean

.. math:: D^O = D + C_{\cdot O}\, C_{OO}^{-1} (x_O - D_O)

(Boys et al., 2023, *Tweedie moment projected diffusions*, arXiv 2310.06721). With this denoiser in
place of D any sampler draws from the law given the known cells: exactly where the model is
Gaussian, and better and better towards fine noise where it is not. The Jacobian is sparse like the
graph, so the equations are solved by conjugate gradients, every row by itself.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch

from locality._typing import BoolArray, Float32Array, FloatArray
from locality.exceptions import OptionError
from locality.inference.sampling.sampler import Sampler
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.local.jacobian import Jacobian
from locality.noise.streams import stream

__all__ = ["PosteriorField", "draw_missing"]

_TILE = 256
_TOLERANCE = 1e-3  # of the equations, in the norm of the preconditioner
_MOST_STEPS = 100
_LEAST = 1e-6  # of the diagonal, added to it


class PosteriorField:
    """The denoiser of some rows given their known cells; samplers take it for a bound field.

    Parameters
    ----------
    field : ScoreField
        Of a table.
    values : float32 array [n_nodes, n_columns]
        Standardized; anything where a cell is missing.
    known : bool array [n_nodes, n_columns]
    """

    def __init__(self, field: ScoreField, values: Float32Array, known: BoolArray) -> None:
        self._bound = field.bind(values)
        self._known = known[field.nodes]
        self._values = values[field.nodes]
        self._multiplier = np.zeros_like(self._values)
        self.n_columns = self._bound.n_columns

    def denoise(self, y: torch.Tensor, sigma: float) -> torch.Tensor:
        """E[x | y, known cells] of every target [n_targets, n_columns]."""
        denoised = self._bound.denoise(y, sigma)
        jacobian = Jacobian.of(self._bound, y, sigma)
        gap = np.where(self._known, self._values - denoised.numpy(), np.float32(0))
        with np.errstate(over="ignore", invalid="ignore"):
            self._solve(jacobian, np.asarray(gap / sigma**2, dtype=np.float32))
            moved = denoised.numpy() + np.float32(sigma**2) * (jacobian @ self._multiplier)
        # far from the data a Jacobian of networks may be no covariance, and a solution run away:
        # such rows take one step without being told what is known, and are told again at the next
        lost = ~(np.isfinite(moved).all(axis=0) & np.isfinite(self._multiplier).all(axis=0))
        moved[:, lost] = denoised.numpy()[:, lost]
        self._multiplier[:, lost] = 0.0
        if self._bound.limits is not None:
            low, high = self._bound.limits
            np.clip(moved, low.numpy(), high.numpy(), out=moved)
        return torch.from_numpy(np.where(self._known, self._values, moved))

    def _solve(self, jacobian: Jacobian, right: Float32Array) -> None:
        """Multipliers w of the known cells, J_OO w = right, starting from the last ones."""
        known = self._known
        diagonal = np.maximum(jacobian.diagonal(right.shape[1]), np.float32(1e-8))
        w = self._multiplier.copy()

        def apply(v: Float32Array) -> Float32Array:
            return np.asarray((jacobian @ v + _LEAST * diagonal * v) * known, dtype=np.float32)

        r = np.asarray(right - apply(w), dtype=np.float32)
        z = r / diagonal
        p = np.asarray(z, dtype=np.float32).copy()
        power = (r * z).sum(axis=0)
        enough = _TOLERANCE**2 * (right**2 / diagonal).sum(axis=0) + 1e-20
        for _ in range(_MOST_STEPS):
            if (power <= enough).all():
                break
            q = apply(p)
            curvature = (p * q).sum(axis=0)
            going = (power > enough) & (curvature > 0)
            if not going.any():
                break
            step = np.where(going, power / np.where(going, curvature, 1), 0).astype(np.float32)
            w += step * p
            r -= step * q
            z = r / diagonal
            after = (r * z).sum(axis=0)
            ratio = np.where(going, after / np.where(power > 0, power, 1), 0).astype(np.float32)
            p = np.asarray(z + ratio * p, dtype=np.float32)
            power = np.where(going, after, 0)
        self._multiplier = w


def draw_missing(
    field: ScoreField,
    walk: Sampler,
    rows: FloatArray,
    n_draws: int,
    seed: int,
    tick: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Joint draws of the missing cells of every row.

    Parameters
    ----------
    field : ScoreField
        Of a table.
    walk : Sampler
    rows : float array [n_nodes, n_rows]
        Standardized; NaN where missing. Context is complete.
    n_draws : int
    seed : int
    tick : callable
        Called after every step of every tile.

    Returns
    -------
    float array [n_draws, n_targets, n_rows]
        Known cells as they are.

    Raises
    ------
    OptionError
        If rows of the model depend on others.
    """
    if field.domain.axes:
        raise OptionError(
            "Posterior samples are drawn by models of rows in no order.",
            remedy="A series is filled by the closed form.",
        )
    targets = field.domain.targets
    result = np.repeat(rows[targets][None], n_draws, axis=0)
    gappy = np.flatnonzero(np.isnan(rows[targets]).any(axis=0))
    jobs = np.tile(gappy, n_draws)
    which = np.repeat(np.arange(n_draws), len(gappy))
    into = np.searchsorted(targets, field.nodes)
    for tile, start in enumerate(range(0, len(jobs), _TILE)):
        part = slice(start, start + _TILE)
        chosen = rows[:, jobs[part]]
        known = ~np.isnan(chosen)
        posterior = PosteriorField(field, np.where(known, chosen, 0).astype(np.float32), known)
        generator = stream("missing", seed, tile)
        noise = torch.randn(len(targets), posterior.n_columns, generator=generator)
        drawn = walk(cast(BoundField, posterior), noise, generator, tick).numpy()
        found = np.empty(drawn.shape)
        found[into] = drawn
        old = result[which[part], :, jobs[part]].T
        result[which[part], :, jobs[part]] = np.where(np.isnan(old), found, old).T
    return result


def n_steps(walk: Sampler, n_gappy: int, n_draws: int) -> int:
    """How often ``draw_missing`` calls its tick."""
    return -(-n_gappy * n_draws // _TILE) * (len(walk.sigmas) - 1)
