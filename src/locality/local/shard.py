"""A trained shard: all that is known about some components, and nothing of the others.

A shard keeps the second moments of its sources, not decompositions of them: from these the closed
form follows for any boundary class (and any pattern of slots that cannot be seen), at any extent
of the axes. Networks are kept for the components where they beat the closed form on held-out rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.domain import Domain
from locality.local.denoiser import LocalDenoiser
from locality.local.linear import LinearDenoiser
from locality.local.networks import NETWORK, NetworkGroup
from locality.local.patches import Patches, Sources

__all__ = ["ShardState"]

_OF_COMPONENTS = (
    "target", "radius", "shrinkage", "noisy", "given", "n_noisy", "n_given", "held_out",
    "held_out_error", "held_out_independent", "linear_curve", "neural_curve",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ShardState:
    """What is fitted of one shard with m components.

    Parameters
    ----------
    target : int array [m]
        Node of each component.
    radius : int array [m, n_bands]
        Chosen radius of the closed form in every noise band, from the coarsest to the finest.
    shrinkage : float array [m, n_bands]
        Weight of the identity in its covariance.
    source_node, source_offset, source_given : arrays [n_sources], [n_sources, n_axes], [n_sources]
        What the shard reads.
    noisy, given : int arrays [m, n_noisy], [m, n_given]
        Slots of each component at its largest radius, nearest first, padded with n_sources.
    n_noisy, n_given : int arrays [m, n_bands]
        How many of the first slots each band sees.
    covariance : float array [n_sources, n_sources]
        Of the standardized sources.
    networks : NetworkGroup
        Of some of the components.
    held_out : float array [m]
        Held-out nats of the model (standardized units).
    held_out_error : float array [m]
        Standard error of the gain by networks, zero without one.
    held_out_independent : float array [m]
        Held-out nats of a Gaussian that sees the component alone.
    radii : int array [n_radii]
        Radii that were measured.
    linear_curve : float array [m, n_radii, n_bands]
        Held-out nats of the closed form at each radius, by noise band.
    neural_curve : float array [m, n_radii]
        Held-out nats with a network that sees this radius; NaN where not measured.
    """

    target: IntArray
    radius: IntArray
    shrinkage: FloatArray
    source_node: IntArray
    source_offset: IntArray
    source_given: BoolArray
    noisy: IntArray
    given: IntArray
    n_noisy: IntArray
    n_given: IntArray
    covariance: FloatArray
    networks: NetworkGroup
    held_out: FloatArray
    held_out_error: FloatArray
    held_out_independent: FloatArray
    radii: IntArray
    linear_curve: FloatArray
    neural_curve: FloatArray

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name, those of networks included."""
        own = [item.name for item in fields(self) if item.name != "networks"]
        return {name: getattr(self, name) for name in own} | self.networks.arrays()

    @property
    def n_bytes(self) -> int:
        """Of all arrays."""
        return sum(array.nbytes for array in self.arrays().values())

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "ShardState":
        """The shard of ``arrays``.

        Raises
        ------
        KeyError, TypeError
            If an array is missing, or there is another one.
        """
        own: dict[str, Any] = {k: v for k, v in arrays.items() if not k.startswith(NETWORK)}
        return cls(networks=NetworkGroup.from_arrays(arrays, len(own["source_node"])), **own)

    @property
    def sources(self) -> Sources:
        """What the shard reads."""
        return Sources(self.source_node, self.source_offset, self.source_given)

    @property
    def patches(self) -> Patches:
        """One unit per component, at its largest radius."""
        return Patches(self.noisy, self.given, len(self.source_node))

    @property
    def linear(self) -> "ShardState":
        """The same shard without networks."""
        return replace(self, networks=NetworkGroup.empty(len(self.source_node)))

    def take(self, components: IntArray) -> "ShardState":
        """The state of some components, ascending numbers from 0, with the sources they read.

        Parameters
        ----------
        components : int array [n_chosen]
        """
        rows = {name: getattr(self, name)[components] for name in _OF_COMPONENTS}
        return replace(self, **rows, networks=self.networks.take(components)).compacted()

    def compacted(self) -> "ShardState":
        """Of all sources only those that some component or network looks at."""
        tables = (self.noisy, self.given, self.networks.noisy, self.networks.given)
        seen = np.unique(np.concatenate([table.ravel() for table in tables]))
        return self.reading(seen[seen < len(self.source_node)])

    def reading(self, sources: IntArray) -> "ShardState":
        """The same shard with some of its sources only, in their order.

        The closed form integrates the others out: slots behind theirs move up. Networks keep the
        places of their slots.

        Parameters
        ----------
        sources : int array [n_chosen]
        """
        place = np.full(len(self.source_node) + 1, len(sources))
        place[sources] = np.arange(len(sources))
        noisy, n_noisy = _moved_up(place[self.noisy], self.n_noisy, len(sources))
        given, n_given = _moved_up(place[self.given], self.n_given, len(sources))
        return replace(
            self,
            source_node=self.source_node[sources],
            source_offset=self.source_offset[sources],
            source_given=self.source_given[sources],
            noisy=noisy,
            given=given,
            n_noisy=n_noisy,
            n_given=n_given,
            covariance=self.covariance[np.ix_(sources, sources)],
            networks=self.networks.reading(sources),
        )

    def renumbered(self, place: IntArray) -> "ShardState":
        """The same shard where node k of the domain is ``place[k]``.

        Parameters
        ----------
        place : int array [n_nodes]
            Ascending where it is used.
        """
        return replace(self, target=place[self.target], source_node=place[self.source_node])

    def seeing(self, nodes: IntArray) -> tuple[BoolArray, BoolArray]:
        """Which closed forms [m] and which networks [w] see one of some nodes."""
        chosen = np.isin(self.source_node, nodes)
        at = np.append(chosen, False)
        closed_forms = at[self.noisy].any(axis=1) | at[self.given].any(axis=1)
        return np.asarray(closed_forms), self.networks.seeing(chosen)

    def without(self, nodes: IntArray) -> "ShardState":
        """What the shard says where some nodes are not seen: the closed form integrates them out.

        Components of these nodes are gone, and so are networks that see one of them.

        Parameters
        ----------
        nodes : int array
            Not all components are of them.
        """
        own = np.isin(self.target, nodes)
        if own.any():
            return self.take(np.flatnonzero(~own)).without(nodes)
        gone = np.isin(self.source_node, nodes)
        if not gone.any():
            return self
        blind = replace(self, networks=self.networks.keep(~self.networks.seeing(gone)))
        return blind.reading(np.flatnonzero(~gone)).compacted()

    @property
    def has_network(self) -> BoolArray:
        """Which components have a network [m]."""
        return np.isin(np.arange(len(self.target)), self.networks.unit)

    def closed_form(self, inside: BoolArray) -> "LinearDenoiser":
        """The closed form for some boundary classes.

        Parameters
        ----------
        inside : bool array [n_classes, n_sources]
        """
        return LinearDenoiser.fit(
            np.pad(self.covariance, (0, 1)),
            self.patches,
            self.n_noisy,
            self.n_given,
            self.shrinkage,
            inside,
        )

    def denoiser(self, domain: Domain, extent: tuple[int, ...]) -> "tuple[LocalDenoiser, IntArray]":
        """The denoiser on a lattice of this extent, and the boundary class of every position."""
        class_of_position, inside = self.sources.inside(domain, extent)
        form = self.closed_form(inside)
        if not len(self.networks):
            return LocalDenoiser(form, inside), class_of_position
        from locality.local.correction import Correction

        correction = Correction.of(self.networks, form, inside)
        return LocalDenoiser(form, inside, correction), class_of_position


def _moved_up(slots: IntArray, counts: IntArray, padding: int) -> tuple[IntArray, IntArray]:
    """Slots with padding moved behind all others, and how many of the first ones are left.

    Parameters
    ----------
    slots : int array [m, n_slots]
    counts : int array [m, n_bands]
        How many of the first slots each band sees.
    padding : int
        What slots hold that are none.
    """
    gone = slots == padding
    lost = np.pad(gone.cumsum(axis=1), ((0, 0), (1, 0)))
    order = np.argsort(gone, axis=1, kind="stable")
    left = counts - np.take_along_axis(lost, counts, axis=1)
    return np.take_along_axis(slots, order, axis=1), left
