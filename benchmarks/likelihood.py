"""The likelihood of the probability flow: against exact densities, and its cost.

Cost: evaluations of the denoiser with its divergence against evaluations without, which is what the
same walk would take if nobody asked for the density. CPU time in turns.
"""

import numpy as np
import torch

from locality import LocalizedDiffusion
from locality.data.synthetic import BandedGaussian, DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph
from locality.local.bound import BoundField
from measure import Table, in_turns, one_core
from sampling import build_field, with_networks

__all__ = ["run"]

ROWS = 256


def oracles(quick: bool) -> Table:
    """Mean log-likelihood per component against the law that the rows come from."""
    lines = []
    cases = [
        ("chain, d = 50, 20,000 rows", OrnsteinUhlenbeckChain(50, 0.7), 20_000, "linear"),
        ("banded Gaussian, d = 50, 20,000 rows", BandedGaussian(50), 20_000, "linear"),
        ("double wells, d = 20, 4,000 rows", DoubleWellChain(20), 4_000, "neural"),
    ]
    for title, law, n, score in cases[: 1 if quick else None]:
        model = LocalizedDiffusion(graph="chain", denoiser=score, random_state=0)
        model.fit(law.sample(n, 0))
        rows = law.sample(500, 1)
        d = rows.shape[1]
        flow = model.log_likelihood(rows) / d
        nats = model.score_samples(rows) / d
        exact = law.log_density(rows) / d
        lines.append(
            [title, f"{exact.mean():.4f}", f"{flow.mean():.4f}", f"{nats.mean():.4f}",
             f"{flow.mean() - exact.mean():+.4f}"]
        )  # fmt: skip
    return Table(
        "Likelihood of the flow, per component (500 fresh rows)",
        ["law", "exact", "flow", "nats", "flow − exact"],
        lines,
        ["Fitted models, so what was not learned counts too. Goal for Gaussian fields: 0.01."],
    )


def cost() -> Table:
    """One evaluation with the divergence against one without, d = 1,000; and the whole walk."""
    one_core()
    lines = []
    for kind in ("linear", "neural"):
        seconds = {}
        for d in (250, 1_000, 4_000):
            field = build_field(DependencyGraph.chain(d), 4)
            if kind == "neural":
                field = with_networks(field)
            bound: BoundField = BoundField(field, np.zeros((d, ROWS), dtype=np.float64))
            y = torch.randn(d, ROWS, dtype=torch.float64)
            sigmas = np.geomspace(0.05, 5.0, 4).tolist()
            works = {
                "with": lambda b=bound, y=y, s=sigmas: [b.with_divergence(y, x) for x in s],
                "without": lambda b=bound, y=y, s=sigmas: [b.denoise(y, x) for x in s],
            }
            for work in works.values():
                work()
            found = in_turns(works, 5)
            seconds[d] = np.median(found["with"]) / len(sigmas)
            ratio = float(np.median(found["with"] / found["without"]))
            lines.append([kind, f"{d:,}", f"{1e6 * seconds[d] / d / ROWS:.3f}", f"{ratio:.2f}"])
    return Table(
        f"Cost of an evaluation with divergence, {ROWS} rows, 9 slots",
        ["score", "d", "µs per row and component", "/ without"],
        lines,
        ["Goal: at most 3 at d = 1,000, and flat in d."],
    )


def run(quick: bool = False) -> list[Table]:
    """Both tables."""
    return [oracles(quick), cost()]
