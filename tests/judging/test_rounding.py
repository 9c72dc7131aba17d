"""Rows rounded more coarsely than those of the fit: a warning where it matters, and only there."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.resolution import decimal_step
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.data.transforms_fit import fit_standardizer
from locality.inference.judging.detection import Detection
from locality.inference.judging.promise import Promise


@pytest.mark.parametrize("decimals", range(10))
def test_the_step_is_that_of_the_last_decimal(decimals: int) -> None:
    values = np.random.default_rng(0).normal(20.0, 3.0, 5_000).round(decimals)
    assert decimal_step(values) == 10.0**-decimals
    values[::3] = np.nan
    assert decimal_step(values) == 10.0**-decimals


def test_the_step_in_32_bits_is_told_as_far_as_they_reach() -> None:
    values = np.random.default_rng(0).normal(20.0, 3.0, 5_000)
    for decimals in range(4):
        narrow = values.round(decimals).astype(np.float32).astype(np.float64)
        assert decimal_step(narrow) == 10.0**-decimals
    assert decimal_step(values.astype(np.float32).astype(np.float64)) == 0.0


def test_what_has_no_step() -> None:
    values = np.random.default_rng(0).normal(20.0, 3.0, 5_000)
    assert decimal_step(values) == 0.0
    assert decimal_step(values.round(10)) == 0.0
    assert decimal_step(np.full(3, np.nan)) == decimal_step(np.zeros(0)) == 0.0
    assert decimal_step(np.array([1e30, 2e29])) == 1.0


def test_a_standardizer_keeps_the_steps() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 3))
    rows[:, 0], rows[:, 2] = rows[:, 0].round(2), 7.0
    fitted = fit_standardizer(Table.from_frame(rows))
    np.testing.assert_array_equal(fitted.steps, [0.01, 0.0])
    restored = Standardizer.from_dict(json.loads(json.dumps(fitted.to_dict())))
    np.testing.assert_array_equal(restored.steps, fitted.steps)


def make_levels(n: int, seed: int) -> pd.DataFrame:
    """Three tanks that fit each other to 0.0003, a pressure alone, a valve that is often shut."""
    rng = np.random.default_rng(seed)
    level = rng.normal(5.0, 1.0, n)
    tanks = {f"tank {j}": (1 + 0.37 * j) * level for j in range(3)}
    frame = pd.DataFrame(tanks) + 0.0003 * rng.normal(size=(n, 3))
    frame["pressure"] = rng.normal(3.0, 1.0, n)
    frame["valve"] = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(0, 100, n))
    return frame.round(6)


@pytest.fixture(scope="module")
def model() -> LocalizedDiffusion:
    return LocalizedDiffusion(denoiser="linear", random_state=0).fit(make_levels(600, 0))


def coarse(model: LocalizedDiffusion, rows: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """New and fitted steps of the columns that are told."""
    table = Table.from_frame(rows, min_rows=0)
    return {
        c.name: (c.step, c.fitted) for c in Detection.of(model.model_, table, Promise(0.01)).coarse
    }


def test_coarse_rows_are_told_unless_their_noise_was_stated(model: LocalizedDiffusion) -> None:
    rows = make_levels(300, 1).round(2)
    steps = {f"tank {j}": pytest.approx((0.01, 1e-6)) for j in range(3)}
    assert coarse(model, rows) == steps
    assert model.detect(rows).alarm.sum() > 150
    again = LocalizedDiffusion(denoiser="linear", random_state=0, noise=0.005)
    assert coarse(again.fit(make_levels(600, 0)), rows) == {}


def test_steps_may_be_of_several_sizes(model: LocalizedDiffusion) -> None:
    rows = make_levels(300, 1).round({"tank 0": 2, "tank 1": 1})
    assert {name: step for name, (step, _) in coarse(model, rows).items()} == {
        "tank 0": pytest.approx(0.01),
        "tank 1": pytest.approx(0.1),
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x.round(5),  # ten times coarser, and far below what the neighbors tell
        lambda x: x.round({"pressure": 1, "valve": 0}),  # neither is known so well
        lambda x: x.round(2)[:4],  # too few values to tell
        lambda x: x.assign(**{"tank 1": 5.0}),  # stuck
        lambda x: x[:0],
    ],
)
def test_nothing_is_told_where_it_does_not_matter(
    model: LocalizedDiffusion, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    assert coarse(model, change(make_levels(300, 1))) == {}


def test_equally_coarse_rows_of_fit_and_later_are_as_they_are() -> None:
    model = LocalizedDiffusion(denoiser="linear", random_state=0)
    assert coarse(model.fit(make_levels(600, 0).round(2)), make_levels(300, 1).round(2)) == {}
