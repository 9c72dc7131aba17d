"""What is promised is read as it is written, or refused with what to write."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.table import Table
from locality.exceptions import OptionError
from locality.inference.judging.evidence import rows_needed
from locality.inference.judging.promise import Promise, promise_for, seconds_of

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "sampling", "n_rows"),
    [
        ("1 per 30 days", "3min", 14_400),
        ("1 in 30 days", 180, 14_400),
        ("2 per day", "1 h", 12),
        ("0.5 per week", DAY, 14),
        ("1 PER 2 Weeks", "d", 14),
        ("3 per month", "hour", 2_629_800 / 3_600 / 3),
        ("1 per year", "1.5 days", 365.25 / 1.5),
        ("1 per 10000 rows", None, 10_000),
        ("2 per 100 rows", "3min", 50),
        ("1 per 1000000000000 rows", None, 1e12),
        ("1 per 2 rows", None, 2),
        ("  1   per   90 s  ", 10.0, 9),
        ("1 per 45 min", "30 sec", 90),
        ("1 per 1e3 rows", None, None),
    ],
)
def test_episodes_in_a_time_are_rows(text, sampling, n_rows) -> None:
    if n_rows is None:
        with pytest.raises(OptionError, match='"1 per 30 days"'):
            Promise.of(text, sampling)
        return
    found = Promise.of(text, sampling)
    assert found.n_rows == pytest.approx(n_rows)
    assert Promise.of(found) is found
    assert f"{n_rows:,.0f} rows" in str(found)


@pytest.mark.parametrize(("share", "text"), [(0.01, "1 %"), ("0.05", "5 %"), (0.999, "1e+02 %")])
def test_a_share_is_a_share(share, text) -> None:
    found = Promise.of(share)
    assert (found.share, found.n_rows) == (float(share), None)
    assert text in str(found)


@pytest.mark.parametrize(
    ("asked", "sampling", "message"),
    [
        (0.0, None, "share between 0 and 1"),
        (1.0, None, "share between 0 and 1"),
        (-0.1, None, "share between 0 and 1"),
        (14, None, "share between 0 and 1"),
        (float("nan"), None, "share between 0 and 1"),
        ("1 %", None, "found '1 %'"),
        (True, None, "found True"),
        (None, None, "found None"),
        ([0.01], None, "found"),
        ("often", None, "found 'often'"),
        ("-1 per day", "1h", "found '-1 per day'"),
        ("0 per day", "1h", "found '0 per day'"),
        ("1 per 0 days", "1h", "found '1 per 0 days'"),
        ("1 per fortnight", "1h", "'fortnight' is no unit of time.*weeks"),
        ("1 per 30 days", None, r"time between rows is not known.*--sampling 3min"),
        ("1 per 30 days", "-3min", "sampling must be a time.*found '-3min'"),
        ("1 per 30 days", 0, "sampling must be a time"),
        ("1 per 30 days", -5.0, "sampling must be a time"),
        ("1 per 30 days", "nan", "sampling must be a time"),
        ("1 per 30 days", "inf", "sampling must be a time"),
        ("1 per 30 days", True, "sampling|no unit"),
        ("1 per 30 days", "3 parsec", "'parsec' is no unit"),
        ("1 per minute", "1h", "one false episode in 0.0167 rows; between 2"),
        ("1 per 1 rows", None, "between 2"),
        ("1 per 9999999999999 rows", None, "between 2"),
    ],
)
def test_what_cannot_be_read_is_refused(asked, sampling, message) -> None:
    with pytest.raises(OptionError, match=message):
        Promise.of(asked, sampling)


def test_the_time_column_tells_the_time_between_rows() -> None:
    """Most steps are 5 minutes; one gap does not matter. What is said counts more."""
    time = pd.date_range("2024-01-01", periods=50, freq="5min").to_series(index=range(50))
    time[25:] += pd.Timedelta("2 days")
    rows = pd.DataFrame({"when": time, "a": np.arange(50.0)})
    table = Table.from_frame(rows, time="when")
    assert promise_for(table, "1 per day").n_rows == 288
    assert promise_for(table, "1 per day", "1h").n_rows == 24
    assert promise_for(table, 0.02) == Promise(0.02)
    for few in (Table.from_frame(rows[:1], time="when", min_rows=1), Table.from_frame(rows[["a"]])):
        with pytest.raises(OptionError, match="time between rows is not known"):
            promise_for(few, "1 per day")
    assert seconds_of("2 weeks") == 14 * DAY


def test_a_promise_needs_normal_rows_to_carry_it() -> None:
    """Where they are too few it is refused, with how many are needed; a share is not."""
    x = np.random.default_rng(0).standard_normal((400, 4))
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(x[:200])
    model.calibrate(x[200 : 200 + rows_needed() - 1])
    for ask in (lambda: model.detect(x, false_alarms="1 per 500 rows"),
                lambda: model.judge("1 per 500 rows")):  # fmt: skip
        with pytest.raises(OptionError, match=f"at least {rows_needed()} normal rows.*--normal"):
            ask()
    assert model.detect(x, false_alarms=0.01).alarm.shape == (400,)
    model.calibrate(x[200 : 200 + rows_needed()])
    found = model.detect(x, false_alarms="1 per 500 rows")
    assert found.alarm.mean() < 0.2
    enough = replace(model.model_.reference, n_rows=rows_needed())
    Promise(n_rows=1e6).require_known(enough)
