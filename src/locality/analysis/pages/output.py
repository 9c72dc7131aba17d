"""Output: files that appear complete or not at all, and folders that hold nothing else."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locality.analysis.pages.words import Language
from locality.data.atomic import building, replacing
from locality.exceptions import OutputExists

__all__ = ["OutputFolder", "Shown", "write", "write_json"]


@dataclass(frozen=True)
class OutputFolder:
    """A kind of folder, which is known by the record in it.

    Parameters
    ----------
    kind : str
        What it holds, with its article.
    record : str
        The file that it always has.
    others : set of str
        Other files that it may have.
    """

    kind: str
    record: str
    others: Set[str]

    def building(self, folder: Path, overwrite: bool) -> AbstractContextManager[Path]:
        """A folder to fill, which takes the name when the block ends well.

        Raises
        ------
        OutputExists
            As `require_free`.
        DataError
            The folder cannot be written. Nothing is left behind.
        """
        return building(folder, lambda target: self.require_free(target, overwrite))

    def require_free(self, folder: Path, overwrite: bool = False) -> None:
        """Refuse a name that could not be written to, before there is anything to write.

        Parameters
        ----------
        folder : Path
        overwrite : bool, default False
            Permits to replace a folder of this kind, and nothing else.

        Raises
        ------
        OutputExists
            Something is there, and it is of another kind or may not be replaced.
        """
        if not os.path.lexists(folder):
            return
        if not folder.is_dir():
            raise OutputExists(f"{folder} is not a folder.", remedy="Choose another path.")
        names = set(os.listdir(folder))
        foreign = names - {self.record} - self.others
        if foreign or (names and self.record not in names):
            found = f"it also holds {min(foreign)!r}" if foreign else f"it has no {self.record}"
            raise OutputExists(
                f"{folder} exists and is not just {self.kind}: {found}.",
                remedy="Choose another path.",
            )
        if not overwrite:
            raise OutputExists(
                f"{folder} exists.", remedy="Choose another path, or pass overwrite=True."
            )


class Shown(ABC):
    """Something with a page."""

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """What the page shows: rows by name, nothing but plain data."""

    @abstractmethod
    def _page(self, language: Language) -> bytes:
        """The page in HTML."""

    def to_html(self, path: str | os.PathLike[str], language: Language = "en") -> Path:
        """Write the page: one file that needs nothing else; an old file is replaced.

        Parameters
        ----------
        path : path
        language : {"en", "ja"}
            Shown first; the page can switch.

        Raises
        ------
        OptionError
            The language is unknown.
        LocalityError
            Plotly or jinja2 are missing (``pip install 'locality[report]'``).
        DataError
            The folder is missing or cannot be written to.
        """
        return write(path, self._page(language))


def write(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file, completely or not at all; an old one is replaced.

    Raises
    ------
    DataError
        The folder is missing or cannot be written to.
    """
    path = Path(path)
    with replacing(path) as file:
        file.write(content)
    return path


def write_json(path: str | os.PathLike[str], plain: dict[str, Any]) -> Path:
    """Write plain data as JSON; as `write`."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1)
    return write(path, text.encode("utf-8", "backslashreplace"))  # lone surrogates become escapes
