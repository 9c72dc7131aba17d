"""What a fitted model says about itself, in plain numbers.

Held-out nats come in three grades: every component alone (a Gaussian of its own), with its
neighborhood in closed form (local linear), and with its network where it has one (local neural).
Their differences say what the neighbors are worth, and what is not Gaussian about them. All are
in standardized units, so that columns compare; *expected surprise* adds the log scale of each
column and is what scored rows are measured against.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.model.model import Model
from locality.noise.levels import band_labels

__all__ = [
    "ModelSummary",
    "expected_surprise",
    "network_radius",
    "reach",
    "summarize",
]

_REST_ROWS = 20  # beside its atoms, a law that has others too was fitted to more


@dataclass(frozen=True)
class ComponentSummary:
    """One component: where it looks and what that is worth.

    Parameters
    ----------
    name : str
    law : str
        How its values are taken: as they are, by their logarithm, as states, …
    radius : int
        How far it sees, in hops along the graph.
    band_radii : tuple of int
        How far in every noise band, from the coarsest to the finest.
    network_radius : int or None
        How far its network sees, if it has one.
    n_neighbors, n_given : int
        Other slots of its neighborhood: modeled with it, and conditions (past rows, context).
    independent, linear, model, error : float
        Held-out nats in standardized units, and the standard error of its network's gain.
    """

    name: str
    law: str
    radius: int
    band_radii: tuple[int, ...]
    network_radius: int | None
    n_neighbors: int
    n_given: int
    independent: float
    linear: float
    model: float
    error: float

    @property
    def has_network(self) -> bool:
        """Whether a network corrects its closed form."""
        return self.network_radius is not None


@dataclass(frozen=True)
class BandSummary:
    """One noise band.

    Parameters
    ----------
    band : str
    mean_radius : float
    smallest_radius, largest_radius : int
        Of all components.
    saved : float
        Held-out nats of a row that this band saves, without networks, against the smallest radius
        that was measured.
    """

    band: str
    mean_radius: float
    smallest_radius: int
    largest_radius: int
    saved: float


@dataclass(frozen=True)
class RadiusSummary:
    """One radius that was measured.

    Parameters
    ----------
    radius : int
    linear : float
        Held-out nats of a row if all components had this radius at all noise levels, without
        networks.
    n_tried, n_networks : int
        Networks trained to the end that see this radius, and those of them that were kept.
    gain : float
        Nats a row that the networks trained save.
    """

    radius: int
    linear: float
    n_tried: int
    n_networks: int
    gain: float


@dataclass(frozen=True)
class ModelSummary:
    """A fitted model in plain numbers, ready for JSON.

    Parameters
    ----------
    kind : {"table", "causal series", "joint series", "lattice"}
    n_rows, n_columns, n_components, n_networks, lags, n_edges : int
    denoiser, radius_setting, graph : str
        As asked for.
    mean_neighbors : float
    context : tuple of str
        Columns that are conditions.
    set_aside : dict
        Columns not modeled, and what is known of them.
    independent, linear, model, error : float
        Held-out nats of a row, over all components, in standardized units.
    seconds, made_with : dict
        Wall-clock time per stage, versions of the software.
    """

    kind: str
    n_rows: int
    n_columns: int
    n_components: int
    n_networks: int
    lags: int
    denoiser: str
    radius_setting: str
    graph: str
    n_edges: int
    mean_neighbors: float
    context: tuple[str, ...]
    set_aside: dict[str, str]
    independent: float
    linear: float
    model: float
    error: float
    radii: tuple[RadiusSummary, ...]
    bands: tuple[BandSummary, ...]
    components: tuple[ComponentSummary, ...]
    seconds: dict[str, float]
    made_with: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The summary in terms of JSON."""
        return asdict(self)


def summarize(model: Model) -> ModelSummary:
    """Gather the summary of a model.

    Parameters
    ----------
    model : Model

    Examples
    --------
    >>> from locality import LocalizedDiffusion
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> X = OrnsteinUhlenbeckChain(6, correlation=0.7).sample(300, random_state=0)
    >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(X).model_
    >>> summary = summarize(model)
    >>> summary.n_edges, summary.linear < summary.independent
    (5, True)
    """
    domain, settings = model.domain, model.settings
    components = _components(model)
    positions = int(np.prod(model.extent, dtype=np.int64))  # of a lattice; else 1
    graph = settings.graph or "given"
    n_edges = domain.graph.n_edges
    mean_neighbors = float(domain.graph.degrees[domain.targets].mean())
    if model.layout.is_lattice:  # the axis is the graph
        n_edges = positions if graph == "ring" else positions - 1
        mean_neighbors = 2 * n_edges / positions
    return ModelSummary(
        kind=model.layout.kind,
        n_rows=model.n_rows,
        n_columns=model.standardizer.n_columns,
        n_components=len(model.layout.names),
        n_networks=sum(component.has_network for component in components) * positions,
        lags=settings.lags,
        denoiser=settings.denoiser,
        radius_setting=str(settings.radius),
        graph=str(graph),
        n_edges=int(n_edges),
        mean_neighbors=mean_neighbors,
        context=model.layout.context,
        set_aside=_set_aside(model),
        independent=positions * sum(component.independent for component in components),
        linear=positions * sum(component.linear for component in components),
        model=positions * sum(component.model for component in components),
        error=positions * float(np.sqrt(sum(component.error**2 for component in components))),
        radii=_radii(model, positions),
        bands=_bands(model, positions),
        components=components,
        seconds={name: float(value) for name, value in model.seconds.items()},
        made_with=dict(model.made_with),
    )


