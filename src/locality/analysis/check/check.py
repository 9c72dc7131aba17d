"""The check: does locality hold in a table, and what follows from the answer.

A table becomes normal scores (`subject`), its dependences are found and compared with what the user
knows (`dependences`), local linear models are fitted to parts of the rows and judged on others
(`trials`), what lies beyond their neighborhoods is tested (`beyond`), rivals are fitted (`rivals`),
the two errors are separated (`errors`), and a verdict is drawn (`verdict`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.analysis.check.advice import next_steps, remarks
from locality.analysis.check.beyond import FarDependence, far_dependence
from locality.analysis.check.dependences import Dependences
from locality.analysis.check.errors import ErrorCurves
from locality.analysis.check.findings import (
    ComponentFinding,
    CostFinding,
    FactorFinding,
    GroupFinding,
    Verdict,
)
from locality.analysis.check.learning import LearningCurves
from locality.analysis.check.memory import choose_lags, search_depth
from locality.analysis.check.question import Question
from locality.analysis.check.report import LocalityReport
from locality.analysis.check.rivals import Setting, factors, independent, lagged, shrunk
from locality.analysis.check.subject import Subject
from locality.analysis.check.surroundings import Surroundings
from locality.analysis.check.trials import HeldOut, Trial, Trials, contiguous_folds
from locality.analysis.check.verdict import Grounds, answer_of, bands_found, counts_as_far, decide
from locality.domain import Axis, DependencyGraph, Domain
from locality.training.executors import Executor, executor, one_thread
from locality.training.trainer import Progress, quiet

__all__ = ["examine"]

Price: TypeAlias = Callable[[FloatArray, DependencyGraph, int], tuple[CostFinding, ...]]
"""What a fit to standardized rows costs, given a graph and lags."""

_FACTORS = (1, 2, 4, 8)
_WIDE = 300  # columns from which fewer numbers of factors are tried
_MOST_TESTED_ROWS = 4_000


@dataclass(frozen=True, eq=False)
class _Facts:
    """All that is measured before anything is concluded from it.

    ``needed`` are the other columns that each column needs [n_columns]; ``trials`` are one for each
    part of the rows, the first of all rows.
    """

    ties: Dependences
    domain: Domain
    lags: int
    held_out: HeldOut
    trials: list[Trial]
    rivals: dict[str, HeldOut]
    surroundings: Surroundings
    needed: IntArray
    far: FarDependence
    learning: LearningCurves

    def components(
        self, groups: tuple[GroupFinding, ...], level: float
    ) -> tuple[ComponentFinding, ...]:
        """What is found of each column."""
        whole, far, names = self.trials[0], self.far, self.domain.names
        group_of = {name: group.name for group in groups for name in group.members}
        sure = counts_as_far(far.p_value, far.nats, level)
        alone = whole.alone
        return tuple(
            ComponentFinding(
                name=name,
                group=group_of.get(name, ""),
                answer=answer_of(int(self.needed[j]), len(names), bool(sure[j])),
                n_neighbors=float(self.needed[j]),
                radius=int(self.surroundings.reach[j]),
                band_radii=tuple(whole.band_radius[j].tolist()),
                independent=float(alone[j]),
                local=float(whole.held_out[j]),
                beyond=float(far.nats[j]) if sure[j] else 0.0,
                p_value=float(far.p_value[j]),
                partner=names[int(far.partner[j])] if sure[j] else "",
            )
            for j, name in enumerate(names)
        )

    def verdict(self, level: float, given: bool) -> Verdict:
        """What follows for the table."""
        far, names = self.far, self.domain.names
        sure = counts_as_far(far.p_value, far.nats, level)
        strongest = int(np.argmax(np.where(sure, far.nats, -1.0)))
        nats = {name: rival.nats for name, rival in self.rivals.items()}
        return decide(
            Grounds(
                independent=nats.pop("independent"),
                local=self.held_out.nats,
                rivals=nats,
                n_columns=len(names),
                neighbors=float(self.needed.mean()),
                far=int(sure.sum()),
                far_pair=(names[strongest], names[int(far.partner[strongest])]),
                level=level,
                given=given,
            )
        )


def examine(
    X: Any,
    question: Question,
    price: Price,
    *,
    title: str = "table",
    costs: bool = True,
    n_jobs: int = 1,
    random_state: int = 0,
    progress: Progress | None = None,
) -> LocalityReport:
    """Answer a question about a table; parameters and errors as of ``locality.check``.

    Parameters
    ----------
    X : frame or array [n_rows, n_columns]
    question : Question
    price : Price
        Asked if ``costs`` are to be told.
    title, costs, n_jobs, random_state, progress
        As of `Work`.
    """
    with one_thread():
        table = question.read(X)
        subject = Subject.of(table, random_state, question.context, question.cycles)
        found = _gather(subject, table.names, question, executor(n_jobs), progress or quiet)
        spent: tuple[CostFinding, ...] = ()
        if costs:
            spent = price(subject.complete, found.domain.graph, found.lags)
    ties, lags, level = found.ties, found.lags, question.level
    groups = ties.groups()
    curves = ErrorCurves.of(found.trials)
    verdict = found.verdict(level, question.graph is not None)
    told = remarks(ties, curves, lags, len(subject.complete))
    bands = {name: rival.bands for name, rival in found.rivals.items()}
    return LocalityReport(
        title=title,
        n_rows=table.n_rows,
        n_columns=len(subject.names),
        lags=lags,
        level=level,
        verdict=verdict,
        edges=ties.edges,
        groups=groups,
        radii=curves.findings(),
        radius=curves.best_radius(),
        components=found.components(groups, level),
        bands=bands_found(bands, found.held_out.bands, found.trials[0]),
        learning=found.learning.points,
        rows_needed=found.learning.rows_needed(),
        factors=tuple(
            FactorFinding(int(name.split()[0]), float(rival.nats.mean()))
            for name, rival in found.rivals.items()
            if name.endswith("factors")
        ),
        costs=spent,
        next_steps=next_steps(verdict, ties, lags, question.merge, question.options),
        notes=(*subject.notes, *told, *found.learning.remarks()),
    )


def _gather(
    subject: Subject,
    all_names: tuple[str, ...],
    question: Question,
    executor: Executor,
    tell: Progress,
) -> _Facts:
    """Find dependences, fit local models and rivals, and test what lies beyond neighborhoods."""
    z, lags = subject.complete, question.lags
    tell("graph", 0, 1)
    n_lags = choose_lags(z) if lags == "auto" else int(lags)
    ties = Dependences.of(
        subject.scores,
        subject.names,
        all_names,
        graph=question.graph,
        lags=search_depth(len(z), z.shape[1], n_lags) if lags == "auto" else n_lags,
        level=question.level,
        k_nearest=question.k_nearest,
    )
    tell("graph", 1, 1)
    axes = (Axis("time", window=(n_lags, 0)),) if n_lags else ()
    domain = Domain(ties.graph("merged" if question.merge else "given"), subject.names, axes)
    trials = Trials(z, domain, n_lags, executor)
    held_out, fitted = trials.run(_counted("trials", trials.n_fits, tell))
    tell("rivals", 0, 1)
    rivals, setting = _rivals(lagged(z, n_lags), z.shape[1], trials.folds)
    around = Surroundings.of(fitted[0], domain)
    needed = around.needed(z, n_lags)
    far = _beyond(z, around, n_lags, _counted("beyond", z.shape[1], tell))
    learning = LearningCurves.of(z, trials, fitted, setting)
    tell("rivals", 1, 1)
    return _Facts(ties, domain, n_lags, held_out, fitted, rivals, around, needed, far, learning)


def _counted(stage: str, total: int, tell: Progress) -> Callable[[], None]:
    """Tells of one more at every call."""
    done = count(1)
    return lambda: tell(stage, next(done), total)


def _rivals(rows: FloatArray, d: int, folds: IntArray) -> tuple[dict[str, HeldOut], Setting]:
    """By name, and how the global one is shrunk."""
    found = {"independent": independent(rows, d, folds)}
    found["global"], setting = shrunk(rows, d, folds)
    for k in _FACTORS if d <= _WIDE else _FACTORS[::2]:
        if 3 * k <= d:
            found[f"{k} factors"] = factors(rows, d, folds, k)
    return found, setting


def _beyond(
    z: FloatArray, around: Surroundings, lags: int, tick: Callable[[], None]
) -> FarDependence:
    """Test what lies beyond the neighborhoods, on at most 4,000 rows."""
    step = -(-(len(z) - lags) // _MOST_TESTED_ROWS)
    rows = np.arange(lags, len(z), step)
    view = around.views(z, lags, rows)
    folds = contiguous_folds(len(rows))
    return far_dependence(z[rows], lambda j: view(j)[0], around.outside(), folds, tick)
