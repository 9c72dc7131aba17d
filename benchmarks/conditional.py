"""Oracles of conditioning and of the divergence: models against exact Gaussian conditionals.

Random cells of a field are held, the others asked for: their conditional mean (200 rows),
covariance, and that of 8,000 draws (whose own chance is told), relative to the exact ones in the
Frobenius norm. "Exact moments" have the covariance of the law in place of that of rows: what is
left are localization and the solver. The divergence is compared with the trace of the dense
Jacobian, by central differences in double precision.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from locality.data.synthetic import BandedGaussian, OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.inference.laws.table import GaussianTable
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.training.trainer import Trainer
from measure import FloatArray, Table, one_core
from sampling import build_field, with_networks

__all__ = ["run"]

D, N_ROWS, N_DRAWS = 50, 200, 8_000
SHARES = (0.1, 0.3, 0.6)


def field_of(law: OrnsteinUhlenbeckChain | BandedGaussian, exact: bool) -> ScoreField:
    """A linear model of 20,000 rows, or with the moments of the law."""
    z = law.sample(20_000, 0).T
    domain = Domain(DependencyGraph.chain(D), tuple(f"x{j}" for j in range(D)))
    shards = Trainer(domain).train(np.ascontiguousarray(z)).shards
    if exact:
        shards = tuple(
            replace(
                shard,
                covariance=law.covariance[np.ix_(shard.source_node, shard.source_node)],
                shrinkage=np.zeros_like(shard.shrinkage),
            )
            for shard in shards
        )
    return ScoreField(domain, shards)


def relative(found: FloatArray, expected: FloatArray) -> float:
    """Error in the Frobenius norm."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def conditionals() -> Table:
    """Means and covariances for random masks."""
    lines = []
    for title, law in (
        ("chain", OrnsteinUhlenbeckChain(D, 0.7)),
        ("banded Gaussian", BandedGaussian(D)),
    ):
        c, rows = law.covariance, law.sample(N_ROWS, 1).T
        for exact in (True, False):
            table = GaussianTable(field_of(law, exact))
            for share in SHARES:
                rng = np.random.default_rng(int(100 * share))
                gap = np.isin(np.arange(D), rng.choice(D, round(share * D), replace=False))
                m, o = np.flatnonzero(gap), np.flatnonzero(~gap)
                gain = np.linalg.solve(c[np.ix_(o, o)], c[np.ix_(o, m)]).T
                covariance = c[np.ix_(m, m)] - gain @ c[np.ix_(o, m)]
                gappy = np.where(gap[:, None], np.nan, rows)
                mean, found = table.marginal(gappy, m)
                drawn = table.posterior(gappy[:, :1], N_DRAWS, rng, n_variance=0).draws[:, m, 0]
                chance = np.linalg.cholesky(covariance) @ rng.standard_normal((len(m), N_DRAWS))
                lines.append(
                    [
                        title, "exact moments" if exact else "20,000 rows", f"{share:.0%}",
                        f"{relative(mean, gain @ rows[o]):.4f}",
                        f"{relative(found, covariance):.4f}",
                        f"{relative(np.cov(drawn.T), covariance):.4f}",
                        f"{relative(np.cov(chance), covariance):.4f}",
                    ]
                )  # fmt: skip
    return Table(
        f"Conditional laws, d = {D}: relative errors",
        ["law", "model", "asked for", "mean", "covariance", "of draws", "of exact draws"],
        lines,
        ["Goal: 2 %."],
    )


@contextmanager
def double_precision() -> Iterator[None]:
    """Networks as they are, but in double precision."""
    single = torch.Tensor.float
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.Tensor.float = single  # type: ignore[method-assign]
        torch.set_default_dtype(torch.float32)


def strong_networks(field: ScoreField) -> ScoreField:
    """With random networks that bend the field as much as its closed form does."""
    shards = []
    for shard in with_networks(field).shards:
        group = shard.networks
        weights = {name: w.astype(np.float64) for name, w in group.weights.items()}
        weights["w3"] *= 1e4
        shards.append(replace(shard, networks=replace(group, weights=weights)))
    return ScoreField(field.domain, tuple(shards))


def divergences() -> Table:
    """Against the trace of the dense Jacobian."""
    lines, h = [], 1e-5
    plain = build_field(DependencyGraph.chain(D), 4)
    for title, make in (("linear", lambda: plain), ("networks", lambda: strong_networks(plain))):
        with double_precision():
            bound = BoundField(make(), np.zeros((D, 4)))
            y = torch.randn(D, 4, generator=torch.Generator().manual_seed(0))
            for sigma in (0.05, 0.3, 1.0, 5.0):
                found = bound.with_divergence(y, sigma)[1].sum(dim=0)
                trace = torch.zeros(4)
                for j in range(D):
                    up, down = y.clone(), y.clone()
                    up[j] += h
                    down[j] -= h
                    up, down = bound.denoise(up, sigma), bound.denoise(down, sigma)
                    trace += (up[j] - down[j]) / (2 * h)
                off = float(((found - trace) / trace).abs().max())
                lines.append([title, f"{sigma:g}", f"{off:.1e}"])
    return Table(
        f"Divergence against the trace of the dense Jacobian, d = {D}",
        ["score", "σ", "largest relative difference"],
        lines,
        ["Goal: 1e-5. Random networks of 9 slots, run in double precision for this."],
    )


def run(quick: bool = False) -> list[Table]:
    """Both tables."""
    one_core()
    return [divergences(), *([] if quick else [conditionals()])]
