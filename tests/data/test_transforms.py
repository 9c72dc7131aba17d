"""Standardization: exact inverses, and columns without a density of their own are found."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.preprocessing import StandardScaler

from locality.data.redundancy import COPY_TOLERANCE
from locality.data.table import Table
from locality.data.transforms import Standardizer
from locality.data.transforms_fit import fit_standardizer
from locality.exceptions import DataError, ModelCorrupt


def fitted(values: Any) -> Standardizer:
    return fit_standardizer(Table.from_frame(values))


def aside(standardizer: Standardizer) -> list[tuple[int, str, int]]:
    return [(entry.column, entry.reason, entry.source) for entry in standardizer.set_aside]


def test_it_agrees_with_scikit_learn_where_every_column_varies() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal((50, 4)) * [1e-9, 1.0, 1e6, 3.0] + [5.0, -2.0, 1e7, 0.0]
    standardizer = fitted(values)
    assert standardizer.set_aside == ()
    reference = StandardScaler().fit(values)
    np.testing.assert_allclose(standardizer.mean, reference.mean_, rtol=1e-12)
    np.testing.assert_allclose(standardizer.scale, reference.scale_, rtol=1e-6)
    z = standardizer.standardize(values)
    np.testing.assert_allclose(z, reference.transform(values), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose((z**2).mean(axis=0), 1.0, rtol=1e-9)


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(3, 8), st.integers(1, 5)),
        elements=st.floats(-1e6, 1e6, width=32),
    ).filter(lambda values: np.ptp(values.astype(np.float32), axis=0).max() > 1.0)
)
def test_restoring_undoes_standardizing(values: np.ndarray) -> None:
    standardizer = fitted(values)
    back = standardizer.restore(standardizer.standardize(values))
    tolerance = 1e-12 * (1 + np.abs(values).max())
    for entry in standardizer.set_aside:
        gap = np.abs(back[:, entry.column] - values[:, entry.column])
        assert gap.max() <= entry.tolerance + tolerance
    modeled = standardizer.modeled
    np.testing.assert_allclose(back[:, modeled], values[:, modeled], atol=tolerance)
    assert not standardizer.departures(values).any()


def test_densities_change_by_the_log_scale() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal([1.0, -4.0], [0.01, 30.0], size=(40, 2))
    standardizer = fitted(values)
    z = standardizer.standardize(values)
    direct = -stats.norm.logpdf(values, values.mean(axis=0), values.std(axis=0))
    np.testing.assert_allclose(-stats.norm.logpdf(z) + standardizer.log_scale, direct, rtol=1e-9)


def test_constants_are_set_aside_and_come_back() -> None:
    values = np.column_stack([np.full(6, 7.25), np.arange(6.0), np.zeros(6), np.arange(6.0) ** 2])
    standardizer = fitted(values)
    assert aside(standardizer) == [(0, "constant", -1), (2, "constant", -1)]
    assert standardizer.set_aside[0].value == 7.25
    assert standardizer.modeled_names == ("x1", "x3")
    assert standardizer.standardize(values).shape == (6, 2)
    np.testing.assert_array_equal(standardizer.restore(standardizer.standardize(values)), values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [7.1, -1013.25, 1e-12, 1e20])
def test_flicker_in_the_last_place_counts_as_constant(dtype: Any, level: float) -> None:
    gauge = np.full(50, level, dtype=dtype)
    gauge[::3] = np.nextafter(gauge[0], dtype(np.inf))
    standardizer = fitted(np.column_stack([gauge.astype(float), np.arange(50.0)]))
    assert aside(standardizer) == [(0, "constant", -1)]
    np.testing.assert_allclose(standardizer.set_aside[0].value, level, rtol=1e-6)
    assert not standardizer.departures(np.column_stack([gauge, np.arange(50.0)])).any()


def test_small_signals_on_a_large_offset_are_kept() -> None:
    rng = np.random.default_rng(4)
    fine = 1e9 + 1e-3 * rng.standard_normal(200)  # needs 64 bits, and has them
    rare = np.zeros(200)
    rare[17] = 1e-6
    counter = 16_000_000 + (np.arange(200) % 2)  # whole numbers are exact
    values = np.column_stack([fine, rare, counter]).astype(object)
    values[:, 2] = [int(value) for value in counter]
    standardizer = fitted(values)
    assert standardizer.kinds == ("real", "real", "integer")
    assert standardizer.set_aside == ()


def test_exact_copies_are_found_with_their_rule() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 300))
    values = np.column_stack([x, y, 3 * x + 1, x, -0.5 * y, np.full(300, 2.0), 100 - x])
    standardizer = fitted(values)
    assert aside(standardizer) == [
        (2, "copy", 0),
        (3, "copy", 0),
        (4, "copy", 1),
        (5, "constant", -1),
        (6, "copy", 0),
    ]
    rules = {entry.column: (entry.slope, entry.intercept) for entry in standardizer.set_aside}
    np.testing.assert_allclose(rules[2], (3, 1), rtol=1e-9)
    np.testing.assert_allclose(rules[4], (-0.5, 0), atol=1e-9)
    np.testing.assert_allclose(rules[6], (-1, 100), rtol=1e-9)
    z = rng.standard_normal((10, 2))
    drawn = standardizer.restore(z)
    np.testing.assert_allclose(drawn[:, 6], 100 - drawn[:, 0])


@pytest.mark.parametrize(("factor", "found"), [(0.5, True), (2.0, False)])
def test_the_border_between_copy_and_close_relation(factor: float, found: bool) -> None:
    rng = np.random.default_rng(6)
    x, noise = rng.standard_normal((2, 1000))
    noise -= x * (x @ noise) / (x @ x)
    noise /= noise.std() / x.std()
    values = np.column_stack([x, -2 * (x + factor * COPY_TOLERANCE * noise)])
    assert bool(fitted(values).set_aside) is found


def test_copies_in_32_bits_are_found_among_many_columns() -> None:
    rng = np.random.default_rng(7)
    values = rng.standard_normal((200, 3000)).astype(np.float32)
    values[:, 2500] = 4 * values[:, 11]  # exact in 32 bits
    values[:, 700] = values[:, 2999]
    standardizer = fit_standardizer(Table.from_frame(values), gaussianize=False)
    assert aside(standardizer) == [(2500, "copy", 11), (2999, "copy", 700)]


def test_permuting_the_columns_permutes_what_is_found() -> None:
    rng = np.random.default_rng(8)
    x = rng.standard_normal((60, 5))
    values = np.column_stack([x, np.ones(60), x[:, 2] * 2, x[:, 4]])
    groups = {frozenset({2, 6}), frozenset({4, 7})}
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(8)
        standardizer = fitted(values[:, order])
        pairs = {
            frozenset({int(order[entry.column]), int(order[entry.source])})
            for entry in standardizer.set_aside
            if entry.reason == "copy"
        }
        assert pairs == groups
        back = standardizer.restore(standardizer.standardize(values[:, order]))
        np.testing.assert_allclose(back, values[:, order], atol=1e-9)


def test_departures_from_the_rules_are_told() -> None:
    rng = np.random.default_rng(9)
    x = rng.standard_normal(100)
    standardizer = fitted(np.column_stack([x, np.full(100, 5.0), 2 * x]))
    rows = [[1.0, 5.0, 2.0], [1.0, 5.001, 2.0], [1.0, 5.0, 2.1], [np.nan, np.nan, 2.0]]
    expected = [[False, False], [True, False], [False, True], [False, False]]
    np.testing.assert_array_equal(standardizer.departures(rows), expected)


def test_whole_numbers_are_rounded_unless_averages_are_wanted() -> None:
    values = np.array([[0, 1.5], [1, 2.5], [3, 0.5]], dtype=object)
    values[:, 0] = [0, 1, 3]
    standardizer = fitted(values)
    z = standardizer.standardize([[1.4, 1.4]])
    np.testing.assert_allclose(standardizer.restore(z), [[1.0, 1.4]])
    np.testing.assert_allclose(standardizer.restore(z, round_integers=False), [[1.4, 1.4]])


def test_missing_values_pass_through_and_are_passed_over() -> None:
    """Mean and scale are those of the values at hand; a column without any is named."""
    standardizer = fitted([[1.0, 4.0], [2.0, 3.0], [3.0, 9.0], [np.nan, 0.0]])
    assert standardizer.mean[0] == 2.0
    assert standardizer.scale[0] == np.sqrt(2 / 3)
    z = standardizer.standardize([[np.nan, 4.0]])
    assert np.isnan(z[0, 0])
    assert np.isfinite(z[0, 1])
    with pytest.raises(DataError, match="column without any value: 'x0'"):
        fitted([[np.nan, 4.0], [np.nan, 3.0]])


def test_nothing_that_varies_is_an_error() -> None:
    with pytest.raises(DataError, match="none of the 2 columns varies over 3 rows"):
        fitted(np.ones((3, 2)))
    with pytest.raises(DataError, match="over 1 row"):
        fitted([[1.0, 2.0]])


def test_wrong_widths_are_told() -> None:
    standardizer = fitted(np.arange(6.0).reshape(3, 2) ** 2)
    with pytest.raises(DataError, match=r"shape \(1, 3\), expected \(n_rows, 2\)"):
        standardizer.standardize([[1.0, 2.0, 3.0]])


def test_json_restores_it_to_the_bit() -> None:
    rng = np.random.default_rng(10)
    x = rng.standard_normal((30, 3)) * [1e-7, 1 / 3, 1e9]
    values = np.column_stack([x, np.full(30, 0.1), x[:, 0] * np.pi])
    standardizer = fitted(values)
    restored = Standardizer.from_dict(json.loads(json.dumps(standardizer.to_dict())))
    assert restored.names == standardizer.names
    assert restored.kinds == standardizer.kinds
    assert restored.set_aside == standardizer.set_aside
    z = standardizer.standardize(values)
    assert restored.standardize(values).tobytes() == z.tobytes()
    assert restored.restore(z).tobytes() == standardizer.restore(z).tobytes()


@pytest.mark.parametrize(
    "damage",
    [
        {"scale": None},
        {"scale": [1.0, 0.0]},
        {"scale": [1.0]},
        {"mean": [1.0, float("nan")]},
        {"mean": ["a", "b"]},
        {"modeled": [0, 0]},
        {"modeled": [0, 5]},
        {"kinds": ["real"]},
        {"kinds": ["real", "complex", "real"]},
        {"names": ["a"]},
        {"set_aside": []},
        {"set_aside": [{"column": 2}]},
    ],
)
def test_damaged_state_is_refused(damage: dict[str, Any]) -> None:
    x = np.array([1.0, 2.0, 4.0])
    state = fitted(np.column_stack([x, x**2, x])).to_dict()
    Standardizer.from_dict(state)
    with pytest.raises(ModelCorrupt):
        Standardizer.from_dict({**state, **damage})
    for part in state:
        with pytest.raises(ModelCorrupt):
            Standardizer.from_dict({key: value for key, value in state.items() if key != part})
