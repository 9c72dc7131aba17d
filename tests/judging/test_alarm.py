"""Alarms: stated rates on exchangeable rows, and statistics that are made of their parts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from locality.inference.judging.alarm import MEMORIES, Alarm, reference_of
from locality.model.reference import Reference

BANDS, D = 3, 8


def nats(n: int, seed: int, d: int = D) -> NDArray[np.float64]:
    """Skewed, in different units, alike in neighboring sensors and bands; rows independent."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((BANDS + 1, n, d + 1))
    mixed = white[1:] + white[:-1]
    mixed = (mixed[..., 1:] + mixed[..., :-1]) / 2
    unit = np.random.default_rng(99).uniform(0.1, 3.0, (BANDS, 1, d))
    return unit * mixed**2 - 0.3


def reference(n: int = 1000, seed: int = 0, *, ordered: bool = True) -> Reference:
    bands = nats(n, seed)
    residual = np.random.default_rng([seed, 1]).standard_normal((n, D))
    return reference_of(bands, residual, ordered=ordered)


@pytest.mark.parametrize("n", [100, 400, 1000])
def test_alarms_come_at_the_stated_rate_or_below(n) -> None:
    """60 tables of normal rows against as many fresh ones: at no rate above it by more than three
    standard errors, however few rows there are; nor far below it where there are many.
    """
    rates = np.array([0.01, 0.03, 0.05, 0.1, 0.3, 0.6])
    found = []
    for seed in range(60):
        known = reference(n, seed, ordered=False)
        p = Alarm(known).p_value(Alarm(known).measure(nats(n, 1000 + seed)).value)
        assert ((p > 0) & (p <= 1)).all()
        found.append((p[:, None] <= rates).mean(axis=0))
    error = np.sqrt(rates * (1 - rates) * 2 / n / 60)
    assert (np.mean(found, axis=0) < rates + 3 * error).all()
    if n == 1000:
        assert (np.mean(found, axis=0) > 0.75 * rates - 3 * error).all()


def test_sensors_have_p_values_at_the_stated_rate_or_below() -> None:
    rates = np.array([0.01, 0.05, 0.3])
    n, found = 400, []
    for seed in range(40):
        p = Alarm(reference(n, seed, ordered=False)).sensors(nats(n, 1000 + seed))
        found.append((p[..., None] <= rates).mean(axis=(0, 1)))
    error = np.sqrt(rates * (1 - rates) * 2 / n / 40)  # as if sensors were all alike
    assert (np.mean(found, axis=0) < rates + 3 * error).all()
    assert (np.mean(found, axis=0) > 0.75 * rates - 3 * error).all()


@pytest.mark.parametrize("ordered", [False, True])
def test_the_stated_error_of_the_rate_is_honest(ordered) -> None:
    """Rates of 40 references on long fresh series spread as `error` says, or less in a series."""
    fresh = nats(8000, 5000)
    rates = []
    for seed in range(40):
        known = reference(600, seed, ordered=ordered)
        rates.append((Alarm(known).p_value(Alarm(known).measure(fresh).value) <= 0.05).mean())
    stated = Alarm(known).error(0.05)
    assert stated == pytest.approx(np.sqrt(0.05 * 0.95 / (30 if ordered else 300)))
    # the deviation of 40 numbers is known to 11 %
    assert np.std(rates) < 1.3 * stated
    assert ordered or np.std(rates) > 0.4 * stated
    assert np.mean(rates) < 0.05 + 3 * stated / np.sqrt(40)


@pytest.mark.parametrize("ordered", [False, True])
def test_parts_and_offset_sum_to_the_statistic(ordered) -> None:
    known, fresh = reference(ordered=ordered), nats(300, 7)
    fresh[1, 100:150, 3] += 20.0
    found = Alarm(known).measure(fresh)
    np.testing.assert_allclose(found.parts.sum(axis=1) + found.offset, found.value, atol=1e-9)
    np.testing.assert_array_equal(Alarm(known).parts_of(fresh, found.channel), found.parts)
    # the highest channel of all, and the changed sensor has most of it
    memories = len(known.spread)
    for channel in range((memories + 1) * BANDS):
        chosen = np.full(300, channel)
        value = Alarm(known).parts_of(fresh, chosen).sum(axis=1)
        value -= known.center[channel] / known.scale[channel]
        assert (value <= found.value + 1e-9).all()
    assert (found.parts[100:150].argmax(axis=1) == 3).all()


