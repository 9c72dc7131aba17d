"""Preconditioned conjugate gradients (Hestenes and Stiefel, 1952) for many systems side by side.

An array holds all systems; sums run over the axis of the unknowns, so that every system takes steps
of its own and stops by itself: when its residual is small in the norm of the preconditioner, or
when the matrix turns out not to be positive along a direction, where steps lead nowhere.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["conjugate_gradients"]

Real = TypeVar("Real", np.float32, np.float64)


def conjugate_gradients(
    apply: Callable[[NDArray[Real]], NDArray[Real]],
    right: NDArray[Real],
    diagonal: NDArray[Real],
    *,
    axis: int | None,
    tolerance: float,
    most_steps: int,
    start: NDArray[Real] | None = None,
) -> NDArray[Real]:
    """Solve A x = right for symmetric positive definite A.

    Parameters
    ----------
    apply : callable
        Product of A with an array of the shape of ``right``.
    right : float array
        In single or double precision, which all of the work is then done in.
    diagonal : float array, broadcastable to ``right``
        Positive; the preconditioner, commonly the diagonal of A.
    axis : int or None
        Axis of the unknowns of one system, all others counting systems; None if there is one.
    tolerance : float
        Of the residual, relative to the right-hand side.
    most_steps : int
    start : float array, optional
        First guess, default 0.

    Returns
    -------
    float array of the shape of ``right``
        Of a system that has stopped early, the best found.
    """

    def total(values: NDArray[Real]) -> NDArray[Real]:
        return np.asarray(values.sum(axis=axis, keepdims=True))

    x = np.zeros_like(right) if start is None else start.copy()
    r = right.copy() if start is None else np.asarray(right - apply(x), dtype=right.dtype)
    z = np.asarray(r / diagonal, dtype=right.dtype)
    p, power = z.copy(), total(r * z)
    enough = tolerance**2 * total(right**2 / diagonal) + 1e-20
    for _ in range(most_steps):
        going = power > enough
        if not going.any():
            break
        q = apply(p)
        curvature = total(p * q)
        going &= curvature > 0
        step = np.where(going, power, 0) / np.where(going, curvature, 1)
        x += step * p
        r -= step * q
        z = np.asarray(r / diagonal, dtype=right.dtype)
        after = np.where(going, total(r * z), 0)
        p = np.asarray(z + after / np.where(going, power, 1) * p, dtype=right.dtype)
        power = after
    return x
