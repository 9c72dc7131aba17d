"""The question that a check answers: of which columns, and what is known of them beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from locality.analysis.check.memory import require_lags
from locality.data.names import require_known
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.training.trainer import Progress

__all__ = ["Question", "Work"]


class Work(TypedDict, total=False):
    """How a question is worked on; nothing here changes the verdict."""

    title: str
    costs: bool
    n_jobs: int
    random_state: int
    progress: Progress | None


@dataclass(frozen=True)
class Question:
    """What is asked; parameters as of ``locality.check``.

    Raises
    ------
    OptionError
        The level is no share, or there is no graph to merge.
    """

    graph: Any
    merge: bool
    k_nearest: int | None
    lags: int | str
    level: float
    columns: Sequence[str] | None
    drop: Sequence[str]
    context: Sequence[str]
    cycles: Sequence[str]
    time: str | None

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise OptionError(f"level must be a share between 0 and 1, found {self.level}.")
        if self.merge and self.graph is None:
            raise OptionError("There is no graph to merge.", remedy="Pass a graph too (--graph).")

    def read(self, X: Any) -> Table:
        """The columns in question, and those given, of a frame or array.

        Raises
        ------
        DataError
            A column is unknown or unusable.
        OptionError
            There are more lags than can be judged.
        """
        wanted = None if self.columns is None else dict.fromkeys([*self.columns, *self.context])
        table = Table.from_frame(X, columns=wanted, drop=self.drop, time=self.time)
        require_known(table.names, self.context, "context")
        require_lags(self.lags, table.n_rows)
        return table

    @property
    def options(self) -> str:
        """Options of the command line that a fit needs as well."""
        told = f" --time {self.time}" if self.time else ""
        return told + (f" --context {','.join(self.context)}" if self.context else "")
