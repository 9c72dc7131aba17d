"""Rows of a model: drawn freely, or with some columns held or bounded."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.exceptions import OptionError
from locality.inference.laws.recursion import Recursion
from locality.inference.sampling.conditions import conditional_rows, parse_conditions
from locality.inference.sampling.draw import Drawing
from locality.inference.sampling.exact import draw_exactly, require_exact, why_not_exact
from locality.inference.sampling.sampler import Trajectory
from locality.model.model import Model
from locality.training.execution import Execution
from locality.training.trainer import Progress, quiet

__all__ = ["conditioned", "drawn"]


def drawn(
    model: Model,
    drawing: Drawing,
    seed: int,
    context: FloatArray | None,
    *,
    execution: Execution | None = None,
    progress: Progress = quiet,
    every_level: bool = False,
) -> Trajectory:
    """Standardized rows.

    Parameters
    ----------
    model : Model
    drawing : Drawing
    seed : int
    context : float array or None
        Standardized values of the context nodes, as in ``Drawing``.
    execution : Execution, optional
        By whom large draws are made; here by default.
    progress : callable
        Called with ("sampling", steps done, steps in all).
    every_level : bool
        Keep the states of all levels.

    Returns
    -------
    Trajectory
        Its states are [n_levels, n_rows, n_components], in the order of the components; of the
        last level only, unless all are kept.
    """
    if _is_exact(model, drawing, every_level):
        recursion = Recursion.of(model.field, model.n_rows)
        n_rows = -(-drawing.n_samples // drawing.n_series)
        found = draw_exactly(recursion, n_rows, drawing.n_series, seed, context, progress)
    else:
        spread = None if execution is None or execution == Execution() else execution.workers().map
        found = drawing(
            model.field, model.levels, model.extent, seed, context, progress, spread,
            every_level=every_level,
        )  # fmt: skip
    rows = [model.layout.rows(state)[: drawing.n_samples] for state in found.states]
    return replace(found, states=np.stack(rows))


def _is_exact(model: Model, drawing: Drawing, every_level: bool) -> bool:
    """Whether rows come from the law itself: where that is asked for, and by default of causal
    series without networks, unless a walk through noise levels is.
    """
    walks = every_level or drawing.schedule is not None
    if drawing.method == "auto":
        return not walks and not why_not_exact(model.field)
    if drawing.method != "exact":
        return False
    if walks:
        raise OptionError(
            'sampler="exact" walks through no noise levels, so levels= and trajectory=True have '
            "no use.",
            remedy='Leave them out, or choose a sampler such as "sde".',
        )
    require_exact(model.field)
    return True


def conditioned(
    model: Model,
    condition: str | Mapping[str, Any],
    drawing: Drawing,
    seed: int,
    context: FloatArray | None,
) -> FloatArray:
    """Standardized rows [n_rows, n_components] in which columns are held or bounded.

    Parameters
    ----------
    model : Model
    condition : str or mapping
        As in `parse_conditions`.
    drawing : Drawing
    seed : int
    context : float array or None

    Raises
    ------
    OptionError
        If several series are asked for, or the condition cannot be read or met.
    """
    if drawing.n_series > 1:
        raise OptionError(
            "condition= draws rows of a table, or one stretch of a series.",
            remedy="Leave n_series (--series-count) at 1.",
        )
    if drawing.method == "exact":
        require_exact(model.field)
    standardizer = model.standardizer
    kinds = zip(standardizer.names, standardizer.kinds, strict=True)
    truth_values = [name for name, kind in kinds if kind == "boolean"]
    wanted = parse_conditions(condition, standardizer.labels, truth_values)
    flat = None if context is None else context.reshape(len(context), -1)
    return conditional_rows(model.unrolled, wanted, drawing, flat, seed).T
