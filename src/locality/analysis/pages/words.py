"""Words: every sentence of a page, in English and Japanese.

Numbers are formatted by the catalog (``{nats:.2f}``), so that a statement is the same data in
either language. The texts are in `locality.analysis.pages.catalog`, one file per kind of text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from locality.analysis.pages.catalog import CATALOG

__all__ = ["LANGUAGES", "Language", "Statement", "known", "say", "word"]

Language: TypeAlias = Literal["en", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "ja")


@dataclass(frozen=True)
class Statement:
    """A sentence as its key in the catalog and the numbers and names it needs."""

    key: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)


def say(statement: Statement, language: Language = "en") -> str:
    """The sentence of a statement.

    Parameters
    ----------
    statement : Statement
    language : {"en", "ja"}

    Examples
    --------
    >>> say(Statement("local"), "ja")
    '局所的'
    """
    return word(statement.key, language).format(**statement.values)


def word(key: str, language: Language = "en") -> str:
    """A fixed text by its key, placeholders not yet filled."""
    return CATALOG[key][LANGUAGES.index(language)]


def known(key: str) -> bool:
    """Whether the catalog has a text for this key."""
    return key in CATALOG
