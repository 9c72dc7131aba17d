"""Commands import what they need and nothing else, so that answers come at once."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import sys
from locality.cli.app import app

for command in sys.argv[1].splitlines():
    try:
        app(command.split("|"))
    except SystemExit as end:
        assert not end.code, command
print(*sys.modules, file=sys.stderr)
"""
QUESTIONS = """
--help
versions|{model}
info|{model}|--components
alias|{model}|autumn|1
rollback|{model}|autumn
diff|{model}|1|autumn
gc|{model}
"""
JUDGED = """
detect|{model}|{table}|-o|{folder}/alarms.csv
explain|{model}|{table}|--row|3
score|{model}|{table}|-o|{folder}/nats.csv
impute|{model}|{gaps}|-o|{folder}/filled.csv
"""


@pytest.mark.parametrize(
    ("commands", "heavy"),
    [
        (QUESTIONS, {"networkx", "narwhals", "pandas", "scipy", "sklearn", "torch"}),
        (JUDGED, {"networkx", "scipy.optimize", "scipy.stats", "sklearn", "torch"}),
    ],
    ids=["questions", "judging"],
)
def test_what_commands_on_a_linear_model_import(
    fitted: Path, tmp_path: Path, commands: str, heavy: set[str]
) -> None:
    lines = (fitted / "new.csv").read_text().splitlines()
    cells = lines[5].split(",")
    cells[3] = ""
    (tmp_path / "gaps.csv").write_text("\n".join([*lines[:5], ",".join(cells), *lines[6:]]))
    places = {"model": fitted / "plant.locality", "table": fitted / "new.csv"}
    places |= {"gaps": tmp_path / "gaps.csv", "folder": tmp_path}
    command = [sys.executable, "-c", RUN, commands.format(**places).strip()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not heavy & set(done.stderr.split())
