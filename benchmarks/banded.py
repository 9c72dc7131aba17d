"""Score error on a Gaussian that is known exactly: the banded precision of the paper's experiment.

d = 100, bandwidth 1, condition number 100; N rows to learn from. With x_t = e^{-t} x +
√(1 − e^{-2t}) ε the error is Σ_t E‖ŝ − s‖² / Σ_t E‖s‖² over t = 0.01, 0.1, 0.5.

* **plug-in, r**: rows −(Ĉ_{N_j} + σ² I)⁻¹ of empirical covariances of neighborhoods of radius r,
  not shrunk; closed form. These are the columns of the reference table that ``REFERENCE`` quotes.
* **linear, neural**: the fitted models at their own radii and shrinkages, on fresh rows, in the
  standardized units in which they live (a scaling of components by about 1), and without the
  bounds that samplers clip the denoiser to (1.5 times the range seen).

Samples are judged by ‖cov(samples) − C‖_F/‖C‖_F, with 10,000 rows. "Exact" are as many exact draws
from the Gaussian that the fitted linear model implies: its precision has as row j the first row of
the inverse (shrunk) covariance of neighborhood j, and is made symmetric by the mean of it and its
transpose; N(0, P⁻¹) is drawn by Cholesky. So what the ratio charges is the sampler: its time
steps, and that the local scores need not be the gradient of anything.
"""

from dataclasses import replace

import numpy as np
import torch

from locality import Execution, LocalizedDiffusion
from locality.data.synthetic import BandedGaussian
from locality.local.bound import BoundField
from locality.noise.levels import sigma_of_ou_time
from measure import FloatArray, Table, one_core

__all__ = ["run"]

TIMES = (0.01, 0.1, 0.5)
ROWS = (50, 200, 1000, 5000)
RADII = (0, 1, 2, 4, 8)
REFERENCE = {
    50: (0.63, 0.071, 0.089, 0.18, 0.48),
    200: (0.62, 0.031, 0.019, 0.029, 0.056),
    1000: (0.62, 0.022, 0.0066, 0.0054, 0.0098),
    5000: (0.62, 0.020, 0.0041, 0.0013, 0.0018),
}
N_FRESH = 4000
N_DRAWS = 10_000


def plug_in(law: BandedGaussian, rows: FloatArray, radius: int) -> float:
    """Error of the unshrunk local linear score, exactly (no fresh rows needed)."""
    empirical = rows.T @ rows / len(rows)
    d = law.n_components
    errors = []
    for t in TIMES:
        shrink, noise = np.exp(-2 * t), 1 - np.exp(-2 * t)
        true = shrink * law.covariance + noise * np.eye(d)
        score = np.linalg.inv(true)
        found = np.zeros((d, d))
        for j in range(d):
            near = np.arange(max(0, j - radius), min(d, j + radius + 1))
            block = shrink * empirical[np.ix_(near, near)] + noise * np.eye(len(near))
            found[j, near] = np.linalg.inv(block)[near == j]
        gap = found - score
        errors.append([np.trace(gap @ true @ gap.T), np.trace(score)])
    wrong, total = np.sum(errors, axis=0)
    return float(wrong / total)


def score_error(model: LocalizedDiffusion, law: BandedGaussian, seed: int) -> float:
    """Error of a fitted model on fresh rows."""
    inner = model.model_
    rng = np.random.default_rng([seed, 1])
    fresh = inner.standardizer.standardize(law.sample(N_FRESH, rng)).T
    origin = inner.standardizer.standardize(np.zeros((1, law.n_components)))[0]
    scale = np.exp(inner.standardizer.log_scale)
    covariance = law.covariance / np.outer(scale, scale)
    field = replace(inner.field, limits=None)
    bound = BoundField(field, np.zeros_like(fresh, dtype=np.float32))
    errors = []
    for t in TIMES:
        sigma = float(sigma_of_ou_time(t))
        y = fresh + sigma * rng.standard_normal(fresh.shape)
        true = -np.linalg.solve(covariance + sigma**2 * np.eye(len(scale)), y - origin[:, None])
        found = np.empty_like(y)
        state = torch.from_numpy(y[field.nodes]).float()
        found[field.nodes] = bound.score(state, sigma).double().numpy()
        # the score of x_t = e^{-t} y is e^t times that of y
        errors.append(np.exp(2 * t) * np.array([((found - true) ** 2).sum(), (true**2).sum()]))
    wrong, total = np.sum(errors, axis=0)
    return float(wrong / total)


