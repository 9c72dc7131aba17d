"""What the estimator promises beyond the contract."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.stats import multivariate_normal

from locality import DataError, Execution, GraphError, LocalizedDiffusion, OptionError
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.model.model import Model
from locality.model.record import record_of
from locality.store.store import save_model


def _linear(**parameters: Any) -> LocalizedDiffusion:
    return LocalizedDiffusion(denoiser="linear", random_state=0, **parameters)


def test_full_radius_linear_model_is_the_gaussian_with_the_fitted_covariance(
    frame: pd.DataFrame,
) -> None:
    model = _linear(graph="complete", radius=1).fit(frame)
    x = frame.to_numpy()
    exact = multivariate_normal(x.mean(axis=0), np.cov(x.T, bias=True)).logpdf(x)
    # equal but for the little shrinkage that cross-validation asks for
    assert model.model_.gather("shrinkage").max() <= 0.01
    assert np.abs(model.score_samples(frame) - exact).mean() / 6 < 0.01
    assert np.corrcoef(model.score_samples(frame), exact)[0, 1] > 0.999


def test_the_flow_says_where_it_and_the_nats_disagree(
    frame: pd.DataFrame, table_model: Model, tmp_path: Path
) -> None:
    """Random networks are the score of no density; a Gaussian is."""
    chain = _linear(graph="chain", gaussianize=False).fit(frame)
    flow = chain.score_samples(frame[:20], method="ode")  # without a warning
    np.testing.assert_allclose(flow, chain.score_samples(frame[:20]), atol=0.05 * 6)
    wild = LocalizedDiffusion.load(save_model(table_model, tmp_path / "m"))
    rows = np.random.default_rng(0).standard_normal((40, 6))
    flow, nats = wild.log_likelihood(rows), wild.score_samples(rows)
    n_apart = int((np.abs(flow - nats) > 0.05 * 6).sum())
    assert 0 < n_apart < 40
    with pytest.warns(UserWarning, match=f"In {n_apart} of 40 rows .* neither is sure"):
        np.testing.assert_array_equal(wild.score_samples(rows, method="ode"), flow)


def test_surprise_rows_sum_to_minus_log_likelihood_and_bands_to_surprise(
    frame: pd.DataFrame,
) -> None:
    model = LocalizedDiffusion(n_steps=40, random_state=0).fit(frame)
    surprise = model.surprise(frame)
    np.testing.assert_allclose(surprise.sum(axis=1), -model.score_samples(frame), atol=1e-9)
    bands = model.surprise(frame, by_band=True)
    np.testing.assert_allclose(sum(band.to_numpy() for band in bands.values()), surprise, atol=1e-8)


@pytest.mark.parametrize("flavor", ["pandas", "polars", "pyarrow", "numpy"])
def test_tables_come_back_as_they_came(frame: pd.DataFrame, flavor: str) -> None:
    convert: dict[str, Any] = {
        "pandas": lambda f: f,
        "polars": lambda f: pl.from_pandas(f),
        "pyarrow": lambda f: pa.Table.from_pandas(f, preserve_index=False),
        "numpy": lambda f: f.to_numpy(),
    }
    table = convert[flavor](frame)
    model = _linear().fit(table)
    surprise, sample = model.surprise(table), model.sample(7)
    assert type(surprise) is type(table)
    assert type(sample) is type(table)
    reference = _linear().fit(frame)
    np.testing.assert_array_equal(np.asarray(surprise), np.asarray(reference.surprise(frame)))
    if flavor == "pandas":
        pd.testing.assert_index_equal(surprise.index, frame.index)
    if flavor != "numpy":
        assert list(getattr(sample, "column_names", getattr(sample, "columns", ()))) == list(frame)


def test_constants_copies_and_integers_are_restored(frame: pd.DataFrame) -> None:
    frame = frame.assign(
        fixed=7.5, twin=2.0 * frame["flow"] - 3.0, count=np.rint(frame["feed"] * 3).astype(int)
    )
    model = _linear().fit(frame)
    assert model.set_aside_ == {"fixed": "constant", "twin": "copy"}
    sample = model.sample(50)
    assert list(sample) == list(frame)
    assert (sample["fixed"] == 7.5).all()
    np.testing.assert_allclose(sample["twin"], 2.0 * sample["flow"] - 3.0, rtol=1e-6)
    assert sample["count"].dtype == np.int64
    assert "fixed" not in model.surprise(frame)


def test_reloaded_model_answers_with_the_same_bits(frame: pd.DataFrame, tmp_path: Path) -> None:
    model = LocalizedDiffusion(n_steps=60, lags=1, random_state=0).fit(frame)
    model.save(tmp_path / "plant.locality")
    again = LocalizedDiffusion.load(tmp_path / "plant.locality")
    pd.testing.assert_frame_equal(model.sample(9), again.sample(9), check_exact=True)
    np.testing.assert_array_equal(model.score_samples(frame), again.score_samples(frame))
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.radius_, model.radius_)


def test_reloaded_model_keeps_a_graph_given_as_an_object(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    chain = _linear(graph="chain").fit(frame)
    model = _linear(graph=chain.model_.domain.graph).fit(frame)
    model.save(tmp_path / "m")
    again = LocalizedDiffusion.load(tmp_path / "m")
    np.testing.assert_array_equal(again.fit(frame).score_samples(frame), chain.score_samples(frame))


def test_permuting_columns_permutes_surprise(frame: pd.DataFrame) -> None:
    order = [3, 0, 5, 1, 4, 2]
    permuted = frame.iloc[:, order]
    straight = _linear(lags=1).fit(frame).surprise(frame)
    shuffled = _linear(lags=1).fit(permuted).surprise(permuted)
    np.testing.assert_allclose(shuffled, straight.iloc[:, order], atol=1e-8)


def test_samples_are_a_prefix_and_follow_the_seed(frame: pd.DataFrame) -> None:
    model = _linear().fit(frame)
    many = model.sample(300, random_state=1)
    pd.testing.assert_frame_equal(model.sample(40, random_state=1), many[:40], check_exact=True)
    assert not np.allclose(model.sample(40, random_state=2), many[:40])


def test_samples_follow_the_fitted_law() -> None:
    chain = OrnsteinUhlenbeckChain(8, correlation=0.7)
    x = chain.sample(3000, random_state=0)
    sample = _linear(graph="chain").fit(x).sample(20_000)
    # standard error of a covariance entry at 3,000 rows is at most √2/√3000 = 0.026; 36 entries,
    # Bonferroni at level 1e-3 asks for 4.2 of them; the local model adds its own error
    assert np.abs(np.cov(sample.T) - chain.covariance).max() < 0.13
    assert np.abs(np.cov(sample.T) - np.cov(x.T)).max() < 0.08


def test_given_columns_condition_the_samples() -> None:
    rng = np.random.default_rng(0)
    recipe = rng.normal(size=2000)
    table = pd.DataFrame(
        {
            "recipe": recipe,
            "flow": 3.0 * recipe + 0.1 * rng.normal(size=2000),
            "noise": rng.normal(size=2000),
        }
    )
    model = _linear(context=["recipe"]).fit(table)
    assert model.component_names_ == ("flow", "noise")
    context = pd.DataFrame({"recipe": np.repeat([-1.0, 2.0], 500)})
    sample = model.sample(1000, context=context)
    np.testing.assert_array_equal(sample["recipe"], context["recipe"])
    means = sample["flow"].groupby(context["recipe"]).mean()
    # standard error of each mean 0.1/√500 = 0.0045
    np.testing.assert_allclose(means, [-3.0, 6.0], atol=0.03)
    with pytest.raises(OptionError, match="recipe"):
        model.sample(3)


def test_series_are_conditioned_on_their_past() -> None:
    rng = np.random.default_rng(0)
    n, coefficient = 4000, 0.9
    x = np.zeros((n, 2))
    for t in range(1, n):
        x[t] = coefficient * x[t - 1] + np.sqrt(1 - coefficient**2) * rng.normal(size=2)
    model = _linear(lags=1).fit(x)
    exact = np.log(np.sqrt(1 - coefficient**2)) + 0.5 * np.log(2 * np.pi * np.e)
    assert abs(model.surprise(x)[1:].mean() - exact) < 0.03
    drawn = model.sample(4000, n_series=16).reshape(16, 250, 2)
    lag_one = [
        np.corrcoef(drawn[:, 1:, j].ravel(), drawn[:, :-1, j].ravel())[0, 1] for j in range(2)
    ]
    np.testing.assert_allclose(lag_one, coefficient, atol=0.03)
    starts = model.sample(1200, n_series=400).reshape(400, 3, 2)
    # independent series: the standard error of a correlation near zero is 1/√400 = 0.05
    assert abs(np.corrcoef(starts[:-1, 2, 0], starts[1:, 0, 0])[0, 1]) < 0.2


def test_joint_series_keep_the_law_along_time() -> None:
    rng = np.random.default_rng(1)
    x = np.zeros((4000, 2))
    for t in range(1, 4000):
        x[t] = 0.7 * x[t - 1] + np.sqrt(1 - 0.49) * rng.normal(size=2)
    drawn = _linear(lags=8, series="joint").fit(x).sample(20_000)
    # the window of 8 rows is long against the memory of 0.7^lag: what was fitted is drawn
    for lag in (1, 2, 3):
        fitted = [np.corrcoef(x[lag:, j], x[:-lag, j])[0, 1] for j in range(2)]
        found = [np.corrcoef(drawn[lag:, j], drawn[:-lag, j])[0, 1] for j in range(2)]
        np.testing.assert_allclose(found, fitted, atol=0.03)


@pytest.mark.slow
def test_tied_chain_shares_one_law() -> None:
    law = DoubleWellChain(12)
    model = LocalizedDiffusion(graph="chain", tied=True, n_steps=400, random_state=0)
    model.fit(law.sample(400, 0))
    x = law.sample(250, 1)
    assert model.model_.domain.n_nodes == 1
    assert model.sample(3).shape == (3, 12)
    linear = LocalizedDiffusion(graph="chain", tied=True, denoiser="linear", random_state=0)
    linear.fit(law.sample(400, 0))
    exact = law.log_density(x).mean()
    gap = (exact - model.score_samples(x).mean()) / 12
    assert 0 < gap < 0.05 < (exact - linear.score_samples(x).mean()) / 12


@pytest.mark.slow
def test_identical_bits_whatever_the_number_of_workers(frame: pd.DataFrame) -> None:
    wide = pd.concat([frame.add_suffix(f"_{k}") + k for k in range(7)], axis=1)
    wide += np.random.default_rng(0).normal(size=wide.shape) * wide.std().to_numpy()
    models = [
        LocalizedDiffusion(n_steps=25, execution=Execution(n_jobs=n), random_state=0).fit(wide)
        for n in (1, 2)
    ]
    one, two = (record_of(m.model_)[1] for m in models)
    assert len(one) > 2  # more than one shard
    for group, arrays in one.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, two[group][name], err_msg=f"{group}/{name}")


def test_graph_that_does_not_fit_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(GraphError, match="5 nodes"):
        _linear(graph=np.ones((5, 5)) - np.eye(5)).fit(frame)
    with pytest.raises(OptionError, match="DependencyGraph"):
        _linear(graph=3).fit(frame)


def test_graph_may_name_columns_that_are_set_aside(frame: pd.DataFrame) -> None:
    with_constant = frame.assign(fixed=1.0)
    matrix = np.zeros((7, 7))
    matrix[np.arange(6), np.arange(1, 7)] = 1
    wide = _linear(graph=matrix + matrix.T).fit(with_constant)
    narrow = _linear(graph="chain").fit(frame)
    np.testing.assert_array_equal(wide.score_samples(with_constant), narrow.score_samples(frame))


def test_context_that_is_no_column_is_named(frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="'recipe'"):
        _linear(context=["recipe"]).fit(frame)
