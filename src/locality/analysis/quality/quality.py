"""Quality of drawn rows: what an evaluation found, as one object that can be kept and shown.

Every figure is given for drawn rows and for earlier real rows, both against later real rows: no
model can be asked for more than real rows of another time reach.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from locality.analysis.pages.output import Shown
from locality.analysis.pages.plain import to_plain
from locality.analysis.pages.words import Language, Statement
from locality.analysis.quality.fidelity import Fidelity

__all__ = ["LEVELS", "ColumnQuality", "Grade", "MemoryQuality", "PairQuality", "Quality"]

Grade: TypeAlias = Literal["as real", "close", "told apart"]
"""How well drawn rows stand for real ones."""

LEVELS: Final = (0.001, 0.01, *(round(0.05 * k, 2) for k in range(1, 20)), 0.99, 0.999)
"""Levels of the quantiles that are compared."""

_CLOSE = 0.1  # area under the curve, beyond that of earlier rows, that is still close
_TAILS = 0.02  # share of values beyond the levels of 1 % and 99 %
_USELESS = 0.5  # of R², lost against real rows
_HEART = 0.6  # share of draws nearer to training rows, beyond which something is told by heart
_RARE, _OFTEN = 0.5, 2.0  # ratios of values in the tails that are plainly wrong


@dataclass(frozen=True)
class ColumnQuality:
    """One column.

    Parameters
    ----------
    name : str
    distance : float
        Mean absolute difference of quantiles, in standard deviations of later rows.
    real_distance : float
        The same of earlier rows.
    beyond : float
        Share of drawn values beyond the 1 % and 99 % quantiles of later ones.
    drawn, earlier, later : tuple of float
        Quantiles at `LEVELS`.
    """

    name: str
    distance: float
    real_distance: float
    beyond: float
    drawn: tuple[float, ...]
    earlier: tuple[float, ...]
    later: tuple[float, ...]


@dataclass(frozen=True)
class PairQuality:
    """Rank correlations of two columns.

    Parameters
    ----------
    a, b : str
    joined : bool
        Whether there is an edge between them.
    drawn, earlier, later : float
    """

    a: str
    b: str
    joined: bool
    drawn: float
    earlier: float
    later: float


@dataclass(frozen=True)
class MemoryQuality:
    """Autocorrelation at one lag, mean over the columns.

    Parameters
    ----------
    lag : int
        In rows.
    drawn, earlier, later : float
    """

    lag: int
    drawn: float
    earlier: float
    later: float


@dataclass(frozen=True)
class Quality(Shown):
    """Drawn rows and the earlier half of real rows, both against the later half.

    Parameters
    ----------
    title : str
        Of the table with real rows.
    n_drawn, n_real : int
    drawn, real : Fidelity
    beyond, real_beyond : float
        Mean share of values beyond the 1 % and 99 % quantiles.
    autocorrelation, real_autocorrelation : float
        Mean absolute difference; NaN for rows in no order.
    target : str
        Column learned from the others, or empty.
    r2, real_r2 : float
        NaN without a target.
    privacy : float
        NaN without training rows.
    columns : tuple of ColumnQuality
        The worst first.
    pairs : tuple of PairQuality
        At most 1,000 joined ones and as many others; those that differ most first.
    memory : tuple of MemoryQuality
        Empty for rows in no order.
    """

    title: str
    n_drawn: int
    n_real: int
    drawn: Fidelity
    real: Fidelity
    beyond: float
    real_beyond: float
    autocorrelation: float
    real_autocorrelation: float
    target: str
    r2: float
    real_r2: float
    privacy: float
    columns: tuple[ColumnQuality, ...]
    pairs: tuple[PairQuality, ...]
    memory: tuple[MemoryQuality, ...]

    @property
    def grade(self) -> Grade:
        """By the classifier: no easier to tell apart than earlier rows, a little, or plainly.

        Where earlier rows themselves are told apart from later ones, it has nothing left to say:
        so one grade less if tails are plainly too heavy, or a target is not learned from the rows.
        """
        excess = self.drawn.auc - max(self.real.auc, 0.5) - max(2.0 * self.drawn.auc_error, 0.01)
        grade = 0 if excess <= 0.0 else 1 if excess <= _CLOSE else 2
        heavy = self.beyond > _OFTEN * max(self.real_beyond, _TAILS)
        useless = bool(self.target) and self.r2 < self.real_r2 - _USELESS
        grades: tuple[Grade, ...] = ("as real", "close", "told apart")
        return grades[min(grade + (heavy or useless), 2)]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What the figures mean, in sentences."""
        drawn, real = self.drawn, self.real
        ratio = self.beyond / max(self.real_beyond, 0.005)
        tails = "heavy" if ratio > _OFTEN else "light" if ratio < _RARE else "right"
        figures = {
            "quality_margins": (drawn.margins, real.margins),
            "quality_edges": (drawn.edges, real.edges),
            "quality_others": (drawn.others, real.others),
            f"quality_tails_{tails}": (self.beyond, self.real_beyond),
            "quality_memory": (self.autocorrelation, self.real_autocorrelation),
            "quality_target": (self.r2, self.real_r2),
        }
        told = {"auc": drawn.auc, "error": drawn.auc_error, "real": real.auc}
        found = [Statement("quality_auc", told)]
        for key, (a, b) in figures.items():
            if math.isfinite(a):
                found.append(Statement(key, {"drawn": a, "real": b, "target": self.target}))
        if math.isfinite(self.privacy):
            key = "quality_heart" if self.privacy > _HEART else "quality_private"
            found.append(Statement(key, {"share": self.privacy}))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """As plain data; numbers that are not finite are None."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    def content(self) -> dict[str, Any]:
        """All parts as dictionaries, the grade, and what the figures mean."""
        said = [asdict(statement) for statement in self.statements]
        return {**asdict(self), "grade": self.grade, "statements": said, "levels": LEVELS}

    def _page(self, language: Language) -> bytes:
        from locality.analysis.pages.quality_page import render

        return render(self.content(), language)
