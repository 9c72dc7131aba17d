"""The exponential average against its recursion, for any length and however rows are cut."""

import numpy as np
import pytest

from locality.inference.judging.average import exponential_average


@pytest.mark.parametrize("weight", [1.0, 0.3, 0.1, 0.003])
@pytest.mark.parametrize("n_rows", [0, 1, 31, 32, 33, 500])
def test_it_is_the_recursion(weight: float, n_rows: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, n_rows, 3))
    found = exponential_average(x, weight, start=0.7)
    state = np.full((2, 3), 0.7)
    assert found.shape == x.shape
    for t in range(n_rows):
        state = (1.0 - weight) * state + weight * x[:, t]
        np.testing.assert_allclose(found[:, t], state, rtol=1e-13, atol=1e-15)


def test_it_can_go_on_where_it_was() -> None:
    """Cut anywhere, the rest continues from the last average; a constant stays what it is."""
    x = np.random.default_rng(1).standard_normal((90, 1))
    whole = exponential_average(x, 0.2)
    rest = exponential_average(x[47:], 0.2, start=float(whole[46, 0]))
    np.testing.assert_allclose(rest, whole[47:], rtol=1e-12)
    np.testing.assert_allclose(exponential_average(np.ones((70, 2)), 0.1, start=1.0), 1.0)
