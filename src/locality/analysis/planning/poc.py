"""Proof of concept: the smallest group of columns, and the smallest radius, that are good enough.

Before a whole plant is modeled, a few sensors should show that it works. A group grows from one
column by its strongest ties. A group is worth looking at alone if little is lost by leaving the
rest of the table out: its **quality** is the share, of all that the model of the whole table knows
about the dependence of these columns, that a model of the group alone knows (held-out nats). The
first group that reaches the target is then modeled for real on the first four fifths of the rows
and judged on the rest: margins, pairs and a classifier, each as a share of what the training rows
themselves reach (`fidelity`). If straight lines fall short, networks are tried.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.analysis.check.dependences import Dependences
from locality.analysis.check.memory import choose_lags, require_lags
from locality.analysis.check.subject import MIN_ROWS, Subject
from locality.analysis.check.trials import Trial, fit_once
from locality.analysis.planning.concept import FIGURES, GroupTrial, ProofOfConcept
from locality.analysis.quality.fidelity import fidelity
from locality.data.table import Table
from locality.domain import Axis, DependencyGraph, Domain
from locality.estimator import LocalizedDiffusion
from locality.exceptions import DataError, OptionError
from locality.training.execution import Execution
from locality.training.executors import one_thread
from locality.training.parameters import renamed
from locality.training.trainer import Progress, quiet

__all__ = ["poc"]

_SMALLEST = 5
_GROWTH = 1.5
_KEPT_BACK = 0.2  # of the rows
_STRETCH = 50  # rows drawn at a time from a series
_LEAST_DRAWN = 1_000


@renamed(score='denoiser="linear"')
def poc(
    X: Any,
    *,
    quality: float = 0.95,
    start: str | None = None,
    graph: Any = None,
    lags: int | str = "auto",
    denoiser: Literal["auto", "linear", "neural"] = "auto",
    columns: Iterable[str] | None = None,
    drop: Iterable[str] = (),
    time: str | None = None,
    n_jobs: int = 1,
    random_state: int = 0,
    progress: Progress | None = None,
) -> ProofOfConcept:
    """Find the smallest group of columns with which locality can be shown to work.

    Parameters
    ----------
    X : frame or array [n_rows, n_columns]
        Complete numbers.
    quality : float, default 0.95
        Share of what can be reached, in nats, margins, pairs and against a classifier.
    start : str, optional
        Column to grow from; by default the one with the strongest ties.
    graph, lags, columns, drop, time, n_jobs, random_state, progress
        As in ``check``.
    denoiser : {"auto", "linear", "neural"}, default "auto"
        Networks if straight lines fall short; only one of them otherwise.

    Returns
    -------
    ProofOfConcept

    Raises
    ------
    DataError
        Values are missing, or there are too few rows or columns.
    OptionError
        A parameter is out of range.

    Examples
    --------
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> rows = OrnsteinUhlenbeckChain(20, correlation=0.7).sample(800, random_state=0)
    >>> found = poc(rows, quality=0.9, lags=0)
    >>> found.met, len(found.columns) < 20
    (True, True)
    """
    tell, execution = progress or quiet, Execution(n_jobs=n_jobs)
    _require_options(quality, denoiser)
    table = Table.from_frame(X, columns=columns, drop=drop, time=time)
    table.require_complete()
    first = _first_rows(table)
    require_lags(lags, first.n_rows)
    with one_thread():
        subject = Subject.of(first, random_state)
        _require_start(start, subject.names, table.names)
        tell("graph", 0, 1)
        n_lags = choose_lags(subject.complete) if lags == "auto" else int(lags)
        ties = Dependences.of(subject.scores, subject.names, table.names, graph=graph, lags=n_lags)
        whole = ties.graph("merged")
        order = _growth(whole, subject.names, start)
        tell("graph", 1, 1)
        trials = _trials(subject.complete, order, whole, n_lags, quality, tell)
    best = max(trials, key=lambda trial: (min(trial.quality, quality), -trial.n_columns))
    members = order[: best.n_columns]
    names, part = tuple(subject.names[j] for j in members), _part(whole, members)
    for kind in ("linear", "neural") if denoiser == "auto" else (denoiser,):
        tell("model", 0, 1)
        model = LocalizedDiffusion(
            graph=part, lags=n_lags, denoiser=kind, execution=execution, random_state=random_state
        )
        found = _judged(table, names, model, part, best, quality, trials)
        tell("model", 1, 1)
        if found.met or set(found.short) == {"nats"}:
            break
    return found


def _require_options(quality: float, denoiser: str) -> None:
    if not 0 < quality < 1:
        raise OptionError(f"quality must be a share between 0 and 1, found {quality}.")
    if denoiser not in ("auto", "linear", "neural"):
        raise OptionError(f'denoiser must be "auto", "linear" or "neural", found {denoiser!r}.')


def _first_rows(table: Table) -> Table:
    """What is learned from; the other rows are kept back."""
    cut = round((1.0 - _KEPT_BACK) * table.n_rows)
    if cut < MIN_ROWS:
        needed = round(MIN_ROWS / (1.0 - _KEPT_BACK))
        raise DataError(
            f"The table has {table.n_rows} rows; a proof of concept needs at least {needed}."
        )
    return replace(table, values=table.values[:cut], observed=table.observed[:cut])


def _require_start(start: str | None, names: tuple[str, ...], all_names: tuple[str, ...]) -> None:
    if start is not None and start not in names:
        known = "it was set aside" if start in all_names else "there is no such column"
        raise DataError(f"A group cannot grow from {start!r}: {known}.")


def _growth(graph: DependencyGraph, names: tuple[str, ...], start: str | None) -> IntArray:
    """Columns in the order in which a group grows: always the strongest tie to the group."""
    matrix = graph.to_scipy().tocsr()
    strength: FloatArray = np.asarray(matrix.sum(axis=1)).ravel()
    order = [int(np.argmax(strength)) if start is None else names.index(start)]
    inside, tie = np.zeros(graph.n_nodes, dtype=bool), np.zeros(graph.n_nodes)
    while True:
        inside[order[-1]] = True
        tie = tie + matrix[[order[-1]]].toarray().ravel()
        tie[inside] = 0.0
        if tie.max() <= 0.0:
            break
        order.append(int(np.argmax(tie)))
    if len(order) < 2:
        raise DataError(
            f"No column was found to depend on {start!r}, so no group grows from it."
            if start is not None
            else "No column was found to depend on another, so there is no group to grow.",
            remedy="Start from another column, or pass a graph.",
        )
    return np.array(order)


def _sizes(n: int) -> list[int]:
    """5, 8, 12, 18, … up to all that hang together."""
    sizes, size = [], float(min(_SMALLEST, n))
    while round(size) < n:
        sizes.append(round(size))
        size *= _GROWTH
    return [*sizes, n]


def _part(graph: DependencyGraph, members: IntArray) -> DependencyGraph:
    return DependencyGraph.from_scipy(graph.to_scipy().tocsr()[members][:, members])


def _fit(z: FloatArray, members: IntArray, graph: DependencyGraph, lags: int) -> Trial:
    axes = (Axis("time", window=(lags, 0)),) if lags else ()
    domain = Domain(_part(graph, members), tuple(f"x{j}" for j in members), axes)
    return fit_once(z[:, members], domain)


def _trials(
    z: FloatArray,
    order: IntArray,
    graph: DependencyGraph,
    lags: int,
    target: float,
    tell: Progress,
) -> tuple[GroupTrial, ...]:
    """Groups of growing size up to the first that reaches the target, judged by all columns."""
    whole, sizes, found = _fit(z, np.arange(z.shape[1]), graph, lags), _sizes(len(order)), []
    for done, size in enumerate(sizes, 1):
        members = order[:size]
        fitted = _fit(z, members, graph, lags)
        alone = float(whole.alone[members].sum())
        known = max(alone - float(whole.held_out[members].sum()), 1e-9)
        quality = (alone - fitted.by_radius) / known
        enough = np.flatnonzero(quality >= target)
        place = int(enough[0]) if len(enough) else int(quality.argmax())
        found.append(GroupTrial(size, int(fitted.radii[place]), float(quality[place])))
        tell("groups", done, len(sizes))
        if found[-1].quality >= target:
            break
    return tuple(found)


def _judged(
    table: Table,
    names: tuple[str, ...],
    model: LocalizedDiffusion,
    graph: DependencyGraph,
    trial: GroupTrial,
    target: float,
    trials: tuple[GroupTrial, ...],
) -> ProofOfConcept:
    """Fit the group to the first rows, draw, and compare with the last."""
    place = [table.names.index(name) for name in names]
    values = table.values[:, place]
    cut = round((1.0 - _KEPT_BACK) * len(values))
    kinds = tuple(table.kinds[j] for j in place)
    group = Table(
        values, table.observed[:, place], names, kinds, flavor="pandas",
        labels=table.labels, dtypes=table.dtypes,
    )  # fmt: skip
    frame = group.frame
    model.fit(frame(values[:cut], names, kinds=kinds, keep_rows=False))
    n_series = max(1, max(cut, _LEAST_DRAWN) // _STRETCH) if model.lags else 1
    n = n_series * _STRETCH if model.lags else max(cut, _LEAST_DRAWN)
    synthetic = model.sample(n, n_series=n_series)
    rows = Table.from_frame(synthetic, columns=names, labels=table.labels).values
    kept_back = frame(values[cut:], names, kinds=kinds, keep_rows=False)
    drawn = fidelity(rows, values[cut:], graph)
    training = fidelity(values[:cut], values[cut:], graph)
    shares = {
        name: min(1.0, getattr(drawn, part) / getattr(training, part))
        for name, part in FIGURES.items()
    }
    excess = drawn.auc - 2.0 * drawn.auc_error - max(training.auc, 0.5)
    shares["classifier"] = 1.0 - 2.0 * max(0.0, excess)
    shares = {name: share for name, share in shares.items() if np.isfinite(share)}
    met = trial.quality >= target and all(share >= target for share in shares.values())
    return ProofOfConcept(
        met, target, names, trial.radius, trial.quality, model.denoiser, shares, drawn, training,
        trials, model.lags, graph, model, synthetic, kept_back,
    )  # fmt: skip
