"""The law of a row given its past, by which rows are judged: innovations, one sensor after another.

    e_j(t) = ( x_j(t) − Σ_{k before j} w_jk x_k(t) − Σ_l a_jl·x(t−l) − context ) / s_j

White and of unit variance if the law holds; −log p(x_t | past) = Σ_j ½ e_j² + log s_j + ½ log 2π.
Columns are as they are, centered and in units of their standard deviation, without laws of their
own: those would pull in exactly the values that are abnormal.

Where few sensors are judged, each may look at all that come before it and at all of the past, with
a covariance that is shrunk towards a multiple of the identity (Chen, Wiesel, Eldar, Hero, 2010,
*Shrinkage algorithms for MMSE covariance estimation*); where they are many, at its neighborhood.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from locality._typing import FloatArray, IntArray
from locality.domain.domain import Domain
from locality.inference.laws.sequential import SequentialLaw, sequence

__all__ = ["Operator", "RowLaw", "product"]

Operator: TypeAlias = "FloatArray | sp.csr_array"

BLOCK = 32
"""Rows of a dense product; always the same, and each row always at the same place of it, so that
its bits do not depend on the rows that arrive with it."""

_DENSE_SHARE, _DENSE_ENTRIES = 0.2, 1 << 20
_MOST_VALUES = 1 << 24  # of a sparse product


@dataclass(frozen=True, eq=False)
class RowLaw:
    """Gaussian laws of rows that have 0, 1, … and at last all rows before them.

    Parameters
    ----------
    laws : tuple of SequentialLaw
        By the number of rows before; the last one is for all others.
    center, unit : float arrays [n_nodes]
        A value is judged as (x − center)/unit.
    targets, context : int arrays
        Which nodes are modeled, and which are conditions.
    order : int array [n_targets]
        Place of each target in the sweep.
    """

    laws: tuple[SequentialLaw, ...]
    center: FloatArray
    unit: FloatArray
    targets: IntArray
    context: IntArray
    order: IntArray

    @classmethod
    def of(
        cls, domain: Domain, laws: tuple[SequentialLaw, ...], center: FloatArray, unit: FloatArray
    ) -> "RowLaw":
        """Laws of the components of a domain.

        Parameters
        ----------
        domain : Domain
        laws : tuple of SequentialLaw
        center, unit : float arrays [n_nodes]
        """
        order = np.argsort(np.argsort(sequence(domain)[domain.targets]))
        context = np.array(domain.context, dtype=np.int64)
        return cls(laws, center, unit, domain.targets, context, order)

    @property
    def n_lags(self) -> int:
        """Rows of the past that count."""
        return len(self.laws) - 1

    @property
    def n_nodes(self) -> int:
        """Columns that are judged, or conditions."""
        return len(self.center)

    @cached_property
    def scales(self) -> FloatArray:
        """Standard deviations of innovations, by the number of rows before
        [n_lags + 1, n_targets].
        """
        return np.stack([law.scale for law in self.laws])

    def plain(self, values: FloatArray) -> FloatArray:
        """Values of the nodes [n_rows, n_nodes] as they are judged."""
        return np.asarray((values - self.center) / self.unit)

    @cached_property
    def _operators(self) -> "list[Operator]":
        """From rows under each other, the latest first, to innovations, by number of rows before
        [n_targets, (n_past + 1) · n_nodes].
        """
        found: list[Operator] = []
        for n_past, law in enumerate(self.laws):
            parts = []
            for lag in range(n_past + 1):
                own = law.within if lag == 0 else -law.past[lag - 1]
                parts.append(own @ self._choice(self.targets))
                if len(self.context):
                    parts[-1] = parts[-1] - law.context[lag] @ self._choice(self.context)
            whole = sp.csr_array(sp.diags_array(1.0 / law.scale) @ sp.hstack(parts))
            found.append(_stored(whole))
        return found

    def _choice(self, nodes: IntArray) -> "sp.csr_array":
        ones = np.ones(len(nodes)), (np.arange(len(nodes)), nodes)
        return sp.csr_array(ones, shape=(len(nodes), self.n_nodes))

    def innovations(self, rows: FloatArray, n_past: int, first: int) -> FloatArray:
        """Of consecutive complete rows with the same number of rows before [n_rows, n_targets].

        Parameters
        ----------
        rows : float array [n_past + n_rows, n_nodes]
            As they are judged.
        n_past : int
        first : int
            Number of the first row that is judged, since the beginning of the series.
        """
        n, operator = len(rows) - n_past, self._operators[n_past]
        result = np.empty((n, len(self.targets)))
        width = max(1, _MOST_VALUES // operator.shape[1])
        for at in range(0, n, width):
            stop = min(n, at + width)
            under = [rows[n_past - k + at : n_past - k + stop] for k in range(n_past + 1)]
            result[at:stop] = product(operator, np.hstack(under), first + at)
        return result

    def of_sensors(self, spread: FloatArray) -> "tuple[Operator, Operator]":
        """From innovations in units of their spread to what they say of a change of each sensor
        alone, which is standard normal if there is none: a change of one row, and one that lasts.

        Parameters
        ----------
        spread : float array [n_targets]
        """
        law = self.laws[-1]
        lasting = law.within
        for past in law.past:
            lasting = lasting - past
        found = []
        for change in (law.within, lasting):
            effect = sp.csr_array(sp.diags_array(1.0 / (law.scale * spread)) @ change)
            size = np.sqrt(np.asarray((effect * effect).sum(axis=0)).ravel())
            scaled = effect @ sp.diags_array(1.0 / np.maximum(size, 1e-12))
            found.append(_stored(sp.csr_array(scaled.T)))
        return found[0], found[1]

    def dense(self, n_past: int) -> tuple[FloatArray, tuple[FloatArray, ...]]:
        """R and the weights of earlier rows as dense arrays, of few sensors."""
        if n_past not in self._dense:
            law = self.laws[n_past]
            self._dense[n_past] = (
                law.within.toarray(), tuple(past.toarray() for past in law.past)
            )  # fmt: skip
        return self._dense[n_past]

    @cached_property
    def _dense(self) -> dict[int, tuple[FloatArray, tuple[FloatArray, ...]]]:
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name; `from_arrays` restores them."""
        found = {name: getattr(self, name) for name in _PLAIN}
        for n_past, law in enumerate(self.laws):
            found[f"{n_past}.scale"] = law.scale
            kinds = {"within": (law.within,), "past": law.past, "context": law.context}
            for kind, matrices in kinds.items():
                for k, matrix in enumerate(matrices):
                    for part in _PARTS:
                        array = getattr(matrix, part)
                        if part != "data":
                            array = array.astype(np.int64)
                        found[f"{n_past}.{kind}.{k}.{part}"] = array
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "RowLaw":
        """The law of ``arrays``.

        Raises
        ------
        KeyError, ValueError
            If arrays are missing or contradict each other.
        """
        plain = {name: arrays[name] for name in _PLAIN}
        n, n_context = len(plain["targets"]), len(plain["context"])

        def matrix(name: str, width: int) -> "sp.csr_array":
            data, indices, indptr = (arrays[f"{name}.{part}"] for part in _PARTS)
            found = sp.csr_array((data, indices, indptr), shape=(n, width))
            found.check_format()
            if not np.isfinite(data).all():
                raise ValueError(f"{name} is not finite")
            return found

        laws: list[SequentialLaw] = []
        while f"{len(laws)}.scale" in arrays:
            k = len(laws)
            if arrays[f"{k}.scale"].shape != (n,) or not (arrays[f"{k}.scale"] > 0).all():
                raise ValueError("scales of a law of rows must be above 0")
            past = tuple(matrix(f"{k}.past.{lag}", n) for lag in range(k))
            context = tuple(matrix(f"{k}.context.{lag}", n_context) for lag in range(k + 1))
            within = matrix(f"{k}.within.0", n)
            laws.append(SequentialLaw(within, past, context, arrays[f"{k}.scale"]))
        if not laws or not (plain["unit"] > 0).all():
            raise ValueError("a law of rows is missing, or its units are not above 0")
        return cls(tuple(laws), **plain)


