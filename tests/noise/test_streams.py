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


def test_the_length_of_a_key_counts() -> None:
    """(1, 2) is another key than (1, 2, 0), and a word another than the letters it is made of."""
    keys = [
        (), (0,), (0, 0), (0, 0, 0), (1, 2), (1, 2, 0), (1, 2, 0, 0), (0, 1, 2), ("draw",),
        ("draw", 0), ("draw", "draw"), ("Draw",), (1 << 40,), (1 << 40, 0),
    ]  # fmt: skip
    numbers = [tuple(torch.rand(4, generator=stream(*key)).tolist()) for key in keys]
    assert len(set(numbers)) == len(keys)


def test_streams_are_what_they_were() -> None:
    """Models and draws of a seed are the same in every version."""
    assert stream(3, 0, 7).initial_seed() == 8_101_934_999_525_950_170
    assert stream("draw", 5).initial_seed() == 231_018_412_076_718_446
