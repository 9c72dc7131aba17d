"""What must hold before, while and after a version is written, served or named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from locality.exceptions import DataError, LocalityError, ModelCorrupt, VersionConflict
from locality.model.model import Model
from locality.store import store, versions
from locality.store.difference import diff_versions
from locality.store.garbage import collect_garbage
from locality.store.store import load_model, read_manifest, require_free, save_model
from locality.store.versions import (
    commit_version,
    find_version,
    list_versions,
    rollback,
    served_version,
    set_alias,
)

Another = Callable[[float], Model]


@pytest.mark.parametrize("action", ["commit", "challenge", "rollback", "alias"])
def test_what_is_named_is_on_disk_before(
    folder: Path, another: Another, asked: list[tuple[str, Path]], action: str
) -> None:
    """A file is flushed before it takes its name, and the name before the next one is taken; the
    manifest that is served comes last.
    """
    commit_version(another(1.0), folder, change={})
    asked.clear()
    if action == "rollback":
        rollback(folder, 1)
    elif action == "alias":
        set_alias(folder, "autumn", 2)
    else:
        commit_version(another(2.0), folder, change={}, serve=action == "commit")
    renamed = [i for i, (name, _) in enumerate(asked) if name == "replace"]
    for i in renamed:
        name, where = asked[i - 1]
        assert (name, where.parent) == ("fsync", asked[i][1].parent)
        assert where.name.endswith(".part")
        assert asked[i + 1] == ("fsync", asked[i][1].parent)
    names = [str(asked[i][1].relative_to(folder)) for i in renamed]
    if action in ("commit", "challenge"):
        assert names[0].startswith("blobs/")
        served = "manifest.json" if action == "commit" else "aliases/challenger"
        assert names[1:] == ["versions/000003.json", served]
    else:
        assert names == ["manifest.json" if action == "rollback" else "aliases/autumn"]


def test_giving_an_alias_up_is_on_disk(folder: Path, asked: list[tuple[str, Path]]) -> None:
    set_alias(folder, "autumn", 1)
    asked.clear()
    set_alias(folder, "autumn", None)
    assert asked[:2] == [
        ("unlink", folder / "aliases" / "autumn"), ("fsync", folder / "aliases")
    ]  # fmt: skip


def test_a_damaged_blob_is_mended_by_the_next_version(folder: Path, another: Another) -> None:
    """What a new version shares with the old ones is compared, not taken on trust."""
    shared = read_manifest(folder).blobs[1]
    file = folder / "blobs" / shared.file_name
    whole = file.read_bytes()
    for damage in (whole[:-1], whole[:-1] + b"\x55"):
        file.write_bytes(damage)
        commit_version(another(float(len(damage))), folder, change={})
        assert file.read_bytes() == whole
    file.unlink()
    commit_version(another(3.0), folder, change={})
    for version in list_versions(folder):
        load_model(folder, version.number)


def test_a_served_version_without_a_file_of_its_own_gets_one_before_it_is_left(
    folder: Path, another: Another
) -> None:
    commit_version(another(1.0), folder, change={})
    (folder / "versions" / "000002.json").unlink()
    rollback(folder, 1)
    assert [v.number for v in list_versions(folder)] == [1, 2]
    assert rollback(folder, 2) == 2
    load_model(folder)


def test_versions_are_told_in_full(folder: Path, another: Another) -> None:
    commit_version(another(1.0), folder, change={"kind": "a"})
    rollback(folder, 1)
    commit_version(another(2.0), folder, change={"kind": "b"}, serve=False)
    for name in ("summer", "autumn"):
        set_alias(folder, name, 3)
    first, second, third = list_versions(folder)
    sizes = [sum(blob.bytes for blob in read_manifest(folder, n).blobs) for n in (1, 2, 3)]
    last = read_manifest(folder, 3).blobs[-1].bytes
    assert first.change == {"kind": "fit"}
    assert (first.parent, first.n_new, first.new_bytes) == (None, first.n_blobs, sizes[0])
    assert (second.parent, second.n_blobs, second.n_new, second.new_bytes) == (1, 3, 1, last)
    assert (third.parent, third.change, third.new_bytes) == (1, {"kind": "b"}, last)
    assert [v.served for v in (first, second, third)] == [True, False, False]
    assert first.aliases == ("champion",)
    assert second.aliases == ()
    assert third.aliases == ("autumn", "challenger", "summer")
    assert third.created == read_manifest(folder, 3).created
    assert third.to_dict()["n_new"] == 1
    (folder / "versions" / "000003.json").write_bytes(b"{}")
    assert list_versions(folder)[2].aliases == third.aliases


def test_a_manifest_under_another_number_is_refused(folder: Path, another: Another) -> None:
    commit_version(another(1.0), folder, change={})
    (folder / "versions" / "000003.json").write_bytes(
        (folder / "versions" / "000001.json").read_bytes()
    )
    with pytest.raises(ModelCorrupt, match=r"000003.json is the manifest of version 1"):
        rollback(folder, 3)
    assert served_version(folder) == 2
    assert list_versions(folder)[2].change == {"kind": "damaged"}


def test_names_are_given_to_versions_that_are_there(folder: Path) -> None:
    for version in (2, "autumn", "²"):
        with pytest.raises(DataError, match="no version"):
            set_alias(folder, "summer", version)
    assert not (folder / "aliases").exists()
    set_alias(folder, "summer", 1)
    for name, text in (("bad", "x"), ("Upper", "1"), (".1.part", "1")):
        (folder / "aliases" / name).write_text(text)
    assert list_versions(folder)[0].aliases == ("champion", "summer")
    with pytest.raises(DataError, match="aliases champion, summer"):
        find_version(folder, "bad")


def test_one_who_waits_too_long_is_told(
    folder: Path, another: Another, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_PATIENCE", 0.05)
    before = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    with FileLock(folder / "lock"):
        for write in (
            lambda: commit_version(another(1.0), folder, change={}),
            lambda: rollback(folder, 1),
            lambda: set_alias(folder, "autumn", 1),
            lambda: collect_garbage(folder),
        ):
            with pytest.raises(VersionConflict, match="being written by another process"):
                write()
        load_model(folder)  # readers do not wait
    after = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file() and f.name != "lock"}
    assert after == before


def test_a_folder_that_is_no_model_is_left_alone(table_model: Model, tmp_path: Path) -> None:
    for write in (
        lambda: commit_version(table_model, tmp_path, change={}),
        lambda: rollback(tmp_path, 1),
        lambda: set_alias(tmp_path, "autumn", 1),
        lambda: collect_garbage(tmp_path),
    ):
        with pytest.raises(ModelCorrupt, match="not a locality model"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_model_is_no_version(folder: Path, table_model: Model) -> None:
    before = sorted(folder.rglob("*"))
    shard = table_model.shards[0]
    broken = replace(shard, covariance=shard.covariance * float("nan"))
    with pytest.raises(ModelCorrupt, match="not finite"):
        commit_version(table_model.with_shards((broken, *table_model.shards[1:])), folder,
                       change={})  # fmt: skip
    assert sorted(folder.rglob("*")) == before


def test_a_group_that_is_too_large_is_told(
    table_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_BLOB_BYTES", 1_000)
    with pytest.raises(DataError, match=r"Group 'shard-00000' of the model takes .* at most 1000"):
        save_model(table_model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_all_its_own_files_may_be_replaced(folder: Path, another: Another) -> None:
    """Versions, aliases, the lock, an unfinished fit and torn files are its own."""
    commit_version(another(1.0), folder, change={}, serve=False)
    (folder / "work").mkdir()
    for name in (".x.part", "blobs/.x.part", "versions/.x.part", "aliases/.x.part"):
        (folder / name).write_bytes(b"torn")
    require_free(folder, overwrite=True)
    for name in ("aliases/Notes", "versions/notes.json", "notes"):
        (folder / name).write_text("precious")
        with pytest.raises(LocalityError, match=f"also holds '{name}'"):
            require_free(folder, overwrite=True)
        (folder / name).unlink()
    save_model(another(2.0), folder, overwrite=True)
    assert [v.number for v in list_versions(folder)] == [1]


def test_two_versions_are_compared_sensor_by_sensor(folder: Path, another: Another) -> None:
    """Names are those of the nodes, whatever numbers shards have for them."""
    model = another(2.0)
    names = model.domain.names
    settings = model.settings.replace(lags=2, feature_names=("x",), graph=None)
    numbered = replace(model, ids=model.node_ids * 10 + 3, settings=settings)
    commit_version(model, folder, change={})
    commit_version(numbered, folder, change={})
    told = diff_versions(folder, 1, 2)
    assert [name for name, _, _ in told.components] == [names[t] for t in model.shards[1].target]
    assert all(old != old and new == 2.0 for _, old, new in told.components)  # it was never judged
    assert (told.old, told.new, told.settings) == (1, 2, {})
    assert (told.n_same, told.n_removed, told.n_added) == (1, 1, 1)
    told = diff_versions(folder, "champion", 2)
    assert [name for name, _, _ in told.components] == sorted(names)
    assert told.settings == {"graph": (None, "chain"), "lags": (2, 1)}
    assert (told.n_same, told.n_removed, told.n_added) == (0, 2, 2)
    first, second = model.shards
    parts = (first.take(np.array([0])), first.take(np.array([1, 2])), second)
    commit_version(model.with_shards(parts), folder, change={})
    told = diff_versions(folder, 2, 4)
    assert (told.n_same, told.n_removed, told.n_added) == (1, 1, 2)
    assert [name for name, _, _ in told.components] == [names[t] for t in first.target]
