"""The demo, in its quick form: every file it promises, and the fault it must find."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Cli = Callable[..., Any]


@pytest.mark.slow
def test_the_quick_demo_finds_the_valve(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "locality-demo").mkdir()
    result = cli("demo", "--quick", "--workers", "1")
    assert result.code == 0, result.err
    assert "First alarm at 8.15 h" in result.out
    assert "Reactor cooling water flow valve" in result.out
    folder = tmp_path / "locality-demo-2"
    assert "Written to locality-demo-2" in result.out
    for name in ("radius.png", "samples.png", "fault.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_parquet(folder / "synthetic.parquet")) == 500
    surprise = pd.read_parquet(folder / "surprise.parquet")
    assert len(surprise) == 960
    assert cli("info", folder / "plant.locality").code == 0


def test_the_demo_overwrites_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    result = cli("demo", "--quick", "-o", tmp_path / "mine")
    assert result.code == 2
    assert "--overwrite" in result.message
    result = cli("demo", "--quick", "-o", tmp_path / "no" / "folder")
    assert result.code == 2
    assert "cannot be made" in result.message
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
