"""Where and when shards are learned makes no difference: workers, order, crashes, engines."""

import hashlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.exceptions import OptionError
from locality.store.groups import to_bytes
from locality.training import trainer as trainer_module
from locality.training.executors import Inline, Processes, executor, one_thread

ROWS = DoubleWellChain(70).sample(300, 0)
MANY_ROWS = DoubleWellChain(256).sample(300, 0)  # of eight shards


def fitted(**parameters: Any) -> LocalizedDiffusion:
    options = {"graph": "chain", "radius": 1, "n_steps": 60, "random_state": 0}
    return LocalizedDiffusion(**(options | parameters))


def hashes(model: LocalizedDiffusion) -> list[str]:
    return [hashlib.sha256(to_bytes(shard.arrays())).hexdigest() for shard in model.model_.shards]


@pytest.fixture(scope="module")
def truth() -> list[str]:
    found = hashes(fitted().fit(ROWS))
    assert len(found) == 3
    return found


@pytest.mark.parametrize(("n_jobs", "engine"), [(2, "auto"), (4, "processes"), (3, "inline")])
def test_bits_do_not_depend_on_workers(truth: list[str], n_jobs: int, engine: str) -> None:
    assert hashes(fitted(n_jobs=n_jobs, engine=engine).fit(ROWS)) == truth


class _Backwards:
    """An executor that works on the last item first."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[int, Any]]:
        for number, item in reversed(list(enumerate(items))):
            with one_thread():  # as every executor
                result = function(item)
            yield number, result


def test_bits_do_not_depend_on_the_order(truth: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locality.estimator.options.executor", lambda *_: _Backwards())
    assert hashes(fitted().fit(ROWS)) == truth


@pytest.mark.parametrize("how", [Inline(), Processes(2)])
def test_items_are_made_when_workers_are_free(how: Any) -> None:
    made = []

    def items() -> Iterator[float]:
        for number in range(40):
            made.append(number)
            yield float(number)

    results = how.map(abs, items())
    next(results)
    assert len(made) < 20
    assert len(list(results)) == 39
    assert len(made) == 40


def test_engines_are_named() -> None:
    assert isinstance(executor(1), Inline)
    assert isinstance(executor(3), Processes)
    assert isinstance(executor(3, "inline"), Inline)
    with pytest.raises(OptionError, match="ray:ADDRESS"):
        executor(2, "spark")
    with pytest.raises(OptionError, match="engine"):
        fitted(engine="spark").fit(ROWS)


_FIT = """
from pathlib import Path
from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain
LocalizedDiffusion(graph="chain", radius=1, n_steps=60, random_state=0, n_jobs={n_jobs}).fit(
    DoubleWellChain(256).sample(300, 0), work={work!r}
)
(Path({work!r}) / "done").touch()
"""

_SLEEP_FOR_EVER = """
import os, time
from pathlib import Path
from locality.training.executors import Processes

def asleep(number):
    (Path({folder!r}) / str(os.getpid())).touch()
    time.sleep(600)

