"""``locality info``: what is in a model folder."""

from typing import Annotated

import typer

from locality.cli.options import AsJson, ModelArgument
from locality.cli.report import describe, describe_components
from locality.cli.terminal import Report, print_json

__all__ = ["info"]


def info(
    model: ModelArgument,
    components: Annotated[
        bool, typer.Option("--components", metavar="", help="Also one line per column.")
    ] = False,
    version: Annotated[
        str | None,
        typer.Option(metavar="N|ALIAS", help="Another version than the one that is served."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is in a model: columns, graph, nats, radii, times and versions.

    [bold]Example:[/bold] locality info plant.locality --components
    """
    from locality.model.summary import summarize
    from locality.store.store import load_model
    from locality.store.versions import find_version

    number = None if version is None else find_version(model, version)
    summary = summarize(load_model(model, number))
    if as_json:
        content = summary.to_dict()
        if not components:
            del content["components"]
        print_json({"path": str(model)} | content)
    report = Report(quiet=as_json)
    report.heading(f"Model {model}")
    describe(report, summary)
    if components:
        describe_components(report, summary)
    versions = ", ".join(f"{name} {version}" for name, version in summary.made_with.items())
    report.line(f"\nMade with {versions}.")
