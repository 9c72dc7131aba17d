"""One thread: bits of a result do not depend on how many cores there are, or are free.

Whatever works on a shard, here or on another machine, wraps the work in this.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import local
from typing import TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["alone", "one_thread"]

T = TypeVar("T")
R = TypeVar("R")

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # read by torch when it is loaded


_here = local()


@contextmanager
def one_thread() -> Iterator[None]:
    """Numerical libraries use one thread within, and so does torch if it is first loaded here."""
    if getattr(_here, "is_within", False):
        yield
        return
    libraries = _libraries(len(sys.modules))
    torch = sys.modules.get("torch")
    if torch is not None:
        usual = torch.get_num_threads()
        torch.set_num_threads(1)
    else:
        usual = max((library["num_threads"] for library in libraries.info()), default=1)
    known = {name: os.environ.get(name) for name in _THREADS}
    try:
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        _here.is_within = True
        with libraries.limit(limits=1):
            yield
    finally:
        _here.is_within = False
        for name, value in known.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(usual)


@lru_cache(maxsize=1)
def _libraries(n_modules: int) -> ThreadpoolController:
    """The numerical libraries of this process; to find them takes milliseconds.

    Parameters
    ----------
    n_modules : int
        That are loaded: further ones may have brought libraries with them.
    """
    return ThreadpoolController()


def alone(function: Callable[[T], R], number: int, item: T) -> tuple[int, R]:
    """The result of one item, computed with one thread.

    Parameters
    ----------
    function : callable
    number : int
        Of the item.
    item : object
    """
    with one_thread():
        return number, function(item)
