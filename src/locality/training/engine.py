"""The engine: all networks of a shard trained together by few large operations.

The loss of unit j is E (T_j − F_j)², with target T_j = (x_j − D⁰_j)/√v_j: the squared error of the
denoiser in units of that of the closed form, so it starts at 1 if the component is Gaussian. It
stays unreduced per unit; gradients of units never mix. Batch row i always has noise level i of
each unit (``noise.training_levels``), so all that depends on σ is a constant of training. Each
step draws one noise field for all sources, keyed by (seed, shard, step).

Held-out gain in nats, the integral ½ ∫ E[(x_j − D_j)² − (x_j − D⁰_j)²] d snr over rows not
trained on, decides per unit which weights are kept, when training stops, and after a short trial
which networks go on at all.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from torch.optim.adamw import adamw

from locality._typing import FloatArray, IntArray
from locality.local.correction import NetworkInputs
from locality.local.kinds import Networks
from locality.local.linear import LinearDenoiser
from locality.local.reach import within
from locality.noise.levels import training_levels
from locality.noise.streams import stream
from locality.training.batch import Batches
from locality.training.examples import Examples
from locality.training.options import TrainingOptions

__all__ = ["Answer", "Batch", "Engine", "TrialRule"]


class TrialRule(Protocol):
    """Chooses after the trial which units go on."""

    def __call__(self, gain: FloatArray, error: FloatArray) -> IntArray:
        """Units to keep, from held-out gains [n_units] (negative is better) and their errors."""


class Engine:
    """Training state of the networks of one shard.

    Parameters
    ----------
    examples : Examples
    inputs : NetworkInputs
        One row per unit.
    closed_form : LinearDenoiser
        Of the same units.
    options : TrainingOptions
    key : tuple of int
        Identity of the shard, with the seed first.
    start : Networks, optional
        Weights to go on from; random ones with F = 0 by default.
    """

    def __init__(
        self,
        examples: Examples,
        inputs: NetworkInputs,
        closed_form: LinearDenoiser,
        options: TrainingOptions,
        key: tuple[int, ...],
        start: Networks | None = None,
    ) -> None:
        self.device = torch.device(options.device)
        self.examples = examples.to(self.device)
        self.options = options
        self.key = key
        self.n_rows = options.batch_size * (4 if inputs.patches.n_units < 8 else 1)
        self.units = torch.arange(inputs.patches.n_units)
        networks = start or options.initial(len(self.units), inputs.n_inputs, stream(*key, 0))
        self.networks = networks.to(self.device)
        self._set_tables(inputs, closed_form)
        self.gradients = self.networks.zeros_like()
        self.moments = [self.networks.zeros_like() for _ in range(2)]
        self.average = self.networks.take(torch.arange(len(self.units)))
        self._stream = np.empty(0, dtype=np.int64)
        self._epoch = 0
        n = inputs.patches.n_units
        self.best = self.average.take(self.units)
        self.best_gain = np.zeros(n)
        self.best_error = np.zeros(n)
        self.last_gain = np.zeros(n)
        self.stale = np.zeros(n, dtype=np.int64)
        self.curve: list[tuple[int, FloatArray]] = []
        self.pruned = np.zeros(n, dtype=bool)

    def _set_tables(self, inputs: NetworkInputs, closed_form: LinearDenoiser) -> None:
        """All that depends on the noise level alone, for the units now in training."""
        self.inputs, self.closed_form = inputs, closed_form
        levels = training_levels(closed_form.conditional_scale[:, 0], self.n_rows)
        size = self.networks.chunk_size(self.n_rows)
        self.batches = Batches(inputs, closed_form, levels, self.device, size)

    def run(self, rule: TrialRule | None = None) -> None:
        """Train to the end; ``rule`` prunes after the trial. No rows held out, no checks."""
        options = self.options
        every = max(1, options.n_steps // options.n_checks)
        trial = int(np.ceil(options.trial_steps / every)) * every
        for step in range(options.n_steps):
            if not len(self.units):
                return
            self.step(step)
            if not len(self.examples.held_out):
                continue
            if (step + 1) % every == 0 or step + 1 == options.n_steps:
                self.check(step + 1)
                if step + 1 == trial and rule is not None:
                    self.prune(rule(self.best_gain, self.best_error))
                elif step + 1 > trial:
                    going = np.flatnonzero(self.stale < options.patience)
                    self._keep(going)

    @torch.inference_mode()
    def step(self, step: int) -> None:
        """One batch, one optimizer step."""
        rows = self._next_rows()
        self._load(rows, stream(*self.key, 1, step))
        for chunk in self.networks.chunks(self.n_rows):
            x, target = self.batches(chunk)
            slope = self.networks.forward(x, chunk).sub_(target).mul_(2.0 / self.n_rows)
            if self.examples.observed is not None:
                slope *= self._counts(chunk, rows)
            self.networks.backward(x, slope, chunk, self.gradients)
        self._update(step)

    def _load(self, rows: torch.Tensor, generator: torch.Generator) -> None:
        """Put rows with fresh noise, the same on every device, into the batches."""
        examples, rows = self.examples, rows.to(self.device)
        noise = torch.randn(examples.z.shape[0], self.n_rows, generator=generator).to(self.device)
        classes = examples.classes[rows]
        receives = examples.noisy_sources
        noise *= receives if receives.shape[1] == 1 else receives[:, classes]
        self.batches.load(examples.z.index_select(1, rows), noise, classes)

    def _counts(self, chunk: slice, rows: torch.Tensor) -> torch.Tensor:
        """1 where the center of a unit may be learned, 0 elsewhere [n_units of chunk, n_rows]."""
        assert self.examples.observed is not None
        center = torch.from_numpy(self.inputs.patches.center[chunk])
        return self.examples.observed[center][:, rows]

    def check(self, step: int) -> None:
        """Held-out gains of the averaged weights; keep the best per unit."""
        gain, error = self.held_out_gain(self.average)
        active = self.units.numpy()
        better = gain < self.best_gain[active]
        rows = torch.from_numpy(np.flatnonzero(better))
        for name, best in self.best.weights.items():
            best[self.units[rows]] = self.average.weights[name][rows]
        self.best_gain[active[better]] = gain[better]
        self.last_gain[active] = gain
        first = self.best_error[active] == 0.0
        self.best_error[active[better | first]] = error[better | first]
        self.stale[active] = np.where(better, 0, self.stale[active] + 1)
        full = np.full(len(self.best_gain), np.nan)
        full[active] = gain
        self.curve.append((step, full))

    def held_out_gain(self, networks: Networks) -> tuple[FloatArray, FloatArray]:
        """Change of held-out nats against the closed form, and its standard error [n_active]."""
        square, cross, seen = self._judged(self._believed(networks))
        per_row = (square - 2.0 * cross) / seen.clamp_min(1.0)
        visited = (seen > 0).sum(1)
        mean = per_row.sum(1, keepdim=True) / visited.clamp_min(1)[:, None]
        squares = torch.where(seen > 0, (per_row - mean) ** 2, 0.0).sum(1)
        error = (squares / (visited - 1).clamp_min(1) / visited.clamp_min(1)).sqrt()
        mean_gain = (square - 2.0 * cross).sum(1) / seen.sum(1).clamp_min(1.0)
        return mean_gain.cpu().numpy(), error.cpu().numpy()

    def held_out_parts(self, networks: Networks) -> tuple[FloatArray, FloatArray]:
        """What F² and T F come to in nats, of every held-out row [n_active, n_held_out].

        The change of nats by α F is α² times the first minus 2 α times the second. NaN where the
        center of a unit is missing.
        """
        return self.judged(self._believed(networks))

    def _believed(self, networks: Networks) -> "Answer":
        """What networks say as far as they are believed."""

        def answer(batch: Batch) -> torch.Tensor:
            low, high = self.batches.limits(batch.chunk)
            slots = batch.x[:, : low.shape[1]]
            held, fade, _ = within(slots, low, high)
            slots.copy_(held)
            return networks.forward(batch.x, batch.chunk) * fade

        return answer

    def judged(self, answer: "Answer") -> tuple[FloatArray, FloatArray]:
        """What F² and T F come to in nats of any F, as of ``held_out_parts``."""
        square, cross, seen = self._judged(answer)
        found = (torch.where(seen > 0, part / seen, torch.nan) for part in (square, cross))
        first, second = (part.cpu().numpy() for part in found)
        return first, second

    @torch.inference_mode()
    def _judged(self, answer: "Answer") -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        held_out = self.examples.held_out
        n = len(held_out)
        n_passes = int(np.clip(-(-8 * n // self.n_rows), 8, 64))
        shape = len(self.units), n
        square, cross, seen = (
            torch.zeros(shape, dtype=torch.float64, device=self.device) for _ in range(3)
        )
        for batch in self.passes(held_out, n_passes, stream(*self.key, 2)):
            weight = self.batches.nats_weight(batch.chunk) * self.n_rows
            target, counts = batch.target, batch.counts
            f = answer(batch)
            square[batch.chunk].index_add_(1, batch.part, weight * f**2 * counts)
            cross[batch.chunk].index_add_(1, batch.part, weight * target * f * counts)
            seen[batch.chunk].index_add_(1, batch.part, counts)
        return square, cross, seen

    def passes(
        self, rows: torch.Tensor, n_passes: int, shuffle: torch.Generator
    ) -> Iterator["Batch"]:
        """Some examples with fresh noise, about equally often, chunk by chunk of units.

        Parameters
        ----------
        rows : int tensor
            Numbers of examples.
        n_passes : int
            Batches.
        shuffle : torch.Generator
            Of their order and noise.
        """
        n = len(rows)
        n_orders = 1 + n_passes * self.n_rows // n
        order = torch.cat([torch.randperm(n, generator=shuffle) for _ in range(n_orders)])
        for p in range(n_passes):
            part = order[p * self.n_rows : (p + 1) * self.n_rows]
            self._load(rows[part], shuffle)
            into = part.to(self.device)
            for chunk in self.networks.chunks(self.n_rows):
                x, target = self.batches(chunk)
                counts = torch.ones(target.shape, dtype=torch.float64, device=self.device)
                if self.examples.observed is not None:
                    counts = self._counts(chunk, rows[part]).double()
                yield Batch(into, chunk, x, target, counts, self.batches)

    def _next_rows(self) -> torch.Tensor:
        """Training examples of the next step: a new permutation every epoch."""
        while len(self._stream) < self.n_rows:
            order = torch.randperm(
                len(self.examples.train), generator=stream(*self.key, 3, self._epoch)
            )
            self._epoch += 1
            self._stream = np.concatenate([self._stream, order.numpy()])
        rows, self._stream = self._stream[: self.n_rows], self._stream[self.n_rows :]
        return self.examples.train[torch.from_numpy(rows)]

    def _update(self, step: int) -> None:
        """AdamW with decoupled decay (Loshchilov and Hutter, 2019), then the moving average."""
        options = self.options
        warm = min(1.0, (step + 1) / 100)
        rate = options.learning_rate * warm * 0.5 * (1 + np.cos(np.pi * step / options.n_steps))
        names, weights = zip(*self.networks.weights.items(), strict=True)
        adamw(
            list(weights),
            [self.gradients[name] for name in names],
            [self.moments[0][name] for name in names],
            [self.moments[1][name] for name in names],
            [],
            [torch.tensor(float(step), device=self.device) for _ in names],  # taken before
            fused=True,
            lr=float(rate),
            beta1=0.9,
            beta2=0.99,
            weight_decay=options.weight_decay(len(self.examples.train)),
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )
        decay = min(options.averaging, (step + 1) / (step + 10))
        if (step + 1) % 4 == 0:
            for name, w in zip(names, weights, strict=True):
                self.average.weights[name].lerp_(w, 1.0 - decay**4)

    def prune(self, kept: IntArray) -> None:
        """Go on with these of the original units; the others are not worth it."""
        self.pruned[np.setdiff1d(self.units.numpy(), kept)] = True
        self._keep(kept)

    def _keep(self, units: IntArray) -> None:
        """Go on with some of the original units only."""
        active = self.units.numpy()
        rows = torch.from_numpy(np.flatnonzero(np.isin(active, units)))
        if len(rows) == len(self.units):
            return
        self.units = self.units[rows]
        self.networks = self.networks.take(rows)
        self.average = self.average.take(rows)
        self.gradients = self.networks.zeros_like()
        self.moments = [{name: m[rows] for name, m in part.items()} for part in self.moments]
        self._set_tables(self.inputs.take(rows), self.closed_form.take(rows.numpy()))


class Batch(NamedTuple):
    """Some examples, each at a level of its own, as a chunk of units sees them.

    ``part`` says which of the rows asked for they are [n_rows], ``x`` and ``target`` are inputs and
    what should be answered, and ``counts`` 0 where the center is missing [n_units of the chunk,
    n_rows].
    """

    part: torch.Tensor
    chunk: slice
    x: torch.Tensor
    target: torch.Tensor
    counts: torch.Tensor
    batches: Batches

    @property
    def expected(self) -> torch.Tensor:
        """D⁰ of the closed form, before the next batch is asked for."""
        return self.batches.expected(self.chunk)


Answer: TypeAlias = Callable[[Batch], torch.Tensor]
"""F of a batch [n_units of the chunk, n_rows]."""
