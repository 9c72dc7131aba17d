"""A fitted model as plain data: a description in terms of JSON, and groups of arrays by name.

Arrays go to the store as named groups (one per shard, one for the graph), all else as JSON.
Nothing here runs code from a file.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from locality.data.transforms import Standardizer
from locality.domain.axis import Axis
from locality.domain.domain import Domain
from locality.domain.graph import DependencyGraph
from locality.exceptions import LocalityError, ModelCorrupt
from locality.local.field import ScoreField
from locality.local.shard import ShardState
from locality.model.groups import Arrays
from locality.model.model import Model
from locality.model.reference import Reference
from locality.model.settings import Settings
from locality.model.strange import arrays_of, windows_of
from locality.noise.levels import NoiseLevels

__all__ = ["model_of", "record_of", "require_fitting"]


def record_of(model: Model) -> tuple[dict[str, Any], dict[str, Arrays]]:
    """The description of a model, and its groups of arrays by name."""
    domain, graph = model.domain, model.domain.graph
    description = {
        "standardizer": model.standardizer.to_dict(),
        "names": list(domain.names),
        "axes": [
            {
                "name": axis.name,
                "window": None if axis.window is None else list(axis.window),
                "extent": axis.extent,
                "periodic": axis.periodic,
            }
            for axis in domain.axes
        ],
        "context": list(domain.context),
        "levels": [model.levels.sigma_min, model.levels.sigma_max],
        "extent": list(model.extent),
        "n_rows": model.n_rows,
        "settings": model.settings.to_dict(),
        "seconds": model.seconds,
        "made_with": model.made_with,
        "flavor": model.flavor,
        "n_shards": len(model.shards),
    }
    groups = {
        "graph": {
            "indptr": graph.indptr,
            "indices": graph.indices,
            "weights": graph.weights,
            "limits": model.limits,
        }
    }
    ids = model.node_ids
    if not np.array_equal(ids, np.arange(len(ids))):
        groups["nodes"] = {"id": ids}
    for number, shard in enumerate(model.shards):
        stored = shard.renumbered(ids) if "nodes" in groups else shard
        groups[_shard_name(number)] = stored.arrays()
    if model.reference is not None:
        groups["reference"] = model.reference.arrays()
    if model.strange:
        groups["strange"] = arrays_of(model.strange)
    return description, groups


def model_of(description: Mapping[str, Any], groups: Mapping[str, Arrays]) -> Model:
    """The model of a record.

    Raises
    ------
    ModelCorrupt
        If parts are missing or contradict each other.
    """
    try:
        shards = tuple(
            ShardState.from_arrays(groups[_shard_name(number)])
            for number in range(description["n_shards"])
        )
        ids = None
        if "nodes" in groups:
            ids = groups["nodes"]["id"]
            place = np.zeros(int(ids[-1]) + 1, dtype=np.int64)
            place[ids] = np.arange(len(ids))
            shards = tuple(shard.renumbered(place) for shard in shards)
        domain = _domain(description, groups["graph"])
        owned = np.sort(np.concatenate([shard.target for shard in shards]))
        if not np.array_equal(owned, domain.targets):
            raise ModelCorrupt(
                "The model's shards do not cover its components.",
                remedy="Fit it again, or restore the folder from a copy.",
            )
        low, high = description["levels"]
        return Model(
            Standardizer.from_dict(description["standardizer"]),
            ScoreField(domain, shards, groups["graph"]["limits"]),
            NoiseLevels(low, high),
            tuple(description["extent"]),
            description["n_rows"],
            Settings.from_dict(description["settings"]),
            description["seconds"],
            description["made_with"],
            description["flavor"],
            Reference.from_arrays(groups["reference"]) if "reference" in groups else None,
            ids,
            windows_of(groups["strange"]) if "strange" in groups else (),
        )
    except ModelCorrupt:
        raise
    except (KeyError, TypeError, ValueError, IndexError, LocalityError) as error:
        raise ModelCorrupt(
            f"The model's parts do not fit together: {type(error).__name__}: {error}.",
            remedy="Fit it again, or restore the folder from a copy.",
        ) from error


def require_fitting(model: Model) -> None:
    """Compare shards, reference, strange windows and domain with each other.

    Raises
    ------
    ModelCorrupt
        If they are not of one model.
    """
    for number, shard in enumerate(model.shards):
        if shard.source_offset.shape[1] != model.domain.n_axes:
            raise ModelCorrupt(f"Shard {number} does not have the axes of the domain.")
    n_columns = (
        model.standardizer.n_modeled if model.layout.is_lattice else len(model.domain.targets)
    )
    if model.reference is not None and model.reference.mean.shape != (n_columns,):
        raise ModelCorrupt(
            f"The reference is of {model.reference.mean.shape} components, expected {n_columns}."
        )
    for window in model.strange:
        if window.values.shape[1] != model.standardizer.n_columns:
            raise ModelCorrupt(
                f"A strange window has {window.values.shape[1]} columns, expected "
                f"{model.standardizer.n_columns}."
            )


def _domain(description: Mapping[str, Any], graph: Arrays) -> Domain:
    axes = tuple(
        Axis(
            axis["name"],
            None if axis["window"] is None else (axis["window"][0], axis["window"][1]),
            axis["extent"],
            axis["periodic"],
        )
        for axis in description["axes"]
    )
    return Domain(
        DependencyGraph(graph["indptr"], graph["indices"], graph["weights"]),
        tuple(description["names"]),
        axes,
        tuple(description["context"]),
    )


def _shard_name(number: int) -> str:
    return f"shard-{number:05d}"
