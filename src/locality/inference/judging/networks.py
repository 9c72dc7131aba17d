"""What networks know: nats that they take from the closed form, value by value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from locality._typing import FloatArray
from locality.data.table import Table
from locality.inference.laws.repair import repair
from locality.local.field import ScoreField
from locality.model.model import Model

__all__ = ["RecentRows", "network_gain"]

_BLOCK = 64
"""Rows that are asked about together, always so many, and each always at the same place among
them: so their bits do not depend on the rows that arrive with them."""


@dataclass(frozen=True, eq=False)
class RecentRows:
    """The last rows as networks need them.

    Parameters
    ----------
    n_seen : int
        Rows so far.
    rows : float array [n_nodes, n_kept]
        Standardized, NaN where missing: those of the block that has begun, and as many before as
        networks look back upon.
    """

    n_seen: int
    rows: FloatArray

    @classmethod
    def empty(cls, n_nodes: int) -> "RecentRows":
        """Before the first row."""
        return cls(0, np.zeros((n_nodes, 0)))

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name; `from_arrays` restores them."""
        return {"n_seen": np.array([self.n_seen]), "rows": self.rows}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "RecentRows":
        """What `arrays` returned."""
        return cls(int(arrays["n_seen"][0]), arrays["rows"])

    def gain(self, model: Model, table: Table) -> "tuple[FloatArray | None, RecentRows]":
        """What networks know of the next rows, as ``network_gain``, and the rows after them."""
        if not model.has_networks:
            return None, self
        fresh = model.layout.standard_rows(table)
        n_lags, found = model.layout.n_lags, []
        recent, n_seen = self.rows, self.n_seen
        while fresh.shape[1]:
            place = n_seen % _BLOCK
            part, fresh = np.split(fresh, [min(_BLOCK - place, fresh.shape[1])], axis=1)
            recent = np.hstack([recent, part])
            before = recent.shape[1] - part.shape[1] - place  # rows ahead of the block
            whole = np.zeros((len(recent), before + _BLOCK))
            whole[:, : recent.shape[1]] = recent
            told = network_gain(model, whole)
            assert told is not None
            found.append(told[before + place : before + place + part.shape[1]])
            n_seen += part.shape[1]
            if n_seen % _BLOCK == 0:
                recent = recent[:, max(0, recent.shape[1] - n_lags) :]
        n_targets = len(model.domain.targets)
        empty = np.zeros((0, n_targets))
        return np.concatenate([empty, *found]), RecentRows(n_seen, np.array(recent))


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
    parts = [
        nats_by_band(field, model.levels, complete).sum(axis=0)
        for field in model.field.derived(_with_and_without)
    ]
    return np.where(missing.T, 0.0, parts[0] - parts[1])  # 0 of components without a network


def _with_and_without(field: ScoreField) -> tuple[ScoreField, ScoreField]:
    """The shards that have networks, and their closed form."""
    shards = tuple(shard for shard in field.shards if len(shard.networks))
    linear = tuple(shard.linear for shard in shards)
    return replace(field, shards=shards), replace(field, shards=linear)
