"""``locality update``: learn some sensors again, or let some come and go, and keep the rest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from locality.cli.options import AsJson, ModelArgument, share, whole_number
from locality.cli.tables import given_names, read_fitted_rows
from locality.cli.terminal import Report, counted, print_json, progress_bar
from locality.exceptions import DataError, OptionError

if TYPE_CHECKING:
    from locality.estimator import LocalizedDiffusion
    from locality.inference.updating.update import Update

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
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Columns of TABLE that the model is to have as well."),
    ] = None,
    edges: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --add: an edge list with the neighbors of the new sensors."
        ),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Columns that are to go.")
    ] = None,
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

    With --add and --remove sensors come and go, and only their neighbors are learned again, if
    these are no worse for it.

    [bold]Example:[/bold] locality update plant.locality november.parquet --drifted
    """
    from locality.estimator import LocalizedDiffusion
    from locality.store.versions import served_digest

    asked = [sensors is not None, group is not None, worst is not None, drifted, everything]
    asked += [add is not None, remove is not None]
    if sum(asked) > 1:
        raise OptionError(
            "Choose one of --sensors, --group, --worst, --drifted, --all, --add and --remove."
        )
    if edges is not None and add is None:
        raise OptionError("--edges belongs to --add.")
    if mix is not None and add is not None:
        raise OptionError(
            "--mix cannot be used with --add.",
            remedy="Put older rows into the table, with empty cells in the new columns.",
        )
    if (group is None) != (groups is None):
        raise OptionError("--group and --groups belong together.")
    parent = served_digest(model)
    fitted = LocalizedDiffusion.load(model)
    if add is not None or remove is not None:
        told = _revised(fitted, table, add, edges, remove, mix, margin)
        kind = "add" if add is not None else "remove"
        _finish(fitted, told, model, table, parent, kind, as_json)
        return
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
    _finish(fitted, told, model, table, parent, "update", as_json)


def _revised(
    fitted: "LocalizedDiffusion",
    table: Path,
    add: list[str] | None,
    edges: Path | None,
    remove: list[str] | None,
    mix: Path | None,
    margin: float,
) -> "Update":
    """Add sensors, or remove some."""
    from locality.data.files import read_names
    from locality.data.names import listing, require_known

    known = list(fitted.model_.standardizer.names)
    if add is not None:
        columns = read_names(table)
        new = list(dict.fromkeys(given_names(add, columns)))
        if not new:
            raise OptionError("--add names no column.")
        require_known(columns, new, f"{table.name}: --add")
        for name in new:
            if name == fitted.time:
                raise DataError(f"--add names {name!r}, which is the time column.")
            if name in known:
                raise DataError(
                    f"--add names {name!r}, which the model has already.",
                    remedy="Learn it again with --sensors.",
                )
        rows = read_fitted_rows(table, fitted, complete=False, add=new)
        with progress_bar(f"Looking at {table.name}") as progress:
            return fitted.add_sensors(
                rows.frame, new, graph=edges, margin=margin, progress=progress
            )
    gone = list(dict.fromkeys(given_names(remove or [], known)))
    if not gone:
        raise OptionError("--remove names no column.")
    unknown = [name for name in gone if name not in known]
    if unknown:
        raise DataError(
            f"--remove names {unknown[0]!r}, which the model does not have.",
            remedy=f"It has {listing([repr(name) for name in known])}.",
        )
    rows = read_fitted_rows(table, fitted, complete=False, remove=gone)
    older = None
    if mix is not None:
        older = read_fitted_rows(mix, fitted, complete=False, remove=gone).frame
    with progress_bar(f"Looking at {table.name}") as progress:
        return fitted.remove_sensors(rows.frame, gone, mix=older, margin=margin, progress=progress)


def _finish(
    fitted: "LocalizedDiffusion",
    told: "Update",
    model: Path,
    table: Path,
    parent: str,
    kind: str,
    as_json: bool,
) -> None:
    """Make a new version of what was accepted, and say what was done."""
    from locality.store.versions import commit_version, served_version

    version = 0
    if told.accepted:
        change = {"kind": kind, "table": table.name} | told.to_dict()
        version = commit_version(fitted.model_, model, change=change, parent=parent)
    version = version or served_version(model)
    if as_json:
        print_json({"model": str(model), "table": str(table), "version": version} | told.to_dict())
    report = Report(quiet=as_json)
    if kind == "update":
        _describe(report, told, model, version)
    else:
        _describe_revision(report, told, model, version)


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


def _describe_revision(report: Report, told: "Update", model: Path, version: int) -> None:
    came = [f"{name} added" for name in told.added]
    went = [f"{name} removed" for name in told.removed]
    report.heading(", ".join([*came, *went]))
    if told.sensors:
        names = ", ".join(told.sensors[:10]) + (", …" if len(told.sensors) > 10 else "")
        report.line(f"{counted(len(told.sensors), 'sensor')} learned again: {names}.")
    elif told.n_held_out:
        stay = "It stands alone" if told.added else "The neighbors stay, without it"
        if len(told.added) + len(told.removed) > 1:
            stay = "They stand alone" if told.added else "The neighbors stay, without them"
        report.line(f"{stay}: what was learned from these rows did not hold in the latest ones.")
    else:
        report.line("No sensor had to be learned again.")
    if told.n_held_out:
        new_ones = bool(told.added) and not set(told.sensors) - set(told.added)
        whom = "the new sensors" if new_ones else "the neighbors"
        before = "without them" if told.added else "without learning again"
        report.line(
            f"{told.n_rows:,} rows were learned from, {told.n_held_out:,} later ones kept back. On "
            f"those {whom} cost {told.champion:.3f} nats each {before} and "
            f"{told.challenger:.3f} with it: {told.change:+.3f}, at most {told.bound:+.3f} (95 %)."
        )
    report.line(
        f"{model} now serves version {version}: {told.n_shards_new} of {told.n_shards} shards "
        "are learned anew."
    )
