"""Random streams: every draw belongs to a key, never to the order in which work is done.

A key says what the numbers are for, such as (seed, shard, purpose, step) or ("draw", seed, tile).
So results do not depend on the number of workers, the order of shards, or how rows are grouped
(NumPy's SeedSequence mixes the key, its length included).
"""

from zlib import crc32

import numpy as np
import torch

__all__ = ["stream"]


def stream(*key: int | str) -> torch.Generator:
    """A random stream that depends on its key alone.

    >>> import torch
    >>> a, b = (torch.randn(3, generator=stream(1, 2)) for _ in range(2))
    >>> bool((a == b).all())
    True
    """
    numbers = [crc32(part.encode()) if isinstance(part, str) else part for part in key]
    state = int(np.random.SeedSequence([len(key), *numbers]).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state >> 1)
