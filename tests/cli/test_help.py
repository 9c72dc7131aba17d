"""Help that teaches, at once."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

import locality
from locality.model.settings import Settings
from locality.training.execution import Execution
from locality.training.options import NetworkOptions

COMMANDS = ("check", "plan", "poc", "fit", "info", "sample", "score", "demo")


def test_the_main_help_shows_a_session(cli: Callable[..., Any]) -> None:
    result = cli("--help")
    assert result.code == 0
    for command in COMMANDS:
        assert f"locality {command}" in result.out  # in the session, with arguments
    assert "nats" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(cli: Callable[..., Any], command: str) -> None:
    result = cli(command, "--help")
    assert result.code == 0
    assert f"Example: locality {command}" in result.out
    assert cli(command, "-h").out == result.out


def test_no_command_shows_the_help(cli: Callable[..., Any]) -> None:
    result = cli()
    assert "A typical session" in result.out + result.err


def test_version(cli: Callable[..., Any]) -> None:
    result = cli("--version")
    assert result.code == 0
    assert result.out.strip() == f"locality {locality.__version__}"


@pytest.mark.parametrize(
    ("command", "others"), [("fit", ()), ("plan", ("engine", "device", "gpu_share"))]
)
def test_every_setting_is_an_option(
    cli: Callable[..., Any], command: str, others: tuple[str, ...]
) -> None:
    """With the words of its declaration."""
    words = {"gaussianize": "plain", "random_state": "seed", "n_jobs": "workers", "kind": "network"}
    told = " ".join(cli(command, "--help").out.replace("│", " ").split())
    for part in (*fields(Settings), *fields(NetworkOptions), *fields(Execution)):
        if part.metadata and part.name not in others:
            word = words.get(part.name, part.name.removeprefix("n_"))
            assert f"--{word.replace('_', '-')}" in told


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from locality.cli import main; sys.argv = ['locality', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'pandas', 'pyarrow', 'sklearn', 'matplotlib',\n"
        "    'networkx', 'plotly', 'pydantic', 'joblib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_terminal_without_greek_is_no_obstacle() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from locality.cli import main; main()", "score", "--help"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"UnicodeEncodeError" not in done.stderr
