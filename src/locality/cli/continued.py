"""A stream that is judged file by file: the folder that keeps where it stands.

    state          what the rows so far leave for those that follow
    anchor.<n>     the same of the first version, after n rows

The state is replaced in one step, and only after everything else was written: it counts the rows,
and so tells which anchor belongs to it. A call that dies before that step has judged nothing.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from locality import DataError, OptionError
from locality.cli.outputs import require_state_folder

if TYPE_CHECKING:
    from locality import Judge

__all__ = ["Continued"]

_STATE, _ANCHOR = "state", "anchor."


class Continued:
    """A folder with the state of a stream, or where it is going to be.

    Parameters
    ----------
    folder : Path
        Made when the state is written.

    Raises
    ------
    DataError
        It is something else.
    """

    def __init__(self, folder: Path) -> None:
        require_state_folder(folder)
        self.folder = folder
        self._file = folder / _STATE
        self._found = self._content()

    @property
    def is_begun(self) -> bool:
        """Whether rows were judged before."""
        return bool(self._found)

    def take_up(self, judge: "Judge", anchor: "Judge | None") -> None:
        """Go on where the last call ended.

        Raises
        ------
        OptionError
            The state is of another model, version or normal rows.
        ModelCorrupt
            It is damaged.
        """
        if not self.is_begun:
            return
        try:
            judge.read_state(self._file)
        except OptionError as error:
            raise OptionError(
                f"--continue: {error.message}",
                remedy="Go on with that version and the same --normal rows, or begin anew in "
                "another folder: what is normal has changed.",
            ) from error
        beside = self.folder / f"{_ANCHOR}{judge.n_rows}"
        if anchor is not None and beside.is_file():
            anchor.read_state(beside)

    def save(self, judge: "Judge", anchor: "Judge | None") -> None:
        """Write the state, once all else is written.

        Raises
        ------
        DataError
            The folder cannot be written to, or another call has written the state meanwhile.
        """
        with _usable(self.folder):
            self.folder.mkdir(exist_ok=True)
        if self._content() != self._found:
            raise DataError(
                f"Another call has written {self._file} meanwhile; it was left as it is.",
                remedy="Judge the rows of one stream one call after the other.",
            )
        beside = self.folder / f"{_ANCHOR}{judge.n_rows}"
        if anchor is not None:
            anchor.write_state(beside)
        judge.write_state(self._file)
        for old in self.folder.iterdir():
            is_old = old.name.startswith(_ANCHOR) and (anchor is None or old != beside)
            if is_old or (old.name.startswith(".") and old.name.endswith(".part")):
                with contextlib.suppress(OSError):
                    old.unlink()

    def _content(self) -> bytes:
        with _usable(self._file):
            return self._file.read_bytes() if self._file.is_file() else b""


@contextlib.contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Name what the system refuses."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be used: {error.strerror or error}.") from error
