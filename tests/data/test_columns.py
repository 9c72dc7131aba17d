"""Parquet files that are read a few columns at a time: the same as the whole table at once."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.data import columns
from locality.data.columns import ColumnFile, open_large
from locality.data.table import Table
from locality.exceptions import DataError


@pytest.fixture
def rows(tmp_path: Path) -> tuple[pd.DataFrame, Path]:
    """More columns than are read together, with gaps, whole numbers and truth values."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((60, 150)), columns=[f"c{j}" for j in range(150)])
    frame = frame.mask(rng.random(frame.shape) < 0.02)
    frame["n"], frame["open"] = rng.integers(0, 50, 60), rng.random(60) < 0.5
    frame.to_parquet(tmp_path / "rows.parquet")
    return frame, tmp_path / "rows.parquet"


@pytest.mark.parametrize("is_full", [False, True])
def test_a_file_is_the_table_it_holds(
    rows: tuple[pd.DataFrame, Path], is_full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a mapped file, or in memory if the disk has no room for one."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if is_full:
        monkeypatch.setattr(os, "posix_fallocate", full)
    frame, path = rows
    found, expected = Table.from_frame(ColumnFile(path)), Table.from_frame(frame)
    assert (found.names, found.kinds) == (expected.names, expected.kinds)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.observed, expected.observed)
    assert isinstance(found.values, np.memmap) != is_full
    part = Table.from_frame(ColumnFile(path, ["n", "c149", "c0"]))
    np.testing.assert_array_equal(part.values, frame[["n", "c149", "c0"]].to_numpy(float))


def test_a_fit_from_a_file_is_the_fit_from_its_rows(rows: tuple[pd.DataFrame, Path]) -> None:
    frame, path = rows
    names = [f"c{j}" for j in range(8)]
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
    new = frame[names].fillna(0.0)
    one = model.fit(frame[names]).surprise(new)
    np.testing.assert_array_equal(model.fit(ColumnFile(path, names)).surprise(new), one)


def test_only_large_files_are_left_on_the_disk(
    rows: tuple[pd.DataFrame, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_large(rows[1]) is None
    monkeypatch.setattr(columns, "_LARGE", 60 * 152 - 1)
    found = open_large(rows[1])
    assert found is not None
    assert found.shape == (60, 152)


def test_files_that_cannot_be_read_are_refused(rows: tuple[pd.DataFrame, Path]) -> None:
    with pytest.raises(DataError, match=r"rows\.parquet has no column 'c150'"):
        ColumnFile(rows[1], ["c0", "c150"])
    rows[1].write_bytes(rows[1].read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot be read"):
        ColumnFile(rows[1])
