"""A model comes back to the bit, and a folder is replaced whole or not at all."""

import errno
import hashlib
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locality.data import atomic
from locality.exceptions import DataError, LocalityError, ModelCorrupt, OutputExists
from locality.local.bound import BoundField
from locality.local.shard import ShardState
from locality.model.model import Model
from locality.model.record import record_of
from locality.model.settings import Settings
from locality.store.store import load_model, require_free, save_model

W1 = "network.weight.w1"


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder; hidden ones too."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def blob_files(folder: Path) -> list[Path]:
    return sorted((folder / "blobs").iterdir())


# -- round trip --------------------------------------------------------------------------------


def test_a_model_comes_back_to_the_bit(model: Model, tmp_path: Path) -> None:
    path = save_model(model, tmp_path / "model")
    description, groups = record_of(model)
    again_description, again_groups = record_of(load_model(path))
    assert again_description == description
    assert list(again_description["seconds"]) == list(description["seconds"])
    assert again_groups.keys() == groups.keys()
    for name, arrays in groups.items():
        for key, array in arrays.items():
            found = again_groups[name][key]
            assert (found.dtype, found.shape) == (array.dtype, array.shape)
            assert found.tobytes() == array.tobytes()
            if name != "graph" or key == "limits":  # torch takes no arrays that it cannot write
                assert found.flags.writeable
                assert found.flags.c_contiguous


def test_a_loaded_model_denoises_the_same(model: Model, tmp_path: Path) -> None:
    import torch

    extent = model.extent or ((6,) if model.layout.is_series else ())
    values = np.zeros((model.domain.n_nodes, *extent, 3), dtype=np.float32)
    y = torch.randn(
        len(model.domain.targets),
        int(np.prod(extent)) * 3,
        generator=torch.Generator().manual_seed(0),
    )
    again = load_model(save_model(model, tmp_path / "model"))
    mine, theirs = (BoundField(m.field, values).denoise(y, 0.7) for m in (model, again))
    assert torch.equal(mine, theirs)


def test_blobs_depend_on_learned_numbers_only(table_model: Model, tmp_path: Path) -> None:
    first = save_model(table_model, tmp_path / "first")
    slower = replace(table_model, seconds={"table": 99.0}, settings=Settings(seed=6))
    assert [f.name for f in blob_files(first)] == [
        f.name for f in blob_files(save_model(slower, tmp_path / "second"))
    ]
    shard = table_model.shards[1]
    other = replace(shard, covariance=np.nextafter(shard.covariance, 2))
    changed = table_model.with_shards((table_model.shards[0], other))
    third = save_model(changed, tmp_path / "third")
    shared = {f.name for f in blob_files(first)} & {f.name for f in blob_files(third)}
    assert len(shared) == len(blob_files(first)) - 1  # a new shard leaves the others as they are


def test_memory_layout_does_not_matter(table_model: Model, tmp_path: Path) -> None:
    def transposed(array: np.ndarray) -> np.ndarray:
        return np.repeat(np.asfortranarray(array), 2, axis=0)[::2]

    shards = tuple(
        ShardState.from_arrays({k: transposed(v) for k, v in shard.arrays().items()})
        for shard in table_model.shards
    )
    plain = save_model(table_model, tmp_path / "plain")
    odd = save_model(table_model.with_shards(shards), tmp_path / "odd")
    assert [f.name for f in blob_files(plain)] == [f.name for f in blob_files(odd)]


def test_a_blob_is_named_by_its_content(folder: Path) -> None:
    assert len(blob_files(folder)) == 3
    for file in blob_files(folder):
        assert file.name == f"{hashlib.sha256(file.read_bytes()).hexdigest()}.safetensors"


def test_what_cannot_be_read_again_is_not_written(table_model: Model, tmp_path: Path) -> None:
    shard = table_model.shards[0]
    w1 = np.full_like(shard.networks.weights["w1"], np.nan)
    diverged = ShardState.from_arrays(shard.arrays() | {W1: w1})
    broken = table_model.with_shards((diverged, table_model.shards[1]))
    with pytest.raises(ModelCorrupt, match=r"weight.w1' of group 'shard-00000'.*not finite"):
        save_model(broken, tmp_path / "model")
    assert os.listdir(tmp_path) == []


# -- what is not a model -----------------------------------------------------------------------


