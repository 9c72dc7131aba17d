"""Options that several commands share, with the words that explain them."""

from enum import Enum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = [
    "AsJson",
    "ModelArgument",
    "OutputTable",
    "Overwrite",
    "Score",
    "Seed",
    "Series",
    "Solver",
    "parse_radius",
]


class Score(str, Enum):
    """What a component's score is made of."""

    linear = "linear"
    neural = "neural"


class Series(str, Enum):
    """How a series depends on its past."""

    causal = "causal"
    joint = "joint"


class Solver(str, Enum):
    """How rows are drawn."""

    dpm = "dpm"
    heun = "heun"
    churn = "churn"


ModelArgument: TypeAlias = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Folder that a model was saved to.")
]
OutputTable: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Table to be written: .csv, .parquet, .feather, …"
    ),
]
Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output if it is already there.")
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of sentences and tables.")
]
Seed: TypeAlias = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Equal seeds give equal results.")
]


def parse_radius(text: str) -> int | str:
    """A radius as typed: "auto" or a whole number.

    Raises
    ------
    typer.BadParameter
        It is neither.

    Examples
    --------
    >>> parse_radius("auto"), parse_radius("3")
    ('auto', 3)
    """
    if text == "auto":
        return text
    if text.isascii() and text.isdigit():
        return int(text)
    raise typer.BadParameter(
        f"{text!r} is no radius: expected auto, or a whole number of steps ≥ 0."
    )
