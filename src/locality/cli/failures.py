"""Failures: the one place where an error becomes a message and an exit code.

    0    done
    1    something unexpected: one line, and the traceback if asked for (--debug, LOCALITY_DEBUG=1)
    2    the caller can mend it: what was found and where, and what to do about it
    130  interrupted from the keyboard

Messages go to the error stream, so that what is piped on stays clean.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from locality import LocalityError, OptionError
from locality.cli.terminal import errors

__all__ = ["Commands", "reported"]

_VARIABLE = "LOCALITY_DEBUG"

# The base of all usage errors; its module differs between versions of typer.
_USAGE: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


_NOW = {
    "check": {"--given": "--context"},
    "fit": {"--given": "--context", "--score": "--denoiser"},
    "plan": {"--given": "--context", "--score": "--denoiser"},
    "sample": {"--given": "--condition", "--method": "--sampler"},
}
"""By command, options that have another name now."""


class Commands(TyperGroup):
    """A group of commands whose failures are reported in one way."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        with reported(bool(ctx.params.get("debug"))):
            try:
                return super().invoke(ctx)
            except _USAGE as error:
                command = getattr(getattr(error, "ctx", None), "info_name", None) or ""
                old = getattr(error, "option_name", "")
                if old not in _NOW.get(command, {}):
                    raise
                raise OptionError(
                    f"locality {command} has no {old} any more.",
                    remedy=f"Write {_NOW[command][old]}.",
                ) from error


@contextlib.contextmanager
def reported(debug: bool = False) -> Iterator[None]:
    """Turn errors raised within into a message and an exit code.

    Parameters
    ----------
    debug : bool, default False
        Show tracebacks; the environment can ask for them, too.

    Raises
    ------
    typer.Exit
        With the code from the table above.
    """
    debug = debug or os.environ.get(_VARIABLE, "") not in ("", "0")
    try:
        yield
    except LocalityError as error:
        _print("Error", error.message, error.remedy)
        _trace(debug)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        _print("Interrupted", "nothing was left half-written.", "")
        raise typer.Exit(130) from error
    except (typer.Exit, typer.Abort, _USAGE):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise  # the reader of a pipe has seen enough
        reason = (str(error).strip().splitlines() or ["no message"])[0]
        remedy = f"For the traceback: locality --debug …, or {_VARIABLE}=1."
        _print("Unexpected error", f"{type(error).__name__}: {reason}", "" if debug else remedy)
        _trace(debug)
        raise typer.Exit(1) from None  # a StopIteration as its cause would pass all handlers


def _print(title: str, message: str, remedy: str) -> None:
    text = Text.assemble((f"{title}: ", "bold red"), message)
    if remedy:
        text.append(f"\n{remedy}")
    errors().print(text)


def _trace(debug: bool) -> None:
    if debug:
        errors().print_exception(show_locals=False)
