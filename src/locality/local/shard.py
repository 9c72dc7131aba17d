"""A trained shard: all that is known about some components, and nothing of the others.

A shard keeps the second moments of its sources, not decompositions of them: from these the closed
form follows for any boundary class (and any pattern of slots that cannot be seen), at any extent
of the axes. Networks are kept for the components where they beat the closed form on held-out rows.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.domain.domain import Domain
from locality.local.denoiser import LocalDenoiser
from locality.local.linear import LinearDenoiser
from locality.local.patches import Patches, Sources

__all__ = ["ShardState", "closed_up"]

_OF_NETWORKS = (
    "network_unit", "network_radius", "network_noisy", "network_given", "level_range",
    "w1", "w2", "w3", "b3",
)  # fmt: skip
_OF_SOURCES = ("source_node", "source_offset", "source_given")
_OF_COMPONENTS = (
    "target", "radius", "shrinkage", "n_noisy", "n_given", "held_out", "held_out_error",
    "held_out_independent", "linear_curve", "neural_curve",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ShardState:
    """The fitted arrays of one shard with m components, of which w have a network.

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
    network_unit : int array [w]
        Components that have a network.
    network_radius : int array [w]
        What their networks see.
    network_noisy, network_given : int arrays [w, ...]
        The same as slots, padded with n_sources.
    level_range : float array [w, 2]
        Trained noise levels.
    trained_inside : bool array [n_trained_classes, n_sources]
        Boundary classes in which networks were trained.
    uses_rim : bool array [1]
        Whether networks see which slots lie inside.
    w1, w2, w3, b3 : float32 arrays
        Stacked weights of the networks.
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
    network_unit: IntArray
    network_radius: IntArray
    network_noisy: IntArray
    network_given: IntArray
    level_range: FloatArray
    trained_inside: BoolArray
    uses_rim: BoolArray
    w1: np.ndarray
    w2: np.ndarray
    w3: np.ndarray
    b3: np.ndarray
    held_out: FloatArray
    held_out_error: FloatArray
    held_out_independent: FloatArray
    radii: IntArray
    linear_curve: FloatArray
    neural_curve: FloatArray

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

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
        return replace(self, **{name: getattr(self, name)[:0] for name in _OF_NETWORKS})

    def take(self, components: IntArray) -> "ShardState":
        """The state of some components, ascending numbers from 0, with the sources they read.

        Parameters
        ----------
        components : int array [n_chosen]
        """
        n = len(self.source_node)
        kept = np.isin(self.network_unit, components)
        of_networks = {name: getattr(self, name)[kept] for name in _OF_NETWORKS}
        slots = {"noisy": self.noisy[components], "given": self.given[components]}
        slots |= {name: of_networks[name] for name in ("network_noisy", "network_given")}
        used = np.unique(np.concatenate([part.ravel() for part in slots.values()]))
        used = used[used < n]
        place = np.full(n + 1, len(used))
        place[used] = np.arange(len(used))
        of_networks["network_unit"] = np.searchsorted(components, of_networks["network_unit"])
        sources = {name: getattr(self, name)[used] for name in _OF_SOURCES}
        per_component = {name: getattr(self, name)[components] for name in _OF_COMPONENTS}
        return replace(
            self,
            **per_component,
            **sources,
            **(of_networks | {name: place[part] for name, part in slots.items()}),
            covariance=self.covariance[np.ix_(used, used)],
            trained_inside=self.trained_inside[:, used],
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
        at = np.append(np.isin(self.source_node, nodes), False)
        return (
            np.asarray(at[self.noisy].any(axis=1) | at[self.given].any(axis=1)),
            np.asarray(at[self.network_noisy].any(axis=1) | at[self.network_given].any(axis=1)),
        )

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
        n = len(self.source_node)
        gone = np.append(np.isin(self.source_node, nodes), False)
        if not gone.any():
            return self
        blind = ~self.seeing(nodes)[1]
        slots: dict[str, np.ndarray] = {}
        for name in ("noisy", "given"):
            slot = getattr(self, name)
            slots[name], slots[f"n_{name}"] = closed_up(
                np.where(gone[slot], n, slot), getattr(self, f"n_{name}"), n
            )
        networks = {name: getattr(self, name)[blind] for name in _OF_NETWORKS}
        return replace(self, **slots, **networks).take(np.arange(len(self.target)))

    @property
    def has_network(self) -> BoolArray:
        """Which components have a network [m]."""
        return np.isin(np.arange(len(self.target)), self.network_unit)

    def closed_form(self, inside: BoolArray) -> LinearDenoiser:
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

    def denoiser(self, domain: Domain, extent: tuple[int, ...]) -> tuple[LocalDenoiser, IntArray]:
        """The denoiser on a lattice of this extent, and the boundary class of every position."""
        class_of_position, inside = self.sources.inside(domain, extent)
        form = self.closed_form(inside)
        if not len(self.network_unit):
            return LocalDenoiser(form, inside), class_of_position
        from locality.local.correction import Correction

        correction = Correction.of(self, form, inside)
        return LocalDenoiser(form, inside, correction), class_of_position


def closed_up(slots: IntArray, counts: IntArray, padding: int) -> tuple[IntArray, IntArray]:
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
