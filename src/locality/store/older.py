"""Models that earlier releases stored, in today's terms.

Schema 1 had no versions; in 1 and 2 the networks of a shard were arrays of its own, and some
settings had other names. What is stored is never changed: it is read as if it had been stored
today.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from locality.model.groups import Arrays
from locality.store.manifest import Manifest

__all__ = ["description_of", "group_of", "renamed_settings"]

_LAST_FLAT = 2  # schema version
_ANYWHERE = 1e30
_PERCEPTRON = {
    "network_unit": "network.unit",
    "network_radius": "network.radius",
    "network_noisy": "network.noisy",
    "network_given": "network.given",
    "level_range": "network.level_range",
    "trained_inside": "network.trained_inside",
    "uses_rim": "network.uses_rim",
    **{name: f"network.weight.{name}" for name in ("w1", "w2", "w3", "b3")},
}
_RENAMED = {"score": "denoiser", "given": "context"}
_DROPPED = ("n_jobs", "engine", "device", "gpu_share")  # of the machine, not of the model


def description_of(manifest: Manifest) -> dict[str, Any]:
    """What a manifest says of its model."""
    described = manifest.description
    if manifest.schema_version > _LAST_FLAT:
        return described
    settings = described.get("settings")
    if not isinstance(settings, dict):
        return described
    return described | {"settings": renamed_settings(settings)}


def renamed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of schema 1 and 2 under the names of schema 3.

    Those that did not exist then are not there.

    Examples
    --------
    >>> renamed_settings({"graph": "chain", "score": "linear", "given": ["load"], "n_jobs": 2})
    {'graph': 'chain', 'denoiser': 'linear', 'context': ['load']}
    """
    return {
        _RENAMED.get(name, name): value for name, value in settings.items() if name not in _DROPPED
    }


def group_of(manifest: Manifest, name: str, arrays: Arrays) -> Arrays:
    """The arrays of one group of a model.

    Parameters
    ----------
    manifest : Manifest
        That names it.
    name : str
        Of the group.
    arrays : dict
        As they are stored.
    """
    if not name.startswith("shard-"):
        return arrays
    if manifest.schema_version > _LAST_FLAT:
        return _believed(arrays)
    own = {name: array for name, array in arrays.items() if name not in _PERCEPTRON}
    if not arrays.get("network_unit", np.ones(1)).size:  # arrays without rows
        return own
    own["network.kind"] = np.frombuffer(b"perceptron", dtype=np.uint8).copy()
    return _believed(own | {new: arrays[old] for old, new in _PERCEPTRON.items() if old in arrays})


def _believed(arrays: Arrays) -> Arrays:
    """Networks of which nobody knows what they have seen are believed everywhere, and wholly."""
    if "network.kind" not in arrays or "network.factor" in arrays:
        return arrays
    n_sources, n_networks = len(arrays["source_node"]), len(arrays["network.unit"])
    return arrays | {
        "network.factor": np.ones(n_networks),
        "network.trained_range": np.tile([-_ANYWHERE, _ANYWHERE], (n_sources, 1)),
    }
