"""Columns of every kind through the estimator: densities with their Jacobians, and the same kinds
back.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.exceptions import DataError, OptionError


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    """A plant of one slow quantity that everything follows."""
    rng = np.random.default_rng(0)
    n = 1_500
    base = np.zeros(n)
    for t in range(1, n):
        base[t] = 0.9 * base[t - 1] + 0.4 * rng.normal()

    def near(spread: float) -> np.ndarray:
        return base + spread * rng.normal(size=n)

    pump = near(0.5) > 0
    return pd.DataFrame(
        {
            "mode": np.array(["low", "normal", "high"])[np.digitize(near(0.3), [-0.8, 0.8])],
            "pump": pump,
            "flow": np.where(pump, np.exp(0.5 * near(0.4)), 0.0),
            "valve": np.clip(50 + 30 * near(0.2), 0, 100),
            "count": rng.poisson(np.exp(0.5 * base)).astype("int32"),
            "heavy": base + 0.3 * rng.standard_t(2, size=n),
            "temperature": (20 + 5 * near(0.2)).astype("float32"),
            "site": "north",
        }
    )


@pytest.fixture(scope="module")
def fitted(mixed: pd.DataFrame) -> LocalizedDiffusion:
    return LocalizedDiffusion(denoiser="linear", random_state=0).fit(mixed[:1_000])


def test_a_logarithm_costs_its_jacobian_and_nothing_else() -> None:
    """Nats of exp(z) are those of z plus the sum of z, if the column's law is the logarithm."""
    z = OrnsteinUhlenbeckChain(6, correlation=0.7).sample(700, random_state=0)
    straight = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(z[:500])
    bent = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(np.exp(z[:500]))
    laws = bent.model_.standardizer.marginals
    assert [law.shape.name for law in laws.values()] == ["log"] * 6
    new = z[500:]
    np.testing.assert_allclose(
        bent.surprise(np.exp(new)), straight.surprise(new) + new, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        bent.log_likelihood(np.exp(new[:20])), straight.log_likelihood(new[:20]) - new[:20].sum(1),
        atol=1e-3,
    )  # fmt: skip


def test_samples_have_the_kinds_the_range_and_the_shares_of_the_table(
    mixed: pd.DataFrame, fitted: LocalizedDiffusion
) -> None:
    drawn = fitted.sample(4_000, random_state=1)
    assert list(drawn.columns) == list(mixed.columns)
    for name in mixed:
        assert drawn[name].dtype.kind == mixed[name].dtype.kind, name
    assert drawn["count"].dtype == np.int32
    assert drawn["temperature"].dtype == np.float32
    assert set(drawn["mode"]) == {"low", "normal", "high"}
    assert set(drawn["site"]) == {"north"}
    assert drawn["count"].min() == 0
    assert drawn["flow"].min() == 0
    assert drawn["valve"].between(0, 100).all()
    train = mixed[:1_000]
    # the model's sampling error is small beside 0.05; without laws flow is below 0 in a fifth
    for share in (
        lambda rows: (rows["mode"] == "low").mean(),
        lambda rows: rows["pump"].mean(),
        lambda rows: (rows["flow"] == 0).mean(),
        lambda rows: (rows["valve"] == 100).mean(),
        lambda rows: (rows["count"] == 0).mean(),
    ):
        assert share(drawn) == pytest.approx(share(train), abs=0.05)


def test_gaps_of_every_kind_are_filled_in_kind(
    mixed: pd.DataFrame, fitted: LocalizedDiffusion
) -> None:
    whole = mixed[1_000:].reset_index(drop=True)
    gappy = whole.copy()
    rng = np.random.default_rng(2)
    for name in ("mode", "flow", "valve", "heavy", "temperature"):
        gappy.loc[rng.random(len(gappy)) < 0.2, name] = np.nan
    found = fitted.impute(gappy, draws=1)
    assert set(found.draws[0]["mode"]) <= {"low", "normal", "high"}
    gaps = gappy["mode"].isna()
    usual = (whole["mode"][gaps] == whole["mode"].mode()[0]).mean()
    assert (found.mean["mode"][gaps] == whole["mode"][gaps]).mean() > usual + 0.1
    for name in ("flow", "valve", "temperature"):
        gaps = gappy[name].isna()
        error = (found.mean[name] - whole[name])[gaps].abs().mean()
        assert error < 0.6 * (whole[name] - whole[name].mean())[gaps].abs().mean(), name
        inside = (found.low[name] <= whole[name]) & (whole[name] <= found.high[name])
        assert inside[gaps].mean() > 0.75  # of 90 %; about 100 gaps: 5 standard errors


def test_a_state_never_seen_is_an_alarm_of_its_column(
    mixed: pd.DataFrame, fitted: LocalizedDiffusion
) -> None:
    new = mixed[1_000:1_100].reset_index(drop=True)
    new.loc[40, "mode"] = "broken"
    found = fitted.detect(new).to_frame()
    assert found.loc[40, "alarm"] == 1
    assert found.loc[40, "mode"] > 0.4
    assert np.isnan(fitted.surprise(new).loc[40, "mode"])


