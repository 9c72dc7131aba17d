"""The fitted model: everything ``fit`` learned."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.transforms import Standardizer
from locality.domain.domain import Domain
from locality.local.shard import ShardState
from locality.model.reference import Reference
from locality.noise.levels import NoiseLevels

if TYPE_CHECKING:
    from locality.local.field import ScoreField

__all__ = ["Model"]


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted localized diffusion model.

    Parameters
    ----------
    standardizer : Standardizer
        Columns of the table to standardized components and back.
    domain : Domain
        Nodes are the modeled columns, or one channel if the columns lie along a lattice axis.
    shards : tuple of ShardState
    levels : NoiseLevels
    limits : float array [n_nodes, 2]
        Standardized bounds within which samples stay.
    extent : tuple of int
        Positions of a lattice; () for tables and series.
    n_rows : int
        Rows fitted.
    settings : dict
        The estimator's parameters.
    seconds : dict
        Wall-clock time per stage of fitting.
    made_with : dict
        Versions of the software.
    flavor : str
        Kind of frame the model was fitted to, and in which it answers.
    reference : Reference or None
        How normal rows look, for alarms; None if there is no law of a row, or too few rows.
    ids : int array [n_nodes] or None
        Numbers of the nodes in stored shards, ascending. They stay when nodes come and go, and so
        do the files of shards that have nothing to do with it. None: 0, 1, ….
    """

    standardizer: Standardizer
    domain: Domain
    shards: tuple[ShardState, ...]
    levels: NoiseLevels
    limits: FloatArray
    extent: tuple[int, ...]
    n_rows: int
    settings: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    made_with: dict[str, str] = field(default_factory=dict)
    flavor: str = "pandas"
    reference: Reference | None = None
    ids: IntArray | None = None

    @property
    def field(self) -> "ScoreField":
        """The assembled score, bounded by the limits."""
        from locality.local.field import ScoreField

        return ScoreField(self.domain, self.shards, self.limits)

    @property
    def node_ids(self) -> IntArray:
        """Numbers of the nodes in stored shards [n_nodes]."""
        return np.arange(self.domain.n_nodes) if self.ids is None else self.ids

    @property
    def is_causal(self) -> bool:
        """Whether rows are a time series, each given the rows before it."""
        return any(axis.is_causal for axis in self.domain.axes)

    @property
    def is_series(self) -> bool:
        """Whether rows are a time series at all."""
        return any(axis.is_series for axis in self.domain.axes)

    @property
    def is_lattice(self) -> bool:
        """Whether columns lie along a tied axis."""
        return bool(self.extent)

    @cached_property
    def unrolled(self) -> "Model":
        """A lattice as a table, whose components are the columns; all others as they are."""
        if not self.is_lattice:
            return self
        from locality.local.unrolled import unrolled

        names = self.standardizer.modeled_names
        table = unrolled(self.field, self.extent, names)
        assert table.limits is not None
        return replace(
            self, domain=table.domain, shards=table.shards, limits=table.limits, extent=(),
            ids=None,
        )  # fmt: skip

    @property
    def has_networks(self) -> bool:
        """Whether any component has a network on top of its closed form."""
        return any(len(shard.networks) for shard in self.shards)

    def gather(self, name: str) -> np.ndarray:
        """One array of all shards, by target [n_targets, ...].

        Parameters
        ----------
        name : str
            An array of ``ShardState`` whose first axis counts components.
        """
        first = getattr(self.shards[0], name)
        whole = np.zeros((self.domain.n_nodes, *first.shape[1:]), dtype=first.dtype)
        for shard in self.shards:
            whole[shard.target] = getattr(shard, name)
        return whole[self.domain.targets]

    @property
    def radii(self) -> IntArray:
        """All radii that were measured anywhere, ascending."""
        return np.unique(np.concatenate([shard.radii for shard in self.shards]))

    def curve(self, name: str) -> FloatArray:
        """A curve over radii of all shards, by target [n_targets, n_radii, ...].

        Shards that were learned at different times may have been measured at different radii.

        Parameters
        ----------
        name : "linear_curve" or "neural_curve"
            The closed form stays level where it was not measured; networks are NaN there.
        """
        radii = self.radii
        whole: FloatArray | None = None
        for shard in self.shards:
            at = np.maximum(np.searchsorted(shard.radii, radii, side="right") - 1, 0)
            part = getattr(shard, name)[:, at]
            if name == "neural_curve":
                part[:, shard.radii[at] != radii] = np.nan
            if whole is None:
                whole = np.zeros((self.domain.n_nodes, *part.shape[1:]))
            whole[shard.target] = part
        assert whole is not None
        return np.asarray(whole[self.domain.targets])
