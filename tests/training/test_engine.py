"""The engine: units never mix, rows are kept apart, gains are nats, AdamW is AdamW."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from locality.data.synthetic import DoubleWellChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.density.nats import Nats
from locality.local.correction import NetworkInputs
from locality.local.field import ScoreField
from locality.local.linear import LinearDenoiser
from locality.local.patches import Patches, Sources, unfold
from locality.noise.levels import NoiseLevels
from locality.noise.streams import stream
from locality.training.engine import Engine
from locality.training.examples import Examples
from locality.training.options import TrainingOptions

D = 5
TABLE = Domain(DependencyGraph.chain(D), tuple("abcde"))
LATTICE = Domain(DependencyGraph.empty(1), ("x",), (Axis("s"),))
OPTIONS = TrainingOptions(n_steps=40, batch_size=64, width=16, n_checks=4)


class Parts(NamedTuple):
    examples: Examples
    inputs: NetworkInputs
    closed_form: LinearDenoiser


def wells(n: int = 400, d: int = D) -> NDArray[np.float64]:
    rows = DoubleWellChain(d).sample(n, 0)
    return ((rows - rows.mean()) / rows.std()).T


def parts_of(field: ScoreField, values: NDArray[np.float64]) -> Parts:
    """What the engine needs, from a field by hand; every fifth sample is held out."""
    (shard,) = field.shards
    extent, n_samples = values.shape[1:-1], values.shape[-1]
    classes, inside = shard.sources.inside(field.domain, extent)
    held = np.tile(np.arange(n_samples) % 5 == 0, len(classes))
    z = torch.from_numpy(unfold(values, shard.sources, field.domain)).float()
    nothing = np.zeros((1, len(inside)), dtype=bool)
    return Parts(
        Examples(
            z,
            torch.from_numpy(np.vstack([(inside & ~shard.source_given).T, nothing])).float(),
            torch.from_numpy(np.repeat(classes, n_samples)),
            torch.from_numpy(np.flatnonzero(~held)),
            torch.from_numpy(np.flatnonzero(held)),
        ),
        NetworkInputs.of(
            shard.patches, shard.networks.level_range, inside if len(inside) > 1 else None
        ),
        shard.closed_form(inside),
    )


def table_parts(make_field, n: int = 400) -> Parts:
    values = wells(n)
    c = values @ values.T / n
    return parts_of(make_field(TABLE, 1, lambda s: c[np.ix_(s.node, s.node)], strength=1.0), values)


def weights_of(engine: Engine) -> dict[str, torch.Tensor]:
    both = {"now": engine.networks, "average": engine.average}
    return {f"{k} {n}": w.clone() for k, v in both.items() for n, w in v.weights.items()}


def run_steps(engine: Engine, n: int) -> dict[str, torch.Tensor]:
    for step in range(n):
        engine.step(step)
    return weights_of(engine)


def test_an_untrained_network_gains_exactly_nothing(make_field) -> None:
    engine = Engine(*table_parts(make_field), OPTIONS, (0, 0))
    for networks in (engine.networks, engine.average, engine.best):
        gain, error = engine.held_out_gain(networks)
        assert (gain == 0).all()
        assert (error == 0).all()


def test_a_broken_unit_breaks_no_other(make_field) -> None:
    """NaN weights in one unit: after eight steps every other unit has the same bits."""
    found = []
    for broken in (False, True):
        engine = Engine(*table_parts(make_field), OPTIONS, (0, 0))
        if broken:
            for w in engine.networks.weights.values():
                w[2] = torch.nan
        found.append(run_steps(engine, 8))
    others = [0, 1, 3, 4]
    for name, clean in found[0].items():
        assert torch.equal(found[1][name][others], clean[others]), name
        assert found[1][name][2].isnan().any()


def test_a_unit_learns_alone_what_it_learns_in_company(make_field) -> None:
    """Same start, same noise: apart from the order of sums, the same weights."""
    parts = table_parts(make_field)
    company = Engine(*parts, OPTIONS, (0, 0))
    unit = torch.tensor([3])
    alone = Engine(
        parts.examples,
        parts.inputs.take(unit),
        parts.closed_form.take(unit.numpy()),
        OPTIONS,
        (0, 0),
    )
    for name, w in alone.networks.weights.items():
        w.copy_(company.networks.weights[name][unit])
    alone.average = alone.networks.take(torch.tensor([0]))
    together, single = run_steps(company, 20), run_steps(alone, 20)
    for name, w in single.items():
        torch.testing.assert_close(w, together[name][unit], rtol=1e-3, atol=1e-4)
    assert (single["now w3"] != 0).any()


def test_training_reads_no_held_out_row_and_validation_no_training_row(make_field) -> None:
    parts = table_parts(make_field)
    found = []
    for poison in (None, parts.examples.held_out):
        z = parts.examples.z.clone()
        if poison is not None:
            z[:-1, poison] = torch.nan
        examples = Examples(z, *(getattr(parts.examples, n) for n in
                                 ("noisy_sources", "classes", "train", "held_out")))  # fmt: skip
        found.append(run_steps(Engine(examples, *parts[1:], OPTIONS, (0, 0)), 12))
    assert all(torch.equal(found[1][name], w) for name, w in found[0].items())
    engine = Engine(*parts, OPTIONS, (0, 0))
    run_steps(engine, 12)
    clean = engine.held_out_gain(engine.networks)
    parts.examples.z[:-1, parts.examples.train] = torch.nan
    np.testing.assert_array_equal(engine.held_out_gain(engine.networks), clean)


def test_every_example_is_seen_once_an_epoch(make_field) -> None:
    """A row that is NaN spoils training within the first epoch, whichever row it is."""
    options = replace(OPTIONS, batch_size=16)  # 64 rows of few units at a time
    for row in (1, 77, 399):
        parts = table_parts(make_field)
        parts.examples.z[:-1, row] = torch.nan
        engine = Engine(*parts, options, (0, 0))
        assert row in parts.examples.train.tolist()
        spoiled = run_steps(engine, -(-len(parts.examples.train) // engine.n_rows))
        assert all(w.isnan().any() for name, w in spoiled.items() if name.startswith("now"))


@pytest.mark.parametrize("case", ["table", "given", "lattice"])
def test_held_out_gain_is_the_change_of_nats(make_field, case: str) -> None:
    """Two routes to the gain of arbitrary networks on the same rows: engine and ``Nats``.

    Level 1e-5 over all components (4.9 standard errors of the two together).
    """
    if case == "lattice":
        domain, extent = LATTICE, (2,)  # every position lies at the rim
        values = wells(2000, 2)[None]

        def covariance(sources):
            return 0.6 ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))
    else:
        given = {"table": (), "given": (2,)}[case]
        domain, extent, values = Domain(TABLE.graph, TABLE.names, (), given), (), wells(2000)
        c = values @ values.T / values.shape[1]

        def covariance(sources):
            return c[np.ix_(sources.node, sources.node)]

    field = make_field(domain, 1, covariance, extent=extent, strength=0.3)
    field.shards[0].networks.weights["b3"][:] = 1.0  # a mistake that is large against the errors
    parts = parts_of(field, values)
    # the integral of both must cover the same levels
    scale = parts.closed_form.conditional_scale[:, 0]
    field.shards[0].networks.level_range[:] = np.stack([0.07 * scale, np.full_like(scale, 6.0)], 1)
    engine = Engine(*parts, replace(OPTIONS, batch_size=256), (0, 0))
    shard = field.shards[0]
    networks = shard.networks.evaluator()
    gain, error = engine.held_out_gain(networks)
    square, cross = engine.held_out_parts(networks)
    assert (square >= 0.0).all()
    np.testing.assert_allclose((square - 2.0 * cross).mean(axis=1), gain, atol=0.5 * error.min())
    linear = make_field(domain, 1, covariance)
    held = values[..., ::5]
    for unit, node in enumerate(domain.targets):
        nats = Nats(NoiseLevels(0.07 * scale[unit], 6.0), n_levels=48, n_pairs=2)
        change = (nats.surprise(field, held).total - nats.surprise(linear, held).total)[unit]
        together = np.hypot(error[unit], change.std() / len(change) ** 0.5)
        assert abs(gain[unit] - change.mean()) < 4.9 * together, (node, gain, change.mean())
        assert abs(change.mean()) > 10 * together  # the comparison says something


def test_slots_outside_the_lattice_feed_nothing_to_networks(make_field) -> None:
    """On a lattice of one position both neighbors are outside: their weights do not matter."""

    def covariance(sources):
        return 0.6 ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))

    field = make_field(LATTICE, 1, covariance, extent=(1,), strength=1.0)
    values = wells(400, 1)[None]
    shard = field.shards[0]
    networks = shard.networks.evaluator()
    found = []
    for factor in (1.0, 1e3):
        networks.weights["w1"][:, 1:3] *= factor
        options = replace(OPTIONS, width=networks.width)
        engine = Engine(*parts_of(field, values), options, (0, 0))
        engine.networks = networks.take(torch.tensor([0]))
        gain = engine.held_out_gain(networks)
        engine.step(0)
        assert (engine.gradients["w1"][:, 1:3] == 0).all()
        found.append((*gain, Nats(NoiseLevels(0.02, 12.0)).surprise(field, values).total))
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def test_draws_in_place_of_missing_values_are_never_targets(make_field) -> None:
    """Their components get no gradient and no gain; all others get what they got before."""
    parts = table_parts(make_field)
    seen = torch.ones(parts.examples.z.shape)
    seen[2] = 0.0  # the value of component c, in every row
    masked = parts._replace(examples=replace(parts.examples, observed=seen))
    plain, blind = (Engine(*part, OPTIONS, (0, 0)) for part in (parts, masked))
    for engine in (plain, blind):
        engine.networks = engine.networks.take(torch.arange(D))
        engine.networks.weights["w3"].normal_(generator=stream(3))
        engine.step(0)
    others = torch.tensor([0, 1, 3, 4])
    for name, gradient in blind.gradients.items():
        assert (gradient[2] == 0).all(), name
        assert torch.equal(gradient[others], plain.gradients[name][others]), name
    gains = [engine.held_out_gain(engine.networks)[0] for engine in (plain, blind)]
    assert gains[1][2] == 0.0
    np.testing.assert_array_equal(gains[0][others], gains[1][others])


def test_the_update_is_adamw(make_field) -> None:
    """Five steps against AdamW written out in double precision, at the documented step sizes."""
    parts = table_parts(make_field)
    engine = Engine(*parts, OPTIONS, (0, 0))
    decay = OPTIONS.weight_decay(len(parts.examples.train))
    mine = {n: w.double() for n, w in engine.networks.weights.items()}
    first = {n: torch.zeros_like(w) for n, w in mine.items()}
    second = {n: torch.zeros_like(w) for n, w in mine.items()}
    for step in range(5):
        rate = 1e-2 * (step + 1) / 100 * 0.5 * (1 + np.cos(np.pi * step / OPTIONS.n_steps))
        engine.step(step)
        for name, w in mine.items():
            g = engine.gradients[name].double()
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.99 * second[name] + 0.01 * g**2
            mean = first[name] / (1 - 0.9 ** (step + 1))
            square = second[name] / (1 - 0.99 ** (step + 1))
            w *= 1 - rate * decay
            w -= rate * mean / (square.sqrt() + 1e-8)
    for name, w in mine.items():
        torch.testing.assert_close(engine.networks.weights[name], w.float(), rtol=1e-5, atol=1e-7)
        assert (engine.networks.weights[name] != 0).any()


def test_the_best_weights_are_kept_and_pruned_units_stay_at_zero(make_field) -> None:
    engine = Engine(*table_parts(make_field), OPTIONS, (0, 0))
    asked = []

    def rule(gain: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.int64]:
        asked.append((gain.copy(), error.copy()))
        return np.array([1, 4])

    engine.run(rule)
    assert len(asked) == 1
    assert engine.pruned.tolist() == [True, False, True, True, False]
    steps, gains = zip(*engine.curve, strict=True)
    assert steps == (10, 20, 30, 40)
    gains = np.stack(gains)
    assert np.isnan(gains[1:, [0, 2, 3]]).all()
    lowest = np.minimum(np.nanmin(gains, axis=0), 0.0)
    np.testing.assert_array_equal(engine.best_gain, lowest)
    again, _ = Engine(*table_parts(make_field), OPTIONS, (0, 0)).held_out_gain(engine.best)
    np.testing.assert_allclose(again, engine.best_gain, rtol=1e-4, atol=1e-6)


def test_the_key_decides_every_bit(make_field) -> None:
    results = []
    for key in ((0, 0), (0, 0), (0, 1), (1, 0)):
        torch.manual_seed(len(results))
        engine = Engine(*table_parts(make_field), OPTIONS, key)
        engine.run()
        results.append(weights_of(engine))
    for name, w in results[0].items():
        assert torch.equal(results[1][name], w)
        assert not torch.equal(results[2][name], w)
        assert not torch.equal(results[3][name], w)


def test_random_networks_do_not_gain(make_field) -> None:
    """A network that knows nothing loses nats: the gain is no artifact of its estimator."""
    engine = Engine(*table_parts(make_field), OPTIONS, (0, 0))
    for name in ("w3", "b3"):
        w = engine.networks.weights[name]
        w.copy_(2.0 * torch.randn(w.shape, generator=stream(9)))
    gain, _ = engine.held_out_gain(engine.networks)
    assert (gain > 0.05).all()


def test_examples_need_no_unit_of_their_own(make_field) -> None:
    """Patches may share sources and differ in size: padding leaves gradients of its input zero."""
    parts = table_parts(make_field)
    engine = Engine(*parts, OPTIONS, (0, 0))
    engine.step(0)
    engine.step(1)  # the last layer has left zero
    padded = torch.from_numpy(parts.inputs.patches.slots == parts.inputs.patches.n_sources)
    gradient = engine.gradients["w1"][:, : padded.shape[1]]
    assert padded.any()
    assert (gradient[padded] == 0).all()
    assert (gradient[~padded].abs().sum(-1) > 0).all()
    slots = Patches.of(TABLE.stencils(1), Sources.of(TABLE.stencils(1))).slots
    np.testing.assert_array_equal(slots, parts.inputs.patches.slots)


def test_averaged_weights_are_an_exponential_average_of_every_fourth(make_field) -> None:
    """The factor is d⁴ for a step of four, d growing to its ceiling: two routes to one average."""
    options = replace(OPTIONS, averaging=0.6, learning_rate=2.0)  # large steps
    engine = Engine(*table_parts(make_field), options, (0, 0))
    expected = {name: w.clone() for name, w in engine.networks.weights.items()}
    for step in range(20):
        engine.step(step)
        if step % 4 == 3:
            kept = min(0.6, (step + 1) / (step + 10)) ** 4  # the ceiling is reached in between
            for name, w in engine.networks.weights.items():
                expected[name] = kept * expected[name] + (1 - kept) * w
        for name, w in engine.average.weights.items():
            torch.testing.assert_close(w, expected[name])
            assert step < 3 or not torch.allclose(w, engine.networks.weights[name])


def test_averaged_weights_are_judged_and_kept(make_field) -> None:
    engine = Engine(*table_parts(make_field), OPTIONS, (0, 0))
    for step in range(8):
        engine.step(step)
    for name, w in engine.networks.weights.items():
        w.fill_(3.0 if name == "b3" else torch.nan)  # what is not asked cannot matter
    gain, error = engine.held_out_gain(engine.average)
    engine.check(8)
    ((step, curve),) = engine.curve
    assert step == 8
    np.testing.assert_array_equal(curve, gain)
    np.testing.assert_array_equal(engine.last_gain, gain)
    better = gain < 0
    assert better.any()
    np.testing.assert_array_equal(engine.best_gain, np.minimum(gain, 0.0))
    np.testing.assert_array_equal(engine.best_error, error)
    for name, best in engine.best.weights.items():
        assert torch.equal(best[better], engine.average.weights[name][better]), name


class Scripted(Engine):
    """An engine whose networks gain what a list says, check by check [n_checks, n_units]."""

    gains: NDArray[np.float64]

    def held_out_gain(self, networks: object):
        gain = self.gains[len(self.curve)][self.units.numpy()]
        return gain, 0.1 + 0.01 * self.units.numpy() - gain


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_networks_stop_when_their_patience_ends(make_field, patience: int) -> None:
    """So many checks without a new best, and after the trial; a new best begins again."""
    parts = table_parts(make_field)
    options = replace(OPTIONS, n_checks=8, patience=patience, trial=0.25)
    engine = Scripted(*parts, options, (0, 0))
    engine.gains = -np.array(
        [
            [1, 2, 3, 4, 5, 6, 7, 8],  # always better
            [9, 1, 1, 1, 1, 1, 1, 1],
            [1, 2, 2, 1, 3, 2, 2, 2],  # as good as before is not better
            [1, 1, 1, 1, 1, 1, 1, 9],
            [-1, -1, -1, -1, -1, -1, -1, -1],  # never better than no network at all
        ]
    ).T.astype(float)
    engine.run()
    trial = int(np.ceil(options.trial_steps / 5))
    assert trial == 4
    seen = np.isfinite([gain for _, gain in engine.curve])
    steps = [step for step, _ in engine.curve]
    assert steps == list(range(5, 45, 5))[: len(steps)]
    for unit, gains in enumerate(engine.gains.T):
        best, stale, n_seen = 0.0, 0, 8
        for number, gain in enumerate(gains, 1):
            best, stale = (gain, 0) if gain < best else (best, stale + 1)
            if stale >= patience and number > trial:
                n_seen = number
                break
        assert seen[:, unit].sum() == n_seen, unit
        assert engine.best_gain[unit] == min(0.0, *gains[:n_seen])
        assert engine.last_gain[unit] == gains[n_seen - 1]


def test_errors_belong_to_the_gain_they_are_told_with(make_field) -> None:
    """Of the best check, and of the first where nothing was ever gained."""
    engine = Scripted(*table_parts(make_field), OPTIONS, (0, 0))
    engine.gains = np.array([[-1.0, -2.0, -1.5], [1.0, 2.0, 3.0]])[[0, 1, 0, 1, 0]].T
    for check in range(3):
        engine.check(check)
    told = np.array([2.0, -1.0, 2.0, -1.0, 2.0])  # minus the gain
    np.testing.assert_allclose(engine.best_error, 0.1 + 0.01 * np.arange(5) + told)


def test_no_rows_held_out_and_no_networks_left_are_no_obstacle(make_field) -> None:
    parts = table_parts(make_field)
    nothing = parts._replace(examples=replace(parts.examples, held_out=torch.arange(0)))
    engine = Engine(*nothing, OPTIONS, (0, 0))
    engine.run()
    assert engine.curve == []
    assert engine.units.tolist() == list(range(D))
    assert (engine.average.weights["w3"] != 0).any()
    engine = Engine(*parts, OPTIONS, (0, 0))
    engine.run(lambda gain, error: np.arange(0))
    assert [step for step, _ in engine.curve] == [10]
    assert engine.pruned.all()


def test_errors_of_gains_are_those_of_repetitions(make_field) -> None:
    """40 disjoint sets of held-out rows, noise of their own: the spread that was told, ± 15 %."""
    parts = table_parts(make_field, 2400)
    engine = Engine(*parts, OPTIONS, (0, 0))
    for name in ("w3", "b3"):
        w = engine.networks.weights[name]
        w.copy_(torch.randn(w.shape, generator=stream(9)))
    found = []
    for k, rows in enumerate(torch.arange(2400).view(60, 40).T):
        engine.key = (0, k)
        engine.examples = replace(engine.examples, held_out=rows)
        found.append(engine.held_out_gain(engine.networks))
    gain, error = map(np.array, zip(*found, strict=True))
    told = np.sqrt((error**2).mean(axis=0))
    np.testing.assert_allclose((gain.std(axis=0, ddof=1) / told).mean(), 1.0, atol=0.15)


def test_few_networks_see_more_rows_at_a_time(make_field) -> None:
    for d, n_rows in ((7, 4 * 64), (8, 64)):
        domain = Domain(DependencyGraph.chain(d), tuple("abcdefgh"[:d]))
        values = wells(200, d)
        c = values @ values.T / 200
        field = make_field(domain, 1, lambda s, c=c: c[np.ix_(s.node, s.node)], strength=1.0)
        assert Engine(*parts_of(field, values), OPTIONS, (0, 0)).n_rows == n_rows
