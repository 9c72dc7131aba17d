"""Whether networks could gain: nothing where there is nothing, much where there is much."""

import numpy as np
import pytest
import torch

from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.noise.levels import training_levels
from locality.noise.streams import stream
from locality.training import networks as networks_module
from locality.training.engine import Batch, Engine
from locality.training.examples import Examples
from locality.training.options import TrainingOptions
from locality.training.prospects import prospects
from locality.training.selection import worthwhile
from locality.training.trainer import Trainer

D = 8
OPTIONS = TrainingOptions(n_steps=250, width=16, n_checks=4)


def engine_of(rows: np.ndarray, axes: tuple[Axis, ...] = ()) -> Engine:
    """All that a shard of a chain with its neighbors has before the first step."""
    made: list[Engine] = []

    domain = Domain(DependencyGraph.chain(rows.shape[1]), tuple(map(str, range(D))), axes)
    values = np.ascontiguousarray(((rows - rows.mean(axis=0)) / rows.std(axis=0)).T)
    values = values[..., None] if axes else values
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks_module, "prospects", lambda engine: made.append(engine) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Trainer(domain, 1, OPTIONS).train(values)
    return made[0]


@pytest.mark.parametrize("axes", [(), (Axis("t", (1, 0)),)], ids=["table", "series"])
def test_what_is_expected_is_the_closed_form(axes: tuple[Axis, ...]) -> None:
    """Of the noisy rows themselves, at the level of each."""
    engine = engine_of(DoubleWellChain(D).sample(200, 0), axes)
    form, patches = engine.closed_form, engine.closed_form.patches
    levels = training_levels(form.conditional_scale[:, 0], engine.n_rows)
    weights = form.weights(levels)[:, 0]
    for batch in engine.passes(engine.examples.held_out, 3, stream(1)):
        slots = torch.from_numpy(patches.slots[batch.chunk])
        sigma = torch.from_numpy(levels[batch.chunk])[:, None]
        z, noise = engine.batches._z[slots], engine.batches._noise[slots]
        expected = (weights[batch.chunk] * (z + sigma * noise).numpy()).sum(axis=1)
        np.testing.assert_allclose(batch.expected, expected, atol=2e-5)
        assert (engine.batches._z[slots[:, 0]] - batch.expected).abs().mean() > 0.1


def test_the_judge_is_the_one_of_networks() -> None:
    """An answer that is the target itself gains what there is; one that is nothing, nothing."""
    engine = engine_of(DoubleWellChain(D).sample(200, 0))
    square, cross = engine.judged(lambda batch: batch.target)
    np.testing.assert_allclose(square, cross, rtol=1e-6)
    assert (square > 0).all()
    for part in engine.judged(lambda batch: torch.zeros_like(batch.target)):
        assert (part == 0).all()
    for w in engine.networks.weights.values():
        w.add_(0.1 * torch.randn(w.shape, generator=stream(3)))

    def by_hand(batch: Batch) -> torch.Tensor:
        """Inputs held at their ends; F fades as 1/(1 + (4 e)²) with the distance e beyond."""
        low, high = engine.batches.limits(batch.chunk)
        held = batch.x.double().clone()
        slots = held[:, : low.shape[1]]
        beyond = (slots - slots.clamp(low.double(), high.double())).abs().sum(1)
        slots.clamp_(low.double(), high.double())
        units = torch.arange(batch.chunk.start, batch.chunk.stop)
        return engine.networks.take(units).apply(held) / (1.0 + (4.0 * beyond) ** 2)

    found = zip(engine.judged(by_hand), engine.held_out_parts(engine.networks), strict=True)
    for mine, its in found:
        np.testing.assert_allclose(mine, its, rtol=1e-3, atol=1e-5)


def gains(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    square, cross = prospects(engine_of(rows))
    change = square - 2.0 * cross
    return change.mean(axis=1), change.std(axis=1) / np.sqrt(change.shape[1])


def test_wells_promise_and_gaussian_rows_do_not() -> None:
    """By the rule that decides."""
    gain, error = gains(DoubleWellChain(D).sample(500, 0))
    assert worthwhile(gain, error, 1.0).all()
    assert gain.mean() < -0.02
    gain, error = gains(OrnsteinUhlenbeckChain(D, 0.8).sample(500, 0))
    assert not worthwhile(gain, error, 1.0).any()


def test_one_curved_component_is_found_among_straight_ones() -> None:
    rows = OrnsteinUhlenbeckChain(D, 0.6).sample(500, 0)
    rows[:, 4] = np.sign(rows[:, 4]) * np.sqrt(np.abs(rows[:, 4]))
    gain, error = gains(rows)
    assert gain.argmin() == 4
    assert gain[4] < -3.0 * error[4]


def test_the_engine_stays_as_it_was() -> None:
    """To the bit, whatever was asked before the first step."""
    rows = DoubleWellChain(D).sample(300, 0)
    found = []
    for ask in (False, True):
        engine = engine_of(rows)
        if ask:
            prospects(engine)
        engine.step(0)
        found.append({name: w.clone() for name, w in engine.networks.weights.items()})
    for name, weights in found[0].items():
        assert torch.equal(weights, found[1][name])


def test_no_step_is_taken_where_nothing_can_be_gained(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    really = Engine.step
    monkeypatch.setattr(Engine, "step", lambda self, step: steps.append(step) or really(self, step))
    names = tuple(map(str, range(D)))
    trainer = Trainer(Domain(DependencyGraph.chain(D), names), 1, OPTIONS)
    for law, some in ((OrnsteinUhlenbeckChain(D, 0.8), False), (DoubleWellChain(D), True)):
        rows = law.sample(500, 0)
        trained = trainer.train(((rows - rows.mean(axis=0)) / rows.std(axis=0)).T)
        assert bool(steps) == some
        assert len(trained.shards[0].networks) == 0 or some


def test_values_that_are_draws_teach_nothing() -> None:
    """Centers that are missing in half of the rows: changed there, the regression is the same."""
    engine = engine_of(DoubleWellChain(D).sample(300, 0))
    parts = engine.examples
    seen = torch.ones_like(parts.z)
    seen[:-1, ::2] = 0.0
    found = []
    for shift in (0.0, 5.0):
        z = parts.z.clone()
        z[:-1, ::2] += shift * (1 - seen[:-1, ::2])
        examples = Examples(
            z, parts.noisy_sources, parts.classes, parts.train, parts.held_out, seen
        )
        found.append(
            prospects(Engine(examples, engine.inputs, engine.closed_form, OPTIONS, engine.key))
        )
    for before, after in zip(*found, strict=True):
        np.testing.assert_array_equal(np.isnan(before), np.isnan(after))
        np.testing.assert_allclose(before, after, atol=1e-6)
