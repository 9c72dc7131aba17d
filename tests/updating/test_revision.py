"""Sensors that come and go: exact laws of the rest, unchanged shards, and what it costs."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph
from locality.domain.closing import closed_up
from locality.exceptions import DataError, ModelCorrupt, OptionError
from locality.inference.updating.neighbors import closest
from locality.model.groups import check_groups
from locality.model.model import Model
from locality.model.record import record_of
from locality.store.arrays import to_bytes
from locality.store.difference import diff_versions
from locality.store.versions import commit_version


def _chain(n_rows: int, seed: int, d: int = 70) -> pd.DataFrame:
    rows = OrnsteinUhlenbeckChain(d, correlation=0.8).sample(n_rows, random_state=seed)
    return pd.DataFrame(rows, columns=[f"s{j}" for j in range(d)])


def _fitted(rows: pd.DataFrame, **options: object) -> LocalizedDiffusion:
    chosen = {"graph": "chain", "denoiser": "linear", "random_state": 0} | options
    return LocalizedDiffusion(**chosen).fit(rows)


def _hashes(model: Model) -> set[str]:
    _, groups = record_of(model)
    return {
        hashlib.sha256(to_bytes(arrays)).hexdigest()
        for name, arrays in groups.items()
        if name.startswith("shard-")
    }


def test_a_sensor_integrated_out_leaves_the_law_of_the_others() -> None:
    """With whole neighborhoods the closed form is one Gaussian law: its marginal is exact."""
    (shard,) = _fitted(_chain(500, 0, d=6), graph="complete", radius=1).model_.shards
    np.testing.assert_array_equal(shard.source_node, np.arange(6))
    left, kept = shard.without(np.array([2])), np.array([0, 1, 3, 4, 5])
    np.testing.assert_array_equal(left.target, kept)
    found = left.closed_form(np.ones((1, 5), dtype=bool))
    # the same law from the covariance of all six, shrunk as it was
    for place in range(5):
        gamma = shard.shrinkage[kept[place], -1]
        law = ((1 - gamma) * shard.covariance + gamma * np.eye(6))[np.ix_(kept, kept)]
        precision = np.linalg.inv(law)
        scale, weights = found.conditional_scale[place, 0], found.prediction[place, 0]
        assert scale == pytest.approx(precision[place, place] ** -0.5, rel=1e-9)
        expected = -precision[place] / precision[place, place]
        slots = left.noisy[place][:5]
        np.testing.assert_array_equal(left.noisy[place][5:], 5)  # padding
        np.testing.assert_allclose(weights[1:5], expected[slots[1:]], rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_slots_close_up_and_networks_that_saw_it_go() -> None:
    rows = pd.DataFrame(DoubleWellChain(8).sample(1_500, 0), columns=list("abcdefgh"))
    model = _fitted(rows, denoiser="neural", radius=1, n_steps=400).model_
    (shard,) = model.shards
    assert len(shard.networks) == 8
    left = shard.without(np.array([3]))
    np.testing.assert_array_equal(left.target, [0, 1, 2, 4, 5, 6, 7])
    np.testing.assert_array_equal(left.target[left.networks.unit], [0, 1, 5, 6, 7])
    np.testing.assert_array_equal(left.n_noisy[:, -1], [2, 3, 2, 2, 3, 3, 2])
    for unit, node in enumerate(left.target):
        seen = left.source_node[left.noisy[unit][: left.n_noisy[unit, -1]]]
        np.testing.assert_array_equal(
            np.sort(seen), [k for k in (node - 1, node, node + 1) if 0 <= k < 8 and k != 3]
        )
    assert shard.without(np.array([99])) is shard
    check_groups({"graph": record_of(model)[1]["graph"], "shard-0": left.arrays()})


def test_shards_that_do_not_look_keep_their_bits_in_the_store(tmp_path: Path) -> None:
    model = _fitted(_chain(800, 0), radius=2)
    model.save(tmp_path / "m")
    before, old = _hashes(model.model_), model.surprise(_chain(50, 5))
    assert len(before) == 3
    told = model.remove_sensors(_chain(600, 1), ["s10"], margin=None)
    assert told.removed == ("s10",)
    assert set(told.sensors) == {"s9", "s11"}
    assert len(before & _hashes(model.model_)) == 2
    later = _chain(50, 5).drop(columns="s10")
    new = model.surprise(later)
    same = [f"s{j}" for j in range(70) if not 6 <= j <= 14]
    np.testing.assert_allclose(new[same], old[same], rtol=1e-9, atol=1e-9)
    number = commit_version(model.model_, tmp_path / "m", change={"kind": "remove"})
    loaded = LocalizedDiffusion.load(tmp_path / "m")
    pd.testing.assert_frame_equal(loaded.surprise(later), new)
    assert list(loaded.feature_names_in_) == list(later.columns)
    found = diff_versions(tmp_path / "m", 1, number)
    assert found.n_same == 2
    gone = {name: (a, b) for name, a, b in found.components}
    assert np.isnan(gone["s10"][1])
    assert np.isfinite(gone["s12"]).all()
    # and it comes back with another number
    told = loaded.add_sensors(
        _chain(600, 2), graph=DependencyGraph.chain(70).permute(_last(70, 10))
    )
    assert told.added == ("s10",)
    assert len(before & _hashes(loaded.model_)) == 2
    assert loaded.model_.node_ids[-1] == 70
    commit_version(loaded.model_, tmp_path / "m", change={"kind": "add"})
    again = LocalizedDiffusion.load(tmp_path / "m")
    columns = list(loaded.feature_names_in_)
    assert columns[-1] == "s10"
    pd.testing.assert_frame_equal(
        again.surprise(_chain(50, 5)[columns]), loaded.surprise(_chain(50, 5)[columns])
    )


def _last(d: int, node: int) -> list[int]:
    return [*(j for j in range(d) if j != node), node]


@pytest.mark.parametrize("lags", [0, 1])
def test_a_new_sensor_ends_near_a_full_fit(lags: int) -> None:
    """Within 0.01 nats per component, its own included; alarms are measured with it."""
    columns = [f"s{j}" for j in _last(18, 12)]
    rows, later = _chain(2_000, 0, d=18)[columns], _chain(1_000, 1, d=18)[columns]
    model = _fitted(rows[:1_000].drop(columns="s12"), graph="learn", lags=lags)
    told = model.add_sensors(rows[1_000:])
    assert told.accepted
    assert {"s11", "s12", "s13"} <= set(told.sensors)
    full = _fitted(rows[1_000:], graph="learn", lags=lags)
    gap = (model.surprise(later) - full.surprise(later)).mean()
    assert gap.mean() < 0.01
    assert gap["s12"] < 0.02
    alarms = model.detect(later).to_frame()
    assert alarms["alarm"].mean() < 0.03
    broken = later.copy()
    broken["s12"] += 5.0
    found = model.detect(broken).to_frame()
    assert found["alarm"].mean() > 0.5
    assert found[later.columns].mean().idxmax() == "s12"


def test_a_lost_sensor_ends_near_a_full_fit() -> None:
    rows, later = _chain(2_000, 0, d=30), _chain(2_000, 1, d=30).drop(columns="s12")
    model = _fitted(rows[:1_000], graph="learn")
    told = model.remove_sensors(rows[1_000:], ["s12"])
    assert told.removed == ("s12",)
    full = _fitted(rows[1_000:].drop(columns="s12"), graph="learn")
    assert (model.surprise(later) - full.surprise(later)).to_numpy().mean() < 0.005
    assert model.detect(later).to_frame()["alarm"].mean() < 0.03


def test_neighbors_of_a_new_sensor_stay_where_it_makes_them_worse() -> None:
    """They know 3,000 rows; 140 with a new sensor that tells them little cannot replace these."""
    rows = _chain(200, 1, d=12)
    model = _fitted(_chain(3_000, 0, d=12))
    noise = np.random.default_rng(0).normal(size=200)
    before = model.surprise(_chain(30, 3, d=12))
    told = model.add_sensors(rows.assign(extra=rows["s5"] + 1.5 * noise), margin=0.0)
    assert told.accepted
    assert told.sensors == ("extra",)
    later = _chain(30, 3, d=12)
    after = model.surprise(later.assign(extra=later["s5"]))
    np.testing.assert_allclose(after[before.columns], before, rtol=1e-9, atol=1e-9)
    assert model.model_.shards[-1].noisy.shape[1] > 1  # it looks at others, they not at it


def test_a_relation_that_breaks_is_not_learned() -> None:
    rows = _chain(400, 1, d=12)
    model = _fitted(_chain(1_000, 0, d=12))
    rng = np.random.default_rng(0)
    new = rows.assign(extra=rows["s5"] + 0.1 * rng.normal(size=400))
    new.loc[280:, "extra"] = rng.normal(size=120)
    told = model.add_sensors(new)
    assert (told.accepted, told.why, told.added) == (True, "", ("extra",))
    assert told.sensors == ()
    assert told.bound > told.margin
    assert model.model_.shards[-1].noisy.shape[1] == 1  # it stands alone
    assert model.detect(new).to_frame()["alarm"].mean() < 0.05


def test_gaps_of_a_new_sensor_are_no_independence() -> None:
    """A third of its cells missing, and nothing before it was installed: the relation is found."""
    columns = [f"s{j}" for j in _last(20, 8)]
    rows, later = _chain(2_400, 0, d=20)[columns], _chain(2_000, 1, d=20)[columns]
    model = _fitted(rows[:800].drop(columns="s8"), graph="learn")
    new = rows[400:].copy()
    new.iloc[:400, -1] = np.nan
    new.loc[np.random.default_rng(0).random(len(new)) < 0.33, "s8"] = np.nan
    told = model.add_sensors(new)
    assert told.n_rows + told.n_held_out <= 1_600
    full = _fitted(rows[800:], graph="learn")
    gap = (model.surprise(later) - full.surprise(later)).mean()
    assert gap["s8"] < 0.03
    assert gap.mean() < 0.01


def test_constants_copies_and_states_come_and_go() -> None:
    rows = _chain(600, 0, d=5)
    model = _fitted(rows[:300])
    new = rows[300:].assign(
        flag=1.0, double=lambda t: 2.0 * t["s1"] + 1.0, mode=np.tile(["a", "b", "b"], 100)
    )
    told = model.add_sensors(new, ["flag", "double"])
    assert told.added == ("flag", "double")
    assert told.sensors == ()
    assert model.set_aside_ == {"flag": "constant", "double": "copy"}
    told = model.add_sensors(new[[*rows.columns, "flag", "double", "mode"]])
    assert told.added == ("mode",)
    drawn = model.sample(200, random_state=0)
    assert set(drawn["mode"]) == {"a", "b"}
    np.testing.assert_allclose(drawn["double"], 2.0 * drawn["s1"] + 1.0, rtol=1e-6)
    with pytest.raises(DataError, match="'double' is a copy of 's1'"):
        model.remove_sensors(new, ["s1"])
    told = model.remove_sensors(new, ["flag"])
    assert told.accepted
    assert told.sensors == ()
    model.remove_sensors(new, ["s1", "double"])
    assert list(model.feature_names_in_) == ["s0", "s2", "s3", "s4", "mode"]
    assert model.sample(10, random_state=0).columns.tolist() == ["s0", "s2", "s3", "s4", "mode"]


def test_columns_of_an_array_are_named_by_their_places() -> None:
    rows = _chain(900, 0, d=6).to_numpy()
    model = LocalizedDiffusion(graph="chain", context=["x5"], noise={"x4": 0.1}, denoiser="linear")
    model.fit(rows[:400])
    model.remove_sensors(rows[400:], ["x2"])
    assert list(model.context) == ["x4"]
    assert model.noise == {"x3": 0.1}
    assert model.component_names_ == ("x0", "x1", "x2", "x3")
    left = np.delete(rows, 2, axis=1)
    assert model.surprise(left[400:]).shape == (500, 4)
    told = model.add_sensors(np.column_stack([left[400:], rows[400:, 2]]))
    assert told.added == ("x5",)
    assert model.n_features_in_ == 6


def test_links_through_a_lost_node_close_up() -> None:
    chain = DependencyGraph.chain(5)
    assert closed_up(chain, np.array([2])) == DependencyGraph.chain(4)
    assert closed_up(chain, np.array([1, 2])) == DependencyGraph.chain(3)  # one after the other
    assert closed_up(chain, np.array([0, 4])) == DependencyGraph.chain(3)
    star = DependencyGraph.from_edges([(0, 1, 0.9), (0, 2, 0.5), (0, 3, 0.1)], 4)
    i, j, weight = closed_up(star, np.array([0])).edges()
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (0, 2)]
    np.testing.assert_allclose(weight, [0.45, 0.09])


def test_what_cannot_be_done_is_said() -> None:
    rows = _chain(300, 0, d=6)
    model = _fitted(rows, context=["s5"])
    before = model.model_
    more = rows.assign(extra=np.arange(300.0))
    with pytest.raises(DataError, match="no column that the model lacks"):
        model.add_sensors(rows)
    with pytest.raises(DataError, match="has a column 's1' already"):
        model.add_sensors(more, ["s1"])
    with pytest.raises(DataError, match="lacks column 'other'"):
        model.add_sensors(more, ["other"])
    with pytest.raises(DataError, match="at least 100 new rows, found 99"):
        model.add_sensors(more[:99])
    with pytest.raises(DataError, match="'extra' has no value"):
        model.add_sensors(rows.assign(extra=np.nan))
    gappy = np.where(np.arange(300) % 50 == 0, np.arange(300.0), np.nan)
    gappy[-1] = 1.0
    with pytest.raises(DataError, match=r"'extra' has values in 2% of the 300 rows"):
        model.add_sensors(rows.assign(extra=gappy))
    with pytest.raises(DataError, match="no column 'nowhere'"):
        model.remove_sensors(rows, ["nowhere"])
    with pytest.raises(DataError, match="'s5' is context of all others"):
        model.remove_sensors(rows, ["s5"])
    with pytest.raises(DataError, match="No column that is modeled would be left"):
        model.remove_sensors(rows, ["s0", "s1", "s2", "s3", "s4"])
    assert model.model_ is before
    tied = LocalizedDiffusion(graph="chain", tied=True, denoiser="linear").fit(rows)
    with pytest.raises(OptionError, match="needs a model of rows"):
        tied.remove_sensors(rows, ["s1"])


def test_numbers_of_nodes_are_checked() -> None:
    model = _fitted(_chain(300, 0, d=6))
    model.remove_sensors(_chain(200, 1, d=6), ["s2"])
    _, groups = record_of(model.model_)
    check_groups(groups)
    for wrong in ([0, 1, 2, 3], [0, 1, 3, 4, 4], [0, 1, 2, 3, 4], [-1, 0, 1, 3, 4]):
        with pytest.raises(ModelCorrupt):
            check_groups(groups | {"nodes": {"id": np.array(wrong)}})


@pytest.mark.parametrize("shift", [-2, 0, 2])
def test_neighbors_are_looked_for_where_a_column_leads_or_follows(shift: int) -> None:
    """Of 200 nodes the sixty that go most with a new column hold the one it comes from."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 200))
    new = np.roll(rows[:, 137], shift)[:, None] * 3.0 + 7.0
    rows[::9, 137] = np.nan
    new[::7] = np.nan
    nodes = np.arange(200)
    found = closest(rows, new, nodes, lags=2)
    assert len(found) == 60
    assert 137 in found
    narrow = closest(rows, new, nodes, lags=1)
    assert (137 in narrow) == (shift == 0)
    assert 137 in closest(rows, new, nodes[100:], lags=2)


