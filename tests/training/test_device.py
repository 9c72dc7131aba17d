"""Training on another device: every tensor of a step is there, and the CPU is left as it was.

The device ``meta`` has shapes and no numbers, and refuses operations that mix it with the CPU, as a
GPU does.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from locality import Execution, LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.training import engine as engine_module
from locality.training import networks as networks_module
from locality.training.engine import Engine
from locality.training.options import TrainingOptions
from locality.training.prospects import prospects
from locality.training.trainer import Trainer


class StoppedError(Exception):
    """The engine that would have been run."""


def engines(monkeypatch: pytest.MonkeyPatch, domain: Domain, state: np.ndarray, device: str):
    """The engine of the first shard, stopped before it runs."""
    made = []

    def stop(engine: Engine) -> None:
        made.append(engine)
        raise StoppedError

    monkeypatch.setattr(networks_module, "prospects", stop)
    with pytest.raises(StoppedError):
        Trainer(domain, 1, TrainingOptions(n_steps=250, device=device)).train(
            state, observed=np.random.default_rng(0).random(state.shape) < 0.9
        )
    return made[0]


@pytest.mark.parametrize("kind", ["table", "series", "lattice"])
def test_a_step_stays_on_its_device(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    rows = DoubleWellChain(6).sample(600, 0)
    domain, state = {
        "table": (Domain(DependencyGraph.chain(6), tuple("abcdef")), rows.T),
        "series": (
            Domain(DependencyGraph.chain(6), tuple("abcdef"), (Axis("time", window=(1, 0)),)),
            rows.T[:, :, None],
        ),
        "lattice": (
            Domain(DependencyGraph.empty(1), ("x",), (Axis("column", extent=6),)),
            rows.T[None],
        ),
    }[kind]
    state = np.ascontiguousarray(state)
    engine = engines(monkeypatch, domain, state, "meta")
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta"):
        prospects(engine)  # all of it is there, until what it found is fetched
    loaded, updated = [], []
    load, update = Engine._load, engine_module.adamw

    def recording(self, rows, generator) -> None:
        load(self, rows, generator)
        loaded.extend([self.batches._z, self.batches._noise, self.batches._classes])

    monkeypatch.setattr(Engine, "_load", recording)
    # the optimizer itself does not know this device, but is told what a GPU needs: all of one
    monkeypatch.setattr(
        engine_module,
        "adamw",
        lambda *lists, **_: updated.extend(t for part in lists for t in part),
    )
    for step in range(4):
        engine.step(step)
    monkeypatch.setattr(engine_module, "adamw", update)
    assert loaded
    assert updated
    tensors = [*loaded, *updated, *engine.average.weights.values(), *engine.gradients.values()]
    assert {t.device.type for t in tensors} == {"meta"}
    (chunk,) = list(engine.networks.chunks(engine.n_rows))  # large operations
    parts = [*engine.batches(chunk), engine.batches.nats_weight(chunk)]
    assert {part.device.type for part in parts} == {"meta"}
    engine._keep(engine.units.numpy()[:2])
    engine.step(4)


def test_gpus_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = DoubleWellChain(4).sample(100, 0)
    for found, device, message in (
        (0, "cuda", "PyTorch finds no GPU here"),
        (1, "cuda:1", "PyTorch finds 1 GPU, numbered from 0, here"),
        (0, "tpu", "'device' parameter of Execution must be"),
    ):
        fake = SimpleNamespace(is_available=lambda n=found: n > 0, device_count=lambda n=found: n)
        monkeypatch.setattr(torch, "cuda", fake)
        with pytest.raises(OptionError, match=message):
            LocalizedDiffusion(execution=Execution(device=device)).fit(rows)
    with pytest.raises(OptionError, match="'gpu_share' parameter"):
        Execution(gpu_share=0.0)


def test_where_a_model_was_learned_is_not_asked_of_others(tmp_path) -> None:
    rows = DoubleWellChain(4).sample(100, 0)
    execution = Execution(engine="inline", gpu_share=0.5)
    LocalizedDiffusion(denoiser="linear", execution=execution).fit(rows).save(tmp_path / "m")
    assert LocalizedDiffusion.load(tmp_path / "m").execution is None
