"""Rounding: new rows that are coarser than those of the fit, so that it matters.

A model that learned how 0.000001 of a level fits its neighbors takes every value of a file with
two decimals for a fault. What rounding adds, a uniform law of deviation step/√12, is compared with
what the model leaves open about a value given its neighborhood.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.data.resolution import decimal_step

__all__ = ["rounding_warnings"]

_COARSER = 10.0  # times the step of the fit
_MATTERS = 0.3  # of the conditional standard deviation
_LEAST_DISTINCT = 5  # values, from which a step is told
_LISTED = 5


@dataclass(frozen=True)
class _Coarse:
    """A column whose new step is too coarse; ``fitted`` is 0 if there was none."""

    name: str
    step: float
    fitted: float

    def __str__(self) -> str:
        fitted = f"{_number(self.fitted)}" if self.fitted else "no rounding"
        return f"{self.name}: {_number(self.step)} against {fitted}"


def rounding_warnings(model: Any, values: FloatArray) -> list[str]:
    """A sentence on columns that are rounded too coarsely, or nothing.

    Parameters
    ----------
    model : Model
        Of rows.
    values : float array [n_rows, n_columns]
        New rows, in the columns of the fit.
    """
    coarse = _coarse_columns(model, values)
    if not coarse:
        return []
    columns, verb = ("1 column", "is") if len(coarse) == 1 else (f"{len(coarse):,} columns", "are")
    more = ", …" if len(coarse) > _LISTED else ""
    return [
        f"{columns} {verb} rounded more coarsely than in the fit "
        f"({', '.join(map(str, coarse[:_LISTED]))}{more}): what is finer than that will look "
        f"abnormal. Fit again with --noise {_noise(coarse)}."
    ]


def _coarse_columns(model: Any, values: FloatArray) -> list[_Coarse]:
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
            found.append(_Coarse(name, step, fitted))
    return found


def _noise(coarse: list[_Coarse]) -> str:
    """Half the step of every column, as the option has it."""
    if len({column.step for column in coarse}) == 1:
        return _number(coarse[0].step / 2)
    listed = ",".join(f"{column.name}={_number(column.step / 2)}" for column in coarse[:_LISTED])
    return listed + ",…" * (len(coarse) > _LISTED)


def _number(value: float) -> str:
    """A decimal as people write it.

    >>> _number(1e-6), _number(0.005), _number(0.5)
    ('0.000001', '0.005', '0.5')
    """
    return f"{value:.10f}".rstrip("0").rstrip(".")
