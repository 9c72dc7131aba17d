"""Tables with gaps: what is known trains, what is missing costs little and is filled well."""

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import BandedGaussian, OrnsteinUhlenbeckChain
from locality.exceptions import DataError, OptionError
from locality.inference.sampling.conditions import parse_conditions


def chain(**options) -> LocalizedDiffusion:
    return LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0, **options)


def nats(model: LocalizedDiffusion, rows: np.ndarray) -> float:
    return float(-model.score_samples(rows).mean() / rows.shape[1])


def gappy(rows: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    gaps = np.random.default_rng(seed).random(rows.shape) < share
    return np.where(gaps, np.nan, rows)


def test_gaps_cost_no_more_than_the_rows_they_take() -> None:
    """30 % missing against a complete table with as many known values: 0.02 nats at most."""
    law = BandedGaussian(30, bandwidth=1, condition=100.0)
    rows, fresh = law.sample(1000, 0), law.sample(2000, 1)
    whole = nats(chain().fit(rows[:700]), fresh)
    assert nats(chain().fit(gappy(rows, 0.3)), fresh) < whole + 0.02


@pytest.mark.slow
def test_networks_learn_from_tables_with_gaps() -> None:
    """Double wells, 4,000 rows, 30 % missing: at most 0.02 nats worse than 2,800 whole rows."""
    from locality.data.synthetic import DoubleWellChain

    law = DoubleWellChain(12)
    rows, fresh = law.sample(4000, 0), law.sample(2000, 1)
    models = [LocalizedDiffusion(graph="chain", n_steps=1500, random_state=0) for _ in range(2)]
    whole, part = models[0].fit(rows[:2800]), models[1].fit(gappy(rows, 0.3))
    assert any(len(shard.networks) for shard in part.model_.shards)
    assert nats(part, fresh) < nats(whole, fresh) + 0.02


def test_what_is_hidden_in_gaps_changes_nothing() -> None:
    rows = OrnsteinUhlenbeckChain(6, 0.8).sample(300, 0)
    gaps = np.random.default_rng(1).random(rows.shape) < 0.2
    found = []
    for hidden in (rows, rows + 100.0):
        table = np.where(gaps, np.nan, np.where(gaps, hidden, rows))
        found.append(chain().fit(table).held_out_nats_)
    np.testing.assert_array_equal(*found)


def test_series_with_gaps_are_fitted_scored_and_filled() -> None:
    rng = np.random.default_rng(2)
    x = np.zeros((600, 4))
    for t in range(1, 600):
        x[t] = 0.8 * x[t - 1] + 0.3 * np.roll(x[t - 1], 1) * (np.arange(4) > 0)
        x[t] += 0.5 * rng.standard_normal(4)
    frame = pd.DataFrame(x, columns=list("abcd"))
    gaps = frame.mask(rng.random(x.shape) < 0.15)
    model = chain(lags=1).fit(gaps.iloc[:500])
    late = gaps.iloc[500:].copy()
    late.iloc[20:30, 1] = np.nan
    surprise = model.surprise(late)
    assert (surprise.isna() == late.isna()).all(axis=None)
    assert np.isfinite(model.score_samples(late)).all()
    filled = model.impute(late, draws=3)
    known = late.notna()
    assert (filled.mean[known] == late[known]).all(axis=None) or filled.mean.where(known).equals(
        late.where(known)
    )
    truth, missing = frame.iloc[500:], late.isna().to_numpy()
    error = np.abs((filled.mean - truth).to_numpy()[missing]).mean()
    straight = late.interpolate(limit_direction="both")
    assert error < np.abs((straight - truth).to_numpy()[missing]).mean()
    inside = ((truth >= filled.low) & (truth <= filled.high)).to_numpy()[missing]
    assert abs(inside.mean() - 0.9) < 3.3 * np.sqrt(0.09 / missing.sum())
    assert len(filled.draws) == 3
    assert not filled.draws[0].equals(filled.draws[1])


def test_held_columns_condition_what_is_drawn() -> None:
    """Mean and variance of the neighbor of a held column, and of a bounded one, against the law."""
    rows = OrnsteinUhlenbeckChain(5, 0.8).sample(20_000, 0)
    model = chain(radius=2).fit(rows)
    held = model.sample(4000, condition="x2=1.5")
    assert (np.abs(held[:, 2] - 1.5) < 1e-9).all()
    scale = np.sqrt(0.36 / 4000)
    assert abs(held[:, 1].mean() - 1.2) < 4 * scale + 0.02
    assert abs(held[:, 1].var() - 0.36) < 0.05
    bounded = model.sample(4000, condition={"x2": (1.0, None)})
    assert bounded[:, 2].min() >= 1.0
    near = rows[rows[:, 2] > 1.0]
    assert abs(bounded[:, 2].mean() - near[:, 2].mean()) < 0.04
    assert abs(bounded[:, 1].mean() - near[:, 1].mean()) < 0.06


def test_conditions_are_read_or_refused() -> None:
    assert parse_conditions("a<2,a>=1")["a"].low == 1.0
    for text in ("a", "a=x", "=3", "a=inf"):
        with pytest.raises(OptionError, match="cannot be read"):
            parse_conditions(text)
    model = chain().fit(OrnsteinUhlenbeckChain(5, 0.8).sample(200, 0))
    with pytest.raises(DataError, match="'nothing', which the model does not model"):
        model.sample(5, condition="nothing=1")
    with pytest.raises(OptionError, match="No value of 'x1'"):
        model.sample(5, condition="x1>2, x1<1")


def test_gaps_where_they_cannot_be_are_named() -> None:
    rows = pd.DataFrame(OrnsteinUhlenbeckChain(5, 0.8).sample(200, 0), columns=list("abcde"))
    rows.iloc[7, 2] = np.nan
    with pytest.raises(DataError, match="context column 'c' has missing values"):
        chain(context=("c",)).fit(rows)
    with pytest.raises(OptionError, match=r"joint series\. Fill them, or fit with series"):
        chain(lags=1, series="joint").fit(rows)
    rows["d"] = np.nan
    with pytest.raises(DataError, match="column without any value: 'd'"):
        chain().fit(rows)
