"""Detection and explanation: stated rates, blame where it belongs, expectations that hold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from locality import LocalizedDiffusion
from locality.data.datasets import load_tennessee_eastman
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.domain import DependencyGraph
from locality.exceptions import DataError, ModelCorrupt, OptionError
from locality.inference.judging.explanation import evidence, expectations
from locality.inference.judging.judgment import Judgment
from locality.inference.judging.levels import error_of
from locality.inference.judging.promise import Promise
from locality.inference.judging.stream import judge
from locality.inference.laws.conditional import ConditionalLaw
from locality.model.groups import check_groups
from locality.model.record import record_of
from locality.store.store import save_model

Array = NDArray[np.float64]
CHAIN = OrnsteinUhlenbeckChain(8, 0.7)


def fitted(rows: Array, graph="chain", **options) -> LocalizedDiffusion:
    return LocalizedDiffusion(graph=graph, denoiser="linear", random_state=0, **options).fit(rows)


def judged(model: LocalizedDiffusion, rows, rate: float = 0.01) -> Judgment:
    return judge(model.model_, Table.from_frame(rows), Promise(rate))


def lattice(n: int, seed: int) -> Array:
    """A Gaussian field on 7 × 7 points, as in the benchmark of the verdict."""
    side = 7
    laplace = 2 * np.eye(side) - np.eye(side, k=1) - np.eye(side, k=-1)
    precision = 0.5 * np.eye(side**2) + np.kron(laplace, np.eye(side))
    precision += np.kron(np.eye(side), laplace)
    white = np.random.default_rng([seed, 7]).standard_normal((n, side**2))
    return np.linalg.solve(np.linalg.cholesky(precision).T, white.T).T


def series(n: int, seed: int) -> Array:
    """Eight sensors that follow themselves and their neighbor in time."""
    rng = np.random.default_rng(seed)
    x, noise = np.zeros((n + 50, 8)), rng.standard_normal((n + 50, 8))
    for t in range(1, n + 50):
        x[t] = 0.6 * x[t - 1] + 0.3 * np.roll(x[t - 1], 1) * (np.arange(8) > 0) + 0.5 * noise[t]
    return x[50:]


@pytest.fixture(scope="module")
def chain() -> LocalizedDiffusion:
    return fitted(CHAIN.sample(1500, 0))


@pytest.fixture(scope="module")
def moving() -> LocalizedDiffusion:
    return fitted(series(1500, 0), lags=1)


@pytest.mark.parametrize("kind", ["chain", "lattice"])
def test_a_shifted_sensor_takes_the_blame_and_its_neighbors_do_not(kind) -> None:
    """One sensor of 40 or 49, four marginal deviations off, in 600 rows.

    It has the largest share in at least 95 % of them. Neighbors are found unusual (p ≤ 0.01) in
    less than 2 percentage points more than in the same rows without the shift.
    """
    if kind == "chain":
        law = OrnsteinUhlenbeckChain(40, 0.7)
        graph, rows, fresh = DependencyGraph.chain(40), law.sample(1000, 0), law.sample(600, 1)
    else:
        graph, rows, fresh = DependencyGraph.grid((7, 7)), lattice(1000, 0), lattice(600, 1)
    model, rng = fitted(rows, graph), np.random.default_rng(5)
    which, at = rng.integers(0, graph.n_nodes, 600), np.arange(600)
    shifted = fresh.copy()
    shifted[at, which] += 4 * rng.choice([-1, 1], 600) * rows.std(axis=0)[which]
    found, before = judged(model, shifted), judged(model, fresh)
    assert (found.share.argmax(axis=1) == which).mean() >= 0.95
    beside = graph.to_scipy().toarray()[which] > 0
    unusual, usual = ((part.sensor_p_value <= 0.01)[beside].mean() for part in (found, before))
    assert unusual - usual < 0.02
    # where the value itself was found wrong it is alone to blame, and nearly always right
    own = found.blamed.wrong[at, which]
    assert own.mean() > 0.5
    assert (found.share.argmax(axis=1) == which)[own].mean() > 0.99


def test_a_sensor_that_stays_wrong_takes_the_blame_in_a_series(moving) -> None:
    """Shifted for 40 rows: named on all of them though its neighbors follow it in time."""
    x = series(300, 2)
    x[200:240, 3] += 7 * x[:, 3].std()
    found, clean = judged(moving, x), judged(moving, series(300, 2))
    assert found.alarm[200:240].all()
    assert (found.share[200:240].argmax(axis=1) == 3).all()
    assert found.share[200:240, 3].mean() > 0.9
    others = np.arange(8) != 3
    unusual, usual = (
        (part.sensor_p_value[200:240, others] <= 0.01).mean() for part in (found, clean)
    )
    assert unusual - usual < 0.02
    np.testing.assert_array_equal(found.p_value[:200], clean.p_value[:200])


@pytest.mark.parametrize("calibrated", [False, True])
def test_false_alarms_come_at_the_stated_rate(calibrated) -> None:
    """Independent columns, three standard errors of what 3,000 and 4,000 rows can tell."""
    rng = np.random.default_rng(0)
    model = fitted(rng.standard_normal((3000, 10)))
    if calibrated:
        model.calibrate(rng.standard_normal((3000, 10)))
    fresh = rng.standard_normal((4000, 10))
    for rate in (0.01, 0.05):
        alarms = np.asarray(model.detect(fresh, false_alarms=rate).to_frame())[:, 0].mean()
        error = np.sqrt(rate * (1 - rate) * (1 / 3000 + 1 / 4000))
        assert abs(alarms - rate) < 3 * error
        assert error_of(model.model_.reference.statistic, rate) < 1.2 * error


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_false_alarms_of_a_model_fitted_with_gaps_are_not_too_many(share) -> None:
    x, fresh = CHAIN.sample(1000, 0), CHAIN.sample(2000, 1)
    gaps, fresh_gaps = (np.random.default_rng(2).random(part.shape) < share for part in (x, fresh))
    model = fitted(np.where(gaps, np.nan, x))
    for rate in (0.01, 0.05):
        error = np.sqrt(rate * (1 - rate) * (1 / 1000 + 1 / 2000))
        p = judged(model, fresh).p_value
        assert (p <= rate).mean() < rate + 3 * error
        p = judged(model, np.where(fresh_gaps, np.nan, fresh)).p_value
        assert (p <= rate).mean() < rate + 3 * error


def test_the_rate_of_a_series_is_the_stated_one_within_its_stated_error(moving) -> None:
    p = judged(moving, series(6000, 3)).p_value
    for rate in (0.01, 0.05):
        assert abs((p <= rate).mean() - rate) < 3 * error_of(
            moving.model_.reference.statistic, rate
        )


@pytest.mark.parametrize("name", ["chain", "moving"])
def test_shares_sum_to_one_or_nothing_is_unusual(name, request) -> None:
    model = request.getfixturevalue(name)
    x = series(400, 4) if name == "moving" else CHAIN.sample(400, 4)
    x[100:120, 2] += 9.0
    x[200, [1, 5]] += [20.0, -20.0]
    x[300:310] *= 5.0
    share = judged(model, x).share
    assert (share >= 0).all()
    total = share.sum(axis=1)
    assert (np.isclose(total, 1.0) | (total == 0.0)).all()
    loud = judged(model, x).alarm
    assert np.isclose(total[loud], 1.0).all()
    np.testing.assert_allclose(share[200, [1, 5]].sum(), 1.0, atol=0.1)
    assert (share[200, [1, 5]] > 0.2).all()


def test_the_rate_only_moves_the_threshold(chain) -> None:
    x = CHAIN.sample(500, 5)
    few, many = (np.asarray(chain.detect(x, false_alarms=rate).to_frame()) for rate in (0.01, 0.2))
    np.testing.assert_array_equal(few[:, 1:], many[:, 1:])
    np.testing.assert_array_equal(many[:, 0], many[:, 1] <= 0.2)
    np.testing.assert_array_equal(few[:, 0], few[:, 1] <= 0.01)


def test_a_column_that_was_constant_alarms_by_itself(frame: pd.DataFrame) -> None:
    """It takes the blame; half of it where the row is unusual anyway. So does a copy that left."""
    frame = frame.assign(fixed=7.5, twin=2.0 * frame["flow"] - 3.0)
    model = fitted(frame)
    new = frame[100:200].copy()
    usual = judged(model, new).p_value
    both, quiet = int(usual[:40].argmax()), 80 + int(usual[80:].argmax())
    new.iloc[[both, quiet], new.columns.get_loc("fixed")] = 8.0
    new.iloc[both, new.columns.get_loc("twin")] += 1.0
    new.iloc[50, new.columns.get_loc("twin")] += 1.0
    new.iloc[70, new.columns.get_loc("fixed")] = -1.0
    new.iloc[70, new.columns.get_loc("feed")] += 15.0
    answer = model.detect(new).to_frame()
    assert list(answer) == ["alarm", "p_value", "log_p", "state", *frame]
    assert answer["alarm"].iloc[[quiet, 50, 70]].tolist() == [1, 1, 1]
    assert answer["fixed"].iloc[quiet] == 1.0
    assert answer[["fixed", "twin"]].iloc[both].tolist() == [0.5, 0.5]
    assert answer["twin"].iloc[50] >= 0.5
    assert answer["fixed"].iloc[70] == 0.5
    assert answer["feed"].iloc[70] > 0.4
    still = np.setdiff1d(np.arange(100), [both, quiet, 50, 70])
    assert (answer[["fixed", "twin"]].iloc[still] == 0.0).all(axis=None)
    why = model.explain(new, quiet)
    assert (why.departed, why.fault, why.alarm) == (("fixed",), "none", True)
    assert model.explain(new, 70).fault == "spike"


def test_detection_is_the_same_after_saving(tmp_path: Path, chain) -> None:
    x = CHAIN.sample(300, 6)
    x[100:110, 4] += 5.0
    model = LocalizedDiffusion(**chain.get_params())
    model.__dict__.update(chain.__dict__)
    before = model.detect(x)
    model.save(tmp_path / "fitted")
    model.calibrate(CHAIN.sample(200, 7))
    after = model.detect(x)
    model.save(tmp_path / "calibrated")
    assert (before.p_value != after.p_value).any()
    for name, expected in (("fitted", before), ("calibrated", after)):
        again = LocalizedDiffusion.load(tmp_path / name)
        found = again.detect(x)
        np.testing.assert_array_equal(found.to_frame(), expected.to_frame())
        np.testing.assert_array_equal(found.sensor_p_value, expected.sensor_p_value)
        np.testing.assert_array_equal(found.moved, expected.moved)
    assert LocalizedDiffusion.load(tmp_path / "calibrated").model_.reference.n_rows == 200
    assert again.explain(x, 105) == model.explain(x, 105)


def test_a_reference_that_is_damaged_is_named(chain) -> None:
    _, groups = record_of(chain.model_)
    check_groups(groups)
    for name, wrong, message in (
        ("mean", groups["reference"]["mean"][:-1], "shape"),
        ("statistic", groups["reference"]["statistic"] * np.nan, "not finite"),
        ("sensors", groups["reference"]["sensors"].astype("float32"), "float32"),
        ("law.unit", groups["reference"]["law.unit"][:-1], "shape"),
        ("law.0.scale", groups["reference"]["law.0.scale"][:-1], "shape"),
    ):
        with pytest.raises(ModelCorrupt, match=f"of group 'reference'.*{message}"):
            check_groups(groups | {"reference": groups["reference"] | {name: wrong}})
    rest = {k: v for k, v in groups["reference"].items() if k != "channels"}
    with pytest.raises(ModelCorrupt, match="'reference' lacks array 'channels'"):
        check_groups(groups | {"reference": rest})


def test_a_reference_of_another_model_is_refused(chain, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    other = fitted(rng.standard_normal((300, 3)))
    save_model(replace(chain.model_, normal=other.model_.reference), tmp_path / "mixed")
    with pytest.raises(ModelCorrupt, match="reference is of"):
        LocalizedDiffusion.load(tmp_path / "mixed")


@pytest.mark.parametrize("name", ["chain", "moving"])
def test_missing_values_are_no_fault_and_hide_none(name, request) -> None:
    """Single gaps and a dead sensor: never to blame, and a fault elsewhere is found as before."""
    model = request.getfixturevalue(name)
    x = series(600, 8) if name == "moving" else CHAIN.sample(600, 8)
    x[300:320, 2] += 8 * x[:, 2].std()
    gaps = np.random.default_rng(9).random(x.shape) < 0.1
    gaps[:, 5], gaps[300:320, 2] = True, False
    rows = np.where(gaps, np.nan, x)
    found = judged(model, rows)
    assert np.isfinite(found.p_value).all()
    assert np.isfinite(found.share).all()
    assert not found.blamed.wrong[gaps].any()
    assert (found.sensor_p_value[gaps] == 1).all()
    # a gap has a part only in what is left from the rows before it
    if name == "chain":
        assert (found.share[gaps] == 0).all()
    assert (found.share[:, 5] == 0).all()
    assert found.alarm[300:320].all()
    assert (found.share[300:320].argmax(axis=1) == 2).all()
    normal = np.r_[0:300, 400:600]
    rate = 0.05
    limit = rate + 3 * max(error_of(model.model_.reference.statistic, rate), np.sqrt(rate / 500))
    assert (found.p_value[normal] <= rate).mean() < limit
    whole = judged(model, np.where(gaps & (np.arange(8) != 5), np.nan, x))
    others = np.arange(8) != 5
    apart = np.abs(np.arange(8) - 5) > 3  # far from the dead sensor nothing changes much
    assert (found.blamed.wrong == whole.blamed.wrong)[:, others & apart].mean() > 0.99


def test_rows_of_a_table_are_judged_apart(chain) -> None:
    x = CHAIN.sample(60, 10)
    x[30, 3] += 8.0
    x[12, 4] = np.nan
    whole = np.asarray(chain.detect(x).to_frame())
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(
        np.asarray(chain.detect(x[order]).to_frame()), whole[order], atol=1e-9
    )
    np.testing.assert_allclose(
        np.asarray(chain.detect(x[20:40]).to_frame()), whole[20:40], atol=1e-9
    )


def test_no_rows_have_no_alarms(chain) -> None:
    assert np.asarray(chain.detect(np.zeros((0, 8))).to_frame()).shape == (0, 10)


def test_what_is_expected_is_the_exact_conditional_mean(make_field) -> None:
    """A model with the exact covariance: c_jO c_OO⁻¹ x_O in the units of the table.

    What neighbors contribute adds up to it, from the mean on.
    """
    c, unit = CHAIN.covariance, np.array([1.0, 100.0, 0.01, 5.0, 30.0, 2.0, 1.0, 7.0])
    fresh = unit * (CHAIN.sample(30, 11) + 10)
    model = fitted(unit * (CHAIN.sample(1500, 0) + 10))
    plant = model.model_
    mean, scale = plant.standardizer.mean, plant.standardizer.scale
    law = c * np.outer(unit / scale, unit / scale)
    exact = make_field(plant.domain, 8, lambda s: law[np.ix_(s.node, s.node)], n_shards=3)
    model.model_ = plant.with_shards(exact.shards)
    covariance = c * np.outer(unit, unit)
    for row in (3, 17):
        why = model.explain(fresh, row)
        assert not any(sensor.wrong for sensor in why.sensors)
        for sensor in why.sensors:
            j = int(sensor.sensor[1:])
            rest = np.delete(np.arange(8), j)
            gain = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, j])
            expected = mean[j] + gain @ (fresh[row, rest] - mean[rest])
            assert sensor.expected == pytest.approx(expected, rel=1e-6)
            assert sensor.value == fresh[row, j]
            assert sensor.low < sensor.expected < sensor.high
            # of a chain two neighbors matter, and what is not among the five is nothing
            shift = sum(part.shift for part in sensor.influences)
            assert mean[j] + shift == pytest.approx(expected, rel=1e-6)
            beside = {f"x{k}" for k in (j - 1, j + 1) if 0 <= k < 8}
            assert {part.sensor for part in sensor.influences[: len(beside)]} == beside
            for part in sensor.influences:
                assert part.value == pytest.approx(fresh[row, int(part.sensor[1:])])
        assert [s.share for s in why.sensors] == sorted(s.share for s in why.sensors)[::-1]


@pytest.mark.parametrize("name", ["chain", "moving"])
def test_intervals_hold_what_they_say(name, request) -> None:
    """90 % of the values of fresh normal rows, within 3 points for every sensor."""
    model = request.getfixturevalue(name)
    x = series(2500, 12) if name == "moving" else CHAIN.sample(2500, 12)
    found = judged(model, x)
    _, low, high = expectations(model.model_, found, np.arange(len(x)))
    inside = ((x >= low) & (x <= high)).mean(axis=0)
    assert (np.abs(inside - 0.9) < 0.03).all()
    why = model.explain(x, 40)
    for sensor in why.sensors:
        j = int(sensor.sensor[1:])
        assert (sensor.low, sensor.high) == (low[40, j], high[40, j])


def test_a_wrong_value_has_no_part_in_what_is_expected(chain) -> None:
    """Neither of itself nor of its neighbors, whose influence is what it should have been."""
    x = CHAIN.sample(40, 13)
    broken = x.copy()
    broken[20, 4] += 9.0
    right, wrong = ({s.sensor: s for s in chain.explain(r, 20).sensors} for r in (x, broken))
    assert wrong["x4"].wrong
    assert not any(wrong[f"x{j}"].wrong for j in (0, 1, 2, 3, 5, 6, 7))
    assert wrong["x4"].expected == pytest.approx(right["x4"].expected)
    assert wrong["x4"].value - right["x4"].value == pytest.approx(9.0)
    assert next(iter(chain.explain(broken, 20).sensors)).sensor == "x4"
    (part,) = (part for part in wrong["x3"].influences if part.sensor == "x4")
    assert part.value == pytest.approx(wrong["x4"].expected)


FAULTS = {
    "offset": lambda x, s: x + 6 * s,
    "drift": lambda x, s: x + s * np.linspace(2, 14, len(x)),
    "noise": lambda x, s: x + 6 * s * np.where(np.arange(len(x)) % 2, 1, -1),
    "stuck": lambda x, s: np.full(len(x), 6 * s),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_kind_of_fault_of_a_series_is_told(moving, fault) -> None:
    x = series(200, 14)
    x[120:160, 3] = FAULTS[fault](x[120:160, 3], x[:, 3].std())
    why = moving.explain(x, 155)
    assert (why.alarm, why.fault, why.first_out[0]) == (True, fault, "x3")
    assert why.sensors[0].sensor == "x3"
    assert abs(why.since - 120) <= 10
    assert why.to_dict()["sensors"][0]["wrong"] is True


def test_a_spike_and_a_process_are_told_apart(moving) -> None:
    x = series(200, 15)
    x[150, 3] += 8 * x[:, 3].std()
    why = moving.explain(x, 150)
    assert (why.fault, why.since, why.first_out) == ("spike", 150, ("x3",))
    x = series(200, 15)
    x[100:] += 3 * x.std(axis=0)
    assert moving.explain(x, 101).fault == "process"
    calm = judged(moving, series(200, 15))
    row = int(calm.p_value.argmax())
    why = moving.explain(series(200, 15), row)
    assert (why.alarm, why.fault, why.first_out) == (False, "none", ())


def test_evidence_is_about_components_only(frame: pd.DataFrame) -> None:
    table = frame.assign(fixed=7.5)[["fixed", *frame]]
    model = fitted(table)
    new = table[:50].copy()
    new.loc[new.index[10], "fixed"] = 8.0
    found = judged(model, new)
    seen = evidence(model.model_, Table.from_frame(new), found)
    assert seen.share.shape == seen.residual.shape == seen.values.shape == (50, 6)
    np.testing.assert_allclose(seen.values * frame.to_numpy().std(axis=0), new.to_numpy()[:, 1:]
                               - frame.to_numpy().mean(axis=0), rtol=1e-6, atol=1e-9)  # fmt: skip
    spread = ConditionalLaw.of(model.model_.field)[0].scale
    np.testing.assert_allclose(
        seen.residual * model.model_.reference.residual * spread,
        seen.values - found.blamed.expected,
        atol=1e-9,
    )


def test_given_columns_are_conditions_and_never_to_blame() -> None:
    rng = np.random.default_rng(16)
    recipe = rng.standard_normal(2000)
    flow = 3.0 * recipe + 0.5 * rng.standard_normal(2000)
    table = pd.DataFrame({"recipe": recipe, "flow": flow, "other": rng.standard_normal(2000)})
    model = LocalizedDiffusion(context=["recipe"], denoiser="linear", random_state=0)
    model.fit(table[:1500])
    new = table[1500:].copy()
    new.iloc[10] = [3.0, 9.0, 0.0]  # unusual, but as the recipe wants it
    new.iloc[20] = [2.0, 1.0, 0.0]  # usual, but not as the recipe wants it
    found = model.detect(new).to_frame()
    assert list(found) == ["alarm", "p_value", "log_p", "state", "flow", "other"]
    assert found["alarm"].iloc[[10, 20]].tolist() == [0, 1]
    assert found["flow"].iloc[20] > 0.9
    (sensor,) = (s for s in model.explain(new, 20).sensors if s.sensor == "flow")
    assert sensor.expected == pytest.approx(6.0, abs=0.2)
    assert sensor.influences[0].sensor == "recipe"
    new.iloc[[5, 8], 0] = np.nan
    for ask in (model.detect, lambda rows: model.explain(rows, 3), model.calibrate):
        with pytest.raises(DataError, match=r"'recipe' has 2 missing values, the first in row 6"):
            ask(new)


def test_what_cannot_be_judged_is_refused(chain) -> None:
    x = CHAIN.sample(100, 17)
    for rate in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(OptionError, match="share between 0 and 1"):
            chain.detect(x, false_alarms=rate).to_frame()
    for row in (-1, 100):
        with pytest.raises(OptionError, match=f"row must be 0 to 99, found {row}"):
            chain.explain(x, row)
    joint = fitted(x, lags=1, series="joint")
    for ask in (joint.detect, joint.calibrate, lambda rows: joint.explain(rows, 3)):
        with pytest.raises(OptionError, match="this one is a joint series"):
            ask(x)
    with pytest.raises(OptionError, match=r"a tied chain or ring.*Pass normal rows"):
        fitted(x, tied=True).detect(x).to_frame()
    few = fitted(x[:25])
    with pytest.raises(OptionError, match=r"how normal rows look.*Pass normal rows"):
        few.detect(x).to_frame()
    with pytest.raises(DataError, match="at least 20 normal rows with values, found 19"):
        few.calibrate(x[:19])
    assert np.asarray(few.calibrate(x).detect(x).to_frame()).shape == (100, 10)


def test_gaps_raise_no_false_alarms() -> None:
    """A plant at rest, a twentieth of its cells missing; a fault is found all the same."""
    plant = load_tennessee_eastman("normal_train").frame
    model = LocalizedDiffusion(denoiser="linear", lags=2, random_state=0).fit(plant)
    late = load_tennessee_eastman("fault04_test").frame[plant.columns]
    hidden = np.random.default_rng(11).random(late.shape) < 0.05
    quiet, alarms = (
        model.detect(rows).to_frame()["alarm"].to_numpy() for rows in (late, late.mask(hidden))
    )
    assert (
        alarms[:160].mean() < quiet[:160].mean() + 0.02
    )  # normal; 0.031 more if fills are believed
    assert alarms[160:].mean() > quiet[160:].mean() - 0.02


def test_a_lattice_is_judged_against_normal_rows(tmp_path: Path) -> None:
    """One position is shifted: it is named, alarms before are rare, and all survives the store."""
    options = {"graph": "chain", "tied": True, "denoiser": "linear", "random_state": 0}
    model = LocalizedDiffusion(**options).fit(CHAIN.sample(800, 0)).calibrate(CHAIN.sample(400, 1))
    new = CHAIN.sample(400, 2)
    new[300:, 4] += 4.0
    model.save(tmp_path / "lattice")
    found = np.asarray(LocalizedDiffusion.load(tmp_path / "lattice").detect(new).to_frame())
    np.testing.assert_array_equal(found, np.asarray(model.detect(new).to_frame()))
    assert found[:300, 0].sum() <= 12  # 3 expected at 1 %; the rate has an error of its own
    assert found[300:, 0].mean() > 0.95
    assert (found[300:, 2:].argmax(axis=1) == 4).mean() > 0.95
    told = model.explain(new, 350)
    assert (told.fault, told.sensors[0].sensor) == ("offset", "x4")
    assert {"x3", "x5"} <= {part.sensor for part in told.sensors[0].influences}


def test_what_moved_is_told_apart_from_what_is_to_blame() -> None:
    """A cause drags its neighbors: it takes the blame, but all of them have moved."""
    rng = np.random.default_rng(0)
    cause = rng.normal(size=900)
    near = cause[:, None] + 0.3 * rng.normal(size=(900, 3))
    rows = np.column_stack([cause, near, rng.normal(size=900)])
    model = LocalizedDiffusion(denoiser="linear", random_state=0).fit(rows[:800])
    new = rows[800:].copy()
    new[50:, :4] += 5.0
    told = model.explain(new, 80)
    assert set(told.moved) == {"x0", "x1", "x2", "x3"}
    assert model.explain(rows[800:], 80).moved == ()


def test_states_that_were_never_seen_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 2))
    rows = pd.DataFrame({"a": x[:, 0], "b": x[:, 0] + 0.5 * x[:, 1]})
    rows["mode"] = np.where(rows["a"] > 0, "on", "off")
    model = LocalizedDiffusion(graph="complete", denoiser="linear", random_state=0).fit(rows[:300])
    new = rows[300:].reset_index(drop=True)
    new.loc[7, "mode"] = "broken"
    why = model.explain(new, 7)
    assert (why.alarm, why.fault, why.departed) == (True, "unseen state", ("mode",))
    with pytest.raises(DataError, match=r"column 'mode', row 8: the state is none .* 'off', 'on'"):
        model.log_likelihood(new)


@pytest.mark.parametrize("lags", [4, 7])
def test_rows_with_a_short_past_are_judged(lags: int) -> None:
    """A table shorter than the past that is looked back upon, and the first rows of any."""
    rows = np.random.default_rng(0).standard_normal((500, 4)).cumsum(axis=0)
    rows = rows - np.linspace(0, 1, 500)[:, None] * rows[-1]
    model = LocalizedDiffusion(graph="chain", denoiser="linear", lags=lags, random_state=0)
    model.fit(rows)
    whole = model.detect(rows[:60]).to_frame()
    for n in (1, 3, lags, lags + 1):
        assert np.allclose(model.detect(rows[:n]).to_frame(), whole[:n])
    assert model.explain(rows[:2], 1).row == 1
