"""A law some of whose equations are learned again, from new rows."""

from dataclasses import dataclass, replace

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.inference.laws.learning import LawMoments
from locality.inference.laws.row_law import RowLaw
from locality.inference.laws.sequential import mixed
from locality.local.field import ScoreField

__all__ = ["Relearned"]


@dataclass(frozen=True, eq=False)
class Relearned:
    """A law with the equations of some sensors learned again, within their neighborhoods.

    Others see the new values of these as they saw the old ones: in units of their spread.

    Parameters
    ----------
    before : RowLaw
    center, unit : float arrays [n_nodes]
        Of the new values.
    moments : LawMoments
        Of the new values, by part.
    is_new : bool array [n_targets]
        Which sensors are learned again.
    """

    before: RowLaw
    center: FloatArray
    unit: FloatArray
    moments: LawMoments
    is_new: BoolArray

    @classmethod
    def of(
        cls,
        before: RowLaw,
        field: ScoreField,
        values: FloatArray,
        chosen: IntArray,
        part: IntArray,
        skipped: BoolArray,
    ) -> "Relearned":
        """Sum over rows.

        Parameters
        ----------
        before : RowLaw
        field : ScoreField
        values : float array [n_rows, n_nodes]
            In the units of the table; complete.
        chosen : int array
            Numbers of targets.
        part : int array [n_rows]
            0, 1, …; in order.
        skipped : bool array [n_rows]
            Rows that are the past of others, but are not learned from themselves.
        """
        center, unit = np.array(before.center), np.array(before.unit)
        nodes = before.targets[chosen]
        center[nodes], spread = values[:, nodes].mean(axis=0), values[:, nodes].std(axis=0)
        unit[nodes] = np.where(spread > 0.0, spread, unit[nodes])
        rows = ((values - center) / unit).T
        moments = LawMoments.of(field, rows, part, local=True, skipped=skipped)
        is_new = np.isin(np.arange(len(before.targets)), chosen)
        return cls(before, center, unit, moments, is_new)

    def law(self, without: int | None = None) -> RowLaw:
        """From all parts, or from all but one."""
        fresh = self.moments.law(self.center, self.unit, without)
        laws = tuple(
            mixed(self.is_new, *pair) for pair in zip(fresh.laws, self.before.laws, strict=True)
        )
        return replace(fresh, laws=laws)
