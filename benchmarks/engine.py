"""Training speed: fraction of the core's matrix-product peak, against two plain ways in torch.

512 networks of 24 inputs (21 slots of a chain at radius 10, two features of the noise level, the
constant 1), two hidden layers of 64 and one output, batches of 256 rows. Counted are the
floating-point operations of the matrix products of forward and backward pass; the time is that of
the whole step: noise, gather, closed form, networks, optimizer and weight averaging. The peak is
that of a 1536 × 1536 single-precision product, timed in the same rounds.

Rivals, with ready-made inputs (no noise, no gather, no closed form), so the comparison favors
them: a loop over ``torch.nn`` modules each with forward, backward and fused AdamW step; and all
networks stacked in batched products with automatic differentiation.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.local.correction import NetworkInputs
from locality.local.linear import LinearDenoiser
from locality.local.moments import SecondMoments
from locality.local.patches import Patches, Sources, unfold
from locality.noise.levels import BAND_EDGES, training_levels
from locality.training.engine import Engine
from locality.training.examples import Examples
from locality.training.options import TrainingOptions
from measure import Table, in_turns, one_core

__all__ = ["build_engine", "run"]

N_NETWORKS, N_ROWS, N_INPUTS, WIDTH = 512, 256, 24, 64
RADIUS = 10  # of the chain: 21 slots


def step_flops(n: int = N_ROWS, p: int = N_INPUTS, h: int = WIDTH) -> float:
    """Operations of the products of one network in one step (no gradient for the inputs)."""
    return 2.0 * n * (2 * p * h + 3 * h * h + 3 * h)


def build_engine(
    n_networks: int = N_NETWORKS, n_examples: int = 2000, width: int = WIDTH
) -> Engine:
    """An engine on a chain, ready to step."""
    chain = OrnsteinUhlenbeckChain(n_networks, correlation=0.7)
    values = np.ascontiguousarray(chain.sample(n_examples, 0).T)
    domain = Domain(DependencyGraph.chain(n_networks), tuple(f"x{j}" for j in range(n_networks)))
    stencils = domain.stencils(RADIUS)
    sources = Sources.of(stencils)
    patches = Patches.of(stencils, sources)
    z = unfold(values, sources, domain)
    _, inside = sources.inside(domain, ())
    folds = np.arange(n_examples) * 5 // n_examples
    classes = np.zeros(n_examples, dtype=np.int64)
    moments = SecondMoments.of(z, folds, 5)
    every_band = patches.n_units, len(BAND_EDGES) - 1
    closed_form = LinearDenoiser.fit(
        moments.matrix(),
        patches,
        *(np.broadcast_to(n[:, None], every_band) for n in patches.n_present),
        np.zeros(every_band),
        inside,
    )
    levels = training_levels(closed_form.conditional_scale[:, 0], 64)
    inputs = NetworkInputs.of(patches, levels[:, [0, -1]], None)
    examples = Examples(
        torch.from_numpy(z).float(),
        torch.from_numpy(np.append(~sources.given, False)).float()[:, None],
        torch.from_numpy(classes),
        torch.from_numpy(np.flatnonzero(folds != 0)),
        torch.from_numpy(np.flatnonzero(folds == 0)),
    )
    return Engine(examples, inputs, closed_form, TrainingOptions(width=width), (0, 0))


def stepper(engine: Engine) -> Callable[[], None]:
    """One training step of an engine per call."""
    count = 0

    def step() -> None:
        nonlocal count
        engine.step(count)
        count += 1

    return step


def module_loop() -> Callable[[], None]:
    """One step of 512 separate modules, each with its own optimizer."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N_NETWORKS, N_ROWS, N_INPUTS, generator=generator)
    target = torch.randn(N_NETWORKS, N_ROWS, generator=generator)
    nets = [
        nn.Sequential(
            nn.Linear(N_INPUTS, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(),
            nn.Linear(WIDTH, 1),
        )
        for _ in range(N_NETWORKS)
    ]  # fmt: skip
    optimizers = [torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True) for net in nets]

    def step() -> None:
        for j, (net, optimizer) in enumerate(zip(nets, optimizers, strict=True)):
            optimizer.zero_grad()
            ((net(x[j])[:, 0] - target[j]) ** 2).mean().backward()
            optimizer.step()

    return step


