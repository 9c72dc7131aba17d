"""Data sets that come with the package: recorded runs of a simulated chemical plant.

The Tennessee Eastman process is the standard test of fault detection: a reactor, condenser,
separator, stripper and compressor with 41 measured and 11 manipulated variables, read every three
minutes. The normal runs teach a model; in the fault runs something breaks after eight hours.

The runs are those of Chiang, Russell and Braatz; the license of the original (University of
Illinois) and all changes are in the file ``NOTICE`` beside the data. Publications should cite:

- J.J. Downs and E.F. Vogel, "A plant-wide industrial process control problem", Computers and
  Chemical Engineering 17:245-255 (1993), for the plant;
- L.H. Chiang, E.L. Russell and R.D. Braatz, "Fault Detection and Diagnosis in Industrial Systems",
  Springer, London (2001), for the runs.
"""

import contextlib
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd

from locality.data.files import read_frame
from locality.exceptions import OptionError

__all__ = ["TENNESSEE_EASTMAN_RUNS", "TennesseeEastman", "load_tennessee_eastman"]

TENNESSEE_EASTMAN_RUNS = (
    "normal_train",
    "normal_test",
    "fault01_test",
    "fault04_test",
    "fault05_test",
    "fault06_test",
)
"""The runs that come with the package."""


@dataclass(frozen=True, eq=False)
class TennesseeEastman:
    """One run of the plant.

    Attributes
    ----------
    run : str
        One of ``TENNESSEE_EASTMAN_RUNS``.
    frame : pandas.DataFrame [n_rows, 52]
        The process variables, 32-bit; the index ``hours`` counts from the start of the run.
    fault : int
        Number of the fault in this run, 0 for normal operation.
    fault_active : pandas.Series of bool [n_rows]
        True from the moment the fault is there.
    variables : pandas.DataFrame [52, 4]
        Per variable its ``kind``, ``description``, ``unit`` and ``source_interval_min``, the
        minutes after which the instrument reports a new value.
    faults : pandas.DataFrame
        Per fault number its ``description`` and ``type``.
    notice : str
        License and references of the data.
    """

    run: str
    frame: pd.DataFrame
    fault: int
    fault_active: "pd.Series[bool]"
    variables: pd.DataFrame
    faults: pd.DataFrame
    notice: str


def load_tennessee_eastman(run: str = "normal_train") -> TennesseeEastman:
    """Load one run of the Tennessee Eastman plant.

    Parameters
    ----------
    run : str, default "normal_train"
        ``"normal_train"`` (500 rows, 25 h), ``"normal_test"`` or ``"fault01_test"``,
        ``"fault04_test"``, ``"fault05_test"``, ``"fault06_test"`` (960 rows, 48 h; the fault
        begins after 8 h).

    Raises
    ------
    OptionError
        There is no such run in the package.

    Examples
    --------
    >>> plant = load_tennessee_eastman("fault04_test")
    >>> plant.frame.shape, plant.faults.loc[plant.fault, "description"]
    ((960, 52), 'Reactor cooling water inlet temperature')
    >>> float(plant.fault_active.idxmax())  # hours
    8.05
    """
    if run not in TENNESSEE_EASTMAN_RUNS:
        close = difflib.get_close_matches(str(run), TENNESSEE_EASTMAN_RUNS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise OptionError(
            f"run is {run!r}, expected one of {', '.join(TENNESSEE_EASTMAN_RUNS)}.{hint}"
        )
    with _folder() as folder:
        rows = read_frame(folder / f"{run}.parquet")
        variables = read_frame(folder / "variables.csv").set_index("column")
        faults = read_frame(folder / "faults.csv").set_index("fault")
        notice = (folder / "NOTICE").read_text(encoding="utf-8")
    hours = pd.Index((rows["sample"].astype("float64") * 3 / 60).round(2), name="hours")
    frame = rows[list(variables.index)].set_axis(hours, axis=0)
    active = rows["fault_active"].astype(bool).set_axis(hours)
    fault = int(rows["fault"].iloc[0])
    return TennesseeEastman(run, frame, fault, active, variables, faults, notice)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Give the packaged data as a folder."""
    packaged = resources.files("locality.data") / "tennessee_eastman"
    with resources.as_file(packaged) as folder:
        yield folder
