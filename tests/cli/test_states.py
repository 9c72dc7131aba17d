"""Every command with a table of numbers, states and truth values: they are told as recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion

Cli = Callable[..., Any]
N_FITTED, N_NEW = 600, 200
STATES = {"low", "normal", "high"}


def make_mixed(n: int) -> pd.DataFrame:
    """One slow quantity that everything follows, a constant text, copies of states, a time."""
    rng = np.random.default_rng(0)
    base = np.zeros(n)
    for t in range(1, n):
        base[t] = 0.9 * base[t - 1] + 0.4 * rng.normal()

    def near(spread: float) -> np.ndarray:
        return base + spread * rng.normal(size=n)

    pump = near(0.4) > 0
    mode = np.array(["low", "normal", "high"])[np.digitize(near(0.2), [-0.8, 0.8])]
    return pd.DataFrame(
        {
            "hours": np.arange(n),
            "mode": mode,
            "pump": pump,
            "flow": np.where(pump, np.exp(0.5 * near(0.3)), 0.0),
            "valve": np.clip(50 + 30 * near(0.1), 0, 100),
            "count": rng.poisson(np.exp(0.5 * base)).astype("int32"),
            "temperature": (20 + 5 * near(0.2)).astype("float32"),
            "site": "north",
            "on": True,
            "lone": np.where(pump, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    return make_mixed(N_FITTED + N_NEW)


@pytest.fixture
def new(mixed: pd.DataFrame) -> pd.DataFrame:
    return mixed[N_FITTED:].reset_index(drop=True)


@pytest.fixture(scope="module")
def plant(mixed: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``mixed.parquet``, the model ``m.locality`` and ``context.locality``."""
    folder = tmp_path_factory.mktemp("mixed")
    mixed[:N_FITTED].to_parquet(folder / "mixed.parquet")
    for name, context in (("m", ()), ("context", ("mode", "pump", "lone"))):
        parameters = {"denoiser": "linear", "random_state": 0, "time": "hours"}
        model = LocalizedDiffusion(**parameters, context=context)
        model.fit(mixed[:N_FITTED]).save(folder / f"{name}.locality")
    return folder


@pytest.fixture
def odd(new: pd.DataFrame, tmp_path: Path) -> Path:
    """Row 51 has a state never seen, row 101 a constant text that moved, row 151 a wrong flow and
    a state never seen.
    """
    new.loc[50, "mode"] = "broken"
    new.loc[100, "site"] = "south"
    new.loc[150, "mode"], new.loc[150, "flow"] = "off", 60.0
    new.to_csv(tmp_path / "odd.csv", index=False)
    return tmp_path / "odd.csv"


def ran(result: Any) -> str:
    assert result.code == 0, result.out + result.err
    return " ".join(result.out.split())


def facts_of(result: Any) -> dict[str, Any]:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert result.code == 0, result.out + result.err
    content: dict[str, Any] = json.loads(result.out, parse_constant=refuse)  # no NaN
    return content


def refused(result: Any, *words: str) -> None:
    assert result.code == 2, result.out + result.err
    assert "Traceback" not in result.out + result.err
    for word in words:
        assert word in result.message


def test_fit_and_info_tell_constants_and_laws_in_words(
    cli: Cli, plant: Path, tmp_path: Path
) -> None:
    aside = "site (constant at north), on (constant at true), lone (copy of pump)"
    model = tmp_path / "m.locality"
    table = plant / "mixed.parquet"
    assert aside in ran(cli("fit", table, "-o", model, "--denoiser", "linear", "--time", "hours"))
    text = ran(cli("info", model, "--components"))
    assert aside in text
    assert "mode 3 states" in text
    assert "pump true or false" in text
    facts = facts_of(cli("info", model, "--components", "--json"))
    laws = {part["name"]: part["law"] for part in facts["components"]}
    assert laws["flow"].startswith("log; often 0")
    assert laws["temperature"] == "as it is"
    assert facts["set_aside"]["site"] == "constant at north"
    ran(cli("fit", table, "-o", model, "--overwrite", "--denoiser", "linear", "--time", "hours",
            "--plain", "--noise", "temperature=0.5"))  # fmt: skip
    facts = facts_of(cli("info", model, "--components", "--json"))
    laws = {part["name"]: part["law"] for part in facts["components"]}
    assert (laws["temperature"], laws["flow"]) == ("noise 0.5", "as it is")


