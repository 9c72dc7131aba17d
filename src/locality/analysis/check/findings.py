"""Findings: what a check of locality says, as plain data.

Nats are held-out nats of a row in standardized units, summed over components unless stated
otherwise: less is better. Sentences are statements, and put into words of either language only when
shown (`locality.analysis.pages.words`).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from locality.analysis.pages.words import Statement

__all__ = [
    "Answer",
    "BandFinding",
    "ComponentFinding",
    "CostFinding",
    "EdgeFinding",
    "EdgeKind",
    "FactorFinding",
    "GroupFinding",
    "LearningPoint",
    "RadiusFinding",
    "RowsNeeded",
    "Verdict",
]

Answer: TypeAlias = Literal["local", "partly local", "not local"]
EdgeKind: TypeAlias = Literal["linear", "nonlinear", "lagged"]


@dataclass(frozen=True)
class Verdict:
    """The answer and what it rests on.

    Parameters
    ----------
    answer : Answer
    summary : tuple of Statement
        Two sentences for a manager.
    reasons : tuple of Statement
        Why, each with its number.
    independent, local, best_global : float
        Nats of a row: every column alone (for a series, given its own past), local closed form,
        best global alternative.
    local_error : float
        Standard error of the difference local − best_global.
    share_lost : float
        Of what the best model knows about dependence, the share that locality gives up, in [0, 1].
    neighbors : float
        Typical number of neighbors a column needs.
    """

    answer: Answer
    summary: tuple[Statement, ...]
    reasons: tuple[Statement, ...]
    independent: float
    local: float
    best_global: float
    local_error: float
    share_lost: float
    neighbors: float


@dataclass(frozen=True)
class EdgeFinding:
    """Two columns that depend on each other directly.

    Parameters
    ----------
    a, b : str
    weight : float
        Strength in [0, 1]: absolute partial correlation, or its like for nonlinear dependence.
    kind : EdgeKind
    lag : int
        Rows by which a leads b; negative if b leads a; 0 if at once.
    confidence : float
        One minus the false-discovery rate at which this edge would just be kept.
    source : {"data", "given", "both"}
        Found in the data, given by the user without support in the data, or both.
    """

    a: str
    b: str
    weight: float
    kind: EdgeKind
    lag: int
    confidence: float
    source: Literal["data", "given", "both"] = "data"


@dataclass(frozen=True)
class GroupFinding:
    """Columns that belong together; named after the member with most ties to the others."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class RadiusFinding:
    """One radius for all columns and noise levels.

    Parameters
    ----------
    radius : int
    nats, error : float
        Held-out nats of a row, and the standard error of the difference to the best radius.
    localization, statistical : float
        Nats of a row lost by dependence cut off, and by too few rows; they sum to the excess over
        the best that any radius could reach.
    """

    radius: int
    nats: float
    error: float
    localization: float
    statistical: float


@dataclass(frozen=True)
class ComponentFinding:
    """One column.

    Parameters
    ----------
    name, group : str
    answer : Answer
    n_neighbors : float
        Neighbors it effectively uses.
    radius : int
        How far it sees.
    band_radii : tuple of int
        By noise band, from the coarsest to the finest.
    independent, local : float
        Its nats alone (for a series, given its own past) and with its neighborhood.
    beyond : float
        Nats that the strongest tie beyond its neighborhood would still save; 0 if none is sure.
    p_value : float
        That nothing beyond its neighborhood matters, adjusted for the number of columns.
    partner : str
        Column of that strongest tie, empty if none is sure.
    """

    name: str
    group: str
    answer: Answer
    n_neighbors: float
    radius: int
    band_radii: tuple[int, ...]
    independent: float
    local: float
    beyond: float
    p_value: float
    partner: str


@dataclass(frozen=True)
class BandFinding:
    """One noise band, from coarse (what is usual at all) to fine (what fits its neighbors).

    Parameters
    ----------
    band : str
    mean_radius : float
    largest_radius : int
    saved : float
        Nats of a row that neighborhoods save here.
    lost : float
        Nats of a row that the best global alternative would save on top of them.
    answer : Answer
    """

    band: str
    mean_radius: float
    largest_radius: int
    saved: float
    lost: float
    answer: Answer


@dataclass(frozen=True)
class LearningPoint:
    """Held-out nats of a row for a number of rows to learn from.

    Parameters
    ----------
    n_rows : int
    model : {"independent", "local", "global"}
    nats, error : float
    radius : float
        Mean radius chosen (finest to coarsest noise averaged); 0 unless local.
    """

    n_rows: int
    model: Literal["independent", "local", "global"]
    nats: float
    error: float
    radius: float


@dataclass(frozen=True)
class RowsNeeded:
    """Rows needed to reach a share of the dependence that could be learned; None: beyond reach."""

    quality: float
    with_locality: int | None
    without_locality: int | None


@dataclass(frozen=True)
class FactorFinding:
    """A model with a few global factors and nothing else: its held-out nats of a row."""

    n_factors: int
    nats: float


@dataclass(frozen=True)
class CostFinding:
    """What a fit costs on this machine.

    Parameters
    ----------
    stage : str
        "closed form", "networks", "one sample of 1,000 rows", "score of 1,000 rows", …
    workers : int
    seconds : float
    memory_bytes, disk_bytes : int
    actual_seconds : float or None
        Measured, where it was.
    """

    stage: str
    workers: int
    seconds: float
    memory_bytes: int
    disk_bytes: int
    actual_seconds: float | None = None
