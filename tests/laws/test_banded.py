"""The banded factor: the same law as conjugate gradients, and right where those stop early."""

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.inference.laws import table as table_module
from locality.inference.laws.banded import BandedFactor, _innovations
from locality.inference.laws.table import GaussianTable


def gappy(kind: str) -> tuple[GaussianTable, np.ndarray]:
    """A model of 6 columns, and standardized rows with every kind of gap."""
    rng = np.random.default_rng(0)
    rows = OrnsteinUhlenbeckChain(6, 0.8).sample(900, 0)
    if kind == "series":
        for t in range(1, len(rows)):
            rows[t] = 0.7 * rows[t - 1] + 0.7 * rows[t]
    lags = {"table": 0, "series": 2}[kind]
    model = LocalizedDiffusion(graph="chain", denoiser="linear", lags=lags, random_state=0)
    model.fit(rows[:800])
    late = rows[800:].T.copy()
    late[rng.random(late.shape) < 0.2] = np.nan
    late[3, 20:60] = late[:, :2] = late[:, 70] = late[4, -5:] = np.nan
    return GaussianTable(model.model_.field), late


@pytest.mark.parametrize("kind", ["table", "series"])
def test_both_routes_agree(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    table, rows = gappy(kind)
    exact = table.posterior(rows, 3, np.random.default_rng(1))
    monkeypatch.setattr(table_module, "_TOLERANCE", 1e-9)
    monkeypatch.setattr(table_module, "_DRAW_TOLERANCE", 1e-9)
    monkeypatch.setattr(BandedFactor, "of", lambda *_: None)
    slow = table.posterior(rows, 3, np.random.default_rng(1))
    for name in ("mean", "deviation", "draws"):
        np.testing.assert_allclose(getattr(exact, name), getattr(slow, name), atol=1e-6)


@pytest.mark.parametrize("kind", ["table", "series"])
def test_the_factor_is_that_of_the_matrix(kind: str) -> None:
    """H_MM applied to a solution gives the right-hand side."""
    table, rows = gappy(kind)
    free = np.isnan(rows).T
    factor = BandedFactor.of(table._laws, free)
    assert factor is not None
    right = np.where(free, np.random.default_rng(2).standard_normal(free.shape), 0.0)
    back = table._apply(factor.solve(right))
    np.testing.assert_allclose(back[free], right[free], rtol=1e-7, atol=1e-9)
    if kind == "table":
        assert factor.factor.shape[0] <= 6  # nothing ties the rows of a table


@pytest.mark.parametrize("lags", [0, 2])
@pytest.mark.parametrize("noise", [0.3, 0.001])
def test_near_copies_that_are_both_missing_are_open(lags: int, noise: float) -> None:
    """What two sensors have in common is not known from their difference being small."""
    rng = np.random.default_rng(3)
    a = rng.standard_normal(1_000)
    rows = np.column_stack([a, 3 * a + noise * rng.standard_normal(1_000),
                            0.5 * a + rng.standard_normal(1_000)])  # fmt: skip
    model = LocalizedDiffusion(denoiser="linear", lags=lags, random_state=0).fit(rows[:600])
    late = rows[600:].copy()
    late[50:350, :2] = np.nan
    found = model.impute(late, draws=8)
    inside = ((found.low <= rows[600:]) & (rows[600:] <= found.high))[50:350, :2]
    # 300 rows of a series that forgets at once: 4 standard errors of 90 %, and those of the fit
    assert (np.abs(inside.mean(axis=0) - 0.9) < 4 * np.sqrt(0.09 / 300) + 0.02).all()
    drawn = np.stack(found.draws)[:, 50:350]
    left = np.sqrt(1 - 0.25 / 1.25)  # of a, given the third column
    assert np.abs(drawn.std(axis=0)[:, 0].mean() / left - 1.0) < 0.15
    assert np.abs(drawn[..., 1] - 3 * drawn[..., 0]).std() < 1.3 * noise + 0.01


def test_what_is_too_large_is_left_to_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    table, rows = gappy("series")
    free = np.isnan(rows).T
    for limit in ("_MOST_NUMBERS", "_MOST_WORK", "_MOST_ENTRIES"):
        with monkeypatch.context() as patch:
            patch.setattr(f"locality.inference.laws.banded.{limit}", 10)
            assert BandedFactor.of(table._laws, free) is None


@pytest.mark.parametrize("kind", ["table", "series"])
def test_limits_are_what_the_factor_takes(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Its numbers, its multiplications and the entries of the root: just these are allowed."""
    table, rows = gappy(kind)
    free = np.isnan(rows).T
    whole, root = BandedFactor.of(table._laws, free), _innovations(table._laws, free)
    assert whole is not None
    assert root is not None
    height, n = whole.factor.shape
    assert n == free.sum()
    assert (whole.factor[-1] != 0).any()  # no diagonal too many
    needs = {"NUMBERS": height * n, "WORK": (height - 1) ** 2 * n, "ENTRIES": root.nnz}
    for name, need in needs.items():
        for limit in (need, need - 1):
            with monkeypatch.context() as patch:
                patch.setattr(f"locality.inference.laws.banded._MOST_{name}", limit)
                found = BandedFactor.of(table._laws, free)
                assert (found is not None) == (limit == need), name
                assert found is None or np.array_equal(found.factor, whole.factor)
