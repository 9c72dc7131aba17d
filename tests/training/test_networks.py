"""Networks of a shard: whom they learn from, what they are tried at, and which weights stay."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.training import networks as networks_module
from locality.training.engine import Engine
from locality.training.networks import radii_to_try
from locality.training.options import TrainingOptions
from locality.training.radius import LinearCurve
from locality.training.shard import fit_shard
from locality.training.task import ShardExamples
from locality.training.trainer import Trainer

D = 5
TABLE = Domain(DependencyGraph.chain(D), tuple("abcde"))
OPTIONS = TrainingOptions(n_steps=60, batch_size=64, width=16, n_checks=4)


def wells(n: int = 400, d: int = D) -> NDArray[np.float64]:
    rows = DoubleWellChain(d).sample(n, 0)
    return ((rows - rows.mean()) / rows.std()).T


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """All engines that were made: one that learns and chooses, one that judges what was chosen, and
    maybe one that learns from all rows.
    """
    made: list[Engine] = []

    class Kept(Engine):
        def __init__(self, *parts: Any) -> None:
            super().__init__(*parts)
            self.begun = self.networks.take(self.units)
            made.append(self)

    monkeypatch.setattr(networks_module, "Engine", Kept)
    return made


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float64]:
    """Of the gain at the first check, one nat, what each network has at all others; set in place.

    So that networks are kept whatever they learn within a few steps.
    """
    shares = np.ones(D)

    def gains(engine: Engine, networks: Any) -> Any:
        gain = shares[engine.units.numpy()] if engine.curve else np.ones(len(engine.units))
        return -gain, np.full(len(gain), 0.01)

    def parts(engine: Engine, networks: Any) -> Any:
        """F² and T F of one nat each, but for an error of 0.01."""
        n = len(engine.examples.held_out)
        wide = 0.01 * np.sqrt(n) * (-1.0) ** np.arange(n)
        return np.tile(1.0 + wide, (len(engine.units), 1)), np.ones((len(engine.units), n))

    monkeypatch.setattr(Engine, "held_out_gain", gains)
    monkeypatch.setattr(Engine, "held_out_parts", parts)
    monkeypatch.setattr(networks_module, "prospects", lambda engine: parts(engine, None))
    return shares


@pytest.mark.parametrize("kind", ["table", "series"])
def test_networks_are_judged_on_rows_of_which_they_saw_none(
    engines: list[Engine], shares: NDArray[np.float64], kind: str
) -> None:
    """Fold 0, of each row or position, chooses, the last one judges; then all are learned from."""
    if kind == "table":
        task = Trainer(TABLE, 1, OPTIONS).tasks(wells())[0]
        fold = task.fold_of_row
    else:
        domain = Domain(TABLE.graph, TABLE.names, (Axis("time", (1, 0)),))
        task = Trainer(domain, 1, OPTIONS).tasks(wells(800).reshape(D, 400, 2))[0]
        fold = np.repeat(task.fold_of_row, 2)
        fold[:2] = -1  # the first position has no past: too few such examples to learn from
    shard = fit_shard(task)
    assert len(shard.networks.unit) > 0
    first, judge, last = engines
    assert 0 < (fold == 0).sum() < len(fold) / 2
    np.testing.assert_array_equal(first.examples.held_out, np.flatnonzero(fold == 0))
    np.testing.assert_array_equal(first.examples.train, np.flatnonzero((fold > 0) & (fold < 4)))
    np.testing.assert_array_equal(judge.examples.held_out, np.flatnonzero(fold == 4))
    assert fold[-1] == 4
    for name, w in first.best.weights.items():
        assert torch.equal(judge.networks.weights[name], w)
    np.testing.assert_array_equal(last.examples.train, np.flatnonzero(fold >= 0))
    assert len(last.examples.held_out) == 0


def test_the_weights_of_the_last_phase_are_its_averages(
    engines: list[Engine], shares: NDArray[np.float64]
) -> None:
    shard = fit_shard(Trainer(TABLE, 1, OPTIONS).tasks(wells(300))[0])
    last = engines[2]
    assert len(last.units) == len(shard.networks.unit) == D
    for name, w in last.average.weights.items():
        np.testing.assert_array_equal(shard.networks.weights[name], w)
        assert not np.array_equal(w, last.networks.weights[name])


def test_networks_that_lost_what_they_had_gained_are_not_trained_further(
    engines: list[Engine], shares: NDArray[np.float64]
) -> None:
    """Below four fifths of the best gain in the end: the best weights stay as they are."""
    shares[:] = (1.0, 0.85, 0.75, -1.0, 1.0)
    shard = fit_shard(Trainer(TABLE, 1, OPTIONS).tasks(wells(300))[0])
    assert shard.networks.unit.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(shard.held_out_error, 0.01, rtol=0.02)
    np.testing.assert_array_equal(shard.networks.factor, 1.0)
    first, _, last = engines
    for name, w in first.best.weights.items():
        np.testing.assert_array_equal(shard.networks.weights[name][[2, 3]], w[[2, 3]])
        np.testing.assert_array_equal(
            shard.networks.weights[name][[0, 1, 4]], last.average.weights[name]
        )


def test_networks_start_from_present_ones_that_saw_the_same(
    engines: list[Engine], shares: NDArray[np.float64]
) -> None:
    """Without the edge between d and e those two look elsewhere, and begin anew, as others do."""
    shard = fit_shard(Trainer(TABLE, 1, OPTIONS).tasks(wells(300))[0])
    assert len(shard.networks.unit) == D
    other = Domain(DependencyGraph.from_edges([(0, 1), (1, 2), (2, 3)], D), TABLE.names)
    (task,) = Trainer(other, 1, OPTIONS, seed=3).tasks(wells(400))
    half = (shard.take(np.array([0, 2, 3, 4])),)  # b was given up
    for warm in ((), half):
        fit_shard(replace(task, warm=warm))
    anew, started = engines[3].begun.weights, engines[6].begun.weights
    for name in anew:
        np.testing.assert_array_equal(started[name][[0, 2]], shard.networks.weights[name][[0, 2]])
        assert torch.equal(started[name][[1, 3, 4]], anew[name][[1, 3, 4]])
    wider = replace(task, options=replace(OPTIONS, width=24))
    for warm in ((), half):
        fit_shard(replace(wider, warm=warm))
    for name, w in engines[9].begun.weights.items():
        assert torch.equal(engines[12].begun.weights[name], w)


def curve_of(total: list[list[float]], n_slots: list[list[int]], n_measured: int) -> LinearCurve:
    nats = np.array(total)[:, :, None] * (0.75, 0.25)  # in two bands
    return LinearCurve(
        radii=np.arange(nats.shape[1]),
        nats=nats,
        shrinkage=np.zeros(nats.shape),
        n_slots=np.array(n_slots),
        independent=np.zeros(len(nats)),
        n_measured=n_measured,
    )


def test_networks_are_tried_at_the_smallest_radii_that_cost_the_closed_form_little() -> None:
    total = [
        [1.5, 1.01, 1.0, 1.019, 0.999],  # at most 0.02 behind the best, three at most
        [1.5, 1.3, 1.0, 1.0, 0.9],  # the last was not measured, and yet tells what is possible
        [1.0, 1.0, 1.0, 1.0, 1.0],  # no network twice
        [1.5, 1.25, 1.0, 1.015, 1.021],
    ]
    n_slots = [[1, 3, 5, 7, 9], [1, 3, 5, 7, 9], [1, 3, 3, 3, 4], [1, 2, 3, 4, 5]]
    tried = radii_to_try(curve_of(total, n_slots, 4))
    assert [np.flatnonzero(row).tolist() for row in tried] == [[1, 2, 3], [], [0, 1], [2, 3]]
    tried = radii_to_try(curve_of(total, n_slots, 5))
    assert [np.flatnonzero(row).tolist() for row in tried] == [[1, 2, 3], [4], [0, 1, 4], [2, 3]]


@pytest.mark.parametrize("n", [199, 200])
def test_boundary_classes_of_few_examples_are_left_to_the_closed_form(
    engines: list[Engine], n: int
) -> None:
    """A lattice of four positions: each end needs 200 samples to be trained in."""
    values = wells(400, 4)[None, :, :n]
    task = Trainer(Domain(DependencyGraph.empty(1), ("x",), (Axis("s", extent=4),)), 1, OPTIONS)
    (task,) = task.tasks(values)
    fit_shard(task)
    examples = engines[0].examples
    fold = np.tile(task.fold_of_row, 4)
    trained = fold if n == 200 else np.where(np.arange(4 * n) // n % 3 == 0, -1, fold)
    np.testing.assert_array_equal(
        examples.train, np.flatnonzero((trained > 0) & (trained < task.n_folds - 1))
    )
    np.testing.assert_array_equal(examples.held_out, np.flatnonzero(trained == 0))
    assert examples.noisy_sources.shape[1] == (3 if n == 200 else 1)


@pytest.mark.parametrize(("n", "n_engines"), [(95, 0), (98, 3)])
def test_sixty_examples_to_learn_from_are_needed(
    engines: list[Engine], shares: NDArray[np.float64], n: int, n_engines: int
) -> None:
    (task,) = Trainer(TABLE, 1, OPTIONS).tasks(wells(n))
    fit_shard(task)
    assert len(engines) == n_engines
    assert (np.isin(task.fold_of_row, (1, 2, 3)).sum() >= 60) == bool(n_engines)


def test_one_radius_of_each_component_goes_on_after_the_trial(
    engines: list[Engine], shares: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best, if it gained by one posterior error; two are asked for in the end."""
    asked: list[float] = []

    def sure(gain: NDArray[np.float64], error: NDArray[np.float64], n_errors: float) -> Any:
        asked.append(n_errors)
        return np.arange(D) != 2 if len(gain) == D else np.ones(len(gain), dtype=bool)

    def gains(engine: Engine, networks: Any) -> Any:
        radius = engine.inputs.patches.n_present[0]  # the wider the better
        return -1.0 - 0.1 * radius, np.full(len(radius), 0.01)

    monkeypatch.setattr(networks_module, "worthwhile", sure)
    monkeypatch.setattr(Engine, "held_out_gain", gains)
    rows = OrnsteinUhlenbeckChain(D, 0.2).sample(300, 0)
    shard = fit_shard(Trainer(TABLE, "auto", OPTIONS).tasks(np.ascontiguousarray(rows.T))[0])
    assert asked[0] == 1.0
    assert asked[-1] == 2.0
    assert shard.networks.unit.tolist() == [0, 1, 3, 4]
    tried = engines[0].pruned.size // D
    assert tried > 1
    trained = np.isfinite(shard.neural_curve)
    assert trained.sum(axis=1).tolist() == [1, 1, 0, 1, 1]
    np.testing.assert_array_equal(
        shard.radii[trained.argmax(axis=1)][[0, 1, 3, 4]], shard.networks.radius
    )


