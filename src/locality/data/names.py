"""Column names: which are acceptable, and which columns a caller means.

A name must survive files, databases and terminals unchanged. So control characters, NUL and lone
surrogates are refused, and so are two names that look alike because they differ only in the way
Unicode composes an accent (NFC). Unknown names are answered with the closest known ones.
"""

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from locality.exceptions import DataError

__all__ = ["MAX_LISTED", "check_names", "choose_names", "listing", "require_known"]

MAX_LISTED = 10
"""At most this many offenders are spelled out in one message; the others are counted."""

# Cc control (NUL too), Cs lone surrogates, Zl and Zp line and paragraph separators.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def listing(items: Sequence[str], separator: str = ", ") -> str:
    """Join the first ``MAX_LISTED`` items and count the others.

    Examples
    --------
    >>> listing([f"s{i}" for i in range(13)])
    's0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 3 more'
    """
    shown = separator.join(items[:MAX_LISTED])
    left = len(items) - MAX_LISTED
    return f"{shown} and {left} more" if left > 0 else shown


def check_names(names: Iterable[object]) -> tuple[str, ...]:
    """Return the names as text, or say which of them cannot be used.

    Whole numbers, the default labels of many tables, become text (``3`` becomes ``"3"``).

    Parameters
    ----------
    names : iterable of str or int
        The column labels in order.

    Returns
    -------
    tuple of str

    Raises
    ------
    DataError
        A label is no text, empty, holds a control character, or appears twice.

    Examples
    --------
    >>> check_names(["TT-104", 3])
    ('TT-104', '3')
    >>> check_names(["flow", "level", "flow"])
    Traceback (most recent call last):
        ...
    locality.exceptions.DataError: 1 column name appears more than once: 'flow' (columns 1, 3). \
Give every column a name of its own.
    """
    text = tuple(_as_text(name, position) for position, name in enumerate(names, start=1))
    places: dict[str, list[int]] = {}
    for position, name in enumerate(text, start=1):
        places.setdefault(unicodedata.normalize("NFC", name), []).append(position)
    repeated = [
        f"{text[found[0] - 1]!r} (columns {', '.join(map(str, found[:MAX_LISTED]))})"
        for found in places.values()
        if len(found) > 1
    ]
    if repeated:
        noun = "column name appears" if len(repeated) == 1 else "column names appear"
        raise DataError(
            f"{len(repeated)} {noun} more than once: {listing(repeated)}.",
            remedy="Give every column a name of its own.",
        )
    return text


def choose_names(
    available: Sequence[str],
    columns: Iterable[str] | None = None,
    drop: Iterable[str] = (),
    aside: str | None = None,
) -> tuple[str, ...]:
    """Return the names that remain when ``columns`` are kept and ``drop`` are left out.

    Parameters
    ----------
    available : sequence of str
        All columns of the table.
    columns : iterable of str, optional
        The columns to keep, in the order wanted; all in their own order when absent.
    drop : iterable of str
        Columns to leave out.
    aside : str, optional
        A column that has a task of its own (the time): left out, wherever it is named.

    Raises
    ------
    DataError
        A name is unknown or asked for twice.

    Examples
    --------
    >>> choose_names(["time", "flow", "level"], drop=["time"])
    ('flow', 'level')
    """
    wanted = tuple(available) if columns is None else _as_names(columns, "columns")
    unwanted = _as_names(drop, "drop")
    require_known(available, wanted, "columns")
    require_known(available, unwanted, "drop")
    twice = [repr(name) for name, count in Counter(wanted).items() if count > 1]
    if twice:
        raise DataError(
            f"columns asks for the same column twice: {listing(twice)}.",
            remedy="Name every column once.",
        )
    left_out = frozenset((*unwanted, aside))
    return tuple(name for name in wanted if name not in left_out)


def _as_text(name: object, position: int) -> str:
    if isinstance(name, int | np.integer) and not isinstance(name, bool):
        return str(int(name))
    if not isinstance(name, str):
        raise DataError(
            f"column {position} is named {name!r} ({type(name).__name__}), expected text.",
            remedy="Rename the columns so that every name is a single piece of text.",
        )
    if not name.strip():
        raise DataError(
            f"column {position} has an empty name.",
            remedy="Name it, or leave it out before passing the table (a saved row counter is "
            "the usual cause).",
        )
    for place, character in enumerate(name, start=1):
        if unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            raise DataError(
                f"column {position} is named {name!a}: character {place} is a control character.",
                remedy="Rename the column.",
            )
    return name


def _as_names(names: Iterable[str], argument: str) -> tuple[str, ...]:
    if isinstance(names, str):
        raise DataError(
            f"{argument} is the text {names!r}, expected a list of column names.",
            remedy=f"Write {argument}=[{names!r}].",
        )
    return tuple(str(name) for name in names)


def require_known(available: Sequence[str], wanted: Sequence[str], argument: str) -> None:
    """Refuse names that the table does not have, and suggest close ones.

    Parameters
    ----------
    available, wanted : sequences of str
    argument : str
        Who named them, for the message: ``"time"``, ``"--drop"``.

    Raises
    ------
    DataError
        With the names the table has.
    """
    known = frozenset(available)
    unknown = [name for name in wanted if name not in known]
    if not unknown:
        return
    hints = []
    for name in unknown[:MAX_LISTED]:
        close = difflib.get_close_matches(name, available, n=1, cutoff=0.6)
        hints.append(f"{name!r} (did you mean {close[0]!r}?)" if close else repr(name))
    hints += [repr(name) for name in unknown[MAX_LISTED:]]
    noun = "a column that is" if len(unknown) == 1 else f"{len(unknown)} columns that are"
    raise DataError(
        f"{argument} names {noun} not in the table: {listing(hints)}.",
        remedy=f"The table's columns are {listing([repr(name) for name in available])}.",
    )
