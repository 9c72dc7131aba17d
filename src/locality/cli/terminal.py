"""The terminal: sentences, tables, progress and JSON, in one look.

Results go to the output stream, progress and errors to the error stream. Progress shows on a
terminal only; in a file or a pipe there is none. Names from tables are printed as they are, never
read as markup.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Report", "counted", "errors", "print_json", "progress_bar", "seconds_text"]

_PLAIN_WIDTH = 110  # columns where there is no terminal to ask

_STAGES = {
    "networks": "Training networks",
    "closed form": "Fitting closed forms",
    "sampling": "Drawing rows",
    "scoring": "Scoring rows",
    "graph": "Looking for dependences",
    "neighbors": "Choosing neighbors",
    "filling gaps": "Filling gaps",
    "trials": "Fitting parts of the rows",
    "rivals": "Fitting global models",
    "beyond": "Testing beyond neighborhoods",
    "groups": "Growing a group",
    "model": "Modeling the group",
}

Row = Sequence[str]


def errors() -> Console:
    """The console of the error stream."""
    return _console(stderr=True)


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object, numbers in full and nothing else, to the output stream."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    print(text)


def seconds_text(seconds: float) -> str:
    """A duration for people.

    >>> seconds_text(0.042), seconds_text(3.21), seconds_text(75), seconds_text(7325)
    ('0.04 s', '3.2 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def counted(n: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{n:,} {noun}{'s' * (n != 1)}"


class Report:
    """Prints results; silent if they are asked for as JSON.

    Parameters
    ----------
    quiet : bool
        Print nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._console = _console()
        self._quiet = quiet

    def heading(self, text: str) -> None:
        """A line that opens a section."""
        self._print(Text(f"\n{text}", style="bold"))

    def line(self, text: str = "") -> None:
        """A sentence."""
        self._print(Text(text))

    def table(self, header: Row, rows: Sequence[Row], words: int = 1) -> None:
        """A table whose first ``words`` columns are text and whose others are numbers."""
        grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for place, title in enumerate(header):
            if place < words:
                grid.add_column(Text(title), overflow="fold")
            else:  # a narrow terminal may wrap titles, never numbers
                widest = max((len(row[place]) for row in rows), default=1)
                grid.add_column(Text(title), justify="right", min_width=widest, vertical="bottom")
        for row in rows:
            grid.add_row(*(Text(cell) for cell in row))
        self._print(grid)

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Names and values, one pair a line."""
        grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            grid.add_row(Text(name, style="dim"), Text(value))
        self._print(grid)

    def _print(self, content: Any) -> None:
        if not self._quiet:
            self._console.print(content)


@contextmanager
def progress_bar(waiting: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show what is going on until the block ends.

    Parameters
    ----------
    waiting : str
        What to say until the first report.

    Yields
    ------
    callable
        To be called with (stage, done, total).
    """
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=errors(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        yield _Reports(bar, bar.add_task(waiting, total=None, count="", left=""))


class _Reports:
    """What a bar says: how much of a stage is done, what it is worth, how long the rest takes.

    Shards that an earlier fit finished take no time, so they do not count in the pace. rich's own
    estimate looks half a minute back, and a shard may take longer than that.
    """

    def __init__(self, bar: "Progress", task: "TaskID") -> None:
        self._bar, self._task, self._stage = bar, task, ""
        self._nats, self._n_components, self._n_known = 0.0, 0, 0
        self._since: tuple[float, int] | None = None

    def finished(self, nats: Any, seconds: float | None) -> None:
        """A shard is done: held-out nats by component; no seconds if an earlier fit did it."""
        self._nats += float(nats.sum())
        self._n_components += len(nats)
        self._n_known += seconds is None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Some of a stage is done."""
        if stage != self._stage:
            self._stage, self._since = stage, None
        count, left = f"{done} of {total}", self._left(done, total)
        if self._n_components:
            count += f", {self._nats / self._n_components:.3f} nats each"
        self._bar.update(
            self._task,
            description=_STAGES.get(stage, stage),
            completed=done,
            total=total,
            count=count,
            left="" if not left else f"about {seconds_text(left)} left",
        )

    def _left(self, done: int, total: int) -> float | None:
        """Seconds that the rest takes at the pace since the first report of the stage."""
        worked, now = done - self._n_known, monotonic()
        if self._since is None or worked <= self._since[1]:
            if worked > 0 and self._since is None:
                self._since = (now, worked)
            return None
        start, before = self._since
        return (now - start) / (worked - before) * (total - done)


def _console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)
