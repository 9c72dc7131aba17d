"""Kinds of columns, and of tables."""

from typing import Literal, TypeAlias

__all__ = ["KINDS", "Flavor", "Kind"]

Kind: TypeAlias = Literal["real", "integer", "boolean", "category"]
KINDS = ("real", "integer", "boolean", "category")

Flavor: TypeAlias = Literal["pandas", "polars", "pyarrow", "numpy"]
"""The library that a table belongs to; an array is numpy's."""
