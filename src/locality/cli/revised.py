"""What an update of a model has done, in sentences."""

from pathlib import Path
from typing import TYPE_CHECKING

from locality.cli.terminal import Report, counted

if TYPE_CHECKING:
    from locality.inference.updating.normal_rows import LeftOut
    from locality.inference.updating.outcome import Update

__all__ = ["describe", "describe_revision"]

_STRETCHES = 5


def describe(report: Report, told: "Update", model: Path, version: int) -> None:
    """Say what learning again did, or why it did nothing."""
    _tell_left_out(report, told)
    if not told.sensors:
        if told.why:
            report.line(f"Refused: {told.why} Nothing was changed.")
            return
        report.line("No sensor has drifted; nothing was changed.")
        return
    names = ", ".join(told.sensors[:10]) + (", …" if len(told.sensors) > 10 else "")
    report.heading(f"{counted(len(told.sensors), 'sensor')} learned again: {names}")
    report.line(
        f"{told.n_rows:,} rows were learned from, {told.n_held_out:,} later ones kept back. On "
        f"those the sensors that change cost {told.champion:.3f} nats each before and "
        f"{told.challenger:.3f} after: {told.change:+.3f}, at most {told.bound:+.3f} (95 %)."
    )
    if told.rescaled:
        report.line(f"Mean or spread has moved: {', '.join(told.rescaled[:10])}.")
    if told.affected:
        report.line(
            f"{counted(len(told.affected), 'sensor')} that look at them were judged with them, and "
            f"may be learned again too: {', '.join(told.affected[:10])}."
        )
    if told.accepted:
        report.line(
            f"{model} now serves version {version}: {told.n_shards_new} of {told.n_shards} shards "
            "are new."
        )
        return
    report.line(f"Refused: {told.why} Nothing was changed.")


def describe_revision(report: Report, told: "Update", model: Path, version: int) -> None:
    """Say who came and went, and who was learned again for it."""
    _tell_left_out(report, told)
    if told.why:
        report.line(f"Refused: {told.why} Nothing was changed.")
        return
    came = [f"{name} added" for name in told.added]
    went = [f"{name} removed" for name in told.removed]
    report.heading(", ".join([*came, *went]))
    if told.sensors:
        names = ", ".join(told.sensors[:10]) + (", …" if len(told.sensors) > 10 else "")
        report.line(f"{counted(len(told.sensors), 'sensor')} learned again: {names}.")
    elif told.n_held_out:
        stay = "It stands alone" if told.added else "The neighbors stay, without it"
        if len(told.added) + len(told.removed) > 1:
            stay = "They stand alone" if told.added else "The neighbors stay, without them"
        report.line(f"{stay}: what was learned from these rows did not hold in the latest ones.")
    else:
        report.line("No sensor had to be learned again.")
    if told.n_held_out:
        new_ones = bool(told.added) and not set(told.sensors) - set(told.added)
        whom = "the new sensors" if new_ones else "the neighbors"
        before = "without them" if told.added else "without learning again"
        report.line(
            f"{told.n_rows:,} rows were learned from, {told.n_held_out:,} later ones kept back. On "
            f"those {whom} cost {told.champion:.3f} nats each {before} and "
            f"{told.challenger:.3f} with it: {told.change:+.3f}, at most {told.bound:+.3f} (95 %)."
        )
    report.line(
        f"{model} now serves version {version}: {told.n_shards_new} of {told.n_shards} shards "
        "are learned anew."
    )


def _tell_left_out(report: Report, told: "Update") -> None:
    """Which rows were not learned from."""
    if told.process_change is not None:
        report.line(f"The process has changed ({told.process_change}): no row was left out.")
        return
    if told.n_left_out is None:
        report.line(
            "The model does not know how normal rows look, so no row in alarm was left out."
        )
        return
    if not told.left_out:
        return
    longest = sorted(told.left_out, key=lambda part: -part.n_rows)
    places = [
        f"{_span(part)}{' of the older ones' if part.older else ''} ({part.sensor})"
        for part in longest[:_STRETCHES]
    ]
    more = f"; {len(longest) - _STRETCHES} more with --json" if len(longest) > _STRETCHES else ""
    report.line(
        f"{counted(told.n_left_out, 'row')} in alarm, with the sensor most to blame, "
        f"{'was' if told.n_left_out == 1 else 'were'} left out: {', '.join(places)}{more}. "
        "If the process itself has changed, say so with --process-change."
    )


def _span(part: "LeftOut") -> str:
    if part.n_rows == 1:
        return f"row {part.first}"
    return f"rows {part.first} to {part.last}"
