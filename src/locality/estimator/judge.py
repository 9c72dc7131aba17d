"""The judge: rows arrive in chunks, day and night, and are judged as if they had come at once."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from locality.data.table import Table
from locality.estimator.states import digest_of, read_state, write_state
from locality.exceptions import DataError
from locality.inference.judging.detection import Detection
from locality.inference.judging.judgment import known_reference
from locality.inference.judging.promise import Promise
from locality.inference.judging.stream import Stream
from locality.model.model import Model
from locality.training.threads import one_thread

__all__ = ["Judge"]

_MODEL, _STATE = "model", "state"


class Judge:
    """Judges rows as they arrive; made by ``LocalizedDiffusion.judge``.

    Parameters
    ----------
    model : Model
        All rows are judged by it, whatever the estimator learns later.
    promise : Promise
    read : callable, optional
        Makes a table of what is passed, as the estimator does; by default it is one.

    Examples
    --------
    >>> from locality import LocalizedDiffusion
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> X = OrnsteinUhlenbeckChain(10, correlation=0.7).sample(700, random_state=0)
    >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(X[:600])
    >>> judge = model.judge()
    >>> chunks = [judge.update(X[600:617]), judge.update(X[617:])]
    >>> whole = model.detect(X[600:])
    >>> bool((chunks[1].log_p == whole.log_p[17:]).all())
    True
    """

    def __init__(
        self, model: Model, promise: Promise, read: Callable[[Any], Table] | None = None
    ) -> None:
        self.model = model
        self.promise = promise
        self._read = read
        self._stream = Stream.of(model)
        promise.require_known(known_reference(model.unrolled))
        self._last: Any = None

    @property
    def n_rows(self) -> int:
        """Rows judged so far."""
        return self._stream.window.n_seen

    def update(self, X: Any) -> Detection:
        """Judge the next rows.

        Parameters
        ----------
        X : frame or array [n_rows, n_columns]
            In order of time, after all rows before; missing values are allowed.

        Returns
        -------
        Detection
            Of these rows: the same bits as if all rows had come at once.

        Raises
        ------
        DataError
            If rows are not those of the model, or lie before the last one. Nothing has changed
            then.
        """
        table: Table = X if self._read is None else self._read(X)
        self._require_later(table)
        with one_thread():
            found, stream = self._stream.take(self.model, table, self.promise)
            self._stream = stream.settled(found)
        if table.time is not None and len(table.time):
            self._last = table.time[-1]
        return Detection(self.model, table, found)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the judge to a folder: its model, and what the rows so far leave.

        The model is written once; the state takes the place of an earlier one in one step, so that
        after a failure at any moment the folder is as before or as after.

        Parameters
        ----------
        path : path
            A folder; made if there is none.
        """
        from locality.store.store import save_model

        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _MODEL).exists():
            save_model(self.model, folder / _MODEL)
        self.write_state(folder / _STATE)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Judge":
        """Go on where ``save`` was called.

        Raises
        ------
        DataError, OptionError, ModelCorrupt
            If the folder is none of a judge, or damaged.
        """
        from locality.estimator.diffusion import LocalizedDiffusion

        folder = Path(path)
        if not (folder / _STATE).is_file():
            raise DataError(
                f"{folder} holds no state of a judge.", remedy="Write one with Judge.save."
            )
        estimator = LocalizedDiffusion.load(folder / _MODEL)
        judge = cls(estimator.model_, Promise(), estimator._table)
        judge.read_state(folder / _STATE)
        return judge

    def write_state(self, file: Path) -> None:
        """The state alone, for a model that is kept elsewhere."""
        write_state(file, self._stream, self.promise, self._last, digest_of(self.model))

    def read_state(self, file: Path) -> None:
        """Take up a state of the same model.

        Raises
        ------
        OptionError
            If it is of another model, or of another version.
        ModelCorrupt
            If it is damaged.
        """
        self._stream, self.promise, self._last = read_state(file, self.model)

    def _require_later(self, table: Table) -> None:
        if self._last is None or table.time is None or not len(table.time):
            return
        if not table.time[0] > self._last:
            name = self.model.settings.time or "time"
            raise DataError(
                f"Column {name!r} begins at {_moment(table.time[0])}, but rows up to "
                f"{_moment(self._last)} were judged already.",
                remedy="Pass later rows, in order of time.",
            )


def _moment(value: Any) -> str:
    """A time for people."""
    moment = np.asarray(value)
    if moment.dtype.kind == "M":
        return str(np.datetime_as_string(moment, unit="auto")).replace("T", " ")
    return f"{float(moment):g}"
