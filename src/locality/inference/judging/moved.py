"""Has normal itself moved? Where alarms last, single ones are no news: a state of its own.

Rows of another product, another season or another calibration are in alarm one and all, and so are
those of a fault that nobody mends. Rows alone cannot tell the two apart. What can be told is that
it lasts, since when, and which columns are elsewhere than in the fit.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from locality._typing import FloatArray
from locality.inference.judging.episodes import spans_of
from locality.inference.judging.judgment import Judgment

__all__ = ["MovedNormal", "moved_normal"]

_SHARE = 0.1  # of the rows in alarm, and in one episode
_ROWS = 50  # in alarm
_LASTING = 0.5  # of the last third
_FAR = 0.5  # standard deviations
_ADVICE = (
    "If this is normal from now on, judge against rows of now (--normal FILE; calibrate), or learn "
    'again (update --process-change "reason"). If not, look at the fault (explain).'
)


@dataclass(frozen=True)
class MovedNormal:
    """Alarms that last: normal has moved, or a fault stays.

    Parameters
    ----------
    share : float
        Of all rows, those in alarm.
    since : int
        First row of the longest episode, from 0.
    columns : mapping of str to float
        Columns that are elsewhere in the alarms since then, with how far on average, in standard
        deviations of the fit; the farthest first. None if only relations changed. Compared are the
        rows without alarm, or those of the fit if there are fewer than fifty.
    advice : str
        What to do.
    """

    share: float
    since: int
    columns: Mapping[str, float]
    advice: str = _ADVICE

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def moved_normal(judgment: Judgment) -> MovedNormal | None:
    """Whether alarms last so that single ones are no news; None if not.

    At least a tenth of the rows, and fifty of them, are in alarm; and either more than half of the
    last third is, or one episode is longer than a tenth of the rows.

    Parameters
    ----------
    judgment : Judgment
    """
    alarm = judgment.alarm
    n = len(alarm)
    if alarm.sum() < max(_ROWS, _SHARE * n):
        return None
    first, last = max(spans_of(judgment), key=lambda span: (span[1] - span[0], -span[0]))
    if last + 1 - first <= _SHARE * n and alarm[n - n // 3 :].mean() <= _LASTING:
        return None
    return MovedNormal(float(alarm.mean()), first, _shifts(judgment, first))


def _shifts(judgment: Judgment, since: int) -> dict[str, float]:
    """Columns that are elsewhere in the alarms since a row, the farthest first."""
    domain, alarm = judgment.model.domain, judgment.alarm
    values = judgment.rows[domain.targets]
    away = _means(values[:, since + np.flatnonzero(alarm[since:])])
    if (~alarm).sum() >= _ROWS:
        away = away - _means(values[:, ~alarm])
    far = [j for j in np.argsort(-np.abs(away), kind="stable").tolist() if abs(away[j]) >= _FAR]
    return {domain.names[domain.targets[j]]: float(away[j]) for j in far}


def _means(values: FloatArray) -> FloatArray:
    """Of what is known in each row; 0, the mean of the fit, if nothing is."""
    count = np.maximum((~np.isnan(values)).sum(axis=1), 1)
    return np.asarray(np.nansum(values, axis=1) / count)
