"""Closed forms without torch, and torch with one thread wherever it is first loaded."""

import os
import subprocess
import sys

LINEAR = """
import sys
import numpy as np
from locality.domain import DependencyGraph, Domain
from locality.inference.density.nats import Nats
from locality.inference.laws.repair import repair
from locality.inference.laws.table import GaussianTable
from locality.local.field import ScoreField
from locality.noise.levels import NoiseLevels
from locality.training.executors import executor
from locality.training.trainer import Trainer

rng = np.random.default_rng(0)
values = rng.standard_normal((4, 80))
domain = Domain(DependencyGraph.chain(4), tuple("abcd"))
field = ScoreField(domain, Trainer(domain, executor=executor(1)).train(values).shards)
levels = NoiseLevels.for_scales(field.conditional_scale, field.largest_variance)
assert Nats(levels, by_band=True).surprise(field, values).total.shape == (4, 80)
gaps = np.where(rng.random(values.shape) < 0.1, np.nan, values)
assert np.isfinite(repair(field, gaps, 3.0).values).all()
assert np.isfinite(GaussianTable(field).posterior(gaps, 1, rng).mean).all()
loaded = {"torch", "sklearn", "joblib", "scipy.signal", "ray"} & set(sys.modules)
assert not loaded, loaded
"""

LATE = """
from threadpoolctl import threadpool_info
import numpy
from locality.training.threads import one_thread

before = max(part["num_threads"] for part in threadpool_info())
with one_thread():
    import torch
    assert torch.get_num_threads() == 1
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 1
assert torch.get_num_threads() == before, (torch.get_num_threads(), before)
"""


def run(code: str) -> None:
    """In a Python of its own, which may use two threads."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | threads,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_linear_model_is_trained_judged_and_filled_without_torch() -> None:
    run(LINEAR)


def test_torch_keeps_to_one_thread_where_it_is_loaded_late() -> None:
    run(LATE)
