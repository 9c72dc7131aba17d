"""The claim of the paper: a local model needs far fewer rows than a global one, ever fewer as there
are more components.

Chains of double wells, whose density is known. The global model is one network for all
components, made as well as ours: it corrects the closed form of the whole covariance (Ledoit and
Wolf's shrinkage) and is trained on the same loss in the same units, with nonlinear features of
every component, a residual network, averaged weights, decoupled weight decay, and the check with
the best held-out nats kept. Its settings were chosen on this law at d = 50 with 1,000 rows, for the
global model's good, and the better of two widths counts. It has the CPU time that the local
model took (each width), and both are judged alike: nats per component of fresh rows above the
entropy of the law. The figure is drawn to ``docs/images/global_model.svg``.
"""

import copy
import math
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from torch import nn

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain
from locality.noise.levels import NoiseLevels
from measure import FloatArray, Table, one_core

__all__ = ["run"]

SIZES, ROWS = (50, 200, 800), (250, 1_000, 4_000)
MANY_ROWS = 16_000  # of the global model alone
N_STEPS = 400  # of the local networks
WIDTHS = (64, 256)
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "global_model.svg"
_LOW, _HIGH = 0.04, 6.0  # levels trained
_BATCH, _FEATURES, _EMBEDDING, _HIDDEN = 256, 8, 64, 256
_RATE, _DECAY, _AVERAGING = 4e-3, 0.3, 0.995
_N_CHECKS, _PATIENCE = 20, 4


class Network(nn.Module):
    """Features of every component, one residual block, and a direct path from the features."""

    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        self.level = nn.Sequential(
            nn.Linear(9, _EMBEDDING), nn.SiLU(), nn.Linear(_EMBEDDING, _EMBEDDING), nn.SiLU()
        )
        self.slope = nn.Parameter(2.0 * torch.randn(d, _FEATURES))
        self.offset = nn.Parameter(1.5 * torch.randn(d, _FEATURES))
        self.feature_gain = nn.Linear(_EMBEDDING, _FEATURES)
        self.direct = nn.Parameter(torch.zeros(d, _FEATURES))
        self.enter = nn.Linear(d * (_FEATURES + 1), width)
        self.norm, self.last_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, _HIDDEN), nn.Linear(_HIDDEN, width)
        self.film = nn.Linear(_EMBEDDING, 2 * _HIDDEN)
        self.leave = nn.Linear(width, d)
        for part in (self.feature_gain, self.down, self.film, self.leave):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)

    def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """F [n, d] of scaled noisy rows [n, d] at levels [n]."""
        c = sigma.log()[:, None]
        waves = [f(c * k) for k in (0.5, 1.0, 2.0, 4.0) for f in (torch.sin, torch.cos)]
        level = self.level(torch.cat([c / 3, *waves], -1))
        features = nn.functional.silu(x[:, :, None] * self.slope + self.offset)
        features = features * (1 + self.feature_gain(level)[:, None])
        h = self.enter(torch.cat([x, features.flatten(1)], 1))
        gain, shift = self.film(level).chunk(2, -1)
        h = h + self.down(nn.functional.silu(self.up(self.norm(h)) * (1 + gain) + shift))
        return self.leave(self.last_norm(h)) + (features * self.direct).sum(-1)


