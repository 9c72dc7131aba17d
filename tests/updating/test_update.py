"""Partial retraining: only what was chosen changes, the gate holds, and little is lost."""

import copy
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.exceptions import DataError, OptionError
from locality.local.shard import ShardState
from locality.model.summary import summarize
from locality.store.arrays import to_bytes
from locality.store.garbage import collect_garbage
from locality.store.versions import (
    commit_version,
    list_versions,
    rollback,
    served_digest,
    set_alias,
)
from locality.training.trainer import Trainer


def _hash(shard: ShardState) -> str:
    return hashlib.sha256(to_bytes(shard.arrays())).hexdigest()


def _chain(n_rows: int, seed: int, d: int = 70) -> np.ndarray:
    return OrnsteinUhlenbeckChain(d, correlation=0.8).sample(n_rows, random_state=seed)


@pytest.fixture(scope="module")
def once_fitted() -> LocalizedDiffusion:
    return LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(_chain(800, 0))


@pytest.fixture
def fitted(once_fitted: LocalizedDiffusion) -> LocalizedDiffusion:
    """One for every test: an update replaces what an estimator has, and alters nothing of it."""
    return copy.copy(once_fitted)


def test_other_shards_keep_their_bits_and_answers(fitted: LocalizedDiffusion) -> None:
    before = fitted.model_.shards
    assert len(before) == 3
    old = fitted.surprise(_chain(50, 5))
    told = fitted.update(_chain(400, 1), ["x0", "x1", "x5"])
    assert told.accepted
    assert told.sensors == ("x0", "x1", "x5")
    after = fitted.model_.shards
    untouched = [s for s in before if not np.isin(s.target, [0, 1, 5]).any()]
    assert {_hash(s) for s in untouched} <= {_hash(s) for s in after}
    assert len(untouched) >= 1
    # what stayed in a shard that was cut answers as before, too
    new = fitted.surprise(_chain(50, 5))
    same = np.setdiff1d(np.arange(70), [0, 1, 5])
    np.testing.assert_allclose(new[:, same], old[:, same], rtol=1e-9, atol=1e-9)
    assert np.abs(new[:, [0, 1, 5]] - old[:, [0, 1, 5]]).max() > 1e-4
    owned = np.sort(np.concatenate([s.target for s in after]))
    np.testing.assert_array_equal(owned, np.arange(70))


def test_a_part_of_a_shard_is_the_shard_there(fitted: LocalizedDiffusion) -> None:
    shard = fitted.model_.shards[0]
    part = shard.take(np.array([0, 3, 4]))
    np.testing.assert_array_equal(part.target, shard.target[[0, 3, 4]])
    assert len(part.source_node) < len(shard.source_node)
    inside = np.ones((1, len(part.source_node)), dtype=bool)
    whole = np.ones((1, len(shard.source_node)), dtype=bool)
    np.testing.assert_allclose(
        part.closed_form(inside).conditional_scale,
        shard.closed_form(whole).conditional_scale[[0, 3, 4]],
        rtol=1e-12,
    )


def test_what_drifted_is_found_learned_and_reported(fitted: LocalizedDiffusion) -> None:
    new = _chain(700, 2)
    new[:, 10] = 3.0 * new[:, 10] + 4.0
    once = copy.copy(fitted)
    told = fitted.update(new, process_change="x10 was replaced")
    assert told.accepted
    assert (told.n_left_out, told.process_change) == (0, "x10 was replaced")
    assert set(told.sensors) <= {"x9", "x10", "x11"}
    assert "x10" in told.sensors
    worst = copy.copy(once).update(new, 1, process_change="x10 was replaced")
    assert worst.sensors == ("x10",)
    assert told.rescaled == ("x10",)
    assert {"x9", "x11"} <= {*told.affected, *told.sensors}
    assert told.challenger < told.champion - 0.5
    later = _chain(300, 3)
    later[:, 10] = 3.0 * later[:, 10] + 4.0
    assert fitted.detect(later).to_frame()[:, 0].mean() < 0.05  # and alarms are those of now


