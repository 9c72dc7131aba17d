"""A judge of rows that arrive in chunks: the same bits as at once, whatever happens between."""

import hashlib
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.estimator.judge import Judge
from locality.exceptions import DataError, LocalityError, ModelCorrupt, OptionError
from locality.store.arrays import from_bytes, to_bytes

D, N = 6, 90
CHAIN = OrnsteinUhlenbeckChain(D, 0.7)


def wrong(n: int, seed: int) -> NDArray[np.float64]:
    """Rows with gaps, a whole row missing, a fault that lasts, a spike, and a drift."""
    x = CHAIN.sample(n, seed)
    x[20:30, 2] += 8.0
    x[40, 4] -= 9.0
    x[50:, 1] += np.linspace(0, 4, n - 50)
    gaps = np.random.default_rng(seed).random(x.shape) < 0.1
    gaps[15] = gaps[25:28, 3] = True
    return np.where(gaps, np.nan, x)


def timed(rows: NDArray[np.float64], start: str = "2024-01-01") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[f"s{j}" for j in range(rows.shape[1])])
    return frame.assign(when=pd.date_range(start, periods=len(rows), freq="min"))


def _fit(kind: str) -> LocalizedDiffusion:
    options: dict[str, Any] = {"graph": "chain", "denoiser": "linear", "random_state": 0}
    if kind == "table":  # rows in no order: nothing is remembered
        return LocalizedDiffusion(**options).fit(CHAIN.sample(500, 0))
    if kind == "series":
        return LocalizedDiffusion(**options, lags=2).fit(CHAIN.sample(500, 0))
    if kind == "timed":
        return LocalizedDiffusion(**options, time="when").fit(timed(CHAIN.sample(500, 0)))
    model = LocalizedDiffusion(**options, tied=True).fit(CHAIN.sample(300, 0))
    return model.calibrate(CHAIN.sample(300, 1))


KINDS = ["table", "series", "timed", "lattice"]
_FITTED: dict[str, LocalizedDiffusion] = {}


def fitted(kind: str) -> LocalizedDiffusion:
    if kind not in _FITTED:
        _FITTED[kind] = _fit(kind)
    return _FITTED[kind]


def rows_for(kind: str, seed: int = 5) -> Any:
    rows = wrong(N, seed)
    return timed(rows) if kind == "timed" else rows


def numbers(found: Any) -> dict[str, NDArray[Any]]:
    names = ("alarm", "log_p", "share", "moved", "sensor_p_value")
    return {name: np.asarray(getattr(found, name)) for name in names}


def same_bits(parts: list[Any], whole: Any) -> None:
    for name, array in numbers(whole).items():
        together = np.concatenate([numbers(part)[name] for part in parts])
        np.testing.assert_array_equal(together, array, err_msg=name)


@pytest.mark.parametrize("promise", [0.05, "1 per 50 rows"])
@pytest.mark.parametrize("kind", KINDS)
def test_chunks_do_not_change_a_bit(kind, promise) -> None:
    """One row at a time, pieces of odd lengths, and none: alarms, blame, all that is told."""
    model, x = fitted(kind), rows_for(kind)
    whole = model.detect(x, false_alarms=promise)
    assert whole.alarm[20:30].any()
    for cuts in (range(12, 36), [0, 1, 14, 16, 16, 26, 63, 64, 65]):
        judge, bounds = model.judge(promise), [0, *cuts, N]
        parts = [judge.update(x[a:b]) for a, b in pairwise(bounds)]
        assert judge.n_rows == N
        same_bits(parts, whole)


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_where_it_was_saved(kind, tmp_path: Path) -> None:
    model, x = fitted(kind), rows_for(kind)
    whole = model.detect(x, false_alarms="1 per 60 rows")
    for at in (0, 16, 26):
        judge, folder = model.judge("1 per 60 rows"), tmp_path / str(at)
        first = judge.update(x[:at])
        judge.save(folder)
        again = Judge.load(folder)
        assert (again.n_rows, str(again.promise)) == (at, str(judge.promise))
        middle = again.update(x[at:80])
        again.save(folder)  # in place of the other, and the model stays
        same_bits([first, middle, Judge.load(folder).update(x[80:])], whole)
    assert sorted(f.name for f in folder.iterdir()) == ["model", "state"]


def test_a_table_without_time_remembers_nothing() -> None:
    """Rows are judged as if each were alone, whatever was before."""
    model = fitted("table")
    x = rows_for("table")
    judge = model.judge()
    judge.update(100.0 * np.abs(rows_for("table", 7)))
    assert judge._stream.memory.signed.shape == (1, D)
    alone = model.detect(x)
    after = judge.update(x)
    np.testing.assert_array_equal(after.log_p, alone.log_p)
    np.testing.assert_array_equal(after.share, alone.share)
    judge = fitted("timed").judge()
    judge.update(timed(100.0 * np.abs(CHAIN.sample(40, 7)), "2023-01-01"))
    assert (judge.update(timed(x)).log_p[:5] < fitted("timed").detect(timed(x)).log_p[:5]).all()


