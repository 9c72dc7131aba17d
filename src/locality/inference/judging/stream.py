"""A stream: rows are judged as they arrive, in chunks of any size, to the same bits.

All that later rows depend on is kept in the stream: the last rows, with the law of what was missing
in them, what fades, and the evidence for a change. It is as large as some rows, whatever came
before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from locality._typing import BoolArray, FloatArray
from locality.data.table import Table
from locality.inference.judging.blame import Blame
from locality.inference.judging.evidence import Evidence, scores
from locality.inference.judging.judgment import Judgment, known_reference
from locality.inference.judging.levels import log_p_values
from locality.inference.judging.memory import MEMORIES, Memory, combined, sensor_nats
from locality.inference.judging.networks import RecentRows
from locality.inference.judging.promise import Promise
from locality.inference.judging.reference import away_of, law_of, plain_rows, sensors_of
from locality.inference.laws.window import Window
from locality.model.model import Model

__all__ = ["Stream", "judge", "sensor_surprise"]


@dataclass(frozen=True, eq=False)
class Stream:
    """What the rows so far leave for those that follow.

    Parameters
    ----------
    window : Window
    memory : Memory
    blame : Blame
    recent : RecentRows
    evidence : float array
        Logarithms, as `Evidence` has them.
    in_alarm : bool
    """

    window: Window
    memory: Memory
    blame: Blame
    recent: RecentRows
    evidence: FloatArray
    in_alarm: bool = False

    @classmethod
    def of(cls, model: Model) -> "Stream":
        """Before the first row.

        Raises
        ------
        OptionError
            If the model does not know how normal rows look.
        """
        model = model.unrolled
        reference = known_reference(model)
        n, normal = len(reference.mean), float(reference.mean.sum())
        n_memories = len(MEMORIES) if model.is_ordered else 1
        return cls(
            Window.empty(law_of(reference)),
            Memory.empty(n, normal, n_memories),
            Blame.empty(model.domain.n_nodes, n, n_memories),
            RecentRows.empty(model.domain.n_nodes),
            np.full(reference.evidence.shape, -np.inf),
        )

    def take(self, model: Model, table: Table, promise: Promise) -> "tuple[Judgment, Stream]":
        """Judge the next rows.

        Parameters
        ----------
        model : Model
            The same for all rows.
        table : Table
            In order of time.
        promise : Promise

        Returns
        -------
        judgment : Judgment
        stream : Stream
            But for blame, which is known when it is asked for: see ``settled``.

        Raises
        ------
        OptionError
            If the model has no law of a row.
        DataError
            If a context column has gaps.
        """
        model = model.unrolled
        reference = known_reference(model)
        model.layout.require_row_law(table)
        law = law_of(reference)
        innovations, _, window = self.window.take(law, law.plain(plain_rows(model, table)))
        gain, recent = self.recent.gain(model, table)
        away, nats = away_of(reference, innovations, gain)
        channels, memory = self.memory.take(away, nats, sensors_of(reference))
        unusual = -log_p_values(reference.channels, channels)
        statistic = combined(unusual)
        log_p = log_p_values(reference.statistic, statistic[None])[0]
        departed = departed_from(model, table)
        gone = departed.any(axis=1)
        log_p[gone] = np.minimum(log_p[gone], -np.log(reference.n_rows + 1.0))
        evidence, in_alarm = self.evidence, self.in_alarm
        if promise.n_rows is None:
            alarm = log_p <= np.log(promise.share)
        else:
            growing = Evidence(reference.evidence, promise.n_rows, evidence, in_alarm=in_alarm)
            psi = scores(away, nats, float(reference.mean.sum()), reference.total_deviation)
            _, alarm = growing.take(psi)
            evidence, in_alarm = growing.state, growing.in_alarm
        judgment = Judgment(
            model, table, self.blame, statistic, log_p, unusual.argmax(axis=0), departed,
            np.asarray(alarm | gone),
        )  # fmt: skip
        return judgment, Stream(window, memory, self.blame, recent, evidence, in_alarm)

    def settled(self, judgment: Judgment) -> "Stream":
        """The same stream with the blame that rows just judged leave."""
        return replace(self, blame=judgment.after)

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name; `from_arrays` restores them."""
        found = {"evidence": self.evidence, "in_alarm": np.array([self.in_alarm])}
        for name, part in vars(self).items():
            if name not in found:
                found |= {f"{name}.{key}": value for key, value in part.arrays().items()}
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Stream":
        """The stream of ``arrays``."""

        def part(name: str) -> dict[str, np.ndarray]:
            return {
                key.removeprefix(name): value
                for key, value in arrays.items()
                if key.startswith(name)
            }

        return cls(
            Window.from_arrays(part("window.")),
            Memory.from_arrays(part("memory.")),
            Blame.from_arrays(part("blame.")),
            RecentRows.from_arrays(part("recent.")),
            arrays["evidence"],
            bool(arrays["in_alarm"][0]),
        )


def judge(model: Model, table: Table, promise: Promise) -> Judgment:
    """Judge the rows of a table, in order of time, that nothing was before."""
    return Stream.of(model).take(model, table, promise)[0]


def sensor_surprise(model: Model, table: Table) -> FloatArray:
    """Nats of what is left of each sensor given its neighborhood as it is
    [n_rows, n_components]; NaN where missing.

    Not of innovations: where few sensors look at everything, one that has moved by many deviations
    is seen by all of them, through weights that are noise. And no sensor is looked past as wrong:
    where all have moved, some would seem to fit.
    """
    model = model.unrolled
    reference, start = known_reference(model), Stream.of(model)
    gain, _ = start.recent.gain(model, table)
    rows = model.layout.standard_rows(table)
    blamed, _ = start.blame.take(model.field, reference.residual, rows, np.inf)
    nats = sensor_nats(blamed.residual)
    return nats if gain is None else nats + gain


def departed_from(model: Model, table: Table) -> BoolArray:
    """Where columns do what they never did in the fit [n_rows, n_columns]."""
    standardizer = model.standardizer
    departed = np.zeros((table.n_rows, len(standardizer.names)), dtype=bool)
    aside = [part.column for part in standardizer.set_aside]
    departed[:, aside] = standardizer.departures(table.values)
    if table.unseen is not None:
        departed |= table.unseen
    return departed