@pytest.mark.parametrize("kind", ["table", "context", "series", "lattice"])
def test_noise_goes_to_what_is_neither_given_nor_outside(
    engines: list[Engine], shares: NDArray[np.float64], kind: str
) -> None:
    """And networks know of the rim where there is one."""
    axes, context = {
        "table": ((), ()),
        "context": ((), (2,)),
        "series": ((Axis("t", (1, 0)),), ()),
        "lattice": ((Axis("s", extent=4),), ()),
    }[kind]
    n_nodes = 1 if kind == "lattice" else D
    domain = Domain(DependencyGraph.chain(n_nodes), TABLE.names[:n_nodes], axes, context)
    values = {"series": wells(400)[:, :, None], "lattice": wells(400, 4)[None]}.get(
        kind, wells(300)
    )
    (task,) = Trainer(domain, 1, OPTIONS).tasks(values)
    shard = fit_shard(task)
    examples = ShardExamples.of(task)
    found = engines[0].examples
    assert (found.noisy_sources[-1] == 0).all()
    n_classes = len(shard.networks.trained_inside)
    assert n_classes == found.noisy_sources.shape[1] == (3 if kind == "lattice" else 1)
    expected = examples.inside[:n_classes] & ~examples.sources.given
    np.testing.assert_array_equal(found.noisy_sources[:-1].T, expected)
    assert examples.sources.given.any() == (kind in ("context", "series"))
    assert bool(shard.networks.uses_rim) == (kind == "lattice")


