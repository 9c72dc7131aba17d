"""The plan: what a fit will cost, told before it starts, from a calibration of a few seconds.

The table is cut down to a piece (`piece`), and one shard of it is worked on for real: its closed
form at two numbers of rows (the cost is a + b · rows), and a few steps and checks of its networks.
Shards are alike, so everything else is counting. How many networks go on after their trial is the
one thing that nobody knows before: they cost something between *at least* (none gains) and *at
most* (all do).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from locality.analysis.check.findings import CostFinding
from locality.analysis.pages.plain import to_plain
from locality.analysis.planning.piece import Piece
from locality.data.table import Table
from locality.estimator import LocalizedDiffusion
from locality.exceptions import OptionError
from locality.model.learning import trainer_for
from locality.model.settings import Settings
from locality.training.execution import Execution
from locality.training.executors import one_thread
from locality.training.options import TrainingOptions
from locality.training.radius import LinearCurve, choose_radii
from locality.training.shard import fit_chosen, measure
from locality.training.task import ShardTask
from locality.training.trainer import Trainer

__all__ = ["Plan", "plan"]

_BASE_BYTES = 420_000_000  # Python, NumPy, torch and what else is imported
_WORKER_BYTES = 330_000_000
_COPIES = 5  # of the table in memory while fitting
_STEPS = (20, 40)  # of the networks, in two runs
_SAMPLE = 16  # components that are worked on
_UNEVEN = 1.25  # shards differ; for the bound
_REFERENCE = 2.5  # times the closed form: three fits to two thirds of the rows, and scoring
_NETWORKS = ("networks, at least", "networks, at most")


@dataclass(frozen=True)
class Plan:
    """What a fit will cost.

    Parameters
    ----------
    n_rows, n_columns : int
        Of the table; columns that are modeled.
    n_shards, n_edges : int
        Edges are estimated in large tables.
    costs : tuple of CostFinding
        By stage and number of workers.
    """

    n_rows: int
    n_columns: int
    n_shards: int
    n_edges: int
    costs: tuple[CostFinding, ...]

    def range(self, workers: int) -> tuple[float, float]:
        """Seconds in all with a number of workers, at least and at most."""
        seconds = {cost.stage: cost.seconds for cost in self.costs if cost.workers == workers}
        low, high = (seconds.pop(stage, 0.0) for stage in _NETWORKS)
        rest = sum(seconds.values())
        return rest + low, rest + high

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries and lists."""
        plain: dict[str, Any] = to_plain(self)
        return plain


