"""Commands as a user types them, on a small plant with everything that needs care."""

import hashlib
import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

from locality.cli.app import app
from locality.data.synthetic import OrnsteinUhlenbeckChain


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The error stream as one line, for messages that the terminal wrapped."""
        return " ".join(self.err.replace("│", " ").split())


COMMAND = typer.main.get_command(app)  # as the application makes it anew for every call


def run(*arguments: Any) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as exit_:
        COMMAND([str(argument) for argument in arguments], prog_name="locality")
    code = exit_.value.code
    return Result(code if isinstance(code, int) else int(code is not None), *_texts(out, err))


def _texts(*streams: io.StringIO) -> list[str]:
    return [stream.getvalue() for stream in streams]


@pytest.fixture
def cli() -> Callable[..., Result]:
    return run


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with the digest of its content; folders too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def listing() -> Callable[[Path], dict[str, str]]:
    return contents


def make_plant(n_rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Six sensors in odd units along a chain, an integer, a constant, a copy and a time."""
    x = OrnsteinUhlenbeckChain(6, correlation=0.8).sample(n_rows, random_state=seed)
    scales = np.array([1.0, 100.0, 0.01, 5.0, 30.0, 2.0])
    names = ["feed", "pressure", "level", "temperature", "flow", "valve"]
    frame = pd.DataFrame(x * scales + 10 * scales, columns=names)
    frame["count"] = np.rint(50 + 5 * x[:, 0]).astype(np.int64)
    frame["site"] = 7.0
    frame["level in mm"] = 1000 * frame["level"]
    frame.insert(0, "when", pd.date_range("2024-05-01", periods=n_rows, freq="min"))
    return frame


@pytest.fixture
def plant() -> pd.DataFrame:
    return make_plant()


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``plant.csv``, ``new.csv`` and the model ``plant.locality``."""
    folder = tmp_path_factory.mktemp("plant")
    make_plant().to_csv(folder / "plant.csv", index=False)
    make_plant(60, seed=1).to_csv(folder / "new.csv", index=False)
    result = run(
        *("fit", folder / "plant.csv", "-o", folder / "plant.locality"),
        *("--time", "when", "--denoiser", "linear"),
    )
    assert result.code == 0, result.err
    return folder
