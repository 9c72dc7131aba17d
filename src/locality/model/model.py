"""The fitted model: a score field in the layout of a table, with all that was learned beside it.

The field is one object for the life of a model, and what is derived from it (denoisers, laws of
rows) is solved once and kept by it; so whoever asks a model twice gets the second answer for less.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.data.kinds import Flavor
from locality.data.transforms import Standardizer
from locality.domain.domain import Domain
from locality.local.field import ScoreField
from locality.local.shard import ShardState
from locality.model.layout import Layout
from locality.model.reference import Reference
from locality.model.settings import Settings
from locality.model.strange import StrangeWindow
from locality.noise.levels import NoiseLevels

__all__ = ["Model"]

Normal: TypeAlias = "Reference | Callable[[Model], Reference | None] | None"


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted localized diffusion model.

    Parameters
    ----------
    standardizer : Standardizer
        Columns of the table to standardized components and back.
    field : ScoreField
        Domain, shards, and the standardized bounds within which samples stay. Nodes are the
        modeled columns, or one channel if the columns lie along a lattice axis.
    levels : NoiseLevels
    extent : tuple of int
        Positions of a lattice; () for tables and series.
    n_rows : int
        Rows fitted.
    settings : Settings
    seconds : dict
        Wall-clock time per stage of fitting.
    made_with : dict
        Versions of the software.
    flavor : str
        Kind of frame the model was fitted to, and in which it answers.
    normal : Reference, callable or None
        How normal rows look, for alarms, or what tells of the model when first asked; None if
        there is no law of a row, or too few rows.
    ids : int array [n_nodes] or None
        Numbers of the nodes in stored shards, ascending. They stay when nodes come and go, and so
        do the files of shards that have nothing to do with it. None: 0, 1, ….
    strange : tuple of StrangeWindow
        Rows that every later version must still find abnormal.
    """

    standardizer: Standardizer
    field: ScoreField
    levels: NoiseLevels
    extent: tuple[int, ...]
    n_rows: int
    settings: Settings
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    made_with: dict[str, str] = dataclasses.field(default_factory=dict)
    flavor: Flavor = "pandas"
    normal: Normal = None
    ids: IntArray | None = None
    strange: tuple[StrangeWindow, ...] = ()

    @property
    def domain(self) -> Domain:
        """Who neighbors whom."""
        return self.field.domain

    @property
    def shards(self) -> tuple[ShardState, ...]:
        """What was learned, component by component."""
        return self.field.shards

    def with_shards(self, shards: Sequence[ShardState]) -> "Model":
        """The same but for what was learned of components."""
        return replace(self, field=replace(self.field, shards=tuple(shards)))

    @property
    def limits(self) -> FloatArray:
        """Standardized bounds within which samples stay [n_nodes, 2]."""
        assert self.field.limits is not None
        return self.field.limits

    @cached_property
    def layout(self) -> Layout:
        """How the columns of a table lie in a state."""
        return Layout(self.standardizer, self.domain, self.extent)

    @cached_property
    def reference(self) -> Reference | None:
        """How normal rows look; None if that is not known."""
        return self.normal(self) if callable(self.normal) else self.normal

    @property
    def node_ids(self) -> IntArray:
        """Numbers of the nodes in stored shards [n_nodes]."""
        return np.arange(self.domain.n_nodes) if self.ids is None else self.ids

    @property
    def is_ordered(self) -> bool:
        """Whether rows follow each other in time."""
        return self.layout.is_series or self.settings.time is not None

    @cached_property
    def unrolled(self) -> "Model":
        """A lattice as a table, whose components are the columns; all others as they are."""
        if not self.layout.is_lattice:
            return self
        from locality.local.unrolled import unrolled

        table = unrolled(self.field, self.extent, self.standardizer.modeled_names)
        return replace(self, field=table, extent=(), ids=None)

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
