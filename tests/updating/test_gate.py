"""The gate: by what sensors rise, and what was extreme must stay in alarm."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.inference.updating import update as updating
from locality.inference.updating.normal_rows import LeftOut, NormalRows
from locality.inference.updating.update import silenced


def _chain(n_rows: int, seed: int) -> np.ndarray:
    return OrnsteinUhlenbeckChain(12, correlation=0.8).sample(n_rows, random_state=seed)


@pytest.fixture(scope="module")
def once_fitted() -> LocalizedDiffusion:
    return LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(_chain(500, 0))


@pytest.fixture
def fitted(once_fitted: LocalizedDiffusion) -> LocalizedDiffusion:
    return copy.copy(once_fitted)


def test_the_change_is_the_mean_rise_of_a_component(fitted: LocalizedDiffusion) -> None:
    """Of 120 rows, in twenty blocks of six: the difference of the two means that are told."""
    told = fitted.update(_chain(400, 1), ["x1", "x2"], margin=None, process_change="to keep all")
    assert told.n_held_out == 120
    assert told.change == pytest.approx(told.challenger - told.champion, rel=1e-9)


@pytest.mark.parametrize(("n", "silent"), [(9, False), (8, True)])
def test_nine_of_ten_extreme_rows_must_stay_in_alarm(
    fitted: LocalizedDiffusion, monkeypatch: pytest.MonkeyPatch, n: int, silent: bool
) -> None:
    table, extreme = Table.from_frame(_chain(40, 1)), np.arange(40) >= 30
    left_out = (LeftOut(30, 39, 10, 0.0, "x5"),)
    rows = NormalRows(table, ~extreme, 0, left_out=left_out, extreme=extreme)
    alarm = np.arange(40) < 30 + n
    monkeypatch.setattr(updating, "judge", lambda *_: SimpleNamespace(alarm=alarm))
    said = silenced(fitted.model_, rows)
    assert bool(said) == silent
    assert not said or said.startswith(f"Only {n} of 10 extreme rows that were left out, mostly")
    assert silenced(fitted.model_, replace(rows, extreme=np.arange(40) >= 36)) == ""  # too few
