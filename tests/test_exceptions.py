"""Errors: the tree, the text, and the way across process borders."""

import copy

import pytest

from locality import exceptions
from locality.exceptions import DataError, GraphError, LocalityError, OptionError

KINDS = [getattr(exceptions, name) for name in exceptions.__all__]


@pytest.mark.parametrize("kind", KINDS)
def test_message_and_remedy(kind: type[LocalityError]) -> None:
    assert issubclass(kind, LocalityError)
    assert str(kind("Found 3.")) == "Found 3."
    error = kind("Found 3.", remedy="Use 4.")
    assert str(error) == "Found 3. Use 4."
    assert (error.message, error.remedy) == ("Found 3.", "Use 4.")


def test_invalid_input_is_a_value_error() -> None:
    assert issubclass(DataError, ValueError)
    assert issubclass(OptionError, ValueError)
    assert not issubclass(GraphError, ValueError)


def test_the_documented_tree_is_complete() -> None:
    assert exceptions.__doc__ is not None
    for name in exceptions.__all__:
        assert name in exceptions.__doc__


def test_a_remedy_survives_copying_as_between_processes() -> None:
    copied = copy.deepcopy(DataError("Found 3.", remedy="Use 4."))
    assert isinstance(copied, DataError)
    assert (copied.message, copied.remedy) == ("Found 3.", "Use 4.")