def test_rows_that_are_refused_leave_no_trace() -> None:
    """Out of order, of other columns, without context: the judge goes on as if never asked."""
    model, x = fitted("timed"), rows_for("timed")
    judge = model.judge()
    first = judge.update(x[:40])
    before = to_bytes(judge._stream.arrays())
    for bad in (x[:40], x[39:50], x[40:60].iloc[::-1], x[40:].drop(columns="s2"),
                x[40:].assign(s1="a")):  # fmt: skip
        with pytest.raises((DataError, ValueError)):  # scikit-learn's for other columns
            judge.update(bad)
        assert to_bytes(judge._stream.arrays()) == before
    with pytest.raises(DataError, match=r"'when' begins at .*00:39.*up to .*00:39.*later rows"):
        judge.update(x[39:50])
    assert judge.update(x[40:40]).alarm.shape == (0,)
    same_bits([first, judge.update(x[40:])], model.detect(x))


def test_the_time_of_the_last_row_is_kept_with_the_state(tmp_path: Path) -> None:
    model, x = fitted("timed"), rows_for("timed")
    judge = model.judge()
    judge.update(x[:40])
    judge.save(tmp_path / "judge")
    again = Judge.load(tmp_path / "judge")
    with pytest.raises(DataError, match="judged already"):
        again.update(x[30:])
    numbered = x.assign(when=np.arange(float(N)))
    model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0, time="when")
    judge = model.fit(timed(CHAIN.sample(300, 0)).assign(when=np.arange(300.0))).judge()
    judge.update(numbered[:40])
    judge.save(tmp_path / "numbered")
    with pytest.raises(DataError, match=r"begins at 39, but rows up to 39 "):
        Judge.load(tmp_path / "numbered").update(numbered[39:])


def test_a_state_belongs_to_its_model(tmp_path: Path) -> None:
    model = fitted("series")
    judge = model.judge()
    judge.update(rows_for("series")[:30])
    judge.write_state(tmp_path / "state")
    other = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0, lags=2)
    other.fit(CHAIN.sample(500, 3))
    for stranger in (other, fitted("table")):
        fresh = stranger.judge()
        with pytest.raises(OptionError, match=r"another model.*Begin anew"):
            fresh.read_state(tmp_path / "state")
        assert fresh.n_rows == 0
    kept = model.judge()
    kept.read_state(tmp_path / "state")
    assert kept.n_rows == 30


def test_damaged_states_are_refused(tmp_path: Path) -> None:
    """Cut, lengthened, a bit turned; arrays that no state has, with a digest that is right."""
    judge = fitted("series").judge()
    judge.update(rows_for("series")[:30])
    file = tmp_path / "judge" / "state"
    judge.save(file.parent)
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    damaged = [whole[:n] for n in (0, 1, 31, 32, 33, len(whole) // 2, len(whole) - 1)]
    damaged.append(whole + b"\0")
    for place in rng.integers(len(whole), size=30).tolist():
        turned = bytearray(whole)
        turned[place] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(turned))

    def forged(change: Callable[[dict[str, Any]], Any]) -> bytes:
        arrays = from_bytes(whole[32:])
        change(arrays)
        content = to_bytes(arrays)
        return hashlib.sha256(content).digest() + content

    damaged += [
        forged(lambda a: a.pop("window.rows")),
        forged(lambda a: a.pop("promise")),
        forged(lambda a: a.update(promise=np.zeros(3))),
        forged(lambda a: a.update({"in_alarm": np.zeros(0, dtype=bool)})),
        hashlib.sha256(b"no arrays").digest() + b"no arrays",
    ]
    for data in damaged:
        file.write_bytes(data)
        with pytest.raises(ModelCorrupt, match="state"):
            Judge.load(file.parent)
    file.write_bytes(whole)
    assert Judge.load(file.parent).n_rows == 30
    file.unlink()
    with pytest.raises(DataError, match=r"holds no state of a judge.*Judge\.save"):
        Judge.load(file.parent)
    with pytest.raises(DataError, match="cannot be read"):
        judge.read_state(file)


def _judged_on(folder: Path, rows: Any) -> None:
    judge = Judge.load(folder)
    judge.update(rows)
    judge.save(folder)


def test_killed_between_chunks_it_goes_on_from_before_or_after(
    tmp_path: Path, killed_at: Callable[[int, Path, Callable[[], object]], bool]
) -> None:
    """At every moment of a save the folder holds the state of 30 or of 60 rows, all of it."""
    model, x = fitted("series"), rows_for("series")
    judge = model.judge()
    judge.update(x[:30])
    judge.save(tmp_path / "start")
    expected = {30: model.detect(x).log_p[30:], 60: model.detect(x).log_p[60:]}
    seen, moment = [], 1
    while True:
        folder = Path(shutil.copytree(tmp_path / "start", tmp_path / "work"))
        killed = killed_at(moment, folder, lambda folder=folder: _judged_on(folder, x[30:60]))
        again = Judge.load(folder)
        seen.append(again.n_rows)
        np.testing.assert_array_equal(again.update(x[seen[-1] :]).log_p, expected[seen[-1]])
        shutil.rmtree(folder)
        if not killed:
            break
        moment += 1
    assert moment > 4
    assert set(seen) == {30, 60}
    assert sorted(seen) == seen


def test_a_model_that_does_not_know_normal_rows_judges_none() -> None:
    few = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0)
    with pytest.raises(LocalityError, match=r"how normal rows look.*--normal"):
        few.fit(CHAIN.sample(20, 0)).judge()
    with pytest.raises(OptionError, match="share between 0 and 1"):
        fitted("series").judge(0.0)
