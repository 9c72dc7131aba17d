"""The verdict: local, partly local or not local, with its reasons.

Four facts decide, each with a threshold that is stated where it is used:

* **Share lost.** Of all nats that the best model knows about dependence, the share that the local
  model gives up against the best global one (a shrunk Gaussian of everything, a few factors), if
  the difference is sure (two standard errors over blocks of rows).
* **Factors.** A few global factors that alone know as much as all neighborhoods, where these lose
  something or leave something out: what looks like many weak neighbors is one hidden cause.
* **Crowd.** The share of all columns that one needs to know nine tenths of what is to be known. A
  neighborhood of everybody is none.
* **Far ties.** Columns that still know something of each other beyond their neighborhoods.
"""

from dataclasses import dataclass

import numpy as np

from locality._typing import FloatArray
from locality.analysis.check.findings import Answer, BandFinding, Verdict
from locality.analysis.check.trials import Trial
from locality.analysis.pages.words import Statement
from locality.noise.levels import band_labels

__all__ = [
    "Grounds",
    "answer_of",
    "bands_found",
    "counts_as_far",
    "decide",
    "difference_error",
]

_LOST = 0.15  # share of dependence lost above which locality does not hold
_LOST_PARTLY = 0.04
_CROWD = 1 / 3
_CROWD_COLUMNS = 15  # in smaller tables everybody may be a neighbor of everybody
_FACTORS = 0.97  # of what neighborhoods save, saved by factors alone
_PER_FACTOR = 8  # columns that each factor must have; smaller groups are neighborhoods
_FEW_ROWS = 3  # per column, below which a graph cannot be learned well
_FAR_NATS = 0.015  # of a far tie that counts
_FAR_LEVEL = 0.2  # times the level: one false tie would already change the answer
_NO_DEPENDENCE = 0.01  # nats per column


@dataclass(frozen=True, eq=False)
class Grounds:
    """What the verdict is drawn from; nats are held out, row by row.

    Parameters
    ----------
    independent, local : float arrays [n_rows]
    rivals : dict of float array [n_rows]
        By name; the global Gaussian and the factor models, those with factors named "k factors".
    n_columns : int
    neighbors : float
        Mean number of other columns that know nine tenths of what neighborhoods know.
    far : int
        Columns with a sure tie beyond their neighborhood.
    far_pair : tuple of str
        The strongest such pair.
    level : float
    given : bool
        Whether the graph was given; a learned one needs rows enough.
    """

    independent: FloatArray
    local: FloatArray
    rivals: dict[str, FloatArray]
    n_columns: int
    neighbors: float
    far: int
    far_pair: tuple[str, str]
    level: float
    given: bool


def decide(grounds: Grounds) -> Verdict:
    """Draw the verdict."""
    d = grounds.n_columns
    independent, local = grounds.independent.mean(), grounds.local.mean()
    name = min(grounds.rivals, key=lambda key: grounds.rivals[key].mean(), default="")
    rival = grounds.rivals[name] if name else grounds.local
    gap = grounds.local - rival
    error = difference_error(gap)
    known = max(float(independent - min(local, rival.mean())), 0.0)
    lost = float(gap.mean()) if gap.mean() > 2.0 * error else 0.0
    share = min(lost / known, 1.0) if known > 0 else 0.0
    crowd = grounds.neighbors / max(d - 1, 1)
    answer: Answer = "local"
    reasons: list[Statement] = []
    if known < _NO_DEPENDENCE * d and not grounds.far:
        share = 0.0  # of nothing
        reasons.append(Statement("reason_independent", {"nats": known / d}))
    else:
        answer, reasons = _dependent(grounds, name, share, known, crowd)
    numbers = {
        "columns": d,
        "neighbors": grounds.neighbors,
        "share": 100.0 * share,
        "saved": known,
    }
    key = answer.replace(" ", "_")
    summary = (Statement(f"summary_{key}", numbers), Statement(f"advice_{key}", numbers))
    return Verdict(
        answer=answer,
        summary=summary,
        reasons=tuple(reasons),
        independent=float(independent),
        local=float(local),
        best_global=float(rival.mean()),
        local_error=error,
        share_lost=share,
        neighbors=grounds.neighbors,
    )