@pytest.mark.parametrize("ordered", [False, True])
def test_sensors_have_no_order(ordered) -> None:
    order = np.random.default_rng(3).permutation(D)
    residual = np.random.default_rng(4).standard_normal((500, D))
    straight = reference_of(nats(500, 0), residual, ordered=ordered)
    shuffled = reference_of(nats(500, 0)[..., order], residual[:, order], ordered=ordered)
    fresh = nats(200, 8)
    one, two = Alarm(straight).measure(fresh), Alarm(shuffled).measure(fresh[..., order])
    np.testing.assert_allclose(two.value, one.value, atol=1e-9)
    np.testing.assert_array_equal(two.channel, one.channel)
    np.testing.assert_allclose(two.parts, one.parts[:, order], atol=1e-9)
    np.testing.assert_allclose(shuffled.statistic, straight.statistic, atol=1e-9)
    np.testing.assert_allclose(
        Alarm(shuffled).sensors(fresh[..., order]),
        Alarm(straight).sensors(fresh)[:, order],
        atol=1e-9,
    )


def test_units_of_nats_do_not_matter() -> None:
    unit = np.random.default_rng(5).uniform(0.1, 10.0, (BANDS, 1, D))
    residual = np.ones((500, D))
    one = reference_of(nats(500, 0), residual, ordered=True)
    two = reference_of(unit * nats(500, 0) + 4.0, residual, ordered=True)
    fresh = nats(200, 8)
    np.testing.assert_allclose(
        Alarm(two).measure(unit * fresh + 4.0).value, Alarm(one).measure(fresh).value, atol=1e-9
    )


def test_accumulation_begins_anew_with_the_first_row() -> None:
    """E(t) = Σ_k α (1 − α)^k z(t − k) over the rows that are there, from nothing."""
    known, fresh = reference(), nats(50, 9)
    z = (fresh - known.mean[:, None]) / known.deviation[:, None]
    for number, alpha in enumerate(MEMORIES):
        accumulated = np.zeros_like(z)
        for t in range(50):
            for k in range(t + 1):
                accumulated[:, t] += alpha * (1 - alpha) ** k * z[:, t - k]
        for band in range(BANDS):
            channel = number * BANDS + band
            expected = accumulated[band] / known.spread[number, band] / known.scale[channel]
            parts = Alarm(known).parts_of(fresh, np.full(50, channel))
            np.testing.assert_allclose(parts, expected, atol=1e-9)
    few = Alarm(known).parts_of(fresh, np.full(50, len(MEMORIES) * BANDS))
    expected = np.maximum(z[0] / known.spread[0, 0] - 3.0, 0.0) / known.scale[len(MEMORIES) * BANDS]
    np.testing.assert_allclose(few, expected, atol=1e-9)
    whole = Alarm(known).measure(fresh).value
    np.testing.assert_allclose(Alarm(known).measure(fresh[:, :20]).value, whole[:20], atol=1e-9)
    loud = fresh.copy()
    loud[:, :20] += 50.0
    np.testing.assert_array_equal(
        Alarm(known).measure(loud[:, 20:]).value, Alarm(known).measure(fresh[:, 20:]).value
    )
    assert (Alarm(known).measure(loud).value[20:25] > whole[20:25]).all()


@pytest.mark.parametrize(("d", "shift"), [(3, 1.0), (8, 0.5), (40, 0.5)])
def test_an_accumulated_change_is_seen_where_a_row_is_not_enough(d, shift) -> None:
    """A small one in all sensors and bands: more than twice as often as without memory."""
    fresh, rate = nats(430, 10, d), []
    fresh[:, 200:] += shift * fresh.std(axis=1, keepdims=True)
    for ordered in (False, True):
        known = reference_of(nats(1000, 0, d), np.ones((1000, d)), ordered=ordered)
        rate.append((Alarm(known).p_value(Alarm(known).measure(fresh).value) <= 0.01)[230:].mean())
    assert rate[1] > 2 * rate[0] + 0.1


@pytest.mark.parametrize("d", [3, 8, 40])
def test_no_channel_outgrows_the_others_on_normal_rows(d) -> None:
    known = reference_of(nats(1000, 0, d), np.ones((1000, d)), ordered=True)
    assert np.quantile(known.statistic, 0.9) < 2
    assert np.quantile(known.statistic, 0.99) < 5


def test_missing_values_say_nothing() -> None:
    """Instead of a value: what is normal on average; and the reference forgets them as well."""
    known, fresh = reference(), nats(60, 11)
    gaps = np.random.default_rng(12).random((60, D)) < 0.3
    fresh[:, gaps] = np.nan
    mean = np.broadcast_to(known.mean[:, None], fresh.shape)
    filled = np.where(np.isnan(fresh), mean, fresh)
    one, two = Alarm(known).measure(fresh), Alarm(known).measure(filled)
    np.testing.assert_allclose(one.value, two.value, atol=1e-9)
    np.testing.assert_allclose(one.parts, two.parts, atol=1e-9)
    nothing = Alarm(known).measure(np.full((BANDS, 5, D), np.nan))
    assert (nothing.parts == 0).all()
    assert (Alarm(known).p_value(nothing.value) > 0.1).all()
    gappy, residual = nats(1000, 0), np.ones((1000, D))
    missing = np.random.default_rng(13).random((1000, D)) < 0.3
    gappy[:, missing] = np.nan
    learned = reference_of(gappy, np.where(missing, np.nan, residual), ordered=True)
    assert all(np.isfinite(array).all() for array in learned.arrays().values())
    for j in range(D):
        np.testing.assert_allclose(learned.mean[:, j], gappy[:, ~missing[:, j], j].mean(axis=1))