def reach(model: Model) -> IntArray:
    """Radius beyond which nothing has any influence on the score of a target [n_targets]."""
    return np.asarray(np.maximum(model.gather("radius").max(axis=1), network_radius(model)))


def expected_surprise(model: Model) -> FloatArray:
    """Mean surprise of every component on held-out rows, in the units of the table.

    Parameters
    ----------
    model : Model

    Returns
    -------
    float array [n_components]
    """
    places = model.layout.places
    held_out = model.gather("held_out")
    if model.layout.is_lattice:
        held_out = np.repeat(held_out, len(places))
    return np.asarray(held_out + model.standardizer.log_scale[places])


def _components(model: Model) -> tuple[ComponentSummary, ...]:
    """By target; a lattice has a single one."""
    network = network_radius(model)
    names = [model.domain.names[node] for node in model.domain.targets]
    columns = (
        [_law(model, name) for name in names],
        reach(model).tolist(),
        [tuple(row) for row in model.gather("radius").tolist()],
        [None if value < 0 else value for value in network.tolist()],
        (_count_slots(model, "noisy") - 1).tolist(),
        _count_slots(model, "given").tolist(),
        model.gather("held_out_independent").tolist(),
        _chosen(model).sum(axis=1).tolist(),
        model.gather("held_out").tolist(),
        model.gather("held_out_error").tolist(),
    )
    return tuple(ComponentSummary(*parts) for parts in zip(names, *columns, strict=True))


def _law(model: Model, name: str) -> str:
    """The law of a column in a few words; that of all columns for a lattice."""
    standardizer = model.standardizer
    place = 0 if model.layout.is_lattice else standardizer.modeled_names.index(name)
    kind = standardizer.kinds[standardizer.modeled[place]]
    law, noise = standardizer.marginals.get(place), float(standardizer.blur[place, 1])
    if kind == "boolean":
        return "true or false"
    parts: list[str] = []
    if law is not None and law.shape.name != "identity":
        parts.append(law.shape.name)
    if law is not None and len(law.atoms):
        few = law.rest * model.n_rows < _REST_ROWS
        what = "states" if kind == "category" else "values"
        often = ", ".join(f"{value:.4g}" for value in law.atoms[:3])
        parts.append(f"{len(law.atoms)} {what}" if few else f"often {often}")
    if law is not None and kind != "category" and np.isfinite(law.low):
        parts.append(f"{law.low:g} to {law.high:g}" if np.isfinite(law.high) else f"≥ {law.low:g}")
    return "; ".join(parts + [f"noise {noise:g}"] * (noise > 0)) or "as it is"


def _radii(model: Model, positions: int) -> tuple[RadiusSummary, ...]:
    linear = model.curve("linear_curve").sum(axis=2)
    networks, seen = model.curve("neural_curve"), network_radius(model)
    gain = np.nansum(_chosen(model).sum(axis=1, keepdims=True) - networks, axis=0)
    tried = np.isfinite(networks).sum(axis=0)
    return tuple(
        RadiusSummary(
            int(value),
            float(linear[:, i].sum()) * positions,
            int(tried[i]) * positions,
            int((seen == value).sum()) * positions,
            float(gain[i]) * positions,
        )
        for i, value in enumerate(model.radii.tolist())
    )


def _bands(model: Model, positions: int) -> tuple[BandSummary, ...]:
    radius = model.gather("radius")
    saved = (model.curve("linear_curve")[:, 0] - _chosen(model)).sum(axis=0) * positions
    return tuple(
        BandSummary(label, float(of.mean()), int(of.min()), int(of.max()), float(nats))
        for label, of, nats in zip(band_labels(), radius.T, saved, strict=True)
    )


def _chosen(model: Model) -> FloatArray:
    """Held-out nats of the closed form at the chosen radii [n_targets, n_bands]."""
    at = np.searchsorted(model.radii, model.gather("radius"))
    curve = model.curve("linear_curve")
    return np.asarray(np.take_along_axis(curve, at[:, None, :], axis=1)[:, 0])


def network_radius(model: Model) -> IntArray:
    """Radius of every network, -1 for components without one [n_targets]."""
    whole = np.full(model.domain.n_nodes, -1, dtype=np.int64)
    for shard in model.shards:
        whole[shard.target[shard.networks.unit]] = shard.networks.radius
    return whole[model.domain.targets]


def _count_slots(model: Model, name: str) -> IntArray:
    whole = np.zeros(model.domain.n_nodes, dtype=np.int64)
    for shard in model.shards:
        n = len(shard.source_node)
        counts = np.count_nonzero(getattr(shard, name) < n, axis=1)
        network = np.count_nonzero(getattr(shard.networks, name) < n, axis=1)
        # slots are ordered by distance: the wider of two patches holds the other
        units = shard.networks.unit
        counts[units] = np.maximum(counts[units], network)
        whole[shard.target] = counts
    return whole[model.domain.targets]


def _set_aside(model: Model) -> dict[str, str]:
    names = model.standardizer.names
    found = {}
    for aside in model.standardizer.set_aside:
        value = model.standardizer.text(aside.name, aside.value)
        constant, copy = f"constant at {value}", f"copy of {names[aside.source]}"
        found[aside.name] = constant if aside.reason == "constant" else copy
    return found
