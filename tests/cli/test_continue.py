"""A stream judged call by call: as if all rows were one table, whatever dies in between."""

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from locality import LocalizedDiffusion

Cli = Callable[..., Any]
CHUNKS = (slice(0, 23), slice(23, 24), slice(24, 60))
RATE = ("--false-alarms", "1 per 30 days")


@pytest.fixture
def rows(fitted: Path) -> pd.DataFrame:
    frame = pd.read_csv(fitted / "new.csv")
    frame.loc[20:29, "flow"] += 120.0  # across the first two borders
    return frame


@pytest.fixture
def chunks(rows: pd.DataFrame, tmp_path: Path) -> list[Path]:
    rows.to_csv(tmp_path / "whole.csv", index=False)
    paths = [tmp_path / f"chunk{k}.csv" for k in range(len(CHUNKS))]
    for path, part in zip(paths, CHUNKS, strict=True):
        rows[part].to_csv(path, index=False)
    return paths


def done(result: Any) -> Any:
    assert result.code == 0, result.out + result.err
    return result


def refused(result: Any, *words: str) -> None:
    assert result.code == 2, result.out + result.err
    for word in words:
        assert word in result.message


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def together(paths: list[Path]) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


@pytest.mark.parametrize("rate", [(), ("--false-alarms", "0.05"), RATE])
def test_chunks_give_the_bits_of_the_whole(
    cli: Cli, fitted: Path, chunks: list[Path], tmp_path: Path, rate: tuple[str, ...]
) -> None:
    """In order, of any size, beside the first version and with rows of one's own for normal."""
    model, normal = fitted / "plant.locality", ("--normal", fitted / "plant.csv", "--anchor")
    whole, state = tmp_path / "whole.parquet", tmp_path / "stream"
    done(cli("detect", model, tmp_path / "whole.csv", "-o", whole, *normal, *rate))
    outputs = []
    for k, chunk in enumerate(chunks):
        outputs.append(tmp_path / f"alarms{k}.parquet")
        told = rate if k != 2 else ()  # goes on by itself
        call = ("detect", model, chunk, "-o", outputs[-1], "--continue", state, *normal, *told)
        result = done(cli(*call))
    assert "stream goes on after 60 rows" in result.out.replace("\n", " ")
    assert "without the rows before this table" in result.out or "Nothing" in result.out
    pd.testing.assert_frame_equal(together(outputs), pd.read_parquet(whole), check_exact=True)
    assert sorted(entry.name for entry in state.iterdir()) == ["anchor.60", "state"]


def test_python_and_the_command_line_share_a_state(
    cli: Cli, fitted: Path, chunks: list[Path], rows: pd.DataFrame, tmp_path: Path
) -> None:
    judge = LocalizedDiffusion.load(fitted / "plant.locality").judge()
    judge.update(rows[CHUNKS[0]])
    judge.save(tmp_path / "stream")
    call = ("detect", fitted / "plant.locality", chunks[1], "-o", tmp_path / "alarms.parquet")
    done(cli(*call, "--continue", tmp_path / "stream"))
    log_p = judge.update(rows[CHUNKS[1]]).log_p
    assert (pd.read_parquet(tmp_path / "alarms.parquet")["log_p"] == log_p).all()


def test_what_does_not_follow_is_refused_and_the_state_stays(
    cli: Cli, fitted: Path, chunks: list[Path], rows: pd.DataFrame, tmp_path: Path
) -> None:
    model, state, output = fitted / "plant.locality", tmp_path / "stream", tmp_path / "a.csv"
    end = ("-o", output, "--overwrite", "--continue")
    done(cli("detect", model, chunks[0], *end, state))
    before = digest(state / "state"), digest(output)
    late = ("Column 'when' begins at 2024-05-01", "up to 2024-05-01 00:22 were judged already")
    refused(cli("detect", model, chunks[0], *end, state), "chunk0.csv", *late)
    refused(cli("detect", model, tmp_path / "whole.csv", *end, state), "whole.csv", *late)
    known = ("--normal", fitted / "plant.csv")
    other = ("--continue", "another model, or of another version", "same --normal rows")
    refused(cli("detect", model, chunks[1], *end, state, *known), *other)
    changed = rows.drop(columns=["site", "level in mm"])
    second = LocalizedDiffusion(time="when", denoiser="linear", random_state=0).fit(changed)
    second.save(tmp_path / "second")
    refused(cli("detect", tmp_path / "second", chunks[1], *end, state), *other)
    assert (digest(state / "state"), digest(output)) == before

    refused(cli("detect", model, chunks[1], *end, chunks[0]), "--continue", "is a file")
    refused(cli("detect", model, chunks[1], *end, model), "--continue", "'blobs' in it")
    refused(cli("detect", model, chunks[1], *end, tmp_path / "no" / "where"), "does not exist")
    content = bytearray((state / "state").read_bytes())
    content[100] ^= 1
    (state / "state").write_bytes(content)
    refused(cli("detect", model, chunks[1], *end, state), "stream/state is damaged")


def test_another_writer_is_noticed(
    cli: Cli, fitted: Path, chunks: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls at once would lose the rows of one."""
    from locality.cli import detect as module

    model, state, end = fitted / "plant.locality", tmp_path / "stream", ("--continue",)
    frame_of = module.frame_of

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(module, "frame_of", frame_of)
        done(cli("detect", model, chunks[0], "-o", tmp_path / "b.csv", *end, state))
        return frame_of(*arguments)

    monkeypatch.setattr(module, "frame_of", meanwhile)
    result = cli("detect", model, chunks[1], "-o", tmp_path / "a.csv", *end, state)
    refused(result, "Another call has written", "one call after the other")
    done(cli("detect", model, chunks[1], "-o", tmp_path / "c.csv", *end, state))


@pytest.mark.slow
def test_no_kill_loses_a_row(
    cli: Cli,
    fitted: Path,
    chunks: list[Path],
    killed_at: Callable[[int, Path, Callable[[], object]], bool],
    tmp_path: Path,
) -> None:
    """Killed fifty times and more, at every moment of what it writes, and called again each time.

    A call that is refused since its rows were judged already left its table complete.
    """
    model, folder = fitted / "plant.locality", tmp_path / "work"
    call = ("detect", model, tmp_path / "whole.csv", "-o", tmp_path / "whole.parquet", "--anchor")
    done(cli(*call))
    expected = pd.read_parquet(tmp_path / "whole.parquet")
    n_kills = 0
    for moment in itertools.count(1):
        base = folder / str(moment)
        base.mkdir(parents=True)
        outputs = [base / f"alarms{k}.parquet" for k in range(len(chunks))]
        was_killed = False
        for chunk, output in zip(chunks, outputs, strict=True):
            arguments = ("detect", model, chunk, "-o", output, "--overwrite", "--anchor")

            def work(arguments: Any = (*arguments, "--continue", base / "stream")) -> None:
                result = cli(*arguments)
                assert result.code == 0 or "were judged already" in result.message, result.err

            if killed_at(moment, base, work):
                was_killed, n_kills = True, n_kills + 1
                work()
        pd.testing.assert_frame_equal(together(outputs), expected, check_exact=True)
        assert not list((base / "stream").glob(".*.part"))
        if not was_killed:
            break
    assert n_kills >= 50
