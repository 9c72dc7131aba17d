"""A proof of concept: the group that was chosen, its model, and what both were judged by."""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from locality.analysis.pages.output import OutputFolder, write_json
from locality.analysis.pages.plain import to_plain
from locality.analysis.pages.words import Statement
from locality.analysis.quality.fidelity import Fidelity
from locality.data.files import write_frame
from locality.domain import DependencyGraph
from locality.estimator import LocalizedDiffusion

__all__ = ["FIGURES", "FOLDER", "GroupTrial", "ProofOfConcept"]

FIGURES: Final = {
    "margins": "margins",
    "pairs on edges": "edges",
    "other pairs": "others",
    "classifier": "auc",
}
"""What is compared, and the part of `Fidelity` that says it."""

_APART: Final = 0.75  # area under the curve from which rows kept back are of another time
_KIND: Final = "locality-proof-of-concept"
_MODEL: Final = "model.locality"
_PICTURE: Final = "poc.png"
_TABLES: Final = ("synthetic.parquet", "columns.csv", "groups.csv", "graph.csv")

FOLDER: Final = OutputFolder(
    "a proof of concept", "poc.json", frozenset({_MODEL, _PICTURE, *_TABLES})
)


@dataclass(frozen=True)
class GroupTrial:
    """A group modeled alone.

    Parameters
    ----------
    n_columns : int
    radius : int
        The smallest with which the target is met; the best if it is not.
    quality : float
        With that radius.
    """

    n_columns: int
    radius: int
    quality: float


@dataclass(frozen=True, eq=False)
class ProofOfConcept:
    """What was found.

    Parameters
    ----------
    met : bool
        Whether nats, margins, pairs and classifier reach the target.
    target : float
    columns : tuple of str
        The group, in the order in which it grew.
    radius : int
    quality : float
    denoiser : {"linear", "neural"}
        Of the model.
    shares : dict of float
        Margins, pairs on edges, other pairs, classifier: drawn rows as a share of training rows.
    drawn, training : Fidelity
    trials : tuple of GroupTrial
    lags : int
    graph : DependencyGraph
        Of the group.
    model : LocalizedDiffusion
        Of the group, learned from the first four fifths of the rows.
    synthetic, kept_back : pandas.DataFrame
        Rows drawn, and the last fifth of the rows recorded.
    """

    met: bool
    target: float
    columns: tuple[str, ...]
    radius: int
    quality: float
    denoiser: str
    shares: dict[str, float]
    drawn: Fidelity
    training: Fidelity
    trials: tuple[GroupTrial, ...]
    lags: int
    graph: DependencyGraph
    model: LocalizedDiffusion
    synthetic: Any
    kept_back: Any

    @property
    def short(self) -> tuple[str, ...]:
        """What falls short of the target."""
        found = [name for name, share in self.shares.items() if share < self.target]
        return ("nats", *found) if self.quality < self.target else tuple(found)

    def figures(self) -> list[tuple[str, float, float, float]]:
        """What was compared: name, drawn rows, training rows, share of the one in the other."""
        return [
            (name, getattr(self.drawn, FIGURES[name]), getattr(self.training, FIGURES[name]), share)
            for name, share in self.shares.items()
        ]

    def next_steps(self, folder: str) -> tuple[Statement, ...]:
        """What to do with it."""
        drift: tuple[Statement, ...] = ()
        if self.training.auc > _APART:
            drift = (Statement("poc_drift", {"auc": self.training.auc}),)
        if self.met:
            return (
                *drift,
                Statement("poc_try", {"model": f"{folder}/{_MODEL}"}),
                Statement("poc_grow", {"lags": self.lags}),
            )
        steps = []
        if "nats" in self.short:
            steps.append(Statement("poc_alone"))
        if set(self.short) - {"nats"}:
            steps.append(Statement("poc_rows", {"names": ", ".join(self.short)}))
        return (*steps, *drift, Statement("poc_other"))

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain dictionaries and lists."""
        names = ("met", "target", "columns", "radius", "quality", "denoiser", "shares", "lags")
        plain = {name: getattr(self, name) for name in names}
        parts = {"drawn": self.drawn, "training": self.training, "trials": self.trials}
        return {"kind": _KIND, **to_plain(plain | parts)}

    def save(
        self,
        folder: str | PathLike[str],
        *,
        overwrite: bool = False,
        draw: Callable[[Path, "ProofOfConcept"], None] | None = None,
    ) -> Path:
        """Write model, rows and figures to a folder, completely or not at all.

        Parameters
        ----------
        folder : path
        overwrite : bool, default False
            Replace a proof of concept that is already there. Anything else is never replaced.
        draw : callable, optional
            Called with the path of a picture to be drawn and this.

        Raises
        ------
        OutputExists
            Something is there that may not be replaced.
        DataError
            The folder cannot be written. Nothing is left behind.
        """
        folder = Path(folder)
        with FOLDER.building(folder, overwrite) as partial:
            self.model.save(partial / _MODEL)
            write_frame(self.synthetic, partial / "synthetic.parquet")
            write_frame(pd.DataFrame({"column": self.columns}), partial / "columns.csv")
            write_frame(pd.DataFrame(map(vars, self.trials)), partial / "groups.csv")
            i, j, weight = self.graph.edges()
            names = np.array(self.columns, dtype=object)
            edges = {"from": names[i], "to": names[j], "weight": weight}
            write_frame(pd.DataFrame(edges), partial / "graph.csv")
            write_json(partial / FOLDER.record, self.to_dict())
            if draw is not None:
                draw(partial / _PICTURE, self)
        return folder
