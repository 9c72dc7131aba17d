"""The piece of a table that a plan is calibrated on.

A plan may take seconds where a fit takes hours, so large tables are cut down: to columns that
belong together (a random choice would tear neighborhoods apart and make them look cheap) and to so
many rows that the cost per row is known. Whatever is left out is put back by counting: shards and
rows exactly, the cost of learning a graph by a power law through two numbers of columns.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from scipy.sparse.csgraph import breadth_first_order

from locality._typing import FloatArray, IntArray
from locality.analysis.check.memory import related_columns
from locality.data.table import Table
from locality.data.transforms_fit import fit_standardizer
from locality.domain import DependencyGraph, Domain
from locality.model.domains import build_domain
from locality.model.layout import stacked
from locality.model.noise import noise_of
from locality.model.settings import Settings

__all__ = ["Piece"]

_MAX_COLUMNS = 640
_MAX_EXAMPLES = 4_000
_MAX_GRAPH_ROWS = 20_000
_FIRST_COLUMNS = 150  # a graph over these says what one over all would cost
_GRAPH_SECONDS = 1.2  # that may be spent to find out

_Build = Callable[[IntArray, int], tuple[Domain, float]]


@dataclass(frozen=True, eq=False)
class Piece:
    """Columns and rows of a table, and what the whole of it costs up to here.

    Parameters
    ----------
    domain : Domain
        Of the columns of the piece.
    state : float64 array [n_nodes, *extent, n_samples]
        Of its rows.
    n_targets : int
        Components of the whole table.
    n_edges : int
        Of the whole graph; estimated if only a part of it was learned.
    n_rows : int
        Of the whole table.
    table_seconds, graph_seconds : float
        For the whole table.
    """

    domain: Domain
    state: FloatArray
    n_targets: int
    n_edges: int
    n_rows: int
    table_seconds: float
    graph_seconds: float

    @property
    def n_examples(self) -> int:
        """Rows of the piece."""
        return int(self.state.shape[self._row_axis])

    @property
    def row_share(self) -> float:
        """Rows of the piece by rows of the table."""
        return self.n_examples / self.n_rows

    def rows(self, n: int) -> FloatArray:
        """The state of the first n rows."""
        return self.state[:, :n] if self._row_axis == 1 else self.state[..., :n]

    @property
    def _row_axis(self) -> int:
        return 1 if any(axis.is_series for axis in self.domain.axes) else -1

    @classmethod
    def of(cls, table: Table, settings: Settings, graph: Any) -> "Piece":
        """Standardize a table, find or take its graph, and cut it down.

        Parameters
        ----------
        table : Table
        settings : Settings
        graph : object
            As in ``LocalizedDiffusion``.

        Raises
        ------
        DataError
            If values are missing or nothing varies.
        GraphError
            If the graph does not fit the columns.
        """
        start = perf_counter()
        table.require_complete()
        tied = settings.tied
        standardizer = fit_standardizer(
            table,
            gaussianize=settings.gaussianize,
            noise=noise_of(settings.noise, table),
            pooled=tied,
        )
        z = standardizer.training_rows(table.values)
        table_seconds = perf_counter() - start
        names = standardizer.modeled_names

        def build(columns: IntArray, n_rows: int) -> tuple[Domain, float]:
            start = perf_counter()
            part = z[:n_rows, columns]
            chosen = [names[j] for j in columns]
            domain = build_domain(part, chosen, table.names, graph=graph, settings=settings)
            return domain, perf_counter() - start

        context = np.flatnonzero(np.isin(names, settings.context))
        n_targets, columns = len(names) - len(context), np.arange(len(names))
        if isinstance(graph, str) and graph == "learn":
            domain, columns, seconds = _learned(z, context, build)
            n_edges = round(domain.graph.n_edges * len(names) / len(columns))
        else:
            whole, seconds = build(columns, 1)
            n_edges, domain = whole.graph.n_edges, whole
            if not tied:
                columns = _ball(whole, context)
                domain = _restricted(whole, columns)
        if tied:
            n_targets = 1
        n_rows = min(len(z), max(20, _MAX_EXAMPLES // (len(names) if tied else 1)))
        state = stacked(z[None, :n_rows, columns], domain)
        return cls(domain, state, n_targets, n_edges, len(z), table_seconds, seconds)


def _learned(z: FloatArray, context: IntArray, build: _Build) -> tuple[Domain, IntArray, float]:
    """A graph over as many columns as time permits, and the seconds of one over all."""
    free = np.setdiff1d(np.arange(z.shape[1]), context)
    n, n_rows = len(free), min(len(z), _MAX_GRAPH_ROWS)

    def first(size: int) -> IntArray:
        if size == n:
            return np.arange(z.shape[1])
        return np.sort(np.concatenate([free[related_columns(z[:, free], size)], context]))

    size = min(n, _FIRST_COLUMNS)
    columns = first(size)
    domain, seconds = build(columns, n_rows)
    power = 0.0
    if size < n:
        most = size * (_GRAPH_SECONDS / seconds) ** 0.5
        wider = int(np.clip(most, 1.5 * size, _MAX_COLUMNS))
        wider = n if wider >= n else wider
        columns = first(wider)
        domain, longer = build(columns, n_rows)
        power = float(np.clip(np.log(longer / seconds) / np.log(wider / size), 1.0, 2.5))
        size, seconds = wider, longer
    return domain, columns, seconds * (n / size) ** power * len(z) / n_rows


def _ball(domain: Domain, context: IntArray) -> IntArray:
    """Nodes around one of the targets, and all context."""
    if domain.n_nodes <= _MAX_COLUMNS:
        return np.arange(domain.n_nodes)
    graph = domain.graph.to_scipy()
    targets, order = domain.targets, []
    left = np.isin(np.arange(domain.n_nodes), targets)
    count = 0
    while count < _MAX_COLUMNS and left.any():
        seed = int(np.argmax(left))
        reached = breadth_first_order(graph, seed, directed=False, return_predecessors=False)
        reached = reached[left[reached]]
        order.append(reached[: _MAX_COLUMNS - count])
        count += len(order[-1])
        left[reached] = False
    return np.sort(np.concatenate([*order, context]))


def _restricted(domain: Domain, nodes: IntArray) -> Domain:
    """The domain of some nodes only."""
    if len(nodes) == domain.n_nodes:
        return domain
    matrix = domain.graph.to_scipy().tocsr()[nodes][:, nodes]
    return replace(
        domain,
        graph=DependencyGraph.from_scipy(matrix),
        names=tuple(domain.names[j] for j in nodes),
        context=tuple(np.flatnonzero(np.isin(nodes, domain.context)).tolist()),
    )
