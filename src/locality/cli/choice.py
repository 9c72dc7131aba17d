"""The choice of ``locality update``: which sensors are learned again, come, or go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from locality import DataError, OptionError
from locality.cli.options import whole_number
from locality.cli.tables import given_names

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """Which sensors are learned again, come, or go."""

    sensors: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Learn these again. May be repeated."),
    ] = None
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Learn a group again; see --groups.")
    ] = None
    groups: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who belongs to a group: columns group and member."),
    ] = None
    worst: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="Learn the N again whose surprise has risen most.",
        ),
    ] = None
    drifted: Annotated[
        bool,
        typer.Option(
            "--drifted", metavar="", help="Learn all again that have drifted; the default."
        ),
    ] = False
    everything: Annotated[
        bool, typer.Option("--all", metavar="", help="Learn all sensors again.")
    ] = False
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Columns of TABLE that the model is to have as well."),
    ] = None
    edges: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --add: an edge list with the neighbors of the new sensors."
        ),
    ] = None
    remove: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Columns that are to go.")
    ] = None

    def require_one(self) -> None:
        """Refuse more than one way to choose, and what belongs to another."""
        ways = {"--sensors": self.sensors, "--group": self.group, "--worst": self.worst}
        ways |= {"--drifted": self.drifted, "--all": self.everything}
        ways |= {"--add": self.add, "--remove": self.remove}
        if sum(value not in (None, False) for value in ways.values()) > 1:
            raise OptionError(f"Choose one of {', '.join([*ways][:-1])} and --remove.")
        if self.edges is not None and self.add is None:
            raise OptionError("--edges belongs to --add.")
        if (self.group is None) != (self.groups is None):
            raise OptionError("--group and --groups belong together.")

    def among(self, known: list[str]) -> str | int | list[str]:
        """Whom to learn again, as ``LocalizedDiffusion.update`` takes it."""
        if self.sensors is not None:
            return given_names(self.sensors, known)
        if self.group is not None and self.groups is not None:
            return _members(self.groups, self.group, known)
        if self.everything:
            return "all"
        return "drifted" if self.worst is None else self.worst


def _members(groups: Path, group: str, names: list[str]) -> list[str]:
    """Sensors of a group."""
    from locality.data.files import read_frame

    frame = read_frame(groups)
    if not {"group", "member"} <= set(frame.columns):
        raise DataError(f"{groups.name} has no columns group and member.")
    known = sorted({str(name) for name in frame["group"]})
    if group not in known:
        raise DataError(
            f"{groups.name} has no group {group!r}.", remedy=f"Its groups are {', '.join(known)}."
        )
    members = [str(m) for m in frame["member"][frame["group"].astype(str) == group]]
    found = [name for name in names if name in members]
    if not found:
        raise DataError(f"No sensor of the model is a member of {group!r} in {groups.name}.")
    return found
