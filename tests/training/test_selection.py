"""Which networks are kept: error rates under chance, power, and what companions lend."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from locality.data.synthetic import DoubleWellChain
from locality.domain import DependencyGraph, Domain
from locality.training.options import TrainingOptions
from locality.training.selection import best_units, shrunken, worthwhile
from locality.training.trainer import Trainer


@pytest.mark.parametrize("n", [1, 8, 32])
def test_chance_keeps_few(n: int) -> None:
    """Gains of nothing but noise at two errors: at most 4 % are kept, 2.3 % for a lone one."""
    rng = np.random.default_rng(n)
    error = rng.uniform(0.01, 0.05, (4000 // n, n))
    kept = [worthwhile(e * rng.standard_normal(n), e, 2.0) for e in error]
    assert np.mean(kept) < 0.04
    if n == 1:
        assert abs(np.mean(kept) - 0.0228) < 4.4 * (0.0228 / 4000) ** 0.5


def test_a_common_gain_is_seen_through_the_noise() -> None:
    """Each gain is one error of its own below zero; together most of 32 are kept (alone 16 %)."""
    rng = np.random.default_rng(0)
    kept = [worthwhile(-0.03 + 0.03 * rng.standard_normal(32), np.full(32, 0.03), 2.0)
            for _ in range(200)]  # fmt: skip
    assert np.mean(kept) > 0.85


def test_a_few_gains_among_many_nothings_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    truth = np.where(np.arange(32) < 4, -0.3, 0.0)
    kept = np.array(
        [worthwhile(truth + 0.03 * rng.standard_normal(32), np.full(32, 0.03), 2.0)
         for _ in range(300)]
    )  # fmt: skip
    assert kept[:, :4].mean() > 0.99
    assert kept[:, 4:].mean() < 0.04


def test_order_does_not_matter_and_certain_gains_are_taken_at_their_word() -> None:
    rng = np.random.default_rng(2)
    gain, error = rng.normal(-0.02, 0.05, 40), rng.uniform(0.01, 0.06, 40)
    order = rng.permutation(40)
    np.testing.assert_array_equal(
        worthwhile(gain[order], error[order], 2.0), worthwhile(gain, error, 2.0)[order]
    )
    certain = worthwhile(np.array([-0.5, 0.5, -0.01, 0.0]), np.zeros(4), 2.0)
    assert certain.tolist() == [True, False, True, False]
    assert worthwhile(np.empty(0), np.empty(0), 2.0).tolist() == []


def sureness(gain: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Posterior mean over its standard error, by precisions, the error of μ included."""
    precision = error**-2
    mean = (precision @ gain) / precision.sum()
    spread = max(np.mean((gain - mean) ** 2 - error**2), 1e-300)
    posterior = 1 / (precision + 1 / spread)
    weight = posterior / spread  # of μ; its own variance is 1/Σ precision
    variance = posterior + weight**2 / precision.sum()
    return -(posterior * (gain * precision + mean / spread)) / variance**0.5


@pytest.mark.parametrize("seed", range(6))
def test_gains_are_as_sure_as_their_posterior_says(seed: int) -> None:
    """Kept just below as many errors as the posterior has, and not just above."""
    rng = np.random.default_rng(seed)
    scatter = 0.05 if seed % 2 else 0.0  # around a common gain, or none of its own
    error = rng.uniform(0.02, 0.08, 9)
    gain = -0.1 + scatter * rng.standard_normal(9) + error * rng.standard_normal(9)
    for unit, sure in enumerate(sureness(gain, error)):
        if sure > 0.5:
            assert worthwhile(gain, error, 0.999 * sure)[unit]
            assert not worthwhile(gain, error, 1.001 * sure)[unit]


def test_a_gain_of_five_thousandths_is_asked_for() -> None:
    gain = np.array([-0.5, 0.5, -0.0051, -0.0049, 0.0051])
    assert worthwhile(gain, np.zeros(5), 2.0).tolist() == [True, False, True, False, False]


