"""The trainer: what is learned, what is not, and that shards are computed alike everywhere."""

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.inference.density.nats import Nats
from locality.local.field import ScoreField
from locality.local.shard import ShardState
from locality.noise.levels import NoiseLevels
from locality.training.executors import Inline, Processes, executor
from locality.training.options import TrainingOptions
from locality.training.trainer import Trained, Trainer

SHORT = TrainingOptions(n_steps=240, batch_size=64, width=16, n_checks=6)
BRIEF = TrainingOptions(n_steps=240, batch_size=32, width=16, n_checks=4)


def chain(d: int) -> Domain:
    return Domain(DependencyGraph.chain(d), tuple(f"x{k}" for k in range(d)))


def tied(d: int) -> Domain:
    axis = Axis("place", extent=d)
    return Domain(DependencyGraph.empty(1), ("x",), (axis,))


def standardized(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values [d, n] of rows [n, d]."""
    return np.ascontiguousarray(((rows - rows.mean(0)) / rows.std(0)).T)


def digest(shard: ShardState) -> dict[str, str]:
    return {
        name: hashlib.sha256(repr((a.dtype, a.shape)).encode() + a.tobytes()).hexdigest()
        for name, a in shard.arrays().items()
    }


def mean_nats(domain: Domain, trained: Trained, values: NDArray[np.float64]) -> float:
    field = ScoreField(domain, trained.shards)
    levels = NoiseLevels.for_scales(field.conditional_scale, field.largest_variance)
    return float(Nats(levels, n_pairs=1).surprise(field, values).total.mean())


def n_networks(trained: Trained) -> int:
    return sum(len(shard.networks) for shard in trained.shards)


@pytest.mark.parametrize("seed", [0, 1])
def test_gaussian_data_are_left_to_the_closed_form(seed: int) -> None:
    """Networks must beat the closed form by two errors on held-out rows: by chance, 1 of 12."""
    values = standardized(OrnsteinUhlenbeckChain(12, 0.7).sample(1500, seed))
    options = TrainingOptions(n_steps=150, batch_size=128, width=16, n_checks=6)
    trained = Trainer(chain(12), 1, options, seed).train(values)
    assert n_networks(trained) <= 1
    linear = Trainer(chain(12), 1).train(values)
    for neural, closed in zip(trained.shards, linear.shards, strict=True):
        assert (neural.held_out <= closed.held_out + 1e-12).all()
        np.testing.assert_array_equal(neural.covariance, closed.covariance)


def test_double_wells_are_learned() -> None:
    """A few hundred steps take over half of what no linear model can have; none beats the truth.

    Fresh rows; the exact density of the same rows is the bound, at 4 standard errors.
    """
    d, law = 8, DoubleWellChain(8)
    rows, fresh = law.sample(2000, 0), law.sample(1500, 1)
    mean, scale = rows.mean(0), rows.std(0)
    values, test = ((x - mean).T / scale[:, None] for x in (rows, fresh))
    exact = (-law.log_density(fresh) - np.log(scale).sum()) / d
    linear = mean_nats(chain(d), Trainer(chain(d), 1).train(values), test)
    options = TrainingOptions(n_steps=400, batch_size=128, width=32, n_checks=8)
    trained = Trainer(chain(d), 1, options).train(values)
    neural = mean_nats(chain(d), trained, test)
    assert n_networks(trained) == d
    assert neural < linear - 0.5 * (linear - exact.mean())
    assert neural > exact.mean() - 4 * exact.std() / len(exact) ** 0.5
    assert neural < exact.mean() + 0.08


@pytest.mark.slow
def test_double_wells_are_learned_well() -> None:
    """With the default budget the model comes within 0.03 nats per component of the truth."""
    d, law = 8, DoubleWellChain(8)
    rows, fresh = law.sample(4000, 0), law.sample(3000, 1)
    mean, scale = rows.mean(0), rows.std(0)
    values, test = ((x - mean).T / scale[:, None] for x in (rows, fresh))
    exact = (-law.log_density(fresh) - np.log(scale).sum()) / d
    trained = Trainer(chain(d), 2, TrainingOptions()).train(values)
    assert abs(mean_nats(chain(d), trained, test) - exact.mean()) < 0.03


def test_held_out_nats_foretell_fresh_rows() -> None:
    """Cross-validated nats of the linear model against 4,000 fresh rows, within 4 errors."""
    law = OrnsteinUhlenbeckChain(10, 0.8)
    rows, fresh = law.sample(500, 0), law.sample(4000, 1)
    mean, scale = rows.mean(0), rows.std(0)
    values, test = ((x - mean).T / scale[:, None] for x in (rows, fresh))
    trained = Trainer(chain(10), "auto", shard_size=4).train(values)
    foretold = np.concatenate([shard.held_out for shard in trained.shards]).mean()
    error = (-law.log_density(rows) / 10).std() / 500**0.5
    assert abs(mean_nats(chain(10), trained, test) - foretold) < 4 * error


def test_tying_pays() -> None:
    """One law along a chain, few rows: the tied model has fewer nats than one law per column."""
    law = OrnsteinUhlenbeckChain(30, 0.8)
    rows, fresh = law.sample(40, 0), law.sample(1000, 1)
    untied = mean_nats(chain(30), Trainer(chain(30)).train(rows.T), fresh.T)
    space = tied(30)
    one_law = mean_nats(space, Trainer(space).train(rows.T[None]), fresh.T[None])
    exact = law.entropy() / 30
    assert exact - 0.03 < one_law < untied - 0.02
    assert one_law < exact + 0.03


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    """Three shards, inline twice and by two processes: every array the same to the bit."""
    values = standardized(DoubleWellChain(9).sample(300, 3))
    runs = [
        Trainer(chain(9), 1, BRIEF, 5, how, shard_size=3).train(values)
        for how in (Inline(), Inline(), Processes(2))
    ]
    assert len(runs[0].shards) == 3
    assert n_networks(runs[0]) > 0
    first = [digest(shard) for shard in runs[0].shards]
    for other in runs[1:]:
        assert [digest(shard) for shard in other.shards] == first
    other_seed = Trainer(chain(9), 1, BRIEF, 6, Inline(), shard_size=3).train(values)
    assert [digest(shard) for shard in other_seed.shards] != first


@pytest.mark.parametrize("options", [None, BRIEF], ids=["linear", "neural"])
def test_shards_depend_on_their_columns_and_halo_alone(options: TrainingOptions | None) -> None:
    """With every other column replaced a shard is the same to the bit, and the others are not."""
    values = standardized(DoubleWellChain(12).sample(300, 4))
    trainer = Trainer(chain(12), 1, options, shard_size=4)
    clean = trainer.train(values).shards
    assert any(len(shard.networks) for shard in clean) == (options is not None)
    for number, shard in enumerate(clean):
        replaced = np.random.default_rng(number).standard_normal(values.shape)
        replaced[shard.source_node] = values[shard.source_node]
        again = trainer.train(replaced).shards
        same = [digest(a) == digest(b) for a, b in zip(again, clean, strict=True)]
        assert same == [k == number for k in range(3)]


def test_shards_own_every_target_once_and_read_only_their_halo() -> None:
    domain = Domain(DependencyGraph.grid((6, 5)), tuple(f"x{k}" for k in range(30)), (), (7, 20))
    values = np.random.default_rng(0).standard_normal((30, 200))
    shards = Trainer(domain, 1, shard_size=8).train(values).shards
    owned = np.concatenate([shard.target for shard in shards])
    np.testing.assert_array_equal(np.sort(owned), domain.targets)
    for shard in shards:
        assert len(shard.target) <= 8
        near = domain.stencils(1).select(shard.target)
        np.testing.assert_array_equal(np.unique(shard.source_node), np.unique(near.node))


def test_a_fixed_radius_is_kept_and_auto_measures_several() -> None:
    values = standardized(OrnsteinUhlenbeckChain(8, 0.7).sample(200, 0))
    (fixed,) = Trainer(chain(8), 2).train(values).shards
    assert (fixed.radius == 2).all()
    assert fixed.radii.tolist() == [2]
    (auto,) = Trainer(chain(8)).train(values).shards
    assert auto.radii.tolist() == list(range(8))  # the diameter ends it
    assert (auto.radius >= 1).all()
    with pytest.raises(OptionError, match="needs at least 7 columns"):
        Trainer(tied(6), 3).train(values[None, :6])


def test_few_rows_bound_the_radius() -> None:
    """Neighborhoods stay below a quarter of the number of examples."""
    space = chain(40)
    found = Trainer(space).candidate_radii(20)
    assert max(stencils.sizes.max() for stencils in found.values()) == 5
    assert space.stencils(max(Trainer(space).candidate_radii(2000))).sizes.max() > 10


def test_a_hub_does_not_bound_the_others() -> None:
    """A chain of 60 whose first node is joined to 50 more: only the hub stops growing."""
    chain_edges = [(j, j + 1) for j in range(59)]
    graph = DependencyGraph.from_edges(chain_edges + [(0, j) for j in range(2, 52)], 60)
    found = Trainer(Domain(graph, tuple(f"x{j}" for j in range(60)))).candidate_radii(60)
    assert found[1].sizes[0] == 52  # neighbors themselves are always within
    assert max(stencils.sizes[0] for stencils in found.values()) == 52
    assert found[4].sizes[59] == 5


def test_progress_is_told_shard_by_shard() -> None:
    told: list[tuple[str, int, int]] = []
    values = standardized(np.random.default_rng(0).standard_normal((50, 6)))
    trained = Trainer(chain(6), 1, shard_size=2).train(values, lambda *a: told.append(a))
    assert told == [("closed form", k, 3) for k in (1, 2, 3)]
    assert set(trained.seconds) == {"neighborhoods", "closed form"}


def test_executors_keep_order_and_errors() -> None:
    assert list(Inline().map(abs, [-3, 2, -1])) == [(0, 3), (1, 2), (2, 1)]
    assert isinstance(executor(1), Inline)
    assert isinstance(executor(3), Processes)
    with pytest.raises(OptionError, match="at least 1, found 0"):
        executor(0)
    with pytest.raises(ZeroDivisionError):
        list(Inline().map(lambda x: 1 / x, [1, 0]))
