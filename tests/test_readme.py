"""The commands of the README and the Python of all pages run as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from locality.local import kinds

_ROOT = Path(__file__).parents[1]
_README = _ROOT / "README.md"


def _blocks(language: str, page: Path = _README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("block", _blocks("python", _ROOT / "docs" / "extending.md"))
def test_extensions(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = set(kinds.KINDS)
    exec(compile(block, "extending.md", "exec"), {"__name__": "extending"})
    for name in set(kinds.KINDS) - known:
        del kinds.KINDS[name]


@pytest.mark.slow
@pytest.mark.parametrize("block", _blocks("python"))
def test_python(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block, str(_README), "exec"), names)
    assert names["model"].component_names_  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("block", _blocks("bash"))
def test_commands(block: str, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"plant.locality", "synthetic.parquet", "surprise.parquet"} <= {
        entry.name for entry in tmp_path.iterdir()
    }
