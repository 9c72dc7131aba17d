"""Answers about the rows of a table, worked out with one thread: no bit depends on the machine.

Here the estimator and the command line ask.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from locality.data.table import Table
from locality.model.model import Model
from locality.training.threads import one_thread
from locality.training.trainer import Progress, quiet

if TYPE_CHECKING:
    from locality.inference.judging.detection import Detection
    from locality.inference.judging.promise import Promise
    from locality.inference.sampling.imputation import Imputation

__all__ = ["calibrated", "detected", "filled"]


def calibrated(model: Model, table: Table) -> Model:
    """The same model, whose alarms are measured against rows that are known to be normal."""
    from locality.inference.judging.reference import calibration

    with one_thread():
        return replace(model, normal=calibration(model, table))


def detected(model: Model, table: Table, promise: "Promise") -> "Detection":
    """Which rows are abnormal; see `Detection`."""
    from locality.inference.judging.detection import Detection

    with one_thread():
        return Detection.of(model, table, promise)


def filled(
    model: Model, table: Table, n_draws: int, level: float, seed: int, progress: Progress = quiet
) -> "Imputation":
    """Gaps of a table, filled; see `Imputation`."""
    from locality.inference.sampling.imputation import fill

    with one_thread():
        return fill(model.unrolled, table, n_draws, level, seed, progress)
