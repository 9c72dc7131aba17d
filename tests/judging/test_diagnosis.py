"""Kinds of fault, on arrays made by hand."""

import numpy as np
import pytest

from locality.inference.judging.diagnosis import Diagnosis, diagnose, episode

N, D, START, SENSOR = 60, 4, 30, 2


def judged(
    change: np.ndarray, *, row: int = N - 1, share: float = 0.9, value: np.ndarray | None = None
) -> Diagnosis:
    """A sensor whose residual from row 30 on is ``change``, in standard deviations."""
    rng = np.random.default_rng(0)
    residual = 0.5 * rng.standard_normal((N, D))
    n = len(change)
    residual[START : START + n, SENSOR] = change
    values = rng.standard_normal((N, D))
    if value is not None:
        values[START : START + n, SENSOR] = value
    wrong = np.abs(residual) > 4
    alarm = np.zeros(N, dtype=bool)
    alarm[START : START + n] = True
    blame = np.full((N, D), (1 - share) / (D - 1))
    blame[:, SENSOR] = share
    return diagnose(row, alarm, blame, wrong, residual, values)


NOISE = np.random.default_rng(1).standard_normal(30)
FAULTS = {
    "offset": 6 + NOISE,
    "drift": np.linspace(1, 12, 30) + 0.5 * NOISE,
    "noise": 6 * np.sign(NOISE),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_fault_that_lasts_is_told_by_its_residuals(fault, sign) -> None:
    found = judged(sign * FAULTS[fault])
    assert found == Diagnosis(fault, START, (SENSOR,))


def test_a_value_that_repeats_is_stuck_whatever_its_residuals() -> None:
    for change in (*FAULTS.values(), 6 * NOISE):
        assert judged(change, value=np.full(30, 1.7)).fault == "stuck"
    half = np.where(np.arange(30) < 13, NOISE, 0.4)  # since it stuck, more than half of the rows
    assert judged(6 + NOISE, value=half).fault == "stuck"
    late = np.where(np.arange(30) < 27, NOISE, 0.4)
    assert judged(6 + NOISE, value=late).fault == "offset"
    freed = np.where(np.arange(30) < 29, 0.4, NOISE)  # moves again
    assert judged(6 + NOISE, value=freed).fault == "offset"


def test_a_single_row_is_a_spike() -> None:
    assert judged(np.array([9.0]), row=START) == Diagnosis("spike", START, (SENSOR,))
    # the same row if the sensor is still wrong on the next one
    assert judged(np.full(10, 9.0), row=START).fault == "offset"


def test_blame_that_is_shared_is_of_the_process() -> None:
    for change in FAULTS.values():
        assert judged(change, share=0.7).fault == "process"
        assert judged(change, share=0.76).fault != "process"


def test_rows_without_alarm_have_no_fault() -> None:
    assert judged(6 + NOISE, row=START - 1) == Diagnosis("none", START - 1, ())


def test_missing_values_do_not_hide_the_kind_of_fault() -> None:
    gaps = np.arange(30) % 3 == 1
    for fault, change in FAULTS.items():
        assert judged(np.where(gaps, np.nan, change)).fault == fault
    stuck = np.where(gaps, np.nan, 1.7)
    assert judged(np.where(gaps, np.nan, 6 + NOISE), value=stuck).fault == "stuck"


def test_sensors_are_told_in_the_order_in_which_they_stood_out() -> None:
    residual = np.zeros((8, 5))
    residual[2, 3], residual[3, [0, 3]], residual[4, [1, 4]] = -5.0, [7.0, 9.0], [5.0, -8.0]
    wrong = np.abs(residual) > 4
    alarm = np.arange(8) >= 1
    share = np.full((8, 5), 0.2)
    order = [
        diagnose(t, alarm, share, wrong, residual, residual).first_out for t in (1, 2, 3, 4, 7)
    ]
    # nothing is wrong by itself yet: the sensor with the largest share
    assert order == [(0,), (3,), (3, 0), (3, 0, 4, 1), (3, 0, 4, 1)]


def test_short_gaps_do_not_end_an_episode() -> None:
    for n_quiet, start in ((0, 4), (1, 4), (5, 4), (6, None), (20, None)):
        alarm = np.zeros(40, dtype=bool)
        alarm[4:8] = True
        second = 8 + n_quiet
        alarm[second : second + 3] = True
        expected = second if start is None else start
        assert episode(alarm, second + 2) == expected
        assert episode(alarm, second) == expected
        assert episode(alarm, 6) == 4  # later rows are not looked at
    everywhere = np.ones(9, dtype=bool)
    assert episode(everywhere, 8) == 0
