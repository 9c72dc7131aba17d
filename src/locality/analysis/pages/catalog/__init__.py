"""The catalog: every text of a report in English and Japanese, by key.

One file per kind of text: the sentences a check says (`sentences`), the fixed text of the page
(`page`), of its tables (`tables`), of its pictures (`pictures`), the glossary (`glossary`), and all
that an evaluation of drawn rows says (`quality`).
Placeholders carry their format (``{nats:.2f}``) and are the same in both languages.
"""

from typing import Final

from locality.analysis.pages.catalog.glossary import GLOSSARY, TERMS
from locality.analysis.pages.catalog.page import PAGE
from locality.analysis.pages.catalog.pictures import PICTURES
from locality.analysis.pages.catalog.quality import QUALITY
from locality.analysis.pages.catalog.sentences import SENTENCES
from locality.analysis.pages.catalog.tables import TABLES

__all__ = ["CATALOG", "TERMS"]

CATALOG: Final[dict[str, tuple[str, str]]] = {
    **SENTENCES,
    **PAGE,
    **TABLES,
    **PICTURES,
    **GLOSSARY,
    **QUALITY,
}
"""English and Japanese of every key."""