def test_a_new_sensor_that_stands_alone_still_follows_what_is_given() -> None:
    """Its start reads context; without it half of its variance would surprise."""
    rows = _chain(600, 0, d=5)
    model = _fitted(rows[:300], context=["s4"])
    rng = np.random.default_rng(0)
    new = rows[300:].assign(extra=2.0 * rows["s4"][300:] + rng.normal(size=300))
    told = model.add_sensors(new, graph=DependencyGraph.empty(6))
    assert told.added == ("extra",)
    shard = model.model_.shards[-1]
    weights = shard.closed_form(np.ones((1, len(shard.source_node)), dtype=bool)).prediction
    slope = np.polyfit(new["s4"], new["extra"], 1)[0] * new["s4"].std() / new["extra"].std()
    assert float(weights[0, 0, -1]) == pytest.approx(slope, abs=0.1)


def test_a_hundred_rows_are_enough() -> None:
    """To take a sensor away and to add one; what is kept of settings names the columns of now."""
    model, rows = _fitted(_chain(300, 0, d=6)), _chain(100, 1, d=6)
    meant = {"process_change": "to learn from all rows"}
    assert model.remove_sensors(rows, ["s2"], **meant).removed == ("s2",)
    left = [f"s{j}" for j in (0, 1, 3, 4, 5)]
    assert model.model_.settings.feature_names == tuple(left)
    assert model.add_sensors(rows[[*left, "s2"]], **meant).added == ("s2",)
    assert model.model_.settings.feature_names == (*left, "s2")


def test_every_new_column_must_have_values() -> None:
    """The last of them, too, and nothing is added where one has too few."""
    rows = _chain(300, 0, d=4)
    model = _fitted(rows)
    before, new = model.model_, rows.assign(extra=np.random.default_rng(0).normal(size=300))
    rare = np.where(np.arange(300) % 3 == 0, np.arange(300.0), np.nan)
    for values, match in ((np.nan, "'rare' has no value"), (rare, r"'rare' has values in 33%")):
        with pytest.raises(DataError, match=match):
            model.add_sensors(new.assign(rare=values))
    assert model.model_ is before