def implied_covariance(model: LocalizedDiffusion) -> FloatArray:
    """Covariance, in the units of the table, of the Gaussian that a linear model implies."""
    inner = model.model_
    d = inner.domain.n_nodes
    sigma = 1e-3
    precision = np.zeros((d, d))
    for shard in inner.shards:
        denoiser, _ = shard.denoiser(inner.domain, ())
        weights = denoiser.closed_form.weights(np.full((len(shard.target), 1), sigma))[:, 0, :, 0]
        node = np.append(shard.source_node, 0)
        for j, target in enumerate(shard.target):
            np.add.at(precision[target], node[denoiser.closed_form.patches.slots[j]], -weights[j])
            precision[target, target] += 1.0
    precision /= sigma**2
    scale = np.exp(inner.standardizer.log_scale)
    covariance: FloatArray = np.linalg.inv((precision + precision.T) / 2) * np.outer(scale, scale)
    return covariance


def covariance_error(rows: FloatArray, law: BandedGaussian) -> float:
    """Relative Frobenius error of the covariance of some rows."""
    gap = np.cov(rows.T) - law.covariance
    return float(np.linalg.norm(gap) / np.linalg.norm(law.covariance))


def run(quick: bool = False) -> list[Table]:
    """Three seeds per number of rows, one with ``quick``."""
    one_core()
    law = BandedGaussian(100, bandwidth=1, condition=100.0)
    n_seeds = 1 if quick else 3
    table, models, samples = [], [], []
    for n in ROWS:
        by_radius, linear, neural, radii, n_networks = [], [], [], [], []
        drawn, exact = [], []
        for seed in range(n_seeds):
            rows = law.sample(n, np.random.default_rng([seed, 0]))
            by_radius.append([plug_in(law, rows, r) for r in RADII])
            plain = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=seed).fit(
                rows
            )
            rich = LocalizedDiffusion(
                graph="chain",
                n_steps=300 if quick else 3000,
                execution=Execution(n_jobs=2),
                random_state=seed,
            ).fit(rows)
            linear.append(score_error(plain, law, seed))
            neural.append(score_error(rich, law, seed))
            radii.append(plain.radius_.mean())
            n_networks.append(sum(len(s.networks) for s in rich.model_.shards))
            drawn.append(covariance_error(np.asarray(plain.sample(N_DRAWS)), law))
            root = np.linalg.cholesky(implied_covariance(plain))
            white = np.random.default_rng([seed, 2]).standard_normal((N_DRAWS, len(root)))
            exact.append(covariance_error(white @ root.T, law))
        table.append(
            [f"{n:,}"]
            + [
                f"{value:.2g} ({known:.2g})"
                for value, known in zip(np.mean(by_radius, 0), REFERENCE[n], strict=True)
            ]
        )
        best = min(REFERENCE[n])
        models.append(
            [
                f"{n:,}", f"{np.mean(linear):.4f}", f"{np.mean(radii):.2f}",
                f"{np.mean(linear) / best:.2f}", f"{np.mean(neural):.4f}",
                f"{np.mean(neural) / np.mean(linear):.3f}", f"{np.mean(n_networks):.1f}",
            ]
        )  # fmt: skip
        samples.append(
            [
                f"{n:,}", f"{np.mean(drawn):.3f}", f"{np.mean(exact):.3f}",
                f"{np.mean(drawn) / np.mean(exact):.3f}",
            ]
        )  # fmt: skip
    seeds = f"Mean of {n_seeds} seeds."
    return [
        Table(
            "Banded Gaussian: error of the plug-in local linear score (reference in brackets)",
            ["N", *(f"r = {r}" for r in RADII)],
            table,
            [seeds],
        ),
        Table(
            "Banded Gaussian: error of the fitted models",
            ["N", "linear", "mean radius", "/ best column", "neural", "/ linear", "networks kept"],
            models,
            [seeds, "Goals: linear ≤ 1.25 of the best reference column; neural ≤ 1.05 of linear."],
        ),
        Table(
            f"Banded Gaussian: covariance error of {N_DRAWS:,} samples",
            ["N", "samples", "exact draws from the implied Gaussian", "ratio"],
            samples,
            [seeds, "Goal: ratio ≤ 1.1."],
        ),
    ]
