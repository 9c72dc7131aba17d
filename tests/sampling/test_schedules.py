"""Schedules: falling levels over the whole range of a model, evenly in what each says."""

import numpy as np
import pytest
from scipy.stats import norm

from locality.exceptions import OptionError
from locality.inference.sampling.schedules import (
    GeometricLevels,
    KarrasLevels,
    LevelSchedule,
    LogNormalLevels,
)
from locality.noise.levels import NoiseLevels

LEVELS = [NoiseLevels(0.02, 12.0), NoiseLevels(1e-5, 12.0), NoiseLevels(0.5, 80.0)]
SCHEDULES = [KarrasLevels(), KarrasLevels(1.0), GeometricLevels(), LogNormalLevels()]


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("n_steps", [1, 2, 7, 64])
def test_levels_fall_from_largest_to_smallest_to_zero(
    levels: NoiseLevels, schedule: LevelSchedule, n_steps: int
) -> None:
    grid = schedule(levels, n_steps)
    assert len(grid) == n_steps + 1
    assert (np.diff(grid) < 0).all()
    assert grid[-1] == 0.0
    np.testing.assert_allclose(grid[0], levels.sigma_max, rtol=1e-12)
    if n_steps > 1:
        np.testing.assert_allclose(grid[-2], levels.sigma_min, rtol=1e-9)


def test_every_schedule_is_even_in_its_own_measure() -> None:
    levels = LEVELS[0]
    for rho in (1.0, 3.0, 7.0):
        steps = np.diff(KarrasLevels(rho)(levels, 20)[:-1] ** (1 / rho))
        np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    steps = np.diff(np.log(GeometricLevels()(levels, 20)[:-1]))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    shares = norm.cdf(np.log(LogNormalLevels(-0.5, 0.8)(levels, 20)[:-1]), -0.5, 0.8)
    np.testing.assert_allclose(np.diff(shares), np.diff(shares)[0], rtol=1e-9)


def test_a_large_rho_is_nearly_geometric() -> None:
    grids = [s(LEVELS[0], 30)[:-1] for s in (KarrasLevels(1e4), GeometricLevels())]
    np.testing.assert_allclose(*grids, rtol=1e-2)


class Rising(LevelSchedule):
    def after(self, levels, share):
        return levels.sigma_min + share


class TooFew(LevelSchedule):
    def after(self, levels, share):
        return levels.sigma_max - share[1:]


@pytest.mark.parametrize("schedule", [Rising(), TooFew(), LogNormalLevels(-300.0, 0.1)])
def test_levels_that_do_not_fall_are_refused_by_name(schedule: LevelSchedule) -> None:
    with pytest.raises(OptionError, match=f"{type(schedule).__name__} does not give 4 levels"):
        schedule(LEVELS[0], 4)


def test_impossible_schedules_are_named() -> None:
    with pytest.raises(OptionError, match="at least 1 step, found 0"):
        KarrasLevels()(LEVELS[0], 0)
    with pytest.raises(OptionError, match="rho must be a number above 0, found -1"):
        KarrasLevels(-1.0)
    with pytest.raises(OptionError, match=r"found mean=0\.0 and deviation=0"):
        LogNormalLevels(0.0, 0.0)
