"""Filling gaps: answers in the user's rows and units."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.data.kinds import Kind
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.laws.table import GaussianTable
from locality.model.model import Model

__all__ = ["Imputation", "fill"]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_DRAWS = 50  # of every gap, where networks are asked
_EVALUATIONS = 32  # of the denoiser per draw


@dataclass(frozen=True, eq=False)
class Imputation:
    """A table with its gaps filled.

    Parameters
    ----------
    mean, median : frames or arrays [n_rows, n_columns]
        Expectation and median of every missing value given all known ones; known values as they
        were. They differ in columns with laws of their own: of rain, the expectation has the right
        total, the median is nearer to most hours.
    low, high : frames or arrays [n_rows, n_columns]
        Interval that holds a missing value with the stated probability; known values themselves.
    draws : tuple of frames or arrays [n_rows, n_columns]
        Joint draws of all missing values.
    n_missing : int

    Notes
    -----
    All stay within 1.5 times the range seen in the fit, around its middle.
    """

    mean: Any
    median: Any
    low: Any
    high: Any
    draws: tuple[Any, ...]
    n_missing: int


def fill(
    model: Model,
    table: Table,
    n_draws: int,
    level: float,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> Imputation:
    """Fill the gaps of a table.

    A table with networks is filled by posterior sampling, all others by the closed form.
    Everything filled stays within 1.5 times the range seen, in the units of the table.

    Raises
    ------
    OptionError
        If the level is no share or the number of draws is negative.
    """
    if not 0.0 < level < 1.0:
        raise OptionError(f"level must be a share between 0 and 1, found {level}.")
    if n_draws < 0:
        raise OptionError(f"draws must be at least 0, found {n_draws}.")
    rows = model.layout.standard_rows(table)
    bounds = model.layout.table_limits(model.limits).T
    method = _sampled if model.has_networks and not model.domain.axes else _closed_form
    found = method(model, rows, bounds, n_draws, level, seed, progress)

    def frame(values: FloatArray, whole: bool) -> Any:
        values = np.where(table.observed, table.values, np.clip(values, *bounds))
        ends: list[Kind] = ["category" if k == "category" else "real" for k in table.kinds]
        return table.frame(values, kinds=table.kinds if whole else ends, keep_rows=True)

    return Imputation(
        frame(found.mean, True),
        frame(_restored(model, rows, found.median, True), True),
        frame(_restored(model, rows, found.low, False), False),
        frame(_restored(model, rows, found.high, False), False),
        tuple(frame(_restored(model, rows, draw, True), True) for draw in found.draws),
        int(np.count_nonzero(~table.observed)),
    )


@dataclass(frozen=True, eq=False)
class _Filled:
    """Expectations in the units of the table [n_rows, n_columns]; the others standardized."""

    mean: FloatArray
    median: FloatArray
    low: FloatArray
    high: FloatArray
    draws: FloatArray


def _closed_form(
    model: Model,
    rows: FloatArray,
    bounds: FloatArray,
    n_draws: int,
    level: float,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> _Filled:
    gaussian = GaussianTable(model.field)
    tick = _ticking(progress, gaussian.n_solutions(n_draws))
    found = gaussian.posterior(rows, n_draws, np.random.default_rng(seed), tick)
    deviation = found.deviation
    if model.reference is not None:  # held-out residuals are wider than those of the fit
        wider = deviation * np.maximum(model.reference.residual, 1.0)[:, None]
        # but never wider than the column itself: near-copies may have parted for a while
        deviation = np.minimum(wider, np.maximum(deviation, 1.0))
    half = NormalDist().inv_cdf(0.5 + 0.5 * level) * deviation
    mean = _restored(model, rows, found.mean, True)
    for j, name, column in _bent(model):
        gaps = np.isnan(rows[model.domain.targets[j]])
        z = found.mean[j, gaps, None] + found.deviation[j, gaps, None] * _NODES
        x = model.standardizer.values_of(z.reshape(-1, 1), [name]).reshape(z.shape)
        mean[gaps, column] = np.clip(x, *bounds[:, column]) @ _WEIGHTS
    low, high = found.mean - half, found.mean + half
    return _Filled(_with_copies(model, mean), found.mean, low, high, found.draws)


def _sampled(
    model: Model,
    rows: FloatArray,
    bounds: FloatArray,
    n_draws: int,
    level: float,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> _Filled:
    from locality.inference.sampling.methods import build_sampler
    from locality.inference.sampling.missing import draw_missing, n_steps

    walk = build_sampler("sde", model.levels, _EVALUATIONS)
    n_all = max(n_draws, _DRAWS)
    n_gappy = int(np.isnan(rows).any(axis=0).sum())
    tick = _ticking(progress, n_steps(walk, n_gappy, n_all))
    draws = draw_missing(model.field, walk, rows, n_all, seed, tick)
    tails = np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level])
    low, high = np.quantile(draws, tails, axis=0, method="median_unbiased")
    median = np.median(draws, axis=0)
    mean = _restored(model, rows, median, True)
    every = [np.clip(_restored(model, rows, draw, False), *bounds) for draw in draws]
    real = [j for j, kind in enumerate(model.standardizer.kinds) if kind in ("real", "integer")]
    mean[:, real] = np.mean([part[:, real] for part in every], axis=0)
    return _Filled(_with_copies(model, mean), median, low, high, draws[:n_draws])


def _bent(model: Model) -> list[tuple[int, str, int]]:
    """Number, name and column of the targets with a law of their own, states left out."""
    standardizer, layout, found = model.standardizer, model.layout, []
    for j, (place, column) in enumerate(zip(layout.places, layout.columns, strict=True)):
        if standardizer.kinds[column] in ("real", "integer") and place in standardizer.marginals:
            found.append((j, layout.names[j], int(column)))
    return found


def _with_copies(model: Model, values: FloatArray) -> FloatArray:
    """Columns set aside follow the expectations of their sources."""
    for aside in model.standardizer.set_aside:
        values[:, aside.column] = aside.expected(values)
    return values


def _restored(model: Model, rows: FloatArray, targets: FloatArray, whole: bool) -> FloatArray:
    return model.layout.restore(targets.T, rows[list(model.domain.context)], whole=whole)


def _ticking(progress: Callable[[str, int, int], None], total: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress("imputing", min(done, total), total)

    return tick
