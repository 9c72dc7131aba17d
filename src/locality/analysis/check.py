"""The check: does locality hold in a table, and what follows from the answer.

A table becomes normal scores (`subject`), its dependences are found and compared with what the user
knows (`dependences`), local linear models are fitted to parts of the rows and judged on others
(`trials`), what lies beyond their neighborhoods is tested (`beyond`), rivals are fitted (`rivals`),
the two errors are separated (`errors`), and a verdict is drawn (`verdict`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.analysis.advice import next_steps, remarks
from locality.analysis.beyond import FarDependence, far_dependence
from locality.analysis.dependences import Dependences
from locality.analysis.errors import ErrorCurves
from locality.analysis.findings import (
    ComponentFinding,
    CostFinding,
    FactorFinding,
    GroupFinding,
    RadiusFinding,
)
from locality.analysis.learning import LearningCurves
from locality.analysis.memory import choose_lags, require_lags, search_depth
from locality.analysis.plan import plan
from locality.analysis.report import LocalityReport
from locality.analysis.rivals import Rival, Setting, factors, independent, lagged, shrunk
from locality.analysis.subject import Subject
from locality.analysis.surroundings import Surroundings
from locality.analysis.trials import Fitted, Trials, contiguous_folds
from locality.analysis.verdict import Evidence, answer_of, bands_found, counts_as_far, decide
from locality.data.names import require_known
from locality.data.table import Table
from locality.domain import Axis, Domain
from locality.exceptions import OptionError
from locality.training.executors import executor, one_thread

__all__ = ["check"]

Progress = Callable[[str, int, int], None]
_FACTORS = (1, 2, 4, 8)
_WIDE = 300  # columns from which fewer numbers of factors are tried
_MOST_TESTED_ROWS = 4_000


def check(
    X: Any,
    *,
    graph: Any = None,
    merge: bool = False,
    k_nearest: int | None = None,
    lags: int | str = "auto",
    level: float = 0.05,
    columns: Iterable[str] | None = None,
    drop: Iterable[str] = (),
    given: Sequence[str] = (),
    cycles: Sequence[str] = (),
    time: str | None = None,
    title: str = "table",
    costs: bool = True,
    n_jobs: int = 1,
    random_state: int = 0,
    progress: Progress | None = None,
) -> LocalityReport:
    """Does locality hold in a table?

    Parameters
    ----------
    X : pandas, polars or pyarrow frame, or array [n_rows, n_columns]
        Numbers; missing values are allowed. Rows in order of time if they have one.
    graph : path, networkx graph, scipy matrix, DependencyGraph, "chain" or "ring", optional
        What you know of who depends on whom. It is compared with the data, and the verdict is
        about locality in this graph. By default the graph is learned.
    merge : bool, default False
        Judge the given graph and the dependences found in the data together.
    k_nearest : int, optional
        If the graph is a file with distances: pairs where either is among the other's nearest.
    lags : int or "auto", default "auto"
        Rows of the past that each row may depend on; 0 for rows in no order.
    level : float, default 0.05
        Accepted share of false edges, and error level of the tests.
    columns, drop : iterables of str, optional
        Columns to check, and to leave out.
    given : sequence of str
        Columns that are known to drive the others (load, recipe, weather): what they explain is
        taken out first.
    cycles : sequence of str
        Lengths of cycles that all columns share, such as "1d" and "7d"; needs ``time``. A numeric
        time has cycles in its own unit.
    time : str, optional
        Column with the time of each row, which is left out.
    title : str
        Name of the table in the report.
    costs : bool, default True
        Tell what a fit would cost, which takes a few seconds more.
    n_jobs : int, default 1
        Worker processes; no effect on the result.
    random_state : int, default 0
        Of the draws that fill gaps.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    LocalityReport

    Raises
    ------
    DataError
        The table has fewer than 40 rows, or fewer than two columns that vary.
    GraphError
        The graph does not fit the columns.
    OptionError
        A parameter is out of range.

    Notes
    -----
    The graph is learned from all rows, held-out ones included, at the stated level of false edges:
    with few rows its nats are slightly optimistic.

    Examples
    --------
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> rows = OrnsteinUhlenbeckChain(12, correlation=0.7).sample(400, random_state=0)
    >>> report = check(rows, graph="chain", lags=0, costs=False)
    >>> report.verdict.answer
    'local'
    """
    if not 0 < level < 1:
        raise OptionError(f"level must be a share between 0 and 1, found {level}.")
    if merge and graph is None:
        raise OptionError("There is no graph to merge.", remedy="Pass a graph too (--graph).")
    tell = progress or _quiet
    with one_thread():
        wanted = None if columns is None else dict.fromkeys([*columns, *given])
        table = Table.from_frame(X, columns=wanted, drop=drop, time=time)
        require_known(table.names, given, "given")
        require_lags(lags, table.n_rows)
        subject = Subject.of(table, random_state, given, cycles)
        tell("graph", 0, 1)
        z = subject.complete
        n_lags = choose_lags(z) if lags == "auto" else int(lags)
        depth = search_depth(len(z), z.shape[1], n_lags) if lags == "auto" else n_lags
        ties = Dependences.of(
            subject.scores,
            subject.names,
            table.names,
            graph=graph,
            lags=depth,
            level=level,
            k_nearest=k_nearest,
        )
        tell("graph", 1, 1)
        axes = (Axis("time", window=(n_lags, 0)),) if n_lags else ()
        domain = Domain(ties.graph("merged" if merge else "given"), subject.names, axes)
        trials = Trials(z, domain, n_lags, executor(n_jobs))
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            tell("trials", done, trials.n_fits)

        held_out, fitted = trials.run(tick)
        present = lagged(z, n_lags)
        tell("rivals", 0, 1)
        rivals, setting = _rivals(present, z.shape[1], trials.folds)
        surroundings = Surroundings.of(fitted[0], domain)
        needed = surroundings.needed(z, n_lags)
        far = _beyond(z, surroundings, n_lags, tell)
        learning = LearningCurves.of(z, trials, fitted, setting)
        tell("rivals", 1, 1)
        spent: tuple[CostFinding, ...] = ()
        if costs:
            spent = plan(z, workers=(1, 2), graph=domain.graph, lags=n_lags).costs
    curves = ErrorCurves.of(fitted)
    sure = counts_as_far(far.p_value, far.nats, level)
    strongest = int(np.argmax(np.where(sure, far.nats, -1.0)))
    verdict = decide(
        Evidence(
            independent=rivals["independent"].nats,
            local=held_out.nats,
            rivals={name: r.nats for name, r in rivals.items() if name != "independent"},
            n_columns=z.shape[1],
            neighbors=float(needed.mean()),
            far=int(sure.sum()),
            far_pair=(subject.names[strongest], subject.names[int(far.partner[strongest])]),
            level=level,
            given=graph is not None,
        )
    )
    groups = ties.groups()
    return LocalityReport(
        title=title,
        n_rows=table.n_rows,
        n_columns=len(subject.names),
        lags=n_lags,
        level=level,
        verdict=verdict,
        edges=ties.edges,
        groups=groups,
        radii=_radii(curves),
        radius=curves.best_radius(),
        components=_components(fitted[0], surroundings, needed, far, groups, level),
        bands=bands_found(
            {name: rival.bands for name, rival in rivals.items()}, held_out.bands, fitted[0]
        ),
        learning=learning.points,
        rows_needed=learning.rows_needed(),
        factors=tuple(
            FactorFinding(int(name.split()[0]), float(rival.nats.mean()))
            for name, rival in rivals.items()
            if name.endswith("factors")
        ),
        costs=spent,
        next_steps=next_steps(verdict, ties, n_lags, merge, _options(time, given)),
        notes=(*subject.notes, *remarks(ties, curves, n_lags, len(z)), *learning.remarks()),
    )


def _rivals(rows: FloatArray, d: int, folds: IntArray) -> tuple[dict[str, Rival], Setting]:
    """By name, and how the global one is shrunk."""
    whole, setting = shrunk(rows, d, folds)
    found = [independent(rows, d, folds), whole]
    numbers = _FACTORS if d <= _WIDE else _FACTORS[::2]
    found += [factors(rows, d, folds, k) for k in numbers if 3 * k <= d]
    return {rival.name: rival for rival in found}, setting


def _beyond(z: FloatArray, sees: Surroundings, lags: int, tell: Progress) -> FarDependence:
    """Test what lies beyond the neighborhoods, on at most 4,000 rows."""
    step = -(-(len(z) - lags) // _MOST_TESTED_ROWS)
    rows = np.arange(lags, len(z), step)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        tell("beyond", done, z.shape[1])

    folds = contiguous_folds(len(rows))
    view = sees.views(z, lags, rows)
    return far_dependence(z[rows], lambda j: view(j)[0], sees.outside(), folds, tick)


def _radii(curves: ErrorCurves) -> tuple[RadiusFinding, ...]:
    numbers = np.stack(
        [
            curves.limit + curves.statistical,
            curves.spread,
            curves.localization,
            curves.statistical,
        ],
        axis=1,
    )
    return tuple(
        RadiusFinding(radius, *row)
        for radius, row in zip(curves.radii.tolist(), numbers.tolist(), strict=True)
    )


def _components(
    fitted: Fitted,
    sees: Surroundings,
    needed: IntArray,
    far: FarDependence,
    groups: tuple[GroupFinding, ...],
    level: float,
) -> tuple[ComponentFinding, ...]:
    names = sees.domain.names
    group_of = {member: group.name for group in groups for member in group.members}
    sure = counts_as_far(far.p_value, far.nats, level)
    alone = fitted.alone
    return tuple(
        ComponentFinding(
            name=name,
            group=group_of.get(name, ""),
            answer=answer_of(int(needed[j]), len(names), bool(sure[j])),
            n_neighbors=float(needed[j]),
            radius=int(sees.reach[j]),
            band_radii=tuple(fitted.band_radius[j].tolist()),
            independent=float(alone[j]),
            local=float(fitted.held_out[j]),
            beyond=float(far.nats[j]) if sure[j] else 0.0,
            p_value=float(far.p_value[j]),
            partner=names[int(far.partner[j])] if sure[j] else "",
        )
        for j, name in enumerate(names)
    )


def _options(time: str | None, given: Sequence[str]) -> str:
    """Options of the command line that a fit needs as well."""
    told = f" --time {time}" if time else ""
    return told + (f" --given {','.join(given)}" if given else "")


def _quiet(stage: str, done: int, total: int) -> None:
    """No progress is shown."""
