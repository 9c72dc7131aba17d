"""Which parameter values are permitted, checked once at the start of ``fit``.

The table follows scikit-learn's: a parameter, the test it must pass, and what was expected. Errors
name the parameter, what it permits and what it got.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch

from locality.data.table import Table
from locality.exceptions import DataError, OptionError
from locality.training.executors import Executor, executor
from locality.training.options import TrainingOptions

__all__ = ["check_options", "noise_of", "training_options", "workers_of"]


def _whole(low: int) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int | np.integer) and not isinstance(v, bool) and bool(v >= low)


_ENGINES = ("auto", "inline", "processes", "ray")


def _is_number(v: Any) -> bool:
    return not isinstance(v, bool) and isinstance(v, Real) and bool(np.isfinite(float(v)))


_PERMITTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "radius": (lambda v: v == "auto" or _whole(0)(v), '"auto" or a whole number of hops ≥ 0'),
    "lags": (_whole(0), "a whole number of rows ≥ 0"),
    "series": (lambda v: v in ("causal", "joint"), '"causal" or "joint"'),
    "tied": (lambda v: isinstance(v, bool), "True or False"),
    "given": (
        lambda v: isinstance(v, Sequence) and not isinstance(v, str),
        "a list of column names",
    ),
    "gaussianize": (lambda v: isinstance(v, bool), "True or False"),
    "noise": (
        lambda v: v is None or isinstance(v, Mapping) or (_is_number(v) and v >= 0),
        "a number ≥ 0, or a mapping of column names to numbers",
    ),
    "score": (lambda v: v in ("neural", "linear"), '"neural" or "linear"'),
    "n_neighbors": (_whole(1), "a whole number ≥ 1"),
    "edge_level": (lambda v: isinstance(v, float) and 0 < v < 1, "a share between 0 and 1"),
    "n_steps": (_whole(20), "a whole number ≥ 20"),
    "engine": (
        lambda v: isinstance(v, str) and v.partition(":")[0] in _ENGINES,
        f"one of {', '.join(_ENGINES)}, or ray:ADDRESS",
    ),
    "n_jobs": (_whole(1), "a whole number of processes ≥ 1"),
    "device": (
        lambda v: isinstance(v, str) and re.fullmatch(r"cpu|cuda(:\d+)?", v) is not None,
        '"cpu", "cuda" or "cuda:N"',
    ),
    "gpu_share": (
        lambda v: _is_number(v) and 0 < v <= 1,
        "a share of a GPU, above 0, at most 1",
    ),
}


def check_options(estimator: Any) -> None:
    """Refuse parameters outside their permitted values.

    Parameters
    ----------
    estimator : LocalizedDiffusion

    Raises
    ------
    OptionError
        Naming the first parameter that is wrong.
    """
    for name, (permitted, expected) in _PERMITTED.items():
        value = getattr(estimator, name)
        if not permitted(value):
            raise OptionError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {expected}, "
                f"found {value!r}."
            )
    if not estimator.engine.startswith("ray"):
        _require_device(estimator.device)


def _require_device(name: str) -> None:
    """Refuse a GPU that is not there; on a Ray cluster, workers have them."""
    device = torch.device(name)
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        found = f"{n_gpus} GPU{'s' * (n_gpus > 1)}, numbered from 0," if n_gpus else "no GPU"
        raise OptionError(
            f"device is {name!r}, but PyTorch finds {found} here.",
            remedy='Leave it at "cpu", or install PyTorch for your GPU.',
        )


def training_options(parameters: Mapping[str, Any]) -> TrainingOptions | None:
    """How networks are trained by an estimator with these parameters; None if they are not."""
    if parameters["score"] != "neural":
        return None
    return TrainingOptions(n_steps=parameters["n_steps"], device=parameters["device"])


def workers_of(parameters: Mapping[str, Any]) -> Executor:
    """Who learns the shards of an estimator with these parameters."""
    on_gpu = parameters["score"] == "neural" and parameters["device"] != "cpu"
    share = float(parameters["gpu_share"]) if on_gpu else 0.0
    return executor(parameters["n_jobs"], parameters["engine"], share)


def noise_of(noise: Any, table: Table) -> dict[str, float]:
    """Measurement noise by column.

    Parameters
    ----------
    noise : None, float or mapping of str to float
        As in ``LocalizedDiffusion``; a single number holds for all columns of real numbers.
    table : Table

    Raises
    ------
    DataError
        A column is not in the table, or holds states.
    OptionError
        A deviation is no number ≥ 0.
    """
    kind = dict(zip(table.names, table.kinds, strict=True))
    if noise is None:
        return {}
    if not isinstance(noise, Mapping):
        return {name: float(noise) for name in table.names if kind[name] == "real"}
    for name, deviation in noise.items():
        if name not in kind:
            raise DataError(f"noise names {name!r}, which is not a column of the table.")
        if kind[name] in ("boolean", "category"):
            raise DataError(f"noise names {name!r}, which holds states and has no such noise.")
        if not (_is_number(deviation) and deviation >= 0):
            raise OptionError(f"noise of {name!r} must be a number ≥ 0, found {deviation!r}.")
    return {str(name): float(deviation) for name, deviation in noise.items()}
