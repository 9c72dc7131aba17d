"""The conditional law of a row: every component given its neighborhood, as sparse matrices.

At the finest noise levels the model says of each component what it expects from all others that
it sees, with A₀ the weights of the same row, A_l those of the row l before, and s the standard
deviations that remain,

    x_t ≈ A₀ x_t + Σ_l A_l x_{t-l} ± s .

With R = I − A₀ the matrix Q = diag(s)⁻² R is the **precision** of a row given its past (exactly
symmetric where neighborhoods hold all that matters; its symmetric part is taken), sparse like the
graph. Missing values, blame and explanations all come from these matrices. Networks are not part
of them: they are about the closed form.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from locality._typing import BoolArray, FloatArray, IntArray
from locality.inference.laws.assembly import assembled, rows_extent
from locality.local.field import ScoreField

__all__ = ["ConditionalLaw"]

_MOST_DENSE = 1 << 22  # entries
_MOST_GAPS = 1_000  # of a row


@dataclass(frozen=True, eq=False)
class ConditionalLaw:
    """What is expected of a row.

    Parameters
    ----------
    targets : int array [n_targets]
        Nodes that are modeled.
    weights : tuple of sparse arrays [n_targets, n_nodes]
        A₀ (zero on the diagonal), A₁, …
    scale : float array [n_targets]
    """

    targets: IntArray
    weights: tuple[sp.csr_array, ...]
    scale: FloatArray

    @classmethod
    def of(cls, field: ScoreField) -> "tuple[ConditionalLaw, ...]":
        """The laws of the first rows of a series, that have 0, 1, … rows before them, and at last
        of all others; of a table, one law.

        Raises
        ------
        OptionError
            If columns lie along a lattice axis, or rows depend on later ones.
        """
        return field.derived(_conditional_laws)

    def from_past(self, rows: FloatArray, t: int) -> FloatArray:
        """What the rows before row t add to its expectation [n_targets].

        Parameters
        ----------
        rows : float array [n_nodes, n_rows]
        t : int
        """
        found = np.zeros(len(self.targets))
        for back in range(1, min(len(self.weights), t + 1)):
            found += self.weights[back] @ rows[:, t - back]
        return found

    def expected(self, rows: FloatArray) -> FloatArray:
        """Expectation of every component in every row [n_targets, n_rows], given all others.

        Parameters
        ----------
        rows : float array [n_nodes, n_rows]
            The first ones only serve as the past of the others.
        """
        found: FloatArray = self.weights[0] @ rows
        for back in range(1, min(len(self.weights), rows.shape[1])):
            found[:, back:] += self.weights[back] @ rows[:, : rows.shape[1] - back]
        return found

    def joint(self, row: FloatArray, base: FloatArray, which: IntArray) -> FloatArray:
        """Joint expectation of some components of a row given all others [n_chosen].

        Parameters
        ----------
        row : float array [n_nodes]
            Zero at the chosen components.
        base : float array [n_targets]
            From ``from_past``.
        which : int array [n_chosen]
            Numbers of targets.
        """
        weights = (
            self._dense[which] if self._dense is not None else self.weights[0][which].toarray()
        )
        within = np.eye(len(which)) - weights[:, self.targets[which]]
        return np.asarray(np.linalg.solve(within, base[which] + weights @ row), dtype=np.float64)

    @cached_property
    def _dense(self) -> FloatArray | None:
        """A₀ as a dense array, where it is small: to index a sparse one takes long."""
        small = np.prod(self.weights[0].shape) <= _MOST_DENSE
        return self.weights[0].toarray() if small else None

    @cached_property
    def residual_operator(self) -> sp.csr_array:
        """R = I − A₀ among the targets [n_targets, n_targets]."""
        own = self.weights[0][:, self.targets]
        return sp.csr_array(sp.eye_array(len(self.targets), format="csr") - own)

    @cached_property
    def dense_residual(self) -> FloatArray:
        """R as a dense array, of few components."""
        return np.asarray(self.residual_operator.toarray())

    def openness(self, missing: BoolArray) -> FloatArray:
        """Factor by which gaps of a row raise the variance of what is left of each component,
        given all others that are known [n_targets].

        Parameters
        ----------
        missing : bool array [n_targets]
        """
        gaps = np.flatnonzero(missing)
        if not 0 < len(gaps) <= _MOST_GAPS:
            return np.ones(len(missing))
        among = self.precision[:, gaps].toarray()
        told = (among * np.linalg.solve(among[gaps], among.T).T).sum(axis=1)
        own = self.precision.diagonal()
        left = np.where(missing, own, np.maximum(own - told, 1e-6 * own))
        return np.asarray(own / left)

    @cached_property
    def precision(self) -> sp.csc_array:
        """Q of a row given its past and context, symmetric [n_targets, n_targets]."""
        whole = sp.diags_array(self.scale**-2.0) @ self.residual_operator
        return sp.csc_array(0.5 * (whole + whole.T))


def _conditional_laws(field: ScoreField) -> tuple[ConditionalLaw, ...]:
    """Solved for every number of past rows."""
    parts = []
    for shard, denoiser, classes in field.walk(rows_extent(field)):
        form = denoiser.closed_form
        told = form.prediction, form.conditional_scale, form.patches.slots
        parts.append((shard, *told, classes))
    targets = field.domain.targets
    return tuple(
        ConditionalLaw(targets, tuple(by_lag), scale) for by_lag, scale in assembled(field, parts)
    )
