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

from locality._typing import Float32Array
from locality.local.bound import BoundField
from locality.local.field import is_plain

__all__ = ["Jacobian"]


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
        entries: list[list[np.ndarray]] = []
        networks, n_unbundled = [], 0
        for shard, (denoiser, _) in zip(field.shards, field.denoisers(bound.extent), strict=True):
            form = denoiser.closed_form
            level = np.full((form.n_units, 1), sigma)
            noisy = form.patches.noisy
            weight = form.weights(level)[:, 0, : noisy.shape[1], 0]
            # padding, and context, which is clean, have no row in the state
            place = np.append(np.where(shard.source_given, n, row[shard.source_node]), n)
            own = row[shard.target]
            unit, slot = np.nonzero(place[noisy] < n)
            entries.append([own[unit], place[noisy][unit, slot], weight[unit, slot]])
            correction = denoiser.correction
            if correction is not None:
                slots = torch.from_numpy(place[correction.inputs.patches.noisy])
                z = bound.examples(n_unbundled, y)
                derivative = correction.jacobian(z, sigma)
                units = torch.from_numpy(own)[correction.units]
                networks.append((units, slots, derivative))
            n_unbundled += not is_plain(shard)
        i, j, w = (np.concatenate(part) for part in zip(*entries, strict=True))
        matrix = sp.csr_array((0.5 * w.astype(np.float32), (i, j)), shape=(n, n))
        return cls(sp.csr_array(matrix + matrix.T), tuple(networks))

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
