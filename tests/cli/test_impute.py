"""``impute``, ``likelihood`` and ``sample --condition`` as a user types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from locality import LocalizedDiffusion

Cli = Callable[..., Any]


def gappy(fitted: Path, tmp_path: Path) -> Path:
    rows = pd.read_csv(fitted / "new.csv")
    rows.loc[5:9, "pressure"] = np.nan
    rows.loc[7, ["count", "site", "level in mm"]] = np.nan
    rows.to_csv(tmp_path / "gappy.csv", index=False)
    return tmp_path / "gappy.csv"


def test_gaps_are_filled_and_the_rest_is_untouched(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model, table = fitted / "plant.locality", gappy(fitted, tmp_path)
    out = tmp_path / "filled.csv"
    result = cli("impute", model, table, "-o", out, "--draws", 4, "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["filled"] == {"pressure": 5, "count": 1, "site": 1, "level in mm": 1}
    before, after, truth = (pd.read_csv(path) for path in (table, out, fitted / "new.csv"))
    names = list(before.columns)
    assert after[names].notna().all(axis=None)
    known = before.notna()
    assert (after[names].where(known) == before.where(known)).where(known, True).all(axis=None)
    assert after["site"].eq(7.0).all()
    assert np.isclose(after["level in mm"][7], 1000 * after["level"][7])
    assert after["count"][7] == round(after["count"][7])
    low, high = after["pressure:low"], after["pressure:high"]
    assert low[5:10].lt(after["pressure"][5:10]).all()
    assert high[5:10].gt(after["pressure"][5:10]).all()
    assert low.drop(range(5, 10)).isna().all()
    error = (after["pressure"] - truth["pressure"])[5:10].abs().mean()
    assert error < (truth["pressure"].mean() - truth["pressure"])[5:10].abs().mean()
    draws = pd.read_csv(tmp_path / "filled-draws.csv")
    assert draws["draw"].value_counts().to_dict() == {k: 60 for k in range(1, 5)}
    assert draws[draws.index % 60 == 6]["pressure"].nunique() == 4
    assert draws[draws.index % 60 == 20]["pressure"].nunique() == 1


def test_gaps_are_filled_with_medians_on_request(cli: Cli, tmp_path: Path) -> None:
    """Of a skewed column: exp(0.18) apart."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal(600)
    rows = pd.DataFrame({"x": x, "rain": np.exp(0.8 * x + 0.6 * rng.standard_normal(600))})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    rows[:40].assign(rain=np.nan).to_csv(tmp_path / "gappy.csv", index=False)
    fit = ("fit", tmp_path / "rows.csv", "-o", tmp_path / "m", "--denoiser", "linear")
    assert cli(*fit).code == 0
    filled = {}
    for name, options in (("mean", ()), ("median", ("--median",))):
        out = tmp_path / f"{name}.csv"
        result = cli("impute", tmp_path / "m", tmp_path / "gappy.csv", "-o", out, *options)
        assert result.code == 0, result.err
        filled[name] = pd.read_csv(out)["rain"]
    apart = np.log(filled["mean"] / filled["median"])
    np.testing.assert_allclose(apart, 0.18, atol=0.06)


def test_columns_of_others_are_kept(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    """An identifier and a comment, that the model does not know, stay where they were."""
    rows = pd.read_csv(gappy(fitted, tmp_path))
    rows.insert(0, "id", [f"r{k}" for k in range(len(rows))])
    rows["comment"] = "fine"
    rows.to_csv(tmp_path / "more.csv", index=False)
    out = tmp_path / "out.csv"
    result = cli(
        "impute", fitted / "plant.locality", tmp_path / "more.csv", "-o", out, "--draws", 2
    )
    assert result.code == 0, result.err
    assert "id, comment" in result.out
    after = pd.read_csv(out)
    assert [name for name in after.columns if ":" not in name] == list(rows.columns)
    assert after["id"].equals(rows["id"])
    drawn = pd.read_csv(tmp_path / "out-draws.csv")
    assert list(drawn.columns) == ["draw", *rows.columns]
    assert (drawn["comment"] == "fine").all()


def test_a_table_without_gaps_is_refused(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    result = cli("impute", fitted / "plant.locality", fitted / "new.csv", "-o", tmp_path / "x.csv")
    assert result.code == 2
    assert "new.csv has no gaps" in result.message
    assert not list(tmp_path.iterdir())


def test_tables_with_gaps_are_fitted_and_scored(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    table = gappy(fitted, tmp_path)
    result = cli("fit", table, "-o", tmp_path / "m", "--time", "when", "--denoiser", "linear")
    assert result.code == 0, result.err
    assert cli("score", tmp_path / "m", table, "-o", tmp_path / "nats.csv").code == 0
    nats = pd.read_csv(tmp_path / "nats.csv")
    assert nats["row_nats"].notna().all()
    assert nats["pressure"].isna().sum() == 5


def test_likelihood_is_that_of_python(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model, new = fitted / "plant.locality", fitted / "new.csv"
    result = cli("likelihood", model, new, "-o", tmp_path / "p.csv", "--json")
    assert result.code == 0, result.err
    found = pd.read_csv(tmp_path / "p.csv")
    estimator = LocalizedDiffusion.load(model)
    rows = pd.read_csv(new)
    assert np.allclose(found["log_likelihood"], estimator.log_likelihood(rows), atol=1e-6)
    assert np.allclose(found["minus_nats"], estimator.score_samples(rows))
    facts = json.loads(result.out)
    assert facts["difference_per_component"] < 0.01
    apart = np.abs(found["log_likelihood"] - found["minus_nats"]) / facts["n_components"]
    assert facts["n_unsure"] == (apart > 0.05).sum()
    refused = cli("likelihood", model, new, "-o", tmp_path / "q.csv", "--tolerance", "much")
    assert refused.code == 2
    assert "between 0 and 1" in refused.message


def test_columns_are_held_and_bounded(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model = fitted / "plant.locality"
    out = tmp_path / "s.csv"
    held = ("--condition", "pressure=1100, flow>300")
    assert cli("sample", model, "-n", 40, "-o", out, *held).code == 0
    rows = pd.read_csv(out)
    assert np.allclose(rows["pressure"], 1100)
    assert rows["flow"].gt(300).all()
    for text, word in (("presure=1", "'presure'"), ("flow", "'flow' cannot be read")):
        refused = cli("sample", model, "-o", tmp_path / "t.csv", "--condition", text)
        assert refused.code == 2
        assert word in refused.message
    assert not (tmp_path / "t.csv").exists()
