"""Resolution: how finely a column was recorded.

A historian that stores two decimals turns a smooth signal into steps of 0.01. A model learned from
finer values takes such steps for faults, so the step is kept, to be compared with that of new rows.
"""

import numpy as np

from locality._typing import FloatArray

__all__ = ["decimal_step"]

_MOST_ROWS = 2_000
_MOST_DECIMALS = 9
_LEAST_ROOM = 0.05  # of a step, that number formats may blur


def decimal_step(values: FloatArray) -> float:
    """The largest of 1, 0.1, 0.01, … that all values are multiples of; 0 if none down to 1e-9 is.

    Values that were stored in 32 bits count as multiples if they are up to those bits.

    Parameters
    ----------
    values : float64 array [n_rows]
        NaN where missing; at most 2,000 rows, evenly spread, are looked at.

    Examples
    --------
    >>> decimal_step(np.array([20.5, 21.25, np.nan])), decimal_step(np.array([3.0, 4.0]))
    (0.01, 1.0)
    >>> decimal_step(np.array([np.pi, np.e]))
    0.0
    """
    x = values[~np.isnan(values)]
    if not len(x):
        return 0.0
    x = x[np.linspace(0, len(x) - 1, min(len(x), _MOST_ROWS)).astype(np.int64)]
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.array_equal(x.astype(np.float32), x)
    blur = (np.finfo(np.float32).eps if narrow else 4.0 * np.finfo(np.float64).eps) * np.abs(x)
    for decimals in range(_MOST_DECIMALS + 1):
        scaled, room = x * 10.0**decimals, blur * 10.0**decimals
        if decimals and room.max() > _LEAST_ROOM:
            break  # the number format itself is coarser
        if (np.abs(scaled - np.rint(scaled)) <= room).all():
            return float(10.0**-decimals)
    return 0.0
