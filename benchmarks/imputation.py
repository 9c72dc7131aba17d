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
interval, for dead sensors also with every sensor dead once, a tenth of them at a time: ten sensors
alone leave it to chance.
"""

import os
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from deep_imputers import BUDGET, deep_imputers
from locality import LocalizedDiffusion
from locality._typing import BoolArray, FloatArray
from measure import Table, one_core

__all__ = ["run"]

CASES = ("points", "blocks", "dead sensors")
_HALF = 1.6449  # of a 90 % interval


def pems(folder: Path, quick: bool) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Training and test rows, and rows of an hour."""
    rows = pd.read_parquet(folder / "flow.parquet").drop(columns="timestamp").astype(float)
    n = 2000 if quick else 5000
    return rows.iloc[:n], rows.iloc[n : n + 2016], 12


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


def table(
    name: str, train: pd.DataFrame, test: pd.DataFrame, hour: int, lags: int, budget: float
) -> Table:
    """All methods on one data set."""
    scale = train.std().to_numpy()
    truth = test.to_numpy()
    start = perf_counter()
    model = LocalizedDiffusion(score="linear", lags=lags, random_state=0).fit(train)
    fit_seconds = perf_counter() - start
    others = {
        "5 nearest rows": KNNImputer(n_neighbors=5),
        "IterativeImputer": IterativeImputer(max_iter=5, n_nearest_features=20, random_state=0),
    }
    seconds = {}
    for title, imputer in others.items():
        start = perf_counter()
        imputer.fit(train.iloc[-2000:])
        seconds[title] = perf_counter() - start
    deep = deep_imputers(hour, budget)
    for title, network in deep.items():
        start = perf_counter()
        network.fit(train.to_numpy())
        seconds[title] = perf_counter() - start
    lines = []
    for case in CASES:
        hidden = gaps(case, truth.shape, hour, np.random.default_rng(CASES.index(case)))
        judged = hidden & ~np.isnan(truth)
        gappy = test.mask(hidden)

        def line(
            title: str, filled: FloatArray, deviation: FloatArray | None, took: float,
            inside: BoolArray | None = None,
            case: str = case, judged: BoolArray = judged,
        ) -> None:  # fmt: skip
            off = np.broadcast_to(scale, truth.shape)[judged]
            error = (filled - truth)[judged] / off
            crps, cover = np.abs(error).mean(), "–"
            if deviation is not None:
                s = np.maximum(deviation[judged] / off, 1e-9)
                w = error / s
                density = 2 * norm.pdf(w) - 1 / np.sqrt(np.pi)
                crps = (s * (w * (2 * norm.cdf(w) - 1) + density)).mean()
                within = np.abs(w) < _HALF if inside is None else inside[judged]
                cover = f"{100 * within.mean():.1f}"
            lines.append(
                [case, title, f"{np.abs(error).mean():.3f}", f"{crps:.3f}", cover, f"{took:.0f}"]
            )

        start = perf_counter()
        found = model.impute(gappy)
        low, high = found.low.to_numpy(), found.high.to_numpy()
        line("local, linear", found.mean.to_numpy(), (high - low) / (2 * _HALF),
             perf_counter() - start, (low <= truth) & (truth <= high))  # fmt: skip
        straight = gappy.interpolate(limit_direction="both").fillna(train.mean())
        line("linear interpolation", straight.to_numpy(), None, 0.0)
        for title, imputer in others.items():
            start = perf_counter()
            line(title, imputer.transform(gappy), None, perf_counter() - start)
        for title, network in deep.items():
            start = perf_counter()
            line(title, *network.transform(gappy.to_numpy()), perf_counter() - start)
    lines.append(every_sensor_once(model, test, scale, hour))
    trained = ", ".join(f"{title} {network.n_epochs} epochs" for title, network in deep.items())
    return Table(
        f"Imputation: {name}",
        ["gaps", "method", "MAE", "CRPS", "90 % interval covers", "s"],
        lines,
        [
            f"{len(train):,} rows to learn from, {len(test):,} to fill, {train.shape[1]} columns; "
            f"lags = {lags}; our fit took {fit_seconds:.0f} s"
            + "".join(f", {title} {took:.0f} s" for title, took in seconds.items())
            + ".",
            *([f"In {budget:.0f} s of training: {trained}."] if deep else []),
            "Goals: best MAE on blocks and dead sensors, no worse than interpolation on points, "
            "coverage 87 to 93 %.",
        ],
    )


def every_sensor_once(
    model: LocalizedDiffusion, test: pd.DataFrame, scale: FloatArray, hour: int
) -> list[str]:
    """Ours with every sensor dead for a week once, a tenth of them at a time."""
    truth, rng, start = test.to_numpy(), np.random.default_rng(1), perf_counter()
    n, d = truth.shape
    errors, inside = [], []
    for part in np.array_split(rng.permutation(d), 10):
        hidden = np.zeros((n, d), dtype=bool)
        for j in part:
            first = rng.integers(0, max(1, n - 7 * 24 * hour))
            hidden[first : first + 7 * 24 * hour, j] = True
        found, judged = model.impute(test.mask(hidden)), hidden & ~np.isnan(truth)
        low, high = found.low.to_numpy(), found.high.to_numpy()
        errors.append((np.abs(found.mean.to_numpy() - truth) / scale)[judged])
        inside.append(((low <= truth) & (truth <= high))[judged])
    mae, cover = np.concatenate(errors).mean(), 100 * np.concatenate(inside).mean()
    took = f"{perf_counter() - start:.0f}"
    return ["every sensor dead once", "local, linear", f"{mae:.3f}", "–", f"{cover:.1f}", took]


def run(quick: bool = False) -> list[Table]:
    """Both data sets; fewer rows with ``quick``."""
    one_core()
    folder = Path(os.environ.get("LOCALITY_DATA", ""))
    found = []
    for name, read, lags in (("PeMS08", pems, 2), ("Beijing air", beijing, 2)):
        place = folder / {"PeMS08": "pems08", "Beijing air": "beijing_air"}[name]
        if not os.environ.get("LOCALITY_DATA") or not place.is_dir():
            raise SystemExit(f"Set LOCALITY_DATA to a folder that holds {place.name}.")
        train, test, hour = read(place, quick)
        found.append(table(name, train, test, hour, lags, BUDGET / 10 if quick else BUDGET))
    return found
