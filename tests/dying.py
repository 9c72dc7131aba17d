"""Processes that are killed in time, at every moment of what they write."""

import builtins
import io
import os
import signal
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

LAST_RESORT = 120.0  # seconds after which a process that should have died has hung


def die_at(moment: int, folder: Path) -> None:
    """Have this process kill itself, as ``kill -9`` does, at a moment of what it writes.

    Moments are numbered from 1. They follow everything that changes how ``folder`` looks to others:
    a file or folder was made, renamed or deleted, and half of a write or all of it is done. Between
    two of them a process may die at any time and leave the same behind.
    """
    left = moment

    def happened(*paths: Any) -> None:
        nonlocal left
        if any(Path(path).is_relative_to(folder) for path in paths):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*paths: Any, **options: Any) -> Any:
            result = call(*paths, **options)
            happened(*(path for path in paths if isinstance(path, (str, Path))))
            return result

        return wrapped

    class Halved(io.FileIO):
        def write(self, data: Any) -> int:
            data = memoryview(data).cast("B")
            half = super().write(data[: len(data) // 2])
            happened(self.name)
            done = half + super().write(data[half:])
            happened(self.name)
            return done

    opened = builtins.open

    def opening(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        kind = mode.strip("bt")
        if kind not in "wxa" or not Path(file).is_relative_to(folder):
            return opened(file, mode, *args, **options)
        stream = io.BufferedWriter(Halved(file, kind))
        happened(file)
        return stream if "b" in mode else io.TextIOWrapper(stream, **options)

    for name in ("mkdir", "rename", "replace", "rmdir", "unlink"):
        setattr(os, name, watched(getattr(os, name)))
    builtins.open = opening


def _die(moment: int, folder: Path, work: Callable[[], object]) -> None:
    die_at(moment, folder)
    work()


def killed_in(moment: int, folder: Path, work: Callable[[], object]) -> bool:
    """Whether a process that did this work was killed at that moment, or ended before."""
    process = get_context("fork").Process(target=_die, args=(moment, folder, work))
    process.start()
    process.join(LAST_RESORT)
    if process.is_alive():
        process.kill()
        pytest.fail(f"after {LAST_RESORT:.0f} s moment {moment} had not come")
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.fixture
def killed_at() -> Callable[[int, Path, Callable[[], object]], bool]:
    return killed_in


@pytest.fixture
def kill_writers() -> Callable[[Callable[[Path, int], None], Path, Iterable[int]], int]:
    """Start a writer again and again, and kill it at these moments.

    After every kill all versions are whole, one is served, and the first is still there. Returns
    the highest version number that was seen.
    """

    from locality.store.garbage import collect_garbage
    from locality.store.store import load_model
    from locality.store.versions import list_versions

    def kill(write: Callable[[Path, int], None], folder: Path, moments: Iterable[int]) -> int:
        highest = 1
        for seed, moment in enumerate(moments):
            assert killed_in(moment, folder, partial(write, folder, seed))
            versions = list_versions(folder)
            assert sum(version.served for version in versions) == 1
            assert versions[0].number == 1
            for version in versions:
                load_model(folder, version.number)
            highest = max(highest, versions[-1].number)
        collect_garbage(folder)
        assert not [f for f in folder.rglob("*") if f.name.endswith(".part")]
        return highest

    return kill
