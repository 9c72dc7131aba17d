"""Rows by their moments: explain --at."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from locality import LocalizedDiffusion

Cli = Callable[..., Any]


def row_of(result: Any) -> int:
    assert result.code == 0, result.out + result.err
    return int(json.loads(result.out)["row"])


def refused(result: Any, *words: str) -> None:
    assert result.code == 2, result.out + result.err
    for word in words:
        assert word in result.message


@pytest.mark.parametrize(
    "text",
    ["2024-05-01 00:40:00", "2024-05-01 00:40", "2024-05-01T00:40Z", "2024-05-01 09:40+09:00"],
)
def test_a_time_is_found_however_it_is_written(cli: Cli, fitted: Path, text: str) -> None:
    explain = ("explain", fitted / "plant.locality", fitted / "new.csv", "--json")
    assert row_of(cli(*explain, "--at", text)) == 41
    assert cli(*explain, "--at", text).out == cli(*explain, "--row", 41).out


def test_times_that_are_not_there_name_the_nearest(cli: Cli, fitted: Path) -> None:
    explain = ("explain", fitted / "plant.locality", fitted / "new.csv")
    near = ("new.csv", "'when'", "00:39:00, 2024-05-01 00:40:00", "--row")
    refused(cli(*explain, "--at", "2024-05-01 00:39:31"), "--at is '2024-05-01 00:39:31'", *near)
    ends = "they go from 2024-05-01 00:00:00 to 2024-05-01 00:59:00"
    refused(cli(*explain, "--at", "tomorrow noon"), ends)
    refused(cli(*explain, "--at", "2024-05-01", "--row", 3), "both of --row and --at")
    refused(cli(*explain), "neither of --row and --at")


def test_labels_of_an_index(cli: Cli, plant: pd.DataFrame, tmp_path: Path) -> None:
    rows = plant[["feed", "pressure", "level"]]
    LocalizedDiffusion(denoiser="linear", random_state=0).fit(rows).save(tmp_path / "model")
    numbers = rows.set_index(pd.Index(rows.index * 0.05, name="h"))
    texts = rows[:4].set_index(pd.Index(["lot 7", "lot 8", "lot 9", "lot 9"], name="lot"))
    zoned = plant["when"].dt.tz_localize("Asia/Tokyo").dt.as_unit("us")
    for name, table in {
        "numbers": numbers,
        "texts": texts,
        "zoned": rows.set_index(pd.Index(zoned)),
        "none": rows,
    }.items():
        table.to_parquet(tmp_path / f"{name}.parquet")

    def explain(name: str, text: str) -> Any:
        arguments = ("explain", tmp_path / "model", tmp_path / f"{name}.parquet", "--json", "--at")
        return cli(*arguments, text)

    assert row_of(explain("numbers", "0.50")) == 11
    refused(explain("numbers", "0.52"), "'h'; the nearest are 0.45, 0.5, 0.55")
    assert row_of(explain("texts", "lot 8")) == 2
    refused(explain("texts", "lot 9"), "2 rows of texts.parquet have it: 3, 4", "--row")
    refused(explain("texts", "lot 6"), "the nearest are lot", "'lot'")
    assert row_of(explain("zoned", "2024-05-01 00:40")) == 41
    assert row_of(explain("zoned", "2024-04-30 15:40Z")) == 41
    refused(explain("none", "3"), "neither a time column nor an index", "--row")


def test_it_says_over_how_many_rows(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(fitted / "new.csv")
    frame.loc[40, "flow"] += 300.0
    frame.to_csv(tmp_path / "spike.csv", index=False)
    explain = ("explain", fitted / "plant.locality", tmp_path / "spike.csv", "--row", 41)
    facts = json.loads(cli(*explain, "--json").out)
    assert facts["channel"] in ("squared", "signed", "one sensor")
    assert facts["rows"] == pytest.approx(1.0)
    assert facts["accumulated"].endswith("in this row")
    assert f"Most unusual: {facts['accumulated']}." in " ".join(cli(*explain).out.split())
