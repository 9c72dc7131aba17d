"""The Jacobian of the denoiser, sparse like the neighborhoods, as an operator.

A denoiser is also the derivative of a posterior mean: by Tweedie's formula of second order,
σ² ∂D/∂y is the covariance of the clean state given the noisy one. It is symmetric if the model is
exact; here its symmetric part is taken. Component j responds to the slots of its own patch only:
what is linear is one sparse matrix for all examples, networks add one row of numbers per example.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from locality._typing import Float32Array, IntArray
from locality.local.bound import BoundField
from locality.local.field import ScoreField, is_plain
from locality.local.shard import ShardState

__all__ = ["Jacobian"]

_SMALL = 100_000  # entries of a matrix that is kept: a larger one costs little beside its use
_MAX_KEPT = 64


@dataclass(frozen=True, eq=False)
class Jacobian:
    """∂D/∂y of the targets of a table at one noisy state.

    Parameters
    ----------
    linear : sparse float32 array [n_targets, n_targets]
        Symmetric part of the closed form.
    networks : tuple of (int tensor, int tensor, float32 tensor)
        Rows of the units [n_units] and of their slots [n_units, n_slots] (``n_targets`` where
        padded), and the derivatives [n_units, n_slots, n_examples].
    """

    linear: sp.csr_array
    networks: tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], ...]

    @classmethod
    def of(cls, bound: BoundField, y: torch.Tensor, sigma: float) -> "Jacobian":
        """At a state.

        Parameters
        ----------
        bound : BoundField
            Of a table: a single position, without past rows.
        y : float32 tensor [n_targets, n_examples]
        sigma : float
        """
        field = bound.field
        row, n = field.row_of_node, len(field.nodes)
        networks, n_unbundled = [], 0
        for shard, (denoiser, _) in zip(field.shards, field.denoisers(bound.extent), strict=True):
            correction = denoiser.correction
            if correction is not None:
                slots = _rows_of_sources(shard, row, n)[correction.inputs.patches.noisy]
                z = bound.examples(n_unbundled, y)
                derivative = correction.jacobian(z, sigma)
                units = torch.from_numpy(row[shard.target])[correction.units]
                networks.append((units, torch.from_numpy(slots), derivative))
            n_unbundled += not is_plain(shard)
        kept = field.derived(_nothing_kept)
        linear = kept.get(sigma)
        if linear is None:
            linear = _linear(bound, sigma)
            if linear.nnz <= _SMALL:
                if len(kept) >= _MAX_KEPT:
                    kept.clear()
                kept[sigma] = linear
        return cls(linear, tuple(networks))

    def __matmul__(self, v: Float32Array) -> Float32Array:
        """Product with a state, example by example [n_targets, n_examples]."""
        result = np.asarray(self.linear @ v)
        if not self.networks:
            return np.asarray(result, dtype=np.float32)
        n = len(v)
        wide = torch.from_numpy(np.concatenate([v, np.zeros_like(v[:1])]))
        change = torch.zeros_like(wide)
        for units, slots, derivative in self.networks:
            change.index_add_(0, units, (derivative * wide[slots]).sum(1))
            back = derivative * wide[units][:, None]
            change.index_add_(0, slots.ravel(), back.reshape(-1, back.shape[-1]))
        return np.asarray(result + 0.5 * change[:n].numpy(), dtype=np.float32)

    def diagonal(self, n_examples: int) -> Float32Array:
        """∂D_j/∂y_j [n_targets, n_examples]."""
        result = np.repeat(self.linear.diagonal()[:, None], n_examples, axis=1)
        for units, _, derivative in self.networks:
            result[units.numpy()] += derivative[:, 0].numpy()
        return np.asarray(result, dtype=np.float32)


def _nothing_kept(field: ScoreField) -> dict[float, sp.csr_array]:
    """Small matrices by noise level: a walk comes back to its levels with other examples."""
    return {}


def _linear(bound: BoundField, sigma: float) -> sp.csr_array:
    """Symmetric part of the closed form."""
    field = bound.field
    row, n = field.row_of_node, len(field.nodes)
    entries: list[list[np.ndarray]] = []
    for shard, (denoiser, _) in zip(field.shards, field.denoisers(bound.extent), strict=True):
        form = denoiser.closed_form
        noisy = form.patches.noisy
        weight = form.weights(np.full((form.n_units, 1), sigma))[:, 0, : noisy.shape[1], 0]
        slots = _rows_of_sources(shard, row, n)[noisy]
        unit, slot = np.nonzero(slots < n)
        entries.append([row[shard.target][unit], slots[unit, slot], weight[unit, slot]])
    i, j, w = (np.concatenate(part) for part in zip(*entries, strict=True))
    matrix = sp.csr_array((0.5 * w.astype(np.float32), (i, j)), shape=(n, n))
    return sp.csr_array(matrix + matrix.T)


def _rows_of_sources(shard: ShardState, row_of_node: IntArray, n: int) -> IntArray:
    """Row of each source in the state, n of padding and of context, which is clean."""
    return np.append(np.where(shard.source_given, n, row_of_node[shard.source_node]), n)
