"""``evaluate`` as a user types it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.mark.usefixtures("few_trees")
def test_the_page_and_the_numbers_agree(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model, table, page = fitted / "plant.locality", fitted / "new.csv", tmp_path / "quality.html"
    result = cli("evaluate", model, table, "--target", "pressure", "-o", page)
    assert result.code == 0, result.err
    assert str(page) in result.out.replace("\n", "")
    told = json.loads(cli("evaluate", model, table, "--target", "pressure", "--json").out)
    assert told["target"] == "pressure"
    assert told["privacy"] is None
    for number in (told["drawn"]["margins"], told["real"]["margins"], told["r2"]):
        assert f"{number:.3f}" in result.out
    assert f"{told['drawn']['margins']:.3f}" in page.read_text("utf-8")


def test_refused_before_any_work(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model, table = fitted / "plant.locality", fitted / "new.csv"
    page = tmp_path / "quality.html"
    page.write_text("precious")
    for path, reason in (
        (page, "already there"),
        (tmp_path / "quality.png", "no page"),
        (tmp_path / "missing" / "q.html", "does not exist"),
    ):
        result = cli("evaluate", model, table, "-o", path)
        assert result.code == 2
        assert reason in result.message
    result = cli("evaluate", model, table, "--target", "presure")
    assert result.code == 2
    assert "'presure' is no column" in result.message
    assert page.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["quality.html"]
