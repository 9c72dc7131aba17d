"""The plant of the demo: what is fitted, drawn and scored, and what is found.

The alarm rule is plain on purpose. A sensor's limit is the highest surprise it had in 48 hours of
normal operation; there is an alarm when one sensor is above its limit in three rows running.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from locality._typing import BoolArray, FloatArray
from locality.analysis.demo.pictures import FaultRun, draw_samples
from locality.data.datasets import TennesseeEastman, load_tennessee_eastman
from locality.data.files import write_frame
from locality.estimator import LocalizedDiffusion
from locality.model.summary import expected_surprise
from locality.training.execution import Execution
from locality.training.trainer import Progress

__all__ = ["SHOWN", "FaultFindings", "Plant", "words"]

_HISTOGRAMS = ("xmeas_07", "xmeas_21", "xmeas_10", "xmeas_12", "xmeas_18", "xmv_10")
_SERIES = ("xmeas_18", "xmeas_12")

_FAULT = "fault04_test"
SHOWN = ("xmv_10", "xmeas_09")
"""The valve that answers the fault, and what it holds."""

_STRETCH = 125  # rows, 6 hours and a quarter
_RUNNING = 3
_GAUSSIAN = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True, eq=False)
class FaultFindings:
    """What the scored fault run shows.

    Parameters
    ----------
    plant : TennesseeEastman
    run : FaultRun
    alarms : bool array [n_rows]
    first : tuple of str
        Sensors of the first alarm.
    """

    plant: TennesseeEastman
    run: FaultRun
    alarms: BoolArray
    first: tuple[str, ...]

    @property
    def means(self) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
        """By sensor: nats beyond normal while the fault acts, values before it, and since."""
        active = self.plant.fault_active.to_numpy()
        frame = self.plant.frame
        nats, before, after = (
            {str(name): float(value) for name, value in part.mean().items()}
            for part in (self.run.beyond[active], frame[~active], frame[active])
        )
        return nats, before, after


@dataclass(frozen=True, eq=False)
class Plant:
    """Runs of the plant.

    Parameters
    ----------
    train, test, faulty : TennesseeEastman
    surprise : dict of DataFrame
        Filled by ``check``: surprise of the normal test run, by name of the model.
    """

    train: TennesseeEastman
    test: TennesseeEastman
    faulty: TennesseeEastman
    surprise: dict[str, pd.DataFrame]

    @classmethod
    def load(cls) -> "Plant":
        """Load the three runs."""
        runs = [load_tennessee_eastman(run) for run in ("normal_train", "normal_test", _FAULT)]
        return cls(runs[0], runs[1], runs[2], {})

    @property
    def variables(self) -> pd.DataFrame:
        """Meaning and unit of every sensor."""
        return self.train.variables

    def fit(
        self, denoiser: str, n_steps: int, execution: Execution, seed: int, progress: Progress
    ) -> LocalizedDiffusion:
        """A model of the normal run, each row given the two before it."""
        model = LocalizedDiffusion(
            lags=2,
            denoiser=denoiser,
            n_steps=n_steps,
            execution=execution,
            random_state=seed,
        )
        return model.fit(self.train.frame, progress=progress)

    def check(self, models: dict[str, LocalizedDiffusion], progress: Progress) -> dict[str, float]:
        """Nats per row of the second normal run, in standardized units."""
        found = {}
        for name, model in models.items():
            standardizer = model.model_.standardizer
            z = standardizer.standardize(self.test.frame.to_numpy(dtype=float))
            found["independent"] = float((_GAUSSIAN + 0.5 * z**2).sum(axis=1).mean())
            self.surprise[name] = model.surprise(self.test.frame, progress=progress)
            units = standardizer.log_slope(self.test.frame.to_numpy(dtype=float))
            nats = self.surprise[name].to_numpy().sum(axis=1) + units.sum(axis=1)
            found[name] = float(nats.mean())
        return found

    def draw(
        self,
        model: LocalizedDiffusion,
        n_stretches: int,
        seed: int,
        progress: Progress,
        folder: Path,
        overwrite: bool,
    ) -> pd.DataFrame:
        """Rows of several stretches of time, also written to the folder."""
        drawn: pd.DataFrame = model.sample(
            n_stretches * _STRETCH, n_series=n_stretches, random_state=seed, progress=progress
        )
        write_frame(drawn, folder / "synthetic.parquet", overwrite=overwrite)
        return drawn

    def draw_samples(self, path: Path, drawn: pd.DataFrame) -> None:
        """A picture of drawn beside recorded rows."""
        draw_samples(
            path,
            self.test.frame,
            drawn,
            self.train.frame,
            self.variables,
            _HISTOGRAMS,
            _SERIES,
            _STRETCH,
        )

    def correlation_errors(self, drawn: pd.DataFrame) -> tuple[float, float]:
        """Mean difference of pair correlations from the second normal run: drawn, and fitted."""
        reference = _correlations(self.test.frame)
        ours, theirs = (_correlations(frame) for frame in (drawn, self.train.frame))
        return float(np.abs(ours - reference).mean()), float(np.abs(theirs - reference).mean())

    def score_fault(
        self, model: LocalizedDiffusion, progress: Progress, folder: Path, overwrite: bool
    ) -> FaultFindings:
        """Score the fault run and find its alarms; the surprise is also written to the folder."""
        run, normal = self.faulty, self.surprise["local neural"]
        found = model.surprise(run.frame, progress=progress)
        rows = found.sum(axis=1).rename("row_nats").to_frame()
        write_frame(
            pd.concat([rows, found], axis=1), folder / "surprise.parquet", overwrite=overwrite
        )
        over = (found > normal.max()).to_numpy()
        running = np.lib.stride_tricks.sliding_window_view(over, _RUNNING, axis=0).all(axis=-1)
        running = np.concatenate([np.zeros((_RUNNING - 1, over.shape[1]), dtype=bool), running])
        alarms: BoolArray = np.asarray(running.any(axis=1))
        onset = int(np.argmax(run.fault_active.to_numpy()))
        hours = run.frame.index.to_numpy(dtype=np.float64)
        expected = expected_surprise(model.model_)
        alarm, first = np.nan, ()
        if alarms[onset:].any():
            row = onset + int(np.argmax(alarms[onset:]))
            alarm, first = float(hours[row]), tuple(found.columns[running[row]])
        return FaultFindings(
            run,
            FaultRun(
                f"Fault {run.fault} of the plant: {words(run.faults, 'description')[run.fault]}",
                run.frame,
                found - expected,
                float((normal - expected).sum(axis=1).quantile(0.99)),
                float(hours[onset]),
                alarm,
                SHOWN,
            ),
            alarms,
            first,
        )


def words(table: pd.DataFrame, column: str) -> dict[Any, str]:
    """A column of text, by row label."""
    return {label: str(word) for label, word in table[column].items()}


def _correlations(frame: pd.DataFrame) -> FloatArray:
    upper = np.triu_indices(frame.shape[1], 1)
    return np.asarray(np.corrcoef(frame.to_numpy(dtype=float), rowvar=False)[upper])
