"""Sampling time per component against dimension, and the time of a linear fit.

Chains and square grids from 1,000 to 100,000 components. The linear model is fitted to rows of an
Ornstein–Uhlenbeck chain (on the grid: independent rows; its time does not depend on what was
learned). For the neural one every component gets a network with random weights: drawing costs the
same whatever the weights are, and training 100,000 networks would tell nothing more.
"""

from collections.abc import Callable
from dataclasses import replace
from time import process_time

import numpy as np
import torch

from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.inference.sampling.methods import DPMSolver
from locality.inference.sampling.schedules import KarrasLevels
from locality.local.bound import BoundField
from locality.local.correction import NetworkInputs
from locality.local.field import ScoreField
from locality.local.networks import NetworkGroup
from locality.local.shard import ShardState
from locality.noise.levels import NoiseLevels
from locality.training.executors import one_thread
from locality.training.trainer import Trainer
from measure import Table, median_time, one_core

__all__ = ["run"]

SIZES = (1_000, 10_000, 100_000)
WIDTH = 64
N_SAMPLES = 128
N_EVALUATIONS = 8


def build_field(graph: DependencyGraph, radius: int) -> ScoreField:
    """A linear model with neighborhoods of one radius."""
    d = graph.n_nodes
    values = np.ascontiguousarray(OrnsteinUhlenbeckChain(d, 0.7).sample(100, 0).T)
    domain = Domain(graph, tuple(f"x{j}" for j in range(d)))
    return ScoreField(domain, Trainer(domain, radius).train(values).shards)


def with_networks(field: ScoreField) -> ScoreField:
    """The same with a random network for every component."""
    rng = np.random.default_rng(0)

    def random(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32) / np.float32(shape[-1] ** 0.5)

    def shard(state: ShardState) -> ShardState:
        m = len(state.target)
        span = np.tile([0.05, 6.0], (m, 1))
        n_inputs = NetworkInputs.of(state.patches, span, None).n_inputs
        group = NetworkGroup(
            "perceptron",
            unit=np.arange(m),
            radius=state.radius.max(axis=1),
            noisy=state.noisy,
            given=state.given,
            level_range=span,
            factor=np.ones(m),
            trained_inside=np.ones((1, len(state.source_node)), dtype=bool),
            trained_range=np.tile([-1e3, 1e3], (len(state.source_node), 1)),
            uses_rim=False,
            weights={
                "w1": random(m, n_inputs, WIDTH),
                "w2": random(m, WIDTH, WIDTH),
                "w3": 0.01 * random(m, WIDTH),
                "b3": np.zeros(m, dtype=np.float32),
            },
        )
        return replace(state, networks=group)

    return ScoreField(field.domain, tuple(shard(state) for state in field.shards))


def drawer(field: ScoreField) -> Callable[[], object]:
    """Draw once per call, the same number of rows at every dimension."""
    walk = DPMSolver(KarrasLevels()(NoiseLevels(0.02, 12.0), N_EVALUATIONS))
    d = field.domain.n_nodes
    bound = BoundField(field, np.zeros((d, N_SAMPLES), dtype=np.float32))

    def work() -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return walk(bound, torch.randn(d, N_SAMPLES, generator=generator), generator)

    return work


def scaling(shape: str, sizes: tuple[int, ...], n_rounds: int) -> Table:
    """Microseconds per sample and component at several dimensions."""
    linear, neural = {}, {}
    for d in sizes:
        side = round(d**0.5)
        graph = DependencyGraph.chain(d) if shape == "chain" else DependencyGraph.grid((side, side))
        field = build_field(graph, 4 if shape == "chain" else 2)
        for found, model in ((linear, field), (neural, with_networks(field))):
            seconds = median_time(drawer(model), n_rounds)
            found[d] = 1e6 * seconds / (N_SAMPLES * graph.n_nodes)
    first = sizes[0]
    rows = [
        [f"{name}, d = {d:,}", f"{us:.3f}", f"{us / found[first]:.2f}"]
        for name, found in (("linear", linear), ("neural", neural))
        for d, us in found.items()
    ]
    slots = 9 if shape == "chain" else 13
    return Table(
        f"Sampling, {shape}, {slots} slots, {N_EVALUATIONS} evaluations, {N_SAMPLES} rows",
        ["", "µs / (row · component)", f"/ d = {first:,}"],
        rows,
        ["Goal: ≤ 1.25 from the smallest to the largest dimension."],
    )


def fitting(n_rounds: int) -> Table:
    """Seconds of linear fits of 10,000 components."""
    d, n_rows = 10_000, 2_000
    values = np.ascontiguousarray(OrnsteinUhlenbeckChain(d, 0.7).sample(n_rows, 0).T)
    names = tuple(f"x{j}" for j in range(d))
    i, j = (part.ravel() for part in np.indices((100, 100)))
    near = [
        np.column_stack([(i * 100 + j)[keep], ((i + a) * 100 + j + b)[keep]])
        for a, b in ((0, 1), (1, -1), (1, 0), (1, 1))
        for keep in [(i + a < 100) & (j + b >= 0) & (j + b < 100)]
    ]
    cases: dict[str, tuple[DependencyGraph, int | str]] = {
        "3 × 3 stencil (9 slots)": (DependencyGraph.from_edges(np.concatenate(near), d), 1),
        "chain, radius 4 (9 slots)": (DependencyGraph.chain(d), 4),
        "chain, radius chosen from 0 … 8": (DependencyGraph.chain(d), "auto"),
    }
    rows = []
    for name, (graph, radius) in cases.items():
        domain = Domain(graph, names)
        times = []
        for _ in range(n_rounds):
            start = process_time()
            Trainer(domain, radius).train(values)
            times.append(process_time() - start)
        rows.append([name, f"{np.median(times):.2f}"])
    return Table(
        f"Linear fit, d = {d:,}, {n_rows:,} rows, shrinkage cross-validated",
        ["", "CPU s"],
        rows,
        ["Goal: ≤ 5 s at 9 slots."],
    )


def run(quick: bool = False) -> list[Table]:
    """All sizes; with ``quick`` up to 10,000."""
    one_core()
    sizes = SIZES[:2] if quick else SIZES
    with one_thread():
        tables = [scaling(shape, sizes, 1 if quick else 3) for shape in ("chain", "grid")]
        return [*tables, fitting(1 if quick else 3)]
