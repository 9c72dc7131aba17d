"""Missing cells drawn by posterior sampling: any sampler walks the denoiser given known cells."""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch

from locality._typing import FloatArray
from locality.exceptions import OptionError
from locality.inference.laws.posterior import PosteriorField
from locality.inference.sampling.sampler import Sampler
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.noise.streams import stream

__all__ = ["draw_missing", "n_steps"]

_TILE = 256


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
