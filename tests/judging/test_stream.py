"""Streams of models made by hand: networks, references, and what rows leave for later ones."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.data.transforms_fit import fit_standardizer
from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.density import nats as nats_module
from locality.inference.judging import networks
from locality.inference.judging.evidence import Evidence, scores
from locality.inference.judging.levels import log_p_values
from locality.inference.judging.memory import Memory, sensor_nats
from locality.inference.judging.networks import network_gain
from locality.inference.judging.promise import Promise
from locality.inference.judging.reference import calibration, law_of, sensors_of
from locality.inference.judging.stream import Stream, judge, sensor_surprise
from locality.inference.laws.window import Window
from locality.model.model import Model
from locality.model.settings import Settings
from locality.noise.levels import NoiseLevels
from locality.store.arrays import to_bytes

D = 5
CHAIN = OrnsteinUhlenbeckChain(D, 0.6)


@pytest.fixture(params=[0, 1], ids=["table", "series"])
def neural(request, make_field, monkeypatch) -> Model:
    """Every component has a network with random weights; blocks and quadratures are short."""
    monkeypatch.setattr(networks, "_BLOCK", 8)
    monkeypatch.setattr(nats_module, "Nats", partial(nats_module.Nats, n_levels=4))
    n_lags = request.param
    axes, extent = ((Axis("t", (n_lags, 0)),), (n_lags + 1,)) if n_lags else ((), ())
    names = tuple(f"x{j}" for j in range(3))

    def covariance(sources):
        gap = np.abs(np.subtract.outer(sources.node, sources.node))
        for offset in sources.offset.T:
            gap = gap + np.abs(np.subtract.outer(offset, offset))
        return 0.6**gap

    domain = Domain(DependencyGraph.chain(3), names, axes)
    field = make_field(domain, 1, covariance, strength=0.3, extent=extent)
    field = replace(field, limits=np.tile([-9.0, 9.0], (3, 1)))
    table = Table.from_frame(CHAIN.sample(40, 0)[:, :3])
    model = Model(
        fit_standardizer(table), field, NoiseLevels(0.5, 2.0), (), 40,
        Settings(graph="chain", lags=n_lags, seed=5),
    )  # fmt: skip
    return replace(model, normal=calibration(model, table))


def judged(model: Model, rows: np.ndarray, cuts: list[int], promise: Promise):
    stream, parts = Stream.of(model), []
    for piece in np.split(rows, cuts):
        found, stream = stream.take(model, Table.from_frame(piece, min_rows=0), promise)
        stream = stream.settled(found)
        parts.append((found.log_p, found.alarm, found.share, found.sensor_p_value))
    return [np.concatenate(part) for part in zip(*parts, strict=True)], stream


def gappy(n: int, seed: int) -> np.ndarray:
    rows = CHAIN.sample(n, seed)[:, :3]
    rows[8:12, 2] += 6.0
    return np.where(np.random.default_rng(seed).random(rows.shape) < 0.05, np.nan, rows)


def test_networks_in_chunks_do_not_change_a_bit(neural) -> None:
    """Their blocks are filled in pieces: before, at and after the end of one."""
    rows, promise = gappy(14, 1), Promise(n_rows=50.0)
    whole, end = judged(neural, rows, [], promise)
    found, after = judged(neural, rows, [0, 1, 7, 8, 9], promise)
    for mine, theirs in zip(whole, found, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert to_bytes(after.arrays()) == to_bytes(end.arrays())
    again = Stream.from_arrays(end.arrays())
    assert to_bytes(again.arrays()) == to_bytes(end.arrays())


def test_networks_in_blocks_know_what_they_know_of_the_whole_table(neural) -> None:
    """But for rounding; and it counts: alarms are others than those of the closed form."""
    rows = CHAIN.sample(20, 2)[:, :3]
    table = Table.from_frame(rows)
    gain, recent = Stream.of(neural).recent.gain(neural, table)
    whole = network_gain(neural, neural.layout.standard_rows(table))
    assert gain is not None
    np.testing.assert_allclose(gain, whole, atol=1e-4)
    assert np.abs(gain).max() > 0.05
    assert recent.rows.shape[1] == 20 - 16 + neural.layout.n_lags
    linear = replace(
        neural, field=replace(neural.field, shards=tuple(s.linear for s in neural.shards))
    )
    told = sensor_surprise(neural, table) - sensor_surprise(linear, table)
    np.testing.assert_allclose(told, gain, atol=1e-9)
    one, other = judge(neural, table, Promise()), judge(linear, table, Promise())
    assert np.abs(one.statistic - other.statistic).max() > 0.05


def test_missing_values_leave_networks_nothing_to_say(neural) -> None:
    rows = gappy(10, 3)
    gain, _ = Stream.of(neural).recent.gain(neural, Table.from_frame(rows))
    assert (gain[np.isnan(rows)] == 0).all()
    assert (gain[~np.isnan(rows)] != 0).all()


def fit(rows: np.ndarray, **options) -> LocalizedDiffusion:
    return LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0, **options).fit(rows)


@pytest.mark.parametrize("n", [150, 400])
def test_alarms_of_few_rows_come_at_the_stated_rate(n) -> None:
    """12 sensors, fitted to few rows: over 8 fits of independent columns, 600 fresh rows each,
    no further above 5 % than three standard errors of what the fits differ by, nor below half.
    """
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        model = fit(rng.standard_normal((n, 12)))
        p = judge(model.model_, Table.from_frame(rng.standard_normal((600, 12))), Promise())
        found.append((p.p_value <= 0.05).mean())
    assert np.mean(found) < 0.05 + 3 * np.std(found) / np.sqrt(8)
    assert np.mean(found) > 0.025


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_sensors_have_uniform_p_values(width) -> None:
    """Each alone, of 3,000 rows, within 4 standard errors of both numbers of rows; also where
    normal rows are wider than those of the fit.
    """
    model = fit(CHAIN.sample(1_500, 0))
    if width != 1.0:
        model.calibrate(width * CHAIN.sample(1_500, 2))
    rows = Table.from_frame(width * CHAIN.sample(3_000, 1))
    p = judge(model.model_, rows, Promise()).sensor_p_value
    for share in (0.02, 0.1, 0.5):
        error = np.sqrt(share * (1 - share) * (1 / 1_500 + 1 / 3_000))
        assert (np.abs((p <= share).mean(axis=0) - share) < 4 * error).all()


def test_gaps_of_the_fit_hide_no_variance() -> None:
    """A law learned with three values of ten missing has the variance of the values, and complete
    rows alarm at the stated rate within three standard errors and a tenth.
    """
    rows = CHAIN.sample(1_500, 0)
    gaps = np.random.default_rng(1).random(rows.shape) < 0.3
    model = fit(np.where(gaps, np.nan, rows))
    law = law_of(model.model_.reference)
    (part,) = law.laws
    root = np.linalg.solve(part.within.toarray(), np.diag(part.scale))
    variance = np.diag(root @ root.T) * law.unit**2
    np.testing.assert_allclose(variance, np.nanvar(np.where(gaps, np.nan, rows), axis=0), rtol=0.1)
    fresh = judge(model.model_, Table.from_frame(CHAIN.sample(2_000, 2)), Promise())
    for share in (0.01, 0.05):
        error = np.sqrt(share * (1 - share) * (1 / 1_500 + 1 / 2_000))
        assert (fresh.p_value <= share).mean() < 1.1 * share + 3 * error


def test_rows_that_are_all_missing_are_normal() -> None:
    model = fit(CHAIN.sample(600, 0), lags=1)
    rows = CHAIN.sample(60, 1)
    rows[20:25] = np.nan
    found = judge(model.model_, Table.from_frame(rows), Promise())
    assert not found.alarm[20:25].any()
    assert (found.share[20:25] == 0).all(axis=1).any() or (found.p_value[20:25] > 0.05).all()
    nothing = judge(model.model_, Table.from_frame(np.full((30, D), np.nan)), Promise())
    assert (nothing.p_value > 0.05).all()


def test_the_first_rows_of_a_file_raise_no_alarms() -> None:
    """100 files of a series that is far from white: in no more than the stated share, within three
    standard errors, though their past is not known.
    """
    rng = np.random.default_rng(0)
    x = np.zeros((24_000, 3))
    for t in range(1, len(x)):
        x[t] = 0.9 * x[t - 1] + np.sqrt(1 - 0.81) * rng.standard_normal(3)
    model = fit(x[:2_000], lags=2)
    files = [Table.from_frame(x[t : t + 3], min_rows=0) for t in range(2_100, 22_100, 200)]
    p = np.array([judge(model.model_, table, Promise()).p_value for table in files])
    assert ((p <= 0.1).mean(axis=0) < 0.1 + 3 * np.sqrt(0.09 / 100)).all()
    later = judge(model.model_, Table.from_frame(x[2_000:]), Promise()).p_value
    assert (later <= 0.1).mean() > 0.05


def test_a_decision_is_made_of_its_parts() -> None:
    """Of rows twice as wide as those of the fit, which are normal: innovations in units of their
    spread, what gaps leave out at its mean, channels, p-values, evidence.
    """
    model = fit(CHAIN.sample(400, 0), lags=1).calibrate(2.0 * CHAIN.sample(300, 1))
    known, rows = model.model_.reference, 2.0 * CHAIN.sample(60, 2)
    assert (known.spread > 1.5).all()
    rows[30:, 2] += 6.0
    gaps = np.random.default_rng(3).random(rows.shape) < 0.1
    table = Table.from_frame(np.where(gaps, np.nan, rows))
    found, after = Stream.of(model.model_).take(model.model_, table, Promise(n_rows=200.0))
    law = law_of(known)
    e, _, _ = Window.empty(law).take(law, law.plain(table.values))
    away = np.where(gaps, 0.0, e / known.spread)
    nats = np.where(gaps, known.mean, sensor_nats(e / known.spread)).sum(axis=1)
    channels, _ = Memory.empty(D, known.mean.sum()).take(away, nats, sensors_of(known))
    log_p = log_p_values(known.channels, channels)
    statistic = sum(-log_p[3 * k : 3 * k + 3].min(axis=0) for k in range(4))
    np.testing.assert_allclose(found.statistic, statistic)
    np.testing.assert_array_equal(found.channel, log_p.argmin(axis=0))
    np.testing.assert_allclose(found.log_p, log_p_values(known.statistic, statistic[None])[0])
    growing = Evidence(known.evidence, 200.0)
    _, alarm = growing.take(scores(away, nats, known.mean.sum(), known.total_deviation))
    np.testing.assert_array_equal(found.alarm, alarm)
    assert alarm[-1]
    assert not alarm[:30].any()
    np.testing.assert_allclose(after.evidence, growing.state)
