"""The outcome of an update: what it did, or why it did nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from locality.inference.updating.normal_rows import LeftOut, NormalRows
from locality.model.model import Model

__all__ = ["MIN_ROWS", "Update", "most_blamed"]

MIN_ROWS = 60
"""Normal rows without which nothing is learned."""

_NAMED = 3  # sensors


@dataclass(frozen=True)
class Update:
    """What an update did, or why it did nothing.

    Parameters
    ----------
    accepted : bool
    sensors : tuple of str
        Learned again.
    rescaled : tuple of str
        Those of them whose mean or spread has moved.
    affected : tuple of str
        Sensors that look at a rescaled one; they are judged by the gate, not learned again.
    champion, challenger : float
        Mean nats per component and held-out row before and after, in the units of the table.
    change, bound : float
        Difference of the two, and its upper confidence bound (95 %).
    margin : float or None
        What the bound may not exceed.
    n_rows, n_held_out : int
        Normal rows learned from, and kept back for the gate.
    n_shards, n_shards_new : int
        Shards in all, and those that are new.
    added, removed : tuple of str
        Columns that the model has now, and those that it had.
    n_left_out : int or None
        Rows in alarm, which were not learned from; None if the model cannot judge rows.
    left_out : tuple of LeftOut
        Where they were, with the sensor most to blame.
    process_change : str or None
        Why none was left out.
    why : str
        Why it was refused, and what to do.
    """

    accepted: bool
    sensors: tuple[str, ...]
    rescaled: tuple[str, ...]
    affected: tuple[str, ...]
    champion: float
    challenger: float
    change: float
    bound: float
    margin: float | None
    n_rows: int
    n_held_out: int
    n_shards: int
    n_shards_new: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    n_left_out: int | None = 0
    left_out: tuple[LeftOut, ...] = ()
    process_change: str | None = None
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain data; None where nothing was measured."""
        return {
            key: None if isinstance(value, float) and np.isnan(value) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def nothing(cls, model: Model, margin: float | None) -> "Update":
        """No sensor was to be learned again."""
        nan = float("nan")
        return cls(False, (), (), (), nan, nan, nan, nan, margin, 0, 0, len(model.shards), 0)

    def about(self, rows: NormalRows, older: NormalRows | None = None) -> "Update":
        """The same, with what was left out of the rows."""
        parts = [part for part in (rows, older) if part is not None]
        return replace(
            self,
            n_left_out=sum(part.n_left_out for part in parts) if rows.is_judged else None,
            left_out=tuple(stretch for part in parts for stretch in part.left_out),
            process_change=rows.process_change,
        )

    def refused(self, why: str) -> "Update":
        """The same, but it was refused."""
        return replace(self, accepted=False, n_shards_new=0, why=why)

    @classmethod
    def without_rows(
        cls, model: Model, margin: float | None, rows: NormalRows, least: int = MIN_ROWS
    ) -> "Update":
        """Too few rows were normal."""
        n, left = len(rows), rows.n_normal
        many = left < n / 2
        remedy = (
            f"Check the process. If it was changed on purpose, say so: {_DECLARE}."
            if many
            else f"Pass more rows; or, if the process was changed on purpose, say so: {_DECLARE}."
        )
        return cls.nothing(model, margin).about(rows).refused(
            f"{rows.n_left_out:,} of {n:,} rows are in alarm, mostly because of "
            f"{' and '.join(most_blamed(rows.left_out))}, and are not learned from; {left:,} "
            f"normal rows are left, at least {least} are needed. {remedy}"
        )  # fmt: skip


_DECLARE = 'process_change="reason" (--process-change "reason")'


def most_blamed(left_out: Sequence[LeftOut]) -> list[str]:
    """The sensors that most rows in alarm are blamed on."""
    counts: dict[str, int] = {}
    for stretch in left_out:
        counts[stretch.sensor] = counts.get(stretch.sensor, 0) + stretch.n_rows
    return sorted(counts, key=lambda name: -counts[name])[:_NAMED]
