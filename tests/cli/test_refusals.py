"""Bad input: a message with place, value and remedy, exit code 2, and nothing left behind."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Cli = Callable[..., Any]
Listing = Callable[[Path], dict[str, str]]


def refused(result: Any, *words: str) -> None:
    assert result.code == 2, result.out + result.err
    assert "Traceback" not in result.out + result.err
    for word in words:
        assert word in result.message


@pytest.fixture
def rows(plant: pd.DataFrame) -> pd.DataFrame:
    return plant.drop(columns=["when", "site", "level in mm"])


def _text(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.astype({"pressure": object})
    rows.loc[16, "pressure"] = "n/a"
    return rows


def _empty_columns(rows: pd.DataFrame) -> pd.DataFrame:
    rows["flow"] = np.nan
    rows["valve"] = np.nan
    return rows


def _infinite(rows: pd.DataFrame, value: float) -> pd.DataFrame:
    rows.loc[7, "feed"] = value
    return rows


TABLES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], tuple[str, ...]]] = {
    "text": (_text, ("column 'pressure', row 17", '"n/a" is not a number', "--drop")),
    "empty": (lambda rows: rows[:0], ("has 0 rows", "at least 5", "Pass more rows")),
    "one row": (lambda rows: rows[:1], ("has 1 row", "at least 5", "Pass more rows")),
    "constant": (lambda rows: rows * 0 + 3.0, ("none of the 7 columns varies", "Pass rows")),
    "infinite": (lambda rows: _infinite(rows, np.inf), ("column 'feed', row 8: inf", "empty")),
    "minus infinite": (lambda rows: _infinite(rows, -np.inf), ("column 'feed', row 8: -inf",)),
    "empty columns": (_empty_columns, ("columns without any value", "'flow'", "'valve'", "--drop")),
    "date": (
        lambda rows: rows.assign(day=pd.Timestamp("2024-05-01")),
        ("column 'day', row 1", "--time"),
    ),
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("case", TABLES)
def test_tables_that_cannot_be_modeled(
    cli: Cli, listing: Listing, rows: pd.DataFrame, tmp_path: Path, case: str, suffix: str
) -> None:
    make, words = TABLES[case]
    table = make(rows)
    path = tmp_path / f"plant{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table = table.astype({"pressure": str}) if case == "text" else table
        words = words if case != "text" else ("column 'pressure', row 17", "not a number")
        table.to_parquet(path)
    if case == "date" and suffix == ".csv":
        words = ("column 'day', row 1", "not a number")
    before = listing(tmp_path)
    refused(cli("fit", path, "-o", tmp_path / "model", "--denoiser", "linear"), *words)
    assert listing(tmp_path) == before


def test_repeated_column_names(cli: Cli, listing: Listing, tmp_path: Path) -> None:
    (tmp_path / "plant.csv").write_text("a,b,a\n1,2,3\n4,5,6\n")
    before = listing(tmp_path)
    result = cli("fit", tmp_path / "plant.csv", "-o", tmp_path / "model")
    refused(result, "plant.csv", "'a' (columns 1, 3)", "Give every column a name of its own")
    assert listing(tmp_path) == before


@pytest.mark.parametrize("option", ["--columns", "--drop", "--context", "--time"])
def test_unknown_columns(cli: Cli, fitted: Path, tmp_path: Path, option: str) -> None:
    result = cli("fit", fitted / "plant.csv", "-o", tmp_path / "model", option, "presure")
    refused(result, f"{option} names a column", "'presure' (did you mean 'pressure'?)", "'flow'")
    assert not list(tmp_path.iterdir())


def test_files_that_are_no_tables(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    arguments = ("-o", tmp_path / "model")
    refused(cli("fit", tmp_path / "no.csv", *arguments), "no.csv", "does not exist", "Check")
    (tmp_path / "plant.xlsx").write_bytes(b"PK")
    refused(cli("fit", tmp_path / "plant.xlsx", *arguments), "plant.xlsx", ".csv, .csv.gz")
    (tmp_path / "plant.parquet").write_bytes(b"PAR1 and no more")
    refused(cli("fit", tmp_path / "plant.parquet", *arguments), "plant.parquet", "cannot be read")
    (tmp_path / "empty.csv").write_text("")
    refused(cli("fit", tmp_path / "empty.csv", *arguments), "empty.csv", "cannot be read")
    assert not (tmp_path / "model").exists()


def test_a_graph_that_names_an_unknown_sensor(
    cli: Cli, listing: Listing, fitted: Path, tmp_path: Path
) -> None:
    (tmp_path / "edges.csv").write_text("from,to\nfeed,pressure\npressure,levle\n")
    before = listing(tmp_path)
    result = cli(
        *("fit", fitted / "plant.csv", "-o", tmp_path / "model", "--drop", "when"),
        *("--graph", tmp_path / "edges.csv"),
    )
    refused(result, "edges.csv", "'levle' (did you mean 'level'", "Use the table's column names")
    assert listing(tmp_path) == before


OPTIONS = {
    "graph": (("--graph", "chian"), ("--graph is 'chian'", "learn, chain, ring, complete")),
    "radius": (("--radius", "abc"), ("--radius", "found 'abc'", "whole number")),
    "negative radius": (("--radius=-1",), ("--radius", "found '-1'", "auto")),
    "score": (("--denoiser", "nonsense"), ("--denoiser", "nonsense", "linear", "neural")),
    "series": (("--series", "acausal"), ("--series", "acausal", "causal", "joint")),
    "lags": (("--lags", "150"), ("plant.csv has 300 rows", "--lags 150 needs", "fewer lags")),
    "negative lags": (("--lags=-1",), ("--lags", "found '-1'", "≥ 0")),
    "workers": (("--workers", "0"), ("--workers", "found '0'", "≥ 1")),
    "steps": (("--steps", "3"), ("--steps", "found '3'", "≥ 20")),
    "seed": (("--seed", "1.5"), ("--seed", "found '1.5'", "whole number")),
    "tied": (("--tied", "--columns", "feed,flow"), ("tied", "'learn'", "chain", "ring")),
    "unknown": (("--epochs", "3"), ("--epochs",)),
    "given and dropped": (
        ("--context", "feed", "--drop", "feed"),
        ("'feed'", "--drop", "--context"),
    ),
    "all given": (("--columns", "feed", "--context", "feed"), ("nothing to model",)),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_out_of_range(cli: Cli, fitted: Path, tmp_path: Path, case: str) -> None:
    options, words = OPTIONS[case]
    arguments = (fitted / "plant.csv", "-o", tmp_path / "model", "--time", "when")
    refused(cli("fit", *arguments, *options), *words)
    assert not list(tmp_path.iterdir())


def test_existing_outputs_are_refused_before_any_work(
    cli: Cli, listing: Listing, fitted: Path, tmp_path: Path
) -> None:
    before = listing(fitted)
    # the table does not even exist: the output is looked at first
    result = cli("fit", tmp_path / "no.csv", "-o", fitted / "plant.locality")
    refused(result, "plant.locality exists", "--overwrite")
    result = cli("sample", tmp_path / "no model", "-o", fitted / "new.csv")
    refused(result, "new.csv is already there", "--overwrite")
    result = cli("score", tmp_path / "no model", fitted / "new.csv", "-o", fitted / "plant.csv")
    refused(result, "plant.csv is already there", "--overwrite")
    assert listing(fitted) == before


@pytest.mark.parametrize("command", ["fit", "sample", "score"])
def test_outputs_that_cannot_be_written(
    cli: Cli, fitted: Path, tmp_path: Path, command: str
) -> None:
    model, table = fitted / "plant.locality", fitted / "new.csv"
    inputs = {"fit": (table,), "sample": (model,), "score": (model, table)}[command]
    name = "result" if command == "fit" else "result.csv"
    (tmp_path / "file").write_text("no folder")
    missing = cli(command, *inputs, "-o", tmp_path / "missing" / name)
    refused(missing, name, "does not exist", "Create the folder first")
    refused(cli(command, *inputs, "-o", tmp_path / "file" / name), name, "is a file")
    if os.name == "posix" and os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        refused(cli(command, *inputs, "-o", tmp_path / "locked" / name), "ermission denied")
    if command != "fit":
        refused(cli(command, *inputs, "-o", tmp_path / "x.xlsx"), "x.xlsx", ".parquet")
        refused(cli(command, *inputs, "-o", tmp_path), "unknown file type")
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "locked"}


def test_models_that_cannot_be_used(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    refused(cli("info", tmp_path / "none"), "none", "Check the path")
    (tmp_path / "notes").mkdir()
    refused(cli("info", tmp_path / "notes"), "notes is not a locality model", "manifest.json")
    refused(cli("info", fitted / "plant.csv"), "plant.csv", "not a locality model")


@pytest.mark.parametrize("command", ["info", "sample", "score"])
def test_a_truncated_model(
    cli: Cli, fitted: Path, tmp_path: Path, listing: Listing, command: str
) -> None:
    model, results = tmp_path / "model", tmp_path / "results"
    results.mkdir()
    source = fitted / "plant.locality"
    for path in source.rglob("*"):
        target = model / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            target.write_bytes(path.read_bytes())
    blob = max(model.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes()[:-100])
    before = listing(tmp_path)
    inputs: dict[str, tuple[Any, ...]] = {
        "info": (model,),
        "sample": (model, "-o", results / "x.csv"),
        "score": (model, fitted / "new.csv", "-o", results / "x.csv"),
    }
    result = cli(command, *inputs[command])
    refused(result, "is damaged", "Restore the folder from a copy")
    assert blob.name in "".join(result.err.split())
    assert listing(tmp_path) == before


def test_scoring_a_table_that_lacks_columns(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    new = pd.read_csv(fitted / "new.csv")
    new.drop(columns=["flow", "valve"]).to_csv(tmp_path / "new.csv", index=False)
    arguments = (fitted / "plant.locality", tmp_path / "new.csv", "-o", tmp_path / "nats.csv")
    refused(cli("score", *arguments), "new.csv lacks 2 columns", "'flow', 'valve'", "'feed'")
    new.drop(columns="when").to_csv(tmp_path / "new.csv", index=False)
    refused(cli("score", *arguments), "new.csv lacks a column", "'when'")
    new.assign(flow=np.inf).to_csv(tmp_path / "new.csv", index=False)
    refused(cli("score", *arguments), "new.csv", "column 'flow', row 1: inf")
    assert {path.name for path in tmp_path.iterdir()} == {"new.csv"}


def test_numbers_of_rows_to_draw(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    arguments = ("sample", fitted / "plant.locality", "-o", tmp_path / "x.csv")
    refused(cli(*arguments, "-n", "0"), "'--n-rows' / '-n'", "found '0'", "≥ 1")
    refused(cli(*arguments, "-n", "3", "--series-count", "4"), "--series-count is 4", "3 rows")
    refused(cli(*arguments, "--sampler", "euler"), "--sampler", "euler", "heun")
    refused(cli(*arguments, "--levels", "even"), "--levels", "even", "lognormal")
    refused(cli(*arguments, "--evaluations", "0"), "--evaluations")
    context = cli(*arguments, "--context", fitted / "new.csv")
    refused(context, "no context columns")
    assert not list(tmp_path.iterdir())


def test_advice_can_be_followed(cli: Cli, tmp_path: Path) -> None:
    """Commands that judge rows cannot leave a fitted column out, and files lie beside models."""
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=["a", "b", "c"])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    model = tmp_path / "m"
    assert cli("fit", tmp_path / "rows.csv", "-o", model, "--denoiser", "linear").code == 0
    rows.astype({"b": object}).assign(b="n/a?").to_csv(tmp_path / "text.csv", index=False)
    rows.mask(rows > 2).to_csv(tmp_path / "gaps.csv", index=False)
    out = ("-o", tmp_path / "x.csv")
    told = cli("score", model, tmp_path / "text.csv", *out)
    assert told.code == 2
    assert "--drop" not in told.message
    assert "leave it empty" in told.message
    told = cli("likelihood", model, tmp_path / "gaps.csv", *out)
    assert told.code == 2
    assert "locality impute" in told.message
    told = cli("score", model, tmp_path / "rows.csv", "-o", model / "x.csv")
    assert told.code == 2
    assert "Name a file beside it" in told.message
    assert not (model / "x.csv").exists()


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        (("fit", "x.csv", "-o", "m"), "--score=linear", "--denoiser"),
        (("fit", "x.csv", "-o", "m"), "--given=feed", "--context"),
        (("plan", "x.csv"), "--score=linear", "--denoiser"),
        (("plan", "x.csv"), "--given=feed", "--context"),
        (("check", "x.csv", "-o", "r"), "--given=feed", "--context"),
        (("sample", "m", "-o", "x.csv"), "--given=feed=1", "--condition"),
        (("sample", "m", "-o", "x.csv"), "--method=heun", "--sampler"),
    ],
)
def test_options_that_have_another_name_now(
    cli: Cli, command: tuple[str, ...], old: str, new: str
) -> None:
    refused(cli(*command, old), f"no {old.partition('=')[0]} any more", f"Write {new}.")
