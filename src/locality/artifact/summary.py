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
from locality.artifact.model import Model

__all__ = ["ModelSummary", "component_names", "expected_surprise", "summarize"]


@dataclass(frozen=True)
class ComponentSummary:
    """One component: where it looks and what that is worth.

    Parameters
    ----------
    name : str
    radius : int
        Chosen, in hops along the graph.
    n_neighbors, n_given : int
        Other slots of its neighborhood: modeled with it, and conditions (past rows, context).
    independent, linear, model, error : float
        Held-out nats in standardized units, and the standard error of its network's gain.
    """

    name: str
    radius: int
    n_neighbors: int
    n_given: int
    shrinkage: float
    independent: float
    linear: float
    model: float
    error: float
    has_network: bool


@dataclass(frozen=True)
class RadiusSummary:
    """One radius that was measured.

    Parameters
    ----------
    radius : int
    linear : float
        Held-out nats of a row if all components had this radius, without networks.
    n_chosen, n_networks : int
        Components that have it, and those of them with a network.
    n_tried, gain : int, float
        Networks trained to the end at this radius, and the nats a row they save there.
    """

    radius: int
    linear: float
    n_chosen: int
    n_networks: int
    n_tried: int
    gain: float


@dataclass(frozen=True)
class ModelSummary:
    """A fitted model in plain numbers, ready for JSON.

    Parameters
    ----------
    kind : {"table", "causal series", "joint series", "lattice"}
    n_rows, n_columns, n_components, n_networks, lags, n_edges : int
    score, radius_setting, graph : str
        As asked for.
    mean_neighbors : float
    given : tuple of str
        Context columns.
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
    score: str
    radius_setting: str
    graph: str
    n_edges: int
    mean_neighbors: float
    given: tuple[str, ...]
    set_aside: dict[str, str]
    independent: float
    linear: float
    model: float
    error: float
    radii: tuple[RadiusSummary, ...]
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
    >>> model = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(X).model_
    >>> summary = summarize(model)
    >>> summary.n_edges, summary.linear < summary.independent
    (5, True)
    """
    domain, settings = model.domain, model.settings
    components = _components(model)
    positions = int(np.prod(model.extent, dtype=np.int64))  # of a lattice; else 1
    graph = settings["graph"] or "given"
    n_edges = domain.graph.n_edges
    mean_neighbors = float(domain.graph.degrees[domain.targets].mean())
    if model.is_lattice:  # the axis is the graph
        n_edges = positions if graph == "ring" else positions - 1
        mean_neighbors = 2 * n_edges / positions
    return ModelSummary(
        kind=_kind(model),
        n_rows=model.n_rows,
        n_columns=model.standardizer.n_columns,
        n_components=len(component_names(model)),
        n_networks=sum(component.has_network for component in components) * positions,
        lags=int(settings["lags"]),
        score=str(settings["score"]),
        radius_setting=str(settings["radius"]),
        graph=str(graph),
        n_edges=int(n_edges),
        mean_neighbors=mean_neighbors,
        given=tuple(domain.names[j] for j in domain.context),
        set_aside=_set_aside(model),
        independent=positions * sum(component.independent for component in components),
        linear=positions * sum(component.linear for component in components),
        model=positions * sum(component.model for component in components),
        error=positions * float(np.sqrt(sum(component.error**2 for component in components))),
        radii=_radii(model, positions),
        components=components,
        seconds={name: float(value) for name, value in model.seconds.items()},
        made_with=dict(model.made_with),
    )


def component_names(model: Model) -> tuple[str, ...]:
    """Columns that are modeled, in their order: not context, constants or copies."""
    context = {model.domain.names[j] for j in model.domain.context}
    return tuple(name for name in model.standardizer.modeled_names if name not in context)


def expected_surprise(model: Model) -> FloatArray:
    """Mean surprise of every component on held-out rows, in the units of the table.

    Parameters
    ----------
    model : Model

    Returns
    -------
    float array [n_components]
    """
    names = model.standardizer.modeled_names
    places = [names.index(name) for name in component_names(model)]
    held_out = model.gather("held_out")
    if model.is_lattice:
        held_out = np.repeat(held_out, len(places))
    return np.asarray(held_out + model.standardizer.log_scale[places])


def _components(model: Model) -> tuple[ComponentSummary, ...]:
    """By target; a lattice has a single one."""
    radius = model.gather("radius")
    at = np.searchsorted(model.shards[0].radii, radius)[:, None]
    columns = (
        radius.tolist(),
        (_count_slots(model, "noisy") - 1).tolist(),
        _count_slots(model, "given").tolist(),
        model.gather("shrinkage").tolist(),
        model.gather("held_out_independent").tolist(),
        np.take_along_axis(model.gather("linear_curve"), at, axis=1)[:, 0].tolist(),
        model.gather("held_out").tolist(),
        model.gather("held_out_error").tolist(),
        model.gather("has_network").tolist(),
    )
    names = [model.domain.names[node] for node in model.domain.targets]
    return tuple(ComponentSummary(*parts) for parts in zip(names, *columns, strict=True))


def _radii(model: Model, positions: int) -> tuple[RadiusSummary, ...]:
    radius, network = model.gather("radius"), model.gather("has_network")
    linear, neural = model.gather("linear_curve"), model.gather("neural_curve")
    tried, gain = np.isfinite(neural).sum(axis=0), np.nansum(linear - neural, axis=0)
    return tuple(
        RadiusSummary(
            int(value),
            float(linear[:, i].sum()) * positions,
            int((radius == value).sum()) * positions,
            int(network[radius == value].sum()) * positions,
            int(tried[i]) * positions,
            float(gain[i]) * positions,
        )
        for i, value in enumerate(model.shards[0].radii.tolist())
    )


def _count_slots(model: Model, name: str) -> IntArray:
    whole = np.zeros(model.domain.n_nodes, dtype=np.int64)
    for shard in model.shards:
        slots = getattr(shard, name)
        whole[shard.target] = np.count_nonzero(slots < len(shard.source_node), axis=1)
    return whole[model.domain.targets]


def _set_aside(model: Model) -> dict[str, str]:
    names = model.standardizer.names
    found = {}
    for aside in model.standardizer.set_aside:
        constant, copy = f"constant at {aside.value:.6g}", f"copy of {names[aside.source]}"
        found[aside.name] = constant if aside.reason == "constant" else copy
    return found


def _kind(model: Model) -> str:
    series = "causal series" if model.is_causal else "joint series"
    return "lattice" if model.is_lattice else series if model.is_series else "table"
