"""Small tables against the simplest rivals: what fresh rows are worth, and can drawn rows be told?

Two thirds of a table are learned from. Rivals are a Gaussian with the covariance of Ledoit and
Wolf, a Gaussian mixture (components by BIC), and a Gaussian copula with kernel margins. Densities
are of the columns as they are; AUC is that of a forest telling drawn from fresh rows, by
cross-validation, 0.5 being best.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde, norm
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_predict

from locality import LocalizedDiffusion
from measure import FloatArray, Table, one_core

__all__ = ["run"]

SPLITS = 5
TABLES = {
    "wine": load_wine, "diabetes": load_diabetes, "breast cancer": load_breast_cancer,
    "iris": load_iris,
}  # fmt: skip

Learned = tuple[Callable[[FloatArray], FloatArray], Callable[[int, int], FloatArray]]
"""Log-density of rows, and rows drawn by number and seed."""


def ours(denoiser: str) -> Callable[[FloatArray], Learned]:
    def learn(rows: FloatArray) -> Learned:
        model = LocalizedDiffusion(denoiser=denoiser, random_state=0).fit(rows)
        return (
            lambda x: np.asarray(model.score_samples(x)),
            lambda n, seed: np.asarray(model.sample(n, random_state=seed)),
        )

    return learn


def gaussian(rows: FloatArray) -> Learned:
    found = LedoitWolf().fit(rows / rows.std(axis=0))
    scale = rows.std(axis=0)
    mean, cov = found.location_ * scale, found.covariance_ * np.outer(scale, scale)
    whiten = np.linalg.cholesky(cov)

    def log_density(x: FloatArray) -> FloatArray:
        z = np.linalg.solve(whiten, (x - mean).T)
        constant = np.log(np.diag(whiten)).sum() + 0.5 * x.shape[1] * np.log(2 * np.pi)
        return np.asarray(-0.5 * (z**2).sum(axis=0) - constant)

    def draw(n: int, seed: int) -> FloatArray:
        return np.random.default_rng(seed).standard_normal((n, len(mean))) @ whiten.T + mean

    return log_density, draw


def mixture(rows: FloatArray) -> Learned:
    center, scale = rows.mean(axis=0), rows.std(axis=0)
    z = (rows - center) / scale
    fits = [
        GaussianMixture(k, covariance_type=kind, reg_covar=1e-3, n_init=3, random_state=0).fit(z)
        for k in range(1, 7)
        for kind in ("full", "tied", "diag")
    ]
    best = min(fits, key=lambda fit: fit.bic(z))

    def draw(n: int, seed: int) -> FloatArray:
        best.random_state = seed
        return np.asarray(best.sample(n)[0] * scale + center)

    return lambda x: best.score_samples((x - center) / scale) - np.log(scale).sum(), draw


@dataclass(frozen=True)
class Margin:
    """A kernel density of one column, its distribution by interpolation."""

    kernel: gaussian_kde
    grid: FloatArray
    share: FloatArray

    @classmethod
    def of(cls, column: FloatArray) -> "Margin":
        kernel, span = gaussian_kde(column), np.ptp(column)
        grid = np.linspace(column.min() - span, column.max() + span, 2_001)
        share = np.array([kernel.integrate_box_1d(-np.inf, at) for at in grid])
        return cls(kernel, grid, np.clip(share, 1e-9, 1 - 1e-9))

    def normal(self, column: FloatArray) -> FloatArray:
        return np.asarray(norm.ppf(np.interp(column, self.grid, self.share)))

    def back(self, z: FloatArray) -> FloatArray:
        return np.interp(norm.cdf(z), self.share, self.grid)


def copula(rows: FloatArray) -> Learned:
    margins = [Margin.of(column) for column in rows.T]

    def normal(x: FloatArray) -> FloatArray:
        return np.column_stack([m.normal(c) for m, c in zip(margins, x.T, strict=True)])

    joint, draw_normal = gaussian(normal(rows))

    def log_density(x: FloatArray) -> FloatArray:
        z = normal(x)
        own = sum(m.kernel.logpdf(c) for m, c in zip(margins, x.T, strict=True))
        return np.asarray(joint(z) - norm.logpdf(z).sum(axis=1) + own)

    def draw(n: int, seed: int) -> FloatArray:
        z = draw_normal(n, seed)
        return np.column_stack([m.back(c) for m, c in zip(margins, z.T, strict=True)])

    return log_density, draw


LEARNERS: dict[str, Callable[[FloatArray], Learned]] = {
    "default": ours("neural"), "closed form": ours("linear"), "Ledoit–Wolf": gaussian,
    "Gaussian mixture": mixture, "kernel copula": copula,
}  # fmt: skip


def told_apart(drawn: FloatArray, fresh: FloatArray, seed: int) -> float:
    """AUC of a forest, each row judged by trees that did not see it."""
    rows = np.vstack([drawn, fresh])
    kind = np.repeat([0, 1], [len(drawn), len(fresh)])
    forest = RandomForestClassifier(300, min_samples_leaf=2, random_state=seed)
    share = cross_val_predict(forest, rows, kind, cv=5, method="predict_proba")[:, 1]
    return float(roc_auc_score(kind, share))


def run(quick: bool = False) -> list[Table]:
    """Means over splits."""
    one_core()
    nats, areas, worse = [], [], []
    for name, load in TABLES.items():
        whole = load(as_frame=True).data
        whole = pd.DataFrame(whole).drop(columns="sex", errors="ignore")
        found = np.full((2, len(LEARNERS), 1 if quick else SPLITS), np.nan)
        for split in range(found.shape[2]):
            rows = whole.sample(frac=1, random_state=split).to_numpy(float)
            train, fresh = rows[: 2 * len(rows) // 3], rows[2 * len(rows) // 3 :]
            for k, learn in enumerate(LEARNERS.values()):
                log_density, draw = learn(train)
                found[0, k, split] = -log_density(fresh).mean() / rows.shape[1]
                found[1, k, split] = told_apart(draw(len(fresh), split), fresh, split)
        size = f"{len(train)} × {rows.shape[1]}"
        nats.append([name, size, *(f"{value:.3f}" for value in found[0].mean(axis=1))])
        areas.append([name, size, *(f"{value:.3f}" for value in found[1].mean(axis=1))])
        worse.append((found[0, 0] - found[0, 1]).max())
    header = ["table", "rows × columns", *LEARNERS]
    over = f"means of {1 if quick else SPLITS} splits"
    most = ", ".join(f"{name} {value:+.3f}" for name, value in zip(TABLES, worse, strict=True))
    return [
        Table(
            f"Small tables: nats per column of fresh rows, {over}", header, nats,
            [f"Default minus closed form on the worst split: {most}."],
        ),
        Table(
            f"Small tables: AUC of drawn against fresh rows, {over}", header, areas,
            ["0.5 is best."],
        ),
    ]  # fmt: skip
