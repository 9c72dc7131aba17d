"""Noise levels: range, quadrature, bands, training law and the Ornstein–Uhlenbeck view."""

import numpy as np
import pytest

from locality.exceptions import OptionError
from locality.noise.levels import (
    BAND_EDGES,
    NoiseLevels,
    band_labels,
    band_of,
    ou_time,
    sigma_of_ou_time,
    training_levels,
)

LEVELS = [NoiseLevels(0.02, 12.0), NoiseLevels(1e-5, 12.0), NoiseLevels(0.5, 80.0)]


@pytest.mark.parametrize("variance", [1e-3, 0.1, 1.0, 30.0])
def test_quadrature_integrates_gaussian_errors(variance: float) -> None:
    """The error λ/(1 + λ snr) of a Gaussian component integrates to log(1 + λ snr)."""
    levels = LEVELS[0]
    top, bottom = levels.sigma_min**-2, levels.sigma_max**-2
    exact = np.log((1 + variance * top) / (1 + variance * bottom))
    misses = []
    for n_levels in (24, 48, 96):
        sigma, weight = levels.quadrature(n_levels)
        assert len(sigma) == len(weight) == n_levels
        assert (np.diff(sigma) < 0).all()
        misses.append(abs(weight @ (variance / (1 + variance / sigma**2)) - exact))
    # A step of log snr h errs by about h²/24 times the change of slope, which is at most 1.
    steps = 2 * np.log(levels.sigma_max / levels.sigma_min) / np.array([24, 48, 96])
    assert (np.array(misses) < steps**2 / 24 + 1e-9).all()


def test_quadrature_is_of_second_order() -> None:
    levels = NoiseLevels(0.1, 3.0)
    exact = np.log((1 + levels.sigma_min**-2) / (1 + levels.sigma_max**-2))
    misses = []
    for n_levels in (16, 32, 64):
        sigma, weight = levels.quadrature(n_levels)
        misses.append(abs(weight @ (1 / (1 + sigma**-2)) - exact))
    np.testing.assert_allclose(np.log2(np.divide(misses[:-1], misses[1:])), 2.0, atol=0.1)


def test_bands_tile_all_levels_and_every_level_knows_its_band() -> None:
    edges = np.array(BAND_EDGES)
    assert edges[0] == np.inf
    assert edges[-1] == 0.0
    assert (np.diff(edges[1:]) < 0).all()
    sigma = np.geomspace(1e-4, 500.0, 501)
    band = band_of(sigma)
    assert (edges[band + 1] <= sigma).all()
    assert (sigma <= edges[band]).all()
    assert set(band.tolist()) == set(range(len(band_labels()))) == set(range(len(edges) - 1))


def test_bands_are_what_they_were() -> None:
    """Models and their readers agree on bands: of equal width in log σ from 2 to 0.03."""
    edges = np.array(BAND_EDGES)[1:-1]
    np.testing.assert_allclose(edges, 2.0 * (0.03 / 2.0) ** (np.arange(5) / 4), rtol=1e-12)


def test_levels_resolve_the_finest_conditional_scale() -> None:
    for finest in (0.9, 0.1, 0.004):
        levels = NoiseLevels.for_scales(np.array([1.0, finest]), 1.0)
        assert levels.sigma_min <= 0.15 * finest + 1e-12
        assert levels.sigma_min <= 0.02
    assert NoiseLevels.for_scales(np.array([0.0]), 1.0).sigma_min == 1e-5


def test_levels_drown_the_largest_common_movement() -> None:
    """At σ_max noise has at least 100 times the variance of the widest direction."""
    for widest in (1.0, 7.0, 300.0):
        levels = NoiseLevels.for_scales(np.ones(2), widest)
        assert widest / levels.sigma_max**2 <= 1 / 100 + 1e-12
        assert levels.sigma_max == pytest.approx(max(12.0, 10 * widest**0.5))
    assert NoiseLevels.for_scales(np.ones(2), 1e9).sigma_max == 500.0


def test_quadrature_ends_where_networks_have_faded() -> None:
    """However far a sampler starts, points of the integral are spent on trained levels."""
    near, far = (NoiseLevels(0.02, top).quadrature(48) for top in (12.0, 300.0))
    np.testing.assert_array_equal(near, far)


def test_training_levels_are_even_in_log_over_a_range_that_does_not_depend_on_the_batch() -> None:
    scales = np.array([1.0, 0.3, 0.01])
    for n_levels in (16, 64, 1024):
        log = np.log(training_levels(scales, n_levels))
        assert log.shape == (3, n_levels)
        step = np.diff(log, axis=1)
        np.testing.assert_allclose(step, np.broadcast_to(step[:, :1], step.shape), rtol=1e-6)
        half = step[:, 0] / 2
        np.testing.assert_allclose(np.exp(log[:, 0] - half), 0.07 * scales, rtol=1e-9)
        np.testing.assert_allclose(np.exp(log[:, -1] + half), 6.0, rtol=1e-9)


def test_ornstein_uhlenbeck_time_is_another_name_for_sigma() -> None:
    sigma = np.geomspace(1e-6, 1e3, 50)
    np.testing.assert_allclose(sigma_of_ou_time(ou_time(sigma)), sigma, rtol=1e-9)
    # e^{-t} (x + σ ε) has the noise variance 1 - e^{-2t} of the process
    t = np.linspace(0.0, 5.0, 30)
    noise = np.exp(-2 * t) * sigma_of_ou_time(t) ** 2
    np.testing.assert_allclose(noise, 1 - np.exp(-2 * t), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0), "sigma_min=0.0"),
        ((2.0, 1.0), "sigma_max=1.0"),
        ((2.0, 2.0), "sigma_max=2.0"),
        ((0.1, np.inf), "sigma_max=inf"),
        ((np.nan, 1.0), "sigma_min=nan"),
    ],
)
def test_impossible_levels_are_named(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        NoiseLevels(*arguments)
