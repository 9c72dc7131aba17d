"""Learning safely: faults in the rows that a model is retrained on, and changes that are meant.

Needs the data set in the folder ``tennessee_eastman`` of the folder that LOCALITY_DATA names.

A fault is planted into new rows, all of them or some, and the model is updated: by default
(drifted sensors, with the gate), and at its worst (all sensors, without the gate). Later rows of
the same fault are judged before and after. A fault is seen if 5 % of these have an alarm; it is
silenced if fewer than 0.9 times as many have one afterwards. Beside it, what happens to the same
rows if someone says that the process has changed, which is how every update was until now.

A change that is meant is one of gain and level of some sensors, or of how far they move together;
it is declared. Judged is whether it is accepted, and the alarms on later rows of the new normal.
"""

import copy
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from locality import LocalizedDiffusion
from measure import FloatArray, Table

__all__ = ["run"]

SEEN, KEPT = 0.05, 0.9
RESERVED = 100  # first judged rows of the plant, in which memories fill
SIDE, N_FIT, N_NEW, N_LATER = 5, 800, 600, 300
MEANT = "the process was changed"


@dataclass(frozen=True)
class Case:
    """A model, new rows with a fault in them, and later rows of the same fault."""

    kind: str
    model: LocalizedDiffusion
    new: FloatArray | pd.DataFrame
    later: FloatArray | pd.DataFrame
    judged_from: int


def run(*, quick: bool = False) -> Iterator[Table]:
    """Faults in retraining, and changes that are meant."""
    n = 3 if quick else 20
    cases = [*_plant(1 if quick else 4), *_synthetic(n)]
    yield _faults(cases)
    yield _changes(3 if quick else 10)
    yield _normal(3 if quick else 10)


# ---------------------------------------------------------------------------------------- faults


def _faults(cases: list[Case]) -> Table:
    table = Table(
        "Faults in the rows of an update",
        ["fault", "n", "seen", "rows left out", "silenced", "at its worst", "if declared"],
        [],
        [],
    )
    kinds = list(dict.fromkeys(case.kind for case in cases))
    sums = np.zeros(5)
    missed = []
    for kind in kinds:
        counts, left_out = np.zeros(5, dtype=int), []
        for case in (case for case in cases if case.kind == kind):
            before = _alarms(case.model, case)
            seen = before >= SEEN
            silent, rows = [], 0
            for options in (
                {},
                {"sensors": "all", "margin": None},
                {"sensors": "all", "margin": None, "process_change": MEANT},
            ):
                model = copy.copy(case.model)
                told = model.update(case.new, **options)
                after = _alarms(model, case)
                silent.append(seen and after < KEPT * before)
                if not options:
                    rows = told.n_left_out
                if silent[-1] and "process_change" not in options:
                    missed.append(f"{kind}: {before:.2f} to {after:.2f}")
            left_out.append(rows / len(case.new))
            counts += [1, seen, *silent]
        n, seen_ones, *silenced = counts.tolist()
        table.rows.append(_text(kind, n, seen_ones, f"{np.mean(left_out):.0%}", *silenced))
        sums += counts
    n, seen_ones, *silenced = sums.astype(int).tolist()
    table.rows.append(_text("all", n, seen_ones, "", *silenced))
    if missed:
        table.remarks.append(
            "Alarms on later rows before and after, of those silenced: " + "; ".join(missed)
        )
    return table


def _alarms(model: LocalizedDiffusion, case: Case) -> float:
    return float(model.detect(case.later).alarm[case.judged_from :].mean())


def _plant(n_layouts: int) -> list[Case]:
    folder = Path(os.environ["LOCALITY_DATA"]) / "tennessee_eastman"

    def read(name: str) -> pd.DataFrame:
        return pd.read_parquet(folder / f"{name}.parquet")

    train, normal = read("normal_train"), read("normal_test")
    model = LocalizedDiffusion(lags=2, denoiser="linear", random_state=0).fit(train)
    model.calibrate(normal)
    cases = []
    for number in range(1, 11):
        fault = read(f"fault{number:02d}_test")
        layouts = [
            fault[170:700],  # the fault alone
            fault[:700],  # its beginning
            pd.concat([normal[:300], fault[300:400], normal[300:600]]),  # it came and went
            pd.concat([normal[:500], fault[170:400], fault[400:500]]),  # in the rows of the gate
        ]
        for rows in layouts[:n_layouts]:
            new = rows.reset_index(drop=True)
            cases.append(Case("plant", model, new, fault[600:], RESERVED))
    return cases


def _synthetic(n: int) -> list[Case]:
    cases = []
    for law, lags in (("table", 0), ("series", 1)):
        fit = LocalizedDiffusion(graph=_lattice(), lags=lags, denoiser="linear", random_state=0)
        model = fit.fit(_rows(N_FIT, 0, lags))
        for kind in ("offset", "drift", "stuck", "noise"):
            for seed in range(n):
                rng = np.random.default_rng([seed, lags, len(kind)])
                new, later = _rows(N_NEW, 1_000 + seed, lags), _rows(N_LATER, 2_000 + seed, lags)
                sensor = int(rng.integers(new.shape[1]))
                size = float(rng.uniform(0.8, 4.0))
                where = _layout(int(rng.integers(4)), rng)
                _plant_fault(new, sensor, kind, size, where)
                _plant_fault(later, sensor, kind, size, np.ones(N_LATER, dtype=bool))
                cases.append(Case(f"{kind}, {law}", model, new, later, 0))
    return cases


