"""Completion: a table with gaps made complete for fitting, by draws from the model itself.

Statistics of the values at hand, pair by pair, need not belong to any law (their matrix may have
negative eigenvalues). So missing values are drawn given all known ones, a model is fitted to the
completed table, and so on (stochastic expectation maximization; Celeux and Diebolt, 1985): every
covariance is that of a complete table and positive definite by construction. The first table has
gaps filled with means. Draws carry nothing that is not in the known values. Several draws side by
side, as further samples of the same rows, average out the chance in them.
"""

from collections.abc import Callable

import numpy as np

from locality._typing import FloatArray
from locality.domain.domain import Domain
from locality.exceptions import DataError, OptionError
from locality.inference.laws.table import GaussianTable
from locality.local.field import ScoreField
from locality.local.unrolled import unrolled
from locality.model.layout import stacked
from locality.training.trainer import Trainer

__all__ = ["completed"]

_ROUNDS = 6
_RADIUS = 2  # of the models in between; graph hops


def completed(
    z: FloatArray,
    build: Callable[[FloatArray], Domain],
    n_draws: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> tuple[Domain, FloatArray]:
    """Draws of the complete table.

    Parameters
    ----------
    z : float array [n_rows, n_columns]
        Standardized; NaN where missing.
    build : callable
        From complete rows to their domain (a graph may be learned).
    n_draws : int
    seed : int
    progress : callable
        Called with ("filling gaps", rounds done, rounds in all).

    Returns
    -------
    domain : Domain
    draws : float array [n_draws, n_rows, n_columns]

    Raises
    ------
    OptionError
        If the model is a joint series.
    """
    rng = np.random.default_rng([seed, 1])
    draws = np.where(np.isnan(z), 0.0, z)[None]
    domain = build(draws[0])
    if any(axis.is_series and not axis.is_causal for axis in domain.axes):
        raise OptionError(
            "Missing values need a model of rows; this one is a joint series.",
            remedy='Fill them, or fit with series="causal".',
        )
    for node in domain.context:
        if np.isnan(z[:, node]).any():
            raise DataError(
                f"The context column {domain.names[node]!r} has missing values.",
                remedy="Fill them: context columns are conditions and are not modeled.",
            )
    lattice = any(not axis.is_series for axis in domain.axes)
    for number in range(_ROUNDS):
        last = number == _ROUNDS - 1
        shards = Trainer(domain, _radius(domain)).train(stacked(draws, domain)).shards
        field = ScoreField(domain, shards)
        if lattice:
            field = unrolled(field, z.shape[1:], tuple(f"x{j}" for j in range(z.shape[1])))
        found = GaussianTable(field).posterior(z.T, n_draws if last else 2, rng, n_variance=0)
        draws = np.repeat(z[None], len(found.draws), axis=0)
        draws[:, :, field.domain.targets] = found.draws.transpose(0, 2, 1)
        if number >= 1 and not last:
            domain = build(draws[0])
        progress("filling gaps", number + 1, _ROUNDS)
    return domain, draws


def _radius(domain: Domain) -> int:
    """Smaller where neighborhoods are large."""
    degree = domain.graph.degrees.mean() if domain.n_nodes else 0.0
    return _RADIUS if degree <= 4 else 1
