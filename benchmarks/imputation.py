"""Filling gaps of traffic (PeMS08) and air quality (Beijing): ours against what is used now.

Needs the data sets in folders ``pems08`` and ``beijing_air`` of the folder that the environment
variable LOCALITY_DATA names. Models are fitted to earlier rows, gaps are made in later ones: 20 %
of the cells at random, blocks of 3 to 24 hours (36 % of the cells), and a tenth of the sensors dead
for a week. Beijing has gaps of its own, in training and test rows; only gaps made are judged.

Against: linear interpolation in time, five nearest rows (scikit-learn's KNNImputer) and
IterativeImputer with Bayesian ridge, both fitted to the last 2,000 of the same rows; SAITS and CSDI
with a small budget where PyPOTS is installed (`deep_imputers`). Errors are in
standard deviations of each column. CRPS is that of the normal law with the stated mean and
deviation; a method without deviation has its absolute error. Coverage is that of the stated 90 %
interval. Dead sensors are judged also with every sensor dead once, a tenth of them at a time: ten
sensors alone leave much to chance. Traffic has a daily cycle that all sensors share: ours and SAITS
are also given the calendar, and there the number of neighbors is chosen as well, by gaps made in
the rows to learn from. The MAE is that of medians, where a method has them: they minimize it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from deep_imputers import BUDGET, DeepImputer, deep_imputers
from locality import LocalizedDiffusion
from measure import BoolArray, FloatArray, Table, one_core

__all__ = ["run"]

CASES = ("points", "blocks", "dead sensors")
NEIGHBORS = (8, 16, 24)
Calendar = Callable[[pd.DatetimeIndex], pd.DataFrame]
_HALF = 1.6449  # of a 90 % interval


def pems(folder: Path, quick: bool) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Training and test rows, by time, and rows of an hour."""
    rows = pd.read_parquet(folder / "flow.parquet").set_index("timestamp").astype(float)
    n = 2000 if quick else 5000
    return rows.iloc[:n], rows.iloc[n : n + 2016], 12


def traffic_calendar(moments: pd.DatetimeIndex) -> pd.DataFrame:
    """Four harmonics of the day, the first two also for weekends by themselves."""
    day = 2 * np.pi * (moments.hour + moments.minute / 60).to_numpy() / 24
    weekend = (moments.day_of_week >= 5).astype(float)
    waves = {(part, k): wave(k * day) for k in (1, 2, 3, 4)
             for part, wave in (("cos", np.cos), ("sin", np.sin))}  # fmt: skip
    found = {f"{part} {k}": values for (part, k), values in waves.items()}
    found |= {f"weekend {part} {k}": weekend * v for (part, k), v in waves.items() if k <= 2}
    return pd.DataFrame(found | {"weekend": weekend}, index=moments)


def beijing(folder: Path, quick: bool) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """The same; pollutants and weather of 12 stations, hour by hour."""
    rows = pd.read_parquet(folder / "hourly.parquet").drop(columns="wind_dir")
    wide = rows.pivot(index="timestamp", columns="station")
    wide.columns = [f"{station} {name}" for name, station in wide.columns]
    wide = wide.astype(float).reset_index(drop=True)
    n = 3000 if quick else 8760
    return wide.iloc[26280 - n : 26280], wide.iloc[26280 : 26280 + 2016], 1


