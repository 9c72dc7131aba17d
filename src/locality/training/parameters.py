"""Parameters: what they permit and what they are for, said once where each is declared.

A table of options is a frozen dataclass whose fields are made by `option`. Who constructs it checks
it with `require`; the command line makes its options of the same fields. Words that have been
replaced are refused with the new one (`renamed`).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

from locality.exceptions import OptionError

__all__ = ["Permitted", "among", "number", "option", "renamed", "require", "truth", "whole"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Permitted:
    """Values that an option may have.

    Parameters
    ----------
    holds : callable
        Whether a value is one of them.
    expected : str
        The same in words, for messages.
    form : str
        The same in brief, for the command line: "N", "linear|neural".
    none : str
        What None means, if it is permitted.
    """

    holds: Callable[[Any], bool]
    expected: str
    form: str = "N"
    none: str = ""

    def or_none(self, meaning: str) -> "Permitted":
        """These values, or None."""
        return replace(self, none=meaning)

    def __call__(self, value: Any) -> bool:
        """Whether a value is permitted."""
        return (value is None and bool(self.none)) or self.holds(value)

    def __str__(self) -> str:
        """All that is permitted."""
        return f"{self.expected}, or None for {self.none}" if self.none else self.expected


def whole(low: int, what: str = "a whole number") -> Permitted:
    """Whole numbers from ``low`` on.

    Examples
    --------
    >>> whole(1)(3), whole(1)(True), str(whole(1))
    (True, False, 'a whole number ≥ 1')
    """
    return Permitted(
        lambda v: not isinstance(v, bool) and isinstance(v, Integral) and int(v) >= low,
        f"{what} ≥ {low}",
    )


def number(holds: Callable[[float], bool], expected: str) -> Permitted:
    """Finite numbers for which something holds."""
    return Permitted(
        lambda v: (
            not isinstance(v, bool)
            and isinstance(v, Real)
            and math.isfinite(float(v))
            and holds(float(v))
        ),
        expected,
        "X",
    )


def among(*names: str) -> Permitted:
    """Some words."""
    told = " or ".join(f'"{name}"' for name in names)
    return Permitted(lambda v: isinstance(v, str) and v in names, told, "|".join(names))


def _is_truth(v: Any) -> bool:
    if isinstance(v, bool):
        return True
    import numpy as np  # where options are declared it is not needed yet

    return isinstance(v, np.bool_)


truth = Permitted(_is_truth, "True or False", "")
"""True and False, of numpy too."""


def option(default: Any, permitted: Permitted, help: str) -> Any:
    """A field of a table of options.

    Parameters
    ----------
    default : object
    permitted : Permitted
    help : str
        What it is for, in a sentence.
    """
    return field(default=default, metadata={"permitted": permitted, "help": help})


def require(table: type, values: Mapping[str, Any], owner: str) -> None:
    """Refuse values that are not permitted.

    Parameters
    ----------
    table : dataclass
        Of options.
    values : mapping
        By name; others than options are left alone.
    owner : str
        Whose parameters they are, for the message.

    Raises
    ------
    OptionError
        Naming the first that is wrong, what it permits and what was found.
    """
    for part in fields(table):
        permitted = part.metadata.get("permitted")
        if permitted is None or part.name not in values:
            continue
        if not permitted(values[part.name]):
            raise OptionError(
                f"The {part.name!r} parameter of {owner} must be {permitted}, "
                f"found {values[part.name]!r}."
            )


def renamed(**words: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse keywords that a function no longer has, with what has taken their place.

    Parameters
    ----------
    **words : str
        By the old keyword, how to say it now.

    Examples
    --------
    >>> @renamed(colour="color=…")
    ... def paint(*, color="red"):
    ...     return color
    >>> paint(colour="blue")
    Traceback (most recent call last):
    locality.exceptions.OptionError: paint has no 'colour' any more. Write color=….
    """

    def mend(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            old = next((word for word in words if word in kwargs), None)
            if old is not None:
                name = function.__qualname__.removesuffix(".__init__")
                raise OptionError(f"{name} has no {old!r} any more.", remedy=f"Write {words[old]}.")
            return function(*args, **kwargs)

        return checked

    return mend
