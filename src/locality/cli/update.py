"""``locality update``: learn some sensors again, or let some come and go, and keep the rest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from locality import DataError, Execution, OptionError
from locality.cli.choice import Choice
from locality.cli.options import AsJson, ModelArgument, share
from locality.cli.revised import describe, describe_revision
from locality.cli.settings import taking
from locality.cli.tables import given_names, read_model_rows
from locality.cli.terminal import Report, print_json, progress_bar

if TYPE_CHECKING:
    from locality import LocalizedDiffusion
    from locality.data.table import Table
    from locality.inference.updating.outcome import Update

__all__ = ["update"]

_MARGIN = 0.01


_Table: TypeAlias = Annotated[
    Path, typer.Argument(metavar="TABLE", help="New rows in order of time, at least 60.")
]
_Mix: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Older rows to be learned from as well."),
]
_Margin: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="NATS", help="By how much per sensor the new model may seem worse.", min=0.0
    ),
]
_ProcessChange: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="REASON",
        help="The process itself has changed: learn from rows in alarm, too. Say why; it is kept "
        "with the version.",
    ),
]
_Level: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=share,
        metavar="SHARE",
        help="Accepted probability of calling any sensor drifted by mistake.",
    ),
]


@taking(execution=("n_jobs",))
def update(
    model: ModelArgument,
    table: _Table,
    *,
    choice: Choice,
    mix: _Mix = None,
    margin: _Margin = _MARGIN,
    level: _Level = 0.01,
    process_change: _ProcessChange = None,
    execution: Execution,
    as_json: AsJson = False,
) -> None:
    """Learn some sensors again from new rows; all others stay as they are, bit for bit.

    The latest 30 % of the new rows are kept back: unless the sensors that change are no worse on
    them, with a confidence bound, nothing changes. Otherwise the model gets a new version; locality
    rollback goes back to an older one.

    Rows in alarm are left out, or a fault would be normal ever after; what they look like is kept,
    and no later version may take it for normal. --process-change says that the process itself has
    changed.

    With --add and --remove sensors come and go, and only their neighbors are learned again, if
    these are no worse for it.

    [bold]Example:[/bold] locality update plant.locality november.parquet --drifted
    """
    choice.require_one()
    if mix is not None and choice.add is not None:
        raise OptionError(
            "--mix cannot be used with --add.",
            remedy="Put older rows into the table, with empty cells in the new columns.",
        )
    from locality import LocalizedDiffusion

    fitted = LocalizedDiffusion.load(model).set_params(execution=execution)
    if choice.add is not None:
        told = _added(fitted, table, choice.add, choice.edges, margin, process_change)
    elif choice.remove is not None:
        told = _removed(fitted, table, choice.remove, mix, margin, process_change)
    else:
        whom = choice.among(list(fitted.component_names_))
        rows = read_model_rows(table, fitted.model_, complete=False).table
        older = _older(fitted, mix)
        with progress_bar(f"Looking at {table.name}") as progress:
            told = fitted.update(
                rows,
                whom,
                mix=older,
                margin=margin,
                level=level,
                process_change=process_change,
                progress=progress,
            )
    if told.accepted:
        version = fitted.commit(note={"table": table.name})
    else:
        from locality.store.versions import served_version

        version = served_version(model)
    if as_json:
        print_json({"model": str(model), "table": str(table), "version": version} | told.to_dict())
    is_revision = choice.add is not None or choice.remove is not None
    tell = describe_revision if is_revision else describe
    tell(Report(quiet=as_json), told, model, version)
    if told.why:
        raise typer.Exit(2)


def _older(
    fitted: "LocalizedDiffusion", mix: Path | None, remove: tuple[str, ...] = ()
) -> "Table | None":
    """Rows to be learned from as well."""
    if mix is None:
        return None
    return read_model_rows(mix, fitted.model_, complete=False, remove=remove).table


def _added(
    fitted: "LocalizedDiffusion",
    table: Path,
    add: list[str],
    edges: Path | None,
    margin: float,
    process_change: str | None,
) -> "Update":
    """Add sensors."""
    from locality.data.files import read_names
    from locality.data.names import require_known

    columns = read_names(table)
    new = list(dict.fromkeys(given_names(add, columns)))
    if not new:
        raise OptionError("--add names no column.")
    require_known(columns, new, f"{table.name}: --add")
    for name in new:
        if name == fitted.time:
            raise DataError(f"--add names {name!r}, which is the time column.")
        if name in fitted.model_.standardizer.names:
            raise DataError(
                f"--add names {name!r}, which the model has already.",
                remedy="Learn it again with --sensors.",
            )
    rows = read_model_rows(table, fitted.model_, complete=False, add=new).table
    with progress_bar(f"Looking at {table.name}") as progress:
        return fitted.add_sensors(
            rows,
            new,
            graph=edges,
            margin=margin,
            process_change=process_change,
            progress=progress,
        )


def _removed(
    fitted: "LocalizedDiffusion",
    table: Path,
    remove: list[str],
    mix: Path | None,
    margin: float,
    process_change: str | None,
) -> "Update":
    """Remove sensors."""
    from locality.data.names import listing

    known = fitted.model_.standardizer.names
    gone = tuple(dict.fromkeys(given_names(remove, known)))
    if not gone:
        raise OptionError("--remove names no column.")
    unknown = [name for name in gone if name not in known]
    if unknown:
        raise DataError(
            f"--remove names {unknown[0]!r}, which the model does not have.",
            remedy=f"It has {listing([repr(name) for name in known])}.",
        )
    rows = read_model_rows(table, fitted.model_, complete=False, remove=gone).table
    older = _older(fitted, mix, gone)
    with progress_bar(f"Looking at {table.name}") as progress:
        return fitted.remove_sensors(
            rows,
            gone,
            mix=older,
            margin=margin,
            process_change=process_change,
            progress=progress,
        )
