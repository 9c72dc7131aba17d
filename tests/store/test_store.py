import errno
import hashlib
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from locality.exceptions import DataError, LocalityError, ModelCorrupt, OutputExists
from locality.local.shard import ShardState
from locality.model.model import Model
from locality.store import folder as folder_module
from locality.store import store
from locality.store.record import record_of
from locality.store.store import load_model, save_model

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


def sign(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a manifest as its author could: with a digest that is right."""
    file = folder / "manifest.json"
    body = json.loads(file.read_text())
    del body["digest"]
    change(body)
    digest = hashlib.sha256((json.dumps(body, indent=1) + "\n").encode()).hexdigest()
    file.write_text(json.dumps(body | {"digest": digest}, indent=1) + "\n")


def forge(folder: Path, change: Callable[[dict[str, np.ndarray]], Any], group: int = 1) -> None:
    """Change the arrays of a blob as its author could, with all digests right."""
    body = json.loads((folder / "manifest.json").read_text())
    old = folder / "blobs" / f"{body['blobs'][group]['digest']}.safetensors"
    arrays = safetensors.numpy.load(old.read_bytes())
    change(arrays)
    put_blob(folder, safetensors.numpy.save(arrays), group)


def put_blob(folder: Path, data: bytes, group: int = 1) -> None:
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs" / f"{digest}.safetensors").write_bytes(data)
    sign(folder, lambda body: body["blobs"][group].update(digest=digest, bytes=len(data)))


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

    extent = model.extent or ((6,) if model.is_series else ())
    values = np.zeros((model.domain.n_nodes, *extent, 3), dtype=np.float32)
    y = torch.randn(
        len(model.domain.targets),
        int(np.prod(extent)) * 3,
        generator=torch.Generator().manual_seed(0),
    )
    again = load_model(save_model(model, tmp_path / "model"))
    mine, theirs = (m.field.bind(values).denoise(y, 0.7) for m in (model, again))
    assert torch.equal(mine, theirs)


def test_blobs_depend_on_learned_numbers_only(table_model: Model, tmp_path: Path) -> None:
    first = save_model(table_model, tmp_path / "first")
    slower = replace(table_model, seconds={"table": 99.0}, settings={"seed": 6})
    assert [f.name for f in blob_files(first)] == [
        f.name for f in blob_files(save_model(slower, tmp_path / "second"))
    ]
    shard = table_model.shards[1]
    other = replace(shard, covariance=np.nextafter(shard.covariance, 2))
    changed = replace(table_model, shards=(table_model.shards[0], other))
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
    odd = save_model(replace(table_model, shards=shards), tmp_path / "odd")
    assert [f.name for f in blob_files(plain)] == [f.name for f in blob_files(odd)]


def test_a_blob_is_named_by_its_content(folder: Path) -> None:
    assert len(blob_files(folder)) == 3
    for file in blob_files(folder):
        assert file.name == f"{hashlib.sha256(file.read_bytes()).hexdigest()}.safetensors"


def test_what_cannot_be_read_again_is_not_written(table_model: Model, tmp_path: Path) -> None:
    shard = table_model.shards[0]
    w1 = np.full_like(shard.networks.weights["w1"], np.nan)
    diverged = ShardState.from_arrays(shard.arrays() | {W1: w1})
    broken = replace(table_model, shards=(diverged, table_model.shards[1]))
    with pytest.raises(ModelCorrupt, match=r"weight.w1' of group 'shard-00000'.*not finite"):
        save_model(broken, tmp_path / "model")
    assert os.listdir(tmp_path) == []


# -- damage ------------------------------------------------------------------------------------


def test_every_truncation_is_refused(folder: Path) -> None:
    for file in [folder / "manifest.json", *blob_files(folder)]:
        data = file.read_bytes()
        lengths = {*range(0, len(data), max(1, len(data) // 150)), 7, 8, 9, len(data) - 1}
        for length in sorted(lengths):
            file.write_bytes(data[:length])
            with pytest.raises(ModelCorrupt, match=file.name):
                load_model(folder)
        file.write_bytes(data + b"\0")
        with pytest.raises(ModelCorrupt, match=file.name):
            load_model(folder)
        file.write_bytes(data)
    load_model(folder)


def test_every_flipped_bit_is_refused(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for file in [folder / "manifest.json", *blob_files(folder)]:
        data = file.read_bytes()
        for place, bit in rng.integers([len(data), 8], size=(200, 2)).tolist():
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            file.write_bytes(flipped)
            with pytest.raises(ModelCorrupt, match=file.name):
                load_model(folder)
        file.write_bytes(data)
    load_model(folder)


def test_a_letter_of_a_number_counts(folder: Path) -> None:
    """1e-05 and 1E-05 are the same number, but not what was written."""
    file = folder / "manifest.json"
    text = file.read_text()
    assert "1e-05" in text
    for old, new in (("1e-05", "1E-05"), ('"blobs": [', '"blobs":  ['), ("\\u00e9", "\\u00E9")):
        file.write_text(text.replace(old, new, 1))
        with pytest.raises(ModelCorrupt, match=r"manifest.json is damaged"):
            load_model(folder)


def test_a_changed_field_is_told_by_the_digest(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_text(file.read_text().replace('"n_rows": 20', '"n_rows": 21'))
    with pytest.raises(ModelCorrupt, match=r"expected digest '[0-9a-f]{64}', found '[0-9a-f]{64}'"):
        load_model(folder)


def test_damage_names_blob_and_digests(folder: Path) -> None:
    digest = json.loads((folder / "manifest.json").read_text())["blobs"][1]["digest"]
    file = folder / "blobs" / f"{digest}.safetensors"
    data = file.read_bytes()[:-1] + b"\x55"
    file.write_bytes(data)
    with pytest.raises(ModelCorrupt) as caught:
        load_model(folder)
    for part in (str(file), "shard-00000", digest, hashlib.sha256(data).hexdigest()):
        assert part in str(caught.value)
    file.unlink()
    with pytest.raises(ModelCorrupt, match=f"{digest}.*shard-00000.*missing"):
        load_model(folder)


# -- hostile files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "digest",
    ["../../secret", "/etc/passwd", "..", "C:\\x", "%2e%2e", "A" * 64, "a" * 63, "a" * 64 + "\n"],
)
def test_no_name_in_a_manifest_becomes_a_path(
    folder: Path, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(folder, lambda body: body["blobs"][0].update(digest=digest))
    opened: list[Path] = []
    read = folder_module.read_file

    def spy(file: Path, limit: int, missing: str) -> bytes:
        opened.append(file)
        return read(file, limit, missing)

    monkeypatch.setattr(store, "read_file", spy)
    with pytest.raises(ModelCorrupt, match=r"manifest.json is not valid: blobs.0.digest"):
        load_model(folder)
    assert opened == [folder / "manifest.json"]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(extra=1),
        lambda body: body.pop("created"),
        lambda body: body.update(created="yesterday"),
        lambda body: body.update(description=[]),
        lambda body: body.update(kind="another"),
        lambda body: body["blobs"][0].update(name="../graph"),
        lambda body: body["blobs"][0].update(bytes=2**50),
        lambda body: body["blobs"][0].update(bytes="400"),
        lambda body: body["blobs"][0].update(bytes=True),
        lambda body: body["blobs"].append(body["blobs"][0]),
    ],
)
def test_a_manifest_out_of_form_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    sign(folder, change)
    with pytest.raises(ModelCorrupt, match=r"manifest.json"):
        load_model(folder)


@pytest.mark.parametrize("version", [4, 0, "1", True, None, 1.0])
def test_unknown_versions_are_told_from_damage(folder: Path, version: Any) -> None:
    sign(folder, lambda body: body.update(schema_version=version))
    with pytest.raises(ModelCorrupt, match=r"manifest.json has schema version .*reads 1"):
        load_model(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"n": 1' + "0" * 10_000 + "}",
        "\xff",
        "é",
    ],
)
def test_text_that_is_no_manifest(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelCorrupt, match=r"manifest.json"):
        load_model(folder)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_beyond_json(folder: Path, number: str) -> None:
    file = folder / "manifest.json"
    file.write_text(file.read_text().replace('"n_rows": 20', f'"n_rows": {number}'))
    with pytest.raises(ModelCorrupt, match=r"manifest.json is damaged"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop(W1), f"lacks array '{W1}'"),
        (lambda a: a.update(more=np.zeros(1)), "unknown array 'more'"),
        (lambda a: a.update(target=a["target"].astype(float)), "'target'.*float64"),
        (
            lambda a: a.update({"network.weight.w1": a["network.weight.w1"].astype(np.float16)}),
            "'network.weight.w1'.*float16",
        ),
        (lambda a: a.update(covariance=a["covariance"][:, :-1].copy()), "'covariance'.*shape"),
        (lambda a: a.update(noisy=a["noisy"] + 10**6), "a slot is no source"),
        (lambda a: a.update(noisy=a["noisy"] - 10**6), "a slot is no source"),
        (lambda a: a.update(noisy=a["noisy"][:, ::-1].copy()), "slot"),
        (lambda a: a.update(source_node=a["source_node"] + 100), "no node of the graph"),
        (lambda a: a.update({"network.unit": a["network.unit"] * 0}), "a network has no component"),
        (lambda a: a.update({"network.level_range": -a["network.level_range"]}), "noise levels"),
        (lambda a: a.update(shrinkage=a["shrinkage"] + 2), "shrinkage"),
        (lambda a: a["network.weight.b3"].fill(np.inf), "weight.b3'.*not finite"),
        (lambda a: a["covariance"].fill(np.nan), "'covariance'.*not finite"),
        (lambda a: a.update(source_offset=np.zeros((len(a["source_node"]), 3), int)), "the axes"),
    ],
)
def test_arrays_that_no_model_has(
    folder: Path, change: Callable[[dict[str, np.ndarray]], Any], message: str
) -> None:
    forge(folder, change)
    with pytest.raises(ModelCorrupt, match=message):
        load_model(folder)


def test_limits_of_the_graph_are_checked(folder: Path) -> None:
    forge(folder, lambda a: a["limits"].fill(np.nan), group=0)
    with pytest.raises(ModelCorrupt, match=r"'limits' of group 'graph'.*not finite"):
        load_model(folder)


@pytest.mark.parametrize(
    "data",
    [
        b"garbage!" * 8,
        b"\xff" * 64,
        (2**63).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}",
        (62).to_bytes(8, "little")
        + b'{"w1":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}   '
        + b"0",
    ],
)
def test_blobs_that_are_not_safetensors(folder: Path, data: bytes) -> None:
    put_blob(folder, data)
    with pytest.raises(ModelCorrupt):
        load_model(folder)


def test_random_mutations_load_or_are_refused(folder: Path) -> None:
    """Whatever a description says, with a digest that is right: a model or ModelCorrupt."""
    rng = np.random.default_rng(1)
    odd = [None, True, -1, 10**30, 1e300, "", "x", [], {}, [[]], {"a": 1}, [1, 2, 3]]
    original = (folder / "manifest.json").read_bytes()
    n_refused = 0

    def places(value: Any) -> list[tuple[Any, Any]]:
        keys = value.keys() if isinstance(value, dict) else range(len(value))
        found = [(value, key) for key in keys]
        for key in keys:
            if isinstance(value[key], dict | list):
                found += places(value[key])
        return found

    def mutate(body: dict[str, Any]) -> None:
        found = places(body["description"])
        container, key = found[rng.integers(len(found))]
        container[key] = odd[rng.integers(len(odd))]

    for _ in range(400):
        (folder / "manifest.json").write_bytes(original)
        sign(folder, mutate)
        try:
            assert isinstance(load_model(folder), Model)
        except ModelCorrupt:
            n_refused += 1
    assert n_refused > 150


def test_a_pipe_in_place_of_a_file_does_not_hang(folder: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    for file in (blob_files(folder)[0], folder / "manifest.json"):
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(ModelCorrupt, match="not a regular file"):
            load_model(folder)


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
    sign(folder, lambda body: body.update(schema_version=9))
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


def test_files_of_the_old_model_that_resist_are_reported(
    folder: Path, table_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module.shutil, "rmtree", lambda *args, **kwargs: None)
    with pytest.warns(UserWarning, match="could not be deleted"):
        save_model(replace(table_model, n_rows=77), folder, overwrite=True)
    with warnings.catch_warnings():
        assert load_model(folder).n_rows == 77
