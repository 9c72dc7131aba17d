"""Options that several commands share, with the words that explain them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from locality import OptionError

__all__ = [
    "AsJson",
    "Language",
    "ModelArgument",
    "OutputTable",
    "Overwrite",
    "Seed",
    "Selection",
    "auto_or_number",
    "false_alarms",
    "sampling",
    "seeded",
    "share",
    "whole_number",
]


_EPISODES = re.compile(r"\d\s+(in|per)\s", re.IGNORECASE)


class Language(StrEnum):
    """Of a report."""

    en = "en"
    ja = "ja"


def whole_number(low: int, high: int | None = None) -> Callable[[object], int]:
    """A parser of whole numbers from ``low`` on, that names what it found.

    Parameters
    ----------
    low : int
    high : int, optional
        Largest one permitted.

    Examples
    --------
    >>> whole_number(1)("12")
    12
    """

    def parse(value: object) -> int:
        text = str(value).strip()
        number = int(text) if text.isascii() and text.lstrip("-").isdigit() else None
        if number is None or number < low or (high is not None and number > high):
            upper = "" if high is None else f" and ≤ {high}"
            raise typer.BadParameter(f"found {text!r}, expected a whole number ≥ {low}{upper}.")
        return number

    return parse


ModelArgument: TypeAlias = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Folder that a model was saved to.")
]
OutputTable: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Table to be written: .csv, .parquet, .feather, …"
    ),
]


@dataclass(frozen=True)
class Selection:
    """Columns of a table that are used."""

    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns", metavar="A,B", help="Columns to use; all by default. May be repeated."
        ),
    ] = None
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="A,B", help="Columns to leave out.")
    ] = None


Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Replace the output if it is already there.")
]
Seed: TypeAlias = Annotated[
    int,
    typer.Option(
        "--seed",
        parser=whole_number(0, 2**32 - 1),
        metavar="N",
        help="Equal seeds give equal results.",
    ),
]
AsJson: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", metavar="", help="Print one JSON object instead of sentences and tables."
    ),
]


def seeded(seed: int) -> int:
    """The seed that ``random_state`` comes to in Python."""
    import numpy as np

    return int(np.random.RandomState(seed).randint(2**31 - 1))


def auto_or_number(of: str) -> Callable[[object], int | str]:
    """A parser of "auto" or a whole number.

    Parameters
    ----------
    of : str
        What is counted, for the message.

    Examples
    --------
    >>> parse = auto_or_number("steps")
    >>> parse("auto"), parse("3")
    ('auto', 3)
    """

    def parse(value: object) -> int | str:
        text = str(value)
        if text == "auto":
            return text
        if text.isascii() and text.isdigit():
            return int(text)
        raise typer.BadParameter(f"found {text!r}, expected auto or a whole number of {of} ≥ 0.")

    return parse


def share(value: object) -> float:
    """A share as typed, between 0 and 1.

    Raises
    ------
    typer.BadParameter
        It is none.

    Examples
    --------
    >>> share("0.95")
    0.95
    """
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not 0 < number < 1:
        raise typer.BadParameter(f"found {str(value)!r}, expected a number between 0 and 1.")
    return number


def false_alarms(value: object) -> float | str:
    """A share of rows, or episodes in a time, as typed.

    Raises
    ------
    typer.BadParameter
        It is neither.

    Examples
    --------
    >>> false_alarms("0.01"), false_alarms("1 per 30 days")
    (0.01, '1 per 30 days')
    """
    text = str(value).strip()
    if _EPISODES.search(text):
        return text
    try:
        return share(text)
    except typer.BadParameter:
        raise typer.BadParameter(
            f'found {text!r}, expected a share of rows between 0 and 1, or "1 per 30 days".'
        ) from None


def sampling(value: object) -> str:
    """A time from row to row, as typed.

    Raises
    ------
    typer.BadParameter
        It is none.

    Examples
    --------
    >>> sampling("3min")
    '3min'
    """
    from locality.inference.judging.promise import seconds_of

    text = str(value).strip()
    try:
        seconds_of(text)
    except OptionError:
        raise typer.BadParameter(
            f'found {text!r}, expected a time from row to row: 3min, "10 s" or seconds.'
        ) from None
    return text
