"""Models that differ in one shard, and what a writer asks of the system."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locality.model.model import Model


@pytest.fixture
def another(table_model: Model) -> Callable[[float], Model]:
    """The stored model with other held-out nats in its last shard."""

    def changed(amount: float) -> Model:
        last = table_model.shards[-1]
        other = replace(last, held_out=np.full(len(last.target), amount))
        return table_model.with_shards((*table_model.shards[:-1], other))

    return changed


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """Flushes, changes of names and deletions, in their order; a new name is told."""
    found: list[tuple[str, Path]] = []
    place: Callable[[Any], Path] = {
        "fsync": lambda descriptor: Path(os.readlink(f"/proc/self/fd/{descriptor}")),
        "unlink": Path,
    }.get

    def spy(name: str) -> None:
        call = getattr(os, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            where = place(name, lambda *names: Path(names[-1]))(*args)
            result = call(*args, **kwargs)
            found.append((name, where))
            return result

        monkeypatch.setattr(os, name, wrapped)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not tell what a descriptor is of")
    for name in ("fsync", "replace", "unlink"):
        spy(name)
    return found
