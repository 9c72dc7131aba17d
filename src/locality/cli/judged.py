"""Rows that a model has judged, as ``detect`` and ``explain`` read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from locality import DataError
from locality.cli.options import share
from locality.cli.tables import ModelRows, read_model_rows
from locality.cli.terminal import progress_bar

if TYPE_CHECKING:
    from locality.inference.judging.detection import Detection

__all__ = [
    "FALSE_ALARMS",
    "FalseAlarms",
    "JudgedRows",
    "NormalRows",
    "judge",
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
class JudgedRows:
    """Rows of a file, and what was found in them."""

    rows: ModelRows
    found: "Detection"


def judge(model: Path, table: Path, normal: Path | None, false_alarms: float) -> JudgedRows:
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
    from locality.inference.judging.promise import promise_for
    from locality.inference.rows import calibrated, detected
    from locality.store.store import load_model

    with progress_bar("Judging rows"):
        fitted = load_model(model)
        rows = read_model_rows(table, fitted, complete=False)
        if normal is not None:
            known = read_model_rows(normal, fitted, complete=False)
            with _of_file(normal, "Pass more rows, or leave --normal out."):
                fitted = calibrated(fitted, known.table)
        with _of_file(table):
            return JudgedRows(
                rows, detected(fitted, rows.table, promise_for(rows.table, false_alarms))
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
