"""The history of a model, and a fit that is interrupted, as a user types them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.exceptions import DataError
from locality.store.ledger import FileLedger

Cli = Callable[..., Any]


@pytest.fixture
def model(cli: Cli, tmp_path: Path) -> Path:
    rows = OrnsteinUhlenbeckChain(8, 0.8).sample(1_000, 0)
    frame = pd.DataFrame(rows, columns=[f"s{j}" for j in range(8)])
    frame[:500].to_parquet(tmp_path / "rows.parquet")
    later = frame[500:].reset_index(drop=True)
    later.to_parquet(tmp_path / "same.parquet")
    later["s3"] = 2.0 * later["s3"] + 1.0
    later.to_parquet(tmp_path / "new.parquet")
    (tmp_path / "stations.csv").write_text("group,member\nboiler,s3\nboiler,s4\nother,s0\n")
    done = cli("fit", tmp_path / "rows.parquet", "-o", tmp_path / "m", "--denoiser", "linear")
    assert done.code == 0, done.err
    return tmp_path / "m"


_MEANT = ("--process-change", "s3 was replaced")


def test_rows_in_alarm_are_not_learned_from_unless_that_is_meant(cli: Cli, model: Path) -> None:
    """Refused, told, and nothing on disk has changed, whether asked for words or JSON."""
    new = model.parent / "new.parquet"
    before = {file: file.read_bytes() for file in model.rglob("*") if file.is_file()}
    refused = cli("update", model, new, "--drifted")
    assert refused.code == 2
    words = " ".join(refused.out.split())
    assert "rows in alarm, with the sensor most to blame, were left out" in words
    assert "of 500 rows are in alarm, mostly because of s3" in words
    assert "--process-change" in words
    told = cli("update", model, new, "--sensors", "s3", "--json")
    assert told.code == 2
    found = json.loads(told.out)
    assert not found["accepted"]
    assert found["n_left_out"] > 440
    assert found["left_out"][0]["sensor"] == "s3"
    assert "are in alarm" in found["why"]
    after = {file: file.read_bytes() for file in model.rglob("*") if file.is_file()}
    assert {f: b for f, b in after.items() if f.name != "lock"} == before
    assert "reason" in cli("update", model, new, "--process-change", " ").message
    assert cli("update", model, new, *_MEANT).code == 0


def test_an_update_is_a_version_and_can_be_taken_back(cli: Cli, model: Path) -> None:
    parent = model.parent
    assert "No sensor has drifted" in cli("update", model, parent / "same.parquet").out
    drifted = ("update", model, parent / "new.parquet", "--drifted")
    told = json.loads(cli(*drifted, *_MEANT, "--json").out)
    assert told["accepted"]
    assert told["version"] == 2
    assert "s3" in told["sensors"]
    found = json.loads(cli("versions", model, "--json").out)["versions"]
    assert [v["number"] for v in found] == [1, 2]
    assert found[1]["change"]["kind"] == "update"
    assert found[1]["change"]["process_change"] == "s3 was replaced"
    assert "champion" in cli("versions", model).out
    assert "s3 was replaced" in cli("versions", model).out.replace("\n", " ")
    difference = json.loads(cli("diff", model, "1", "champion", "--json").out)
    assert {name for name, *_ in difference["components"]} >= {"s3"}
    assert cli("alias", model, "autumn", "2").code == 0
    assert cli("rollback", model, "1").out.strip().endswith("now serves version 1.")
    assert json.loads(cli("versions", model, "--json").out)["versions"][0]["served"]
    assert cli("info", model, "--version", "autumn").code == 0
    assert json.loads(cli("gc", model, "--dry-run", "--json").out)["files"] == []
    assert cli("alias", model, "autumn", "--remove").code == 0
    assert json.loads(cli("gc", model, "--keep", "1", "--json").out)["versions"] == []


def test_groups_worst_and_names_are_learned_again(cli: Cli, model: Path) -> None:
    new = model.parent / "new.parquet"
    groups = ("--group", "boiler", "--groups", model.parent / "stations.csv", *_MEANT)
    told = json.loads(cli("update", model, new, *groups, "--json").out)
    assert told["sensors"] == ["s3", "s4"]
    told = json.loads(cli("update", model, new, "--worst", "1", "--json").out)
    assert len(told["sensors"]) == 1
    told = json.loads(cli("update", model, new, "--sensors", "s0,s1", "--json").out)
    assert told["sensors"] == ["s0", "s1"]
    frame, older = pd.read_parquet(model.parent / "rows.parquet"), model.parent / "older.parquet"
    frame.iloc[10:20, frame.columns.get_loc("s1")] += 8.0 * frame["s1"].std()
    frame.to_parquet(older)
    told = json.loads(cli("update", model, new, "--sensors", "s2", "--mix", older, "--json").out)
    assert told["n_left_out"] >= 10  # of the older ones
    n_rows = len(pd.read_parquet(new)) + len(pd.read_parquet(older))
    assert told["n_rows"] + told["n_held_out"] + told["n_left_out"] == n_rows


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("update", "new.parquet", "--sensors", "s9"), "'s9'"),
        (("update", "new.parquet", "--sensors", "s1", "--all"), "Choose one"),
        (("update", "new.parquet", "--group", "boiler"), "--groups"),
        (("update", "new.parquet", "--worst", "99"), "1 to 8"),
        (("rollback", "7"), "no version 7"),
        (("rollback", "../x"), "no version '../x'"),
        (("diff", "1", "spring"), "'spring'"),
        (("alias", "champion", "1"), "'champion'"),
        (("alias", "a/b", "1"), "'a/b'"),
        (("alias", "x"), "--remove"),
    ],
)
def test_refusals(cli: Cli, model: Path, arguments: tuple[str, ...], words: str) -> None:
    command, *rest = arguments
    rest = [model.parent / part if part.endswith(".parquet") else part for part in rest]
    before = (model / "manifest.json").read_bytes()
    result = cli(command, model, *rest)
    assert result.code == 2, result.out
    assert words in result.message
    assert "Traceback" not in result.err
    assert (model / "manifest.json").read_bytes() == before


def test_a_group_that_is_not_there(cli: Cli, model: Path) -> None:
    groups = ("--group", "pump", "--groups", model.parent / "stations.csv")
    result = cli("update", model, model.parent / "new.parquet", *groups)
    assert result.code == 2
    assert "boiler, other" in result.message


_INTERRUPTED = """
import os, signal
from locality.cli import main