def stacked_autograd() -> Callable[[], None]:
    """One step of all networks in batched products with automatic differentiation."""
    generator = torch.Generator().manual_seed(0)
    m, n, p, h = N_NETWORKS, N_ROWS, N_INPUTS, WIDTH
    x = torch.randn(m, n, p, generator=generator)
    target = torch.randn(m, n, generator=generator)
    shapes = [(m, p, h), (m, 1, h), (m, h, h), (m, 1, h), (m, h, 1), (m, 1, 1)]
    weights = [nn.Parameter(torch.randn(s, generator=generator) / 8) for s in shapes]
    optimizer = torch.optim.AdamW(weights, lr=1e-3, fused=True)

    def step() -> None:
        w1, b1, w2, b2, w3, b3 = weights
        a = nn.functional.silu(torch.baddbmm(b1, x, w1))
        a = nn.functional.silu(torch.baddbmm(b2, a, w2))
        loss = ((torch.baddbmm(b3, a, w3)[..., 0] - target) ** 2).mean(1).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def gather(engine: Engine) -> Callable[[], None]:
    """Only the gathers of one step: batch columns, then patches of rows and noise."""
    noise = torch.randn(engine.examples.z.shape[0], engine.n_rows)
    slots = torch.from_numpy(engine.inputs.patches.slots)
    parts = [slots[chunk].ravel() for chunk in engine.networks.chunks(engine.n_rows)]
    room = torch.empty(max(len(part) for part in parts), engine.n_rows)
    rows = engine.examples.train[: engine.n_rows]

    def work() -> None:
        z = engine.examples.z.index_select(1, rows)
        for part in parts:
            torch.index_select(z, 0, part, out=room[: len(part)])
            torch.index_select(noise, 0, part, out=room[: len(part)])

    return work


def run(quick: bool = False) -> list[Table]:
    """Time all in turns."""
    one_core()
    torch.manual_seed(0)
    engine = build_engine()
    if engine.inputs.n_inputs != N_INPUTS:
        raise RuntimeError(f"{engine.inputs.n_inputs} inputs, expected {N_INPUTS}.")
    shard = stepper(build_engine(32))
    a, b = torch.randn(2, 1536, 1536)
    product = torch.empty(1536, 1536)
    works: dict[str, Callable[[], object]] = {
        "product": lambda: torch.mm(a, b, out=product),
        "engine": stepper(engine),
        "16 × engine of 32 networks": lambda: [shard() for _ in range(N_NETWORKS // 32)],
        "loop over modules": module_loop(),
        "stacked, autograd": stacked_autograd(),
        "gather": gather(engine),
    }
    for work in works.values():
        work()
        work()
    times = in_turns(works, 3 if quick else 15, n_repeats=5)
    peak = 2.0 * 1536**3 / times["product"] / 1e9
    flops = N_NETWORKS * step_flops()
    rows = []
    for name in list(works)[1:]:
        ratio = np.median(times[name] / times["loop over modules"])
        share = np.median(flops / times[name] / 1e9 / peak)
        rows.append(
            [
                name,
                f"{1e3 * np.median(times[name]):.1f}",
                "" if name == "gather" else f"{share:.3f}",
                f"{ratio:.3f}",
                f"{np.median(times[name] / times['engine']):.3f}",
            ]
        )
    return [
        Table(
            f"Training step: {N_NETWORKS} networks, {N_ROWS} rows, {N_INPUTS} inputs, "
            f"{WIDTH} hidden, 3 layers",
            ["", "ms", "fraction of peak", "/ loop over modules", "/ engine"],
            rows,
            [
                f"Peak: {np.median(peak):.0f} GFLOP/s, median of {len(peak)} rounds of 5 calls.",
                "Goals: engine ≥ 0.40 of peak and ≤ 0.33 of the loop; gather ≤ 0.05 of a step.",
            ],
        )
    ]