def test_the_tail_goes_on_where_ranks_end() -> None:
    """Monotone everywhere, continuous at the edge within 2 %, exponential beyond it."""
    known = reference(3000, ordered=False)
    edge = known.statistic[int(0.95 * 2999)]
    value = np.linspace(known.statistic[0] - 1, 20 * known.statistic[-1], 20_001)
    p = Alarm(known).p_value(value)
    assert (np.diff(p) <= 0).all()
    assert ((p > 0) & (p <= 1)).all()
    assert p[0] == 1.0
    inside, beyond = Alarm(known).p_value(np.array([edge, np.nextafter(edge, np.inf)]))
    assert inside == pytest.approx(0.05, rel=0.03)
    assert 0.98 * inside < beyond < inside
    step = Alarm(known).p_value(edge + np.array([1.0, 2.0, 3.0]))
    assert step[1] / step[0] == pytest.approx(step[2] / step[1])
    mean = (known.statistic[known.statistic > edge] - edge).mean()
    assert step[1] / step[0] == pytest.approx(np.exp(-1 / mean))
    # up to the edge it is the share of normal rows at least as high, the row itself among them
    for at in (0, 500, 2000):
        assert Alarm(known).p_value(known.statistic[[at]])[0] == (3000 - at + 1) / 3001


def test_rows_that_are_all_alike_have_no_tail() -> None:
    known = reference_of(np.ones((BANDS, 50, D)), np.ones((50, D)), ordered=True)
    assert (Alarm(known).p_value(Alarm(known).measure(np.ones((BANDS, 5, D))).value) == 1.0).all()
    assert (
        Alarm(known).p_value(Alarm(known).measure(np.full((BANDS, 5, D), 2.0)).value) == 1 / 51
    ).all()


def test_channels_are_numbered_by_memory_and_band() -> None:
    known = reference()
    channel = np.arange((len(MEMORIES) + 1) * BANDS)
    memory, band = Alarm(known).memory_and_band(channel)
    np.testing.assert_array_equal(memory, np.repeat([0, 1, 2, 0], BANDS))
    np.testing.assert_array_equal(band, np.tile(np.arange(BANDS), 4))
    # a change in one band is found in a channel of this band
    for b in range(BANDS):
        fresh = nats(100, 14)
        fresh[b, 40:] += 10.0
        memory, band = Alarm(known).memory_and_band(Alarm(known).measure(fresh).channel)
        assert (band[45:] == b).all()
        fresh = nats(100, 14)
        fresh[b, 40] += 200.0  # a single row: no memory is the best memory
        memory, band = Alarm(known).memory_and_band(Alarm(known).measure(fresh).channel)
        assert (memory[40], band[40]) == (0, b)


def test_rows_without_order_have_no_memory() -> None:
    known = reference(ordered=False)
    assert known.spread.shape == (1, BANDS, D)
    assert known.center.shape == (2 * BANDS,)
    memory, band = Alarm(known).memory_and_band(np.arange(2 * BANDS))
    np.testing.assert_array_equal(memory, np.zeros(2 * BANDS))
    np.testing.assert_array_equal(band, np.tile(np.arange(BANDS), 2))
    fresh, order = nats(100, 15), np.random.default_rng(16).permutation(100)
    one, two = Alarm(known).measure(fresh), Alarm(known).measure(fresh[:, order])
    np.testing.assert_array_equal(two.value, one.value[order])
    np.testing.assert_array_equal(two.parts, one.parts[order])
    np.testing.assert_array_equal(
        Alarm(known).sensors(fresh[:, order]), Alarm(known).sensors(fresh)[order]
    )


def test_arrays_are_all_there_is() -> None:
    known, fresh = reference(700), nats(50, 17)
    again = Reference(**known.arrays())
    assert again.n_rows == 700
    assert known.sensor.shape == (400, D)
    np.testing.assert_array_equal(
        Alarm(again).measure(fresh).value, Alarm(known).measure(fresh).value
    )
    np.testing.assert_array_equal(Alarm(again).sensors(fresh), Alarm(known).sensors(fresh))
