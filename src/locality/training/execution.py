"""Execution: where, and by how many, the shards of a model are worked on.

Nothing of it is part of a model: whatever the execution, the result is the same, to the bit on
CPUs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from locality.exceptions import OptionError
from locality.training.executors import Executor, executor

__all__ = ["Execution"]

_ENGINES = ("auto", "inline", "processes", "ray")


def _is_count(v: Any) -> bool:
    return isinstance(v, int | np.integer) and not isinstance(v, bool) and bool(v >= 1)


def _is_engine(v: Any) -> bool:
    if isinstance(v, str):
        return v.partition(":")[0] in _ENGINES
    return callable(getattr(v, "map", None))


_PERMITTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "n_jobs": (_is_count, "a whole number of processes ≥ 1"),
    "engine": (_is_engine, f"one of {', '.join(_ENGINES)}, ray:ADDRESS, or an Executor"),
    "device": (
        lambda v: isinstance(v, str) and re.fullmatch(r"cpu|cuda(:\d+)?", v) is not None,
        '"cpu", "cuda" or "cuda:N"',
    ),
    "gpu_share": (
        lambda v: not isinstance(v, bool) and isinstance(v, Real) and 0 < float(v) <= 1,
        "a share of a GPU, above 0, at most 1",
    ),
}


@dataclass(frozen=True)
class Execution:
    """Who works on shards.

    Parameters
    ----------
    n_jobs : int, default 1
        Worker processes, one core each.
    engine : str or Executor, default "auto"
        "inline", "processes" of this machine, "ray" (started here), "ray:ADDRESS" (a running
        cluster), or an object with a ``map`` of its own (see `Executor`); "auto": inline for one
        job, processes for more.
    device : str, default "cpu"
        Where networks are trained: "cpu", "cuda" or "cuda:N". A GPU draws the same random numbers
        and rounds differently: results of the CPU are the reference. All else stays on the CPU.
    gpu_share : float, default 0.25
        With Ray and a GPU: share of one that each shard takes.

    Raises
    ------
    OptionError
        Naming the value that is wrong, what it permits and what was found.

    Examples
    --------
    >>> Execution(n_jobs=2).workers()  # doctest: +ELLIPSIS
    <locality.training.executors.Processes object at ...>
    """

    n_jobs: int = 1
    engine: "str | Executor" = "auto"
    device: str = "cpu"
    gpu_share: float = 0.25

    def __post_init__(self) -> None:
        for name, (permitted, expected) in _PERMITTED.items():
            value = getattr(self, name)
            if not permitted(value):
                raise OptionError(
                    f"The {name!r} parameter of Execution must be {expected}, found {value!r}."
                )

    def workers(self, *, networks: bool = False) -> Executor:
        """Who learns shards.

        Parameters
        ----------
        networks : bool, default False
            Whether networks are trained, for which a task may need its share of a GPU.
        """
        if not isinstance(self.engine, str):
            return self.engine
        share = float(self.gpu_share) if networks and self.device != "cpu" else 0.0
        return executor(self.n_jobs, self.engine, share)

    def require_device(self) -> None:
        """Refuse a GPU that is not there; on a cluster, workers have them.

        Raises
        ------
        OptionError
            Saying what PyTorch finds.
        """
        on_cluster = not isinstance(self.engine, str) or self.engine.startswith("ray")
        if self.device == "cpu" or on_cluster:
            return
        import torch

        n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (torch.device(self.device).index or 0) >= n_gpus:
            found = f"{n_gpus} GPU{'s' * (n_gpus > 1)}, numbered from 0," if n_gpus else "no GPU"
            raise OptionError(
                f"device is {self.device!r}, but PyTorch finds {found} here.",
                remedy='Leave it at "cpu", or install PyTorch for your GPU.',
            )

    @property
    def parts(self) -> dict[str, Any]:
        """By name."""
        return {part.name: getattr(self, part.name) for part in fields(self)}