def replace(source, target, really=os.replace):
    really(source, target)
    if str(target).endswith(".shard"):
        signal.raise_signal(signal.SIGINT)  # as by Ctrl-C, once there is something to keep

os.replace = replace
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
main()
"""


@pytest.mark.parametrize(
    "kind",
    [("--denoiser", "linear"), pytest.param(("--steps", "20"), marks=pytest.mark.slow)],
    ids=["linear", "networks"],
)
def test_an_interrupted_fit_goes_on(cli: Cli, tmp_path: Path, kind: tuple[str, str]) -> None:
    table, output = tmp_path / "rows.parquet", tmp_path / "m"
    columns = [f"s{j}" for j in range(70)]
    pd.DataFrame(DoubleWellChain(70).sample(200, 0), columns=columns).to_parquet(table)
    command = ["fit", str(table), "-o", str(output), "--graph", "chain", "--radius", "1"]
    command += [*kind, "--workers", "1"]
    whole = cli(*command[:3], tmp_path / "whole", *command[4:])
    assert whole.code == 0, whole.err
    process = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, *command],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = process.stderr
    assert process.returncode == 130, told
    assert "--resume" in told
    assert os.listdir(output) == ["work"]
    assert "unfinished fit" in cli("info", output).message
    again = cli(*command)
    assert again.code == 2
    assert "--resume" in again.message
    resumed = cli(*command, "--resume")
    assert resumed.code == 0, resumed.err
    for name in ("blobs",):
        assert sorted(os.listdir(output / name)) == sorted(os.listdir(tmp_path / "whole" / name))
    assert "work" not in os.listdir(output)


def test_a_failed_fit_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(str).tolist()
    rows[4][1] = "inf"
    table.write_text("a,b\n" + "\n".join(",".join(row) for row in rows) + "\n")
    result = cli("fit", table, "-o", tmp_path / "m", "--denoiser", "linear")
    assert result.code == 2
    assert sorted(os.listdir(tmp_path)) == ["rows.csv"]


def test_a_failed_fit_keeps_what_is_finished(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is lost, the disk is full: shards that took hours stay."""
    table, output = tmp_path / "rows.parquet", tmp_path / "m"
    columns = [f"s{j}" for j in range(70)]
    pd.DataFrame(DoubleWellChain(70).sample(300, 0), columns=columns).to_parquet(table)
    command = ["fit", table, "-o", output, "--graph", "chain", "--denoiser", "linear"]
    command += ["--workers", "1"]
    real, n = FileLedger.put, []

    def full(self: FileLedger, key: str, *rest: Any) -> None:
        n.append(key)
        if len(n) == 3:
            raise DataError("The disk is full.")
        real(self, key, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(FileLedger, "put", full)
        failed = cli(*command)
    assert failed.code == 2
    assert "The disk is full" in failed.message
    assert "--resume" in failed.err
    assert len(list((output / "work").glob("*.shard"))) == 2
    wrong = cli(*command, "--resume", "--context", "nothing")
    assert wrong.code == 2
    assert len(list((output / "work").glob("*.shard"))) == 2
    assert cli(*command, "--resume").code == 0


def test_a_folder_of_others_is_not_taken_for_an_unfinished_fit(cli: Cli, tmp_path: Path) -> None:
    table, output = tmp_path / "rows.csv", tmp_path / "project"
    pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"]).to_csv(table)
    (output / "work").mkdir(parents=True)
    (output / "work" / "data.txt").write_text("precious")
    for options in ((), ("--resume",), ("--overwrite",)):
        refused = cli("fit", table, "-o", output, "--denoiser", "linear", *options)
        assert refused.code == 2
        assert "is not just a locality model" in refused.message
        assert (output / "work" / "data.txt").read_text() == "precious"


def test_the_time_column_may_come_anywhere(cli: Cli, tmp_path: Path) -> None:
    frame = pd.DataFrame(DoubleWellChain(3).sample(300, 0), columns=list("abc"))
    frame["t"] = np.arange(300.0)
    frame.to_parquet(tmp_path / "rows.parquet")
    fit = ("fit", tmp_path / "rows.parquet", "-o", tmp_path / "m", "--time", "t")
    assert cli(*fit, "--denoiser", "linear").code == 0
    model = LocalizedDiffusion.load(tmp_path / "m")
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    last = model.score_samples(frame)
    np.testing.assert_array_equal(model.score_samples(frame[["t", "a", "b", "c"]]), last)
    added = cli("update", tmp_path / "m", tmp_path / "rows.parquet", "--add", "t")
    assert added.code == 2
    assert "time column" in added.message


def test_edges_of_others_are_no_neighbors_of_a_new_sensor(cli: Cli, model: Path) -> None:
    parent = model.parent
    later = pd.read_parquet(parent / "same.parquet")
    later.assign(extra=later["s3"] ** 2).to_csv(parent / "more.csv", index=False)
    (parent / "pipes.csv").write_text("from,to\ns1,s2\n")
    told = cli(
        "update", model, parent / "more.csv", "--add", "extra", "--edges", parent / "pipes.csv"
    )
    assert told.code == 2
    assert "no edge of 'extra'" in told.message


def test_sensors_come_and_go(cli: Cli, model: Path) -> None:
    parent = model.parent
    later = pd.read_parquet(parent / "same.parquet")
    noise = np.random.default_rng(0).normal(size=len(later))
    later.assign(extra=later["s3"] + 0.3 * noise).to_csv(parent / "more.csv", index=False)
    told = cli("update", model, parent / "more.csv", "--add", "extra")
    assert told.code == 0, told.err
    assert "extra added" in told.out
    assert "now serves version 2" in told.out
    found = cli("detect", model, parent / "more.csv", "-o", parent / "alarms.parquet")
    assert found.code == 0, found.err
    assert "extra" in pd.read_parquet(parent / "alarms.parquet").columns
    lost = cli("detect", model, parent / "same.parquet", "-o", parent / "no.parquet")
    assert lost.code == 2
    assert "'extra'" in lost.err
    later.drop(columns="s5").to_parquet(parent / "less.parquet")
    (parent / "pipes.csv").write_text("from,to\ns5,s4\ns5,s6\nextra,s3\n")
    gone = cli("update", model, parent / "more.csv", "--remove", "s5", "--json")
    assert json.loads(gone.out)["removed"] == ["s5"]
    back = cli("update", model, parent / "more.csv", "--add", "s5", "--edges", parent / "pipes.csv")
    assert back.code == 0, back.err
    assert "s5 added" in back.out
    assert "add: s5" in cli("versions", model).out
    told = cli("diff", model, "1", "2").out
    assert "Only version 2 has extra." in told
    told = cli("diff", model, "1", "3").out
    assert "Only version 1 has s5." in told
    assert cli("rollback", model, "1").code == 0
    assert cli("detect", model, parent / "same.parquet", "-o", parent / "no.parquet").code == 0
    assert cli("info", model, "--version", "4").code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--add", "other"), "names a column that is not in the table: 'other'"),
        (("--add", "s1"), "names 's1', which the model has already"),
        (("--add", ""), "names no column"),
        (("--remove", "other"), "names 'other', which the model does not have"),
        (("--remove", "s1", "--add", "s2"), "Choose one of"),
        (("--edges", "pipes.csv"), "--edges belongs to --add"),
        (("--add", "s1", "--mix", "new.parquet"), "--mix cannot be used with --add"),
    ],
)
def test_what_cannot_come_or_go_is_said(
    cli: Cli, model: Path, options: tuple[str, ...], told: str
) -> None:
    found = cli("update", model, model.parent / "new.parquet", *options)
    assert found.code == 2
    assert told in found.err.replace("\n", " ")
    assert len(json.loads(cli("versions", model, "--json").out)["versions"]) == 1
