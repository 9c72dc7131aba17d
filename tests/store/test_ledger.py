"""The ledger gives back what it got, and nothing else."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locality.exceptions import DataError, ModelCorrupt, OutputExists
from locality.model.model import Model
from locality.store.arrays import to_bytes
from locality.store.ledger import FileLedger, has_progress, is_ledger
from locality.store.store import load_model, save_model


def test_the_ledger_gives_back_what_it_got_and_nothing_broken(
    table_model: Model, tmp_path: Path
) -> None:
    ledger = FileLedger(tmp_path / "work")
    shard = table_model.shards[0].arrays()
    assert ledger.get("a" * 64) is None
    ledger.put("a" * 64, shard)
    found = ledger.get("a" * 64)
    assert found is not None
    assert to_bytes(found) == to_bytes(shard)
    assert len(ledger) == 1
    (file,) = (tmp_path / "work").glob("*.shard")
    file.write_bytes(file.read_bytes()[:-9])
    assert ledger.get("a" * 64) is None
    assert " finished (aaaa" in (tmp_path / "work" / "log.txt").read_text()


def test_a_flipped_bit_in_the_ledger_is_found(table_model: Model, tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path / "work")
    ledger.put("b" * 64, table_model.shards[0].arrays())
    (file,) = (tmp_path / "work").glob("*.shard")
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 200).tolist():
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(flipped)
        assert ledger.get("b" * 64) is None
    file.write_bytes(content)
    assert ledger.get("b" * 64) is not None


def test_only_progress_is_taken_for_progress(table_model: Model, tmp_path: Path) -> None:
    work = tmp_path / "work"
    FileLedger(work).put("c" * 64, table_model.shards[0].arrays())
    assert is_ledger(work)
    assert has_progress(work)
    (work / "data.txt").write_text("precious")
    assert not is_ledger(work)
    with pytest.raises(OutputExists):
        save_model(table_model, tmp_path, overwrite=True)
    assert (work / "data.txt").read_text() == "precious"


def test_an_entry_that_is_no_shard_is_no_entry(table_model: Model, tmp_path: Path) -> None:
    """Whatever is in the file, and however well its digest fits."""
    ledger, key = FileLedger(tmp_path / "work"), "d" * 64
    shard = table_model.shards[0].arrays()
    for arrays in (shard | {"more": np.zeros(1)}, shard | {"shrinkage": shard["shrinkage"] + 2}):
        data = to_bytes(arrays)
        (tmp_path / "work" / f"{key}.shard").write_bytes(hashlib.sha256(data).digest() + data)
        assert ledger.get(key) is None
    for content in (b"", b"short", hashlib.sha256(b"text").digest() + b"text"):
        (tmp_path / "work" / f"{key}.shard").write_bytes(content)
        assert ledger.get(key) is None


def test_an_entry_is_on_disk_when_it_has_its_name(
    table_model: Model, tmp_path: Path, asked: list[tuple[str, Path]]
) -> None:
    work = tmp_path / "work"
    FileLedger(work).put("e" * 64, table_model.shards[0].arrays())
    (i,) = (i for i, (name, _) in enumerate(asked) if name == "replace")
    assert asked[i] == ("replace", work / f"{'e' * 64}.shard")
    assert asked[i - 1][0] == "fsync"
    assert asked[i - 1][1].name.endswith(".part")
    assert asked[i + 1] == ("fsync", work)


def test_a_failed_write_is_told_and_leaves_nothing(
    table_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="file cannot be written"):
        FileLedger(tmp_path / "file")
    ledger = FileLedger(tmp_path / "deep" / "work")

    def full(*names: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="work cannot be written: No space left on device"):
        ledger.put("f" * 64, table_model.shards[0].arrays())
    assert list(ledger.folder.iterdir()) == []
    assert len(ledger) == 0
    assert not has_progress(ledger.folder)


def test_an_unfinished_fit_may_be_begun_again(table_model: Model, tmp_path: Path) -> None:
    """Nothing but progress is there: it is replaced on request, and by itself no model."""
    folder = tmp_path / "model"
    assert not is_ledger(folder / "work")
    FileLedger(folder / "work").put("a" * 64, table_model.shards[0].arrays(), "shard 1 of 2")
    for name in ("log.txt.bak", "a.shard", f"{'A' * 64}.shard", ".part"):
        (folder / "work" / name).write_text("precious")
        assert not is_ledger(folder / "work")
        (folder / "work" / name).unlink()
    (folder / "work" / f".{'0' * 16}.part").write_text("torn")
    assert is_ledger(folder / "work")
    (line,) = (folder / "work" / "log.txt").read_text().splitlines()
    assert line.endswith(f" shard 1 of 2 ({'a' * 12})")
    with pytest.raises(ModelCorrupt, match="unfinished fit"):
        load_model(folder)
    with pytest.raises(OutputExists, match="unfinished fit"):
        save_model(table_model, folder)
    (folder / "notes").write_text("precious")
    with pytest.raises(OutputExists, match="no manifest"):
        save_model(table_model, folder, overwrite=True)
    (folder / "notes").unlink()
    save_model(table_model, folder, overwrite=True)
    load_model(folder)