def test_a_declared_change_of_all_levels_is_learned_by_all(fitted: LocalizedDiffusion) -> None:
    """Neighbors explain each other, so few have drifted by what is left given their neighbors."""
    new = _chain(600, 2) + 1.5
    told = fitted.update(new, process_change="another product")
    assert told.accepted, told.why
    assert len(told.sensors) == 70
    assert fitted.detect(_chain(300, 3) + 1.5).alarm.mean() < 0.05


def test_nothing_is_done_where_nothing_drifted(fitted: LocalizedDiffusion) -> None:
    model = fitted.model_
    told = fitted.update(_chain(600, 4))
    assert not told.accepted
    assert told.sensors == ()
    assert told.to_dict()["champion"] is None
    assert fitted.model_ is model


def test_the_gate_refuses_a_worse_challenger(fitted: LocalizedDiffusion) -> None:
    """Rows of which those learned from are broken, and those kept back are not."""
    new = _chain(400, 6)
    broken = new.copy()
    rng = np.random.default_rng(0)
    broken[:280, :3] = rng.normal(size=(280, 3))
    model = fitted.model_
    chosen, meant = ["x0", "x1", "x2"], {"process_change": "so it seemed"}
    told = fitted.update(broken, chosen, **meant)
    assert not told.accepted
    assert told.bound > told.margin
    assert "worse by more than 0.01 nats" in told.why
    assert fitted.model_ is model
    assert fitted.update(broken, chosen, margin=None, **meant).accepted


def test_an_update_ends_near_a_full_fit() -> None:
    """5 % of the sensors changed: within 0.01 nats per component of fitting all again."""
    new, later = _chain(1_000, 7), _chain(1_000, 8)
    changed = [3, 20, 45, 60]
    for rows, seed in ((new, 0), (later, 1)):
        noise = np.random.default_rng(seed).normal(size=(1_000, 4))
        rows[:, changed] = 0.5 * rows[:, changed] + 0.5 * noise
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(
        _chain(1_000, 0)
    )
    near = sorted({k for j in changed for k in (j - 1, j, j + 1)})
    told = model.update(new, [f"x{j}" for j in near], process_change="four were replaced")
    assert told.accepted
    full = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(new)
    gap = model.surprise(later).mean() - full.surprise(later).mean()
    assert gap < 0.01


