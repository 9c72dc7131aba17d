"""check, plan and poc as a user types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality.data.synthetic import OrnsteinUhlenbeckChain

Cli = Callable[..., Any]
FAST = ("--lags", "0", "--workers", "1")


def refused(result: Any, *words: str) -> None:
    assert result.code == 2, result.out + result.err
    assert "Traceback" not in result.out + result.err
    for word in words:
        assert word in result.message


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    values = OrnsteinUhlenbeckChain(8, 0.7).sample(240, 0)
    return pd.DataFrame(values, columns=[f"s{j}" for j in range(8)])


@pytest.fixture
def table(rows: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    rows.to_parquet(path)
    return path


def test_check_leaves_a_report_and_a_graph_for_fit_and_speaks_json(
    cli: Cli, table: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    result = cli("check", table, "-o", report, *FAST, "--language", "ja")
    assert result.code == 0, result.err
    assert "Locality of rows.parquet: local" in result.out
    assert result.err == ""  # no progress outside a terminal
    page = (report / "report.html").read_text("utf-8")
    assert '<html lang="ja">' in page
    edges = pd.read_csv(report / "graph.csv")
    assert {("s0", "s1"), ("s6", "s7")} <= set(zip(edges["from"], edges["to"], strict=True))
    fitted = cli(
        "fit", table, "-o", tmp_path / "m.locality", "--graph", report / "graph.csv",
        "--denoiser", "linear",
    )  # fmt: skip
    assert fitted.code == 0, fitted.err
    again = cli("check", table, "-o", report, *FAST)
    refused(again, "exists", "--overwrite")
    result = cli("check", table, "-o", report, *FAST, "--overwrite", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["verdict"]["answer"] == "local"
    assert told["kind"] == "locality-report"
    assert {cost["stage"] for cost in told["costs"]} >= {"closed form", "networks, at most"}


def test_check_takes_groups_and_compares(cli: Cli, table: Path, tmp_path: Path) -> None:
    groups = tmp_path / "stations.csv"
    members = [f"{'north' if j < 4 else 'south'},s{j}\n" for j in range(8)]
    groups.write_text("group,member\n" + "".join(members))
    result = cli("check", table, "-o", tmp_path / "report", "--graph", groups, *FAST)
    assert result.code == 0, result.err
    assert "Of the 12 edges of your graph" in " ".join(result.out.split())
    assert "s3–s4" in result.out  # the link between both groups is missed


def test_check_takes_distances(cli: Cli, table: Path, tmp_path: Path) -> None:
    roads = tmp_path / "roads.csv"
    pairs = [(i, j) for i in range(8) for j in range(i + 1, 8)]
    lines = [f"s{i},s{j},{100 * (j - i)},x\n" for i, j in pairs]
    roads.write_text("from,to,pipe_distance_m,direct\n" + "".join(lines))
    out = tmp_path / "report"
    result = cli("check", table, "-o", out, "--graph", roads, "--nearest", "1", *FAST)
    assert result.code == 0, result.err
    assert "Of the 7 edges of your graph the data support 7" in " ".join(result.out.split())


def test_plan_tells_and_leaves_nothing(cli: Cli, table: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    result = cli("plan", table, "--graph", "chain")
    assert result.code == 0, result.err
    for word in ("closed form", "networks, at most", "memory", "disk", "shards"):
        assert word in result.out
    assert sorted(tmp_path.iterdir()) == before
    told = json.loads(cli("plan", table, "--denoiser", "linear", "--json").out)
    assert told["n_columns"] == 8
    assert all(cost["seconds"] >= 0 for cost in told["costs"])


def test_plan_puts_actual_times_beside(cli: Cli, table: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.locality"
    assert cli("fit", table, "-o", model, "--denoiser", "linear").code == 0
    result = cli("plan", table, "--denoiser", "linear", "--model", model, "--json")
    costs = json.loads(result.out)["costs"]
    assert all(cost["actual_seconds"] is not None for cost in costs)


@pytest.mark.usefixtures("few_trees")
def test_poc_leaves_a_model_that_scores(cli: Cli, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "poc"
    result = cli("poc", table, "--quality", "0.8", "-o", folder, *FAST)
    assert result.code == 0, result.err
    assert "80% of what can be reached: reached" in result.out
    assert (folder / "poc.png").stat().st_size > 5_000
    scored = cli("score", folder / "model.locality", table, "-o", tmp_path / "nats.csv")
    assert scored.code == 0, scored.err
    told = cli("poc", table, "--quality", "0.8", "-o", folder, *FAST, "--overwrite", "--json")
    assert json.loads(told.out)["met"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--lags", "soon"), ("'soon'", "auto or a whole number")),
        (("--level", "2"), ("'2'", "between 0 and 1")),
        (("--graph", "missing.csv"), ("missing.csv", "neither chain nor ring nor a file")),
        (("--columns", "s0,oil"), ("oil", "--columns")),
        (("--context", "oil"), ("oil", "--context")),
        (("--cycle", "1d"), ("1d", "--time")),
        (("--time", "when"), ("when", "--time")),
        (("--language", "fr"), ("fr",)),
    ],
)
def test_bad_options(
    cli: Cli, table: Path, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(cli("check", table, "-o", tmp_path / "report", *arguments), *words)
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize("command", ["check", "poc"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x[:0], ("0",)),
        (lambda x: x[:20], ("20 rows", "at least")),
        (lambda x: x * 0 + 1, ("none of the 8 columns varies",)),
        (
            lambda x: x.assign(s3=x["s3"].astype(str).mask(x.index == 6, "n/a")),
            ("column 's3', row 7", "n/a", "is not a number"),
        ),
        (
            lambda x: x.assign(s3=[f"T{j}" for j in range(len(x))]),
            ("column 's3', row 1", "one of 240 different texts", "at most 30 count as states"),
        ),
        (lambda x: x.assign(s3=np.inf), ("column 's3', row 1: inf",)),
    ],
)
def test_bad_tables(
    cli: Cli, rows: pd.DataFrame, tmp_path: Path, command: str, change: Any, words: tuple[str, ...]
) -> None:
    path = tmp_path / "rows.parquet"
    change(rows).to_parquet(path)
    refused(cli(command, path, "-o", tmp_path / "out", *FAST), *words)
    assert list(tmp_path.iterdir()) == [path]


def test_gaps_are_refused_where_they_must_be(cli: Cli, rows: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows.mask(np.random.default_rng(0).random(rows.shape) < 0.03).to_csv(path, index=False)
    assert cli("check", path, "-o", tmp_path / "report", *FAST).code == 0
    refused(cli("plan", path), "NaN", "'s0'")
    refused(cli("poc", path, "-o", tmp_path / "poc"), "NaN", "'s0'")


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ("from,to\ns0,oil\n", ("oil",)),
        ("from,to\ns0,s0\n", ("row 1", "itself")),
        ("group,member\nnorth,\n", ("row 1", "empty")),
        ("from,to,speed\ns0,s1,3\n", ("'speed'", "weight")),
    ],
)
def test_bad_graphs(
    cli: Cli, table: Path, tmp_path: Path, edges: str, words: tuple[str, ...]
) -> None:
    path = tmp_path / "edges.csv"
    path.write_text(edges)
    refused(cli("check", table, "-o", tmp_path / "report", "--graph", path, *FAST), *words)
    assert not (tmp_path / "report").exists()


def test_foreign_folders_are_left_alone(cli: Cli, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years")
    for command in ("check", "poc"):
        refused(cli(command, table, "-o", folder, "--overwrite", *FAST), "not just")
    assert (folder / "thesis.txt").read_text() == "years"
