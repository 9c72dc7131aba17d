"""The ledger gives back what it got, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from locality.exceptions import OutputExists
from locality.model.model import Model
from locality.store.groups import to_bytes
from locality.store.ledger import FileLedger, has_progress, is_ledger
from locality.store.store import save_model


def test_the_ledger_gives_back_what_it_got_and_nothing_broken(
    table_model: Model, tmp_path: Path
) -> None:
    ledger = FileLedger(tmp_path / "work")
    shard = table_model.shards[0]
    assert ledger.get("a" * 64) is None
    ledger.put("a" * 64, shard)
    found = ledger.get("a" * 64)
    assert found is not None
    assert to_bytes(found.arrays()) == to_bytes(shard.arrays())
    assert len(ledger) == 1
    (file,) = (tmp_path / "work").glob("*.shard")
    file.write_bytes(file.read_bytes()[:-9])
    assert ledger.get("a" * 64) is None
    assert "components" in (tmp_path / "work" / "log.txt").read_text()


def test_a_flipped_bit_in_the_ledger_is_found(table_model: Model, tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path / "work")
    ledger.put("b" * 64, table_model.shards[0])
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
    FileLedger(work).put("c" * 64, table_model.shards[0])
    assert is_ledger(work)
    assert has_progress(work)
    (work / "data.txt").write_text("precious")
    assert not is_ledger(work)
    with pytest.raises(OutputExists):
        save_model(table_model, tmp_path, overwrite=True)
    assert (work / "data.txt").read_text() == "precious"
