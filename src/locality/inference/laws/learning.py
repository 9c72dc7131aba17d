"""Laws of rows learned from rows: by which innovations are judged, and held-out rows before.

Moments are summed part by part of the table, so that the law without a part, which is to judge it,
costs no second pass over the rows. Few sensors may look at everything; where there are many, each
looks at its neighborhood, and the moments are those of the sources of its shard.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from locality._typing import BoolArray, FloatArray, IntArray
from locality.inference.laws.assembly import assembled, rows_extent
from locality.inference.laws.conditional import ConditionalLaw
from locality.inference.laws.row_law import RowLaw
from locality.inference.laws.sequential import SequentialLaw, regressions, sequence
from locality.local.field import ScoreField

__all__ = ["MOST_SEEN", "LawMoments", "looks_across"]

MOST_SEEN = 400
"""Values, of a row and its past, up to which every sensor looks at all of them."""

_FLOOR = 1e-9  # of a variance, total variance being 1
_LESS = (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)  # times the usual weight of the identity


@dataclass(frozen=True, eq=False)
class LawMoments:
    """Sums of products of rows and their past, by part of the table.

    Parameters
    ----------
    field : ScoreField
        Who looks at whom, where there are many.
    n_lags : int
    is_local : bool
        Whether sensors look at their neighborhoods alone.
    sums : list of float arrays [n_parts, n_sources, n_sources]
        Of all values of a row and its past, the oldest first; or of each shard.
    counts : int array [n_parts]
        Rows.
    """

    field: ScoreField
    n_lags: int
    is_local: bool
    sums: list[FloatArray]
    counts: IntArray

    @classmethod
    def of(
        cls,
        field: ScoreField,
        rows: FloatArray,
        part: IntArray,
        *,
        local: bool = False,
        skipped: BoolArray | None = None,
    ) -> "LawMoments":
        """Sum over rows.

        Parameters
        ----------
        field : ScoreField
            Of a table or causal series.
        rows : float array [n_nodes, n_rows]
            Complete, about zero.
        part : int array [n_rows]
            0, 1, …; in order.
        local : bool, default False
            Look at neighborhoods even if there are few sensors.
        skipped : bool array [n_rows], optional
            Rows that are the past of others, but are not counted themselves.
        """
        axes = field.domain.axes
        n_lags = axes[0].window[0] if axes and axes[0].window else 0
        n_nodes = len(rows)
        local = local or n_nodes * (n_lags + 1) > MOST_SEEN
        if not local:
            sources = [(np.tile(np.arange(n_nodes), n_lags + 1),
                        np.repeat(np.arange(n_lags, -1, -1), n_nodes))]  # fmt: skip
        else:
            sources = [
                (shard.source_node, -shard.source_offset.sum(axis=1)) for shard in field.shards
            ]
        n_parts = int(part[-1]) + 1
        used = np.arange(len(part)) >= n_lags
        if skipped is not None:
            used &= ~skipped
        sums = []
        for node, lag in sources:
            found = np.zeros((n_parts, len(node), len(node)))
            for k in range(n_parts):
                at = np.flatnonzero((part == k) & used)
                z = np.stack([rows[i, at - back] for i, back in zip(node, lag, strict=True)])
                found[k] = z.astype(np.float64) @ z.T.astype(np.float64)
            sums.append(found)
        counts = np.bincount(part[used], minlength=n_parts)
        return cls(field, n_lags, local, sums, counts)

    def _covariances(self, without: int | None) -> tuple[list[FloatArray], int]:
        """Of all parts or all but one, and how many rows they are of."""
        used = np.arange(len(self.counts)) != (-1 if without is None else without)
        n = max(int(self.counts[used].sum()), 1)
        return [part[used].sum(axis=0) / n for part in self.sums], n

    def _field(self, without: int | None) -> ScoreField:
        shards = tuple(
            replace(shard, covariance=covariance)
            for shard, covariance in zip(
                self.field.shards, self._covariances(without)[0], strict=True
            )
        )
        return ScoreField(self.field.domain, shards)

    def laws(self, without: int | None = None) -> tuple[SequentialLaw, ...]:
        """Of all parts, or of all but one, by the number of rows before."""
        if self.is_local:
            return SequentialLaw.of(self._field(without))
        (covariance,), n_rows = self._covariances(without)
        return self._seeing_all(_shrunk(covariance, self.less * _usual_weight(covariance, n_rows)))

    @cached_property
    def less(self) -> float:
        """By how much less than usual the moments of few sensors are shrunk; 1 if of one part.

        The usual weight of the identity suits independent Gaussian rows, but what sensors fit each
        other by may be far below it. It is one for all laws, so that what is left of a part that
        was not learned from is what is left of later rows.
        """
        nats, n_rows = np.zeros(len(_LESS)), int(self.counts.sum())
        if np.count_nonzero(self.counts) < 2:
            return 1.0
        for held, n in zip(self.sums[0], self.counts.tolist(), strict=True):
            others = (self.sums[0].sum(axis=0) - held) / max(n_rows - n, 1)
            values, vectors = np.linalg.eigh(others)
            weight = np.array(_LESS)[:, None] * _usual_weight(others, n_rows - n)
            variance = (1.0 - weight) * values + np.maximum(weight * values.mean(), _FLOOR)
            square = np.einsum("ij,ij->j", vectors, held @ vectors)
            nats += (n * np.log(variance) + square / variance).sum(axis=1)
        return _LESS[int(nats.argmin())]

    def conditionals(self, without: int | None = None) -> tuple[ConditionalLaw, ...]:
        """Of every component given its neighborhood, of all parts or of all but one.

        By regression within neighborhoods; only of moments that are local.
        """
        field = self._field(without)
        domain, extent = field.domain, rows_extent(field)
        parts = [
            (shard, *regressions(shard, *shard.sources.inside(domain, extent)))
            for shard in field.shards
        ]
        return tuple(
            ConditionalLaw(domain.targets, tuple(by_lag), scale)
            for by_lag, scale in assembled(field, parts)
        )

    def law(self, center: FloatArray, unit: FloatArray, without: int | None = None) -> RowLaw:
        """The same as rows are judged by it."""
        return RowLaw.of(self.field.domain, self.laws(without), center, unit)

    def _seeing_all(self, covariance: FloatArray) -> tuple[SequentialLaw, ...]:
        """By Cholesky factors: the past and context come first, then one sensor after another."""
        domain, n_nodes = self.field.domain, self.field.domain.n_nodes
        targets = domain.targets
        context = np.array(domain.context, dtype=np.int64)
        in_order = targets[np.argsort(sequence(domain)[targets], kind="stable")]
        place = np.searchsorted(targets, in_order)
        found = []
        for n_past in range(self.n_lags + 1):
            first = (self.n_lags - n_past) * n_nodes
            present = self.n_lags * n_nodes
            chosen = np.concatenate(
                [np.arange(first, present), present + context, present + in_order]
            )
            factor = _factor(covariance[np.ix_(chosen, chosen)])
            n = len(targets)
            lower = factor[-n:, -n:]
            scale = np.diag(lower)
            # rows of the inverse factor: what is left of each sensor, in units of its scale
            own = solve_triangular(lower, np.eye(n), lower=True)
            others = (
                -own
                @ solve_triangular(factor[:-n, :-n], factor[-n:, :-n].T, lower=True, trans="T").T
            )
            weights = np.zeros((n, (n_past + 1) * n_nodes))
            weights[np.ix_(place, chosen - first)] = np.hstack([others, own]) * scale[:, None]
            by_lag = weights.reshape(n, n_past + 1, n_nodes)[:, ::-1]
            spread = np.empty(n)
            spread[place] = scale
            found.append(
                SequentialLaw(
                    sp.csr_array(by_lag[:, 0][:, targets]),
                    tuple(sp.csr_array(-by_lag[:, k][:, targets]) for k in range(1, n_past + 1)),
                    tuple(sp.csr_array(-by_lag[:, k][:, context]) for k in range(n_past + 1)),
                    spread,
                )
            )
        return tuple(found)


def looks_across(lengths: Sequence[int], n_lags: int) -> BoolArray:
    """Rows of several runs, one after the other, that look back into another one [n_rows].

    Examples
    --------
    >>> looks_across([2, 3], 1).tolist()
    [False, False, True, False, False]
    """
    ends = np.cumsum(lengths)
    found = np.zeros(int(ends[-1]), dtype=bool)
    for end in ends[:-1]:
        found[end : end + n_lags] = True
    return found


def _factor(covariance: FloatArray) -> FloatArray:
    try:
        return np.asarray(cholesky(covariance, lower=True))
    except LinAlgError:  # more values than rows, and hardly any variance left
        return np.asarray(cholesky(covariance + _FLOOR * np.eye(len(covariance)) * 1e3, lower=True))


def _usual_weight(covariance: FloatArray, n_rows: int) -> float:
    """Of a multiple of the identity, as suits so many independent Gaussian rows."""
    p = len(covariance)
    level = float(np.trace(covariance)) / p
    square = float((covariance**2).mean())
    below = (n_rows + 1.0) * (square - level**2 / p)
    return min(1.0, (square + level**2) / below) if below > 0 else 1.0


def _shrunk(covariance: FloatArray, weight: float) -> FloatArray:
    """Towards a multiple of the identity."""
    shrunk = (1.0 - weight) * covariance
    level = float(np.trace(covariance)) / len(covariance)
    shrunk[np.diag_indices_from(shrunk)] += max(weight * level, _FLOOR)
    return shrunk
