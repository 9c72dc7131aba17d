"""Rounding: new rows that are coarser than those of the fit, so that it matters.

A model that learned how 0.000001 of a level fits its neighbors takes every value of a file with
two decimals for a fault. What rounding adds, a uniform law of deviation step/√12, is compared with
what the model leaves open about a value given its neighborhood.
"""

import math
from dataclasses import dataclass

import numpy as np

from locality._typing import FloatArray
from locality.data.resolution import decimal_step
from locality.model.model import Model

__all__ = ["CoarseColumn", "coarse_columns"]

_COARSER = 10.0  # times the step of the fit
_MATTERS = 0.3  # of the conditional standard deviation
_LEAST_DISTINCT = 5  # values, from which a step is told


@dataclass(frozen=True)
class CoarseColumn:
    """A column whose new values are rounded too coarsely.

    Parameters
    ----------
    name : str
    step, fitted : float
        Of the new values and of those of the fit, in units of the table; 0 if there was none.
    """

    name: str
    step: float
    fitted: float


def coarse_columns(model: Model, values: FloatArray) -> list[CoarseColumn]:
    """Columns rounded so coarsely that what is finer will look abnormal.

    Parameters
    ----------
    model : Model
        Of rows.
    values : float array [n_rows, n_columns]
        New rows, in the columns of the fit.
    """
    model = model.unrolled
    standardizer, domain = model.standardizer, model.domain
    names = list(standardizer.modeled_names)
    left_open = dict(
        zip((domain.names[node] for node in domain.targets), model.field.conditional_scale,
            strict=True)
    )  # fmt: skip
    found = []
    slope = standardizer.log_slope(values) if len(values) else np.zeros((0, len(names)))
    for place, name in enumerate(names):
        if name not in left_open:  # a given column is not judged
            continue
        x, fitted = values[:, standardizer.modeled[place]], float(standardizer.steps[place])
        law = standardizer.marginals.get(place)
        free = ~np.isnan(x) & ~np.isin(x, [] if law is None else law.atoms)
        if len(np.unique(x[free])) < _LEAST_DISTINCT:
            continue
        step = decimal_step(x[free])
        error = step / math.sqrt(12.0)
        unit = np.exp(-np.median(slope[free, place]))  # of a component, in units of the table
        if (
            step > 0.99 * _COARSER * fitted
            and error > _MATTERS * unit * left_open[name]
            and error > float(standardizer.blur[place, 1])
        ):
            found.append(CoarseColumn(name, step, fitted))
    return found
