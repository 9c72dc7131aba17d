"""Where and when shards are learned makes no difference: workers, order, crashes, engines."""

import hashlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locality import Execution, LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.exceptions import OptionError
from locality.store.arrays import to_bytes
from locality.store.ledger import FileLedger
from locality.training import trainer as trainer_module
from locality.training.executors import Inline, Processes, executor, one_thread

ROWS = DoubleWellChain(70).sample(300, 0)
MANY_ROWS = DoubleWellChain(160).sample(300, 0)  # of five shards
_MOMENTS = 7  # of a shard and its line in the log


def fitted(**parameters: Any) -> LocalizedDiffusion:
    options = {"graph": "chain", "radius": 1, "n_steps": 60, "random_state": 0}
    where = {name: parameters.pop(name) for name in ("n_jobs", "engine") if name in parameters}
    return LocalizedDiffusion(**(options | parameters), execution=Execution(**where))


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


def test_bits_do_not_depend_on_the_order(truth: list[str]) -> None:
    assert hashes(fitted(engine=_Backwards()).fit(ROWS)) == truth


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


def brief() -> LocalizedDiffusion:
    return fitted(n_steps=20, gaussianize=False)


_FIT = """
import runpy
from pathlib import Path
from locality import Execution, LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain
work = Path({work!r})
runpy.run_path({dying!r})["die_at"]({moment}, work)
LocalizedDiffusion(
    graph="chain", radius=1, n_steps=20, gaussianize=False, random_state=0,
    execution=Execution(n_jobs=2),
).fit(DoubleWellChain(160).sample(300, 0), work=work)
"""

_SLEEP_FOR_EVER = """
import os, signal
from locality.training.executors import Processes

def asleep(number):
    pipe = os.open({pipe!r}, os.O_WRONLY)  # held until the process ends
    os.write(pipe, b"x")
    signal.alarm(600)  # not even a failed test leaves it behind
    signal.pause()

list(Processes(2).map(asleep, range(2)))
"""


def _killed_with_workers(moment: int, work: Path, guard: float = 120.0) -> bool:
    """The same with two workers, in a process of its own: a fork would inherit those of others."""
    dying = Path(__file__).parents[1] / "dying.py"
    script = _FIT.format(work=str(work), dying=str(dying), moment=moment)
    status = subprocess.run([sys.executable, "-c", script], timeout=guard, check=False).returncode
    assert status in (0, -signal.SIGKILL)
    return status != 0


@pytest.mark.parametrize(
    ("moments", "n_jobs"),
    [
        (range(1, _MOMENTS + 1), 1),
        pytest.param([n for n in range(1, 36) for _ in range(5)], 1, marks=pytest.mark.slow),
        pytest.param(range(1, 11), 2, marks=pytest.mark.slow),
    ],
    ids=["once", "often", "workers"],
)
def test_killed_and_resumed_is_the_same_model(
    tmp_path: Path, killed_at: Callable[..., bool], moments: Iterable[int], n_jobs: int
) -> None:
    """Killed at every moment of a shard's way to the disk; what was finished is whole and stays."""
    work, truth = tmp_path / "work", hashes(brief().fit(MANY_ROWS))
    finished = [0]
    for moment in moments:
        if n_jobs == 1:
            killed = killed_at(moment, work, lambda: brief().fit(MANY_ROWS, work=work))
        else:
            killed = _killed_with_workers(moment, work)
        ledger = FileLedger(work)
        assert all(ledger.get(file.stem) is not None for file in work.glob("*.shard"))
        finished.append(len(ledger))
        assert finished[-1] >= finished[-2]
        if not killed:  # all was finished: from the beginning
            assert finished[-1] == 5
            shutil.rmtree(work)
            finished.append(0)
    assert max(finished) > 1
    assert finished[-1] > 0
    resumed = brief().fit(MANY_ROWS, work=work)
    assert hashes(resumed) == truth


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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_workers_end_with_a_killed_driver(tmp_path: Path) -> None:
    """They would work on for nobody, and a resumed fit would share the cores with them."""
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    script = _SLEEP_FOR_EVER.format(pipe=str(tmp_path / "pipe"))
    driver = subprocess.Popen([sys.executable, "-c", script])

    def told() -> bytes:
        assert select.select([pipe], [], [], 120)[0], "nothing was heard of the workers for 120 s"
        return os.read(pipe, 2)

    workers = told()
    while len(workers) < 2:
        workers += told()
    driver.kill()
    driver.wait()
    assert told() == b""  # nobody is left who could write
    os.close(pipe)


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


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
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
    form += r"\d+ networks \([0-9a-f]{12}\)$"
    assert sorted(re.match(form, line).group(1) for line in lines) == ["0", "1", "2"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("layout", "n_samples", "n_series"),
    [
        pytest.param({}, 700, 1, marks=pytest.mark.slow),
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
        execution=Execution(n_jobs=3),
        progress=lambda _, done, total: told.append((done, total)),
        **options,
    )
    np.testing.assert_array_equal(one, more)
    assert told[-1][0] == told[-1][1] > 1