def test_a_correction_is_taken_as_far_as_rows_that_chose_nothing_speak_for_it() -> None:
    """Gains α² − 2 α c of every row: the least is at α = c, and tells −c²."""
    rng, block = np.random.default_rng(0), np.arange(400) // 100
    share = np.array([1.0, 0.75, 0.5, 0.25])
    square = np.tile(1.0 + 0.01 * rng.standard_normal(400), (4, 1))
    factor, gain, error = shrunken(square, share[:, None] * np.ones(400), block)
    np.testing.assert_array_equal(factor, share)
    np.testing.assert_allclose(gain, -(share**2), atol=0.002)
    np.testing.assert_allclose(error, share**2 * square.std(axis=1) / 20, rtol=0.5)
    assert not worthwhile(*shrunken(square, -np.ones((4, 400)), block)[1:], 2.0).any()


def test_neither_a_single_row_nor_a_single_block_decides() -> None:
    """Of gains with the same mean those of one row, or of one block, are not believed."""
    block = np.arange(400) // 100
    gain = np.zeros((4, 400))
    gain[0] = 0.5 + 0.1 * (-1.0) ** np.arange(400)
    gain[1, 17] = 200.0
    gain[2, 100:200] = 2.0
    gain[3, 100:] = 4.0
    gain[3, :100] = -10.0
    np.testing.assert_allclose(gain.mean(axis=1), 0.5)
    found = shrunken(np.zeros((4, 400)), 0.5 * gain, block)
    np.testing.assert_allclose(found[1] / found[0], -0.5)
    assert [bool(worthwhile(*(part[[k]] for part in found[1:]), 2.0)[0]) for k in range(4)] == [
        True, False, False, False
    ]  # fmt: skip


def test_rows_without_a_value_say_nothing() -> None:
    rng, block = np.random.default_rng(1), np.arange(200) // 50
    square, cross = rng.uniform(1.0, 2.0, (2, 3, 200))
    gone = rng.random((3, 200)) < 0.4
    holes = [np.where(gone, np.nan, part) for part in (square, cross)]
    found = shrunken(*holes, block)
    for j in range(3):
        kept = ~gone[j]
        alone = shrunken(square[j : j + 1, kept], cross[j : j + 1, kept], block[kept])
        for mine, theirs in zip(found, alone, strict=True):
            np.testing.assert_allclose(mine[j], theirs[0])


def test_the_best_unit_of_every_target() -> None:
    rng = np.random.default_rng(3)
    target = rng.integers(0, 7, 60)
    total = rng.standard_normal(60)
    expected = [min(np.flatnonzero(target == j), key=total.__getitem__) for j in range(7)]
    assert best_units(total, target).tolist() == expected


def test_the_last_phase_uses_every_row_and_keeps_the_verdict() -> None:
    """With and without it: the same networks and held-out nats, other weights."""
    rows = DoubleWellChain(6).sample(1_000, 0)
    values = ((rows - rows.mean(0)) / rows.std(0)).T
    domain = Domain(DependencyGraph.chain(6), tuple("abcdef"))
    options = TrainingOptions(n_steps=250, batch_size=64, width=16, n_checks=6)
    (plain,) = Trainer(domain, 1, replace(options, refit=0.0)).train(values).shards
    (refit,) = Trainer(domain, 1, options).train(values).shards
    assert len(plain.networks) > 0
    np.testing.assert_array_equal(plain.networks.unit, refit.networks.unit)
    for name in ("held_out", "held_out_error", "radius", "neural_curve"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(refit, name))
    assert not np.array_equal(plain.networks.weights["w2"], refit.networks.weights["w2"])


def test_networks_that_gain_alike_are_not_cut_short_for_few_rows() -> None:
    """Thirty networks whose best factor is 1, each judged by 60 noisy rows: alone some are halved.

    Beside thirty that do harm each is judged by what it says itself.
    """
    rng = np.random.default_rng(0)
    square = np.ones((30, 60))
    cross = 1.0 + 1.2 * rng.standard_normal((30, 60))
    block = np.arange(60) // 15
    together, gain, error = shrunken(square, cross, block)
    alone = [shrunken(square[[k]], cross[[k]], block)[0][0] for k in range(30)]
    assert (together == 1.0).all()
    assert np.mean(np.array(alone) < 1.0) > 0.2
    np.testing.assert_allclose(gain, (square - 2.0 * cross).mean(axis=1))
    assert (error > 0.1).all()
    harm = shrunken(np.vstack([square, square]), np.vstack([cross, cross - 3.0]), block)
    assert np.mean(harm[0][:30] == alone) > 0.8
    assert (harm[0][30:] == 0.25).all()
    assert (harm[1][30:] > 0).all()
