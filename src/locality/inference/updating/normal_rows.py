"""Normal rows: what may be learned from. Rows in alarm are kept out.

The model that is to be updated judges the new rows first. Whoever learns from rows of a fault takes
the fault for normal, and a gate that looks at later rows of the same fault is pleased. So episodes
of alarms are left out, from where the memory that raised the first one began to look; those near
each other are one. What normal rows do now and then stays, or their spread would shrink from update
to update: one or two alarms of a share of 1 %, unless they are extreme or many.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from locality._typing import BoolArray
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.judging.episodes import spans_of
from locality.inference.judging.judgment import Judgment
from locality.inference.judging.memory import MEMORIES
from locality.inference.judging.promise import Promise
from locality.inference.judging.stream import judge
from locality.inference.updating.strange import recorded, window_of
from locality.model.model import Model
from locality.model.strange import StrangeWindow

__all__ = ["HELD_OUT", "LeftOut", "NormalRows"]

HELD_OUT = 0.3
"""Of the normal rows, the latest."""

_FEW, _EXTREME = 2, 1e-3  # alarms of an episode that may be chance, unless so rare
_MANY, _AMONG = 8, 100  # alarms among so many rows are no chance
_NEAR = round(1.0 / MEMORIES[-1])  # rows between two that are left out


@dataclass(frozen=True)
class LeftOut:
    """A stretch of rows that was not learned from.

    Parameters
    ----------
    first, last : int
        Rows, from 0.
    n_alarms : int
    p_value : float
        The lowest.
    sensor : str
        Most to blame.
    older : bool
        Among the older rows that were mixed in.
    """

    first: int
    last: int
    n_alarms: int
    p_value: float
    sensor: str
    older: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @property
    def n_rows(self) -> int:
        """Length."""
        return self.last - self.first + 1


@dataclass(frozen=True, eq=False)
class NormalRows:
    """Rows of a table that may be learned from.

    Parameters
    ----------
    table : Table
        In order of time.
    normal : bool array [n_rows]
    n_lags : int
        Rows that a row looks back upon.
    left_out : tuple of LeftOut
        In order of time.
    windows : tuple of StrangeWindow
        What is to be remembered of them.
    is_judged : bool
        False if the model does not know how normal rows look.
    process_change : str or None
        Why all of them count as normal.
    extreme : bool array [n_rows]
        Rows left out that are far from normal, each by itself; empty if none was judged.
    """

    table: Table
    normal: BoolArray
    n_lags: int
    left_out: tuple[LeftOut, ...] = ()
    windows: tuple[StrangeWindow, ...] = ()
    is_judged: bool = True
    process_change: str | None = None
    extreme: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    @classmethod
    def of(
        cls,
        model: Model,
        table: Table,
        process_change: str | None = None,
        *,
        first: int = 0,
        older: bool = False,
    ) -> "NormalRows":
        """Judge rows by the model that is to be updated.

        Parameters
        ----------
        model : Model
        table : Table
            Columns of the model.
        process_change : str, optional
            That the process itself has changed, and why: nothing is left out.
        first : int
            Number of the first row, for messages.
        older : bool
            These rows are mixed in.
        """
        if process_change is not None and not (
            isinstance(process_change, str) and process_change.strip()
        ):
            raise OptionError(
                f"process_change must say what has changed, found {process_change!r}.",
                remedy='Write the reason, as in process_change="new catalyst".',
            )
        n_lags, normal = model.layout.n_lags, np.ones(table.n_rows, dtype=bool)
        known = model.unrolled.reference is not None
        if process_change is not None or not known or not table.n_rows:
            return cls(table, normal, n_lags, is_judged=known, process_change=process_change)
        found = judge(model, table, Promise())
        spans = _spans(found)
        windows, left_out = [], []
        for start, stop in spans:
            normal[start : stop + 1] = False
            windows.append(window_of(model, table, found, (start, stop)))
            left_out.append(
                LeftOut(
                    first + start, first + stop, int(found.alarm[start : stop + 1].sum()),
                    float(np.exp(found.log_p[start : stop + 1].min())),
                    table.names[windows[-1][0].column], older,
                )
            )  # fmt: skip
        extreme = ~normal & found.alarm & (found.log_p <= np.log(_EXTREME))
        return cls(table, normal, n_lags, tuple(left_out), recorded(windows), extreme=extreme)

    def with_table(self, table: Table) -> "NormalRows":
        """The same rows with other columns, and nothing to be remembered."""
        return replace(self, table=table, windows=())

    @property
    def n_normal(self) -> int:
        """How many may be learned from."""
        return int(self.normal.sum())

    @property
    def n_left_out(self) -> int:
        """How many may not."""
        return len(self.normal) - self.n_normal

    @cached_property
    def n_train(self) -> int:
        """The first row that is kept back for the gate; normal ones before it are learned from."""
        n_kept = int(HELD_OUT * self.n_normal)
        return int(np.flatnonzero(self.normal)[self.n_normal - n_kept]) if n_kept else len(self)

    def __len__(self) -> int:
        return len(self.normal)

    @cached_property
    def held_out(self) -> BoolArray:
        """Normal rows that are kept back, and look at no row that was left out [n_rows]."""
        found = np.array(self.normal)
        found[: self.n_train] = False
        for lag in range(1, self.n_lags + 1):
            found[lag:] &= self.normal[:-lag]
        return found

    @property
    def compact(self) -> Table:
        """All normal rows, one run after the other."""
        return self.table if self.normal.all() else self.table.those(self.normal)

    def those_before(self, stop: int) -> Table:
        """Normal rows before one."""
        return self.table.those(self.normal & (np.arange(len(self)) < stop))

    @property
    def across(self) -> BoolArray:
        """Rows of it that look back into another run [n_normal]."""
        looks: BoolArray = np.zeros(len(self), dtype=bool)
        for lag in range(1, self.n_lags + 1):
            looks[lag:] |= ~self.normal[:-lag]
        return np.asarray(looks[self.normal])

    def runs(self, stop: int) -> list[tuple[Table, int]]:
        """Runs of normal rows before one, each with its length.

        Runs too short to have a row with its past are left away. Without lags order does not
        matter, and all are one.
        """
        if self.normal[:stop].all():
            return [(self.table, stop)]
        if not self.n_lags:
            part = self.those_before(stop)
            return [(part, part.n_rows)]
        edges = np.flatnonzero(np.diff(self.normal[:stop].astype(np.int8), prepend=0, append=0))
        return [
            (self.table.rows(a, b), b - a)
            for a, b in edges.reshape(-1, 2).tolist()
            if b - a > self.n_lags
        ]


def _spans(judgment: Judgment) -> list[tuple[int, int]]:
    """First and last rows of what is left out, in order of time."""
    alarm, departed = judgment.alarm, judgment.departed
    out = np.zeros(len(alarm), dtype=bool)
    for first, last in spans_of(judgment):
        rows = slice(first, last + 1)
        few = int(alarm[rows].sum()) <= _FEW
        if few and judgment.log_p[rows].min() > np.log(_EXTREME) and not departed[rows].any():
            continue
        looked = round(1.0 / MEMORIES[int(judgment.memory[first])]) - 1
        out[max(0, first - looked) : last + 1] = True
    at = np.flatnonzero(alarm)
    for start, stop in zip(at[: -_MANY + 1], at[_MANY - 1 :], strict=True):
        if stop - start < _AMONG:
            out[start : stop + 1] = True
    return _joined(np.flatnonzero(out))


def _joined(rows: Sequence[int] | np.ndarray) -> list[tuple[int, int]]:
    """Runs of ascending rows; short gaps do not end one."""
    rows = np.asarray(rows)
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) > _NEAR)
    starts, ends = np.append(0, breaks + 1), np.append(breaks, len(rows) - 1)
    return list(zip(rows[starts].tolist(), rows[ends].tolist(), strict=True))
