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
from locality.training.threads import alone

__all__ = ["RayCluster"]

T = TypeVar("T")
R = TypeVar("R")

_ATTEMPTS = 5  # of a task whose worker or node is lost
_TOKENS = (2, 52)  # the first version of Ray that knows authentication by token
_LOCAL = ("auto", "local", "localhost")


class RayCluster:
    """Tasks on a Ray cluster, one core each, and a share of a GPU if wanted.

    Parameters
    ----------
    n_workers : int
        Tasks under way at once; each takes one core of the cluster.
    address : str, optional
        Of a running cluster: ``host:port``, ``ray://host:port``, or ``auto`` for the one that
        RAY_ADDRESS names or this machine belongs to. By default a cluster is started here.
    gpu_share : float, default 0
        Share of a GPU that each task takes; so many tasks run on one GPU side by side.

    Raises
    ------
    OptionError
        If Ray is not installed, or the address is that of another machine and the cluster asks
        nobody who they are.
    """

    def __init__(self, n_workers: int, address: str | None = None, gpu_share: float = 0.0) -> None:
        try:
            import ray
        except ImportError as error:
            raise OptionError(
                "The engine ray needs Ray, which is not installed.",
                remedy="Install locality[ray], or choose the engine processes.",
            ) from error
        if address == "auto":
            address = os.environ.get("RAY_ADDRESS") or "auto"
        self._ray: Any = ray
        self.n_workers, self.gpu_share = n_workers, gpu_share
        self.address = address or "local"  # None would be what RAY_ADDRESS names
        _require_private(self.address, ray.__version__)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """Number of the item and result, as they become available."""
        ray = self._ray
        started = not ray.is_initialized()
        try:  # results lie in Ray's own memory and cannot be written to: they are copied
            own = self._connect() if started else False
            most = self.n_workers * (2 if own else 1)  # a cluster of others has more cores
            self._require_gpus()
            task = ray.remote(alone).options(
                num_cpus=1, num_gpus=self.gpu_share, max_retries=_ATTEMPTS
            )
            under_way: list[Any] = []
            for number, item in enumerate(items):
                under_way.append(task.remote(function, number, item))
                if len(under_way) >= most:
                    ready, under_way = ray.wait(under_way, num_returns=1)
                    yield from deepcopy(ray.get(ready))
            while under_way:
                ready, under_way = ray.wait(under_way, num_returns=1)
                yield from deepcopy(ray.get(ready))
        finally:
            if started:
                ray.shutdown()

    def _require_gpus(self) -> None:
        """Refuse a cluster that has none, if tasks need one: they would wait forever."""
        if self.gpu_share and not self._ray.cluster_resources().get("GPU"):
            raise OptionError(
                "The Ray cluster has no GPU, and the networks are to be trained on one.",
                remedy="Start Ray where there is one, or leave device at cpu.",
            )

    def _connect(self) -> bool:
        """Join the cluster or start one; whether it was started."""
        ray, own = self._ray, self.address == "local"
        cores = {"num_cpus": self.n_workers, "include_dashboard": False} if own else {}
        try:
            context = ray.init(
                address=self.address, log_to_driver=False, logging_level="error", **cores
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or ["no message"])[0]
            raise OptionError(
                f"The Ray cluster at {self.address} cannot be used: {reason}",
                remedy="See that it runs (ray status), with the same versions of Ray and Python.",
            ) from error
        if self.address == "auto":  # this machine may be a worker of another one's cluster
            found = context.address_info
            head, here = found["gcs_address"], found["node_ip_address"]
            if head.rpartition(":")[0] != here:
                _require_private(head, ray.__version__)
        return own


def _require_private(address: str, version: str) -> None:
    """Refuse a cluster of another machine that lets everybody in: its jobs are arbitrary code.

    Parameters
    ----------
    address : str
    version : str
        Of Ray here; older ones ignore what they are told about authentication.

    Raises
    ------
    OptionError
        Saying what to set.
    """
    place = address.removeprefix("ray://")
    host = (place.rpartition(":")[0] or place).strip("[]")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host in _LOCAL
    if local:
        return
    if tuple(int(part) for part in version.split(".")[:2]) < _TOKENS:
        raise OptionError(
            f"The Ray cluster at {address} is not on this machine, and Ray {version} knows no "
            "authentication.",
            remedy="Install Ray 2.52 or later everywhere, or use an SSH tunnel to 127.0.0.1.",
        )
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        raise OptionError(
            f"The Ray cluster at {address} is not on this machine, and no authentication is set.",
            remedy="Start it with RAY_AUTH_MODE=token, and set RAY_AUTH_MODE=token and its "
            "RAY_AUTH_TOKEN here; or use an SSH tunnel to 127.0.0.1.",
        )