def product(operator: Operator, rows: FloatArray, first: int) -> FloatArray:
    """Operator times each row [n_rows, n_results], to the same bits whatever rows come together.

    Parameters
    ----------
    operator : float array or sparse array [n_results, n_values]
    rows : float array [n_rows, n_values]
    first : int
        Number of the first row, since the beginning of the series.
    """
    if not isinstance(operator, np.ndarray):
        return np.asarray((operator @ rows.T).T)
    before = first % BLOCK
    n_blocks = -(-(before + len(rows)) // BLOCK)
    padded = np.zeros((n_blocks * BLOCK, rows.shape[1]))
    padded[before : before + len(rows)] = rows
    result = np.empty((len(padded), len(operator)))
    for at in range(0, len(padded), BLOCK):
        np.matmul(padded[at : at + BLOCK], operator.T, out=result[at : at + BLOCK])
    return result[before : before + len(rows)]


def _stored(matrix: "sp.csr_array") -> Operator:
    """Dense, if it is small and nearly full."""
    size = matrix.shape[0] * matrix.shape[1]
    is_dense = size <= _DENSE_ENTRIES and matrix.nnz > _DENSE_SHARE * size
    return np.ascontiguousarray(matrix.toarray()) if is_dense else matrix


_PLAIN = ("center", "unit", "targets", "context", "order")
_PARTS = ("data", "indices", "indptr")
