"""``locality check``: does locality hold in a table? A verdict, a report and a graph."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from locality import Execution, OptionError
from locality.cli.options import (
    AsJson,
    Language,
    Overwrite,
    Selection,
    auto_or_number,
    share,
    whole_number,
)
from locality.cli.outputs import require_free_report
from locality.cli.settings import taking
from locality.cli.tables import read_fitting_rows
from locality.cli.terminal import Report, print_json, progress_bar

if TYPE_CHECKING:
    from locality.analysis.check.findings import EdgeFinding
    from locality.analysis.check.report import LocalityReport

__all__ = ["check"]

_GROUPS = 8  # shown
_EDGES = 8


_Table: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help="Columns of numbers or states, gaps allowed; one row per case."
    ),
]
_Output: TypeAlias = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FOLDER", help="Folder to be created."),
]
_Lags: TypeAlias = Annotated[
    Any,
    typer.Option(
        parser=auto_or_number("rows"),
        metavar="auto|L",
        help="Rows of the past that each row depends on; 0: no order.",
    ),
]
_Level: TypeAlias = Annotated[
    float,
    typer.Option(parser=share, metavar="P", help="Accepted share of false edges."),
]
_Cycle: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="1d,7d", help="Cycles of the clock to take out first; needs --time."),
]
_Language: TypeAlias = Annotated[
    Language, typer.Option(help="Of the page, at first; it can switch.")
]


@dataclass(frozen=True)
class _Known:
    """A graph that is known before."""

    graph: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|chain|ring",
            help="What you know: pairs (from, to, weight or distance) or groups (group, member). "
            "It is compared with the data, and judged.",
        ),
    ] = None
    nearest: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1),
            metavar="K",
            help="Of a file with distances: pairs where either is among the other's K nearest.",
        ),
    ] = None
    merge: Annotated[
        bool,
        typer.Option("--merge", metavar="", help="Judge your graph and what the data show as one."),
    ] = False


@taking(("context", "time"), ("n_jobs",))
def check(
    table: _Table,
    output: _Output,
    *,
    known: _Known,
    lags: _Lags = "auto",
    level: _Level = 0.05,
    selection: Selection,
    settings: dict[str, Any],
    cycle: _Cycle = None,
    language: _Language = Language.en,
    execution: Execution,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Ask whether locality holds before you trust a local model.

    Finds who depends on whom (in straight lines, in curves, or late), fits local and global models
    to parts of the rows, tests what lies beyond the neighborhoods, and says: local, partly local or
    not local. The folder has report.html, graph.csv for locality fit --graph, and every figure as
    CSV and JSON.

    [bold]Example:[/bold] locality check plant.parquet -o report/
    """
    require_free_report(output, overwrite)
    _require_graph(known.graph)

    rows, settings["context"] = read_fitting_rows(table, selection, complete=False, **settings)
    from locality import check as run

    with progress_bar(f"Reading {table.name}") as progress:
        report = run(
            rows,
            graph=known.graph,
            merge=known.merge,
            k_nearest=known.nearest,
            lags=lags,
            level=level,
            cycles=[part for text in cycle or () for part in text.replace(" ", "").split(",")],
            title=table.name,
            n_jobs=execution.n_jobs,
            progress=progress,
            **settings,
        )
        report.save(output, overwrite=overwrite, language=language.value)
    if as_json:
        print_json({"table": str(table), "path": str(output)} | report.to_dict())
        return
    _tell(Report(), report, output)


def _require_graph(graph: str | None) -> None:
    if graph is not None and graph not in ("chain", "ring") and not Path(graph).is_file():
        raise OptionError(
            f"--graph is {graph!r}: neither chain nor ring nor a file.",
            remedy="A file lists pairs in columns from and to, or groups in columns group, member.",
        )


def _tell(page: Report, report: "LocalityReport", output: Path) -> None:
    """The report in sentences and short tables."""
    from locality.analysis.pages.words import say

    verdict = report.verdict
    page.heading(f"Locality of {report.title}: {verdict.answer}")
    for statement in (*verdict.summary, *verdict.reasons):
        page.line(f"· {say(statement)}")
    if report.edges:
        page.heading("Strongest dependences")
        page.table(
            ["column", "other column", "kind", "in time", "strength"],
            [
                [edge.a, edge.b, edge.kind, _lag(edge), f"{edge.weight:.2f}"]
                for edge in report.edges[:_EDGES]
            ],
            words=4,
        )
        page.line(f"{len(report.edges):,} in all, in {output / 'graph.csv'}.")
    groups = [group for group in report.groups if len(group.members) > 1]
    if groups:
        page.heading("Groups")
        page.table(
            ["group", "members", "columns"],
            [
                [group.name, ", ".join(group.members[:6]) + ", …" * (len(group.members) > 6),
                 str(len(group.members))]
                for group in groups[:_GROUPS]
            ],
            words=2,
        )  # fmt: skip
    if report.rows_needed:
        page.heading("Rows needed for a share of what can be learned")
        page.table(
            ["share", "with locality", "without"],
            [
                [f"{need.quality:.0%}", _rows(need.with_locality), _rows(need.without_locality)]
                for need in report.rows_needed
            ],
        )
    if report.notes:
        page.heading("Notes")
        for statement in report.notes:
            page.line(f"· {say(statement)}")
    page.heading("Next")
    for number, statement in enumerate(report.next_steps, 1):
        page.line(f"{number}. {say(statement)}")
    page.line(f"\nThe report is in {output / 'report.html'}.")


def _lag(edge: "EdgeFinding") -> str:
    """Who leads."""
    if not edge.lag:
        return "at once"
    leader = edge.a if edge.lag > 0 else edge.b
    return f"{leader} leads by {abs(edge.lag)}"


def _rows(count: int | None) -> str:
    return "beyond reach" if count is None else f"{count:,}"
