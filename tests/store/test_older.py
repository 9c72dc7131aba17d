"""Models that earlier releases stored answer as they did then.

The folders below ``samples`` were written, and their answers computed, by the releases that wrote
schema 1 and 2.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion
from locality.exceptions import ModelCorrupt, OptionError
from locality.model.record import record_of
from locality.model.settings import Settings
from locality.store import older
from locality.store.difference import diff_versions
from locality.store.older import group_of, renamed_settings
from locality.store.store import BLOBS, load_model, read_blob, read_manifest
from locality.store.versions import commit_version, list_versions, rollback, served_version

SAMPLES = Path(__file__).parent / "samples"
NAMES = ("schema-1", "table", "series", "tied")
NEWER = ("network.factor", "network.trained_range")


def answers(name: str) -> dict[str, Any]:
    return dict(json.loads((SAMPLES / name / "expected.json").read_text()))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The stored table, to be changed."""
    return Path(shutil.copytree(SAMPLES / "table" / "model", tmp_path / "model"))


@pytest.mark.parametrize("name", NAMES)
def test_an_older_model_answers_as_it_did(name: str) -> None:
    expected = answers(name)
    model = LocalizedDiffusion.load(SAMPLES / name / "model")
    rows = pd.DataFrame(expected["rows"])
    context = rows[["load"]] if name == "series" else None
    named = hasattr(model, "feature_names_in_")
    x = rows if named else rows.to_numpy()
    np.testing.assert_allclose(model.surprise(x), expected["surprise"], rtol=1e-6, atol=1e-6)
    drawn = pd.DataFrame(model.sample(5, sampler="sde", random_state=1, context=context))
    for column, wanted in zip(drawn, expected["sample"].values(), strict=True):
        if isinstance(wanted[0], str):
            assert drawn[column].tolist() == wanted
        else:  # drawn in single precision
            np.testing.assert_allclose(drawn[column], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n == "tied" else []) for n in NAMES],
)
def test_an_older_reference_is_dropped_until_normal_rows_are_passed(name: str, tmp_path) -> None:
    """Rows were judged in another way then: the model says that it does not know, and a remedy."""
    rows = pd.DataFrame(answers(name)["rows"])
    model = LocalizedDiffusion.load(SAMPLES / name / "model")
    x = rows if hasattr(model, "feature_names_in_") else rows.to_numpy()
    assert model.model_.reference is None
    for ask in (model.detect, lambda _: model.judge()):
        with pytest.raises(OptionError, match=r"not know how normal rows look.*--normal"):
            ask(x)
    context = pd.concat([rows[["load"]]] * 12) if name == "series" else None
    model.calibrate(model.sample(60, random_state=0, context=context))
    found = model.detect(x).p_value
    model.save(tmp_path / "calibrated")
    again = LocalizedDiffusion.load(tmp_path / "calibrated")
    np.testing.assert_array_equal(again.detect(x).p_value, found)
    assert ((found > 0) & (found <= 1)).all()


def test_what_the_samples_hold() -> None:
    """All that the older forms tell apart: networks or none, axes, context, states."""
    models = {name: load_model(SAMPLES / name / "model") for name in NAMES}
    schema = {name: read_manifest(SAMPLES / name / "model").schema_version for name in NAMES}
    assert schema == {"schema-1": 1, "table": 2, "series": 2, "tied": 2}
    n_networks = {name: sum(len(s.networks) for s in m.shards) for name, m in models.items()}
    assert n_networks == {"schema-1": 1, "table": 1, "series": 0, "tied": 1}
    assert models["series"].layout.is_causal
    assert models["series"].domain.context
    assert "category" in models["series"].standardizer.kinds
    assert models["tied"].layout.is_lattice


@pytest.mark.parametrize("name", NAMES)
def test_networks_become_a_group_and_all_else_stays(name: str) -> None:
    folder = SAMPLES / name / "model"
    manifest = read_manifest(folder)
    for blob in manifest.blobs:
        stored = read_blob(folder / BLOBS / blob.file_name, blob)
        found = group_of(manifest, blob.name, stored)
        if not blob.name.startswith("shard-"):
            assert found is stored
            continue
        n = len(stored["network_unit"])
        assert ("network.kind" in found) == (n > 0)
        for key, array in stored.items():
            flat = key in older._PERCEPTRON
            names = [k for k, v in found.items() if v is array]
            assert names == ([] if flat and not n else [f"network.{_new(key)}" if flat else key])
        assert len(found) == len(stored) + (3 if n else -len(older._PERCEPTRON))
        assert (found.get("network.factor", np.ones(n)) == 1.0).all()
        without = {k: v for k, v in found.items() if k not in NEWER}
        again = group_of(replace(manifest, schema_version=3), blob.name, without)
        assert again.keys() == found.keys()
        assert group_of(replace(manifest, schema_version=3), blob.name, found) is found


def _new(name: str) -> str:
    short = name.removeprefix("network_")
    return f"weight.{short}" if short in ("w1", "w2", "w3", "b3") else short


def test_an_older_version_stays_as_it_is_and_can_be_served_again(copy: Path) -> None:
    """A new version beside it has today's form; the old files keep their bytes."""
    before = {f: f.read_bytes() for f in copy.rglob("*") if f.is_file()}
    model = load_model(copy)
    assert commit_version(replace(model, n_rows=77), copy, change={"kind": "test"}) == 2
    assert read_manifest(copy).schema_version == 3
    changed = {f.name for f, data in before.items() if f.read_bytes() != data}
    assert changed == {"manifest.json"}
    _, new = record_of(load_model(copy))
    _, old = record_of(load_model(copy, 1))
    for name, arrays in old.items():
        assert arrays.keys() == new[name].keys()
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, new[name][key])
    assert rollback(copy, 1) == served_version(copy) == 1
    assert (copy / "manifest.json").read_bytes() == before[copy / "manifest.json"]
    assert [version.number for version in list_versions(copy)] == [1, 2]


def test_settings_take_their_new_names(copy: Path) -> None:
    schema_3 = {
        "graph", "radius", "lags", "series", "tied", "context", "time", "gaussianize", "noise",
        "denoiser", "n_neighbors", "edge_level", "n_steps", "random_state", "seed",
        "feature_names",
    }  # fmt: skip
    for name in NAMES:
        stored = read_manifest(SAMPLES / name / "model").description["settings"]
        found = renamed_settings(stored)
        assert set(found) == schema_3
        assert found["denoiser"] == stored["score"]
        assert found["context"] == stored["given"]
        for key in schema_3 - {"denoiser", "context"}:
            assert found[key] == stored[key]
        assert load_model(SAMPLES / name / "model").settings == Settings.from_dict(found)
    today = replace(read_manifest(copy), schema_version=3)
    assert older.description_of(today) is today.description
    # a model with the new names beside the old one differs in nothing
    commit_version(load_model(copy), copy, change={})
    assert load_model(copy).settings == load_model(copy, 1).settings
    assert diff_versions(copy, 1, 2).settings == {}


def test_damage_of_an_older_model_is_told(copy: Path) -> None:
    manifest = read_manifest(copy)
    (shard,) = (blob for blob in manifest.blobs if blob.name.startswith("shard-"))
    file = copy / BLOBS / shard.file_name
    file.write_bytes(file.read_bytes()[:-1] + b"\x55")
    with pytest.raises(ModelCorrupt, match=shard.digest):
        load_model(copy)
