"""Scale: cost per component on square lattices, a sample of a million components, partial
retraining, and two workers against one.

Rows are a moving average over the four neighbors of white noise. Every size runs in a process of
its own, so that peaks of memory are told apart. CPU time; the workers by the clock.
"""

import json
import os
import resource
import subprocess
import sys
from time import process_time

import numpy as np

from locality import Execution, LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.inference.sampling.draw import draw
from locality.inference.sampling.methods import StochasticDPMSolver
from locality.inference.sampling.schedules import KarrasLevels
from locality.local.field import ScoreField
from locality.noise.levels import NoiseLevels
from locality.training.options import TrainingOptions
from locality.training.trainer import Trainer
from measure import Table, one_core

__all__ = ["run"]

LINEAR = (32, 100, 316)  # sides of lattices
NEURAL = (17, 32, 55)
STEPS = (32, 100, 316)
N_ROWS, N_SAMPLES, N_EVALUATIONS, N_STEPS = 2_000, 256, 16, 20

KINDS = {
    "linear": "closed form, radius chosen",
    "neural": "networks in full, radius 1",
    "steps": f"networks, {N_STEPS} steps, radius 1",
}


def lattice(side: int, n_rows: int) -> tuple[Domain, np.ndarray]:
    """A square lattice and standardized rows of it."""
    rng = np.random.default_rng(0)
    z = np.empty((side, side, n_rows), np.float32)
    for start in range(0, n_rows, 100):
        part = rng.standard_normal((side, side, min(100, n_rows - start)), dtype=np.float32)
        for axis in (0, 1):
            part = part + 0.2 * np.roll(part, 1, axis) + 0.2 * np.roll(part, -1, axis)
        z[:, :, start : start + part.shape[2]] = part
    z = z.reshape(side * side, n_rows)
    z -= z.mean(1, keepdims=True)
    z /= z.std(1, keepdims=True)
    names = tuple(f"x{j}" for j in range(side * side))
    return Domain(DependencyGraph.grid((side, side)), names), z


def one(kind: str, side: int) -> dict[str, float]:
    """Seconds and gigabytes of one size, in this process."""
    one_core()
    few = kind == "million"
    domain, z = lattice(side, 200 if few else N_ROWS)
    options = {
        "neural": TrainingOptions(),
        "steps": TrainingOptions(n_steps=N_STEPS, refit=0.0),
    }.get(kind)
    radius = "auto" if kind == "linear" else 1
    start = process_time()
    trained = Trainer(domain, radius, options).train(z)
    found = {"fit": process_time() - start}
    field = ScoreField(domain, trained.shards)
    walk = StochasticDPMSolver(KarrasLevels()(NoiseLevels(0.02, 20.0), N_EVALUATIONS))
    start = process_time()
    draw(field, walk, 1 if few else N_SAMPLES, (), 0)
    found["draw"] = process_time() - start
    found["GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return found


def measured(kind: str, side: int) -> dict[str, float]:
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, kind, str(side)],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def sizes(kind: str, sides: tuple[int, ...]) -> Table:
    """Cost per component against size."""
    rows, first = [], None
    for side in sides:
        d, found = side * side, measured(kind, side)
        fit, drawn = 1e3 * found["fit"] / d, 1e6 * found["draw"] / d / N_SAMPLES
        first = first or (fit, drawn)
        rows.append(
            [
                f"{d:,}", f"{found['fit']:.1f}", f"{fit:.2f} ({fit / first[0]:.2f})",
                f"{drawn:.2f} ({drawn / first[1]:.2f})", f"{found['GB']:.2f}",
            ]
        )  # fmt: skip
    return Table(
        f"Lattices, {N_ROWS:,} rows: {KINDS[kind]}",
        ["d", "fit, CPU s", "ms per component (relative)",
         "drawing, µs per row and component (relative)", "peak GB"],
        rows,
        [f"{N_SAMPLES} rows of {N_EVALUATIONS} evaluations. Goal: flat within 25 %."],
    )  # fmt: skip


def million() -> Table:
    """One sample of a million components."""
    found = measured("million", 1000)
    return Table(
        "A lattice of 1,000,000 components, closed form at radius 1, 200 rows",
        ["fit, CPU s", "one sample, CPU s", "peak GB"],
        [[f"{found['fit']:.0f}", f"{found['draw']:.1f}", f"{found['GB']:.1f}"]],
        [],
    )


def partial(quick: bool) -> Table:
    """An update of 5 % of the sensors against a fit of all."""
    n, lines = 800 if quick else 2_000, []
    for title, d, law in (
        ("linear", 640, OrnsteinUhlenbeckChain(640, 0.8)),
        ("neural", 200, DoubleWellChain(200)),
    ):
        old, new, later = (law.sample(n, seed) for seed in range(3))
        changed = np.arange(10, d, 20)
        for rows, seed in ((new, 5), (later, 6)):
            noise = np.random.default_rng(seed).normal(size=(n, len(changed)))
            rows[:, changed] = 0.7 * rows[:, changed] + 0.5 * noise
        options = {"graph": "chain", "denoiser": title, "random_state": 0}
        options |= {"n_steps": 300} if quick else {}
        model = LocalizedDiffusion(**options).fit(old)
        names = [f"x{j}" for j in changed]
        start = process_time()
        told = model.update(new, names, margin=None)
        took = process_time() - start
        start = process_time()
        full = LocalizedDiffusion(**options).fit(new)
        whole = process_time() - start
        gap = model.surprise(later).mean() - full.surprise(later).mean()
        lines.append(
            [
                title, f"{d}", f"{len(told.sensors)}", f"{took:.1f}", f"{whole:.1f}",
                f"{100 * took / whole:.0f} %", f"{gap:+.4f}",
            ]
        )  # fmt: skip
    return Table(
        "Partial retraining: 5 % of the sensors of a chain changed",
        ["score", "d", "learned again", "update, s", "full fit, s", "ratio", "nats − full fit"],
        lines,
        [
            f"{n:,} new rows, 30 % of them kept back by the update. Nats per component of as many "
            "fresh rows. Goals: at most 10 % of the cost, within 0.01 nats.",
        ],
    )


def workers(quick: bool) -> Table:
    """Two processes against one, by the clock."""
    rows = DoubleWellChain(128).sample(2_000, 0)
    n_steps = 200 if quick else 1_500
    options = {"graph": "chain", "radius": 1, "n_steps": n_steps, "random_state": 0}
    seconds = {}
    for n_jobs in (2, 1, 2):  # the first starts the processes
        model = LocalizedDiffusion(execution=Execution(n_jobs=n_jobs), **options).fit(rows)
        seconds[n_jobs] = model.seconds_["networks"]
    return Table(
        "Two worker processes against one: 128 double wells",
        ["one, s", "two, s", "ratio"],
        [[f"{seconds[1]:.1f}", f"{seconds[2]:.1f}", f"{seconds[1] / seconds[2]:.2f}"]],
        ["Goal: 1.8. By the clock, so only on a quiet machine."],
    )


def run(quick: bool = False) -> list[Table]:
    """All tables."""
    return [
        sizes("linear", LINEAR[:2] if quick else LINEAR),
        sizes("neural", NEURAL[:2] if quick else NEURAL),
        sizes("steps", STEPS[:2] if quick else STEPS),
        *([] if quick else [million()]),
        partial(quick),
        workers(quick),
    ]


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1], int(sys.argv[2]))))