def test_missing_and_other_folders(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("empty", "file"):
        with pytest.raises(ModelCorrupt, match=r"not a locality model: it has no manifest.json"):
            load_model(tmp_path / name)
    with pytest.raises(DataError, match="NUL"):
        load_model("a\0b")


# -- writing -----------------------------------------------------------------------------------


def test_an_existing_model_is_replaced_only_on_request(
    folder: Path, table_model: Model, tmp_path: Path
) -> None:
    before = contents(tmp_path)
    with pytest.raises(OutputExists, match="overwrite=True"):
        save_model(table_model, folder)
    assert contents(tmp_path) == before
    save_model(replace(table_model, n_rows=77), folder, overwrite=True)
    assert load_model(folder).n_rows == 77
    assert os.listdir(tmp_path) == ["model"]


def test_a_damaged_model_may_be_replaced(folder: Path, table_model: Model) -> None:
    blob_files(folder)[0].unlink()
    file = folder / "manifest.json"
    file.write_text(file.read_text().replace('"schema_version": 3', '"schema_version": 9'))
    save_model(table_model, folder, overwrite=True)
    load_model(folder)


def _text_file(path: Path) -> None:
    path.write_text("precious")


def _folder_of_notes(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("precious")


def _other_manifest(path: Path) -> None:
    path.mkdir()
    (path / "manifest.json").write_text('{"name": "a web page"}')


def _model_with_notes(path: Path) -> None:
    path.mkdir()
    (path / "manifest.json").write_text('{"kind": "locality-model"}')
    (path / "notes.txt").write_text("precious")


def _model_with_other_blobs(path: Path) -> None:
    (path / "blobs").mkdir(parents=True)
    (path / "manifest.json").write_text('{"kind": "locality-model"}')
    (path / "blobs" / "weights.bin").write_text("precious")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "make",
    [_text_file, _folder_of_notes, _other_manifest, _model_with_notes, _model_with_other_blobs],
)
def test_nothing_but_a_model_is_ever_replaced(
    table_model: Model, tmp_path: Path, make: Callable[[Path], None], overwrite: bool
) -> None:
    make(tmp_path / "target")
    before = contents(tmp_path)
    with pytest.raises(OutputExists, match="Choose another path"):
        save_model(table_model, tmp_path / "target", overwrite=overwrite)
    assert contents(tmp_path) == before
    assert os.listdir(tmp_path) == ["target"]


def test_an_empty_folder_may_be_used(table_model: Model, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(OutputExists):
        save_model(table_model, tmp_path / "model")
    save_model(table_model, tmp_path / "model", overwrite=True)
    load_model(tmp_path / "model")


def test_links_are_followed(folder: Path, table_model: Model, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(folder)
    save_model(replace(table_model, n_rows=77), link, overwrite=True)
    assert link.is_symlink()
    assert load_model(folder).n_rows == load_model(link).n_rows == 77
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    with pytest.raises(LocalityError):
        save_model(table_model, circle, overwrite=True)


def test_paths_that_cannot_be_written(table_model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in ("missing/model", "file/model", "n" * 300, "a\0b"):
        with pytest.raises(DataError):
            save_model(table_model, tmp_path / path)
    assert os.listdir(tmp_path) == ["file"]


class Breakdown:
    """Lets system calls fail at the n-th of them, before or after it took effect."""

    def __init__(self, patch: pytest.MonkeyPatch, error: BaseException, after: bool) -> None:
        self.left = -1
        self.error = error
        self.after = after
        for owner, name in ((os, "fsync"), (os, "rename"), (os, "mkdir"), (os, "open")):
            patch.setattr(owner, name, self._wrap(getattr(owner, name)))

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.after:
                raise self.error
            result = call(*args, **kwargs)
            if self.left == 0:
                raise self.error
            return result

        return wrapped


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), DataError),
        (OSError(errno.EIO, os.strerror(errno.EIO)), DataError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_failed_write_leaves_everything_as_it_was(
    table_model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    expected: type[BaseException],
    after: bool,
    replaces: bool,
) -> None:
    target = tmp_path / "model"
    if replaces:
        save_model(table_model, target)
    before = contents(tmp_path)
    new = replace(table_model, n_rows=77)
    breakdown = Breakdown(monkeypatch, error, after)
    n_failed = n_undone = 0
    while True:
        breakdown.left = n_failed + 1
        try:
            save_model(new, target, overwrite=replaces)
        except expected:
            n_failed += 1
            breakdown.left = -1
            assert os.listdir(tmp_path) == (["model"] if replaces else [])
            if contents(tmp_path) == before:
                n_undone += 1
            else:  # interrupted when only the old model remained to be deleted
                assert expected is KeyboardInterrupt
                assert load_model(target).n_rows == 77
        else:
            break
        assert n_failed < 50
    # three folders, five files, four folders opened and flushed, and each change of names
    assert n_undone == 3 + 5 + 4 * 2 + 1 + replaces
    breakdown.left = -1
    assert load_model(target).n_rows == 77
    assert os.listdir(tmp_path) == ["model"]


def test_a_full_disk_is_named(
    table_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Breakdown(monkeypatch, OSError(errno.ENOSPC, "No space left on device"), False).left = 5
    with pytest.raises(DataError, match=r"model cannot be written: No space left on device"):
        save_model(table_model, tmp_path / "model")


def test_what_appears_meanwhile_is_kept(
    table_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def other_was_faster(source: Any, target: Any) -> None:
        Path(target).mkdir()
        (Path(target) / "theirs").write_text("precious")
        rename(source, target)

    monkeypatch.setattr(os, "rename", other_was_faster)
    with pytest.raises(OutputExists):
        save_model(table_model, tmp_path / "model")
    assert contents(tmp_path) == {"model/theirs": b"precious"}
    assert os.listdir(tmp_path) == ["model"]


def test_what_appears_while_a_model_is_written_is_kept(tmp_path: Path) -> None:
    """What may be replaced is asked once more when all is there."""

    def write() -> None:
        with atomic.building(tmp_path / "model", require_free) as partial:
            (partial / "file").write_text("x")
            (tmp_path / "model").mkdir()
            (tmp_path / "model" / "theirs").write_text("precious")

    with pytest.raises(OutputExists, match="not just a locality model"):
        write()
    assert contents(tmp_path) == {"model/theirs": b"precious"}


def test_files_of_the_old_model_that_resist_are_reported(
    folder: Path, table_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic.shutil, "rmtree", lambda *args, **kwargs: None)
    with pytest.warns(UserWarning, match="could not be deleted"):
        save_model(replace(table_model, n_rows=77), folder, overwrite=True)
    with warnings.catch_warnings():
        assert load_model(folder).n_rows == 77
