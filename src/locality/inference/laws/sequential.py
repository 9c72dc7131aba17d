"""The sequential law of a row: each component given those before it, a consistent joint law.

What a model says of every component given all others need not belong to one joint law: its
conditional laws were estimated one by one. So components are put in an order (a sweep of the graph
from rim to rim, which a cut into shards would break: what two sides of a seam share would be lost)
and each is regressed, within its neighborhood, on those before it, on the past and on context,

    x_i = Σ_k w_ik x_k + Σ_l a_il x_{t-l} + s_i ε_i ,   k before i .

This always is a Gaussian law, with sparse precision Rᵀ diag(s)⁻² R, R = I − W. It is exact where
neighborhoods reach far enough, and otherwise loses what a component shares with earlier ones
outside its own neighborhood (Vecchia, 1988, *Estimation and model identification for continuous
spatial processes*).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.domain import Domain
from locality.domain.partition import sweep
from locality.inference.laws.assembly import assembled, rows_extent
from locality.local.field import ScoreField
from locality.local.gaussian import present_slots
from locality.local.shard import ShardState

__all__ = ["SequentialLaw", "mixed", "regressions", "sequence"]

_FLOOR = 1e-9  # of a variance, total variance being 1


@dataclass(frozen=True, eq=False)
class SequentialLaw:
    """Sparse matrices of a row given its past.

    Parameters
    ----------
    within : sparse array [n_targets, n_targets]
        R = I − W.
    past : tuple of sparse arrays [n_targets, n_targets]
        Weights of the rows 1, 2, … before.
    context : tuple of sparse arrays [n_targets, n_context]
        Weights of context in this row, and in the rows 1, 2, … before.
    scale : float array [n_targets]
    """

    within: sp.csr_array
    past: tuple[sp.csr_array, ...]
    context: tuple[sp.csr_array, ...]
    scale: FloatArray

    @classmethod
    def of(cls, field: ScoreField) -> "tuple[SequentialLaw, ...]":
        """The laws of the first rows of a series, that have 0, 1, … rows before them, and at last
        of all others; of a table, one law.

        Raises
        ------
        OptionError
            If columns lie along a lattice axis, or rows depend on later ones.
        """
        return field.derived(_sequential_laws)


def _sequential_laws(field: ScoreField) -> tuple[SequentialLaw, ...]:
    """Solved for every number of past rows."""
    domain, extent, rank = field.domain, rows_extent(field), sequence(field.domain)
    parts = [
        (shard, *regressions(shard, *shard.sources.inside(domain, extent), rank))
        for shard in field.shards
    ]
    targets, context = domain.targets, np.array(domain.context, dtype=np.int64)
    eye = sp.eye_array(len(targets), format="csr")
    return tuple(
        SequentialLaw(
            sp.csr_array(eye - by_lag[0][:, targets]),
            tuple(sp.csr_array(part[:, targets]) for part in by_lag[1 : n_past + 1]),
            tuple(sp.csr_array(part[:, context]) for part in by_lag[: n_past + 1]),
            scale,
        )
        for n_past, (by_lag, scale) in enumerate(assembled(field, parts))
    )


def mixed(first: BoolArray, a: SequentialLaw, b: SequentialLaw) -> SequentialLaw:
    """Some components as in one law, the others as in another.

    Parameters
    ----------
    first : bool array [n_targets]
        Which are as in ``a``.
    a, b : SequentialLaw
        Of as many rows before.
    """
    one, other = sp.diags_array(first.astype(float)), sp.diags_array((~first).astype(float))

    def joined(x: sp.csr_array, y: sp.csr_array) -> sp.csr_array:
        found = sp.csr_array(one @ x + other @ y)
        found.eliminate_zeros()
        return found

    return SequentialLaw(
        joined(a.within, b.within),
        tuple(joined(x, y) for x, y in zip(a.past, b.past, strict=True)),
        tuple(joined(x, y) for x, y in zip(a.context, b.context, strict=True)),
        np.where(first, a.scale, b.scale),
    )


def sequence(domain: Domain) -> IntArray:
    """Place of every node in the sweep of the graph [n_nodes]."""
    rank = np.empty(domain.n_nodes, dtype=np.int64)
    rank[sweep(domain.graph)] = np.arange(domain.n_nodes)
    return rank


def regressions(
    shard: ShardState, of_position: IntArray, inside: BoolArray, rank: IntArray | None = None
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Each component of a shard regressed within its neighborhood.

    Parameters
    ----------
    shard : ShardState
    of_position, inside : arrays
        From ``shard.sources.inside``.
    rank : int array [n_nodes], optional
        Of the same row only components of a lower rank are looked at; otherwise all others.

    Returns
    -------
    weights, scales, slots, class of position
        As `Expectations` has them after the shard.
    """
    patches = shard.patches.within(shard.n_noisy[:, -1], shard.n_given[:, -1])
    slots = patches.slots
    eye = np.eye(slots.shape[1])
    gamma = shard.shrinkage[:, -1, None, None]
    padded = np.pad(shard.covariance, (0, 1))
    covariance = (1.0 - gamma) * padded[slots[:, :, None], slots[:, None, :]] + gamma * eye
    seen = present_slots(patches, inside)
    if rank is None:
        seen = seen & (np.arange(slots.shape[1]) > 0)
    else:
        before = np.append(np.where(shard.source_given, -1, rank[shard.source_node]), -1)[slots]
        seen = seen & (before < rank[shard.target][:, None])[:, None]
    cross = np.where(seen, covariance[:, None, 0], 0.0)
    both = seen[..., :, None] & seen[..., None, :]
    among = np.where(both, covariance[:, None], eye) + _FLOOR * eye
    weights = np.linalg.solve(among, cross[..., None])[..., 0]
    variance = covariance[:, None, 0, 0] - (weights * cross).sum(axis=-1)
    scale: FloatArray = np.sqrt(np.maximum(variance, _FLOOR))
    return np.asarray(weights, dtype=np.float64), scale, slots, of_position
