"""Groups of options that a command gets as one object: settings, an execution, or its own.

Those of settings and executions are made of the tables that declare them: a command says which it
takes, and gets them as it would in Python; a new setting is an option of ``fit`` and ``plan`` as
soon as it is declared.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, TypeAlias, get_args, get_origin

import typer

from locality import Execution, NetworkOptions, OptionError
from locality.cli.options import Seed
from locality.model.settings import PARAMETERS, Settings

__all__ = ["EXECUTION", "PARAMETERS", "taking"]

EXECUTION = tuple(part.name for part in fields(Execution))
"""Names of all that is part of an execution."""

_WORDS = {"n_jobs": "workers", "kind": "network"}
_NEGATED = {"gaussianize": ("plain", "Take all columns as they are: no logarithms, …")}

_Command: TypeAlias = Callable[..., None]
_Options: TypeAlias = list[inspect.Parameter]
_Maker: TypeAlias = Callable[[dict[str, Any]], Any]


def taking(
    settings: Sequence[str] = (), execution: Sequence[str] = (), *, n_jobs: int = 2
) -> Callable[[_Command], _Command]:
    """Give a command options in the place of its parameters ``settings`` and ``execution``.

    A parameter whose annotation is a dataclass becomes one option for each of its fields.

    Parameters
    ----------
    settings : sequence of str
        Names of settings. The command gets a dictionary, in which context columns are as typed.
    execution : sequence of str
        Parts of an execution. The command gets an `Execution`.
    n_jobs : int, default 2
        Unless typed.
    """
    named: dict[str, tuple[_Options, _Maker]] = {
        "settings": (_of_settings(settings), _settings),
        "execution": (_of_execution(execution, n_jobs), _execution),
    }

    def mend(command: _Command) -> _Command:
        signature = inspect.signature(command)
        groups: dict[str, tuple[_Options, _Maker]] = {}
        parameters: _Options = []
        for name, parameter in signature.parameters.items():
            if name in named:
                groups[name] = named[name]
            elif is_dataclass(parameter.annotation):
                groups[name] = _own(parameter.annotation)
            parameters += groups[name][0] if name in groups else [parameter]

        @wraps(command)
        def run(**typed: Any) -> None:
            for group, (options, made) in groups.items():
                typed[group] = made({part.name: typed.pop(part.name) for part in options})
            command(**typed)

        keywords = [part.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in parameters]
        run.__signature__ = signature.replace(parameters=keywords)  # type: ignore[attr-defined]
        run.__annotations__ = {part.name: part.annotation for part in keywords}
        return run

    return mend


def _own(group: Any) -> tuple[_Options, _Maker]:
    """Options of a dataclass, whose fields are annotated as parameters of commands are."""
    options = [_made(part.name, part.type, part.default) for part in fields(group)]
    return options, lambda typed: group(**typed)


def _of_settings(names: Sequence[str]) -> _Options:
    parts = {part.name: part for part in fields(Settings)}
    found = []
    for name in names:
        if name == "network":
            found += [_parameter(part, none=True) for part in fields(NetworkOptions)]
        elif name == "random_state":
            found.append(_made("seed", Seed, 0))
        else:
            found.append(_parameter(parts[name]))
    return found


def _settings(typed: dict[str, Any]) -> dict[str, Any]:
    """Parameters of `LocalizedDiffusion`; networks as they are found best unless shaped."""
    found: dict[str, Any] = {}
    shape: dict[str, Any] = {}
    networks = {part.name for part in fields(NetworkOptions)}
    for name, value in typed.items():
        if name in networks:
            shape |= {} if value is None else {name: value}
        elif name == "seed":
            found["random_state"] = value
        else:
            found[name] = not value if name in _NEGATED else value
    return found | ({"network": NetworkOptions(**shape)} if shape else {})


def _of_execution(names: Sequence[str], n_jobs: int) -> _Options:
    found = [_parameter(part) for part in fields(Execution) if part.name in names]
    found = [part.replace(default=n_jobs) if part.name == "n_jobs" else part for part in found]
    if "engine" in names:
        option = typer.Option("--address", metavar="HOST:PORT", help="Of a running Ray cluster.")
        found.append(_made("address", Annotated[str | None, option], None))
    return found


def _execution(typed: dict[str, Any]) -> Execution:
    address = typed.pop("address", None)
    if address is not None and typed["engine"] != "ray":
        raise OptionError("--address is that of a Ray cluster: it needs --engine ray.")
    if address is not None:
        typed["engine"] = f"ray:{address}"
    return Execution(**typed)


def _parameter(part: Any, none: bool = False) -> inspect.Parameter:
    """An option of a field; with ``none`` it is None unless typed."""
    permitted, word = part.metadata["permitted"], part.name.removeprefix("n_")
    word = _WORDS.get(part.name, word)
    word, help = _NEGATED.get(part.name, (word, part.metadata["help"]))
    flag, default = "--" + word.replace("_", "-"), None if none else part.default
    if isinstance(part.default, bool):
        option = typer.Option(flag, metavar="", help=help)
        return _made(part.name, Annotated[bool, option], part.default and part.name not in _NEGATED)
    if part.default == ():
        option = typer.Option(flag, metavar=permitted.form, help=help)
        return _made(part.name, Annotated[list[str] | None, option], None)
    panel = "Networks" if none else None
    told = f"{help[:-1]} ({part.default} by default)." if none else help
    option = typer.Option(
        flag,
        parser=_parser(permitted, part.type),
        metavar=permitted.form,
        help=told,
        rich_help_panel=panel,
    )
    return _made(part.name, Annotated[Any, option], default)


def _made(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _parser(permitted: Any, annotation: Any) -> Callable[[object], Any]:
    """A parser of what is permitted, by the kinds that the declaration names."""
    kinds = get_args(annotation) or (annotation,)
    readers = [_READERS[kind] for kind in map(_kind, kinds) if kind in _READERS] or [str]

    def parse(value: object) -> Any:
        text = str(value)
        for read in readers:
            try:
                found = read(text)
            except ValueError:
                continue
            if permitted(found):
                return found
        raise typer.BadParameter(f"found {text!r}, expected {permitted.expected}.")

    return parse


def _kind(annotation: Any) -> Any:
    return get_origin(annotation) or annotation


def _whole(text: str) -> int:
    if not (text.isascii() and text.strip().lstrip("-").isdigit()):
        raise ValueError(text)
    return int(text)


def _by_name(text: str) -> dict[str, float]:
    """Numbers by name, as typed.

    Raises
    ------
    ValueError
        It is something else.

    Examples
    --------
    >>> _by_name("flow=0.1, level=0.02")
    {'flow': 0.1, 'level': 0.02}
    """
    found = {}
    for part in text.split(","):
        name, sign, number = part.rpartition("=")
        if not (sign and name.strip() and 0 <= float(number) < float("inf")):
            raise ValueError(text)
        found[name.strip()] = float(number)
    return found


_READERS: dict[Any, Callable[[str], Any]] = {
    int: _whole,
    float: float,
    str: str,
    Mapping: _by_name,
}
