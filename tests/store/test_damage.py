"""Damaged and hostile files are refused, by name, before anything interprets them."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import scipy.sparse as sp

from locality.exceptions import ModelCorrupt
from locality.inference.laws.row_law import RowLaw
from locality.inference.laws.sequential import SequentialLaw
from locality.model.model import Model
from locality.model.reference import Reference
from locality.store import files, store
from locality.store.store import load_model, save_model

W1 = "network.weight.w1"


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
    read = files.read_file

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
        lambda body: body["blobs"][0].update(bytes=7),
        lambda body: body["blobs"][0].update(extra=1),
        lambda body: body["blobs"][0].pop("digest"),
        lambda body: body.update(blobs={}),
        lambda body: body.update(blobs=[3]),
        lambda body: body.update(version=0),
        lambda body: body.update(version=10**6),
        lambda body: body.update(version=True),
        lambda body: body.update(parent="1"),
        lambda body: body.update(parent=0),
        lambda body: body.update(change=None),
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


def test_a_file_that_is_too_large_is_not_read(folder: Path) -> None:
    file = folder / "manifest.json"
    os.truncate(file, 2**26 + 1)  # takes no room on disk
    with pytest.raises(ModelCorrupt, match=r"expected at most 67108864 bytes, found 67108865"):
        load_model(folder)


def test_a_reference_of_other_sensors_is_refused(folder: Path, table_model: Model) -> None:
    for n, fits in ((6, True), (5, False)):
        which, none = np.arange(n), np.zeros(0, dtype=np.int64)
        part = SequentialLaw(sp.eye_array(n, format="csr"), (), (sp.csr_array((n, 0)),), np.ones(n))
        law = RowLaw((part,), np.ones(n), np.ones(n), which, none, which)
        one, table = np.ones(n), np.ones((n, 9))
        reference = Reference(
            one, one, one, one, 1.0, one, np.ones((3, 9)), np.ones((1, 9)), table,
            np.ones((n + 1, 3, 2)), 50, law.arrays(),
        )  # fmt: skip
        save_model(replace(table_model, normal=reference), folder, overwrite=True)
        if fits:
            load_model(folder)
        else:
            with pytest.raises(ModelCorrupt, match="The reference is of"):
                load_model(folder)
