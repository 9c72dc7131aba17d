"""Sentences that a check says: answers, summaries, reasons, next steps and notes."""

from typing import Final

__all__ = ["SENTENCES"]

SENTENCES: Final[dict[str, tuple[str, str]]] = {
    # answers
    "local": ("local", "局所的"),
    "partly local": ("partly local", "部分的に局所的"),
    "not local": ("not local", "局所的でない"),
}
"""English and Japanese of every key."""
