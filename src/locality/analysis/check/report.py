"""The report of a check: everything it found, as one object.

It is plain data; what it can do is to be kept and shown: as a dictionary, as JSON, as a networkx
graph, as one page (`locality.analysis.pages`), and as a folder of all of them.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from locality.analysis.check.findings import (
    BandFinding,
    ComponentFinding,
    CostFinding,
    EdgeFinding,
    FactorFinding,
    GroupFinding,
    LearningPoint,
    RadiusFinding,
    RowsNeeded,
    Verdict,
)
from locality.analysis.check.record import FOLDER, KIND, PAGE, tables
from locality.analysis.pages.output import Shown, write_json
from locality.analysis.pages.plain import from_plain, to_plain
from locality.analysis.pages.words import Language, Statement
from locality.data.files import write_frame
from locality.exceptions import DataError

__all__ = ["LocalityReport"]


@dataclass(frozen=True)
class LocalityReport(Shown):
    """What ``check`` found.

    Parameters
    ----------
    title : str
        Name of the table.
    n_rows, n_columns : int
    lags : int
        Rows of the past that were taken into account.
    level : float
        Stated share of false edges, and error level of the tests.
    verdict : Verdict
    edges : tuple of EdgeFinding
    groups : tuple of GroupFinding
    radii : tuple of RadiusFinding
        The curve over one radius for all.
    radius : int
        The one at its minimum.
    components : tuple of ComponentFinding
    bands : tuple of BandFinding
    learning : tuple of LearningPoint
    rows_needed : tuple of RowsNeeded
    factors : tuple of FactorFinding
    costs : tuple of CostFinding
    next_steps, notes : tuples of Statement
        What to do next; what was left out or looks odd (constant columns, missing values, cycles).
    """

    title: str
    n_rows: int
    n_columns: int
    lags: int
    level: float
    verdict: Verdict
    edges: tuple[EdgeFinding, ...]
    groups: tuple[GroupFinding, ...]
    radii: tuple[RadiusFinding, ...]
    radius: int
    components: tuple[ComponentFinding, ...]
    bands: tuple[BandFinding, ...]
    learning: tuple[LearningPoint, ...]
    rows_needed: tuple[RowsNeeded, ...]
    factors: tuple[FactorFinding, ...]
    costs: tuple[CostFinding, ...]
    next_steps: tuple[Statement, ...]
    notes: tuple[Statement, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns that the report knows, those in no group or edge included."""
        names = [component.name for component in self.components]
        names += [member for group in self.groups for member in group.members]
        names += [end for edge in self.edges for end in (edge.a, edge.b)]
        return tuple(dict.fromkeys(names))

    @property
    def graph(self) -> "nx.Graph[str]":
        """The dependences as a networkx graph.

        Its nodes are all columns, each with its ``group``; its edges carry ``weight``, ``kind``,
        ``lag``, ``confidence``, ``source`` and ``leader``, the end that leads if the lag is not 0.
        Of several dependences between the same two columns it has the strongest.
        """
        graph: nx.Graph[str] = nx.Graph(name=self.title)
        graph.add_nodes_from(self.columns, group="")
        for group in self.groups:
            graph.add_nodes_from(group.members, group=group.name)
        for edge in self.edges:
            known = graph.get_edge_data(edge.a, edge.b)
            if known is not None and known["weight"] >= edge.weight:
                continue
            graph.add_edge(
                edge.a,
                edge.b,
                weight=edge.weight,
                kind=edge.kind,
                lag=abs(edge.lag),
                confidence=edge.confidence,
                source=edge.source,
                leader="" if edge.lag == 0 else edge.a if edge.lag > 0 else edge.b,
            )
        return graph

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries and lists; numbers that are not finite are None."""
        return {"kind": KIND, **to_plain(self)}

    def content(self) -> dict[str, Any]:
        """All parts as dictionaries, and the names of all columns."""
        return {**asdict(self), "columns": self.columns}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "LocalityReport":
        """The report that `to_dict` was called on.

        Raises
        ------
        DataError
            It is no report, or a part is missing or of another type.
        """
        if not isinstance(plain, dict) or plain.get("kind") != KIND:
            raise DataError("These data are not a locality report.", remedy="Pass a report.json.")
        try:
            report: LocalityReport = from_plain(cls, plain)
        except DataError as error:
            raise DataError(f"The report is damaged: {error.message}") from error
        return report

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to a JSON file, completely or not at all; an old file is replaced.

        Raises
        ------
        DataError
            The folder is missing or cannot be written to.
        """
        return write_json(path, self.to_dict())

    def _page(self, language: Language) -> bytes:
        from locality.analysis.pages.check_page import render

        return render(self.content(), language)

    def save(
        self,
        folder: str | os.PathLike[str],
        overwrite: bool = False,
        *,
        language: Language = "en",
    ) -> Path:
        """Write the page, its numbers and the graph to a folder, completely or not at all.

        The folder holds ``report.html``, ``report.json``, ``graph.csv`` (from, to, weight, kind,
        lag, confidence, source; an edge list for ``fit``) and one CSV file per picture or table of
        the page.

        Parameters
        ----------
        folder : path
            To be created; its parent must exist.
        overwrite : bool, default False
            Replace a report that is already there. Anything else is never replaced.
        language : {"en", "ja"}
            Of the page, at first.

        Raises
        ------
        OutputExists
            Something is there that may not be replaced.
        DataError
            The folder cannot be written. Nothing is left behind.
        OptionError, LocalityError
            As in `to_html`.
        """
        folder = Path(folder)
        with FOLDER.building(folder, overwrite) as partial:
            self.to_html(partial / PAGE, language)
            self.to_json(partial / FOLDER.record)
            for name, table in tables(vars(self)).items():
                write_frame(table, partial / name)
        return folder
