"""Executors: where shards are worked on.

One method, ``map``, and implementations that differ only in where they run: in this process, in
worker processes, on a Ray cluster. Items are taken one by one as workers become free, so that not
all of them are in memory at once, and results come as they are ready, with the number of their
item. Whatever the executor, every shard is computed with one thread, so its bits do not depend on
the number of workers or their order.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from threading import Thread
from typing import Protocol, TypeVar

from locality.exceptions import OptionError
from locality.training.threads import alone, one_thread

__all__ = ["Executor", "Inline", "Processes", "executor", "one_thread"]

T = TypeVar("T")
R = TypeVar("R")

_GLANCE = 1.0  # seconds between two looks at whether the driver is still there


class Executor(Protocol):
    """Runs a function on every item."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """Number of the item and result, as they become available."""


class Inline:
    """In this process, one after the other."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """Number of the item and result, in order."""
        for number, item in enumerate(items):
            with one_thread():
                result = function(item)
            yield number, result


class Processes:
    """In worker processes of this machine (joblib's loky).

    They end with the process that started them, however that ends.

    Parameters
    ----------
    n_workers : int
        Number of processes, one core each.
    """

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """Number of the item and result, as they become available."""
        import joblib

        parallel = joblib.Parallel(
            n_jobs=self.n_workers,
            return_as="generator_unordered",
            pre_dispatch="2*n_jobs",
            batch_size=1,
            max_nbytes=None,  # files that share arrays would outlive the tasks they belong to
        )
        driver = os.getpid()
        work = (joblib.delayed(_for)(driver, function, *item) for item in enumerate(items))
        yield from parallel(work)


def executor(n_workers: int, engine: str = "auto", gpu_share: float = 0.0) -> Executor:
    """The executor of this name.

    Parameters
    ----------
    n_workers : int
    gpu_share : float, default 0
        Share of a GPU that every task takes on a Ray cluster.
    engine : str, default "auto"
        "inline", "processes", "ray" (a cluster on this machine), "ray:ADDRESS" (a running one), or
        "auto": inline for one worker, processes for more.

    Raises
    ------
    OptionError
        If n_workers is below 1, the name is unknown, or Ray is not installed.
    """
    if n_workers < 1:
        raise OptionError(f"The number of workers must be at least 1, found {n_workers}.")
    name, _, address = engine.partition(":")
    if name == "ray":
        from locality.training.ray_cluster import RayCluster

        return RayCluster(n_workers, address or None, gpu_share)
    if engine not in ("auto", "inline", "processes"):
        raise OptionError(
            f"engine must be auto, inline, processes, ray or ray:ADDRESS, found {engine!r}."
        )
    if engine == "inline" or (engine == "auto" and n_workers == 1):
        return Inline()
    return Processes(n_workers)


def _for(driver: int, function: Callable[[T], R], number: int, item: T) -> tuple[int, R]:
    """`alone`, in a worker process of the driver with this process number."""
    _end_with(driver)
    return alone(function, number, item)


@cache
def _end_with(driver: int) -> None:
    """End this process once its parent is gone: workers of a killed fit would work on for nobody.

    Parameters
    ----------
    driver : int
        Process number of the parent.
    """

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(_GLANCE)
        os._exit(1)

    if os.getppid() == driver:
        Thread(target=watch, name="locality-driver-watch", daemon=True).start()
