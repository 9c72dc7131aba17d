"""Learning safely: no fault is learned, a change that is meant is, and nothing is truncated."""

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.exceptions import DataError, ModelCorrupt, OptionError
from locality.inference.judging.promise import Promise
from locality.inference.judging.stream import judge
from locality.inference.laws.learning import LawMoments, looks_across
from locality.inference.updating import normal_rows, revision, strange
from locality.inference.updating import update as updating
from locality.inference.updating.normal_rows import LeftOut, NormalRows
from locality.inference.updating.outcome import Update, most_blamed
from locality.inference.updating.remeasured import relearned_reference
from locality.inference.updating.strange import is_found, merged, same_rows, window_of
from locality.model.groups import check_groups
from locality.model.model import Model
from locality.model.record import model_of, record_of, require_fitting
from locality.model.reference import Reference
from locality.model.strange import MOST_WINDOWS, StrangeWindow

D = 12


def _chain(n_rows: int, seed: int) -> np.ndarray:
    return OrnsteinUhlenbeckChain(D, correlation=0.8).sample(n_rows, random_state=seed)


def _broken(n_rows: int, seed: int, first: int, last: int, size: float = 4.0) -> np.ndarray:
    rows = _chain(n_rows, seed)
    rows[first : last + 1, 5] += size
    return rows


@pytest.fixture(scope="module", params=[0, 2], ids=["rows", "series"])
def once_fitted(request: pytest.FixtureRequest) -> LocalizedDiffusion:
    model = LocalizedDiffusion(graph="chain", denoiser="linear", lags=request.param, random_state=0)
    return model.fit(_chain(900, 0))


@pytest.fixture
def fitted(once_fitted: LocalizedDiffusion) -> LocalizedDiffusion:
    return copy.copy(once_fitted)


@pytest.mark.parametrize(("first", "last"), [(0, 499), (300, 499), (150, 300)])
@pytest.mark.parametrize("options", [{}, {"sensors": "all", "margin": None}, {"sensors": ["x5"]}])
def test_a_planted_fault_is_not_learned(
    fitted: LocalizedDiffusion, first: int, last: int, options: dict
) -> None:
    later = _broken(200, 9, 0, 199)
    before = fitted.detect(later).alarm.mean()
    told = fitted.update(_broken(500, 1, first, last), **options)
    assert told.n_left_out >= 0.9 * (last - first + 1)
    assert max(told.left_out, key=lambda part: part.n_rows).sensor == "x5"
    assert fitted.detect(later).alarm.mean() >= 0.9 * before
    if last - first == 499:
        assert not told.accepted
        assert "of 500 rows are in alarm, mostly because of x5" in told.why
        assert "process_change" in told.why
        assert fitted.model_.strange == ()


def test_a_fault_would_be_learned_if_it_were_meant(fitted: LocalizedDiffusion) -> None:
    """So the laws above bite; and a declared change is learned, its reason kept."""
    later = _broken(300, 9, 0, 299)
    before = fitted.detect(later).alarm.mean()
    told = fitted.update(_broken(600, 1, 0, 599), process_change="a new sensor")
    assert told.accepted
    assert (told.n_left_out, told.left_out) == (0, ())
    assert told.to_dict()["process_change"] == "a new sensor"
    assert fitted.detect(later).alarm.mean() < 0.1 < before
    assert fitted.model_.strange == ()


def test_what_was_left_out_is_remembered_and_stored(
    fitted: LocalizedDiffusion, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "m")
    told = fitted.update(_broken(500, 1, 150, 300), "all", margin=None)
    assert told.accepted
    (window,) = fitted.model_.strange
    assert window.column == 5
    assert len(window.values) <= 40 + window.n_before
    assert is_found(fitted.model_, window)
    fitted.commit()
    (again,) = LocalizedDiffusion.load(tmp_path / "m").model_.strange
    np.testing.assert_array_equal(again.values, window.values)
    for name in ("n_before", "n_alarms", "strength", "column", "first", "time"):
        assert getattr(again, name) == getattr(window, name)
    assert LocalizedDiffusion.load(tmp_path / "m", version=1).model_.strange == ()


def _inflated(model: Model) -> Model:
    """A law that takes everything for normal."""
    known = model.reference
    assert isinstance(known, Reference)
    return replace(model, normal=replace(known, spread=20.0 * known.spread))


