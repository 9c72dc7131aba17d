"""Words of an interface that have been replaced: an error that names the new one."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from locality.exceptions import OptionError

__all__ = ["EXECUTION", "renamed"]

P = ParamSpec("P")
R = TypeVar("R")

EXECUTION = {
    name: f"execution=Execution({name}=…)" for name in ("n_jobs", "engine", "device", "gpu_share")
}
"""What is part of an `Execution` now."""


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
