"""Is the promise kept: rows from one false episode to the next, and what a promise costs in delay.

Every run has normal rows of its own to learn from and to be measured against (500 rows of 60
sensors), and is then judged until the first false alarm or, at the latest, after three times the
rows promised; such runs count with what they lasted, so that the means are too low, if anything.
The lower bound is one-sided, 95 %, over models (bootstrap of whole models).

Delay: a shift of one standard deviation of one sensor of 100 independent ones, at row 100 of runs
that had no alarm before, against the CUSUM that knows shift and sensor and has as many false alarms
(Siegmund's approximation, checked by simulation).
"""

from collections.abc import Callable

import numpy as np

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain
from locality.inference.judging.evidence import Evidence, bounds_of, scores
from locality.inference.judging.memory import sensor_nats
from measure import FloatArray, Table, one_core

__all__ = ["run"]

PROMISED = 500
LONGEST = 3  # times the rows promised
N_NORMAL, N_SENSORS = 500, 60
N_MODELS, N_RUNS = 50, 20  # of each
DELAYS = (1_000, 14_400, 43_200, 500_000)
N_REFERENCE = 5_000

Make = Callable[[np.random.Generator, int], FloatArray]


def autoregression(rng: np.random.Generator, n: int, freedom: float = np.inf) -> FloatArray:
    """A chain in which each sensor remembers itself and its neighbor."""
    shape = (n + 100, N_SENSORS)
    noise = rng.standard_normal(shape) if freedom == np.inf else rng.standard_t(freedom, shape)
    noise[:, 1:] += 0.5 * noise[:, :-1]
    x = np.zeros(shape)
    for t in range(1, len(x)):
        x[t] = 0.6 * x[t - 1] + noise[t]
        x[t, 1:] += 0.2 * x[t - 1, :-1]
    return x[100:]


def heavy(rng: np.random.Generator, n: int) -> FloatArray:
    """The same with Student noise of three degrees of freedom."""
    return autoregression(rng, n, 3.0)


def wells(rng: np.random.Generator, n: int) -> FloatArray:
    """Independent rows of a chain of double wells."""
    return np.asarray(DoubleWellChain(N_SENSORS).sample(n, random_state=int(rng.integers(1 << 31))))


LAWS: dict[str, tuple[Make, int, float]] = {  # rows, lags, share of gaps
    "VAR(1)": (autoregression, 1, 0.0),
    "VAR(1), Student noise": (heavy, 1, 0.0),
    "VAR(1), 10 % gaps": (autoregression, 1, 0.1),
    "double wells": (wells, 0, 0.0),
}


def times(make: Make, lags: int, gaps: float, n_models: int, n_runs: int) -> FloatArray:
    """Rows to the first alarm, or to the end [n_models, n_runs]."""
    found = np.empty((n_models, n_runs))
    for k in range(n_models):
        rng = np.random.default_rng([k, lags])
        model = LocalizedDiffusion(denoiser="linear", graph="chain", lags=lags, random_state=k)
        model.fit(make(rng, N_NORMAL))
        for run in range(n_runs):
            rows = make(rng, LONGEST * PROMISED)
            if gaps:
                rows[rng.random(rows.shape) < gaps] = np.nan
            judge, seen = model.judge(f"1 per {PROMISED} rows"), 0
            for start in range(0, len(rows), 250):
                part = judge.update(rows[start : start + 250])
                if part.alarm.any():
                    seen += int(part.alarm.argmax()) + 1
                    break
                seen += len(part)
            found[k, run] = seen
    return found


def lower_bound(values: FloatArray) -> float:
    """Of the mean, one-sided, by drawing whole models."""
    rng = np.random.default_rng(0)
    means = values.mean(axis=1)
    drawn = means[rng.integers(0, len(means), (2_000, len(means)))].mean(axis=1)
    return float(np.quantile(drawn, 0.05))


def cusum_delay(limit: float, rng: np.random.Generator, n_runs: int) -> float:
    """Mean rows to an alarm of the CUSUM for a shift of one, from the row of the shift on."""
    # Siegmund (1985): mean time to a false alarm of (exp(h + 1.166) − (h + 1.166) − 1) / 0.5
    low, high = 0.0, 40.0
    for _ in range(60):
        h = 0.5 * (low + high)
        low, high = (h, high) if 2 * (np.exp(h + 1.166) - h - 2.166) < limit else (low, h)
    total = 0
    for _ in range(n_runs):
        level, t = 0.0, 0
        for x in rng.standard_normal(100):
            level = max(0.0, level + x - 0.5)
        level = min(level, h)
        while True:
            t += 1
            level = max(0.0, level + rng.standard_normal() + 0.5)
            if level >= h:
                break
        total += t
    return total / n_runs


def own_delay(limit: float, rng: np.random.Generator, n_runs: int) -> float:
    """The same of ours, that knows neither."""
    n_sensors, delays = 100, []
    normal = rng.standard_normal((N_REFERENCE, n_sensors))
    nats = sensor_nats(normal).sum(axis=1)
    middle, spread = float(nats.mean()), float(nats.std())
    bounds = bounds_of(scores(normal, nats, middle, spread))
    for _ in range(n_runs):
        evidence = Evidence(bounds, limit)
        rows = rng.standard_normal((600, n_sensors))
        rows[100:, rng.integers(n_sensors)] += 1.0
        _, alarm = evidence.take(scores(rows, sensor_nats(rows).sum(axis=1), middle, spread))
        if not alarm[:100].any():
            delays.append(int(alarm[100:].argmax()) + 1 if alarm.any() else 500)
    return float(np.mean(delays))


def run(quick: bool = False) -> list[Table]:
    """Times between false episodes, and delays."""
    one_core()
    n_models, n_runs = (4, 5) if quick else (N_MODELS, N_RUNS)
    kept = []
    for name, (make, lags, gaps) in LAWS.items():
        found = times(make, lags, gaps, n_models, n_runs)
        kept.append(
            [
                name, f"{found.size:,}", f"{found.mean():,.0f}", f"{lower_bound(found):,.0f}",
                f"{100 * (found < LONGEST * PROMISED).mean():.0f}",
            ]
        )  # fmt: skip
    rng, delays = np.random.default_rng(0), []
    for limit in DELAYS:
        known = cusum_delay(limit, rng, 100 if quick else 2_000)
        own = own_delay(limit, rng, 20 if quick else 200)
        delays.append([f"{limit:,}", f"{known:.1f}", f"{own:.1f}", f"{own / known:.2f}"])
    return [
        Table(
            f"Promise: one false episode in {PROMISED:,} rows",
            ["normal rows", "runs", "mean rows to the first", "lower bound", "runs that ended, %"],
            kept,
            [f"{N_SENSORS} sensors, {N_NORMAL} rows to learn from and measure by; "
             f"runs end after {LONGEST * PROMISED:,} rows at the latest."],
        ),
        Table(
            "Promise: delay of a shift of one standard deviation, one sensor of 100",
            ["rows promised", "CUSUM that knows both, rows", "ours, rows", "ratio"],
            delays,
            [f"{N_REFERENCE:,} normal rows."],
        ),
    ]  # fmt: skip
