"""What was found in new rows, in sentences: departures, rounding, columns left out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from locality.cli.tables import ModelRows, quoted
from locality.cli.terminal import Report, counted

if TYPE_CHECKING:
    from locality.data.transforms import Standardizer
    from locality.inference.judging.departures import Departure
    from locality.inference.judging.rounding import CoarseColumn

__all__ = ["departed", "departed_here", "left_out", "missing", "rounding_warnings"]

_LISTED = 3  # states
_COARSE = 5  # columns


def left_out(report: Report, ignored: Sequence[str]) -> None:
    """Name columns that the model does not know."""
    if ignored:
        names = ", ".join(ignored[:8]) + (" …" if len(ignored) > 8 else "")
        report.line(f"Columns that the model does not know were left out: {names}")


def departed(found: "Sequence[Departure]", rows: ModelRows) -> dict[str, str]:
    """What columns do that they never did in the fit: sentences that go on after their names."""
    told = {}
    for part in found:
        place = f"{len(part.rows):,} of {rows.table.n_rows:,} rows here"
        first = f"first in row {rows.labels[part.rows[0]]}."
        if part.rule != "states":
            told[part.column] = f"{_rule(part)} in the fit, but not in {place}, {first}"
            continue
        texts = list(dict.fromkeys(rows.text(part.column, row) for row in part.rows.tolist()))
        listed = " or ".join(quoted(text) for text in texts[:_LISTED])
        listed += f" ({len(texts) - _LISTED} more)" if len(texts) > _LISTED else ""
        what = "a state" if len(texts) == 1 else "states"
        told[part.column] = f"is {listed} in {place}, {what} never seen in the fit, {first}"
    return told


def departed_here(
    standardizer: "Standardizer", part: "Departure", rows: ModelRows, row: int
) -> str:
    """What a column that has departed does in one row: a sentence."""
    name, column = part.column, rows.table.names.index(part.column)
    is_unseen = rows.table.unseen is not None and bool(rows.table.unseen[row, column])
    if is_unseen and part.rule != "constant":
        return f"{name} is {quoted(rows.text(name, row))}, a state never seen in the fit."
    here = "none"
    if part.rule == "constant":
        value = float(rows.table.values[row, column])
        here = rows.text(name, row) if is_unseen else standardizer.text(name, value)
    return f"{name} {_rule(part)} in the fit, but is {here} here."


def _rule(part: "Departure") -> str:
    return f"was constant at {part.of}" if part.rule == "constant" else f"was a copy of {part.of}"


def rounding_warnings(coarse: "Sequence[CoarseColumn]") -> list[str]:
    """A sentence on columns that are rounded too coarsely, or nothing."""
    if not coarse:
        return []
    columns, verb = ("1 column", "is") if len(coarse) == 1 else (f"{len(coarse):,} columns", "are")
    listed = [
        f"{part.name}: {_number(part.step)} against "
        + (_number(part.fitted) if part.fitted else "no rounding")
        for part in coarse[:_COARSE]
    ]
    more = ", …" if len(coarse) > _COARSE else ""
    return [
        f"{columns} {verb} rounded more coarsely than in the fit ({', '.join(listed)}{more}): what "
        f"is finer than that will look abnormal. Fit again with --noise {_noise(coarse)}."
    ]


def _noise(coarse: "Sequence[CoarseColumn]") -> str:
    """Half the step of every column, as the option has it."""
    if len({part.step for part in coarse}) == 1:
        return _number(coarse[0].step / 2)
    listed = ",".join(f"{part.name}={_number(part.step / 2)}" for part in coarse[:_COARSE])
    return listed + ",…" * (len(coarse) > _COARSE)


def _number(value: float) -> str:
    """A decimal as people write it.

    >>> _number(1e-6), _number(0.005), _number(0.5)
    ('0.000001', '0.005', '0.5')
    """
    return f"{value:.10f}".rstrip("0").rstrip(".")


def missing(report: Report, n_missing: int) -> None:
    """Say how many values are missing."""
    if n_missing:
        is_one = n_missing == 1
        whose = "its" if is_one else "their"
        report.line(
            f"{counted(n_missing, 'value')} {'is' if is_one else 'are'} missing; {whose} neighbors "
            f"are judged with what is expected in {whose} place."
        )
