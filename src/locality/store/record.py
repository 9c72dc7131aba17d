"""The record of a model: plain data for the store, and back.

Arrays are named groups (one per shard, one for the graph), all else is JSON. Nothing here runs code
from a file.
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
from locality.model.model import Model
from locality.model.reference import Reference
from locality.model.settings import Settings
from locality.noise.levels import NoiseLevels

__all__ = ["model_of", "record_of"]


def record_of(model: Model) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """JSON-able description of a model, and groups of arrays by name."""
    graph = model.domain.graph
    description = {
        "standardizer": model.standardizer.to_dict(),
        "names": list(model.domain.names),
        "axes": [
            {
                "name": axis.name,
                "window": None if axis.window is None else list(axis.window),
                "extent": axis.extent,
                "periodic": axis.periodic,
            }
            for axis in model.domain.axes
        ],
        "context": list(model.domain.context),
        "levels": [model.levels.sigma_min, model.levels.sigma_max],
        "extent": list(model.extent),
        "n_rows": model.n_rows,
        "settings": model.settings.to_dict(),
        "seconds": model.seconds,
        "made_with": model.made_with,
        "flavor": model.flavor,
        "n_shards": len(model.shards),
    }
    arrays = {
        "graph": {
            "indptr": graph.indptr,
            "indices": graph.indices,
            "weights": graph.weights,
            "limits": model.limits,
        }
    }
    ids = model.node_ids
    if not np.array_equal(ids, np.arange(len(ids))):
        arrays["nodes"] = {"id": ids}
    for number, shard in enumerate(model.shards):
        stored = shard.renumbered(ids) if "nodes" in arrays else shard
        arrays[f"shard-{number:05d}"] = stored.arrays()
    if model.reference is not None:
        arrays["reference"] = model.reference.arrays()
    return description, arrays


def model_of(description: dict[str, Any], arrays: Mapping[str, dict[str, np.ndarray]]) -> Model:
    """The model of a record.

    Raises
    ------
    ModelCorrupt
        If parts are missing or contradict each other.
    """
    try:
        graph = arrays["graph"]
        low, high = description["levels"]
        axes = tuple(
            Axis(
                axis["name"],
                None if axis["window"] is None else (axis["window"][0], axis["window"][1]),
                axis["extent"],
                axis["periodic"],
            )
            for axis in description["axes"]
        )
        domain = Domain(
            DependencyGraph(graph["indptr"], graph["indices"], graph["weights"]),
            tuple(description["names"]),
            axes,
            tuple(description["context"]),
        )
        shards = tuple(
            ShardState.from_arrays(arrays[f"shard-{number:05d}"])
            for number in range(description["n_shards"])
        )
        ids = None
        if "nodes" in arrays:
            ids = arrays["nodes"]["id"]
            place = np.zeros(int(ids[-1]) + 1, dtype=np.int64)
            place[ids] = np.arange(len(ids))
            shards = tuple(shard.renumbered(place) for shard in shards)
        owned = np.sort(np.concatenate([shard.target for shard in shards]))
        if not np.array_equal(owned, domain.targets):
            raise ModelCorrupt(
                "The model's shards do not cover its components.",
                remedy="Fit it again, or restore the folder from a copy.",
            )
        return Model(
            Standardizer.from_dict(description["standardizer"]),
            ScoreField(domain, shards, graph["limits"]),
            NoiseLevels(low, high),
            tuple(description["extent"]),
            description["n_rows"],
            Settings.from_dict(description["settings"]),
            description["seconds"],
            description["made_with"],
            description["flavor"],
            Reference(**arrays["reference"]) if "reference" in arrays else None,
            ids,
        )
    except ModelCorrupt:
        raise
    except (KeyError, TypeError, ValueError, IndexError, LocalityError) as error:
        raise ModelCorrupt(
            f"The model's parts do not fit together: {type(error).__name__}: {error}.",
            remedy="Fit it again, or restore the folder from a copy.",
        ) from error
