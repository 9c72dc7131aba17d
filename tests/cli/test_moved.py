"""Normal that has moved is a state of its own, told before anything else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.inference.judging.moved import MovedNormal

Cli = Callable[..., Any]
D, SHIFTED = 6, 2


@pytest.fixture(scope="module")
def model() -> LocalizedDiffusion:
    x = OrnsteinUhlenbeckChain(D, correlation=0.7).sample(600, random_state=0)
    return LocalizedDiffusion(denoiser="linear", random_state=0).fit(_frame(x))


def _frame(x: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(x, columns=list("abcdef"))


def rows(n: int, since: int, size: float = 5.0, seed: int = 1) -> pd.DataFrame:
    """Rows whose column c is elsewhere from one on."""
    x = OrnsteinUhlenbeckChain(D, correlation=0.7).sample(n, random_state=seed)
    x[since:, SHIFTED] += size
    return _frame(x)


@pytest.mark.parametrize("since", [0, 150, 260])
def test_a_column_that_has_moved_is_named_with_its_distance(
    model: LocalizedDiffusion, since: int
) -> None:
    """To a standard deviation of its own wandering: means over 40 and more rows of unit variance,
    and of the 600 of the fit."""
    found = model.detect(rows(400, since))
    moved = found.moved_normal
    assert isinstance(moved, MovedNormal)
    assert moved.share == pytest.approx(found.alarm.mean())
    assert abs(moved.since - since) <= 3
    name, away = next(iter(moved.columns.items()))
    assert name == "c"
    assert away == pytest.approx(5.0, abs=0.6)
    state = found.to_frame()["state"]
    assert set(state[moved.since :]) <= {"normal", "moved"}
    assert (state == "moved").sum() == found.alarm[moved.since :].sum()
    assert ((state == "alarm") | (state == "moved")).tolist() == found.alarm.tolist()


@pytest.mark.parametrize(
    ("n", "wrong"),
    [
        (400, slice(400, 400)),  # nothing
        (400, slice(100, 101)),  # a spike
        (60, slice(20, 60)),  # too few rows to say
        (1000, slice(100, 160)),  # an episode that ended, a sixteenth of the rows
    ],
)
def test_what_ends_or_is_small_is_an_alarm(model: LocalizedDiffusion, n: int, wrong: slice) -> None:
    table = rows(n, n)
    table.iloc[wrong, SHIFTED] += 6.0
    found = model.detect(table)
    assert found.moved_normal is None
    assert "moved" not in set(found.to_frame()["state"])


def test_it_is_the_first_line_and_single_alarms_are_not_counted(
    cli: Cli, model: LocalizedDiffusion, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    rows(400, 0).to_parquet(tmp_path / "new.parquet")
    call = ("detect", tmp_path / "model", tmp_path / "new.parquet", "-o", tmp_path / "a.parquet")
    result = cli(*call)
    text = " ".join(result.out.split())
    assert result.out.lstrip().startswith("Normal has moved, or a fault lasts: 100% of the rows")
    assert "Moved, in standard deviations of the fit: c by +5" in text
    for word in ("--normal FILE", "--process-change", "locality explain"):
        assert word in text
    assert "false alarms" not in text
    told = json.loads(cli(*call, "--json", "--overwrite").out)["moved_normal"]
    assert (told["since"], next(iter(told["columns"]))) == (1, "c")
    # rows of now are normal where they are said to be
    known = rows(400, 0, seed=5)
    known.to_parquet(tmp_path / "now.parquet")
    result = cli(*call, "--normal", tmp_path / "now.parquet", "--overwrite")
    assert "Normal has moved" not in result.out
    assert "false alarms in 400 rows" in " ".join(result.out.split())
