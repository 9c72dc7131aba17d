"""Whether networks could gain anything: a regression that costs as much as a few of their steps.

The residual T of the closed form is regressed on products: of the noisy value y of a component and
what the closed form expects, D⁰, up to the third degree and changing with the level, and of both
with its nearest slots. Where that gains nothing on held-out rows networks rarely do, and to see it
takes a small part of their trial.
"""

import torch

from locality._typing import FloatArray
from locality.noise.streams import stream
from locality.training.engine import Engine

__all__ = ["prospects"]

_EXAMPLES = 8_192  # noisy ones, of rows again and again
_RIDGE = 1e-2  # of the mean square of all products
_MOST = 4.0  # of every factor
_SLOTS = 8  # nearest ones


@torch.inference_mode()
def prospects(engine: Engine) -> tuple[FloatArray, FloatArray]:
    """What F² and T F of the regression come to in nats, of every held-out row.

    Parameters
    ----------
    engine : Engine
        Before its first step; it stays as it is.

    Returns
    -------
    square, cross : float arrays [n_units, n_held_out]
        As of ``Engine.held_out_parts``.
    """
    n, shuffle = len(engine.units), stream(*engine.key, 7)
    gram, moment = torch.zeros(0), torch.zeros(0)
    n_passes = max(8, _EXAMPLES // engine.n_rows)
    for batch in engine.passes(engine.examples.train, n_passes, shuffle):
        f = _products(engine, batch.x, batch.expected)
        if not len(gram):
            gram = torch.zeros(n, f.shape[1], f.shape[1], dtype=torch.float64, device=f.device)
            moment = torch.zeros(n, f.shape[1], dtype=torch.float64, device=f.device)
        seen = f * batch.counts[:, None].float()
        gram[batch.chunk] += torch.bmm(seen, f.transpose(1, 2)).double()
        moment[batch.chunk] += torch.bmm(seen, batch.target[:, :, None])[..., 0].double()
    ridge = _RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1)
    gram.diagonal(dim1=1, dim2=2).add_(ridge[:, None].clamp_min(1e-12))
    weights = torch.linalg.solve(gram, moment).float()
    return engine.judged(
        lambda batch: torch.bmm(
            weights[batch.chunk][:, None], _products(engine, batch.x, batch.expected)
        )[:, 0]
    )


def _products(engine: Engine, x: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """All products [n_units of the chunk, n_products, n_rows]."""
    patches = engine.inputs.patches
    n_slots, n_noisy = patches.slots.shape[1], patches.noisy.shape[1]
    a, b = x[:, 0].clamp(-_MOST, _MOST), expected.clamp(-_MOST, _MOST)
    level = x[:, n_slots : n_slots + 3]  # the constant 1 among them
    one, squares, cubes = (
        torch.ones_like(a),
        (a * a, a * b, b * b),
        (a**3, a * a * b, a * b * b, b**3),
    )
    powers = torch.stack([one, *squares, *(cube / 3.0 for cube in cubes)], dim=1)
    changing = (powers[:, :, None] * level[:, None]).flatten(1, 2)
    near = x[:, 1 : min(n_noisy, 1 + _SLOTS)].clamp(-_MOST, _MOST)
    squared, a, b = near * near, a[:, None], b[:, None]
    pairs = [squared, near * a, near * b, squared * a / 3.0]
    return torch.cat([changing, *pairs], dim=1)
