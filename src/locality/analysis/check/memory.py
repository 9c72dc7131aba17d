"""Memory: how many rows of the past a table needs, and how far back to look for delays.

Rows in no order need none: if hardly any column is correlated with any column, itself included, up
to three rows ago, there is no series. Otherwise local models of some columns that belong together
are fitted with more and more lags, and the smallest number that is within a hundredth of a nat per
column of the best is taken.
"""

from collections import deque

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.domain import Axis, Domain
from locality.domain.discovery import learn_linear_graph
from locality.exceptions import OptionError
from locality.model.layout import stacked
from locality.training.trainer import Trainer

__all__ = ["choose_lags", "related_columns", "require_lags", "search_depth"]

_CANDIDATES = (1, 2, 3, 5)
_COLUMNS = 24
_ROWS = 4_000
_GOOD_ENOUGH = 0.01  # nats per column
_SERIAL = 1.5  # standard errors beyond the largest of as many correlations by chance
_NEAR_PAST = (1, 2, 3)  # rows
_SHARE = 0.1  # of columns that must repeat themselves
_DEPTH = 20  # rows
_ROWS_PER_LAG = 20
_TESTS = 5_000  # columns × lags searched for delays


def choose_lags(z: FloatArray) -> int:
    """Rows of the past that a model of the table should be given.

    Parameters
    ----------
    z : float array [n_rows, n_columns]
        Standardized and complete, in the order of the table.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.standard_normal((500, 5))
    >>> choose_lags(z)
    0
    >>> choose_lags(z.cumsum(axis=0)[:, :2] * 0.1) > 0
    True
    """
    n = len(z)
    if not _is_series(z):
        return 0
    columns = np.sort(related_columns(z, min(_COLUMNS, z.shape[1])))
    part = z[:_ROWS, columns]
    part = part - part.mean(axis=0)
    names = tuple(f"x{j}" for j in range(len(columns)))
    candidates = [lags for lags in _CANDIDATES if n >= _ROWS_PER_LAG * (lags + 1)]
    nats = []
    for lags in candidates:
        graph = learn_linear_graph(part, lags, min(8, max(1, len(columns) - 1)), 0.9).graph
        domain = Domain(graph, names, (Axis("time", window=(lags, 0)),))
        trained = Trainer(domain, max_slots=64).train(stacked((part)[None], domain))
        nats.append(sum(float(shard.held_out.sum()) for shard in trained.shards))
    if not nats:
        return 0
    enough = np.array(nats) <= min(nats) + _GOOD_ENOUGH * len(columns)
    return candidates[int(enough.argmax())]


def related_columns(z: FloatArray, n: int) -> IntArray:
    """Columns that belong together: grown from the first one by strongest correlation.

    Parameters
    ----------
    z : float array [n_rows, n_columns]
        Standardized.
    n : int
        How many.

    Returns
    -------
    int array [n]
        In the order of growth.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 3))
    >>> related_columns(np.hstack([x, x + 0.1]), 2).tolist()
    [0, 3]
    """
    some = z[:: max(1, len(z) // 300)]
    order: list[int] = []
    seen = np.zeros(z.shape[1], dtype=bool)
    queue: deque[int] = deque()
    while len(order) < n:
        if not queue:
            queue.append(int(np.argmin(seen)))
            seen[queue[0]] = True
        column = queue.popleft()
        order.append(column)
        nearest = np.argsort(-np.abs(some[:, column] @ some))[:6]
        queue.extend(nearest[~seen[nearest]].tolist())
        seen[nearest] = True
    return np.array(order)


def require_lags(lags: object, n_rows: int) -> None:
    """Refuse lags that are neither "auto" nor a whole number of rows, or more than can be judged.

    Raises
    ------
    OptionError
    """
    whole = isinstance(lags, int | np.integer) and not isinstance(lags, bool) and lags >= 0
    if not (whole or (isinstance(lags, str) and lags == "auto")):
        raise OptionError(f'lags must be "auto" or a whole number of rows ≥ 0, found {lags!r}.')
    most = n_rows // _ROWS_PER_LAG
    if lags != "auto" and lags > most:  # type: ignore[operator]
        raise OptionError(
            f"lags={lags} are too many for {n_rows} rows; at most {most} can be judged."
        )


def _is_series(z: FloatArray) -> bool:
    """Whether a tenth of the columns follow some column of earlier rows."""
    n, d = z.shape
    cut = (np.sqrt(2 * np.log(2 * d * len(_NEAR_PAST))) + _SERIAL) / np.sqrt(n)
    follows = np.zeros(d, dtype=bool)
    for lag in _NEAR_PAST:
        follows |= (np.abs(z[lag:].T @ z[:-lag]) / n > cut).any(axis=1)
    return bool(follows.mean() >= _SHARE)


def search_depth(n_rows: int, n_columns: int, lags: int) -> int:
    """Rows back that are searched for delays: 20, less where rows are few or columns many.

    Examples
    --------
    >>> search_depth(2000, 50, 2), search_depth(2000, 50, 0), search_depth(200, 50, 1)
    (20, 0, 10)
    """
    if not lags:
        return 0
    return max(lags, min(_DEPTH, n_rows // _ROWS_PER_LAG, _TESTS // n_columns))
