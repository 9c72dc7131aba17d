"""Series drawn from linear models: time per row, and the plant's series against autoregressions.

The plant: fitted to ``normal_train`` (500 rows), drawn at the length of ``normal_test`` (960 rows)
and judged against it. Rivals are vector autoregressions by least squares, their noise Gaussian with
the covariance of the residuals (degrees of freedom allowed for), drawn after 500 rows left out.

* **AUC** of a random forest that tells windows of three rows from those of ``normal_test``, as in
  ``locality evaluate``, all overlapping windows; 0.5 is best.
* **Autocorrelation error**: mean absolute difference of columns at lags 1 to 10;
  **cross-correlation error**: of all pairs at lags 0, 1, 2.
* **Nats** per row and column of ``normal_test``, standardized, each row given two before it.

Speed against the number of sensors: a chain with one row of the past, learned from 100 rows.
"""

from time import process_time

import numpy as np
import pandas as pd

from locality import LocalizedDiffusion
from locality.analysis.quality.fidelity import fidelity
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.datasets import load_tennessee_eastman
from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.laws.recursion import Recursion
from locality.inference.laws.sequential import SequentialLaw
from locality.inference.laws.widened import widened
from locality.inference.sampling.exact import draw_exactly
from locality.local.field import ScoreField
from locality.training.trainer import Trainer
from measure import Table, one_core

__all__ = ["run"]

LAGS = 2
FIRST_SEED = 300
SIZES = (1_000, 10_000, 100_000)
Law = tuple[list[np.ndarray], np.ndarray]  # weights of the rows 1, 2, … before; covariance


def autoregression(z: np.ndarray, order: int) -> Law:
    """Least squares."""
    past = np.hstack([z[order - lag : len(z) - lag] for lag in range(1, order + 1)])
    weights, *_ = np.linalg.lstsq(past, z[order:], rcond=None)
    residual = z[order:] - past @ weights
    covariance = residual.T @ residual / (len(residual) - past.shape[1])
    return [part.T for part in np.split(weights, order)], covariance


def reduced(law: SequentialLaw) -> Law:
    """A sequential law in the form of an autoregression."""
    inverse = np.linalg.inv(law.within.toarray())
    root = inverse * law.scale
    return [inverse @ part.toarray() for part in law.past], root @ root.T


def drawn(law: Law, n_rows: int, seed: int, left_out: int = 500) -> np.ndarray:
    """Rows of an autoregression."""
    weights, covariance = law
    rng = np.random.default_rng(seed)
    z = rng.multivariate_normal(np.zeros(len(covariance)), covariance, n_rows + left_out)
    for t in range(len(z)):
        for lag, part in enumerate(weights[:t], start=1):
            z[t] += part @ z[t - lag]
    return z[left_out:]


def nats(law: Law, z: np.ndarray) -> float:
    """Per row and column, of the rows that have a whole past."""
    weights, covariance = law
    rest = z[LAGS:].copy()
    for lag, part in enumerate(weights, start=1):
        rest -= z[LAGS - lag : len(z) - lag] @ part.T
    white = np.linalg.solve(np.linalg.cholesky(covariance), rest.T)
    _, log_det = np.linalg.slogdet(2 * np.pi * covariance)
    return float(0.5 * ((white**2).sum(axis=0).mean() + log_det) / len(covariance))


def correlations(x: np.ndarray, lags: range) -> np.ndarray:
    """Of all pairs of columns at some lags [n_lags, n_columns, n_columns]."""
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.array([z[lag:].T @ z[: len(z) - lag] / (len(z) - lag) for lag in lags])


def judged(rows: np.ndarray, real: np.ndarray) -> list[float]:
    """AUC, error of autocorrelations, error of cross-correlations."""

    def windows(x: np.ndarray) -> np.ndarray:
        return np.hstack([x[lag : len(x) - 2 + lag] for lag in range(3)])

    n = 3 * real.shape[1]
    auc = fidelity(windows(rows), windows(real), DependencyGraph.empty(n)).auc
    lagged = np.abs(correlations(rows, range(11)) - correlations(real, range(11)))
    own = np.diagonal(lagged[1:], axis1=1, axis2=2)
    return [auc, float(own.mean()), float(lagged[:3].mean())]