def test_a_graph_may_name_states_and_what_is_set_aside(
    cli: Cli, plant: Path, tmp_path: Path
) -> None:
    edges = tmp_path / "edges.csv"
    edges.write_text("from,to\nmode,flow\nsite,pump\nflow,valve\n")
    fit = ("fit", plant / "mixed.parquet", "-o", tmp_path / "m.locality", "--denoiser", "linear")
    assert "2 edges" in ran(cli(*fit, "--graph", edges, "--time", "hours"))
    refused(cli(*fit, "--overwrite", "--tied", "--graph", "chain"), "'site' (constant)")


def test_samples_hold_states(cli: Cli, plant: Path, new: pd.DataFrame, tmp_path: Path) -> None:
    output = tmp_path / "drawn.csv"
    given = "pump = true, mode=high, flow>1"
    ran(cli("sample", plant / "m.locality", "-n", 50, "-o", output, "--condition", given))
    drawn = pd.read_csv(output)
    assert set(drawn["mode"]) == {"high"}
    assert drawn["pump"].dtype == bool
    assert drawn["pump"].all()
    assert (drawn["flow"] > 1).all()
    assert set(drawn["lone"]) == {"yes"}
    assert set(drawn["site"]) == {"north"}
    model = plant / "m.locality"
    again = ("sample", model, "-o", output, "--overwrite", "--condition")
    refused(cli(*again, "mode=broken"), "'mode' at 'broken'", "low, normal, high")
    refused(cli(*again, "pump=maybe"), "pump=maybe")

    context = tmp_path / "context.csv"
    new.to_csv(context, index=False)
    options = ("-n", N_NEW, "-o", output, "--overwrite", "--context", context)
    ran(cli("sample", plant / "context.locality", *options))
    drawn = pd.read_csv(output)
    assert drawn["mode"].tolist() == new["mode"].tolist()
    assert drawn["pump"].tolist() == new["pump"].tolist()
    new.loc[7, "mode"] = "broken"
    new.to_csv(context, index=False)
    refused(
        cli("sample", plant / "context.locality", *options), "context.csv: column 'mode', row 8",
        '"broken" is a state never seen in the fit',
    )  # fmt: skip


def test_a_model_of_an_array_draws_states_into_a_file(
    cli: Cli, mixed: pd.DataFrame, tmp_path: Path
) -> None:
    rows = mixed[["mode", "pump", "valve"]][:N_FITTED].to_numpy(dtype=object)
    LocalizedDiffusion(denoiser="linear", random_state=0).fit(rows).save(tmp_path / "m.locality")
    ran(cli("sample", tmp_path / "m.locality", "-n", 20, "-o", tmp_path / "drawn.parquet"))
    drawn = pd.read_parquet(tmp_path / "drawn.parquet")
    assert set(drawn["x0"]) <= STATES
    assert drawn["x1"].dtype == bool
    assert drawn["x2"].dtype == np.float64


