"""Networks where they pay: half of the components are Gaussian, half are double wells.

A network whose held-out gain after the trial (a fifth of the steps) promises nothing stops there,
and one that has not gained for some checks stops later. The same fit without these rules trains all
networks to the end; which are kept is decided alike. CPU seconds of the networks alone.
"""

from dataclasses import replace
from time import process_time
from typing import Any

import numpy as np

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.training.engine import Engine
from measure import Table, one_core

__all__ = ["run"]

D, N_ROWS = 32, 4_000


def rows(seed: int) -> np.ndarray:
    """Rows of both halves, side by side."""
    gaussian = OrnsteinUhlenbeckChain(D, 0.7).sample(N_ROWS, seed)
    return np.hstack([gaussian, DoubleWellChain(D).sample(N_ROWS, seed)])


def run(quick: bool = False) -> list[Table]:
    """Time and nats with the rules and without."""
    one_core()
    lines = []
    later = rows(99)
    whole = Engine.run
    for seed in range(1 if quick else 2):
        found: dict[str, tuple[float, float, int]] = {}
        for title in ("with", "without"):
            spent = [0.0]

            def patched(
                self: Engine, rule: Any = None, title: str = title, spent: list[float] = spent
            ) -> None:
                if title == "without":
                    rule, self.options = None, replace(self.options, patience=10**6)
                start = process_time()
                whole(self, rule)
                spent[0] += process_time() - start

            Engine.run = patched  # type: ignore[method-assign]
            try:
                model = LocalizedDiffusion(
                    graph="chain", radius=1, n_steps=300 if quick else 2_000, random_state=seed
                )
                model.fit(rows(seed))
                took = spent[0]
            finally:
                Engine.run = whole  # type: ignore[method-assign]
            kept = sum(len(shard.networks) for shard in model.model_.shards)
            found[title] = took, float(np.mean(model.surprise(later))), kept
        (a, nats_a, kept_a), (b, nats_b, kept_b) = found["with"], found["without"]
        lines.append(
            [
                f"{seed}", f"{a:.1f}", f"{b:.1f}", f"{100 * (1 - a / b):.0f} %",
                f"{nats_a - nats_b:+.4f}", f"{kept_a}, {kept_b}",
            ]
        )  # fmt: skip
    return [
        Table(
            f"Half Gaussian, half double wells: {2 * D} components, {N_ROWS:,} rows",
            ["seed", "with the rules, s", "without, s", "saved", "nats − without", "kept"],
            lines,
            ["Goal: at least 35 % saved at equal nats."],
        )
    ]
