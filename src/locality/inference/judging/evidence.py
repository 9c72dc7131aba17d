"""Evidence: how long normal rows may go without a false alarm, with a lower bound.

A share of rows is no design: at one row a minute 1 % are 14 alarms a day. Asked is instead for at
most one false *episode* in A rows. For every sensor, every size λ and both signs, and for the nats
of all sensors together, evidence that a change began at any row before t follows

    M(t) = (M(t−1) + 1) exp( λ ψ(t) − κ(λ) ) ,     E exp(λ ψ) ≤ exp κ(λ) on normal rows ,

an e-detector (Shin, Ramdas, Rinaldo, 2022, *E-detectors: a nonparametric framework for sequential
change detection*, arXiv 2203.03532). M(t) − t is a supermartingale on normal rows, and so is the
mean of several, so that the first time at which their mean reaches A comes after at least A rows
on average. ψ is the innovation, bounded; κ comes from normal rows: the larger of their own
logarithmic moment, and that of a normal law with the variance of means over blocks, which is larger
if rows resemble each other, with three standard errors added, since the rows are few.

An alarm begins when the mean reaches A, and ends when it has fallen to √A. From there the next
false one comes after A − √A rows at least, on average.
"""

import numpy as np

from locality._typing import BoolArray, FloatArray

__all__ = ["Evidence", "bounds_of", "rows_needed"]

SIZES = (0.5, 1.0, 2.0)
"""Shifts that are looked for, in spreads of innovations."""

_BOUND = 3.0  # spreads
_BLOCK = 16  # rows
_ERRORS = 3.0  # standard errors added: the worst of many sensors must be right, too
_CEILING = 2.0  # nats above an alarm
_LOSS = 0.25  # nats of a row that few normal rows may cost


def scores(away: FloatArray, nats: FloatArray, mean: float, deviation: float) -> FloatArray:
    """ψ of all sensors, and of their nats together [n_rows, n_components + 1].

    The latter in units of two deviations: their tails are heavier.
    """
    whole = 0.5 * np.clip((nats - mean) / max(deviation, 1e-9), -_BOUND, _BOUND)
    return np.column_stack([np.clip(away, -_BOUND, _BOUND), whole])


def bounds_of(psi: FloatArray) -> FloatArray:
    """κ of every score, size and sign [n_scores, n_sizes, 2], from normal rows.

    Parameters
    ----------
    psi : float array [n_rows, n_scores]
        In order of time.
    """
    n = len(psi)
    mean, variance = psi.mean(axis=0), psi.var(axis=0)
    n_blocks = n // _BLOCK
    if n_blocks > 1:
        blocks = psi[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK, -1).mean(axis=1)
        variance = np.maximum(variance, _BLOCK * blocks.var(axis=0))
    found = np.empty((psi.shape[1], len(SIZES), 2))
    for k, size in enumerate(SIZES):
        for side, sign in enumerate((1.0, -1.0)):
            own = np.exp(sign * size * psi)
            level = own.mean(axis=0)
            direct = np.log(level + _ERRORS * own.std(axis=0) / np.sqrt(n))
            normal = sign * size * mean + 0.5 * size**2 * variance
            normal += _ERRORS * size * np.sqrt(variance / n)
            found[:, k, side] = np.maximum(direct, normal)
    return found


def rows_needed() -> int:
    """Normal rows from which a promise can be carried: what their number costs the evidence of a
    shift of one spread is then less than half of it.
    """
    return int(np.ceil((_ERRORS / _LOSS) ** 2))


class Evidence:
    """Evidence for a change, row by row.

    Parameters
    ----------
    bounds : float array [n_scores, n_sizes, 2]
        From ``bounds_of``.
    n_rows : float
        A: rows from one false episode to the next, at least, on average.
    state : float array [n_scores, n_sizes, 2], optional
        log M so far.
    in_alarm : bool
    """

    def __init__(
        self,
        bounds: FloatArray,
        n_rows: float,
        state: FloatArray | None = None,
        *,
        in_alarm: bool = False,
    ) -> None:
        self.bounds = bounds
        self.limit = float(np.log(n_rows))
        self.state = np.full(bounds.shape, -np.inf) if state is None else np.array(state)
        self.in_alarm = in_alarm
        weights = np.full(bounds.shape, 0.5 / (bounds[:-1].size or 1))
        # half of the weight for all sensors together, whose nats may not rise
        weights[-1] = [0.5 / bounds.shape[1], 0.0]
        with np.errstate(divide="ignore"):
            self._weights = np.log(weights)
        self._sizes = np.array(SIZES)[:, None] * np.array([1.0, -1.0])

    def take(self, psi: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Logarithm of the evidence after each row, and whether there is an alarm [n_rows].

        Parameters
        ----------
        psi : float array [n_rows, n_scores]
            From ``scores``.
        """
        found, alarm = np.empty(len(psi)), np.zeros(len(psi), dtype=bool)
        for t, row in enumerate(psi):
            steps = row[:, None, None] * self._sizes - self.bounds
            self.state = np.logaddexp(self.state, 0.0) + steps
            weighted = self.state + self._weights
            top = float(weighted.max())
            found[t] = top + float(np.log(np.exp(weighted - top).sum()))
            if found[t] >= self.limit:
                self.in_alarm = True
            elif found[t] <= 0.5 * self.limit:
                self.in_alarm = False
            alarm[t] = self.in_alarm
            over = self.state + self._weights - (self.limit + _CEILING)
            self.state -= np.maximum(over, 0.0)
        return found, alarm
