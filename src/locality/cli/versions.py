"""``locality versions``, ``diff``, ``rollback``, ``alias`` and ``gc``: the history of a model."""

import json
import math
from typing import Annotated, Any

import typer

from locality import OptionError
from locality.cli.options import AsJson, ModelArgument, whole_number
from locality.cli.terminal import Report, counted, print_json

__all__ = ["alias", "diff", "gc", "rollback", "versions"]

_MOST = 20


def versions(model: ModelArgument, as_json: AsJson = False) -> None:
    """List the versions of a model, what was done, and which one is served.

    [bold]Example:[/bold] locality versions plant.locality
    """
    from locality.store.versions import list_versions

    found = list_versions(model)
    if as_json:
        print_json({"model": str(model), "versions": [version.to_dict() for version in found]})
    report = Report(quiet=as_json)
    report.table(
        ("version", "made", "from", "what", "new files", "KB", ""),
        [
            (
                str(v.number),
                v.created,
                "" if v.parent is None else str(v.parent),
                _change(v.change),
                f"{v.n_new} of {v.n_blobs}",
                f"{v.new_bytes / 1000:,.0f}",
                ", ".join(v.aliases) + (" (served)" if v.served else ""),
            )
            for v in found
        ],
    )
    for v in found:
        why = v.change.get("process_change")
        if why:
            report.line(f"Version {v.number}: the process had changed, {why}.")


def diff(
    model: ModelArgument,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Version, by number or alias.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The other version.")],
    as_json: AsJson = False,
) -> None:
    """Compare two versions: which shards differ, and the nats of their sensors before and after.

    [bold]Example:[/bold] locality diff plant.locality 1 champion
    """
    from locality.store.difference import diff_versions

    found = diff_versions(model, old, new)
    if as_json:
        content = found.to_dict()
        content["components"] = [
            [name, *(None if math.isnan(value) else value for value in values)]
            for name, *values in found.components
        ]
        print_json({"model": str(model)} | content)
    report = Report(quiet=as_json)
    report.line(
        f"Versions {found.old} and {found.new} share {counted(found.n_same, 'shard')}; "
        f"{found.n_removed} of the former and {found.n_added} of the latter differ."
    )
    if found.components:
        rows = sorted(found.components, key=lambda part: -abs(_gap(part)))
        report.heading("Held-out nats of sensors in shards that differ (standardized units)")
        report.table(
            ("sensor", str(found.old), str(found.new), "change"),
            [
                (name, _number(a), _number(b), "" if math.isnan(b - a) else f"{b - a:+.3f}")
                for name, a, b in rows[:_MOST]
            ],
        )
        if len(rows) > _MOST:
            report.line(f"… and {len(rows) - _MOST} more; all with --json.")
    for names, number in ((found.columns_removed, old), (found.columns_added, new)):
        if names:
            report.line(f"Only version {number} has {', '.join(names)}.")
    for key, (a, b) in found.settings.items():
        report.line(f"Setting {key}: {json.dumps(a)} before, {json.dumps(b)} after.")


def rollback(
    model: ModelArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Number or alias.")],
    as_json: AsJson = False,
) -> None:
    """Serve another version from now on; nothing is deleted.

    [bold]Example:[/bold] locality rollback plant.locality 1
    """
    from locality.store import versions as store

    number = store.rollback(model, version)
    if as_json:
        print_json({"model": str(model), "version": number})
    Report(quiet=as_json).line(f"{model} now serves version {number}.")


def alias(
    model: ModelArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as challenger, or autumn.")],
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="Number or alias.", show_default=False)
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", metavar="", help="Give the name up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a version a name.

    [bold]Example:[/bold] locality alias plant.locality autumn 3
    """
    from locality.store.versions import set_alias

    if remove == (version is not None):
        raise OptionError("Name a version, or pass --remove.")
    set_alias(model, name, version)
    if as_json:
        print_json({"model": str(model), "alias": name, "version": version})
    told = "is no name any more" if remove else f"names version {version}"
    Report(quiet=as_json).line(f"In {model} {name} {told}.")


def gc(
    model: ModelArgument,
    keep: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="Give up the oldest versions beyond N; served and named ones stay.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only tell what would be deleted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete files that no version needs.

    [bold]Example:[/bold] locality gc plant.locality --keep 5 --dry-run
    """
    from locality.store.garbage import collect_garbage

    found = collect_garbage(model, keep=keep, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "model": str(model),
                "files": list(found.files),
                "bytes": found.n_bytes,
                "versions": list(found.versions),
                "dry_run": dry_run,
            }
        )
    verb = "would be deleted" if dry_run else "deleted"
    report = Report(quiet=as_json)
    report.line(f"{counted(len(found.files), 'file')}, {found.n_bytes / 1000:,.0f} KB, {verb}.")
    if found.versions:
        report.line(f"Versions given up: {', '.join(map(str, found.versions))}.")


def _change(change: dict[str, Any]) -> str:
    kind = str(change.get("kind", ""))
    sensors = change.get("added") or change.get("removed") or change.get("sensors") or []
    if not sensors:
        return kind
    more = f", … ({len(sensors)})" if len(sensors) > 3 else ""
    return f"{kind}: {', '.join(map(str, sensors[:3]))}{more}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _gap(part: tuple[str, float, float]) -> float:
    gap = part[2] - part[1]
    return 0.0 if math.isnan(gap) else gap