def test_a_challenger_that_forgets_is_refused(
    fitted: LocalizedDiffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plant the bug: alarms measured by an inflated law. Nothing changes, in memory or on disk."""
    fitted.update(_broken(500, 1, 150, 300), "all", margin=None)
    fitted.save(tmp_path / "m")
    assert len(fitted.model_.strange) == 1
    files = {file: file.read_bytes() for file in (tmp_path / "m").rglob("*") if file.is_file()}
    model = fitted.model_
    measured = updating.relearned_reference

    def inflating(known: Reference, challenger: Model, *rest: object) -> Reference:
        sound = replace(challenger, normal=measured(known, challenger, *rest))
        return _inflated(sound).reference

    monkeypatch.setattr(updating, "relearned_reference", inflating)
    told = fitted.update(_chain(500, 2), "all", margin=None)
    assert not told.accepted
    assert "would no longer raise an alarm: rows" in told.why
    assert "because of x5" in told.why
    assert fitted.model_ is model
    after = {file: file.read_bytes() for file in (tmp_path / "m").rglob("*") if file.is_file()}
    assert after == files
    monkeypatch.undo()
    assert fitted.update(_chain(500, 2), "all", margin=None).accepted
    assert len(fitted.model_.strange) == 1


@pytest.mark.parametrize("check", ["forgotten", "silenced"])
def test_either_reason_to_refuse_is_enough(
    fitted: LocalizedDiffusion, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    """For rows that are learned from, and where a sensor goes and its neighbors stay."""
    for module in (updating, revision):
        monkeypatch.setattr(module, check, lambda *_: "so it is")
    model = fitted.model_
    for told in (
        fitted.update(_chain(300, 2), ["x0"], margin=None),
        fitted.remove_sensors(_chain(300, 2), ["x11"]),
    ):
        assert (told.accepted, told.why, told.removed) == (False, "so it is", ())
        assert fitted.model_ is model


def test_levels_are_kept_while_they_suit_the_rows(fitted: LocalizedDiffusion) -> None:
    """As many rows behind them as before; rows that are heavier as a whole have levels anew."""
    model, known = fitted.model_, fitted.model_.reference
    assert isinstance(known, Reference)
    rows = _chain(800, 3)
    wild = rows * np.exp(np.random.default_rng(0).normal(size=(800, 1)))
    for values, suits in ((rows, True), (wild, False)):
        parts = [Table.from_frame(values)]
        found = relearned_reference(known, model, parts, 0, np.arange(D))
        assert (found.channels is known.channels) == suits
        assert (found.statistic is known.statistic) == suits
        assert (found.n_rows == known.n_rows) == suits
    few = relearned_reference(known, model, [Table.from_frame(wild[:299])], 0, np.arange(D))
    assert few.channels is known.channels


def test_what_is_blamed_is_counted_in_rows_and_the_remedy_fits(fitted: LocalizedDiffusion) -> None:
    runs = [(0, 9, "x1"), (20, 21, "x2"), (30, 40, "x2"), (50, 50, "x3")]
    parts = [LeftOut(first, last, 1, 0.0, sensor) for first, last, sensor in runs]
    assert most_blamed(parts)[:2] == ["x2", "x1"]
    assert most_blamed(parts[::-1])[:2] == ["x2", "x1"]
    table = Table.from_frame(_chain(100, 1))
    for n_left_out, remedy in (
        (51, "Check the process"),
        (50, "Pass more rows"),
        (40, "Pass more"),
    ):
        normal = np.arange(100) >= n_left_out
        told = Update.without_rows(
            fitted.model_, None, NormalRows(table, normal, 0, left_out=tuple(parts))
        )
        assert remedy in told.why
        assert f"{n_left_out} of 100 rows are in alarm, mostly because of x2 and x1" in told.why
        assert (told.n_rows, told.n_held_out, told.n_shards_new) == (0, 0, 0)


def test_declared_rows_are_no_longer_strange_and_older_ones_are(
    fitted: LocalizedDiffusion,
) -> None:
    other = _chain(500, 3)
    other[100:200, 9] -= 5.0
    fitted.update(other, ["x0"], margin=None)
    moved = _broken(600, 1, 300, 599)
    fitted.update(moved, ["x0"], margin=None)
    assert sorted(window.column for window in fitted.model_.strange) == [5, 9]
    told = fitted.update(moved[250:], process_change="x5 was replaced")
    assert told.accepted, told.why
    assert [window.column for window in fitted.model_.strange] == [9]


def test_isolated_alarms_are_normal(fitted: LocalizedDiffusion) -> None:
    """A share of 1 % belongs to normal rows: their spread is not truncated by learning."""
    kept, left, n = 0, 0, 0
    for seed in range(20, 26):
        table = Table.from_frame(_chain(500, seed))
        rows = NormalRows.of(fitted.model_, table)
        alarm = fitted.detect(table).alarm
        kept, left, n = kept + alarm[rows.normal].sum(), left + rows.n_left_out, n + alarm.sum()
    assert n > 10
    assert kept > 0.2 * n
    assert left < 0.1 * 3_000
    spread = [fitted.model_.standardizer.scale[5]]
    for seed in range(30, 33):
        fitted.update(_chain(1_000, seed), "all", margin=None)
        spread.append(fitted.model_.standardizer.scale[5])
    assert min(spread) > 0.9 * spread[0]


def test_many_isolated_alarms_are_none(fitted: LocalizedDiffusion) -> None:
    rows = _chain(500, 4)
    rows[200:400:10, 5] += 3.5
    told = fitted.update(rows, "all", margin=None)
    assert any(part.first <= 210 and part.last >= 380 for part in told.left_out)


def test_what_an_alarm_looked_at_is_left_out_with_it(
    fitted: LocalizedDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of alarms by a memory of ten rows begins nine before it; eight alarms in a hundred
    rows are no chance, eight in more are; two are chance unless they are rare.
    """
    table = Table.from_frame(_chain(1_200, 5))
    alarm, log_p = np.zeros(1_200, dtype=bool), np.full(1_200, -5.0)
    alarm[100:110], alarm[1_150:1_152] = True, True
    alarm[[300, 314, 328, 342, 356, 370, 384, 399]] = True
    alarm[[600, 614, 628, 642, 656, 670, 684, 700]] = True
    alarm[900], log_p[900] = True, -10.0
    found = replace(
        judge(fitted.model_, table, Promise()),
        alarm=alarm, log_p=log_p, channel=np.where(np.arange(1_200) < 200, 3 * 2, 0),
    )  # fmt: skip
    monkeypatch.setattr(normal_rows, "judge", lambda *_: found)
    rows = NormalRows.of(fitted.model_, table)
    assert [(part.first, part.last) for part in rows.left_out] == [
        (91, 109),
        (300, 399),
        (900, 900),
    ]


@pytest.mark.parametrize(("alarms", "column"), [([3, 4], 5), ([], 9)])
def test_what_is_kept_of_a_fault_blames_its_alarms_alone(
    fitted: LocalizedDiffusion,
    monkeypatch: pytest.MonkeyPatch,
    alarms: list[int],
    column: int,
) -> None:
    """All rows blame one sensor, those in alarm another: that one, if there are any."""
    table, n = Table.from_frame(_chain(30, 1)), 30
    share = np.zeros((n, D))
    share[:, 9], share[3:5] = 1.0, np.eye(D)[5]
    alarm = np.isin(np.arange(n), alarms)
    found = SimpleNamespace(alarm=alarm, log_p=np.where(alarm, -8.0, -1.0), share=share)
    monkeypatch.setattr(strange, "judge", lambda *_: found)
    window, p_value = window_of(fitted.model_, table, found, (0, n - 1))
    assert window.column == column
    assert (window.n_alarms, window.strength) == (len(alarms), 8.0 * len(alarms))
    assert p_value == np.exp(-8.0 if alarms else -1.0)


def test_runs_are_learned_from_as_if_nothing_lay_between() -> None:
    """Moments of two runs are the sum of theirs, and no row looks from one into the other."""
    model = LocalizedDiffusion(graph="chain", denoiser="linear", lags=2, random_state=0)
    field = model.fit(_chain(300, 0)).model_.field
    one, two = _chain(80, 1).T, 50.0 + _chain(60, 2).T
    skipped = looks_across([80, 60], 2)
    assert np.flatnonzero(skipped).tolist() == [80, 81]

    def moments(rows: np.ndarray, skipped: np.ndarray | None = None) -> LawMoments:
        part = np.zeros(rows.shape[1], dtype=np.int64)
        return LawMoments.of(field, rows, part, local=True, skipped=skipped)

    both = moments(np.hstack([one, two]), skipped)
    for whole, a, b in zip(both.sums, moments(one).sums, moments(two).sums, strict=True):
        np.testing.assert_allclose(whole, a + b, rtol=1e-9)
    assert both.counts.sum() == 78 + 58


def test_what_lies_between_runs_does_not_matter(fitted: LocalizedDiffusion) -> None:
    """Whatever the values of rows that are left out: the same model is learned, to the bit."""
    found = []
    for further in (0.0, 1.0):
        model, rows = copy.copy(fitted), _broken(500, 2, 200, 260, 6.0)
        rows[200:220, 5] += further
        told = model.update(rows, ["x0", "x9"], margin=None)
        assert told.accepted
        found.append((told.left_out[0].first, told.n_left_out, model.model_))
    assert found[0][:2] == found[1][:2]
    for mine, theirs in zip(found[0][2].shards, found[1][2].shards, strict=True):
        for name, array in mine.arrays().items():
            np.testing.assert_array_equal(array, theirs.arrays()[name])


def test_older_rows_are_judged_too(fitted: LocalizedDiffusion) -> None:
    told = fitted.update(_chain(400, 1), ["x5"], mix=_broken(400, 2, 100, 299), margin=None)
    assert any(part.older and part.sensor == "x5" for part in told.left_out)
    assert told.n_rows <= 280 + 210
    assert fitted.detect(_broken(100, 3, 0, 99)).alarm.mean() > 0.9


def test_without_a_reference_nothing_is_left_out_and_that_is_said() -> None:
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(_chain(300, 0))
    model.model_ = replace(model.model_, normal=None)
    told = model.update(_broken(300, 1, 0, 299), ["x5"], margin=None)
    assert told.accepted
    assert told.n_left_out is None


def test_sensors_come_and_go_with_their_windows(fitted: LocalizedDiffusion) -> None:
    other = _broken(900, 1, 150, 200)
    other[600:650, 9] -= 5.0
    fitted.update(other, ["x0"], margin=None)
    assert sorted(window.column for window in fitted.model_.strange) == [5, 9]
    gone = copy.copy(fitted)
    gone.remove_sensors(_chain(500, 2), ["x9"])
    (window,) = gone.model_.strange
    assert window.column == 5
    assert window.values.shape[1] == D - 1
    new = np.random.default_rng(0).normal(size=500)
    rows = np.column_stack([_chain(500, 3), new])
    told = fitted.add_sensors(rows)
    assert told.accepted, told.why
    for window in fitted.model_.strange:
        assert np.isnan(window.values[:, -1]).all()
        assert is_found(fitted.model_, window)
    faulty = np.column_stack([_broken(500, 4, 0, 499), new])
    model = fitted.model_
    told = fitted.add_sensors(np.column_stack([faulty, new**2]))
    assert not told.accepted
    assert "at least 100 are needed" in told.why
    assert fitted.model_ is model


def test_the_strangest_of_every_sensor_are_kept() -> None:
    def window(column: int, strength: float) -> StrangeWindow:
        return StrangeWindow(np.zeros((3, 4)), np.zeros((3, 4), bool), 0, 3, strength, column, 0, 0)

    many = [window(0, 100.0 + k) for k in range(50)] + [window(1, 1.0), window(2, 2.0)]
    kept = merged(many)
    assert len(kept) == MOST_WINDOWS
    assert [w.column for w in kept[:3]] == [0, 2, 1]
    assert [w.strength for w in kept[3:]] == [148.0 - k for k in range(MOST_WINDOWS - 3)]


def test_rows_of_a_window_are_known_again() -> None:
    rows = _chain(50, 0)
    rows[10, 3] = np.nan
    unseen = np.zeros((6, D), dtype=bool)
    window = StrangeWindow(rows[8:14], unseen, 2, 1, 1.0, 0, 10, 0)
    assert same_rows(window, rows)
    assert same_rows(window, rows[10:])
    assert not same_rows(window, rows[:13])
    assert not same_rows(window, rows + 1e-9)


def test_damaged_windows_are_refused(fitted: LocalizedDiffusion) -> None:
    fitted.update(_broken(500, 1, 150, 300), ["x0"], margin=None)
    for name, value in (("column", 99), ("n_before", 99), ("bounds", 7)):
        description, groups = record_of(fitted.model_)
        groups["strange"] = {k: array.copy() for k, array in groups["strange"].items()}
        groups["strange"][name][0] = value
        check_groups(groups)
        with pytest.raises(ModelCorrupt):
            model_of(description, groups)
    description, groups = record_of(fitted.model_)
    groups["strange"]["time"] = groups["strange"]["time"].astype(float)
    with pytest.raises(ModelCorrupt, match="'time' of group 'strange'"):
        check_groups(groups)
    narrow = replace(fitted.model_.strange[0], values=np.zeros((5, 3)))
    with pytest.raises(ModelCorrupt, match="3 columns, expected 12"):
        require_fitting(replace(fitted.model_, strange=(narrow,)))


def test_a_reason_is_asked_for(fitted: LocalizedDiffusion) -> None:
    for wrong in ("", "  ", True):
        with pytest.raises(OptionError, match="must say what has changed"):
            fitted.update(_chain(100, 1), process_change=wrong)
    with pytest.raises(DataError, match="at least 60"):
        fitted.update(_chain(30, 1), process_change="a reason")