def test_score_and_detect_tell_states_never_seen(
    cli: Cli, plant: Path, odd: Path, tmp_path: Path
) -> None:
    model = plant / "m.locality"
    unseen = (
        'mode is "broken" or "off" in 2 of 200 rows here, states never seen in the fit, first in '
        "row 51 (hours 650)."
    )
    moved = "site was constant at north in the fit, but not in 1 of 200 rows here, first in row 101"
    for command in ("score", "detect"):
        text = ran(cli(command, model, odd, "-o", tmp_path / f"{command}.csv"))
        assert unseen in text
        assert moved in text
        assert "missing" not in text
    nats = pd.read_csv(tmp_path / "score.csv")
    assert np.isnan(nats.loc[50, "mode"])
    assert nats["row_nats"].notna().all()

    output = tmp_path / "alarms.csv"
    facts = facts_of(cli("detect", model, odd, "-o", output, "--json"))
    assert facts["n_missing"] == 0
    assert set(facts["departures"]) == {"mode", "site"}
    runs = {part["judged_at"]: part for part in facts["episodes"]}
    assert (runs[51]["fault"], runs[51]["sensors"]) == ("unseen state", {"mode": 1.0})
    assert (runs[101]["fault"], runs[101]["sensors"]) == ("set aside", {"site": 1.0})
    alarms = pd.read_csv(output)
    assert alarms.loc[[50, 100, 150], "alarm"].tolist() == [1, 1, 1]


def test_one_missing_value_is_missing(
    cli: Cli, plant: Path, new: pd.DataFrame, tmp_path: Path
) -> None:
    path, output = tmp_path / "gap.csv", tmp_path / "alarms.csv"
    new.loc[3, "mode"] = None
    new.to_csv(path, index=False)
    text = ran(cli("detect", plant / "m.locality", path, "-o", output))
    assert (
        "1 value is missing; its neighbors are judged with what is expected in its place." in text
    )
    new.loc[4, "mode"] = None
    new.to_csv(path, index=False)
    text = ran(cli("detect", plant / "m.locality", path, "-o", output, "--overwrite"))
    assert "2 values are missing; their neighbors" in text


def test_explain_tells_states_in_their_texts(
    cli: Cli, plant: Path, odd: Path, new: pd.DataFrame, tmp_path: Path
) -> None:
    model = plant / "m.locality"
    text = ran(cli("explain", model, odd, "--row", 51, "-o", tmp_path / "why.png"))
    assert 'mode is "broken", a state never seen in the fit.' in text
    assert "alone is wrong" not in text
    assert "mode broken" in text  # in the table
    assert (tmp_path / "why.png").stat().st_size > 5_000
    text = ran(cli("explain", model, odd, "--row", 101))
    assert "site was constant at north in the fit, but is south here." in text
    text = ran(cli("explain", model, odd, "--row", 151))
    assert 'mode is "off", a state never seen in the fit. flow does not fit its neighbors' in text

    facts = facts_of(cli("explain", model, odd, "--row", 51, "--json"))
    first = facts["sensors"][0]
    assert (facts["fault"], first["sensor"], first["value"]) == ("unseen state", "mode", "broken")
    assert {first["expected"], first["low"], first["high"]} <= STATES
    assert {near["without"] for near in first["influences"]} <= STATES
    by_name = {part["sensor"]: part for part in facts["sensors"]}
    assert by_name["pump"]["value"] is bool(new.loc[50, "pump"])
    assert isinstance(by_name["pump"]["expected"], bool)
    for part in facts["sensors"]:
        for near in part["influences"]:
            assert isinstance(near["value"], {"mode": str, "pump": bool}.get(near["sensor"], float))

    row = int(new.index[new["valve"] > 85][0])
    new.loc[row, "mode"], new.loc[row, "pump"] = "low", False
    new.to_csv(tmp_path / "wrong.csv", index=False)
    text = ran(cli("explain", model, tmp_path / "wrong.csv", "--row", row + 1))
    assert "mode low high" in text
    assert "Why high is expected of mode" in text
    assert "if that neighbor were at its mean of the fit" in text


