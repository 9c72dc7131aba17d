"""Missing cells drawn: exact where the model is Gaussian, and both wells where it is not."""

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.exceptions import OptionError
from locality.inference.laws.table import GaussianTable
from locality.inference.sampling.methods import build_sampler
from locality.inference.sampling.missing import draw_missing
from locality.model.model import Model

D = 6


@pytest.fixture(scope="module")
def gaussian() -> tuple[Model, np.ndarray]:
    """All components see each other: the denoiser is the posterior mean of one covariance."""
    rows = OrnsteinUhlenbeckChain(D, correlation=0.8).sample(20_000, random_state=0)
    model = LocalizedDiffusion(graph="complete", radius=1, denoiser="linear", random_state=0)
    model = model.fit(rows).model_
    return model, np.corrcoef(rows, rowvar=False)


@pytest.fixture(scope="module")
def wells() -> tuple[LocalizedDiffusion, DoubleWellChain]:
    law = DoubleWellChain(5)
    model = LocalizedDiffusion(graph="chain", radius=1, n_steps=300, random_state=0)
    return model.fit(law.sample(2_000, 0)), law


def test_draws_have_the_exact_conditional_mean_and_covariance(
    gaussian: tuple[Model, np.ndarray],
) -> None:
    """Within 3 %: 20,000 draws of three cells alone have a relative error of about 1 %."""
    model, covariance = gaussian
    row = np.full((D, 1), np.nan)
    o = np.array([0, 2, 5])
    row[o, 0] = [1.0, -1.0, 0.5]
    walk = build_sampler("sde", model.levels, 64)
    drawn = draw_missing(model.field, walk, row, 20_000, 0)[:, :, 0]
    np.testing.assert_array_equal(drawn[:, o], np.broadcast_to(row[o, 0], (20_000, 3)))
    free = np.setdiff1d(np.arange(D), o)
    gain = covariance[np.ix_(free, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
    exact = covariance[np.ix_(free, free)] - gain @ covariance[np.ix_(o, free)]
    found = np.cov(drawn[:, free], rowvar=False)
    assert np.linalg.norm(found - exact) < 0.03 * np.linalg.norm(exact)
    np.testing.assert_allclose(drawn[:, free].mean(axis=0), gain @ row[o, 0], atol=0.03)


def test_between_two_neighbors_both_wells_are_found(
    wells: tuple[LocalizedDiffusion, DoubleWellChain],
) -> None:
    """The middle of a chain given the rest has a one-dimensional law, known exactly. Its well is
    drawn with an error beside chance (0.03 for 100 draws) of less than 0.03 on average.
    """
    model, law = wells[0].model_, wells[1]
    new = law.sample(40, 1)
    grid = np.linspace(-2.5, 2.5, 201)
    exact, middle = np.empty(40), np.empty(40)
    for i, row in enumerate(new):
        lines = np.repeat(row[None], len(grid), axis=0)
        lines[:, 2] = grid
        weight = np.exp(law.energy(lines).min() - law.energy(lines))
        exact[i] = weight[grid > 0].sum() / weight.sum()
        middle[i] = weight[np.abs(grid) < 0.3].sum() / weight.sum()
    rows = model.standardizer.standardize(new).T
    rows[2] = np.nan
    walk = build_sampler("sde", model.levels, 32)
    drawn = draw_missing(model.field, walk, rows, 100, 0)
    x = model.standardizer.values_of(drawn[:, [2]].transpose(0, 2, 1).reshape(-1, 1), ["x2"])
    share = (x.reshape(100, 40) > 0).mean(axis=0)
    assert np.abs(share - exact).mean() < 0.06
    closed = GaussianTable(model.field).posterior(rows, 100, np.random.default_rng(0)).draws
    flat = closed[:, [2]].transpose(0, 2, 1).reshape(-1, 1)
    smooth = model.standardizer.values_of(flat, ["x2"])
    between, usual = (float((np.abs(part) < 0.3).mean()) for part in (x, smooth))
    assert usual > middle.mean() + 0.1  # what a Gaussian puts between the wells
    assert between < middle.mean() + 0.05


def test_the_estimator_fills_and_holds_by_networks(
    wells: tuple[LocalizedDiffusion, DoubleWellChain],
) -> None:
    model, law = wells
    new = law.sample(30, 2)
    gappy = new.copy()
    gappy[:20, 2] = np.nan
    found = model.impute(gappy, draws=3)
    again = model.impute(gappy, draws=3)
    np.testing.assert_array_equal(found.draws[2], again.draws[2])
    np.testing.assert_array_equal(found.mean[20:], new[20:])
    assert (found.low[:20, 2] < found.mean[:20, 2]).all()
    assert (found.mean[:20, 2] < found.high[:20, 2]).all()
    held = model.sample(200, condition={"x0": 1.0, "x1": (0.0, None)})
    assert (held[:, 0] == 1.0).all() or np.allclose(held[:, 0], 1.0)
    assert (held[:, 1] >= 0).all()
    assert held[:, 1].mean() > 0.5


def test_series_are_refused() -> None:
    rows = OrnsteinUhlenbeckChain(3, correlation=0.5).sample(60, random_state=0)
    model = LocalizedDiffusion(lags=1, denoiser="linear", random_state=0).fit(rows).model_
    with pytest.raises(OptionError, match="closed form"):
        draw_missing(
            model.field, build_sampler("sde", model.levels, 8), np.full((3, 2), np.nan), 1, 0
        )
