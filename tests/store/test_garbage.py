"""Garbage is what no version needs, and nothing else is deleted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from locality.exceptions import OptionError
from locality.model.model import Model
from locality.store.garbage import collect_garbage
from locality.store.store import load_model
from locality.store.versions import (
    commit_version,
    list_versions,
    rollback,
    served_version,
    set_alias,
)

Another = Callable[[float], Model]


def test_garbage_is_what_no_version_names(folder: Path, another: Another) -> None:
    for amount in (1.0, 2.0, 3.0):
        commit_version(another(amount), folder, change={})
    stray = folder / "blobs" / f"{'0' * 64}.safetensors"
    stray.write_bytes(b"nobody's")
    (folder / "blobs" / ".x.part").write_bytes(b"torn")
    assert set(collect_garbage(folder, dry_run=True).files) == {
        f"blobs/{stray.name}", "blobs/.x.part"
    }  # fmt: skip
    assert stray.exists()
    collect_garbage(folder)
    assert not stray.exists()
    set_alias(folder, "kept", 2)
    told = collect_garbage(folder, keep=1)
    assert told.versions == (1, 3)
    assert [v.number for v in list_versions(folder)] == [2, 4]
    for number in (2, 4):
        load_model(folder, number)


def test_what_is_told_is_what_is_deleted(folder: Path, another: Another) -> None:
    """To the byte, in every folder; what only looks like garbage stays."""
    commit_version(another(1.0), folder, change={})
    set_alias(folder, "autumn", 1)
    torn = [".manifest.json.1.part", "versions/.000003.json.2.part", "aliases/.x.3.part"]
    stray = ["blobs/.4.part", f"blobs/{'0' * 64}.safetensors"]
    for number, name in enumerate([*torn, *stray]):
        (folder / name).write_bytes(b"x" * (10 + number))
    (folder / "notes.part").write_text("precious")
    (folder / "versions" / "000009.json.part").write_text("precious")
    before = {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}
    foretold = collect_garbage(folder, dry_run=True)
    assert {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()} == before
    told = collect_garbage(folder)
    assert told == foretold
    assert set(told.files) == {*torn, *stray}
    assert told.n_bytes == sum(range(10, 15))
    after = {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}
    assert after == before - set(told.files)
    assert collect_garbage(folder).files == ()


@pytest.mark.parametrize(("keep", "lost"), [(1, (2, 3)), (2, (2,)), (3, ()), (4, ()), (9, ())])
def test_the_served_version_and_the_newest_stay(
    folder: Path, another: Another, keep: int, lost: tuple[int, ...]
) -> None:
    """However old it is; all that stays is whole."""
    for amount in (1.0, 2.0, 3.0):
        commit_version(another(amount), folder, change={})
    rollback(folder, 1)
    foretold = collect_garbage(folder, keep=keep, dry_run=True)
    assert foretold.versions == lost
    assert [v.number for v in list_versions(folder)] == [1, 2, 3, 4]
    told = collect_garbage(folder, keep=keep)
    assert told == foretold
    n_files = 2 * len(lost)  # a manifest, and the shard that no other version has
    assert len(told.files) == n_files
    assert [v.number for v in list_versions(folder)] == [n for n in range(1, 5) if n not in lost]
    assert served_version(folder) == 1
    for version in list_versions(folder):
        load_model(folder, version.number)
    assert commit_version(another(4.0), folder, change={}) == 5  # numbers are never used again


def test_a_folder_from_before_versions_has_no_garbage(folder: Path) -> None:
    (folder / "versions" / "000001.json").unlink()
    (folder / "versions").rmdir()
    assert collect_garbage(folder, keep=1).files == ()
    load_model(folder)


@pytest.mark.parametrize("keep", [0, -1])
def test_one_version_at_least_is_kept(folder: Path, keep: int) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(OptionError, match="at least 1"):
        collect_garbage(folder, keep=keep)
    assert sorted(folder.rglob("*")) == before


def test_manifests_go_before_what_they_name(
    folder: Path, another: Another, asked: list[tuple[str, Path]]
) -> None:
    """Whenever the collector dies, no manifest names a blob that is gone."""
    commit_version(another(1.0), folder, change={})
    commit_version(another(2.0), folder, change={})
    asked.clear()
    told = collect_garbage(folder, keep=1)
    assert told.versions == (1, 2)
    gone = [where.parent.name for name, where in asked if name == "unlink"]
    assert gone == ["versions", "versions", "blobs", "blobs"]
    last = max(i for i, (name, _) in enumerate(asked) if name == "unlink")
    flushed = {where for name, where in asked[last:] if name == "fsync"}
    assert {folder / "versions", folder / "blobs"} <= flushed
