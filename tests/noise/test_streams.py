"""Random streams depend on their key alone."""

from itertools import product

import torch

from locality.noise.streams import stream


def test_a_key_gives_the_same_numbers_every_time() -> None:
    torch.manual_seed(5)  # the global generator has no say
    first = torch.randn(8, generator=stream(3, 0, 7))
    torch.manual_seed(6)
    assert torch.equal(first, torch.randn(8, generator=stream(3, 0, 7)))


def test_different_keys_give_different_numbers() -> None:
    keys = list(product(range(7), repeat=3))
    seen = {float(torch.rand(1, generator=stream(*key), dtype=torch.float64)) for key in keys}
    assert len(seen) == len(keys)


def test_streams_of_neighboring_keys_are_uncorrelated() -> None:
    """Largest of 190 correlations of 4,000 numbers; level 1e-4 after Bonferroni."""
    rows = torch.stack([torch.randn(4000, generator=stream(1, k)) for k in range(20)])
    correlation = torch.corrcoef(rows)[*torch.triu_indices(20, 20, 1)]
    assert correlation.abs().max() * 4000**0.5 < 5.1