def gaps(case: str, shape: tuple[int, int], hour: int, rng: np.random.Generator) -> BoolArray:
    """Cells to be hidden."""
    n, d = shape
    found = np.zeros(shape, dtype=bool)
    if case == "points":
        return np.asarray(rng.random(shape) < 0.2)
    if case == "blocks":
        n_blocks = round(0.36 * n / (13.5 * hour))
        for j in range(d):
            for start in rng.integers(0, n, n_blocks):
                found[start : start + rng.integers(3 * hour, 24 * hour), j] = True
        return found
    for j in rng.choice(d, max(1, d // 10), replace=False):
        start = rng.integers(0, max(1, n - 7 * 24 * hour))
        found[start : start + 7 * 24 * hour, j] = True
    return found


@dataclass
class Filled:
    """What a method put into the gaps.

    ``mean``, ``deviation``, ``low``, ``high`` and ``median`` are arrays [n, d], None where a
    method does not say how sure it is. SAITS learns by absolute errors: what it calls mean is one
    value, nearer to a median.
    """

    mean: FloatArray
    deviation: FloatArray | None = None
    low: FloatArray | None = None
    high: FloatArray | None = None
    median: FloatArray | None = None

    def errors(self, truth: FloatArray, scale: FloatArray, judged: BoolArray) -> list[str]:
        """MAE (of medians if there are any, and of means), CRPS and coverage where judged."""
        off = np.broadcast_to(scale, truth.shape)[judged]
        error = (self.mean - truth)[judged] / off
        absolute = [f"{np.abs(error).mean():.3f}", "–"]
        if self.median is not None:
            absolute.insert(0, f"{np.abs((self.median - truth)[judged] / off).mean():.3f}")
        crps, cover = np.abs(error).mean(), "–"
        if self.deviation is not None:
            s = np.maximum(self.deviation[judged] / off, 1e-9)
            w = error / s
            density = 2 * norm.pdf(w) - 1 / np.sqrt(np.pi)
            crps = (s * (w * (2 * norm.cdf(w) - 1) + density)).mean()
            within = np.abs(w) < _HALF
            if self.low is not None and self.high is not None:
                within = ((self.low <= truth) & (truth <= self.high))[judged]
            cover = f"{100 * within.mean():.1f}"
        return [*absolute[:2], f"{crps:.3f}", cover]


Fill = Callable[[pd.DataFrame], Filled]


def ours(
    train: pd.DataFrame, lags: int, calendar: Calendar | None, n_neighbors: int | None, hour: int
) -> tuple[Fill, str]:
    """The closed form, with the calendar as context if there is one; and what was chosen.

    Without a number of neighbors the best of `NEIGHBORS` is chosen by gaps like those judged, made
    in the last quarter of the rows to learn from, as seen by models of the first three quarters.
    """
    chosen = ""
    if n_neighbors is None:
        n = 3 * len(train) // 4
        earlier, later, errors = train.iloc[:n], train.iloc[n:], {}
        scale = earlier.std().to_numpy()
        for k in NEIGHBORS:
            fill, _ = ours(earlier, lags, calendar, k, hour)
            errors[k] = mean_error(fill, later, scale, hour)
        n_neighbors = min(errors, key=errors.__getitem__)
        tried = ", ".join(f"{k}: {error:.4f}" for k, error in errors.items())
        chosen = f"{n_neighbors} neighbors (MAE over all gaps made in later rows, {tried})"
    d, given = train.shape[1], [] if calendar is None else list(calendar(train.index))
    rows = train if calendar is None else pd.concat([train, calendar(train.index)], axis=1)
    model = LocalizedDiffusion(
        denoiser="linear", lags=lags, random_state=0, given=given, n_neighbors=n_neighbors
    ).fit(rows)

    def fill(gappy: pd.DataFrame) -> Filled:
        rows = gappy if calendar is None else pd.concat([gappy, calendar(gappy.index)], axis=1)
        found = model.impute(rows)
        parts = (found.mean, found.low, found.high, found.median)
        mean, low, high, median = (part.to_numpy()[:, :d] for part in parts)
        return Filled(mean, (high - low) / (2 * _HALF), low, high, median)

    return fill, chosen


def mean_error(fill: Fill, rows: pd.DataFrame, scale: FloatArray, hour: int) -> float:
    """MAE of medians, averaged over the kinds of gaps."""
    truth, errors = rows.to_numpy(), []
    for number, case in enumerate(CASES):
        hidden = gaps(case, truth.shape, hour, np.random.default_rng([7, number]))
        judged = hidden & ~np.isnan(truth)
        found = fill(rows.mask(hidden)).median
        errors.append(np.abs((found - truth) / scale)[judged].mean())
    return float(np.mean(errors))


def deep(network: DeepImputer, train: pd.DataFrame, calendar: Calendar | None) -> Fill:
    """A network, with the calendar as further columns if there is one."""
    d = train.shape[1]

    def rows(frame: pd.DataFrame) -> FloatArray:
        whole = [frame] if calendar is None else [frame, calendar(frame.index)]
        return pd.concat(whole, axis=1).to_numpy()

    network.fit(rows(train))

    def fill(gappy: pd.DataFrame) -> Filled:
        mean, deviation, median = network.transform(rows(gappy))
        if deviation is None or median is None:
            return Filled(mean[:, :d])
        return Filled(mean[:, :d], deviation[:, :d], median=median[:, :d])

    return fill


def plain(imputer: KNNImputer | IterativeImputer, train: pd.DataFrame) -> Fill:
    """An imputer of scikit-learn, from the last 2,000 rows."""
    imputer.fit(train.iloc[-2000:])
    return lambda gappy: Filled(imputer.transform(gappy))


def table(
    name: str,
    train: pd.DataFrame,
    test: pd.DataFrame,
    hour: int,
    lags: int,
    budget: float,
    calendar: Calendar | None,
) -> Table:
    """All methods on one data set."""
    scale, truth, told = train.std().to_numpy(), test.to_numpy(), []
    methods: dict[str, Fill] = {}

    def learn(title: str, make: Callable[[], Fill]) -> None:
        start = perf_counter()
        methods[title] = make()
        told.append(f"{title} {perf_counter() - start:.0f} s")

    choices: list[str] = []

    def learn_ours(title: str, given: Calendar | None, n_neighbors: int | None) -> None:
        def make() -> Fill:
            fill, chosen = ours(train, lags, given, n_neighbors, hour)
            choices.extend([f"{title}: {chosen}."] if chosen else [])
            return fill

        learn(title, make)

    learn_ours("local, linear", None, 8)
    if calendar is not None:
        learn_ours("local, linear, calendar", calendar, 8)
        learn_ours("local, linear, calendar, chosen", calendar, None)
    methods["linear interpolation"] = lambda gappy: Filled(
        gappy.interpolate(limit_direction="both").fillna(train.mean()).to_numpy()
    )
    learn("5 nearest rows", lambda: plain(KNNImputer(n_neighbors=5), train))
    iterative = IterativeImputer(max_iter=5, n_nearest_features=20, random_state=0)
    learn("IterativeImputer", lambda: plain(iterative, train))
    networks = deep_imputers(hour, budget)
    for title, network in networks.items():
        learn(title, lambda network=network: deep(network, train, None))
    if calendar is not None and networks:
        again = deep_imputers(hour, budget)["SAITS"]
        networks["SAITS, calendar"] = again
        learn("SAITS, calendar", lambda: deep(again, train, calendar))
    lines = []
    for case in CASES:
        hidden = gaps(case, truth.shape, hour, np.random.default_rng(CASES.index(case)))
        judged = hidden & ~np.isnan(truth)
        for title, fill in methods.items():
            start = perf_counter()
            found = fill(test.mask(hidden))
            took = f"{perf_counter() - start:.0f}"
            lines.append([case, title, *found.errors(truth, scale, judged), took])
    for title, fill in methods.items():
        if title.startswith(("local", "SAITS")):
            lines.append(every_sensor_once(title, fill, test, scale, hour))
    trained = ", ".join(f"{title} {network.n_epochs} epochs" for title, network in networks.items())
    return Table(
        f"Imputation: {name}",
        ["gaps", "method", "MAE", "of means", "CRPS", "90 % interval covers", "s"],
        lines,
        [
            f"{len(train):,} rows to learn from, {len(test):,} to fill, {train.shape[1]} columns; "
            f"lags = {lags}. Learning took: {', '.join(told)}.",
            *choices,
            *([f"In {budget:.0f} s of training: {trained}."] if networks else []),
            "Goals: best MAE on blocks and dead sensors, no worse than interpolation on points, "
            "coverage 87 to 93 %.",
        ],
    )


def every_sensor_once(
    title: str, fill: Fill, test: pd.DataFrame, scale: FloatArray, hour: int
) -> list[str]:
    """Every sensor dead for a week once, a tenth of them at a time."""
    truth, rng, start = test.to_numpy(), np.random.default_rng(1), perf_counter()
    n, d = truth.shape
    whole, anywhere = Filled(*(np.full((n, d), np.nan) for _ in range(5))), np.zeros((n, d), bool)
    for part in np.array_split(rng.permutation(d), 10):
        hidden = np.zeros((n, d), dtype=bool)
        for j in part:
            first = rng.integers(0, max(1, n - 7 * 24 * hour))
            hidden[first : first + 7 * 24 * hour, j] = True
        found = fill(test.mask(hidden))
        for name in ("mean", "deviation", "low", "high", "median"):
            values = getattr(found, name)
            if values is None:
                setattr(whole, name, None)
            else:
                getattr(whole, name)[hidden] = values[hidden]
        anywhere |= hidden
    judged = anywhere & ~np.isnan(truth)
    took = f"{perf_counter() - start:.0f}"
    return ["every sensor dead once", title, *whole.errors(truth, scale, judged), took]


def run(quick: bool = False) -> list[Table]:
    """Both data sets; fewer rows with ``quick``."""
    one_core()
    folder = Path(os.environ.get("LOCALITY_DATA", ""))
    found = []
    for name, place, read, calendar in (
        ("PeMS08", folder / "pems08", pems, traffic_calendar),
        ("Beijing air", folder / "beijing_air", beijing, None),
    ):
        if not os.environ.get("LOCALITY_DATA") or not place.is_dir():
            raise SystemExit(f"Set LOCALITY_DATA to a folder that holds {place.name}.")
        train, test, hour = read(place, quick)
        found.append(table(name, train, test, hour, 2, BUDGET / 10 if quick else BUDGET, calendar))
    return found
