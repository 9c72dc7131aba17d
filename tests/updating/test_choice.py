"""The choice of sensors: values count in normal rows alone, and levels move either way."""

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.exceptions import DataError
from locality.inference.updating.choice import choose_sensors
from locality.inference.updating.normal_rows import NormalRows
from locality.model.model import Model

D = 12


def _chain(n_rows: int, seed: int) -> np.ndarray:
    return OrnsteinUhlenbeckChain(D, correlation=0.8).sample(n_rows, random_state=seed)


@pytest.fixture(scope="module")
def model() -> Model:
    found = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
    return found.fit(_chain(800, 0)).model_


def test_values_in_rows_left_out_do_not_count(model: Model) -> None:
    """A sensor that was there during a fault alone cannot be learned again."""
    values, normal = _chain(300, 1), np.arange(300) >= 100
    values[100:, 5] = np.nan
    rows = NormalRows(Table.from_frame(values), normal, 0)
    with pytest.raises(DataError, match=r"'x5' has 0 values in .* and 0 in the rest"):
        choose_sensors(model, rows, ["x5"], 0.01)
    chosen = choose_sensors(model, rows, "all", 0.01)
    np.testing.assert_array_equal(chosen, np.setdiff1d(np.arange(D), [5]))


@pytest.mark.parametrize("shift", [1.5, -1.5])
def test_a_declared_change_of_all_levels_is_found_in_all(model: Model, shift: float) -> None:
    """Up or down; neighbors explain each other, so by surprise alone few have drifted."""
    table = Table.from_frame(_chain(600, 2) + shift)
    rows = NormalRows.of(model, table, "another product")
    np.testing.assert_array_equal(choose_sensors(model, rows, "drifted", 0.01), np.arange(D))
    undeclared = NormalRows(table, rows.normal, 0)
    assert len(choose_sensors(model, undeclared, "drifted", 0.01)) < D
