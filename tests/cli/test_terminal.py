"""What a progress bar says of hours-long work."""

import numpy as np
import pytest
from rich.progress import Progress

from locality.cli import terminal


def test_time_left_follows_the_pace_of_what_was_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten shards, three of them from an earlier fit, one every 30 seconds after the first."""
    clock = [0.0]
    monkeypatch.setattr(terminal, "monotonic", lambda: clock[0])
    bar = Progress(disable=True)
    task = bar.add_task("Reading", total=None, count="", left="")
    reports = terminal._Reports(bar, task)

    def told() -> tuple[str, str, str]:
        found = bar.tasks[0]
        return found.description, found.fields["count"], found.fields["left"]

    for k in range(3):
        reports.finished(np.array([1.0, 2.0]), None)
        reports("networks", k + 1, 10)
    assert told() == ("Training networks", "3 of 10, 1.500 nats each", "")
    clock[0] = 100.0  # starting takes as long as it takes
    reports.finished(np.array([3.0, 3.0]), 30.0)
    reports("networks", 4, 10)
    assert told()[1:] == ("4 of 10, 1.875 nats each", "")  # one report has no pace
    clock[0] = 130.0
    reports.finished(np.array([0.0, 0.0]), 30.0)
    reports("networks", 5, 10)
    assert told()[1:] == ("5 of 10, 1.500 nats each", "about 2 min 30 s left")
    clock[0] = 250.0  # two more at half the pace: 150 s for three shards, three to go
    for done in (6, 7):
        reports("networks", done, 10)
    assert told()[2] == "about 2 min 30 s left"
    reports("sampling", 1, 4)  # another stage, another pace
    assert told()[0::2] == ("Drawing rows", "")