def test_networks_are_trained_from_near_their_conditional_scale_to_six(
    engines: list[Engine], shares: NDArray[np.float64]
) -> None:
    shard = fit_shard(Trainer(TABLE, 1, OPTIONS).tasks(wells(300))[0])
    scale = shard.closed_form(np.ones((1, D), dtype=bool)).conditional_scale[:, 0]
    expected = np.stack([0.07 * np.asarray(scale), np.full(D, 6.0)], axis=1)
    np.testing.assert_allclose(shard.networks.level_range, expected, rtol=1e-9)


def test_series_that_repeat_three_rows_of_ten_get_no_network(
    engines: list[Engine], shares: NDArray[np.float64]
) -> None:
    values = np.random.default_rng(0).standard_normal((D, 401, 1))
    for node, share in enumerate((0.0, 0.285, 0.315, 0.9, 0.0)):
        steps = 1 + np.random.default_rng(node).permutation(400)[: round(share * 400)]
        for step in np.sort(steps):
            values[node, step] = values[node, step - 1]
    domain = Domain(TABLE.graph, TABLE.names, (Axis("t", (1, 0)),))
    shard = fit_shard(Trainer(domain, 1, OPTIONS).tasks(values)[0])
    assert shard.networks.unit.tolist() == [0, 1, 4]
