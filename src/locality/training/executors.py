"""Executors: where shards are worked on.

One method, ``map``, and implementations that differ only in where they run. Whatever the executor,
every shard is computed with one thread, so its bits do not depend on the number of workers.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Protocol, TypeVar

import joblib
import torch
from threadpoolctl import ThreadpoolController

from locality.exceptions import OptionError

__all__ = ["Executor", "Inline", "Processes", "executor", "one_thread"]

T = TypeVar("T")
R = TypeVar("R")


class Executor(Protocol):
    """Runs a function on every item."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Results in the order of the items, as they become available."""


class Inline:
    """In this process, one after the other."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Results in the order of the items."""
        for item in items:
            with one_thread():
                result = function(item)
            yield result


class Processes:
    """In worker processes of this machine (joblib's loky).

    Parameters
    ----------
    n_workers : int
        Number of processes, one core each.
    """

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Results in the order of the items."""
        parallel = joblib.Parallel(n_jobs=self.n_workers, return_as="generator", max_nbytes="1M")
        yield from parallel(joblib.delayed(_alone)(function, item) for item in items)


def executor(n_workers: int) -> Executor:
    """Inline for one worker, processes for more.

    Raises
    ------
    OptionError
        If n_workers is below 1.
    """
    if n_workers < 1:
        raise OptionError(f"The number of workers must be at least 1, found {n_workers}.")
    return Inline() if n_workers == 1 else Processes(n_workers)


@contextmanager
def one_thread() -> Iterator[None]:
    """Numerical libraries use one thread within."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _libraries().limit(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


@cache
def _libraries() -> ThreadpoolController:
    """The numerical libraries of this process; to find them takes milliseconds."""
    return ThreadpoolController()


def _alone(function: Callable[[T], R], item: T) -> R:
    with one_thread():
        return function(item)