def plant(columns: list[str], n_seeds: int) -> Table:
    """Against the rivals."""
    train = load_tennessee_eastman("normal_train").frame[columns]
    test = load_tennessee_eastman("normal_test").frame[columns]
    real, n = test.to_numpy(dtype=float), len(test)
    model = LocalizedDiffusion(
        lags=LAGS, denoiser="linear", random_state=0
    ).fit(train)  # fmt: skip
    fitted = model.model_
    z, later = (fitted.layout.standard_rows(model._table(x)).T for x in (train, test))
    laws = {f"VAR({order})": autoregression(z, order) for order in (1, 2)}
    laws["neighborhoods alone"] = reduced(SequentialLaw.of(fitted.field)[-1])
    own = reduced(widened(fitted.field, fitted.n_rows)[-1])
    rows = []

    def add(name: str, law: Law | None, seeds: range, draw: object) -> None:
        start, found = process_time(), [draw(seed) for seed in seeds]  # type: ignore[operator]
        each = 1e6 * (process_time() - start) / (n * len(seeds))
        figures = np.array([judged(np.asarray(x, dtype=float), real) for x in found])
        mean, error = figures.mean(axis=0), figures.std(axis=0) / max(len(seeds) - 1, 1) ** 0.5
        told = [f"{m:.4f} ± {e:.4f}" for m, e in zip(mean, error, strict=True)]
        rows.append([name, f"{each:,.0f}", *told, "" if law is None else f"{nats(law, later):.4f}"])

    def exact(seed: int) -> pd.DataFrame:
        return model.sample(n, random_state=seed)

    def walked(seed: int) -> pd.DataFrame:
        return model.sample(n, sampler="sde", random_state=seed)

    seeds = range(FIRST_SEED, FIRST_SEED + n_seeds)
    add("sampler=exact", own, seeds, exact)
    add("sampler=sde", None, seeds[:2], walked)
    for name, law in laws.items():
        add(name, law, seeds, lambda seed, law=law: fitted.layout.restore(drawn(law, n, seed)))
    return Table(
        f"Series of the plant, {len(columns)} columns, lags={LAGS}, {n_seeds} series of {n} rows",
        [
            "", "CPU µs / row", "AUC, three rows", "autocorrelation error",
            "cross-correlation error", "nats",
        ],
        rows,
        ["± is one standard error over series; of sde two series.", "Goal: no worse than VAR."],
    )  # fmt: skip


def scaling(sizes: tuple[int, ...]) -> Table:
    """Time of a row against the number of sensors."""
    rows = []
    for d in sizes:
        x = OrnsteinUhlenbeckChain(d, 0.7).sample(100, 0).T
        names = tuple(f"x{j}" for j in range(d))
        domain = Domain(DependencyGraph.chain(d), names, (Axis("time", (1, 0)),))
        field = ScoreField(domain, Trainer(domain, 2).train(x[..., None]).shards)
        start = process_time()
        recursion = Recursion.of(field, 100)
        made = process_time()
        draw_exactly(recursion, 100, 1, 0)
        seconds = process_time() - made
        rows.append([f"{d:,}", f"{made - start:.1f}", f"{1e3 * seconds / 100:.2f}"])
    return Table(
        "Exact draws of a chain of sensors, lags=1, radius 2",
        ["sensors", "laws, CPU s, once", "CPU ms / row"],
        rows,
        [],
    )


def run(quick: bool = False) -> list[Table]:
    """All columns, the continuous ones, and sizes; with ``quick`` fewer series, to 10,000."""
    one_core()
    columns = list(load_tennessee_eastman("normal_train").frame)
    held = {f"xmeas_{j}" for j in range(23, 42)}
    continuous = [name for name in columns if name not in held]
    n_seeds = 3 if quick else 6
    return [
        plant(columns, n_seeds),
        plant(continuous, n_seeds),
        scaling(SIZES[:2] if quick else SIZES),
    ]
