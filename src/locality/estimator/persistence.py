"""The estimator's own part of a stored model: its parameters and the names it was fitted with."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from locality.model.model import Model

__all__ = ["parameters_from", "restore_names", "settings_of"]


def settings_of(estimator: Any) -> dict[str, Any]:
    """Parameters of a LocalizedDiffusion as plain data, with its seed and column names.

    A graph passed as an object is stored as None: the model holds it anyway.
    """
    settings: dict[str, Any] = dict(estimator.get_params(deep=False))
    named = isinstance(estimator.graph, str | PathLike)
    settings["graph"] = str(estimator.graph) if named else None
    settings["given"] = list(estimator.given)
    if isinstance(estimator.noise, Mapping):
        settings["noise"] = {str(name): float(v) for name, v in estimator.noise.items()}
    state = estimator.random_state
    settings["random_state"] = int(state) if isinstance(state, int | np.integer) else None
    names = getattr(estimator, "feature_names_in_", None)
    return settings | {
        "seed": estimator.seed_,
        "feature_names": None if names is None else [str(name) for name in names],
    }


def parameters_from(model: Model) -> dict[str, Any]:
    """Constructor parameters of the estimator that fitted this model.

    Where shards were learned belongs to the machine of that time, not to the model.
    """
    parameters = dict(model.settings)
    for name in ("seed", "feature_names", "engine", "device", "gpu_share"):
        parameters.pop(name, None)
    parameters["given"] = tuple(parameters["given"])
    if parameters["graph"] is None:
        parameters["graph"] = model.domain.graph
    return parameters


def restore_names(estimator: Any) -> None:
    """Seed, names and width of an estimator from its model."""
    settings = estimator.model_.settings
    columns = settings["feature_names"]
    if columns is not None:  # the time column was among them once
        columns = [name for name in columns if name != settings.get("time")]
    estimator.seed_ = settings["seed"]
    estimator.n_features_in_ = len(columns or estimator.model_.standardizer.names)
    if columns is not None:
        estimator.feature_names_in_ = np.array(columns, dtype=object)
