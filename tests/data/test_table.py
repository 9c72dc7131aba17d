"""Tables: what goes in comes back in its own form, and what cannot be modeled is named."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from locality.data.frames import build_frame
from locality.data.table import Table
from locality.exceptions import DataError

INDEX = pd.date_range("2024-05-01", periods=3, freq="h", tz="Europe/Berlin", name="when")
COLUMNS: dict[str, list[Any]] = {
    "flow": [1.5, 2.5, -0.125],
    "state": [1, 2, 3],
    "druck (°C)": [1e-9, 7.0, 1e9],
}
FLAVORS = ["pandas", "polars", "pyarrow", "numpy"]


def native(flavor: str, columns: dict[str, list[Any]] = COLUMNS) -> Any:
    if flavor == "pandas":
        return pd.DataFrame(columns, index=INDEX[: len(next(iter(columns.values())))])
    if flavor == "polars":
        return pl.DataFrame(columns)
    if flavor == "pyarrow":
        return pa.table(columns)
    return np.column_stack([np.array(column, dtype=float) for column in columns.values()])


def assert_same(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right)
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    else:
        assert left.equals(right)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_values_names_types_and_index_come_back(flavor: str) -> None:
    frame = native(flavor)
    table = Table.from_frame(frame)
    assert_same(table.frame(table.values, kinds=table.kinds), frame)
    np.testing.assert_array_equal(table.values, native("numpy"))
    assert table.values.dtype == np.float64
    assert table.observed.all()
    assert table.flavor == flavor
    if flavor != "numpy":
        assert table.names == tuple(COLUMNS)
        assert table.kinds == ("real", "integer", "real")


@pytest.mark.parametrize("flavor", FLAVORS)
def test_the_time_column_is_taken_out_and_put_back_first(flavor: str) -> None:
    hours = [0.0, 1.0, 2.5]
    frame = native(flavor, {"hours": hours, **COLUMNS})
    time = "x0" if flavor == "numpy" else "hours"
    table = Table.from_frame(frame, time=time)
    assert table.time is not None
    np.testing.assert_array_equal(table.time, hours)
    assert table.n_columns == 3
    back = table.frame(table.values, kinds=table.kinds)
    if flavor == "numpy":
        np.testing.assert_array_equal(back, table.values)
    else:
        assert_same(back, frame)


def test_dates_keep_their_zone_and_are_compared_in_utc() -> None:
    # The clock goes back in this night: local times repeat, moments do not.
    stamps = pd.date_range("2024-10-26 23:00", periods=4, freq="h", tz="UTC").tz_convert(
        "Europe/Berlin"
    )
    frame = pd.DataFrame({"when": stamps, "flow": [1.0, 2.0, 3.0, 4.0]})
    table = Table.from_frame(frame, time="when")
    assert table.time is not None
    assert (np.diff(table.time) == np.timedelta64(1, "h")).all()
    assert str(table.time[0]) == "2024-10-26T23:00:00.000000000"
    pd.testing.assert_frame_equal(table.frame(table.values), frame)


def test_polars_dates_come_back() -> None:
    moments = [datetime.datetime(2024, 5, 1, hour) for hour in range(3)]
    frame = pl.DataFrame({"when": moments, "flow": [1.0, 2.0, 3.0]})
    table = Table.from_frame(frame, time="when")
    assert table.time is not None
    assert table.time.dtype == "datetime64[ns]"
    assert table.frame(table.values).equals(frame)


def test_a_named_index_may_be_the_time() -> None:
    frame = native("pandas")
    table = Table.from_frame(frame, time="when")
    assert table.time is not None
    assert table.time_column is None
    assert table.n_columns == 3
    assert_same(table.frame(table.values, kinds=table.kinds), frame)


def test_new_rows_get_a_plain_index_and_no_time() -> None:
    table = Table.from_frame(native("pandas", {"hours": [0, 1, 2], **COLUMNS}), time="hours")
    drawn = table.frame(np.zeros((3, 3)), keep_rows=False)
    assert list(drawn.index) == [0, 1, 2]
    assert list(drawn.columns) == list(COLUMNS)
    assert len(table.frame(np.zeros((5, 3)))) == 5
    with pytest.raises(DataError, match="the table has 3 rows"):
        table.frame(np.zeros((5, 3)), keep_rows=True)


def test_results_under_other_names() -> None:
    table = Table.from_frame(native("polars"))
    frame = table.frame([[1.0], [2.0], [3.0]], ["nats"])
    assert frame.equals(pl.DataFrame({"nats": [1.0, 2.0, 3.0]}))


@pytest.mark.parametrize("flavor", FLAVORS)
def test_missing_values_are_marked_and_named(flavor: str) -> None:
    columns = {"a": [1.0, None, 3.0], "b": [1, 2, 3], "c": [None, None, 1]}
    if flavor == "numpy":
        frame = np.array(list(columns.values()), dtype=object).T
    else:
        frame = native(flavor, columns)
    table = Table.from_frame(frame)
    np.testing.assert_array_equal(table.observed[:, 0], [True, False, True])
    np.testing.assert_array_equal(table.observed, ~np.isnan(table.values))
    first, last = ("x0", "x2") if flavor == "numpy" else ("a", "c")
    message = (
        f"NaN in 2 of 3 columns: column '{first}': 1 of 3 values missing, the first in row 2; "
        f"column '{last}': 2 of 3 values missing, the first in row 1"
    )
    with pytest.raises(DataError) as caught:
        table.require_complete()
    assert message in str(caught.value)


def test_nullable_integers_stay_integers() -> None:
    frame = pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int64"), "ok": [True, False, True]})
    table = Table.from_frame(frame)
    assert table.kinds == ("integer", "boolean")
    np.testing.assert_array_equal(table.values[:, 0], [1, np.nan, 3])
    np.testing.assert_array_equal(table.values[:, 1], [1, 0, 1])


def test_integers_are_rounded_and_others_are_not() -> None:
    frame = build_frame(
        [[0.6, 0.6], [np.nan, 2.0]], ["n", "x"], "pandas", kinds=["integer", "real"]
    )
    np.testing.assert_array_equal(frame.to_numpy(), [[1.0, 0.6], [np.nan, 2.0]])


@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-1e29, 1e29),
    )
)
def test_any_array_comes_back_to_the_bit(values: np.ndarray) -> None:
    table = Table.from_frame(values)
    for flavor in ("pandas", "polars", "pyarrow", "numpy"):
        frame = build_frame(values, table.names, flavor)
        again = Table.from_frame(frame)
        assert again.values.tobytes() == table.values.tobytes()
        assert again.names == table.names


@pytest.mark.parametrize("flavor", ["pandas", "polars", "pyarrow"])
def test_permuting_columns_permutes_the_table(flavor: str) -> None:
    table = Table.from_frame(native(flavor))
    order = ["druck (°C)", "flow"]
    chosen = Table.from_frame(native(flavor), columns=order)
    assert chosen.names == tuple(order)
    np.testing.assert_array_equal(chosen.values, table.values[:, [2, 0]])
    dropped = Table.from_frame(native(flavor), drop=["state"])
    np.testing.assert_array_equal(dropped.values, table.values[:, [0, 2]])


BAD_CELLS: dict[str, tuple[Any, str]] = {
    "text": (
        pd.DataFrame({"ok": range(20), "TT-104": ["1.5"] * 16 + ["n/a"] + ["2"] * 3}),
        "column 'TT-104', row 17: \"n/a\" is not a number.",
    ),
    "several": (
        pd.DataFrame({"a": ["x", "y", "1"], "b": [1, "off", 2]}),
        "column 'a', row 1: \"x\" is not a number (1 more such cell in this column); "
        "column 'b', row 2: \"off\" is not a number.",
    ),
    "numeric text": (
        pl.DataFrame({"a": ["1.5", "2.5"]}),
        "column 'a', row 1: \"1.5\" is text, not a number",
    ),
    "word nan": (pd.DataFrame({"a": ["1.5", "-NaN"]}), 'row 2: "-NaN" is not a number'),
    "quotes": (pl.DataFrame({"a": ['say "hi"\n']}), 'row 1: "say \\"hi\\"\\n" is not a number'),
    "object": (
        np.array([[1.0, {}]], dtype=object),
        "column 'x1', row 1: {} (dict) is not a number",
    ),
    "complex": (np.array([[1.0, 2j]]), "is a complex number. Complex data not supported"),
    "bytes": (pd.DataFrame({"a": [b"x"]}), "column 'a', row 1: b'x' (bytes) is not a number"),
    "category": (pd.DataFrame({"a": pd.Categorical(["x", "y"])}), 'row 1: "x" is not a number'),
    "duration": (pd.DataFrame({"a": pd.to_timedelta([1, 2], unit="h")}), "column 'a', row 1: "),
    "infinite": (
        pl.DataFrame({"a": [1.0, 2.0], "b": [1.0, float("-inf")]}),
        "column 'b', row 2: -inf (infinite)",
    ),
    "huge": (np.array([[1e31], [1e32]]), "column 'x0', row 1: 1e+31 (beyond the largest magnitude"),
    "date": (
        pa.table({"day": [datetime.date(2024, 5, 1)], "a": [1]}),
        "column 'day', row 1: 2024-05-01 is a date. Name the column with the time of each row",
    ),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_bad_cells_are_named_with_column_row_and_content(case: str) -> None:
    frame, message = BAD_CELLS[case]
    with pytest.raises(DataError) as caught:
        Table.from_frame(frame)
    assert message in str(caught.value)
    assert caught.value.remedy


def test_at_most_ten_offenders_are_listed() -> None:
    frame = pd.DataFrame({f"s{j}": ["bad"] for j in range(25)})
    with pytest.raises(DataError) as caught:
        Table.from_frame(frame)
    assert str(caught.value).count('"bad"') == 10
    assert "and 15 more" in str(caught.value)


BAD_SHAPES: dict[str, tuple[Any, str]] = {
    "no rows": (pd.DataFrame({"a": []}, dtype=float), "0 sample(s) (shape=(0, 1)) while a minimum"),
    "no columns": (
        np.empty((4, 0)),
        "0 feature(s) (shape=(4, 0)) while a minimum of 1 is required",
    ),
    "one dimension": (np.arange(3.0), "Reshape your data"),
    "three dimensions": (np.zeros((2, 2, 2)), "Expected 2D array, got 3D"),
    "sparse": (sparse.eye_array(3), "sparse"),
    "lazy": (pl.LazyFrame({"a": [1]}), "lazy frame"),
    "series": (pd.Series([1.0]), "single column"),
    "records": (np.zeros(3, dtype=[("a", float)]), "Expected 2D array"),
}


@pytest.mark.parametrize("case", BAD_SHAPES)
def test_bad_shapes_are_refused(case: str) -> None:
    frame, message = BAD_SHAPES[case]
    with pytest.raises(DataError) as caught:
        Table.from_frame(frame)
    assert message in str(caught.value)


def test_too_few_rows_for_the_caller() -> None:
    frame = native("pandas")
    with pytest.raises(DataError, match=r"3 sample\(s\).*minimum of 4 is required"):
        Table.from_frame(frame, min_rows=4)
    assert Table.from_frame(frame.iloc[:0], min_rows=0).n_rows == 0


BAD_TIMES: dict[str, tuple[list[Any], str]] = {
    "back": ([1.0, 3.0, 2.0], "time column 't', row 3: 2.0 comes after 3.0"),
    "twice": ([1.0, 1.0, 2.0], "time column 't', row 2: 1.0 occurs twice"),
    "missing": ([1.0, None, 2.0], "time column 't': 1 missing, the first in row 2"),
    "unreadable": (["2024-05-01", "soon", "later"], "time column 't', row 2: 'soon' is not a date"),
    "dates back": (["2024-05-02", "2024-05-01", "2024-05-03"], "row 2: 2024-05-01T00:00:00"),
}


@pytest.mark.parametrize("case", BAD_TIMES)
def test_time_must_run_forward(case: str) -> None:
    moments, message = BAD_TIMES[case]
    with pytest.raises(DataError) as caught:
        Table.from_frame(pd.DataFrame({"t": moments, "a": [1.0, 2.0, 3.0]}), time="t")
    assert message in str(caught.value)


def test_unknown_time_is_named() -> None:
    with pytest.raises(DataError, match=r"'whem'.*Check|'whem'.*columns are"):
        Table.from_frame(native("pandas"), time="whem")


def test_a_table_is_not_read_again() -> None:
    frame = pd.DataFrame({"t": [1.0, 2.0], "a": [1.0, 2.0], "b": ["x", "y"]})
    table = Table.from_frame(frame, time="t", labels={"b": ("x", "y")})
    assert Table.from_frame(table, time="t") is table
    part = Table.from_frame(table, columns=["b"], labels={"b": ("x", "y")})
    assert (part.names, part.values[:, 0].tolist()) == (("b",), [0.0, 1.0])
    with pytest.raises(DataError, match=r"'b' has states \('x', 'y'\), expected \('x',\)"):
        Table.from_frame(table, labels={"b": ("x",)})
    with pytest.raises(DataError, match="2 sample"):
        Table.from_frame(table, min_rows=3)
    with pytest.raises(DataError, match="without its time 't'"):
        Table.from_frame(Table.from_frame(frame[["a"]]), time="t")
