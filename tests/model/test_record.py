"""A model as plain data, and back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from locality.exceptions import ModelCorrupt
from locality.inference.judging.reference import law_of
from locality.inference.laws.row_law import RowLaw
from locality.inference.laws.sequential import SequentialLaw
from locality.model.model import Model
from locality.model.record import model_of, record_of
from locality.model.reference import Reference
from locality.store.arrays import to_bytes


def test_state_and_back_gives_the_same_model(model: Model) -> None:
    description, groups = record_of(model)
    again = model_of(description, groups)
    assert again.domain.names == model.domain.names
    assert again.domain.axes == model.domain.axes
    assert again.domain.context == model.domain.context
    assert again.levels == model.levels
    assert (again.extent, again.flavor, again.n_rows) == (model.extent, model.flavor, 20)
    for mine, theirs in zip(model.shards, again.shards, strict=True):
        found = theirs.arrays()
        assert found.keys() == mine.arrays().keys()
        for name, array in mine.arrays().items():
            np.testing.assert_array_equal(array, found[name])


def test_nothing_of_a_model_is_lost(table_model: Model) -> None:
    """Numbers of nodes that are not in a row, a reference, and all that is no array."""
    rng = np.random.default_rng(0)
    shapes = {"spread": (6,), "mean": (6,), "surprise": (6,), "surprise_deviation": (6,),
              "residual": (6,),
              "channels": (12, 20), "statistic": (1, 20), "sensors": (6, 20),
              "evidence": (7, 3, 2)}  # fmt: skip
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    eye = sp.eye_array(6, format="csr")
    part = SequentialLaw(eye, (), (sp.csr_array((6, 0)),), rng.uniform(1, 2, 6))
    six, none = np.arange(6), np.zeros(0, dtype=np.int64)
    law = RowLaw((part,), rng.normal(size=6), rng.uniform(1, 2, 6), six, none, six[::-1].copy())
    reference = Reference(**arrays, total_deviation=0.1 + 0.2, n_rows=77, law=law.arrays())
    ids = np.array([1, 2, 5, 7, 8, 30])
    model = replace(table_model, ids=ids, normal=reference, flavor="numpy", n_rows=21)
    description, groups = record_of(model)
    stored = [groups[f"shard-{number:05d}"] for number in range(2)]
    np.testing.assert_array_equal(np.concatenate([shard["target"] for shard in stored]), ids)
    np.testing.assert_array_equal(stored[0]["source_node"], ids[:4])
    again = model_of(description, groups)
    for name in ("flavor", "n_rows", "settings", "seconds", "made_with", "levels", "extent"):
        assert getattr(again, name) == getattr(model, name)
    np.testing.assert_array_equal(again.node_ids, ids)
    np.testing.assert_array_equal(again.limits, model.limits)
    assert again.domain.graph == model.domain.graph
    for name in shapes:
        assert getattr(again.reference, name) is getattr(reference, name)
    assert (again.reference.total_deviation, again.reference.n_rows) == (0.1 + 0.2, 77)
    assert to_bytes(law_of(again.reference).arrays()) == to_bytes(law.arrays())
    for mine, theirs in zip(model.shards, again.shards, strict=True):
        assert to_bytes(mine.arrays()) == to_bytes(theirs.arrays())


@pytest.mark.parametrize(
    "damage",
    [
        lambda d, g: g.pop("graph"),
        lambda d, g: g.pop("shard-00001"),
        lambda d, g: g["shard-00001"].pop("network.weight.w1"),
        lambda d, g: g["shard-00001"].update(extra=np.zeros(1)),
        lambda d, g: g["shard-00001"].update(target=g["shard-00000"]["target"]),
        lambda d, g: g["graph"].update(indices=g["graph"]["indices"][:-1]),
        lambda d, g: d.pop("names"),
        lambda d, g: d.update(n_shards=1),
        lambda d, g: d.update(levels=[2.0, 1.0, 6]),
        lambda d, g: d.update(names=d["names"][:-1]),
        lambda d, g: d["standardizer"].update(mean=[1.0]),
        lambda d, g: d.update(axes=[{"name": "time"}]),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    table_model: Model, damage: Callable[[dict[str, Any], dict[str, Any]], Any]
) -> None:
    description, groups = record_of(table_model)
    damage(description, groups)
    with pytest.raises(ModelCorrupt):
        model_of(description, groups)