def test_rows_with_states_never_seen_have_no_likelihood(
    cli: Cli, plant: Path, odd: Path, new: pd.DataFrame, tmp_path: Path
) -> None:
    output = tmp_path / "likelihood.csv"
    refused(
        cli("likelihood", plant / "m.locality", odd, "-o", output),
        "column 'mode', row 51: \"broken\" is a state never seen in the fit (1 more such row)",
    )
    assert not output.exists()
    refused(cli("detect", plant / "context.locality", odd, "-o", output), "never seen", "row 51")
    new.drop(index=[50, 100, 150]).to_csv(odd, index=False)
    facts = facts_of(cli("likelihood", plant / "m.locality", odd, "-o", output, "--json"))
    assert facts["difference_per_component"] < 0.1


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_gaps_are_filled_with_what_the_column_holds(
    cli: Cli, plant: Path, new: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    rng = np.random.default_rng(1)
    gappy = new.copy()
    gappy["pump"] = gappy["pump"].astype(object)
    for name in ("mode", "pump", "count", "temperature", "site"):
        gappy.loc[rng.random(N_NEW) < 0.1, name] = None
    gappy.loc[5, "mode"] = "broken"
    path, output = tmp_path / f"gappy.{suffix}", tmp_path / f"filled.{suffix}"
    read = pd.read_csv if suffix == "csv" else pd.read_parquet
    gappy.to_csv(path, index=False) if suffix == "csv" else gappy.to_parquet(path)
    facts = facts_of(
        cli("impute", plant / "m.locality", path, "-o", output, "--draws", 2, "--json")
    )
    gaps = gappy.isna()
    assert facts["n_filled"] == gaps.sum().sum()
    filled, recorded = read(output), read(path)
    draws = read(tmp_path / f"filled-draws.{suffix}")
    for table in (filled, draws[draws["draw"] == 2].reset_index(drop=True)):
        assert table.loc[5, "mode"] == "broken"  # no gap
        assert set(table["mode"]) == STATES | {"broken"}
        assert table["pump"].dtype == bool
        assert table["count"].dtype.kind == "i"
        assert table["temperature"].dtype.kind == "f"
        assert set(table["site"]) == {"north"}
        for name in new:
            assert (table[name].eq(recorded[name]) | gaps[name]).all(), name
    bounds = filled[["mode:low", "mode:high"]]
    assert set(bounds[gaps["mode"]].to_numpy().ravel()) <= STATES
    assert bounds[~gaps["mode"]].isna().all(axis=None)
    bounds = filled[["pump:low", "pump:high"]]
    assert set(bounds[gaps["pump"]].to_numpy().ravel()) <= {True, False}
    right = filled["pump"].to_numpy() == new["pump"].to_numpy()
    assert right[gaps["pump"]].mean() > 0.7  # its copy lone tells


@pytest.mark.slow
@pytest.mark.usefixtures("few_trees")
def test_check_plan_and_poc_take_states(cli: Cli, plant: Path, tmp_path: Path) -> None:
    table = plant / "mixed.parquet"
    fast = ("--lags", "0", "--workers", "1", "--time", "hours")
    report = ran(cli("check", table, "-o", tmp_path / "report", *fast))
    assert "2 column(s) are constant and were left out: site, on." in report
    assert "exact copies of others and were left out: lone." in report
    facts = facts_of(
        cli("check", table, "-o", tmp_path / "given", *fast, "--context", "mode", "--json")
    )
    assert facts["n_columns"] == 5
    facts = facts_of(cli("plan", table, "--time", "hours", "--denoiser", "linear", "--json"))
    assert facts["n_columns"] == 6

    folder = tmp_path / "poc"
    facts = facts_of(
        cli("poc", table, "-o", folder, *fast, "--start", "mode", "--quality", "0.8", "--json")
    )
    assert facts["columns"][0] == "mode"
    drawn = pd.read_parquet(folder / "synthetic.parquet")
    assert set(drawn["mode"]) == STATES
    assert facts["drawn"]["margins"] > 0.7  # codes would agree by chance only
    assert (folder / "poc.png").stat().st_size > 5_000
    ran(cli("score", folder / "model.locality", table, "-o", tmp_path / "nats.csv"))