def test_what_is_learned_again_starts_from_what_is_there(
    fitted: LocalizedDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainer gets the present states of just the components that it is to learn."""
    given = []
    train = Trainer.train

    def watched(*args: Any, cut: Any = None, warm: Any = None, **options: Any) -> Any:
        given.append((cut, warm))
        return train(*args, cut=cut, warm=warm, **options)

    monkeypatch.setattr(Trainer, "train", watched)
    fitted.update(_chain(400, 1), ["x0", "x40", "x69"])
    assert given
    for cut, warm in given:
        assert len(cut) == len(warm)
        for part, states in zip(cut, warm, strict=True):
            owned = np.concatenate([state.target for state in states])
            np.testing.assert_array_equal(np.sort(owned), part)


@pytest.mark.slow
def test_networks_start_from_the_present_ones() -> None:
    """490 rows know less than 2,000: the gate sees it, and without it later rows do. In a hundred
    steps networks that start from those get further than new ones (.04 to .11 nats, three seeds).
    """
    law = DoubleWellChain(6)
    fitted = LocalizedDiffusion(graph="chain", radius=1, n_steps=600, random_state=0)
    fitted.fit(law.sample(2_000, 0))
    assert fitted.model_.has_networks
    later, new = law.sample(1_500, 2), law.sample(700, 3)
    before = fitted.surprise(later)[:, 2:4].mean()
    model = copy.copy(fitted)
    assert not model.update(new, ["x2", "x3"]).accepted
    model.update(new, ["x2", "x3"], margin=None)
    assert model.model_.has_networks
    assert before < model.surprise(later)[:, 2:4].mean()
    short = copy.copy(fitted).set_params(n_steps=100)
    short.update(new, ["x2", "x3"], margin=None)
    anew = LocalizedDiffusion(graph="chain", radius=1, n_steps=100, random_state=0).fit(new[:490])
    warm, cold = (m.surprise(later)[:, 2:4].mean() for m in (short, anew))
    assert before < warm < cold - 0.03


def test_gaps_and_older_rows_are_taken(fitted: LocalizedDiffusion) -> None:
    new = _chain(300, 9)
    new[np.random.default_rng(0).random(new.shape) < 0.1] = np.nan
    told = fitted.update(new, ["x7"], mix=_chain(400, 0))
    assert told.n_rows == 210 + 400
    assert np.isfinite(fitted.surprise(_chain(20, 1))).all()


def test_partial_fit_follows() -> None:
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
    model.partial_fit(_chain(400, 0, d=6))
    moved = _chain(400, 1, d=6) + 5.0
    before = model.score_samples(moved[300:]).mean()
    with pytest.raises(DataError, match="300 of 300 rows are in alarm"):
        model.partial_fit(moved[:300])
    assert model.score_samples(moved[300:]).mean() == before
    model.partial_fit(moved[:300], process_change="all were recalibrated")
    assert model.score_samples(moved[300:]).mean() > before + 10


def test_refusals(fitted: LocalizedDiffusion) -> None:
    rows = _chain(100, 1)
    with pytest.raises(DataError, match="'y'"):
        fitted.update(rows, ["y"])
    with pytest.raises(OptionError, match="drifted"):
        fitted.update(rows, "worst")
    with pytest.raises(OptionError, match="1 to 70"):
        fitted.update(rows, 71)
    with pytest.raises(DataError, match="60"):
        fitted.update(rows[:20], ["x1"])
    frame = pd.DataFrame(_chain(300, 0, d=3), columns=["a", "b", "c"])
    lattice = LocalizedDiffusion(graph="chain", tied=True, denoiser="linear", random_state=0)
    with pytest.raises(OptionError):
        lattice.fit(frame).update(frame, ["a"])


@pytest.mark.parametrize(
    ("law", "options"),
    [
        (OrnsteinUhlenbeckChain(12, correlation=0.8), {"denoiser": "linear"}),
        (OrnsteinUhlenbeckChain(12, correlation=0.8), {"denoiser": "linear", "lags": 2}),
        pytest.param(DoubleWellChain(6), {"n_steps": 100, "radius": 1}, marks=pytest.mark.slow),
    ],
    ids=["linear", "series", "networks"],
)
def test_alarms_are_measured_anew_for_all_sensors(law, options) -> None:
    """Each third of the new rows is judged by what the others teach: units change everywhere, and
    few rows of later tables are in alarm.
    """
    model = LocalizedDiffusion(graph="chain", random_state=0, **options).fit(law.sample(800, 0))
    assert model.model_.has_networks == ("n_steps" in options)
    before = model.model_.reference
    new = law.sample(400, 1)
    new[np.random.default_rng(2).random(new.shape) < 0.05] = np.nan
    told = model.update(new, ["x3", "x4"], margin=None, process_change="to learn from all rows")
    assert told.n_held_out == 120
    after = model.model_.reference
    assert (after.spread != before.spread).all()
    np.testing.assert_allclose(after.spread, before.spread, rtol=0.25)
    assert model.detect(law.sample(500, 3)).alarm.mean() < 0.04


def _follow_for_ever(folder: Path, seed: int) -> None:
    """What an operator does all year, without a pause."""
    rng = np.random.default_rng(seed)
    while True:
        rows = pd.DataFrame(_chain(200, int(rng.integers(1_000)), d=12)).rename(
            columns="s{}".format
        )
        estimator = LocalizedDiffusion.load(folder)
        parent = served_digest(folder)
        kind = rng.choice(["update", "come or go", "rollback", "gc"], p=[0.4, 0.3, 0.2, 0.1])
        if kind == "rollback":
            rollback(folder, int(rng.choice([v.number for v in list_versions(folder)])))
            continue
        if kind == "gc":
            collect_garbage(folder, keep=4)
            continue
        if kind == "update":
            estimator.update(rows[list(estimator.feature_names_in_)], ["s1", "s2"], margin=None)
        elif "s5" in estimator.feature_names_in_:
            estimator.remove_sensors(rows[list(estimator.feature_names_in_)], ["s5"])
        else:
            estimator.add_sensors(rows)
        commit_version(estimator.model_, folder, change={"kind": kind}, parent=parent)


@pytest.mark.parametrize("n", [pytest.param(10), pytest.param(200, marks=pytest.mark.slow)])
def test_kill_9_of_updates_loses_no_version(tmp_path: Path, kill_writers, n: int) -> None:
    """Killed in the middle of what they leave behind: all versions are whole, one is served."""
    folder = tmp_path / "m"
    rows = pd.DataFrame(_chain(300, 0, d=12)).rename(columns="s{}".format)
    LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(rows).save(folder)
    set_alias(folder, "first", 1)
    moments = np.random.default_rng(2).integers(1, 50, n).tolist()
    assert kill_writers(_follow_for_ever, folder, moments) > n // 2  # enough was learned in between
    told = LocalizedDiffusion.load(folder, version="first").update(rows, ["s1"], margin=None)
    assert told.accepted


def test_a_summary_takes_shards_measured_at_different_radii(fitted: LocalizedDiffusion) -> None:
    """Few new rows allow fewer radii than the fit: its curve goes on level beyond them."""
    fitted.update(_chain(70, 1), ["x3"], margin=None)
    radii = {tuple(shard.radii.tolist()) for shard in fitted.model_.shards}
    assert len(radii) == 2
    summary = summarize(fitted.model_)
    assert [entry.radius for entry in summary.radii] == sorted({r for part in radii for r in part})
    curve = fitted.model_.curve("linear_curve")
    (short,) = [s for s in fitted.model_.shards if len(s.radii) < curve.shape[1]]
    np.testing.assert_array_equal(curve[3, : len(short.radii)], short.linear_curve[0])
    beyond = curve[3, len(short.radii) :]
    assert len(beyond)
    level = np.broadcast_to(curve[3, len(short.radii) - 1], beyond.shape)
    np.testing.assert_array_equal(beyond, level)


def test_sensors_that_were_not_seen_are_not_learned_again(fitted: LocalizedDiffusion) -> None:
    """A gate without values to judge by would let anything pass."""
    before = [_hash(shard) for shard in fitted.model_.shards]
    for gone in (slice(None), slice(0, 280), slice(280, None)):
        rows = _chain(400, 1)
        rows[gone, 5] = np.nan
        with pytest.raises(DataError, match=r"Sensor 'x5' has .* at least 10 each are needed"):
            fitted.update(rows, ["x5", "x6"])
        assert [_hash(shard) for shard in fitted.model_.shards] == before
    told = fitted.update(rows, "all", margin=1.0)
    assert told.accepted
    assert "x5" not in told.sensors
    assert len(told.sensors) == 69
    told = fitted.update(_chain(400, 2), np.int64(2))
    assert len(told.sensors) == 2
    with pytest.raises(OptionError, match="truth value"):
        fitted.update(_chain(400, 2), True)


def test_sensors_that_look_at_a_wider_one_are_judged() -> None:
    """Column a spreads four times as far around the very same mean: its neighbor must be asked."""
    rng = np.random.default_rng(0)

    def rows(n: int, width: float) -> np.ndarray:
        v = np.round(rng.standard_normal(n // 2), 6)
        a = width * np.column_stack([v, -v]).ravel()
        return np.column_stack([a, a + 0.5 * rng.standard_normal(n), rng.standard_normal(n)])

    model = LocalizedDiffusion(
        graph="chain", denoiser="linear", gaussianize=False, random_state=0
    ).fit(rows(800, 1.0))
    new = rows(600, 4.0)
    told = model.update(new, ["x0"], process_change="a wider range")
    assert told.rescaled == ("x0",)
    assert "x1" in told.affected


def test_columns_to_be_given_up_are_named_once(fitted: LocalizedDiffusion) -> None:
    with pytest.raises(OptionError, match="No column to be given up"):
        fitted.remove_sensors(_chain(400, 1), [])
    assert fitted.remove_sensors(_chain(400, 1), ["x3", "x3"]).removed == ("x3",)
