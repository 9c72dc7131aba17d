"""Versions share what did not change, and whatever happens one of them is served, whole."""

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locality.exceptions import (
    DataError,
    LocalityError,
    ModelCorrupt,
    OptionError,
    VersionConflict,
)
from locality.model.model import Model
from locality.model.record import record_of
from locality.store import store
from locality.store.arrays import to_bytes
from locality.store.difference import diff_versions
from locality.store.garbage import collect_garbage
from locality.store.store import load_model, read_manifest, save_model
from locality.store.versions import (
    aliases_of,
    commit_version,
    find_version,
    list_versions,
    rollback,
    served_digest,
    served_version,
    set_alias,
)


def changed(model: Model, amount: float) -> Model:
    """The model with another last shard."""
    last = model.shards[-1]
    other = replace(last, held_out=np.full(len(last.target), amount))
    return model.with_shards((*model.shards[:-1], other))


def bits(model: Model) -> list[bytes]:
    return [to_bytes(arrays) for arrays in record_of(model)[1].values()]


def test_an_update_shares_what_it_did_not_touch(folder: Path) -> None:
    model = load_model(folder)
    before = {f.name: f.stat() for f in (folder / "blobs").iterdir()}
    parent = served_digest(folder)
    assert commit_version(changed(model, 1.0), folder, change={"kind": "test"}, parent=parent) == 2
    after = {f.name: f.stat() for f in (folder / "blobs").iterdir()}
    assert len(after) == len(before) + 1
    for name, stat in before.items():
        assert (after[name].st_ino, after[name].st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
    first, second = list_versions(folder)
    assert (first.number, first.served, second.served) == (1, False, True)
    assert (second.parent, second.n_new, second.change) == (1, 1, {"kind": "test"})
    assert second.aliases == ("champion",)
    told = diff_versions(folder, 1, 2)
    n = len(model.shards[-1].target)
    assert len(told.components) == n
    assert [new for _, _, new in told.components] == [1.0] * n
    assert (told.n_same, told.n_removed, told.n_added) == (len(model.shards) - 1, 1, 1)


def test_a_rollback_serves_the_same_bits_again(folder: Path) -> None:
    model = load_model(folder)
    manifest = (folder / "manifest.json").read_bytes()
    commit_version(changed(model, 1.0), folder, change={})
    assert bits(load_model(folder)) != bits(model)
    assert bits(load_model(folder, 1)) == bits(model)
    assert rollback(folder, 1) == 1
    assert (folder / "manifest.json").read_bytes() == manifest
    assert bits(load_model(folder)) == bits(model)
    assert commit_version(changed(model, 2.0), folder, change={}) == 3  # numbers are never reused
    assert list_versions(folder)[-1].parent == 1


def test_challengers_wait_under_a_name(folder: Path) -> None:
    model = load_model(folder)
    assert commit_version(changed(model, 1.0), folder, change={}, serve=False) == 2
    assert served_version(folder) == 1
    assert find_version(folder, "challenger") == 2
    set_alias(folder, "autumn", "champion")
    assert list_versions(folder)[0].aliases == ("champion", "autumn")
    rollback(folder, "challenger")
    assert served_version(folder) == 2
    set_alias(folder, "autumn", None)
    with pytest.raises(DataError, match="no alias 'autumn'"):
        set_alias(folder, "autumn", None)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", ".", "..", "", "Ä", "champion", "7", "x" * 65, "A"]
)
def test_names_that_are_no_names_are_refused(folder: Path, name: str) -> None:
    before = sorted(str(f) for f in folder.parent.rglob("*"))
    with pytest.raises(OptionError):
        set_alias(folder, name, 1)
    if name not in ("champion", "7"):
        with pytest.raises(DataError):
            find_version(folder, name)
    assert sorted(str(f) for f in folder.parent.rglob("*")) == before