class Gaussian:
    """The closed form of the whole covariance."""

    def __init__(self, z: FloatArray) -> None:
        values, vectors = np.linalg.eigh(ledoit_wolf(z, assume_centered=True)[0])
        self.values, self.vectors = torch.from_numpy(values), torch.from_numpy(vectors)
        self._values, self._vectors = self.values.float(), self.vectors.float()

    def denoise(self, y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """D⁰ [n, d]."""
        gain = self._values / (self._values + sigma[:, None] ** 2)
        return ((y @ self._vectors) * gain) @ self._vectors.T

    def scale(self, sigma: torch.Tensor) -> torch.Tensor:
        """√v [n, d]."""
        noise = sigma.double()[:, None] ** 2
        variance = self.values * noise / (self.values + noise)
        return (variance @ (self.vectors**2).T).sqrt().float()

    def nats(self, z: torch.Tensor) -> torch.Tensor:
        """Of rows [n]."""
        form = ((z.double() @ self.vectors) ** 2 / self.values).sum(1)
        constant = self.values.log().sum() + len(self.values) * math.log(2 * math.pi)
        return 0.5 * (form + constant)


@dataclass
class Global:
    """A trained global model and its best held-out nats."""

    gaussian: Gaussian
    network: Network
    held_out: float = math.inf

    def denoise(self, y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """D [n, d]."""
        x = y * (1 + sigma**2).rsqrt()[:, None]
        return self.gaussian.denoise(y, sigma) + self.gaussian.scale(sigma) * self.network(x, sigma)

    @torch.no_grad()
    def nats(self, z: torch.Tensor, n_levels: int, n_pairs: int) -> float:
        """Mean nats per component, by the same integral as ours."""
        self.network.eval()
        noise, total = torch.Generator().manual_seed(7), self.gaussian.nats(z)
        for sigma, weight in zip(*NoiseLevels(0.03, 12.0).quadrature(n_levels), strict=True):
            level = torch.full((len(z),), float(sigma))
            for _ in range(n_pairs):
                e = float(sigma) * torch.randn(z.shape, generator=noise)
                for y in (z + e, z - e):
                    change = (z - self.denoise(y, level)) ** 2
                    change -= (z - self.gaussian.denoise(y, level)) ** 2
                    total += 0.5 * weight / (2 * n_pairs) * change.sum(1).double()
        self.network.train()
        return float(total.mean()) / z.shape[1]

    @classmethod
    def fit(cls, z: FloatArray, width: int, budget: float) -> "Global":
        """Train for some CPU seconds; a tenth of the rows is held out."""
        torch.manual_seed(0)
        began, n_held = process_time(), max(50, len(z) // 10)
        held = torch.from_numpy(z[:n_held][:400]).float()
        rows = torch.from_numpy(z[n_held:]).float()
        model = cls(Gaussian(z[n_held:]), Network(z.shape[1], width))
        network, average = model.network, copy.deepcopy(model.network)
        matrices = [network.enter, network.up, network.down, network.leave]
        decayed = [part.weight for part in matrices]
        others = [p for p in network.parameters() if not any(p is d for d in decayed)]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": _DECAY}, {"params": others, "weight_decay": 0.0}],
            lr=_RATE, betas=(0.9, 0.99), fused=True,
        )  # fmt: skip
        edges = torch.exp(torch.linspace(math.log(_LOW), math.log(_HIGH), _BATCH + 1))
        sigma = (edges[1:] * edges[:-1]).sqrt()
        scale, shrink = model.gaussian.scale(sigma), (1 + sigma**2).rsqrt()[:, None]
        order, n_steps, step, stale = torch.empty(0, dtype=torch.long), 10**9, 0, 0
        best, start = copy.deepcopy(average.state_dict()), process_time()
        while step < n_steps and stale < _PATIENCE:
            while len(order) < _BATCH:
                order = torch.cat([order, torch.randperm(len(rows))])
            x, order = rows[order[:_BATCH]], order[_BATCH:]
            y = x + torch.randn(x.shape) * sigma[:, None]
            target = (x - model.gaussian.denoise(y, sigma)) / scale
            loss = ((network(y * shrink, sigma) - target) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                decay = 0.5 * (1 + math.cos(math.pi * step / n_steps))
                group["lr"] = _RATE * min(1.0, (step + 1) / 100) * decay
            optimizer.step()
            keep = min(_AVERAGING, (step + 1) / (step + 10))
            with torch.no_grad():
                for mean, now in zip(average.parameters(), network.parameters(), strict=True):
                    mean.lerp_(now, 1 - keep)
            step += 1
            if step == 20:
                each = (process_time() - start) / 20
                n_steps = max(100, int(0.85 * (budget - (start - began)) / each))
            if step > 20 and (step % max(1, n_steps // _N_CHECKS) == 0 or step == n_steps):
                judged = cls(model.gaussian, average)
                nats = judged.nats(held, 12, 1)
                stale += 1
                if nats < model.held_out:
                    model.held_out, stale = nats, 0
                    best = copy.deepcopy(average.state_dict())
        network.load_state_dict(best)
        return model


@dataclass(frozen=True)
class Pair:
    """Excess nats, CPU seconds and weights of a local and a global model."""

    excess: tuple[float, float]
    seconds: tuple[float, float]
    weights: tuple[int, int]


def compared(d: int, n: int, budget: float | None = None) -> Pair:
    """Both models; only the global one if it is given a budget."""
    law = DoubleWellChain(d)
    entropy, fresh = law.entropy() / d, law.sample(1_000 if d <= 200 else 500, 999)
    luck = -law.log_density(fresh).mean() / d - entropy
    rows = law.sample(n, 1)
    local, took, n_local = math.nan, 0.0, 0
    if budget is None:
        start = process_time()
        model = LocalizedDiffusion(graph="chain", n_steps=N_STEPS, random_state=0).fit(rows)
        took = process_time() - start
        local = -model.score_samples(fresh).mean() / d - luck - entropy
        for shard in model.model_.shards:
            n_local += sum(getattr(shard, name).size for name in ("w1", "w2", "w3", "b3"))
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    start = process_time()
    tried = [Global.fit((rows - mean) / scale, width, budget or took) for width in WIDTHS]
    took_global = (process_time() - start) / len(WIDTHS)
    best = min(tried, key=lambda model: model.held_out)
    z = torch.from_numpy((fresh - mean) / scale).float()
    excess = best.nats(z, 48, 2) + np.log(scale).mean() - luck - entropy
    n_global = sum(p.numel() for p in best.network.parameters())
    return Pair((local, excess), (took, took_global), (n_local, n_global))


def peak(kind: str, d: int, n: int) -> float:
    """Largest memory of a fit in gigabytes, in a process of its own, without what Python and the
    libraries take.
    """
    done = subprocess.run(
        [sys.executable, __file__, kind, str(d), str(n)],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return float(done.stdout.strip().splitlines()[-1])


def fitted_memory(kind: str, d: int, n: int) -> float:
    """The same in this process."""
    one_core()
    rows = DoubleWellChain(d).sample(n, 1)
    LocalizedDiffusion(graph="chain", n_steps=20).fit(rows[:100, :5])  # all libraries are loaded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if kind == "local":
        LocalizedDiffusion(graph="chain", n_steps=N_STEPS, random_state=0).fit(rows)
    else:  # what it takes does not depend on how long it is trained
        Global.fit((rows - rows.mean(axis=0)) / rows.std(axis=0), max(WIDTHS), 30.0)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6


def memory(quick: bool) -> Table:
    """Peaks of both models."""
    n = 1_000
    lines = [
        [f"{d}", *(f"{peak(kind, d, n):.2f}" for kind in ("local", "global"))]
        for d in (SIZES[:1] if quick else SIZES)
    ]
    return Table(
        f"Peak memory of a fit, {n:,} rows",
        ["d", "local, GB", f"global of width {max(WIDTHS)}, GB"],
        lines,
        ["Above that of a process that has loaded everything. One worker."],
    )


def rows_needed(rows: tuple[int, ...], excess: list[float], wanted: float) -> float:
    """Rows at which a falling curve reaches a value, in logarithms; may be infinite."""
    if excess[-1] > wanted:
        return math.inf
    falling = np.minimum.accumulate(np.log(excess))[::-1]
    return float(np.exp(np.interp(np.log(wanted), falling, np.log(rows)[::-1])))


def run(quick: bool = False) -> list[Table]:
    """Excess nats against rows and components."""
    one_core()
    sizes, counts = (SIZES[:1], ROWS[:2]) if quick else (SIZES, ROWS)
    lines, curves = [], {}
    for d in sizes:
        found = []
        for n in counts:
            found.append(compared(d, n))
            print(f"d = {d}, {n} rows: {found[-1]}", flush=True)
        curves[d] = [pair.excess for pair in found]
        whole, reached = [pair.excess[1] for pair in found], counts
        if d <= 200 and not quick:
            more = compared(d, MANY_ROWS, found[-1].seconds[0])
            print(f"d = {d}, {MANY_ROWS} rows: {more}", flush=True)
            whole, reached = [*whole, more.excess[1]], (*counts, MANY_ROWS)
        for n, pair in zip(counts, found, strict=True):
            local, excess = pair.excess
            needed = rows_needed(reached, whole, local)
            lines.append(
                [
                    f"{d}", f"{n:,}", f"{local:.4f}", f"{excess:.4f}", f"{excess / local:.1f}",
                    f"{needed:,.0f}" if needed < math.inf else f"> {reached[-1]:,}",
                    f"{pair.seconds[0]:.0f}", f"{pair.seconds[1]:.0f}",
                    f"{pair.weights[0] / 1e6:.2f}", f"{pair.weights[1] / 1e6:.2f}",
                ]
            )  # fmt: skip
    if not quick:
        _draw(curves, counts)
    return [
        Table(
            "Local against global: excess nats per component of chains of double wells",
            ["d", "rows", "local", "global", "ratio", "rows of the global for the local's nats",
             "local, CPU s", "global, CPU s per width", "local, million weights", "global"],
            lines,
            [f"Local: networks of {N_STEPS} steps, radius chosen."],
        ),
        memory(quick),
    ]  # fmt: skip


def _draw(curves: dict[int, list[tuple[float, float]]], counts: tuple[int, ...]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullLocator

    plt.rcParams["svg.hashsalt"] = "locality"  # the same file from the same figures
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for d, shade in zip(curves, ("#9ecae1", "#4292c6", "#084594"), strict=False):
        local, whole = zip(*curves[d], strict=True)
        left.loglog(counts, local, "o-", color=shade, label=f"local, d = {d}")
        left.loglog(counts, whole, "s--", color=shade, label=f"global, d = {d}")
    left.set(xlabel="rows", ylabel="excess nats per component")
    left.set_xticks(counts, [f"{n:,}" for n in counts])
    left.xaxis.set_minor_locator(NullLocator())
    left.legend(fontsize=7)
    for i, n in enumerate(counts):
        ratio = [curves[d][i][1] / curves[d][i][0] for d in curves]
        right.semilogx(list(curves), ratio, "o-", label=f"{n:,} rows")
    few = counts[0]
    needed = [rows_needed(counts, [e for _, e in curves[d]], curves[d][0][0]) / few for d in curves]
    right.semilogx(list(curves), needed, "k^--", label=f"rows needed for the nats of {few}")
    right.set(xlabel="components d", ylabel="global over local: excess nats, rows")
    right.set_xticks(list(curves), [str(d) for d in curves])
    right.minorticks_off()
    right.legend(fontsize=7)
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    print(fitted_memory(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
