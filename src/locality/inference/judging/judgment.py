"""Judgment: is a row abnormal, and which sensors are to blame?

The decision needs innovations alone, and is made at once. Blame takes longer, and is worked out
when it is first asked for.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.judging.blame import Blame, Blamed
from locality.inference.judging.levels import log_p_values
from locality.inference.judging.memory import KINDS
from locality.model.model import Model
from locality.model.reference import Reference
from locality.training.threads import one_thread

__all__ = ["Judgment", "known_reference"]


@dataclass(frozen=True, eq=False)
class Judgment:
    """What was found in some rows, as numbers.

    Parameters
    ----------
    model : Model
        Of rows.
    table : Table
    before : Blame
        What rows before these leave.
    statistic : float array [n_rows]
        Σ over memories of the largest −log p of their channels.
    log_p : float array [n_rows]
        Logarithm of the share of normal rows that are at least as unusual.
    channel : int array [n_rows]
        Which one is the most unusual: ``n_kinds · memory + kind``.
    departed : bool array [n_rows, n_columns]
        Constants that moved, copies that left their source, states never seen.
    alarm : bool array [n_rows]
        Including columns set aside that moved.
    """

    model: Model
    table: Table
    before: Blame
    statistic: FloatArray
    log_p: FloatArray
    channel: IntArray
    departed: BoolArray
    alarm: BoolArray

    @property
    def p_value(self) -> FloatArray:
        """Share of normal rows that are at least as unusual [n_rows]."""
        return np.exp(self.log_p)

    @property
    def memory(self) -> IntArray:
        """Number of the memory of the most unusual channel [n_rows]."""
        return np.asarray(self.channel // len(KINDS))

    @cached_property
    def rows(self) -> FloatArray:
        """Standardized rows [n_nodes, n_rows], NaN where missing."""
        return self.model.layout.standard_rows(self.table)

    @property
    def blamed(self) -> Blamed:
        """What was found of each sensor."""
        return self._sensors[0]

    @property
    def after(self) -> Blame:
        """What these rows leave for later ones."""
        return self._sensors[1]

    @cached_property
    def _sensors(self) -> tuple[Blamed, Blame]:
        with one_thread():
            usual = known_reference(self.model).residual
            return self.before.take(self.model.field, usual, self.rows)

    @cached_property
    def sensor_p_value(self) -> FloatArray:
        """p-value of each sensor alone, given a neighborhood without wrong values
        [n_rows, n_components].
        """
        known = known_reference(self.model)
        size = np.abs(np.nan_to_num(self.blamed.residual, nan=0.0))
        return np.exp(log_p_values(known.sensors, size.T)).T

    @cached_property
    def share(self) -> FloatArray:
        """Of the blame, by column of the table; each row sums to 1, or is 0 where nothing is
        unusual [n_rows, n_columns].
        """
        share = np.zeros(self.departed.shape)
        share[:, self.model.layout.columns] = self.blamed.shares(self.memory)
        moved = self.departed.any(axis=1)
        if moved.any():
            weight = self.departed[moved] / self.departed[moved].sum(axis=1, keepdims=True)
            n_rows = known_reference(self.model).n_rows
            unusual = self.log_p[moved, None] < -np.log(n_rows + 1.0)
            share[moved] = np.where(unusual, 0.5 * (share[moved] + weight), weight)
        return share


def known_reference(model: Model) -> Reference:
    """The reference of a model that is to judge.

    Raises
    ------
    OptionError
        If it has none, or no law of rows.
    """
    if model.reference is not None:
        return model.reference
    model.layout.require_rows()
    why = "it was fitted to very few, or by an older version"
    if model.settings.tied:
        why = "that is not measured in the fit of a tied chain or ring"
    raise OptionError(
        f"The model does not know how normal rows look: {why}.",
        remedy="Pass normal rows that it was not fitted to (--normal; calibrate in Python).",
    )
