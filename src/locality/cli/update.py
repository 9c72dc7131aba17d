"""``locality update``: learn some sensors again from new rows, and keep the rest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from locality.cli.options import AsJson, ModelArgument, share, whole_number
from locality.cli.tables import given_names, read_fitted_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar
from locality.exceptions import DataError, OptionError

if TYPE_CHECKING:
    from locality.estimator.update import Update

__all__ = ["update"]

_MARGIN = 0.01


def update(
    model: ModelArgument,
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="New rows in order of time, at least 60.")
    ],
    sensors: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Learn these again. May be repeated.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Learn a group again; see --groups.")
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who belongs to a group: columns group and member."),
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="Learn the N again whose surprise has risen most.",
        ),
    ] = None,
    drifted: Annotated[
        bool,
        typer.Option(
            "--drifted", metavar="", help="Learn all again that have drifted; the default."
        ),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", metavar="", help="Learn all sensors again.")
    ] = False,
    mix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Older rows to be learned from as well."),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            metavar="NATS", help="By how much per sensor the new model may seem worse.", min=0.0
        ),
    ] = _MARGIN,
    level: Annotated[
        float,
        typer.Option(
            parser=share,
            metavar="SHARE",
            help="Accepted probability of calling any sensor drifted by mistake.",
        ),
    ] = 0.01,
    as_json: AsJson = False,
) -> None:
    """Learn some sensors again from new rows; all others stay as they are, bit for bit.

    The latest 30 % of the new rows are kept back: unless the sensors that change are no worse on
    them, with a confidence bound, nothing changes. Otherwise the model gets a new version; locality
    rollback goes back to an older one.

    [bold]Example:[/bold] locality update plant.locality november.parquet --drifted
    """
    from locality.artifact.versions import commit_version, served_version
    from locality.estimator import LocalizedDiffusion

    asked = [sensors is not None, group is not None, worst is not None, drifted, everything]
    if sum(asked) > 1:
        raise OptionError("Choose one of --sensors, --group, --worst, --drifted and --all.")
    if (group is None) != (groups is None):
        raise OptionError("--group and --groups belong together.")
    parent = served_version(model)
    fitted = LocalizedDiffusion.load(model)
    rows = read_fitted_rows(table, fitted, complete=False)
    older = None if mix is None else read_fitted_rows(mix, fitted, complete=False).rows
    chosen: str | int | list[str] = "drifted"
    if sensors is not None:
        chosen = given_names(sensors, list(fitted.component_names_))
    elif group is not None and groups is not None:
        chosen = _members(groups, group, list(fitted.component_names_))
    elif worst is not None:
        chosen = worst
    elif everything:
        chosen = "all"
    with progress_bar(f"Looking at {table.name}") as progress:
        told = fitted.update(
            rows.rows, chosen, mix=older, margin=margin, level=level, progress=progress
        )
    version = parent
    if told.accepted:
        change = {"kind": "update", "table": table.name} | told.to_dict()
        version = commit_version(fitted.model_, model, change=change, parent=parent)
    if as_json:
        print_json({"model": str(model), "table": str(table), "version": version} | told.to_dict())
    _describe(Report(quiet=as_json), told, model, version)


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


def _describe(report: Report, told: "Update", model: Path, version: int) -> None:
    if not told.sensors:
        report.line("No sensor has drifted; nothing was changed.")
        return
    names = ", ".join(told.sensors[:10]) + (", …" if len(told.sensors) > 10 else "")
    report.heading(f"{counted(len(told.sensors), 'sensor')} learned again: {names}")
    report.line(
        f"{told.n_rows:,} rows were learned from, {told.n_held_out:,} later ones kept back. On "
        f"those the sensors that change cost {told.champion:.3f} nats each before and "
        f"{told.challenger:.3f} after: {told.change:+.3f}, at most {told.bound:+.3f} (95 %)."
    )
    if told.rescaled:
        report.line(f"Mean or spread has moved: {', '.join(told.rescaled[:10])}.")
    if told.affected:
        report.line(
            f"{counted(len(told.affected), 'sensor')} that look at them were judged with them, and "
            f"may be learned again too: {', '.join(told.affected[:10])}."
        )
    if told.accepted:
        report.line(
            f"{model} now serves version {version}: {told.n_shards_new} of {told.n_shards} shards "
            "are new."
        )
        return
    report.line(
        f"Refused: by the bound the sensors may be worse by more than {told.margin:g} nats each. "
        "Nothing was changed. More rows make the bound tighter; --margin states what is accepted."
    )
