"""Gaps leave their neighbors open, by just so much."""

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.inference.inflation import inflation, tempered
from locality.inference.repair import repair


@pytest.fixture(scope="module")
def chain() -> LocalizedDiffusion:
    rows = OrnsteinUhlenbeckChain(7, 0.8).sample(50_000, 0)
    return LocalizedDiffusion(graph="chain", score="linear", radius=1, random_state=0).fit(rows)


def test_one_gap_opens_its_neighbors_by_what_is_open_of_it(chain: LocalizedDiffusion) -> None:
    """Markov chain: x_j given both neighbors has weights ρ/(1+ρ²) and variance (1−ρ²)/(1+ρ²)."""
    missing = np.zeros((7, 2), dtype=bool)
    missing[3, 1] = True
    found = inflation(chain.model_.field, missing)
    weight = 0.8 / (1 + 0.8**2)
    expected = np.ones((7, 2))
    expected[[2, 4], 1] = 1 + weight**2  # both have the same standard deviation
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_it_is_the_error_of_fills(chain: LocalizedDiffusion) -> None:
    """Residuals beside gaps have at most the variance told, and no less than a fifth of it: a fill
    leans to the very value that is judged by it.
    """
    rows = OrnsteinUhlenbeckChain(7, 0.8).sample(20_000, 1)
    for gaps in ((3,), (2, 3), (1, 3, 5)):
        z = chain.model_.standardizer.standardize(rows).T.copy()
        z[list(gaps)] = np.nan
        factor = inflation(chain.model_.field, np.isnan(z))[:, 0]
        seen = np.setdiff1d(np.arange(7), gaps)
        square = (repair(chain.model_.field, z, np.inf).residual[seen] ** 2).mean(axis=1)
        ratio = square / factor[seen]
        assert (ratio < 1.05).all()  # 5 standard errors of a variance
        assert (ratio > 0.2).all()


def test_without_gaps_nothing_changes(chain: LocalizedDiffusion) -> None:
    field = chain.model_.field
    assert (inflation(field, np.zeros((7, 5), dtype=bool)) == 1).all()
    np.testing.assert_array_equal(tempered(np.array([-2.0, 3.0]), np.array([4.0, 2.0])), [-2, 1.5])
