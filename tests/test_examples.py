"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import locality

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(locality.__path__, prefix="locality.")
)


@pytest.mark.parametrize("name", ["locality", *MODULES])
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