list(Processes(2).map(asleep, range(2)))
"""


def _python(script: str) -> subprocess.Popen[bytes]:
    """A process of its own: a fork would inherit the workers of other tests."""
    return subprocess.Popen([sys.executable, "-c", script])


def _fit(work: Path) -> None:
    fitted().fit(MANY_ROWS, work=work)
    (work / "done").touch()


def _kill_at_random(work: Path, n_kills: int, n_jobs: int, seed: int) -> list[int]:
    """Start a fit again and again, and kill it; numbers of finished shards after each kill.

    Once a fit has ended its progress is forgotten, so that all kills hit fits that are under way.
    """
    rng = np.random.default_rng(seed)
    finished, kills = [0], 0
    while kills < n_kills:
        if n_jobs == 1:  # quick to start
            forked = get_context("fork").Process(target=_fit, args=(work,))
            forked.start()
            forked.join(float(rng.uniform(0.2, 1.2)))
            process: Any = forked._popen
        else:
            process = _python(_FIT.format(n_jobs=n_jobs, work=str(work)))
            while process.poll() is None and _n_finished(work) <= finished[-1]:
                time.sleep(0.02)  # a busy machine takes its time to start
            time.sleep(float(rng.uniform(0.0, 1.5)))
        if process.poll() is None:
            process.kill()
            process.wait()
            kills += 1
        assert process.poll() in (0, -signal.SIGKILL)
        if (work / "done").exists():
            shutil.rmtree(work)
            finished.append(0)
        else:
            finished.append(_n_finished(work))
    return finished


def _n_finished(work: Path) -> int:
    return len(list(work.glob("*.shard")))


@pytest.mark.parametrize(
    ("n_kills", "n_jobs"),
    [
        (20, 1),
        pytest.param(200, 1, marks=pytest.mark.slow),
        pytest.param(10, 2, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_is_the_same_model(tmp_path: Path, n_kills: int, n_jobs: int) -> None:
    """Killed at random moments; what was finished stays, and the end is that of a quiet fit."""
    work = tmp_path / "work"
    finished = _kill_at_random(work, n_kills, n_jobs, seed=n_kills + n_jobs)
    assert max(finished) > 0
    assert all(b >= a or b == 0 for a, b in pairwise(finished))
    resumed = fitted().fit(MANY_ROWS, work=work)
    assert hashes(resumed) == hashes(fitted().fit(MANY_ROWS))


def test_finished_shards_are_not_worked_on_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, truth: list[str]
) -> None:
    work = tmp_path / "work"
    fitted().fit(ROWS, work=work)
    files = sorted(work.glob("*.shard"))
    assert len(files) == 3
    files[0].write_bytes(files[0].read_bytes()[:-1])
    worked = []
    real = trainer_module.fit_shard

    def counting(task: Any) -> Any:
        worked.append(task.key)
        return real(task)

    monkeypatch.setattr(trainer_module, "fit_shard", counting)
    again = fitted().fit(ROWS, work=work)
    assert hashes(again) == truth
    assert len([key for key in worked if key[0] == again.seed_]) == 1  # the damaged one
    other = fitted(random_state=1).fit(ROWS, work=work)
    assert len([key for key in worked if key[0] == other.seed_]) == 3


def _is_there(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_workers_end_with_a_killed_driver(tmp_path: Path) -> None:
    """They would work on for nobody, and a resumed fit would share the cores with them."""
    driver = _python(_SLEEP_FOR_EVER.format(folder=str(tmp_path)))
    until = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    workers = [int(file.name) for file in tmp_path.iterdir()]
    assert len(workers) == 2
    assert all(_is_there(worker) for worker in workers)
    driver.kill()
    driver.wait()
    until = time.monotonic() + 20
    while any(_is_there(worker) for worker in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(_is_there(worker) for worker in workers)


@pytest.mark.parametrize("how", [Inline(), Processes(2)])
def test_items_that_cannot_be_made_end_it(how: Any) -> None:
    """No waiting for ever: items are asked for by another thread than takes the results."""

    def items() -> Iterator[float]:
        yield from range(9)
        raise ZeroDivisionError("the tenth")

    with pytest.raises(ZeroDivisionError, match="the tenth"):
        list(how.map(abs, items()))


class _Watch:
    """A progress that wants to know what shards are worth."""

    def __init__(self) -> None:
        self.told: list[tuple[int, float, bool]] = []
        self.done: list[int] = []

    def finished(self, nats: Any, seconds: float | None) -> None:
        self.told.append((len(nats), float(nats.sum()), seconds is None))

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.done.append(done)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_and_log_tell_nats_and_seconds(tmp_path: Path, n_jobs: int) -> None:
    first, again = _Watch(), _Watch()
    model = fitted(n_jobs=n_jobs).fit(ROWS, work=tmp_path, progress=first)
    assert first.done == [1, 2, 3]
    assert sum(n for n, _, _ in first.told) == 70
    mean = sum(nats for _, nats, _ in first.told) / 70
    assert mean == pytest.approx(model.held_out_nats_.mean())
    assert not any(known for _, _, known in first.told)
    fitted(n_jobs=n_jobs).fit(ROWS, work=tmp_path, progress=again)
    assert again.done == [1, 2, 3]
    assert sorted(again.told) == sorted((n, nats, True) for n, nats, _ in first.told)
    lines = (tmp_path / "log.txt").read_text().splitlines()
    form = r"\d{4}-\d\d-\d\dT[\d:]{8}Z shard (\d), [\d.]+ s: \d+ components, -?[\d.]+ nats each, "
    assert sorted(re.match(form, line).group(1) for line in lines) == ["0", "1", "2"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("layout", "n_samples", "n_series"),
    [
        ({}, 700, 1),
        ({"lags": 1}, 120, 40),
        ({"lags": 1, "series": "joint"}, 120, 40),
        ({"tied": True}, 600, 1),
    ],
    ids=["table", "causal", "joint", "lattice"],
)
def test_drawn_bits_do_not_depend_on_workers(
    layout: dict[str, Any], n_samples: int, n_series: int
) -> None:
    """Several tiles each."""
    rows = OrnsteinUhlenbeckChain(16, correlation=0.7).sample(120, random_state=0)
    model = LocalizedDiffusion(graph="ring", radius=1, denoiser="linear", random_state=0, **layout)
    model.fit(rows)
    options = {"n_samples": n_samples, "n_series": n_series, "n_evaluations": 4}
    told: list[tuple[int, int]] = []
    one = model.sample(**options)
    more = model.sample(
        n_jobs=3, progress=lambda _, done, total: told.append((done, total)), **options
    )
    np.testing.assert_array_equal(one, more)
    assert told[-1][0] == told[-1][1] > 1
