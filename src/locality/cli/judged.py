"""Rows that a model has judged, as ``detect`` and ``explain`` read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from locality import DataError, OptionError
from locality.cli.options import false_alarms, sampling
from locality.cli.tables import ModelRows, read_model_rows
from locality.cli.terminal import progress_bar

if TYPE_CHECKING:
    from locality import Judge
    from locality.cli.continued import Continued
    from locality.data.table import Table
    from locality.inference.judging.detection import Detection
    from locality.inference.judging.promise import Promise
    from locality.model.model import Model

__all__ = [
    "FALSE_ALARMS",
    "FalseAlarms",
    "JudgedRows",
    "NormalRows",
    "Sampling",
    "again",
    "judge",
    "p_value_text",
    "shares_text",
]

FALSE_ALARMS = 0.01
"""Accepted share of normal rows with an alarm, unless told otherwise."""

_SMALLEST_P = 1e-6  # below, the number depends on the assumed tail more than on the rows
_ANCHOR = 1  # version

FalseAlarms: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--false-alarms",
        parser=false_alarms,
        metavar="RATE",
        help="Accepted false alarms: a share of normal rows, 0.01 by default; or episodes in a "
        'time, as "1 per 30 days" or "1 per 10000 rows".',
    ),
]
Sampling: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--sampling",
        parser=sampling,
        metavar="TIME",
        help="Time from row to row, as 3min, where --false-alarms counts episodes in a time; by "
        "default the time column tells.",
    ),
]
NormalRows: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--normal",
        metavar="FILE",
        help="Rows known to be normal, at least 20, that alarms are measured against; by default "
        "held-out rows of the fit.",
    ),
]


@dataclass(frozen=True, eq=False)
class JudgedRows:
    """Rows of a file, and what was found in them.

    Parameters
    ----------
    rows : ModelRows
    found : Detection
    promise : Promise
        How often alarms may be false.
    anchor : Detection or None
        What the first version finds in the same rows.
    judges : tuple of Judge and (Judge or None)
        Where the stream and that of the first version stand now, if there is one.
    """

    rows: ModelRows
    found: "Detection"
    promise: "Promise"
    anchor: "Detection | None" = None
    judges: "tuple[Judge, Judge | None] | None" = None

    def rate(self, asked: float | str | None) -> float | str:
        """Accepted false alarms: a share, or episodes as they were asked for."""
        if self.promise.n_rows is None:
            return self.promise.share
        return asked if isinstance(asked, str) else f"1 per {self.promise.n_rows:g} rows"


def judge(
    model: Path,
    table: Path,
    normal: Path | None,
    false_alarms: float | str | None,
    sampling: str | None,
    *,
    continued: "Continued | None" = None,
    anchor: bool = False,
) -> JudgedRows:
    """Read a model and a table, and judge its rows.

    Parameters
    ----------
    model, table : Path
    normal : Path, optional
        Calibrate with these rows first.
    false_alarms, sampling
        As typed.
    continued : Continued, optional
        The stream that the rows belong to.
    anchor : bool
        Let the first version judge, too; against its own normal rows, whatever ``normal`` says.

    Raises
    ------
    LocalityError
        A file cannot be used, the model has no law of a row, it does not know normal rows, or rows
        are not those that follow.
    """
    from locality.inference.judging.promise import Promise
    from locality.inference.rows import calibrated, detected
    from locality.store.store import load_model

    with progress_bar("Judging rows"):
        fitted = load_model(model)
        rows = read_model_rows(table, fitted, complete=False)
        if normal is not None:
            known = read_model_rows(normal, fitted, complete=False)
            with _of_file(normal, "Pass more rows, or leave --normal out."):
                fitted = calibrated(fitted, known.table)
        first, first_rows = _anchor(model, table) if anchor else (None, None)
        goes_on = continued is not None and continued.is_begun
        if false_alarms is not None and (sampling or rows.table.n_rows > 1):
            goes_on = False  # one row tells no time between rows
        promise = Promise() if goes_on else _promised(rows.table, false_alarms, sampling)
        if continued is None:
            with _of_file(table):
                found = detected(fitted, rows.table, promise)
            beside = None
            if first is not None and first_rows is not None:
                beside = detected(first, first_rows, promise)
            return JudgedRows(rows, found, promise, beside)
        from locality import Judge

        judge = Judge(fitted, promise)
        other = None if first is None else Judge(first, promise)
        continued.take_up(judge, other)
        for one in (judge, other):
            if one is not None:
                one.promise = judge.promise if goes_on else promise
        with _of_file(table):
            found = judge.update(rows.table)
            beside = None if other is None else other.update(first_rows)
    return JudgedRows(rows, found, judge.promise, beside, (judge, other))


def _anchor(model: Path, table: Path) -> "tuple[Model, Table]":
    """The first version of a model, and the rows as it reads them."""
    from locality.store.store import load_model

    try:
        first = load_model(model, _ANCHOR)
        return first, read_model_rows(table, first, complete=False).table
    except DataError as error:
        raise DataError(f"--anchor: {error.message}", remedy=error.remedy) from error


def _promised(table: "Table", rate: float | str | None, sampling: str | None) -> "Promise":
    """What the options promise; an error names them."""
    from locality.inference.judging.promise import promise_for

    try:
        return promise_for(table, FALSE_ALARMS if rate is None else rate, sampling)
    except OptionError as error:
        message = error.message.removeprefix("false_alarms ")
        raise OptionError(f"--false-alarms: {message}", remedy=error.remedy) from error


def again(false_alarms: float | str | None, sampling: str | None, normal: Path | None) -> list[str]:
    """The same options for another command.

    Examples
    --------
    >>> again("1 per 30 days", "3min", None)
    ['--false-alarms', '1 per 30 days', '--sampling', '3min']
    """
    found = {"--normal": normal, "--false-alarms": false_alarms, "--sampling": sampling}
    return [
        part
        for name, value in found.items()
        if value is not None
        for part in (name, f"{value:g}" if isinstance(value, float) else str(value))
    ]


def p_value_text(p: float) -> str:
    """A p-value for people; tiny ones say more of the assumed tail than of the rows.

    Examples
    --------
    >>> p_value_text(0.0123), p_value_text(1e-12)
    ('0.012', '< 1e-06')
    """
    return f"< {_SMALLEST_P:.0e}" if p < _SMALLEST_P else f"{p:.2g}"


def shares_text(shares: dict[str, float]) -> str:
    """Sensors with their share of the blame, if it is worth a word.

    Examples
    --------
    >>> shares_text({"flow": 0.8, "level": 0.197, "valve": 0.003})
    'flow 80 %, level 20 %'
    """
    return ", ".join(f"{name} {100 * part:.0f} %" for name, part in shares.items() if part >= 0.005)


@contextmanager
def _of_file(path: Path, remedy: str = "") -> Iterator[None]:
    """Name the file whose rows cannot be used."""
    try:
        yield
    except DataError as error:
        message = f"{path.name}: {error.message}"
        raise DataError(message, remedy=error.remedy or remedy) from error
