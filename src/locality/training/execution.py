"""Execution: where, and by how many, the shards of a model are worked on.

Nothing of it is part of a model: whatever the execution, the result is the same, to the bit on
CPUs.
"""

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from locality.exceptions import OptionError
from locality.training.parameters import Permitted, number, option, require, whole

if TYPE_CHECKING:
    from locality.training.executors import Executor

__all__ = ["MOVED", "Execution"]

MOVED = {
    name: f"execution=Execution({name}=…)" for name in ("n_jobs", "engine", "device", "gpu_share")
}
"""How parameters that are part of an `Execution` now are said."""

_ENGINES = ("auto", "inline", "processes", "ray")


def _is_engine(v: Any) -> bool:
    if isinstance(v, str):
        return v.partition(":")[0] in _ENGINES
    return callable(getattr(v, "map", None))


def _is_device(v: Any) -> bool:
    return isinstance(v, str) and re.fullmatch(r"cpu|cuda(:\d+)?", v) is not None


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

    n_jobs: int = option(
        1,
        whole(1, "a whole number of processes"),
        "Processes that learn shards; no effect on the result.",
    )
    engine: "str | Executor" = option(  # noqa: RUF009 - as all others
        "auto",
        Permitted(
            _is_engine,
            f"one of {', '.join(_ENGINES)}, ray:ADDRESS, or an Executor",
            "|".join(_ENGINES),
        ),
        "Where shards are learned; ray starts a cluster here, ray:HOST:PORT joins one.",
    )
    device: str = option(
        "cpu",
        Permitted(_is_device, '"cpu", "cuda" or "cuda:N"', "cpu|cuda|cuda:N"),
        "Where networks are trained.",
    )
    gpu_share: float = option(
        0.25,
        number(lambda v: 0 < v <= 1, "a share of a GPU, above 0, at most 1"),
        "With Ray and a GPU: share of one for each shard.",
    )

    def __post_init__(self) -> None:
        require(Execution, self.parts, "Execution")

    def workers(self, *, networks: bool = False) -> "Executor":
        """Who learns shards.

        Parameters
        ----------
        networks : bool, default False
            Whether networks are trained, for which a task may need its share of a GPU.
        """
        if not isinstance(self.engine, str):
            return self.engine
        from locality.training.executors import executor

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
