"""Ray: shards on the nodes of a cluster. The one file that knows Ray.

Tasks have no side effects and their results are kept outside Ray, so that a lost worker, node or
cluster costs the shards that were being worked on and nothing else: Ray repeats them elsewhere, and
after a loss of everything a fit with ``--resume`` goes on where it was.
"""

import ipaddress
import os
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any, TypeVar

from locality.exceptions import OptionError
from locality.training.executors import alone

__all__ = ["RayCluster"]

T = TypeVar("T")
R = TypeVar("R")

_ATTEMPTS = 5  # of a task whose worker or node is lost
_LOCAL = ("", "auto", "local", "localhost")


class RayCluster:
    """Tasks on a Ray cluster, one core each.

    Parameters
    ----------
    n_workers : int
        Tasks under way at once; each takes one core of the cluster.
    address : str, optional
        Of a running cluster: ``host:port``, ``ray://host:port`` or ``auto``. By default a cluster
        is started on this machine.

    Raises
    ------
    OptionError
        If Ray is not installed, or the address is that of another machine and the cluster asks
        nobody who they are.
    """

    def __init__(self, n_workers: int, address: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise OptionError(
                "The engine ray needs Ray, which is not installed.",
                remedy="Install locality[ray], or choose the engine processes.",
            ) from error
        if address is not None:
            _require_private(address)
        self._ray: Any = ray
        self.n_workers = n_workers
        self.address = address

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """Number of the item and result, as they become available."""
        ray = self._ray
        started = not ray.is_initialized()
        if started:
            cores = {} if self.address else {"num_cpus": self.n_workers}
            ray.init(
                address=self.address,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
                **cores,
            )
        try:  # results lie in Ray's own memory and cannot be written to: they are copied
            task = ray.remote(alone).options(num_cpus=1, max_retries=_ATTEMPTS)
            under_way: list[Any] = []
            for number, item in enumerate(items):
                under_way.append(task.remote(function, number, item))
                if len(under_way) >= 2 * self.n_workers:
                    ready, under_way = ray.wait(under_way, num_returns=1)
                    yield from deepcopy(ray.get(ready))
            while under_way:
                ready, under_way = ray.wait(under_way, num_returns=1)
                yield from deepcopy(ray.get(ready))
        finally:
            if started:
                ray.shutdown()


def _require_private(address: str) -> None:
    """Refuse a cluster of another machine that lets everybody in: its jobs are arbitrary code."""
    host = address.removeprefix("ray://").rpartition(":")[0] or address.removeprefix("ray://")
    host = host.strip("[]")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host in _LOCAL
    if not local and os.environ.get("RAY_AUTH_MODE") != "token":
        raise OptionError(
            f"The Ray cluster at {address} is not on this machine, and no authentication is set.",
            remedy="Start it with RAY_AUTH_MODE=token, and set RAY_AUTH_MODE=token and its "
            "RAY_AUTH_TOKEN here; or use an SSH tunnel to 127.0.0.1.",
        )
