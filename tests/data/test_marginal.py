"""Laws of single columns: exact inverses, true densities, and plain unless another law gains."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from locality.data.categories import order_states, recoded
from locality.data.marginal import Marginal
from locality.data.marginal_fit import fit_marginal, spacing_of
from locality.data.shapes import Shape

LAWS = {
    "log": Marginal(Shape("log", -1.0, 0.0), low=-1.0),
    "asinh": Marginal(Shape("asinh", 2.0, 0.5)),
    "logit": Marginal(Shape("logit", 0.0, 100.0), low=0.0, high=100.0),
    "zero or lognormal": Marginal(
        Shape("log"), 0.3, 0.8, np.array([0.0]), np.array([0.4]), low=0.0
    ),
    "shut, open or between": Marginal(
        Shape(), 50.0, 20.0, np.array([0.0, 100.0]), np.array([0.2, 0.1]), 0.0, 100.0
    ),
    "atoms inside": Marginal(Shape(), 0.0, 1.0, np.array([-0.5, 1.0]), np.array([0.3, 0.6])),
    "states": Marginal(Shape(), 1.0, 1.0, np.arange(3.0), np.array([0.5, 0.3, 0.199])),
}


@pytest.mark.parametrize("name", LAWS)
def test_samples_of_the_normal_become_the_column_and_back(name: str) -> None:
    law = LAWS[name]
    rng = np.random.default_rng(0)
    x = law.inverse(rng.standard_normal(20_000) if law.atoms.size else rng.uniform(-2, 2, 5_000))
    np.testing.assert_allclose(law.inverse(law.forward(x)), x, rtol=1e-9, atol=1e-9)
    if law.atoms.size:
        inside = (law.low < x) & (x < law.high)
        assert np.isin(x[~inside], law.atoms).all()
        for atom, mass in zip(law.atoms, law.masses, strict=True):
            # 5 standard errors over 10 comparisons: level below 1e-5
            error = np.sqrt(mass * (1 - mass) / len(x))
            t = (law.shape(np.array([atom]))[0] - law.center) / law.spread
            clipped = stats.norm.cdf(t) if atom == law.low else 0.0
            tail = stats.norm.sf(t) if atom == law.high else 0.0
            assert abs(np.mean(x == atom) - mass - law.rest * (clipped + tail)) < 5 * error


@pytest.mark.parametrize("name", ["zero or lognormal", "atoms inside", "states"])
def test_rows_spread_over_atoms_are_normal(name: str) -> None:
    law = LAWS[name]
    rng = np.random.default_rng(1)
    x = law.inverse(rng.standard_normal(5_000))
    y = law.forward(x, rng.random(len(x)))
    assert stats.kstest(y, "norm").pvalue > 0.01 / 3  # level 1 %, three laws


@pytest.mark.parametrize("name", LAWS)
def test_slopes_are_derivatives(name: str) -> None:
    law = LAWS[name]
    x = np.array([0.013, 0.31, 0.77, 1.9, 2.6, 7.0, 40.0, 88.0])
    step = 1e-6 * np.maximum(x, 0.1)
    numeric = np.log((law.forward(x + step) - law.forward(x - step)) / (2 * step))
    if name == "states":  # next to nothing lies between states: differences drown
        return
    np.testing.assert_allclose(law.log_slope(x), numeric, atol=2e-4)


def test_density_and_masses_add_up_to_one() -> None:
    law = LAWS["zero or lognormal"]

    def density(x: float) -> float:
        at = np.array([x])
        return float(np.exp(stats.norm.logpdf(law.forward(at)) + law.log_slope(at))[0])

    rest = quad(density, 0, 5)[0] + quad(density, 5, 200)[0]
    at_zero = np.exp(stats.norm.logpdf(law.forward(np.zeros(1))) + law.log_slope(np.zeros(1)))
    assert rest == pytest.approx(0.6, abs=1e-6)
    assert at_zero[0] == pytest.approx(0.4)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(LAWS)), st.floats(-1e30, 1e30))
def test_any_value_has_a_finite_place_and_order_is_kept(name: str, value: float) -> None:
    law = LAWS[name]
    y = law.forward(np.array([value, np.nan, 0.5]))
    assert np.isfinite(y[0])
    assert np.isnan(y[1])
    assert (y[0] - y[2]) * (value - 0.5) >= 0


@pytest.mark.parametrize("name", LAWS)
def test_plain_data_restores_a_law(name: str) -> None:
    law = LAWS[name]
    again = Marginal.from_dict(json.loads(json.dumps(law.to_dict())))
    y = np.linspace(-4, 4, 50)
    np.testing.assert_array_equal(again.inverse(y), law.inverse(y))


@pytest.mark.parametrize(
    "spoiled", [{"spread": 0.0}, {"masses": [0.7, 0.5]}, {"atoms": [2, 1]}, {"shape": ["x", 0, 1]}]
)
def test_contradictions_are_refused(spoiled: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Marginal.from_dict(LAWS["shut, open or between"].to_dict() | spoiled)


def _shape(x: np.ndarray, kind: str = "real") -> str:
    law = fit_marginal(x, kind)  # type: ignore[arg-type]
    return "plain" if law is None else law.shape.name


def test_each_law_is_recognized() -> None:
    rng = np.random.default_rng(0)
    normal = rng.standard_normal(800)
    walk = stats.norm.ppf(stats.rankdata(np.cumsum(normal)) / 801)
    assert _shape(50 + 3 * normal) == "plain"
    assert _shape(50 + 3 * walk) == "plain"
    assert _shape(rng.choice([-1.0, 1.0], 800) + 0.2 * normal) == "plain"  # two wells
    assert _shape(np.exp(normal)) == "log"
    assert _shape(rng.standard_t(1.5, 800)) == "asinh"
    assert _shape(1 / (1 + np.exp(-2 * normal))) == "logit"
    zero = fit_marginal(np.where(rng.random(800) < 0.4, 0.0, np.exp(normal)), "real")
    assert zero is not None
    assert zero.atoms.tolist() == [0.0]
    assert zero.shape.name == "log"
    counts = fit_marginal(rng.poisson(30, 800).astype(float), "integer")
    assert counts is None
    assert spacing_of(rng.poisson(30, 800).astype(float), "integer") == 1.0
    few = fit_marginal(rng.poisson(0.7, 800).astype(float), "integer")
    assert few is not None
    assert few.atoms.tolist() == list(range(len(few.atoms)))


def test_a_single_freeze_is_no_atom_but_many_visits_are() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(1_000)
    frozen, visited = x.copy(), x.copy()
    frozen[300:400] = 0.123
    visited[rng.choice(1_000, 100, replace=False)] = 0.123
    assert fit_marginal(frozen, "real") is None
    law = fit_marginal(visited, "real")
    assert law is not None
    assert law.atoms.tolist() == [0.123]


def test_false_choices_are_rare() -> None:
    """Of 200 Gaussian columns, also autocorrelated ones, at most 2 get a law of their own."""
    rng = np.random.default_rng(3)
    columns = rng.standard_normal((300, 200))
    for t in range(1, 300):
        columns[t, 100:] = 0.8 * columns[t - 1, 100:] + 0.6 * columns[t, 100:]
    chosen = [fit_marginal(columns[:, j], "real") is not None for j in range(200)]
    assert sum(chosen) <= 2


def test_states_stand_in_the_order_that_other_columns_tell() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 4, 400)
    texts = ("full", "empty", "half", "low")  # codes in alphabetical disorder
    code = np.array([1, 3, 2, 0])[level]  # empty < low < half < full
    readings = [level + 0.3 * rng.standard_normal(400) for _ in "abc"]
    values = np.column_stack([code, *readings]).astype(float)
    order = order_states(values, 0, [1, 2, 3])
    assert order in ([1, 3, 2, 0], [0, 2, 3, 1])
    before = values.copy()
    labels = recoded(values, {"tank": texts}, ["tank", "a", "b", "c"])
    told = [labels["tank"][int(c)] for c in values[:, 0]]
    assert told == [texts[int(c)] for c in before[:, 0]]