def _lattice() -> np.ndarray:
    """Neighbors of a square lattice."""
    places = np.stack(np.meshgrid(range(SIDE), range(SIDE), indexing="ij"), -1).reshape(-1, 2)
    return (np.abs(places[:, None] - places[None]).sum(-1) == 1).astype(float)


def _rows(n: int, seed: int, lags: int, gain: float = 0.8) -> FloatArray:
    """A Gaussian field on the lattice, of rows alone or with a memory of 0.7."""
    laplacian = np.diag(_lattice().sum(axis=1)) - gain * _lattice() + 0.2 * np.eye(SIDE**2)
    covariance = np.linalg.inv(laplacian)
    unit = np.sqrt(np.diag(covariance))
    factor = np.linalg.cholesky(covariance / np.outer(unit, unit))
    noise = np.random.default_rng(seed).normal(size=(n + 50, SIDE**2)) @ factor.T
    memory = 0.7 if lags else 0.0
    found = np.empty_like(noise)
    found[0] = noise[0]
    for t in range(1, len(noise)):
        found[t] = memory * found[t - 1] + np.sqrt(1 - memory**2) * noise[t]
    return found[50:]


def _layout(which: int, rng: np.random.Generator) -> np.ndarray:
    """All rows, the last ones, a block, or bursts."""
    at = np.arange(N_NEW)
    if which == 0:
        return at >= 0
    if which == 1:
        return at >= N_NEW * rng.uniform(0.4, 0.8)
    if which == 2:
        start = int(rng.integers(50, 350))
        return (at >= start) & (at < start + 200)
    return (at // 40) % 3 == 1


def _plant_fault(rows: FloatArray, sensor: int, kind: str, size: float, where: np.ndarray) -> None:
    column, at = rows[:, sensor], np.flatnonzero(where)
    if kind == "offset":
        column[at] += size
    elif kind == "drift":
        column[at] += size * np.minimum(np.arange(len(at)) / 150.0, 1.0)
    elif kind == "stuck":
        column[at] = column[at[0]]
    else:
        column[at] += size * np.random.default_rng(len(at)).normal(size=len(at))


# -------------------------------------------------------------------------------- meant, and normal


def _changes(n: int) -> Table:
    table = Table(
        "Changes of the process that are declared (sensors by drift, with the gate)",
        ["change", "n", "accepted", "alarms before", "after", "alarms on a fault after it"],
        [],
        [],
    )
    for kind in ("level and gain", "all levels", "coupling"):
        accepted, before, after, seen = [], [], [], []
        for seed in range(n):
            lags = seed % 2
            model = LocalizedDiffusion(
                graph=_lattice(), lags=lags, denoiser="linear", random_state=0
            ).fit(_rows(N_FIT, seed, lags))
            faulty = _rows(N_NEW, 3_000 + seed, lags)
            faulty[300:400, 12] += 4.0
            model.update(faulty, ["x0"])  # what it looked like is kept
            new, later = (
                _changed(kind, size, 10 * k + seed, lags)
                for k, size in ((400, N_NEW), (500, N_LATER))
            )
            before.append(model.detect(later).alarm.mean())
            told = model.update(new, process_change=MEANT)
            accepted.append(told.accepted)
            after.append(model.detect(later).alarm.mean())
            again = _changed(kind, N_LATER, 6_000 + seed, lags)
            again[100:, 12] += 4.0
            seen.append(model.detect(again).alarm[100:].mean())
        rates = f"{np.mean(before):.1%}", f"{np.mean(after):.1%}"
        table.rows.append(_text(kind, n, sum(accepted), *rates, f"{np.mean(seen):.0%}"))
    return table


def _changed(kind: str, n: int, seed: int, lags: int) -> FloatArray:
    rows = _rows(n, seed, lags, gain=0.4 if kind == "coupling" else 0.8)
    if kind == "level and gain":
        rows[:, [3, 17]] = 2.0 * rows[:, [3, 17]] + 2.0
    elif kind == "all levels":
        rows += 1.5
    return rows


def _normal(n: int) -> Table:
    table = Table(
        "Five updates of all sensors on normal rows, one after the other",
        ["rows", "n", "left out", "accepted", "false alarms before", "after five"],
        [],
        [],
    )
    for law, lags in (("table", 0), ("series", 1)):
        left_out, accepted, before, after = [], [], [], []
        for seed in range(n):
            model = LocalizedDiffusion(
                graph=_lattice(), lags=lags, denoiser="linear", random_state=0
            ).fit(_rows(N_FIT, 50 * seed, lags))
            later = _rows(2_000, 50 * seed + 9, lags)
            before.append(model.detect(later).alarm.mean())
            for k in range(1, 6):
                told = model.update(_rows(N_NEW, 50 * seed + k, lags), "all")
                left_out.append(told.n_left_out / N_NEW)
                accepted.append(told.accepted)
            after.append(model.detect(later).alarm.mean())
        shares = f"{np.mean(left_out):.1%}", f"{np.mean(accepted):.0%}"
        rates = f"{np.mean(before):.1%}", f"{np.mean(after):.1%}"
        table.rows.append(_text(law, n, *shares, *rates))
    return table


def _text(*cells: object) -> list[str]:
    return [str(cell) for cell in cells]
