"""Links: evidence that pairs of columns depend on each other, gathered and thinned out.

A link (i, j, lag) with i < j says that column i leads column j by ``lag`` rows (negative: j leads
i). Each rests on one statistic z, standard normal if there is no direct dependence. The same link
may be tested from both of its ends; it then counts with the weaker of its two tests, so that a
column whose conditions were incomplete cannot invent an edge alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import log_ndtr, ndtr

from locality._typing import BoolArray, FloatArray, IntArray

__all__ = ["Links", "first_of_runs", "limit_degrees"]


@dataclass(frozen=True, eq=False)
class Links:
    """Tested links, one per entry.

    Attributes
    ----------
    i, j : int arrays [n_links]
        The pair, i < j.
    lag : int array [n_links]
        Rows by which i leads j.
    order_i, order_j : int arrays [n_links]
        Which feature of either column was tested; both 1 where the test is linear.
    correlation : float array [n_links]
        Partial correlation, signed.
    z : float array [n_links]
        Its test statistic.
    """

    i: IntArray
    j: IntArray
    lag: IntArray
    order_i: IntArray
    order_j: IntArray
    correlation: FloatArray
    z: FloatArray

    @classmethod
    def directed(
        cls,
        target: IntArray,
        source: IntArray,
        lag: IntArray,
        correlation: FloatArray,
        z: FloatArray,
        order_target: IntArray | None = None,
        order_source: IntArray | None = None,
    ) -> "Links":
        """From tests of a target now against a source ``lag`` rows ago."""
        a = np.ones(len(target), dtype=np.int64) if order_target is None else order_target
        b = np.ones(len(target), dtype=np.int64) if order_source is None else order_source
        ahead = source < target
        return cls(
            np.minimum(target, source), np.maximum(target, source), np.where(ahead, lag, -lag),
            np.where(ahead, b, a), np.where(ahead, a, b), correlation, z,
        )  # fmt: skip

    @classmethod
    def join(cls, parts: Iterable["Links"]) -> "Links":
        """All entries of several."""
        parts = list(parts)
        if not parts:
            none = np.empty(0, dtype=np.int64)
            return cls(none, none, none, none, none, np.empty(0), np.empty(0))
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    @property
    def p_value(self) -> FloatArray:
        """Two-sided."""
        p: FloatArray = 2 * ndtr(-np.abs(self.z))
        return p

    @property
    def log_p_value(self) -> FloatArray:
        """The same as a logarithm, which does not underflow."""
        p: FloatArray = np.log(2) + log_ndtr(-np.abs(self.z))
        return p

    def __len__(self) -> int:
        return len(self.i)

    def pick(self, which: IntArray | BoolArray) -> "Links":
        """Some of the entries."""
        return Links(*(getattr(self, f.name)[which] for f in fields(self)))

    def renumber(self, names: IntArray) -> "Links":
        """The same links among columns ``names[i]``, ascending."""
        return Links(
            names[self.i], names[self.j], self.lag, self.order_i, self.order_j,
            self.correlation, self.z,
        )  # fmt: skip

    def weakest(self) -> "Links":
        """Each link and pair of features once, with the weakest of its tests."""
        keys = (self.order_j, self.order_i, self.lag, self.j, self.i)
        links = self.pick(np.lexsort((np.abs(self.z), *keys)))
        return links.pick(first_of_runs(links.i, links.j, links.lag, links.order_i, links.order_j))

    def tempered(self, other: "Links") -> "Links":
        """These links, each with the weaker of its own tests and those of the same link."""
        joined = Links.join([self, other])
        _, name = np.unique(
            np.stack([joined.i, joined.j, joined.lag, joined.order_i, joined.order_j]),
            axis=1,
            return_inverse=True,
        )
        own = np.zeros(name.max(initial=-1) + 1, dtype=bool)
        own[name[: len(self)]] = True
        return joined.pick(own[name]).weakest()

    def strongest(self) -> "Links":
        """Each pair once, at its largest correlation, sorted by (i, j)."""
        links = self.pick(np.lexsort((self.lag, -np.abs(self.correlation), self.j, self.i)))
        return links.pick(first_of_runs(links.i, links.j))


def first_of_runs(*keys: IntArray) -> BoolArray:
    """Whether each row of sorted keys differs from the one before."""
    first = np.ones(len(keys[0]), dtype=bool)
    first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return first


def limit_degrees(
    i: IntArray, j: IntArray, strength: FloatArray, n_nodes: int, n_neighbors: int
) -> BoolArray:
    """Which edges stay: the union of each node's strongest, degrees at most doubled."""
    n_edges = len(i)
    node, other = np.concatenate([i, j]), np.concatenate([j, i])
    order = np.lexsort((other, -np.concatenate([strength, strength]), node))
    rank = np.empty(2 * n_edges, dtype=np.int64)
    rank[order] = np.arange(2 * n_edges) - np.searchsorted(node[order], node[order])
    best = np.minimum(rank[:n_edges], rank[n_edges:])  # the edge's rank at its prouder end
    wanted = np.flatnonzero(best < n_neighbors)
    stays = np.zeros(n_edges, dtype=bool)
    degree = np.zeros(n_nodes, dtype=np.int64)
    for edge in wanted[np.lexsort((-strength[wanted], best[wanted] > 0))]:
        if max(degree[i[edge]], degree[j[edge]]) < 2 * n_neighbors:
            stays[edge] = True
            degree[i[edge]] += 1
            degree[j[edge]] += 1
    return stays
