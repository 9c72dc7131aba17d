"""Column names: kept exactly or refused by position, unknown ones answered with the closest."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locality.data.names import check_names, choose_names, listing
from locality.data.table import Table
from locality.exceptions import DataError

ACCEPTABLE = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8
).filter(str.strip)


@given(st.lists(ACCEPTABLE, unique_by=lambda name: unicodedata.normalize("NFC", name), max_size=6))
def test_acceptable_names_are_kept_exactly(names: list[str]) -> None:
    assert check_names(names) == tuple(names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "a"], "'a' (columns 1, 3)"),
        (["caf\u00e9", "cafe\u0301"], "(columns 1, 2)"),
        (["0", 0], "'0' (columns 1, 2)"),
        (["a", "b\x00"], "column 2 is named 'b\\x00': character 2 is a control character"),
        (["a\nb"], "column 1 is named 'a\\nb': character 2 is a control character"),
        (["\ud800"], "column 1 is named '\\ud800': character 1 is a control character"),
        (["a", "  "], "column 2 has an empty name"),
        ([("a", "b")], "column 1 is named ('a', 'b') (tuple), expected text"),
        ([1.5], "column 1 is named 1.5 (float), expected text"),
        ([True], "column 1 is named True (bool), expected text"),
    ],
)
def test_unusable_names_are_refused(names: list[object], message: str) -> None:
    with pytest.raises(DataError) as caught:
        check_names(names)
    assert message in str(caught.value)


def test_number_labels_become_text() -> None:
    assert check_names([0, np.int64(1)]) == ("0", "1")
    assert Table.from_frame(pd.DataFrame(np.eye(2))).names == ("0", "1")


def test_repeated_labels_of_a_frame_are_refused() -> None:
    with pytest.raises(DataError, match="more than once"):
        Table.from_frame(pd.DataFrame(np.eye(2), columns=["a", "a"]))


def test_unknown_names_are_answered_with_the_closest() -> None:
    with pytest.raises(DataError) as caught:
        choose_names(["TT-104", "flow"], ["TT-l04", "flow", "zzz"])
    message = str(caught.value)
    assert "columns names 2 columns that are not in the table" in message
    assert "'TT-l04' (did you mean 'TT-104'?), 'zzz'" in message
    assert "The table's columns are 'TT-104', 'flow'" in message
    with pytest.raises(DataError, match="drop names a column"):
        choose_names(["a"], drop=["b"])


def test_many_unknown_names_are_counted() -> None:
    with pytest.raises(DataError, match="and 5 more"):
        choose_names(["a"], [f"unknown {k}" for k in range(15)])


def test_choosing_keeps_the_order_asked_for() -> None:
    available = ["t", "a", "b", "c"]
    assert choose_names(available) == tuple(available)
    assert choose_names(available, ["c", "a"]) == ("c", "a")
    assert choose_names(available, drop=["b"], aside="t") == ("a", "c")
    assert choose_names(available, ["t", "c"], aside="t") == ("c",)


def test_a_name_asked_for_twice_or_a_bare_text_is_refused() -> None:
    with pytest.raises(DataError, match="twice: 'a'"):
        choose_names(["a", "b"], ["a", "b", "a"])
    with pytest.raises(DataError, match=r"drop is the text 'a'.*drop=\['a'\]"):
        choose_names(["a", "b"], drop="a")


def test_listing_is_exact_up_to_ten() -> None:
    assert listing(["a"] * 10).count("a") == 10
    assert "more" not in listing(["a"] * 10)
    assert listing(["b"] * 11).endswith("and 1 more")
