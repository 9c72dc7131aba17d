"""Rows that a model has judged, as ``detect`` and ``explain`` read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from locality.cli.departures import n_missing
from locality.cli.options import share
from locality.cli.tables import FittedRows, read_fitted_rows, row_labels
from locality.cli.terminal import Report, counted, progress_bar
from locality.exceptions import DataError

if TYPE_CHECKING:
    from locality._typing import FloatArray
    from locality.data.table import Table
    from locality.inference.judging.detection import Detection
    from locality.model.reference import Reference

__all__ = [
    "FALSE_ALARMS",
    "FalseAlarms",
    "JudgedTable",
    "NormalRows",
    "judge",
    "left_out",
    "p_value_text",
    "shares_text",
]

FALSE_ALARMS = 0.01
"""Accepted share of normal rows with an alarm, unless told otherwise."""

_SMALLEST_P = 1e-6  # below, the number depends on the assumed tail more than on the rows

FalseAlarms: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=share, metavar="SHARE", help="Accepted share of normal rows with an alarm."
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
class JudgedTable:
    """Rows that were judged.

    Parameters
    ----------
    fitted : LocalizedDiffusion
    rows : FittedRows
    table : Table
        The same rows as numbers.
    found : Detection
    labels : list of str
        How rows are named.
    """

    fitted: Any
    rows: FittedRows
    table: "Table"
    found: "Detection"
    labels: list[str]

    @property
    def names(self) -> list[str]:
        """Columns that may be to blame: all but the given ones."""
        standard = self.fitted.model_.standardizer.names
        return [name for name in standard if name not in self.fitted.given]

    @property
    def reference(self) -> "Reference":
        """How normal rows look."""
        found: Reference = self.fitted.model_.reference
        return found

    @property
    def shares(self) -> "FloatArray":
        """The blame of ``names`` [n_rows, n_names]."""
        standard = self.fitted.model_.standardizer.names
        shares: FloatArray = self.found.share[:, [standard.index(name) for name in self.names]]
        return shares


def judge(model: Path, table: Path, normal: Path | None, false_alarms: float) -> JudgedTable:
    """Read a model and a table, and judge its rows.

    Parameters
    ----------
    model, table : Path
    normal : Path, optional
        Calibrate with these rows first.
    false_alarms : float

    Raises
    ------
    LocalityError
        A file cannot be used, the model has no law of a row, or it does not know normal rows.
    """
    from locality.estimator import LocalizedDiffusion
    from locality.estimator.rows import read_rows
    from locality.inference.judging.detection import detection
    from locality.training.executors import one_thread

    with progress_bar("Judging rows"):
        fitted = LocalizedDiffusion.load(model)
        rows = read_fitted_rows(table, fitted, complete=False)
        if normal is not None:
            known = read_fitted_rows(normal, fitted, complete=False)
            with _of_file(normal, "Pass more rows, or leave --normal out."):
                fitted.calibrate(known.rows)
        values = read_rows(fitted, rows.rows, reset=False, min_rows=0)
        with _of_file(table), one_thread():
            found = detection(fitted.model_, values, false_alarms)
    return JudgedTable(fitted, rows, values, found, row_labels(rows, fitted.time))


def left_out(report: Report, judged: JudgedTable) -> None:
    """Name columns that the model does not know, and say how many values are missing."""
    ignored = judged.rows.ignored
    if ignored:
        names = ", ".join(ignored[:8]) + (" …" if len(ignored) > 8 else "")
        report.line(f"Columns that the model does not know were left out: {names}")
    n_gaps = n_missing(judged.table)
    if n_gaps:
        is_one = n_gaps == 1
        whose = "its" if is_one else "their"
        report.line(
            f"{counted(n_gaps, 'value')} {'is' if is_one else 'are'} missing; {whose} neighbors "
            f"are judged with what is expected in {whose} place."
        )


def p_value_text(p: float) -> str:
    """A p-value for people; tiny ones say more of the assumed tail than of the rows.

    Examples
    --------
    >>> p_value_text(0.0123), p_value_text(1e-12)
    ('0.012', '< 1e-06')
    """
    return f"< {_SMALLEST_P:.0e}" if p < _SMALLEST_P else f"{p:.2g}"


def shares_text(shares: dict[str, float]) -> str:
    """Sensors with their share of the blame.

    Examples
    --------
    >>> shares_text({"flow": 0.8, "level": 0.2})
    'flow 80 %, level 20 %'
    """
    return ", ".join(f"{name} {100 * part:.0f} %" for name, part in shares.items())


@contextmanager
def _of_file(path: Path, remedy: str = "") -> Iterator[None]:
    """Name the file whose rows cannot be used."""
    try:
        yield
    except DataError as error:
        message = f"{path.name}: {error.message}"
        raise DataError(message, remedy=error.remedy or remedy) from error
