"""Files: values survive to the bit, damage is named, and writing is all or nothing."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from locality.data import atomic
from locality.data.files import SUFFIXES, read_frame, read_table, write_frame
from locality.exceptions import DataError, OutputExists

RNG = np.random.default_rng(1)
FRAME = pd.DataFrame(
    {
        "hours": [0.05, 0.1, 0.15, 0.2],
        "flow": RNG.standard_normal(4) * 1e-7,
        "level": [1 / 3, np.nan, 1e300, 5e-324],
        "n": [1, 2, 3, 2**52],
        "ok": [True, False, True, True],
        "Größe": ["a,b", 'c"d', "e", "é"],
    }
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_frame_comes_back_to_the_bit(tmp_path: Path, suffix: str) -> None:
    path = write_frame(FRAME, tmp_path / f"data{suffix}")
    pd.testing.assert_frame_equal(read_frame(path), FRAME, check_exact=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_frames_give_equal_files(tmp_path: Path, suffix: str) -> None:
    first = write_frame(FRAME, tmp_path / f"a{suffix}").read_bytes()
    second = write_frame(FRAME, tmp_path / f"b{suffix}").read_bytes()
    assert first == second


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tables_are_read_by_column(tmp_path: Path, suffix: str) -> None:
    path = write_frame(FRAME, tmp_path / f"data{suffix}")
    table = read_table(path, time="hours", drop=["level", "Größe"])
    assert table.names == ("flow", "n", "ok")
    assert table.kinds == ("real", "integer", "boolean")
    assert table.time is not None
    np.testing.assert_array_equal(table.time, FRAME["hours"])
    np.testing.assert_array_equal(table.values[:, 0], FRAME["flow"])
    assert read_table(path, columns=["ok", "flow"]).names == ("ok", "flow")


def test_other_libraries_and_arrays_are_written(tmp_path: Path) -> None:
    expected = pd.DataFrame({"a": [1.5, 2.5], "n": [1, 2]})
    path = write_frame(pl.from_pandas(expected), tmp_path / "polars.csv")
    pd.testing.assert_frame_equal(read_frame(path), expected)
    path = write_frame(expected.to_numpy(), tmp_path / "array.parquet")
    np.testing.assert_array_equal(read_frame(path)[["x0", "x1"]], expected)
    dated = expected.set_index(pd.date_range("2024-05-01", periods=2, name="day"))
    path = write_frame(dated, tmp_path / "dated.parquet")
    assert list(read_frame(path).columns) == ["day", "a", "n"]
    assert read_table(path, time="day").names == ("a", "n")


def test_a_saved_pandas_index_is_not_modeled(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.Index([5.0, 6.0], name="hours"))
    frame.to_parquet(tmp_path / "indexed.parquet")
    assert read_table(tmp_path / "indexed.parquet").names == ("a",)
    assert read_table(tmp_path / "indexed.parquet", time="hours").names == ("a",)
    assert read_table(tmp_path / "indexed.parquet", drop=["hours"]).names == ("a",)


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "text": ("a.csv", b"t,TT-104\n1,2.5\n2,n/a\n3,\n", "column 'TT-104', row 2: \"n/a\" is not a"),
    "word nan": ("a.csv", b"a\n1.5\nNaN\n", "column 'a', row 2: \"NaN\" is not a number"),
    "null": ("a.csv", b"a\n1.5\nNULL\n", "column 'a', row 2: \"NULL\" is not a number"),
    "infinite": ("a.csv", b"a,b\n1,2\n1,inf\n", "column 'b', row 2: inf (infinite)"),
    "repeated": ("a.csv", b"a,b,a\n1,2,3\n", "'a' (columns 1, 3)"),
    "unnamed": ("a.csv", b",a\n0,1.5\n1,2.5\n", "column 1 has an empty name"),
    "semicolons": ("a.csv", b"a;b\n1;2\n", "the header 'a;b' is a single column"),
    "long row": ("a.csv", b"a,b\n1,2\n1,2,3\n", "the file cannot be read"),
    "long rows": ("a.csv", b"a,b\n1,2,3\n1,2,3\n", "the file cannot be read"),
    "only header": ("a.csv", b"a,b\n", "0 sample(s)"),
    "empty": ("a.csv", b"", "the file cannot be read"),
    "latin": ("a.csv", "gr\u00f6\u00dfe\n1\n".encode("latin-1"), "the file is not UTF-8 text"),
    "no gzip": ("a.csv.gz", b"a,b\n1,2\n", "the file cannot be read"),
    "half gzip": ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99)[:25], "the file cannot be read"),
    "no parquet": ("a.parquet", b"PAR1 and more", "the file cannot be read"),
    "no arrow": ("a.feather", b"ARROW1 and more", "the file cannot be read"),
    "suffix": ("a.xlsx", b"", "File names end in one of .csv, .csv.gz, .parquet"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_named(tmp_path: Path, case: str) -> None:
    name, content, message = BAD_FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / name)
    assert message in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv.gz", ".parquet", ".feather"])
def test_every_truncation_is_refused_or_detected(tmp_path: Path, suffix: str) -> None:
    whole = write_frame(FRAME[["flow", "n"]], tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="cut"):
            read_table(path)


def test_empty_cells_are_missing(tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text("a,b\n1,\n,2\n")
    table = read_table(tmp_path / "gaps.csv")
    np.testing.assert_array_equal(table.observed, [[True, False], [False, True]])


def test_dates_in_text_are_read_when_they_are_the_time(tmp_path: Path) -> None:
    (tmp_path / "dated.csv").write_text("when,a\n2024-05-01 00:00,1\n2024-05-01 01:00,2\n")
    table = read_table(tmp_path / "dated.csv", time="when")
    assert table.time is not None
    assert np.diff(table.time) == np.timedelta64(1, "h")
    with pytest.raises(DataError, match="column 'when', row 1: \"2024-05-01 00:00\""):
        read_table(tmp_path / "dated.csv")


def test_a_byte_order_mark_is_no_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "marked.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert read_table(tmp_path / "marked.csv").names == ("a", "b")


def test_missing_file_folder_and_unknown_columns(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the file does not exist"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="the file is a folder"):
        read_frame(tmp_path / "folder.csv")
    path = write_frame(FRAME, tmp_path / "data.parquet")
    with pytest.raises(DataError, match=r"data.parquet: .*'flov' \(did you mean 'flow'\?\)"):
        read_table(path, columns=["flov"])
    with pytest.raises(DataError, match="'hour'"):
        read_table(path, time="hour")


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    path = write_frame(FRAME, tmp_path / "data.csv")
    with pytest.raises(OutputExists, match="already there"):
        write_frame(FRAME.iloc[:1], path)
    assert len(read_frame(path)) == 4
    write_frame(FRAME.iloc[:1], path, overwrite=True)
    assert len(read_frame(path)) == 1


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = write_frame(FRAME, tmp_path / "data.csv")
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write_frame(FRAME.iloc[:1], path, overwrite=True)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.csv"]


def test_writing_into_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_frame(FRAME, tmp_path / "none" / "data.csv")
