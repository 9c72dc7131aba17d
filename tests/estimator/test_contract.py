"""The estimator keeps scikit-learn's contract."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from locality import LocalizedDiffusion, OptionError

_SCORE = "`score` is a constructor parameter (the kind of score function), so it is no method"
_EXPECTED_FAILURES = {
    "check_fit_score_takes_y": _SCORE,
    "check_n_features_in_after_fitting": _SCORE,
    "check_pipeline_consistency": _SCORE,
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
        ("given", "x0"),
        ("score", "deep"),
        ("n_neighbors", 0),
        ("edge_level", 0.0),
        ("n_steps", 1),
        ("n_jobs", 0),
    ],
)
def test_wrong_parameters_are_named(frame: pd.DataFrame, parameter: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"'{parameter}' parameter .* found {value!r}"):
        LocalizedDiffusion(**{parameter: value}).fit(frame)
