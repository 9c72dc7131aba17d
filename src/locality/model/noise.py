"""Measurement noise: what a user states of it, column by column."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from locality.data.table import Table
from locality.exceptions import DataError, OptionError

__all__ = ["noise_of"]


def noise_of(noise: Any, table: Table) -> dict[str, float]:
    """Measurement noise by column.

    Parameters
    ----------
    noise : None, float or mapping of str to float
        As in ``LocalizedDiffusion``; a single number holds for all columns of real numbers.
    table : Table

    Raises
    ------
    DataError
        A column is not in the table, or holds states.
    OptionError
        A deviation is no number ≥ 0.
    """
    kind = dict(zip(table.names, table.kinds, strict=True))
    if noise is None:
        return {}
    if not isinstance(noise, Mapping):
        return {name: float(noise) for name in table.names if kind[name] == "real"}
    for name, deviation in noise.items():
        if name not in kind:
            raise DataError(f"noise names {name!r}, which is not a column of the table.")
        if kind[name] in ("boolean", "category"):
            raise DataError(f"noise names {name!r}, which holds states and has no such noise.")
        is_number = isinstance(deviation, Real) and not isinstance(deviation, bool)
        if not (is_number and 0 <= float(deviation) < np.inf):
            raise OptionError(f"noise of {name!r} must be a number ≥ 0, found {deviation!r}.")
    return {str(name): float(deviation) for name, deviation in noise.items()}
