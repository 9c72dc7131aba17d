"""Tables written by ``score`` and ``sample``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion

Cli = Callable[..., Any]


def test_nats_are_those_of_python_and_add_up(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model, new = fitted / "plant.locality", fitted / "new.csv"
    assert cli("score", model, new, "-o", tmp_path / "nats.parquet").code == 0
    table = pd.read_parquet(tmp_path / "nats.parquet")
    estimator = LocalizedDiffusion.load(model)
    names = list(estimator.component_names_)
    assert list(table.columns) == ["when", "row_nats", *names]
    assert np.allclose(table["row_nats"], table[names].sum(axis=1))
    assert np.allclose(table["row_nats"], -estimator.score_samples(pd.read_csv(new)))
    assert table["when"].astype(str).iloc[1] == "2024-05-01 00:01:00"


def test_bands_add_up_to_the_sensor(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model, new = fitted / "plant.locality", fitted / "new.csv"
    assert cli("score", model, new, "-o", tmp_path / "nats.feather", "--bands").code == 0
    table = pd.read_feather(tmp_path / "nats.feather")
    parts = [name for name in table.columns if name.startswith("flow [")]
    assert len(parts) > 1
    assert np.allclose(table[parts].sum(axis=1), table["flow"])


def test_columns_are_found_by_name(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model, new = fitted / "plant.locality", pd.read_csv(fitted / "new.csv")
    assert cli("score", model, fitted / "new.csv", "-o", tmp_path / "a.csv").code == 0
    shuffled = new[new.columns[::-1]].assign(operator="Kim")
    shuffled.to_csv(tmp_path / "shuffled.csv", index=False)
    result = cli("score", model, tmp_path / "shuffled.csv", "-o", tmp_path / "b.csv")
    assert result.code == 0
    assert "left out: operator" in result.out
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_an_index_is_kept(cli: Cli, plant: pd.DataFrame, tmp_path: Path) -> None:
    rows = plant[["feed", "pressure", "level"]].set_index(pd.Index(plant.index * 0.05, name="h"))
    rows.to_parquet(tmp_path / "plant.parquet")
    model = tmp_path / "model"
    chosen = ("--denoiser", "linear")
    assert cli("fit", tmp_path / "plant.parquet", "-o", model, *chosen).code == 0
    result = cli("score", model, tmp_path / "plant.parquet", "-o", tmp_path / "nats.csv")
    assert result.code == 0
    table = pd.read_csv(tmp_path / "nats.csv")
    assert list(table.columns) == ["h", "row_nats", "feed", "pressure", "level"]
    assert np.allclose(table["h"], rows.index)
    assert "(h " in result.out


def test_a_broken_sensor_is_named_first(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    new = pd.read_csv(fitted / "new.csv")
    new.loc[40:, "flow"] -= 6 * 30.0
    new.loc[40:, "site"] = 8.0
    new.to_csv(tmp_path / "new.csv", index=False)
    arguments = (fitted / "plant.locality", tmp_path / "new.csv", "-o")
    findings = json.loads(cli("score", *arguments, tmp_path / "nats.csv", "--json").out)
    assert findings["sensors"][0]["sensor"] == "flow"
    assert findings["rows"][0]["row"].startswith(tuple(f"{row} (when" for row in range(41, 61)))
    assert next(iter(findings["rows"][0]["sensors"])) == "flow"
    assert "20 of 60 rows" in findings["departures"]["site"]
    text = cli("score", *arguments, tmp_path / "nats2.csv").out
    assert "site was constant at 7" in text
    assert "Monte-Carlo error: none" in text


def test_normal_rows_are_at_their_normal_level(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    """Nats beyond normal average to zero on rows of the same law, within sampling error."""
    arguments = (fitted / "plant.locality", fitted / "new.csv", "-o", tmp_path / "nats.csv")
    findings = json.loads(cli("score", *arguments, "--json").out)
    nats = pd.read_csv(tmp_path / "nats.csv")["row_nats"]
    assert findings["mean"] == pytest.approx(nats.mean())
    # seven chi-square halves a row: the mean of 60 rows is within four standard errors
    assert abs(findings["mean"] - findings["expected"]) < 4 * nats.std() / np.sqrt(60)


def test_zero_rows_give_zero_rows(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    pd.read_csv(fitted / "new.csv")[:0].to_csv(tmp_path / "none.csv", index=False)
    model = fitted / "plant.locality"
    result = cli("score", model, tmp_path / "none.csv", "-o", tmp_path / "nats.csv", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["mean"] is None
    assert len(pd.read_csv(tmp_path / "nats.csv")) == 0


def test_a_model_of_an_array_takes_columns_by_place(
    cli: Cli, plant: pd.DataFrame, tmp_path: Path
) -> None:
    values = plant[["feed", "pressure", "level"]]
    model = LocalizedDiffusion(denoiser="linear", random_state=0).fit(values.to_numpy())
    model.save(tmp_path / "model")
    values.to_csv(tmp_path / "plant.csv", index=False)
    arguments = ("score", tmp_path / "model", tmp_path / "plant.csv")
    assert cli(*arguments, "-o", tmp_path / "nats.csv").code == 0
    table = pd.read_csv(tmp_path / "nats.csv")
    assert list(table.columns) == ["row_nats", "x0", "x1", "x2"]
    assert np.allclose(table["row_nats"], -model.score_samples(values.to_numpy()))
    values.assign(more=1.0).to_csv(tmp_path / "wide.csv", index=False)
    result = cli("score", tmp_path / "model", tmp_path / "wide.csv", "-o", tmp_path / "no.csv")
    assert result.code == 2
    assert "found 4 columns" in result.message


def test_samples_are_those_of_python(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model = fitted / "plant.locality"
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        drawn = tmp_path / f"{name}.parquet"
        assert cli("sample", model, "-n", "40", "--seed", seed, "-o", drawn).code == 0
    a, b, c = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in "abc")
    expected = LocalizedDiffusion.load(model).sample(40, random_state=5)
    pd.testing.assert_frame_equal(a, expected)
    pd.testing.assert_frame_equal(a, b)
    assert not a.equals(c)
    assert (a["site"] == 7.0).all()
    assert np.allclose(a["level in mm"], 1000 * a["level"])
    assert a["count"].dtype == np.int64


def test_a_linear_series_is_drawn_exactly_and_a_table_is_not(
    cli: Cli, fitted: Path, tmp_path: Path
) -> None:
    model, drawn = tmp_path / "series", tmp_path / "drawn.parquet"
    options = ("--drop", "when", "--lags", "1", "--denoiser", "linear")
    assert cli("fit", fitted / "plant.csv", "-o", model, *options).code == 0
    assert cli("sample", model, "-n", "40", "-o", drawn, "--sampler", "exact").code == 0
    expected = LocalizedDiffusion.load(model).sample(40, random_state=0)
    pd.testing.assert_frame_equal(pd.read_parquet(drawn), expected)
    arguments = ("sample", model, "-n", "40", "-o", drawn, "--overwrite")
    assert cli(*arguments, "--levels", "karras").code == 0
    assert not pd.read_parquet(drawn).equals(expected)
    assert cli(*arguments).code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(drawn), expected)
    table = ("sample", fitted / "plant.locality", "-o", tmp_path / "no.csv")
    result = cli(*table, "--sampler", "exact")
    assert result.code == 2
    assert "rows are in no order" in result.message


def test_overwriting_samples(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    arguments = ("sample", fitted / "plant.locality", "-o", tmp_path / "drawn.csv")
    assert cli(*arguments, "-n", "3").code == 0
    assert cli(*arguments, "-n", "4").code == 2
    assert len(pd.read_csv(tmp_path / "drawn.csv")) == 3
    result = cli(*arguments, "-n", "4", "--overwrite", "--json")
    assert json.loads(result.out)["n_rows"] == 4
    assert len(pd.read_csv(tmp_path / "drawn.csv")) == 4


def test_context_comes_from_a_table(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    assert (
        cli(
            *("fit", fitted / "plant.csv", "-o", model, "--drop", "when", "--context", "feed"),
            *("--denoiser", "linear"),
        ).code
        == 0
    )
    arguments = ("sample", model, "-n", "60", "-o", tmp_path / "drawn.csv")
    missing = cli(*arguments)
    assert missing.code == 2
    assert "needs values of its context columns feed" in missing.message
    assert cli(*arguments, "--context", fitted / "new.csv").code == 0
    drawn, given = (pd.read_csv(path) for path in (tmp_path / "drawn.csv", fitted / "new.csv"))
    assert np.allclose(drawn["feed"], given["feed"])
    assert np.corrcoef(drawn["pressure"], given["feed"])[0, 1] > 0.5
