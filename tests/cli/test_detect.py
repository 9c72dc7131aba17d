"""What ``detect`` and ``explain`` find in rows with a fault, and what they refuse."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain

Cli = Callable[..., Any]
Listing = Callable[[Path], dict[str, str]]

DEVIATION = 30.0  # of the flow in normal rows
WRONG = 40  # row with an error, from 0


@pytest.fixture
def new(fitted: Path) -> pd.DataFrame:
    return pd.read_csv(fitted / "new.csv")


@pytest.fixture
def spike(new: pd.DataFrame, tmp_path: Path) -> Path:
    """A table with one wrong value."""
    new.loc[WRONG, "flow"] += 6 * DEVIATION
    new.to_csv(tmp_path / "spike.csv", index=False)
    return tmp_path / "spike.csv"


def found(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.out + result.err
    content: dict[str, Any] = json.loads(result.out)
    return content


def run_of(facts: dict[str, Any], row: int) -> dict[str, Any]:
    """The run of alarms that holds a row."""
    runs: list[dict[str, Any]] = facts["episodes"]
    return next(part for part in runs if part["first"] <= row <= part["last"])


def refused(result: Any, *words: str) -> None:
    assert result.code == 2, result.out + result.err
    assert "Traceback" not in result.out + result.err
    for word in words:
        assert word in result.message


def runs(alarm: np.ndarray) -> set[tuple[int, int]]:
    """First and last rows of runs, from 1: at most five quiet rows are part of a run."""
    spans: list[list[int]] = []
    for row in np.flatnonzero(alarm).tolist():
        if spans and row - spans[-1][1] <= 6:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    return {(first + 1, last + 1) for first, last in spans}


def test_the_table_is_that_of_python(
    cli: Cli, fitted: Path, spike: Path, listing: Listing, tmp_path: Path
) -> None:
    before = listing(fitted)
    for normal in (None, fitted / "plant.csv"):
        arguments = () if normal is None else ("--normal", normal)
        output = tmp_path / "alarms.parquet"
        model = fitted / "plant.locality"
        facts = found(
            cli("detect", model, spike, "-o", output, "--json", "--overwrite", *arguments)
        )
        estimator = LocalizedDiffusion.load(model)
        if normal is not None:
            estimator.calibrate(pd.read_csv(normal))
        expected = estimator.detect(pd.read_csv(spike)).to_frame()
        table = pd.read_parquet(output)
        assert list(table.columns)[:5] == ["when", "alarm", "p_value", "log_p", "state"]
        pd.testing.assert_frame_equal(table, expected, check_dtype=False)
        assert facts["n_alarms"] == table["alarm"].sum()
        assert facts["n_normal_rows"] == 300
    assert listing(fitted) == before  # calibrated for one run only


def test_an_error_of_six_deviations_is_alarmed_and_named_first(
    cli: Cli, fitted: Path, spike: Path, tmp_path: Path
) -> None:
    model, output = fitted / "plant.locality", tmp_path / "alarms.csv"
    facts = found(cli("detect", model, spike, "-o", output, "--json"))
    table = pd.read_csv(output)
    assert table.loc[WRONG, "alarm"] == 1
    others = ["when", "alarm", "p_value", "log_p", "state"]
    assert table.loc[WRONG, "flow"] == table.loc[WRONG].drop(others).max()
    assert np.exp(table["log_p"]).to_numpy() == pytest.approx(table["p_value"].to_numpy())
    assert table["state"].tolist() == np.where(table["alarm"], "alarm", "normal").tolist()
    worst = run_of(facts, WRONG + 1)
    assert next(iter(worst["sensors"])) == "flow"
    assert worst["fault"] == "spike"
    assert worst["judged_at"] == WRONG + 1
    text = cli("detect", model, spike, "-o", output, "--overwrite").out
    assert f"{WRONG + 1} (when 2024-05-01 00:40:00)" in text
    assert "locality explain" in text

    why = found(cli("explain", model, spike, "--row", WRONG + 1, "--json"))
    first = why["sensors"][0]
    assert (why["alarm"], why["fault"], first["sensor"]) == (True, "spike", "flow")
    assert first["value"] > first["high"] > first["expected"] > first["low"]
    # a value has no part in what is expected of it
    right = found(cli("explain", model, fitted / "new.csv", "--row", WRONG + 1, "--json"))
    same = next(part for part in right["sensors"] if part["sensor"] == "flow")
    assert first["value"] - same["value"] == pytest.approx(6 * DEVIATION)
    for figure in ("expected", "low", "high"):
        assert first[figure] == pytest.approx(same[figure])
    near = {part["sensor"] for part in first["influences"]}
    assert {"temperature", "valve"} & near  # along the chain
    text = cli("explain", model, spike, "--row", WRONG + 1).out
    assert f"flow alone is wrong since row {WRONG + 1} (when 2024-05-01 00:40:00): a spike" in text


def test_runs_of_alarms_are_those_of_the_table(
    cli: Cli, fitted: Path, new: pd.DataFrame, tmp_path: Path
) -> None:
    """Every run is listed with its ends, and its blame is the mean over its alarms."""
    for row in (3, 8, 45):
        new.loc[row, "pressure"] += 400.0
    new.to_csv(tmp_path / "faults.csv", index=False)
    model, output = fitted / "plant.locality", tmp_path / "alarms.csv"
    facts = found(cli("detect", model, tmp_path / "faults.csv", "-o", output, "--json"))
    table = pd.read_csv(output)
    spans = runs(table["alarm"].to_numpy())
    assert 1 < facts["n_episodes"] == len(spans) < 10
    assert {(part["first"], part["last"]) for part in facts["episodes"]} == spans
    for part in facts["episodes"]:
        rows = table.iloc[part["first"] - 1 : part["last"]]
        rows = rows[rows["alarm"] == 1]
        assert len(rows) == part["n_alarms"]
        assert rows["p_value"].min() == pytest.approx(part["p_value"])
        for name, blame in part["sensors"].items():
            assert rows[name].mean() == pytest.approx(blame)


@pytest.mark.parametrize("fault", ["stuck", "offset", "drift", "noise"])
def test_a_kind_of_fault_is_told_from_others(
    cli: Cli, fitted: Path, new: pd.DataFrame, tmp_path: Path, fault: str
) -> None:
    n = len(new) - WRONG + 10
    rows = slice(WRONG - 10, None)
    value = new["flow"].to_numpy()[-n:]
    sign = np.where(np.arange(n) % 2, 1.0, -1.0)
    change = {
        "stuck": np.full(n, new["flow"].mean() + 4 * DEVIATION),
        "offset": value + 5 * DEVIATION,
        "drift": value + np.linspace(1, 9, n) * DEVIATION,
        "noise": value + 5 * sign * DEVIATION,
    }
    new.loc[rows, "flow"] = change[fault]
    new.to_csv(tmp_path / "fault.csv", index=False)
    model = fitted / "plant.locality"
    arguments = (model, tmp_path / "fault.csv")
    facts = found(cli("detect", *arguments, "-o", tmp_path / "alarms.csv", "--json"))
    worst = facts["episodes"][0]
    assert (next(iter(worst["sensors"])), worst["fault"]) == ("flow", fault)
    why = found(cli("explain", *arguments, "--row", worst["judged_at"], "--json"))
    assert (why["fault"], why["since"]) == (fault, worst["first"])
    assert why["diagnosis"].startswith("flow alone is wrong since row")


def test_missing_values_are_no_reason_for_an_alarm(
    cli: Cli, fitted: Path, new: pd.DataFrame, spike: Path, tmp_path: Path
) -> None:
    """Gaps next to an error leave it found; a missing value itself is never to blame."""
    gappy = pd.read_csv(spike)
    gappy.loc[::7, "pressure"] = np.nan
    gappy.loc[WRONG, "feed"] = np.nan
    gappy.to_csv(tmp_path / "gappy.csv", index=False)
    arguments = (fitted / "plant.locality", tmp_path / "gappy.csv")
    facts = found(cli("detect", *arguments, "-o", tmp_path / "alarms.csv", "--json"))
    table = pd.read_csv(tmp_path / "alarms.csv")
    assert facts["n_missing"] == gappy.drop(columns="when").isna().sum().sum()
    assert next(iter(run_of(facts, WRONG + 1)["sensors"])) == "flow"
    assert table.loc[WRONG, ["alarm", "feed"]].tolist() == [1.0, 0.0]
    result = cli("explain", *arguments, "--row", WRONG + 1, "--json")
    missing = next(part for part in found(result)["sensors"] if part["sensor"] == "feed")
    assert missing["value"] is None
    assert "values are missing" in cli("explain", *arguments, "--row", WRONG + 1).out


def test_normal_rows_have_few_alarms(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    """At every rate the share of alarms is the rate, within four standard errors."""
    x = OrnsteinUhlenbeckChain(5, correlation=0.7).sample(1400, random_state=3)
    frame = pd.DataFrame(x, columns=list("abcde"))
    for name, rows in {"fit": x[:400], "known": x[400:900], "new": x[900:]}.items():
        pd.DataFrame(rows, columns=frame.columns).to_parquet(tmp_path / f"{name}.parquet")
    model, new, output = tmp_path / "model", tmp_path / "new.parquet", tmp_path / "alarms.parquet"
    assert cli("fit", tmp_path / "fit.parquet", "-o", model, "--denoiser", "linear").code == 0
    arguments = ("detect", model, new, "-o", output, "--normal", tmp_path / "known.parquet")
    for rate in (0.02, 0.2):
        facts = found(cli(*arguments, "--false-alarms", rate, "--json", "--overwrite"))
        alarms = facts["n_alarms"] / facts["n_rows"]
        error = np.hypot(facts["false_alarms_error"], np.sqrt(rate * (1 - rate) / 500))
        assert abs(alarms - rate) < 4 * error
        assert not facts["is_extrapolated"]
        assert facts["expected_false_alarms"] == pytest.approx(500 * rate)
    text = cli(*arguments, "--false-alarms", "0.001", "--overwrite").out
    assert "500 rows of known.parquet" in text
    assert "extrapolated" in text


def test_columns_set_aside_that_move_are_named(
    cli: Cli, fitted: Path, new: pd.DataFrame, tmp_path: Path
) -> None:
    new.loc[WRONG:, "site"] = 8.0
    new.assign(operator="Kim").to_csv(tmp_path / "moved.csv", index=False)
    arguments = (fitted / "plant.locality", tmp_path / "moved.csv")
    result = cli("detect", *arguments, "-o", tmp_path / "alarms.csv")
    assert "left out: operator" in result.out
    assert "not as in the fit" in result.out
    table = pd.read_csv(tmp_path / "alarms.csv")
    assert (table.loc[WRONG:, "alarm"] == 1).all()
    usual = int(table.loc[WRONG:, "site"].idxmax()) + 1
    text = cli("explain", *arguments, "--row", usual).out
    assert "site was constant at 7 in the fit, but is 8 here" in text
    assert "Several sensors" not in text


def test_an_index_is_kept(cli: Cli, plant: pd.DataFrame, tmp_path: Path) -> None:
    rows = plant[["feed", "pressure", "level"]].rename(columns={"level": "alarm"})
    rows = rows.set_index(pd.Index(plant.index * 0.05, name="h"))
    rows.loc[0.5, "pressure"] += 900.0
    rows.to_parquet(tmp_path / "plant.parquet")
    LocalizedDiffusion(denoiser="linear", random_state=0).fit(rows).save(tmp_path / "model")
    arguments = (tmp_path / "model", tmp_path / "plant.parquet")
    result = cli("detect", *arguments, "-o", tmp_path / "alarms.csv")
    assert "11 (h 0.5)" in result.out
    table = pd.read_csv(tmp_path / "alarms.csv")
    # a sensor of the name keeps it
    names = ["h", "alarm_", "p_value", "log_p", "state", "feed", "pressure", "alarm"]
    assert list(table.columns) == names
    assert np.allclose(table["h"], rows.index)


def test_zero_rows_give_zero_rows(
    cli: Cli, fitted: Path, new: pd.DataFrame, tmp_path: Path
) -> None:
    new[:0].to_csv(tmp_path / "none.csv", index=False)
    arguments = (fitted / "plant.locality", tmp_path / "none.csv")
    facts = found(cli("detect", *arguments, "-o", tmp_path / "alarms.csv", "--json"))
    assert (facts["n_rows"], facts["episodes"]) == (0, [])
    assert len(pd.read_csv(tmp_path / "alarms.csv")) == 0
    refused(cli("explain", *arguments, "--row", 1), "--row is 1", "none.csv has 0 rows")


def test_nothing_unusual(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    arguments = (fitted / "plant.locality", fitted / "new.csv")
    assert cli("detect", *arguments, "-o", tmp_path / "alarms.csv").code == 0
    quiet = int(pd.read_csv(tmp_path / "alarms.csv")["p_value"].idxmax()) + 1
    result = cli("explain", *arguments, "--row", quiet)
    assert result.code == 0
    assert "no alarm" in result.out
    assert "Nothing unusual." in result.out


def test_a_picture(cli: Cli, fitted: Path, spike: Path, tmp_path: Path) -> None:
    arguments = ("explain", fitted / "plant.locality", spike, "--row", WRONG + 1)
    picture = tmp_path / "why.png"
    assert cli(*arguments, "-o", picture).code == 0
    first = picture.read_bytes()
    assert first.startswith(b"\x89PNG")
    refused(cli(*arguments, "-o", picture), "why.png is already there", "--overwrite")
    assert cli("explain", *arguments[1:3], "--row", 1, "-o", picture, "--overwrite").code == 0
    assert picture.read_bytes() != first


def test_both_have_a_help_with_an_example(cli: Cli) -> None:
    for command in ("detect", "explain"):
        assert f"locality {command}" in cli("--help").out
        assert f"Example: locality {command}" in cli(command, "--help").out


def test_bad_tables_are_refused(
    cli: Cli, fitted: Path, new: pd.DataFrame, listing: Listing, tmp_path: Path
) -> None:
    model, good, out = fitted / "plant.locality", fitted / "new.csv", tmp_path / "out"
    out.mkdir()
    tables = {
        "lacks.csv": (new.drop(columns="flow"), ("lacks a column", "'flow'", "'feed'")),
        "text.csv": (new.astype({"flow": object}), ("column 'flow', row 5", "not a number")),
        "infinite.csv": (new.assign(feed=np.inf), ("column 'feed', row 1: inf",)),
        "few.csv": (
            new[:19],
            ("few.csv", "normal rows with values, found 19", "--normal"),
        ),
    }
    tables["text.csv"][0].loc[4, "flow"] = "n/a"
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and no more")
    for name, (table, _) in tables.items():
        table.to_csv(tmp_path / name, index=False)
    before = listing(tmp_path)
    for command, options in (
        ("detect", ("-o", out / "alarms.csv")),
        ("explain", ("--row", 3, "-o", out / "why.png")),
    ):
        for name, (_, words) in tables.items():
            if name != "few.csv":
                refused(cli(command, model, tmp_path / name, *options), name, *words)
            refused(cli(command, model, good, *options, "--normal", tmp_path / name), name, *words)
        damaged = tmp_path / "damaged.parquet"
        refused(cli(command, model, damaged, *options), "damaged.parquet", "cannot be read")
        refused(cli(command, model, tmp_path / "no.csv", *options), "no.csv", "does not exist")
        refused(cli(command, tmp_path / "none", good, *options), "none", "Check the path")
    assert listing(tmp_path) == before


def test_bad_options_are_refused(cli: Cli, fitted: Path, listing: Listing, tmp_path: Path) -> None:
    model, new = fitted / "plant.locality", fitted / "new.csv"
    (tmp_path / "there.csv").write_text("a\n1\n")
    before = listing(tmp_path)
    detect, explain = ("detect", model, new, "-o"), ("explain", model, new, "--row")
    refused(cli(*detect, tmp_path / "there.csv"), "there.csv is already there", "--overwrite")
    refused(cli(*detect, tmp_path / "x.xlsx"), "x.xlsx", ".parquet")
    refused(cli(*detect, tmp_path / "no" / "x.csv"), "does not exist", "Create the folder")
    for rate in ("0", "1", "often"):
        result = cli(*detect, tmp_path / "x.csv", "--false-alarms", rate)
        refused(result, "--false-alarms", f"found '{rate}'", "between 0 and 1")
    refused(cli(*explain, "61"), "--row is 61", "new.csv has 60 rows", "counted from 1")
    refused(cli(*explain, "0"), "--row", "found '0'", "≥ 1")
    refused(cli("explain", model, new), "--row")
    refused(cli(*explain, "1", "-o", tmp_path / "why.jpg"), "why.jpg", ".png")
    refused(cli(*explain, "1", "-o", tmp_path / "no" / "why.png"), "does not exist", "Create")
    refused(cli(*explain, "1", "-o", tmp_path), "unknown file type")
    assert listing(tmp_path) == before


def test_coarse_rows_are_told_with_what_to_do(cli: Cli, tmp_path: Path) -> None:
    def tanks(n: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        level, noise = rng.normal(5.0, 1.0, n), 0.0003 * rng.normal(size=(n, 2))
        return pd.DataFrame(level[:, None] * [1.0, 1.4] + noise, columns=["a", "b"]).round(6)

    model, arguments = tmp_path / "m", ("-o", tmp_path / "alarms.csv", "--overwrite")
    LocalizedDiffusion(denoiser="linear", random_state=0).fit(tanks(600, 0)).save(model)
    for digits, listed, noise in (
        (2, "a: 0.01 against 0.000001, b: 0.01 against 0.000001", "0.005"),
        ({"a": 2, "b": 1}, "a: 0.01 against 0.000001, b: 0.1 against 0.000001", "a=0.005,b=0.05"),
    ):
        tanks(300, 1).round(digits).to_csv(tmp_path / "new.csv", index=False)
        detect = ("detect", model, tmp_path / "new.csv", *arguments)
        (warning,) = found(cli(*detect, "--json"))["warnings"]
        assert warning == (
            f"2 columns are rounded more coarsely than in the fit ({listed}): what is finer than "
            f"that will look abnormal. Fit again with --noise {noise}."
        )
        assert f"Warning: {warning}" in " ".join(cli(*detect).out.split())


def test_models_that_cannot_judge_are_refused(cli: Cli, tmp_path: Path) -> None:
    x = OrnsteinUhlenbeckChain(4, correlation=0.5).sample(100, random_state=0)
    frame = pd.DataFrame(x, columns=list("abcd"))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    linear = {"denoiser": "linear", "random_state": 0, "graph": "chain"}
    LocalizedDiffusion(**linear).fit(frame[:20]).save(tmp_path / "few")
    LocalizedDiffusion(**linear, tied=True).fit(frame).save(tmp_path / "tied")
    joint = LocalizedDiffusion(**linear, lags=1, series="joint")
    joint.fit(frame).save(tmp_path / "joint")
    for command, options in (
        ("detect", ("-o", tmp_path / "x.csv")),
        ("explain", ("--row", 3, "-o", tmp_path / "x.png")),
    ):
        arguments = (tmp_path / "rows.csv", *options)
        refused(cli(command, tmp_path / "few", *arguments), "very few", "--normal")
        refused(cli(command, tmp_path / "tied", *arguments), "tied chain", "--normal")
        refused(cli(command, tmp_path / "joint", *arguments), "a joint series", "Fit with")
    assert not list(tmp_path.glob("x.*"))
    # normal rows mend it
    normal = ("--normal", tmp_path / "rows.csv")
    few = cli("detect", tmp_path / "few", tmp_path / "rows.csv", "-o", tmp_path / "x.csv", *normal)
    assert few.code == 0, few.err
