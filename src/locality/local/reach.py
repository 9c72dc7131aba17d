"""How far networks are believed: as far as the rows lie that they learned from.

Between rows that it has seen a network is smooth; beyond them it is anything, and one row may cost
a thousand nats. So inputs are held at the ends of what was seen, and what a network adds fades with
the distance e beyond them, summed over its slots,

    F(y) = f(held y) / (1 + (e/τ)²) :

far away the closed form remains. Of noisy slots, ends lie three σ further out.
"""

import torch

__all__ = ["limits", "within"]

_NOISE = 3.0
_SOFT = 0.25  # τ, in standard deviations


def limits(
    seen: torch.Tensor, n_noisy: int, sigma: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ends of the inputs of networks [n_units, n_slots, n_levels].

    Parameters
    ----------
    seen : tensor [n_units, n_slots, 2]
        Lowest and highest clean value of each slot.
    n_noisy : int
        The first slots, which are scaled by 1/√(1 + σ²).
    sigma : float64 tensor [n_units or 1, n_levels]
    """
    noise, scale = _NOISE * sigma[:, None], (1.0 + sigma[:, None] ** 2) ** -0.5
    found = []
    for end, sign in ((0, -1.0), (1, 1.0)):
        clean = seen[:, :, end, None].double()
        noisy = (clean[:, :n_noisy] + sign * noise) * scale
        given = clean[:, n_noisy:].expand(-1, -1, noisy.shape[2])
        found.append(torch.cat([noisy, given], dim=1))
    return found[0], found[1]


def within(
    slots: torch.Tensor, low: torch.Tensor, high: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs held at their ends, the fading factor, and its derivative by each input.

    Parameters
    ----------
    slots, low, high : tensors [n_units, n_slots, n]

    Returns
    -------
    held : tensor [n_units, n_slots, n]
    fade : tensor [n_units, n]
    slope : tensor [n_units, n_slots, n]
    """
    held = torch.minimum(torch.maximum(slots, low), high)
    beyond = slots - held
    distance = beyond.abs().sum(1) / _SOFT
    fade = 1.0 / (1.0 + distance**2)
    slope = (-2.0 / _SOFT) * (distance * fade**2)[:, None] * beyond.sign()
    return held, fade, slope
