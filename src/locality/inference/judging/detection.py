"""Detection: what was found in some rows, in the form in which they were passed."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.data.frames import build_frame
from locality.data.kinds import Kind
from locality.data.table import Table
from locality.inference.judging.departures import Departure, departures
from locality.inference.judging.episodes import Episode, diagnosed, spans_of
from locality.inference.judging.judgment import Judgment, known_reference
from locality.inference.judging.moved import MovedNormal, moved_normal
from locality.inference.judging.promise import Promise
from locality.inference.judging.rounding import CoarseColumn, coarse_columns
from locality.inference.judging.stream import judge
from locality.model.model import Model

__all__ = ["STATES", "Detection"]

STATES = ("normal", "alarm", "moved")


@dataclass(frozen=True, eq=False)
class Detection:
    """Which rows are abnormal, since when, and which sensors are to blame.

    Parameters
    ----------
    model : Model
    table : Table
    judgment : Judgment
        Of the table, as numbers.
    """

    model: Model
    table: Table
    judgment: Judgment

    @classmethod
    def of(cls, model: Model, table: Table, promise: Promise) -> "Detection":
        """Judge the rows of a table, in order of time."""
        promise.require_known(known_reference(model.unrolled))
        return cls(model, table, judge(model, table, promise))

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.alarm)

    def __repr__(self) -> str:
        """How many rows have an alarm."""
        return f"Detection({int(self.alarm.sum())} of {len(self)} rows have an alarm)"

    @property
    def alarm(self) -> BoolArray:
        """Whether each row is abnormal [n_rows]."""
        return self.judgment.alarm

    @property
    def p_value(self) -> FloatArray:
        """Share of normal rows that are at least as unusual [n_rows]."""
        return self.judgment.p_value

    @property
    def log_p(self) -> FloatArray:
        """Its logarithm, which tells apart what is too unlikely for a number [n_rows]."""
        return self.judgment.log_p

    @cached_property
    def share(self) -> Any:
        """Share of the blame of each column that is modeled or was set aside, a frame or array
        [n_rows, n_columns]; each row sums to 1, or is 0 where nothing is unusual.
        """
        return self._frame(self.judgment.share[:, self._blamable], self._names)

    @cached_property
    def moved(self) -> Any:
        """How far each sensor is from its own usual values, whatever the others do: nats over some
        ten rows, one half if normal; a frame or array [n_rows, n_components].
        """
        return self._frame(self.judgment.blamed.moved, self.model.layout.names)

    @cached_property
    def sensor_p_value(self) -> Any:
        """p-value of every sensor alone, given its neighborhood without wrong values; a frame or
        array [n_rows, n_components].
        """
        return self._frame(self.judgment.sensor_p_value, self.model.layout.names)

    @cached_property
    def episodes(self) -> tuple[Episode, ...]:
        """Runs of alarms, the strongest first, each with its kind of fault and who is to blame."""
        spans = spans_of(self.judgment)
        return tuple(diagnosed(self.model, self.table, self.judgment, spans))

    @cached_property
    def moved_normal(self) -> MovedNormal | None:
        """Whether alarms last, because normal has moved or a fault stays; None if not."""
        return moved_normal(self.judgment)

    @property
    def state(self) -> IntArray:
        """What each row is, as a number of ``STATES``: normal, in alarm, or in an alarm that lasts
        [n_rows].
        """
        state, moved = self.alarm.astype(np.int64), self.moved_normal
        if moved is not None:
            state[moved.since :] *= 2
        return state

    @cached_property
    def departures(self) -> tuple[Departure, ...]:
        """Columns that do what they never did in the fit: constants, copies, states."""
        return tuple(departures(self.model.standardizer, self.table))

    @cached_property
    def coarse(self) -> tuple[CoarseColumn, ...]:
        """Columns rounded so much more coarsely than in the fit that it raises alarms."""
        return tuple(coarse_columns(self.model, self.table.values))

    def to_frame(self) -> Any:
        """Alarm (0 or 1), p-value, its logarithm, state ("normal", "alarm", "moved") and shares,
        with time or index [n_rows, 4 + n_columns].

        An array holds numbers only: alarm, p-value and shares [n_rows, 2 + n_columns].
        """
        columns = {"alarm": self.alarm, "p_value": self.p_value}
        special: dict[str, Kind] = {"alarm": "integer", "state": "category"}
        if self.table.flavor != "numpy":
            columns |= {"log_p": self.log_p, "state": self.state}
        free = self.free_names(columns)
        kinds: list[Kind] = [special.get(name, "real") for name in columns]
        kinds += ["real"] * len(self._names)
        share = self.judgment.share[:, self._blamable]
        return build_frame(
            np.column_stack([*columns.values(), share]),
            [*free.values(), *self._names],
            self.table.flavor,
            kinds=kinds,
            labels={free.get("state", ""): STATES},
            index=self.table.index,
            leading=self.table.time_column,
        )

    def free_names(self, wanted: Iterable[str]) -> dict[str, str]:
        """Names beside those of the sensors, which keep theirs."""
        taken, free = {*self._names, *(self.table.time_column or ())[:1]}, {}
        for name in wanted:
            found = name
            while found in taken:
                found += "_"
            taken.add(found)
            free[name] = found
        return free

    @property
    def _blamable(self) -> list[int]:
        context = self.model.layout.context
        return [j for j, name in enumerate(self.table.names) if name not in context]

    @property
    def _names(self) -> list[str]:
        return [self.table.names[j] for j in self._blamable]

    def _frame(self, values: FloatArray, names: Any) -> Any:
        return self.table.frame(values, names, keep_rows=True)
