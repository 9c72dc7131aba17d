"""Ray: the same bits as everywhere, lost nodes, and clusters of strangers."""

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locality import Execution, LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain
from locality.exceptions import DataError, OptionError
from locality.store.arrays import to_bytes
from locality.training import ray_cluster
from locality.training.executors import executor

ray = pytest.importorskip("ray")


def fitted(n_columns: int, n_steps: int, **options: Any) -> list[str]:
    """Hashes of the shards of a fit."""
    rows = DoubleWellChain(n_columns).sample(300, 0)
    execution = Execution(**options)
    model = LocalizedDiffusion(
        graph="chain", radius=1, n_steps=n_steps, random_state=0, execution=execution
    ).fit(rows)
    return [hashlib.sha256(to_bytes(shard.arrays())).hexdigest() for shard in model.model_.shards]


def test_the_same_bits_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a cluster of its own, whatever RAY_ADDRESS says."""
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    quiet = fitted(70, 60)
    assert fitted(70, 60, n_jobs=2, engine="ray") == quiet
    assert not ray.is_initialized()

    def refuse(number: int) -> None:
        raise DataError(f"item {number} is wrong.", remedy="Mend it.")

    with pytest.raises(DataError, match=r"item \d is wrong") as caught:
        list(executor(2, "ray").map(refuse, range(4)))
    assert caught.value.remedy == "Mend it."
    assert not ray.is_initialized()


@pytest.mark.parametrize("address", ["10.0.0.7:6379", "ray://plant.example:10001", "10.0.0.7"])
def test_clusters_of_strangers_are_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(OptionError, match="RAY_AUTH_MODE=token"):
        executor(2, f"ray:{address}")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(OptionError, match="RAY_AUTH_MODE=token"):
        executor(2, "ray:auto")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    executor(2, f"ray:{address}")
    monkeypatch.setattr(ray, "__version__", "2.51.1")
    with pytest.raises(OptionError, match=r"Ray 2\.51\.1 knows no authentication"):
        executor(2, f"ray:{address}")


@pytest.mark.parametrize("address", ["127.0.0.1:6379", "ray://localhost:10001", "[::1]:6379"])
def test_this_machine_is_trusted(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    executor(2, f"ray:{address}")


def test_no_cluster_at_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(OptionError, match="cannot be used"):
        list(executor(2, "ray:auto").map(abs, [1.0]))
    assert not ray.is_initialized()


def _gpu_of_task(number: int) -> tuple[int, float, list[int]]:
    """What Ray gave a task."""
    import ray

    given = ray.get_runtime_context().get_assigned_resources()
    return number, given.get("GPU", 0.0), ray.get_gpu_ids()


def test_tasks_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes our word that there is a GPU; without one, nobody waits for it."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(OptionError, match=r"has no GPU.*leave device at cpu"):
        list(executor(1, "ray", 0.5).map(_gpu_of_task, range(2)))
    assert not ray.is_initialized()
    with pytest.raises(OptionError, match="has no GPU"):
        fitted(8, 20, engine="ray", device="cuda")
    ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        found = dict(executor(2, "ray", 0.5).map(_gpu_of_task, range(4)))
        assert sorted(found.values()) == [(number, 0.5, [0]) for number in range(4)]
    finally:
        ray.shutdown()


def _marking(folder: Path) -> Callable[..., tuple[int, Any]]:
    """`alone` that leaves a file when it begins and one when it has ended."""
    alone = ray_cluster.alone

    def marked(function: Any, number: int, item: Any) -> tuple[int, Any]:
        import secrets

        import ray

        mark = f"{number}-{ray.get_runtime_context().get_node_id()}-{secrets.token_hex(4)}"
        (folder / f"{mark}.begun").touch()
        result = alone(function, number, item)
        (folder / f"{mark}.ended").touch()
        return result

    return marked


@pytest.mark.slow
def test_a_lost_node_costs_its_shards_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three nodes of one core; one is killed while it works on a shard, in the middle of 24."""
    from ray.cluster_utils import Cluster

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    quiet = fitted(768, 150)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    lost: list[str] = []

    def named(kind: str) -> set[str]:
        return {file.stem for file in tmp_path.glob(f"*.{kind}")}

    def kill() -> None:
        while not lost:
            time.sleep(0.02)
            ended = named("ended")
            mine = [m for m in named("begun") - ended if m.split("-")[1] == nodes[0].node_id]
            if len(ended) >= 6 and mine:
                cluster.remove_node(nodes[0], allow_graceful=False)
                lost.extend(mine)

    try:
        monkeypatch.setattr(ray_cluster, "alone", _marking(tmp_path))
        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        stormy = fitted(768, 150, n_jobs=3, engine="ray")
        killer.join(120)
        assert not killer.is_alive(), "all shards were done before the node was seen at work"
        assert stormy == quiet
        assert len(stormy) == 24
        assert sum(node["Alive"] for node in ray.nodes()) == 2
        assert lost
        begun = sorted(int(mark.split("-")[0]) for mark in named("begun"))
        repeated = sorted(int(mark.split("-")[0]) for mark in lost)
        assert begun == sorted([*range(24), *repeated])
    finally:
        ray.shutdown()
        cluster.shutdown()