def plan(
    X: Any,
    *,
    workers: Sequence[int] = (1, 2),
    model: LocalizedDiffusion | None = None,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    time: str | None = None,
    **parameters: Any,
) -> Plan:
    """Predict time, memory and disk of a fit.

    Parameters
    ----------
    X : frame or array [n_rows, n_columns]
    workers : sequence of int, default (1, 2)
        Numbers of processes to plan for.
    model : LocalizedDiffusion, optional
        Fitted to this table: its actual times are put beside the prediction.
    columns, drop : sequences of str
        Columns to model, and to leave out.
    time : str, optional
        Column with the time of each row.
    **parameters
        As of ``LocalizedDiffusion``.

    Returns
    -------
    Plan

    Raises
    ------
    DataError
        Values are missing, or nothing varies.
    OptionError
        A parameter is unknown or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).standard_normal((200, 40))
    >>> made = plan(rows, denoiser="linear", workers=(1,))
    >>> made.n_shards, [cost.stage for cost in made.costs]
    (2, ['table', 'graph', 'closed form', 'reference'])
    """
    if not workers or min(workers) < 1:
        raise OptionError(f"workers must be whole numbers ≥ 1, found {tuple(workers)}.")
    estimator = _estimator(parameters)
    settings = Settings.of(estimator.get_params(deep=False))
    table = Table.from_frame(X, columns=columns, drop=drop, time=time, min_rows=5)
    with one_thread():
        piece = Piece.of(table, settings, estimator.graph)
        found = _measure(piece, settings)
    n_shards = -(-piece.n_targets // Trainer(piece.domain).shard_size)
    actual = {} if model is None else model.seconds_
    disk = round(piece.n_targets * found.bytes_per_target)
    costs = []
    for number in workers:
        memory = _BASE_BYTES + _COPIES * 8 * table.n_rows * piece.n_targets
        seconds = {
            "table": piece.table_seconds, "graph": piece.graph_seconds, "closed form": found.linear
        }  # fmt: skip
        if all(axis.is_causal for axis in piece.domain.axes):
            seconds["reference"] = _REFERENCE * found.linear
        told = {stage: actual.get(stage) for stage in seconds}
        if settings.training is not None:
            share = min(number, n_shards)
            memory += _WORKER_BYTES * number if number > 1 else 0
            least, most = found.networks
            seconds |= zip(_NETWORKS, (least / share, _UNEVEN * most / share), strict=True)
            if number == (estimator.execution or Execution()).n_jobs:
                told[_NETWORKS[1]] = actual.get("networks")
        costs += [
            CostFinding(stage, number, spent, memory, disk, told.get(stage))
            for stage, spent in seconds.items()
        ]
    return Plan(table.n_rows, piece.n_targets, n_shards, piece.n_edges, tuple(costs))


def _estimator(parameters: dict[str, Any]) -> LocalizedDiffusion:
    """An estimator with these parameters."""
    try:
        return LocalizedDiffusion(**parameters)
    except TypeError as error:
        known = LocalizedDiffusion().get_params(deep=False)
        unknown = sorted(set(parameters) - set(known))
        raise OptionError(f"{unknown[0]!r} is no parameter of LocalizedDiffusion.") from error


@dataclass(frozen=True)
class _Measured:
    """Seconds for the whole table in one process, and the bytes of a component."""

    linear: float
    networks: tuple[float, float]
    bytes_per_target: float


def _measure(piece: Piece, settings: Settings) -> _Measured:
    """Work on some components for real."""
    trainer = trainer_for(piece.domain, settings, Execution(), None)
    trainer = replace(trainer, shard_size=_SAMPLE)
    n = piece.n_examples

    def closed_form(task: ShardTask) -> tuple[float, LinearCurve, int]:
        start = perf_counter()
        curve = measure(task)
        shard = fit_chosen(task, choose_radii(curve), curve)
        return perf_counter() - start, curve, shard.n_bytes

    n_parts = -(-len(piece.domain.targets) // _SAMPLE)
    middle = (n_parts // 2,)  # the first ones lie at the rim of the graph
    task = trainer.tasks(piece.state, middle)[0]
    seconds, curve, n_bytes = closed_form(task)
    if piece.row_share < 1.0:
        half = trainer.tasks(piece.rows(n // 2), middle)[0]
        slope = max(seconds - closed_form(half)[0], 0.0) / (n - n // 2)
        seconds += slope * (n / piece.row_share - n)
    n_targets = len(curve.nats)
    scale = piece.n_targets / n_targets
    networks = (0.0, 0.0)
    if settings.training is not None:
        networks = _networks(task, curve, settings.training)
    return _Measured(
        scale * seconds,
        (scale * networks[0], scale * networks[1]),
        n_bytes / n_targets,
    )


def _networks(task: ShardTask, curve: LinearCurve, asked: TrainingOptions) -> tuple[float, float]:
    """Seconds of the networks of a task, if none gains and if all do."""

    def seconds(steps: int, checks: int) -> float:
        options = replace(asked, n_steps=steps, n_checks=checks, trial=0.99, refit=0.0)
        start = perf_counter()
        fit_chosen(replace(task, options=options), choose_radii(curve), curve)
        return perf_counter() - start

    few, more = _STEPS
    base, longer, checked = seconds(few, 2), seconds(more, 2), seconds(few, few)
    step = max(longer - base, 0.0) / (more - few)
    check = max(checked - base, 0.0) / (few - 2)
    start = max(base - few * step - 2 * check, 0.0)
    n_steps = asked.n_steps
    least = start + asked.trial_steps * (step + asked.n_checks * check / n_steps)
    most = start + n_steps * (1 + asked.refit) * step + asked.n_checks * check
    return least, most