def test_unknown_versions_are_refused(folder: Path) -> None:
    for version in (2, 0, 10**9):
        with pytest.raises(DataError, match="no version"):
            rollback(folder, version)
    with pytest.raises(DataError, match="no folder"):
        list_versions(folder / "nothing")


def test_a_folder_from_before_versions_gets_them(folder: Path) -> None:
    for file in (folder / "versions").iterdir():
        file.unlink()
    (folder / "versions").rmdir()
    model = load_model(folder)
    assert [v.number for v in list_versions(folder)] == [1]
    assert commit_version(changed(model, 1.0), folder, change={}) == 2
    assert bits(load_model(folder, 1)) == bits(model)


def test_the_loser_of_two_updates_is_told(folder: Path) -> None:
    model = load_model(folder)
    parent = served_digest(folder)
    commit_version(changed(model, 1.0), folder, change={}, parent=parent)
    with pytest.raises(VersionConflict, match="serves another version by now, number 2"):
        commit_version(changed(model, 2.0), folder, change={}, parent=parent)
    assert len(list_versions(folder)) == 2


def test_readers_never_fail_while_others_write(folder: Path) -> None:
    model = load_model(folder)
    going = threading.Event()
    failures: list[Exception] = []

    def read() -> None:
        while not going.is_set():
            try:
                load_model(folder)
            except LocalityError as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(20):
        commit_version(changed(model, float(step + 1)), folder, change={})
        rollback(folder, 1)
        collect_garbage(folder)
    going.set()
    for reader in readers:
        reader.join()
    assert not failures