def _dependent(
    grounds: Grounds, name: str, share: float, known: float, crowd: float
) -> tuple[Answer, list[Statement]]:
    """The answer where there is dependence."""
    d, reasons = grounds.n_columns, []
    answer: Answer = "local"
    saved = grounds.independent.mean() - grounds.local.mean()
    few = {k: v for k, v in grounds.rivals.items() if k.endswith("factors")}
    best = min(few, key=lambda key: few[key].mean(), default="")
    spread = share > _LOST_PARTLY or grounds.far > 0 or crowd > _CROWD
    few_rows = len(grounds.local) < _FEW_ROWS * d and not grounds.given and not grounds.far
    if (
        best
        and spread
        and int(best.split()[0]) * _PER_FACTOR <= d
        and grounds.independent.mean() - few[best].mean() >= _FACTORS * saved
    ):
        answer = "not local"
        reasons.append(Statement("reason_factors", {"factors": int(best.split()[0])}))
    elif share > _LOST:
        answer = "partly local" if few_rows else "not local"
        if few_rows:
            reasons.append(Statement("reason_few_rows", {"rows": len(grounds.local), "columns": d}))
    if crowd > _CROWD and d >= _CROWD_COLUMNS:
        answer = "not local"
        numbers = {"neighbors": grounds.neighbors, "columns": d}
        reasons.append(Statement("reason_crowd", numbers))
    else:
        reasons.append(Statement("reason_neighbors", {"neighbors": grounds.neighbors}))
    if share > 0.0:
        if share > _LOST_PARTLY and answer == "local":
            answer = "partly local"
        kind = "reason_lost_factors" if name.endswith("factors") else "reason_lost"
        reasons.append(Statement(kind, {"share": 100.0 * share, "nats": share * known}))
    else:
        reasons.append(Statement("reason_nothing_lost"))
    if grounds.far:
        if answer == "local":
            answer = "partly local"
        a, b = grounds.far_pair
        reasons.append(Statement("reason_far", {"count": grounds.far, "a": a, "b": b}))
    else:
        reasons.append(Statement("reason_nothing_far", {"level": grounds.level}))
    return answer, reasons


def answer_of(needed: int, n_columns: int, far: bool) -> Answer:
    """The answer for one column: how many others it needs, and whether one beyond matters."""
    if n_columns >= _CROWD_COLUMNS and needed > _CROWD * (n_columns - 1):
        return "not local"
    return "partly local" if far else "local"


def bands_found(
    rivals: dict[str, FloatArray], local: FloatArray, fitted: Trial
) -> tuple[BandFinding, ...]:
    """The answer for every noise band, from nats [n_rows, n_bands]."""
    alone = rivals["independent"].mean(axis=0)
    others = [bands for name, bands in rivals.items() if name != "independent"]
    found = []
    for b, label in enumerate(band_labels()):
        best = min(others, key=lambda bands: bands[:, b].mean()) if others else local
        gap = local[:, b] - best[:, b]
        lost = float(gap.mean()) if gap.mean() > 2.0 * difference_error(gap) else 0.0
        saved = float(alone[b] - local[:, b].mean())
        share = lost / max(saved + lost, _NO_DEPENDENCE)
        matters = lost > _NO_DEPENDENCE * fitted.curve.shape[0] / 5
        answer: Answer = "partly local" if matters and share > _LOST_PARTLY else "local"
        answer = "not local" if matters and share > _LOST else answer
        radius = fitted.band_radius[:, b]
        found.append(
            BandFinding(label, float(radius.mean()), int(radius.max()), saved, lost, answer)
        )
    return tuple(found)


def difference_error(difference: FloatArray, n_blocks: int = 20) -> float:
    """Standard error of a mean over rows that may follow each other, from blocks of rows."""
    n_blocks = min(n_blocks, len(difference))
    if n_blocks < 2:
        return float("inf")
    means = [block.mean() for block in np.array_split(difference, n_blocks)]
    return float(np.std(means, ddof=1) / n_blocks**0.5)


def counts_as_far(p_value: FloatArray, nats: FloatArray, level: float) -> np.ndarray:
    """Which far ties are sure and large enough to matter [n_columns]."""
    return (p_value < _FAR_LEVEL * level) & (nats > _FAR_NATS)
