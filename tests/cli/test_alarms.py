"""Alarms as people ask for them: episodes in a time, with an end, beside the first version."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion

Cli = Callable[..., Any]


@pytest.fixture
def faults(fitted: Path, tmp_path: Path) -> Path:
    frame = pd.read_csv(fitted / "new.csv")
    frame.loc[15:19, "flow"] += 200.0
    frame.loc[45, "pressure"] += 800.0
    frame.to_csv(tmp_path / "faults.csv", index=False)
    return tmp_path / "faults.csv"


def found(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.out + result.err
    content: dict[str, Any] = json.loads(result.out)
    return content


def refused(result: Any, *words: str) -> None:
    assert result.code == 2, result.out + result.err
    for word in words:
        assert word in result.message


def test_episodes_in_a_time_are_those_of_python(
    cli: Cli, fitted: Path, faults: Path, tmp_path: Path
) -> None:
    model, output = fitted / "plant.locality", tmp_path / "alarms.csv"
    detect = ("detect", model, faults, "-o", output, "--overwrite", "--json", "--false-alarms")
    estimator, frame = LocalizedDiffusion.load(model), pd.read_csv(faults)
    for asked, sampling, n_rows in (
        ("1 per 30 days", None, 43_200),  # a row a minute
        ("2 in week", "1 h", 84),
        ("1 per 5000 rows", None, 5_000),
    ):
        options = () if sampling is None else ("--sampling", sampling)
        facts = found(cli(*detect, asked, *options))
        expected = estimator.detect(frame, false_alarms=asked, sampling=sampling)
        assert (facts["false_alarms"], facts["rows_per_false_episode"]) == (asked, n_rows)
        assert pd.read_csv(output)["alarm"].tolist() == expected.alarm.astype(int).tolist()
        assert expected.alarm.any()
    text = cli(*detect[:-2], "--false-alarms", "1 per 30 days").out
    assert "one false episode in 43,200 rows or more (1 per 30 days)" in " ".join(text.split())
    why = found(
        cli("explain", model, faults, "--row", "18", "--false-alarms", "1 per 30 days", "--json")
    )
    assert why["false_alarms"] == "1 per 30 days"


def test_what_cannot_be_promised_is_refused_with_its_option(
    cli: Cli, fitted: Path, faults: Path, tmp_path: Path
) -> None:
    model = fitted / "plant.locality"
    for command in (("detect", "-o", tmp_path / "a.csv"), ("explain", "--row", 3)):
        call = (command[0], model, faults, *command[1:])
        for rate, words in {
            "often": ("found 'often'", "between 0 and 1", "1 per 30 days"),
            "0 per day": ("found '0 per day'",),
            "1 per 3 moons": ("'moons' is no unit of time", "Known are"),
            "1 per min": ("one false episode in 1 rows", "between 2 and"),
        }.items():
            refused(cli(*call, "--false-alarms", rate), "--false-alarms", *words)
        refused(cli(*call, "--sampling", "soon"), "--sampling", "found 'soon'", "3min")
    frame = pd.read_csv(faults).drop(columns="when")
    LocalizedDiffusion(denoiser="linear", random_state=0).fit(frame).save(tmp_path / "plain")
    call = ("detect", tmp_path / "plain", faults, "-o", tmp_path / "a.csv", "--false-alarms")
    refused(cli(*call, "1 per day"), "The time between rows is not known", "--sampling 3min")
    few = ("1 per day", "--sampling", "1min")
    refused(cli(*call, *few), "at least 144 normal rows; the model knows 60", "--normal")
    assert not list(tmp_path.glob("a.*"))


@pytest.mark.parametrize("name", ["alarms.csv", "alarms.csv.gz", "alarms.parquet"])
def test_runs_are_a_table_beside(cli: Cli, fitted: Path, tmp_path: Path, name: str) -> None:
    """In order of time, with the moments, and with what the rows of the other table say."""
    from locality.data.files import read_frame

    frame, faults = pd.read_csv(fitted / "new.csv"), tmp_path / "two.csv"
    frame.loc[5, "flow"] += 120.0
    frame.loc[45, "pressure"] += 800.0
    frame.to_csv(faults, index=False)
    call = ("detect", fitted / "plant.locality", faults, "-o", tmp_path / name)
    facts = found(cli(*call, "--json"))
    beside = tmp_path / name.replace("alarms.", "alarms.episodes.")
    assert facts["episodes_output"] == str(beside)
    rows, runs = read_frame(tmp_path / name), read_frame(beside)
    assert len(runs) == facts["n_episodes"] == len(facts["episodes"]) >= 2
    assert runs["beginning_row"].is_monotonic_increasing
    told = {part["first"]: part for part in facts["episodes"]}
    for run in runs.to_dict("records"):
        part = rows[run["beginning_row"] - 1 : run["end_row"]]
        assert (run["beginning"], run["end"]) == (part["when"].iloc[0], part["when"].iloc[-1])
        assert (run["n_rows"], run["n_alarms"]) == (len(part), part["alarm"].sum())
        assert run["log_p"] == part["log_p"][part["alarm"] == 1].min()
        same = told[run["beginning_row"]]
        assert run["fault"] == same["fault"]
        assert run["sensor_1"] == next(iter(same["sensors"]))
        assert run["first_out"].split(", ") == same["first_out"]
    refused(cli(*call), f"{name} is already there")
    (tmp_path / name).unlink()
    refused(cli(*call), f"{beside.name} is already there", "--overwrite")


def test_no_runs_are_an_empty_table(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    quiet = pd.read_csv(fitted / "new.csv")[:3]
    quiet.to_csv(tmp_path / "quiet.csv", index=False)
    call = ("detect", fitted / "plant.locality", tmp_path / "quiet.csv")
    assert found(cli(*call, "-o", tmp_path / "alarms.csv", "--json"))["n_episodes"] == 0
    runs = pd.read_csv(tmp_path / "alarms.episodes.csv")
    assert len(runs) == 0
    assert {"beginning", "end", "fault", "first_out", "log_p"} <= set(runs.columns)


def test_unlikely_rows_are_told_apart(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    """Where numbers have no room for p-values, their logarithms still rank them."""
    frame = pd.read_csv(fitted / "new.csv")
    for row, size in {20: 1e9, 30: 1e15, 40: 1e21}.items():
        frame.loc[row, "flow"] += size
    frame.to_csv(tmp_path / "far.csv", index=False)
    call = ("detect", fitted / "plant.locality", tmp_path / "far.csv", "-o", tmp_path / "a.csv")
    found(cli(*call, "--json"))
    log_p = pd.read_csv(tmp_path / "a.csv")["log_p"][[20, 30, 40]].to_numpy()
    assert np.isfinite(log_p).all()
    assert (np.diff(log_p) < 0).all()


def test_the_first_version_keeps_watching(
    cli: Cli, fitted: Path, faults: Path, tmp_path: Path
) -> None:
    """A fault that was taken for normal since is told by who never learned it."""
    frame = pd.read_csv(fitted / "plant.csv")
    model = LocalizedDiffusion(time="when", denoiser="linear", random_state=0).fit(frame)
    model.save(tmp_path / "model")
    odd = frame.assign(flow=frame["flow"] + 200.0)
    model.calibrate(odd)
    model.commit(note={"why": "a mistake"})
    odd[:60].to_csv(tmp_path / "odd.csv", index=False)
    call = ("detect", tmp_path / "model", tmp_path / "odd.csv", "-o", tmp_path / "a.csv")
    facts = found(cli(*call, "--json", "--anchor"))["anchor"]
    table = pd.read_csv(tmp_path / "a.csv")
    alone = (table["anchor"] == 1) & (table["alarm"] == 0)
    assert list(table.columns)[4:6] == ["state", "anchor"]
    assert facts["rows_alone"] == (np.flatnonzero(alone) + 1).tolist()
    assert facts["n_alone"] == alone.sum() > 50
    assert facts["n_alarms"] == table["anchor"].sum()
    text = " ".join(cli(*call, "--anchor", "--overwrite").out.split())
    assert f"in {alone.sum()} of them alone, first in row {alone.idxmax() + 1} (when" in text
    # one version watches nobody
    single = ("detect", fitted / "plant.locality", faults, "-o", tmp_path / "b.csv", "--anchor")
    assert found(cli(*single, "--json"))["anchor"]["n_alone"] == 0


def test_an_anchor_that_is_gone_is_named(
    cli: Cli, fitted: Path, faults: Path, tmp_path: Path
) -> None:
    import shutil

    model = tmp_path / "model"
    shutil.copytree(fitted / "plant.locality", model)
    estimator = LocalizedDiffusion.load(model)
    estimator.calibrate(pd.read_csv(fitted / "plant.csv"))
    estimator.commit()
    (model / "versions" / "000001.json").unlink()
    call = ("detect", model, faults, "-o", tmp_path / "a.csv", "--anchor")
    refused(cli(*call), "--anchor", "has no version 1")