def test_states_are_held_and_bounds_leave_the_zeros_out(
    mixed: pd.DataFrame, fitted: LocalizedDiffusion
) -> None:
    drawn = fitted.sample(300, condition="mode=high, flow>0", random_state=0)
    assert set(drawn["mode"]) == {"high"}
    assert (drawn["flow"] > 0).all()
    high = mixed["mode"] == "high"
    assert drawn["temperature"].mean() > mixed["temperature"][~high].mean() + 3
    with pytest.raises(OptionError, match="low, normal, high"):
        fitted.sample(3, condition="mode=off")


def test_a_stored_model_answers_alike(
    mixed: pd.DataFrame, fitted: LocalizedDiffusion, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "m.locality")
    again = LocalizedDiffusion.load(tmp_path / "m.locality")
    pd.testing.assert_frame_equal(again.sample(20), fitted.sample(20))
    pd.testing.assert_frame_equal(
        again.surprise(mixed[1_000:1_050]), fitted.surprise(mixed[1_000:1_050])
    )


def test_nothing_finer_than_the_stated_noise_is_learned() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    table = pd.DataFrame({"a": x, "b": x + 1e-5 * rng.normal(size=600)})
    sharp = LocalizedDiffusion(denoiser="linear", random_state=0).fit(table)
    blunt = LocalizedDiffusion(denoiser="linear", noise=0.1, random_state=0).fit(table)
    rounded = table.round({"b": 1})
    # b given a: the exact nats of a normal law of standard deviation 0.1 * sqrt(2), at its middle
    floor = np.log(0.1 * np.sqrt(2)) + 0.5 * np.log(2 * np.pi)
    finest = blunt.surprise(table).sum(axis=1) - (0.5 * np.log(2 * np.pi) + 0.5 * x**2)
    assert finest.median() == pytest.approx(floor, abs=0.1)
    assert sharp.detect(rounded).to_frame()["alarm"].mean() > 0.8
    assert blunt.detect(rounded).to_frame()["alarm"].mean() < 0.1
    with pytest.raises(DataError, match="'c'"):
        LocalizedDiffusion(noise={"c": 1.0}).fit(table)


def test_plain_takes_columns_as_they_are(mixed: pd.DataFrame) -> None:
    numbers = mixed[["flow", "heavy", "temperature"]][:1_000]
    model = LocalizedDiffusion(denoiser="linear", gaussianize=False, random_state=0).fit(numbers)
    assert not model.model_.standardizer.marginals
    z = model.model_.standardizer.standardize(numbers.to_numpy(dtype=float))
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)


def test_medians_and_expectations_of_skewed_gaps_are_those_of_the_law() -> None:
    """log y = 0.8 x + 0.6 ε: the median is exp(0.8 x), the expectation exp(0.18) times that."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal(4_000)
    rows = np.column_stack([x, np.exp(0.8 * x + 0.6 * rng.standard_normal(4_000))])
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(rows)
    gappy = np.column_stack([np.linspace(-2, 2, 50), np.full(50, np.nan)])
    found = model.impute(gappy)
    # slope and level of the fit are off by 0.01 to 0.02, which x = 2 doubles
    np.testing.assert_allclose(np.log(found.median[:, 1]), 0.8 * gappy[:, 0], atol=0.06)
    np.testing.assert_allclose(np.log(found.mean[:, 1] / found.median[:, 1]), 0.18, atol=0.03)
    assert (found.mean[:, 0] == gappy[:, 0]).all()


def test_what_is_filled_stays_near_the_range_seen() -> None:
    """A neighbor far beyond its own range must not send a column of a log law to the moon."""
    rng = np.random.default_rng(8)
    x = rng.standard_normal(2_000)
    rows = np.column_stack([x, np.exp(1.5 * x + 0.3 * rng.standard_normal(2_000)), 2 * x])
    rows[:, 2] += rng.standard_normal(2_000)
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(rows)
    gappy = np.array([[8.0, np.nan, 16.0], [-8.0, np.nan, -16.0], [0.5, np.nan, 1.0]])
    found = model.impute(gappy, draws=5)
    low, high = rows[:, 1].min(), rows[:, 1].max()
    room = 0.25 * (high - low) + 1e-9  # 1.5 times the range, around its middle
    for part in (found.mean, found.median, found.low, found.high, *found.draws):
        assert (part[:, 1] >= low - room).all()
        assert (part[:, 1] <= high + room).all()
    assert found.median[0, 1] > high
    assert 0 < found.median[2, 1] < 4


def test_values_that_cannot_be_are_not_held(
    mixed: pd.DataFrame, fitted: LocalizedDiffusion
) -> None:
    for given, nearest in (
        ({"flow": -3.0}, "0 is the nearest"),
        ({"count": 1.5}, "nearest value"),
        ({"valve": 140.0}, "100 is the nearest"),
    ):
        with pytest.raises(OptionError, match=f"which it cannot be.*{nearest}"):
            fitted.sample(5, condition=given)
    with pytest.raises(OptionError, match="'flow' is no number"):
        fitted.sample(5, condition={"flow": float("nan")})
    usual = float(mixed["temperature"].median())
    drawn = fitted.sample(5, condition={"temperature": usual, "valve": 100.0})
    np.testing.assert_allclose(drawn[["temperature", "valve"]], [[usual, 100.0]] * 5)
