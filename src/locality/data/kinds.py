"""Kinds of columns."""

from typing import Literal, TypeAlias

__all__ = ["KINDS", "Kind"]

Kind: TypeAlias = Literal["real", "integer", "boolean", "category"]
KINDS = ("real", "integer", "boolean", "category")
