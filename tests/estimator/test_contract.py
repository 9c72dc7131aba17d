"""The estimator keeps scikit-learn's contract."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import locality
from locality import (
    Execution,
    LocalizedDiffusion,
    NotFitted,
    OptionError,
    VersionConflict,
)

_EXPECTED_FAILURES = {
    "check_dtype_object": "the error names the column and row instead of the argument",
}


@parametrize_with_checks(
    [LocalizedDiffusion(denoiser="linear"), LocalizedDiffusion(n_steps=20)],
    expected_failed_checks=lambda _: _EXPECTED_FAILURES,
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def test_clone_and_set_params_carry_every_parameter() -> None:
    model = LocalizedDiffusion(graph="chain", radius=2, lags=1, denoiser="linear", random_state=3)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(radius=1).get_params()["radius"] == 1


def test_set_output_names_the_components(frame: pd.DataFrame) -> None:
    model = LocalizedDiffusion(denoiser="linear", random_state=0).set_output(transform="pandas")
    features = model.fit(frame).transform(frame)
    pd.testing.assert_frame_equal(features, model.surprise(frame))
    assert list(features) == list(model.get_feature_names_out())


def test_works_inside_a_pipeline(frame: pd.DataFrame) -> None:
    pipeline = make_pipeline(
        StandardScaler(), LocalizedDiffusion(denoiser="linear", random_state=0)
    )
    alone = LocalizedDiffusion(denoiser="linear", random_state=0).fit(frame)
    jacobian = np.log(frame.to_numpy().std(axis=0)).sum()
    # a change of units moves the density by its Jacobian and nothing else
    np.testing.assert_allclose(
        pipeline.fit(frame).score_samples(frame), alone.score_samples(frame) + jacobian, atol=1e-6
    )


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("radius", -1),
        ("radius", "wide"),
        ("lags", -1),
        ("lags", 1.5),
        ("series", "both"),
        ("tied", "yes"),
        ("context", "x0"),
        ("denoiser", "deep"),
        ("max_radius", -1),
        ("max_slots", 0),
        ("network", {"width": 8}),
        ("n_neighbors", 0),
        ("n_neighbors", "all"),
        ("edge_level", 0.0),
        ("n_steps", 1),
    ],
)
def test_wrong_parameters_are_named(frame: pd.DataFrame, parameter: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"'{parameter}' parameter .* found {value!r}"):
        LocalizedDiffusion(**{parameter: value}).fit(frame)


@pytest.mark.parametrize(
    ("word", "now"),
    [
        ({"score": "linear"}, "denoiser="),
        ({"given": ["x0"]}, "context="),
        ({"n_jobs": 2}, "execution=Execution(n_jobs="),
        ({"engine": "ray"}, "execution=Execution(engine="),
        ({"device": "cpu"}, "execution=Execution(device="),
        ({"gpu_share": 0.5}, "execution=Execution(gpu_share="),
    ],
)
def test_old_words_name_the_new_ones(word: dict[str, Any], now: str) -> None:
    (old,) = word
    for say in (LocalizedDiffusion, LocalizedDiffusion().set_params):
        with pytest.raises(OptionError, match=f"no '{old}' any more") as told:
            say(**word)
        assert now in str(told.value)


def test_old_words_of_a_draw_name_the_new_ones(frame: pd.DataFrame) -> None:
    model = LocalizedDiffusion(denoiser="linear", random_state=0).fit(frame)
    for word, now in (("given", "condition="), ("method", "sampler="), ("n_jobs", "Execution(")):
        with pytest.raises(OptionError) as told:
            model.sample(2, **{word: "x"})
        assert now in str(told.value)


def test_scores_are_numbers_that_choose(frame: pd.DataFrame) -> None:
    """Cross-validation needs nothing special, and prefers the model that sees its neighbors."""
    model = LocalizedDiffusion(denoiser="linear", random_state=0)
    scores = cross_val_score(model, frame, cv=3)
    by_hand = model.fit(frame[134:]).score_samples(frame[:134]).mean()
    assert scores[0] == pytest.approx(by_hand)
    search = GridSearchCV(model, {"radius": [0, 2]}, cv=3).fit(frame)
    assert search.best_params_ == {"radius": 2}


def test_normal_rows_are_ones_and_alarms_minus_ones(frame: pd.DataFrame) -> None:
    model = LocalizedDiffusion(denoiser="linear", random_state=0).fit(frame.assign(still=1.0))
    new = frame.assign(still=1.0)
    new.iloc[7, 2] *= 3.0
    new.iloc[9, -1] = 2.0
    found = model.detect(new, false_alarms=0.05)
    verdict = model.predict(new, false_alarms=0.05)
    np.testing.assert_array_equal(verdict, np.where(found.alarm, -1, 1))
    decision = model.decision_function(new, false_alarms=0.05)
    np.testing.assert_array_equal(verdict, np.where(decision < 0, -1, 1))
    assert decision[9] == -np.inf
    assert verdict[[7, 9]].tolist() == [-1, -1]
    few = LocalizedDiffusion(denoiser="linear", random_state=0).fit(frame[:20])
    assert not hasattr(few, "predict")  # what is normal is not known from 20 rows


def test_what_is_public_is_listed() -> None:
    assert set(locality.__all__) <= set(dir(locality))
    for name in locality.__all__:
        assert getattr(locality, name) is not None


def test_an_executor_of_ones_own(frame: pd.DataFrame) -> None:
    """Whoever maps shards, the model is the same; it is asked once for every shard."""

    class Backwards:
        n_items = 0

        def map(self, function: Any, items: Any) -> Any:
            for number, item in reversed(list(enumerate(items))):
                self.n_items += 1
                yield number, function(item)

    wide = pd.concat([frame.add_suffix(f"_{k}") ** (k + 1) for k in range(8)], axis=1)
    mine = Backwards()
    options = {"denoiser": "linear", "radius": 1, "random_state": 0}
    model = LocalizedDiffusion(**options, execution=Execution(engine=mine)).fit(wide)
    plain = LocalizedDiffusion(**options).fit(wide)
    assert mine.n_items == len(model.model_.shards) > 1
    np.testing.assert_array_equal(model.held_out_nats_, plain.held_out_nats_)


def test_folders_from_python(frame: pd.DataFrame, tmp_path: Path) -> None:
    model = LocalizedDiffusion(denoiser="linear", random_state=0).fit(frame[:200])
    with pytest.raises(NotFitted, match="neither saved nor loaded"):
        model.versions()
    model.save(tmp_path / "m")
    first = model.score_samples(frame)
    told = model.update(frame[200:], ["flow"], margin=None)
    assert told.accepted
    assert model.commit(note={"who": "night shift"}) == 2
    assert model.commit(serve=False) == 3
    one, two, three = model.versions()
    assert (one.served, two.served, three.served) == (False, True, False)
    assert two.change["kind"] == "update"
    assert two.change["who"] == "night shift"
    assert two.change["sensors"] == ["flow"]
    assert three.change == {"kind": "commit"}
    other = LocalizedDiffusion.load(tmp_path / "m")
    np.testing.assert_array_equal(model.rollback(1).score_samples(frame), first)
    with pytest.raises(VersionConflict, match="serves another version by now"):
        other.commit()


def test_few_rows_wait_until_enough_have_come(frame: pd.DataFrame) -> None:
    whole = LocalizedDiffusion(denoiser="linear", random_state=0).fit(frame[:200])
    parts = LocalizedDiffusion(denoiser="linear", random_state=0).partial_fit(frame[:200])
    for start in (200, 230, 260):
        known = parts.model_
        parts.partial_fit(frame[start : start + 30])
        assert (parts.model_ is known) == (start != 230)
    whole.partial_fit(frame[200:260])
    np.testing.assert_array_equal(whole.surprise(frame), parts.surprise(frame))