_CALLS = ((os, "fsync"), (os, "replace"), (os, "mkdir"), (os, "unlink"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("action", ["commit", "rollback", "gc"])
def test_a_failed_write_leaves_the_served_version(
    table_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, action: str
) -> None:
    left = -1

    def failing(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise OSError(code, os.strerror(code))
            return call(*args, **kwargs)

        return wrapped

    folder = save_model(table_model, tmp_path / "model")
    commit_version(changed(table_model, 1.0), folder, change={})
    for owner, name in _CALLS:
        monkeypatch.setattr(owner, name, failing(getattr(owner, name)))
    n_failed = 0
    for n in range(1, 60):
        (folder / "blobs" / ".old.part").write_bytes(b"torn")
        left = n
        new = changed(table_model, 10.0 + n)
        try:
            if action == "commit":
                commit_version(new, folder, change={})
            elif action == "rollback":
                rollback(folder, 1 if served_version(folder) == 2 else 2)
            else:
                collect_garbage(folder)
        except DataError:
            left = -1
            assert bits(load_model(folder))[:-1] == bits(table_model)[:-1]
            for version in list_versions(folder):
                load_model(folder, version.number)
            n_failed += 1
        else:
            if left > 0:  # there was no n-th call
                break
    else:
        raise AssertionError("never came to an end")
    assert n_failed >= 2
    left = -1
    collect_garbage(folder)
    assert not [f for f in folder.rglob("*") if f.name.endswith(".part")]


def test_a_folder_that_takes_no_files_is_told(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root")
    model = load_model(folder)
    for inside in (folder, folder / "blobs", folder / "versions"):
        inside.chmod(0o500)
    with pytest.raises(DataError, match="cannot be written"):
        commit_version(changed(model, 1.0), folder, change={})
    assert bits(load_model(folder)) == bits(model)
    for inside in (folder, folder / "blobs", folder / "versions"):
        inside.chmod(0o700)


@pytest.mark.parametrize("n", [pytest.param(150), pytest.param(1_000, marks=pytest.mark.slow)])
def test_mutations_are_refused_by_name_or_change_nothing(folder: Path, n: int) -> None:
    """Bits flipped and tails cut off, in any file of a folder with three versions."""
    model = load_model(folder)
    for amount in (1.0, 2.0):
        commit_version(changed(model, amount), folder, change={})
    set_alias(folder, "autumn", 2)
    truth = {number: bits(load_model(folder, number)) for number in (1, 2, 3)}
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.name != "lock")
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(n):
        file = files[rng.integers(len(files))]
        data = file.read_bytes()
        broken = bytearray(data)
        if rng.random() < 0.3:
            broken = broken[: rng.integers(len(data))]
        else:
            broken[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        file.write_bytes(broken)
        for number in (1, 2, 3):
            try:
                assert bits(load_model(folder, number)) == truth[number]
            except (ModelCorrupt, DataError) as error:
                named = file.name in str(error) or "version" in str(error)
                refused += 1 if named else -n
        try:
            list_versions(folder)
        except (ModelCorrupt, DataError):
            refused += 1
        file.write_bytes(data)
    assert refused > n / 2


def _write_for_ever(folder: Path, seed: int) -> None:
    step = 0
    while True:
        step += 1
        commit_version(changed(load_model(folder), seed + 1e-3 * step), folder, change={})
        if step % 3 == 0:
            rollback(folder, 1)
        if step % 5 == 0:
            collect_garbage(folder, keep=4)


@pytest.mark.parametrize("n", [pytest.param(8), pytest.param(200, marks=pytest.mark.slow)])
def test_kill_9_never_loses_a_version(folder: Path, kill_writers, n: int) -> None:
    """Each writer takes up what the one before left, and is killed within up to five versions."""
    set_alias(folder, "first", 1)
    moments = np.random.default_rng(1).integers(1, 60, n).tolist()
    assert kill_writers(_write_for_ever, folder, moments) > n  # enough was written in between


def _commit(folder: Path) -> None:
    commit_version(changed(load_model(folder, 1), 3.0), folder, change={"kind": "new"})


def _propose(folder: Path) -> None:
    new = changed(load_model(folder, 1), 3.0)
    commit_version(new, folder, change={"kind": "new"}, serve=False)


_WRITES: dict[str, Callable[[Path], object]] = {
    "commit": _commit,
    "propose": _propose,
    "roll back": lambda folder: rollback(folder, "first"),
    "collect": lambda folder: collect_garbage(folder, keep=1),
    "name": lambda folder: set_alias(folder, "second", 2),
    "name again": lambda folder: set_alias(folder, "first", 2),
    "unname": lambda folder: set_alias(folder, "spare", None),
}


def _named(folder: Path) -> dict[str, list[bytes]]:
    return {name: bits(load_model(folder, n)) for name, n in aliases_of(folder).items()}


@pytest.mark.parametrize("write", _WRITES)
def test_killed_at_every_moment_of_a_write(
    folder: Path, killed_at: Callable[..., bool], write: str
) -> None:
    """The served version is the old or the new one, all are whole, and it can be done again."""
    commit_version(changed(load_model(folder), 1.0), folder, change={})
    commit_version(changed(load_model(folder), 2.0), folder, change={})
    for name, number in (("first", 1), ("spare", 3)):
        set_alias(folder, name, number)
    (folder / f".manifest.json.{'0' * 8}.part").write_bytes(b"torn")
    known = {number: bits(load_model(folder, number)) for number in (1, 2, 3)}
    known[4] = bits(changed(load_model(folder), 3.0))
    pristine, quiet = folder, shutil.copytree(folder, folder.with_name("quiet"))
    _WRITES[write](quiet)
    expected, named = bits(load_model(quiet)), _named(quiet)
    moment, killed = 0, True
    while killed:
        moment += 1
        folder = shutil.copytree(pristine, pristine.with_name(str(moment)))
        killed = killed_at(moment, folder, partial(_WRITES[write], folder))
        versions = list_versions(folder)
        assert {v.number for v in versions} >= {1, 3}
        for version in versions:
            assert bits(load_model(folder, version.number)) == known[version.number]
        assert bits(load_model(folder)) in (known[3], expected)
        assert aliases_of(folder) in (aliases_of(pristine), aliases_of(quiet))
        if killed:
            with contextlib.suppress(DataError):  # the name had been given up
                _WRITES[write](folder)
        assert bits(load_model(folder)) == expected
        assert _named(folder) == named
        collect_garbage(folder)
        assert not list(folder.rglob("*.part"))
    assert moment > (1 if write == "unname" else 3)


@pytest.mark.parametrize("there", [False, True], ids=["new", "replaced"])
def test_killed_at_every_moment_of_a_save(
    table_model: Model, tmp_path: Path, killed_at: Callable[..., bool], there: bool
) -> None:
    """A model is there whole or not at all; one that is replaced may have stepped aside."""
    old, new = bits(table_model), bits(changed(table_model, 1.0))
    moment, killed = 0, True
    while killed:
        moment += 1
        parent = tmp_path / str(moment)
        parent.mkdir()
        folder = parent / "model"
        if there:
            save_model(table_model, folder)
        save = partial(save_model, changed(table_model, 1.0), folder, overwrite=True)
        killed = killed_at(moment, parent, save)
        if folder.exists():
            assert bits(load_model(folder)) in ([old, new] if there else [new])
        elif there:
            (aside,) = parent.glob(".locality-*.old")
            assert bits(load_model(aside)) == old
        save()
        assert bits(load_model(folder)) == new
    assert moment > 12


def test_another_fit_in_the_same_folder_is_no_parent(folder: Path) -> None:
    """Both are version 1, but an update of the one is none of the other."""
    model = load_model(folder)
    parent = served_digest(folder)
    save_model(changed(model, 3.0), folder, overwrite=True)
    assert served_version(folder) == 1
    with pytest.raises(VersionConflict, match="another version by now"):
        commit_version(changed(model, 1.0), folder, change={}, parent=parent)
    assert bits(load_model(folder)) == bits(changed(model, 3.0))
    assert commit_version(changed(model, 1.0), folder, change={}, parent=served_digest(folder)) == 2


@pytest.mark.parametrize("damage", ["missing", "flipped"])
def test_a_damaged_version_is_not_rolled_back_to(folder: Path, damage: str) -> None:
    before = {file.name for file in (folder / "blobs").iterdir()}
    commit_version(changed(load_model(folder), 1.0), folder, change={"kind": "test"})
    served = {blob.file_name for blob in read_manifest(folder).blobs}
    (only_old,) = before - served
    file = folder / "blobs" / only_old
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelCorrupt, match=only_old):
        rollback(folder, 1)
    assert served_version(folder) == 2
    load_model(folder)


def test_a_damaged_manifest_does_not_hide_the_others(folder: Path) -> None:
    commit_version(changed(load_model(folder), 1.0), folder, change={"kind": "test"})
    file = folder / "versions" / "000001.json"
    file.write_bytes(file.read_bytes()[:500])
    first, second = list_versions(folder)
    assert (first.number, first.change) == (1, {"kind": "damaged"})
    assert (second.number, second.served, second.change) == (2, True, {"kind": "test"})
    with pytest.raises(ModelCorrupt):  # what it needs is not known
        collect_garbage(folder)


def test_readers_begin_again_when_a_version_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The served version is replaced and given up after its manifest was read."""
    model = load_model(folder)
    wanted = changed(model, 5.0)
    real, calls = store.read_blob, []

    def slow(file: Path, blob: Any) -> Any:
        if not calls:
            calls.append(blob)
            commit_version(wanted, folder, change={})
            collect_garbage(folder, keep=1)
        return real(file, blob)

    monkeypatch.setattr(store, "read_blob", slow)
    assert bits(load_model(folder)) == bits(wanted)
    (folder / "blobs" / read_manifest(folder).blobs[-1].file_name).unlink()
    with pytest.raises(ModelCorrupt, match="missing"):
        load_model(folder)
