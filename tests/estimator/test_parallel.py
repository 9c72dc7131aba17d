"""Where and when shards are learned makes no difference: workers, order, crashes, engines."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.artifact.groups import to_bytes
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.exceptions import OptionError
from locality.training import trainer as trainer_module
from locality.training.executors import Inline, Processes, executor

ROWS = DoubleWellChain(70).sample(300, 0)


def fitted(**parameters: Any) -> LocalizedDiffusion:
    options = {"graph": "chain", "radius": 1, "n_steps": 60, "random_state": 0}
    return LocalizedDiffusion(**(options | parameters))


def hashes(model: LocalizedDiffusion) -> list[str]:
    return [hashlib.sha256(to_bytes(shard.arrays())).hexdigest() for shard in model.model_.shards]


@pytest.fixture(scope="module")
def truth() -> list[str]:
    found = hashes(fitted().fit(ROWS))
    assert len(found) == 3
    return found


@pytest.mark.parametrize(("n_jobs", "engine"), [(2, "auto"), (4, "processes"), (3, "inline")])
def test_bits_do_not_depend_on_workers(truth: list[str], n_jobs: int, engine: str) -> None:
    assert hashes(fitted(n_jobs=n_jobs, engine=engine).fit(ROWS)) == truth


class _Backwards:
    """An executor that works on the last item first."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[int, Any]]:
        for number, item in reversed(list(enumerate(items))):
            yield number, function(item)


def test_bits_do_not_depend_on_the_order(truth: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locality.estimator.fitting.executor", lambda *_: _Backwards())
    assert hashes(fitted().fit(ROWS)) == truth


@pytest.mark.parametrize("how", [Inline(), Processes(2)])
def test_items_are_made_when_workers_are_free(how: Any) -> None:
    made = []

    def items() -> Iterator[float]:
        for number in range(40):
            made.append(number)
            yield float(number)

    results = how.map(abs, items())
    next(results)
    assert len(made) < 20
    assert len(list(results)) == 39
    assert len(made) == 40


def test_engines_are_named() -> None:
    assert isinstance(executor(1), Inline)
    assert isinstance(executor(3), Processes)
    assert isinstance(executor(3, "inline"), Inline)
    with pytest.raises(OptionError, match="ray:ADDRESS"):
        executor(2, "spark")
    with pytest.raises(OptionError, match="engine"):
        fitted(engine="spark").fit(ROWS)


def _fit_for_ever(work: Path) -> None:
    fitted(n_steps=100).fit(ROWS, work=work)
    (work / "done").touch()


def test_killed_and_resumed_is_the_same_model(tmp_path: Path) -> None:
    """Killed at random moments until it ends; each time only unfinished shards are worked on."""
    whole = fitted(n_steps=100).fit(ROWS)
    rng = np.random.default_rng(0)
    work = tmp_path / "work"
    finished = [0]
    for _ in range(60):
        process = get_context("fork").Process(target=_fit_for_ever, args=(work,))
        process.start()
        process.join(float(rng.uniform(0.1, 1.5)))
        process.kill()
        process.join()
        finished.append(len(list(work.glob("*.safetensors"))) if work.exists() else 0)
        if (work / "done").exists():
            break
    assert finished == sorted(finished)
    assert finished[-1] == 3
    resumed = fitted(n_steps=100).fit(ROWS, work=work)
    assert hashes(resumed) == hashes(whole)


def test_finished_shards_are_not_worked_on_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, truth: list[str]
) -> None:
    work = tmp_path / "work"
    fitted().fit(ROWS, work=work)
    files = sorted(work.glob("*.safetensors"))
    assert len(files) == 3
    files[0].write_bytes(files[0].read_bytes()[:-1])
    worked = []
    real = trainer_module.fit_shard

    def counting(task: Any) -> Any:
        worked.append(task.key)
        return real(task)

    monkeypatch.setattr(trainer_module, "fit_shard", counting)
    again = fitted().fit(ROWS, work=work)
    assert hashes(again) == truth
    assert len([key for key in worked if key[0] == again.seed_]) == 1  # the damaged one
    other = fitted(random_state=1).fit(ROWS, work=work)
    assert len([key for key in worked if key[0] == other.seed_]) == 3


def test_ray_gives_the_same_bits(truth: list[str]) -> None:
    ray = pytest.importorskip("ray")
    assert hashes(fitted(n_jobs=2, engine="ray").fit(ROWS)) == truth
    assert not ray.is_initialized()


def test_strangers_clusters_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    for address in ("10.0.0.7:6379", "ray://plant.example:10001"):
        with pytest.raises(OptionError, match="RAY_AUTH_MODE=token"):
            executor(2, f"ray:{address}")


@pytest.mark.slow
def test_a_lost_node_costs_its_shards_only() -> None:
    """Three nodes, one of them killed in the middle."""
    pytest.importorskip("ray")
    import threading

    import ray
    from ray.cluster_utils import Cluster

    rows = OrnsteinUhlenbeckChain(600, correlation=0.7).sample(1_500, random_state=0)
    quiet = LocalizedDiffusion(graph="chain", score="linear", random_state=0).fit(rows)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    try:
        done: list[int] = []
        killer = threading.Timer(3.0, cluster.remove_node, (nodes[0],))

        def progress(stage: str, n_done: int, n_all: int) -> None:
            done.append(n_done)
            if len(done) == 1:
                killer.start()
            time.sleep(0.3)

        stormy = LocalizedDiffusion(
            graph="chain", score="linear", n_jobs=3, engine="ray", random_state=0
        ).fit(rows, progress=progress)
        killer.join()
        assert len(cluster.list_all_nodes()) == 2
        assert hashes(stormy) == hashes(quiet)
    finally:
        ray.shutdown()
        cluster.shutdown()
        os.environ.pop("RAY_ADDRESS", None)
