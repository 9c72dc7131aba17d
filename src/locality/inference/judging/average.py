"""The exponentially weighted average over time: what a row adds fades with the rows after it.

    s_t = (1 − α) s_{t-1} + α x_t

Written as products with a small triangular matrix, block by block, it runs at the speed of memory
for many components at once.
"""

import numpy as np

from locality._typing import FloatArray

__all__ = ["exponential_average"]

_BLOCK = 32  # rows of a product


def exponential_average(values: FloatArray, weight: float, start: float = 0.0) -> FloatArray:
    """Running average along the rows.

    Parameters
    ----------
    values : float array [..., n_rows, n_components]
    weight : float
        α, in (0, 1]; 1 forgets all but the row itself.
    start : float, default 0.0
        The average before the first row.

    Returns
    -------
    float array of the same shape
        The values themselves if all else is forgotten.

    Examples
    --------
    >>> exponential_average(np.array([[1.0], [0.0], [0.0]]), 0.5).ravel().tolist()
    [0.5, 0.25, 0.125]
    """
    if weight == 1.0:
        return values
    age = np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK))
    kept = np.where(age >= 0, weight * (1.0 - weight) ** np.maximum(age, 0), 0.0)
    fading = (1.0 - weight) ** np.arange(1, _BLOCK + 1)[:, None]
    result = np.empty(values.shape)
    before = np.full((*values.shape[:-2], 1, values.shape[-1]), start)
    for first in range(0, values.shape[-2], _BLOCK):
        part = values[..., first : first + _BLOCK, :]
        n = part.shape[-2]
        here = kept[:n, :n] @ part + fading[:n] * before
        result[..., first : first + n, :] = here
        before = here[..., -1:, :]
    return result
