"""What networks know: nats that they take from the closed form, value by value."""

from dataclasses import replace

import numpy as np

from locality._typing import FloatArray
from locality.inference.laws.repair import repair
from locality.model.model import Model

__all__ = ["network_gain"]


def network_gain(model: Model, rows: FloatArray) -> FloatArray | None:
    """Nats with networks minus nats of the closed form [n_rows, n_components]; None without any.

    Parameters
    ----------
    model : Model
        Of rows.
    rows : float array [n_nodes, n_rows]
        Standardized; where values are missing they are replaced by what is expected, and say
        nothing.
    """
    if not model.has_networks:
        return None
    from locality.inference.density.nats import nats_by_band

    missing = np.isnan(rows[model.domain.targets])
    complete = repair(model.field, rows, np.inf).values if missing.any() else rows
    with_networks = [shard for shard in model.shards if len(shard.networks)]
    parts = []
    for shards in (with_networks, [shard.linear for shard in with_networks]):
        field = replace(model.field, shards=tuple(shards))
        parts.append(nats_by_band(field, model.levels, complete).sum(axis=0))
    return np.where(missing.T, 0.0, parts[0] - parts[1])  # 0 of components without a network
