"""What must hold of a group of arrays: each rule is broken once, by itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from locality.exceptions import ModelCorrupt
from locality.local.kinds import KINDS
from locality.model.groups import Arrays, check_groups, check_shard
from locality.model.model import Model
from locality.model.record import record_of


def put(name: str, place: Any, value: Any) -> Callable[[Arrays], None]:
    """A change of some numbers of one array."""

    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name][place] = value

    return change


def cut(*names: str, axis: int = 0) -> Callable[[Arrays], None]:
    """The last entry of some arrays along an axis taken away."""

    def change(arrays: Arrays) -> None:
        for name in names:
            arrays[name] = np.delete(arrays[name], -1, axis=axis)

    return change


WHOLE_NETWORKS = tuple(
    f"network.{name}"
    for name in ("unit", "radius", "noisy", "given", "level_range", "factor",
                 "weight.w1", "weight.w2", "weight.w3", "weight.b3")
)  # fmt: skip


def without_networks(arrays: Arrays) -> None:
    """All of their rows taken away, but not the arrays."""
    for name in WHOLE_NETWORKS:
        arrays[name] = arrays[name][:0]


# the first shard of six nodes in a row: nodes 0 to 2, and node 3 as a source
CONTRADICTIONS = [
    (put("source_node", -1, 99), "a source is no node"),
    (put("source_node", -1, -1), "a source is no node"),
    (put("noisy", (0, -1), 5), "a slot is no source"),
    (put("noisy", (0, -1), -1), "a slot is no source"),
    (put("noisy", (1, 0), 4), "no slot of its own"),
    (cut("noisy", "noisy", "noisy", axis=1), "no slot of its own"),
    (put("noisy", (1, 0), 0), "first slot of a component is not the component"),
    (put("target", 1, 0), "first slot of a component is not the component"),
    (put("network.unit", -1, 3), "a network has no component"),
    (put("network.unit", 0, -1), "a network has no component"),
    (put("network.unit", 1, 0), "a network has no component"),
    (put("network.level_range", (0, 0), 0.0), "no range of noise levels"),
    (put("network.level_range", (0, 1), 0.05), "no range of noise levels"),
    (put("network.noisy", (0, 0), 5), "a network sees no source"),
    (put("network.noisy", (0, 0), -1), "a network sees no source"),
    (without_networks, "but no networks"),
    (put("n_noisy", (0, 0), 0), "n_noisy counts slots that are not there"),
    (put("n_noisy", (0, 0), 4), "n_noisy counts slots that are not there"),
    (put("n_given", (0, 0), -1), "n_given counts slots that are not there"),
    (put("n_given", (0, 0), 1), "n_given counts slots that are not there"),
    (put("source_given", -1, True), "a noisy slot is given"),
    (lambda a: a.update(given=np.full((3, 1), 3)), "a given slot is noisy"),
    (lambda a: a.update(given=np.full((3, 1), 5)), "a slot is no source"),
    (put("radius", (0, 0), 2), "a radius was never measured"),
    (put("radii", 0, 7), "a radius was never measured"),
    (cut("radius", "shrinkage", "n_noisy", "n_given", axis=1), "noise bands"),
    (put("shrinkage", (0, 0), -0.01), "a shrinkage lies outside"),
    (put("shrinkage", (0, 0), 1.01), "a shrinkage lies outside"),
]


@pytest.fixture
def groups(table_model: Model) -> dict[str, Arrays]:
    found = record_of(table_model)[1]
    check_groups(found)
    return found


@pytest.mark.parametrize(("change", "message"), CONTRADICTIONS)
def test_a_shard_that_contradicts_itself(
    groups: dict[str, Arrays], change: Callable[[Arrays], None], message: str
) -> None:
    shard = groups["shard-00000"]
    if message == "noise bands":
        shard["linear_curve"] = shard["linear_curve"][..., :-1]
    change(shard)
    with pytest.raises(ModelCorrupt, match=f"'shard-00000' contradicts itself: .*{message}"):
        check_groups(groups)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("network.unit", 0, 0), ("shrinkage", (0, 0), 0.0), ("shrinkage", (0, 0), 1.0),
        ("n_noisy", (0, 0), 3), ("n_noisy", (0, 0), 1), ("noisy", (0, -1), 4),
        ("held_out", 0, np.nan), ("held_out_error", 0, np.inf), ("linear_curve", (0, 0, 0), np.nan),
    ],
)  # fmt: skip
def test_the_edges_of_what_is_permitted(
    groups: dict[str, Arrays], name: str, place: Any, value: Any
) -> None:
    put(name, place, value)(groups["shard-00000"])
    check_groups(groups)


def test_every_array_is_required_in_its_form(groups: dict[str, Arrays]) -> None:
    """Missing, of another type, with another number of axes, longer than its neighbors, or not
    finite: each array of each group by itself.
    """
    nodes = {"nodes": {"id": np.arange(6)}}
    may_be_nan = {"held_out", "held_out_error", "held_out_independent", "linear_curve",
                  "neural_curve"}  # fmt: skip
    alone = {"radii", "indptr", "network.trained_inside"}  # whose first axis is theirs alone
    for group, arrays in (groups | nodes).items():
        for name, array in arrays.items():
            changes = {
                "type": array.astype("float16"),
                "axes": array[None],
                "length": np.concatenate([array, array[-1:]]),
            }
            if array.dtype.kind == "f" and name not in may_be_nan:
                for bad in (np.nan, np.inf):
                    changes[str(bad)] = np.full_like(array, bad)
            if name in alone:
                del changes["length"]
            for changed in changes.values():
                with pytest.raises(ModelCorrupt, match=f"'{group}'"):
                    check_groups(groups | nodes | {group: arrays | {name: changed}})
            less = {k: v for k, v in arrays.items() if k != name}
            with pytest.raises(ModelCorrupt, match=f"'{group}'"):
                check_groups(groups | nodes | {group: less})
        with pytest.raises(ModelCorrupt, match=f"'{group}' holds an unknown array 'zebra'"):
            check_groups(groups | nodes | {group: arrays | {"zebra": np.zeros(1)}})


def test_networks_of_an_unknown_kind_are_named(groups: dict[str, Arrays]) -> None:
    shard = groups["shard-00000"]
    shard["network.kind"] = np.frombuffer(b"transformer", dtype=np.uint8)
    with pytest.raises(ModelCorrupt, match=r"'shard-00000' has networks of kind 'transformer'"):
        check_groups(groups)
    shard["network.kind"] = np.arange(256, dtype=np.uint8)
    with pytest.raises(ModelCorrupt, match="has networks of kind"):
        check_groups(groups)


def test_weights_are_those_of_their_kind(
    groups: dict[str, Arrays], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second kind is one more entry: the store knows its weights from there."""
    kind = type(KINDS["perceptron"])({"wide": ("networks", "inputs", "inputs")}, "")
    monkeypatch.setitem(KINDS, "wide", kind)  # type: ignore[arg-type]
    shard = groups["shard-00000"]
    perceptron = {k: shard.pop(k) for k in list(shard) if k.startswith("network.weight.")}
    shard["network.kind"] = np.frombuffer(b"wide", dtype=np.uint8)
    n = len(shard["network.unit"])
    shard["network.weight.wide"] = np.zeros((n, 8, 8), dtype=np.float32)
    check_groups(groups)
    shard["network.weight.wide"] = np.zeros((n, 8, 7), dtype=np.float32)
    with pytest.raises(ModelCorrupt, match="expected 8 inputs, found 7"):
        check_groups(groups)
    shard.update(perceptron)
    with pytest.raises(ModelCorrupt, match="unknown array"):
        check_groups(groups)


def test_a_shard_without_networks_has_no_arrays_of_them(table_model: Model) -> None:
    shard = table_model.shards[0]
    linear = shard.linear.arrays()
    check_shard(linear, "shard")
    assert set(shard.arrays()) - set(linear) == {
        "network.kind", "network.trained_inside", "network.trained_range", "network.uses_rim",
        *WHOLE_NETWORKS
    }  # fmt: skip
    with pytest.raises(ModelCorrupt, match=r"unknown array 'network.b3'"):
        check_shard(linear | {"network.b3": np.zeros(1)}, "shard")


def test_groups_fit_together(groups: dict[str, Arrays]) -> None:
    graph = groups["graph"]
    longer = {"indptr": np.append(graph["indptr"], graph["indptr"][-1])}
    with pytest.raises(ModelCorrupt, match="indptr and limits do not match"):
        check_groups(groups | {"graph": graph | longer})
    with pytest.raises(ModelCorrupt, match="no group 'graph'"):
        check_groups({k: v for k, v in groups.items() if k != "graph"})
    far = {"id": np.array([0, 1, 2, 3, 4, 9])}
    with pytest.raises(ModelCorrupt, match="a source is no node"):  # node 5 is called 9 now
        check_groups(groups | {"nodes": far})
    for wrong in ([0, 1, 2, 3, 4], [0, 1, 1, 3, 4, 5], [-1, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 2**31]):
        with pytest.raises(ModelCorrupt, match="not those of nodes"):
            check_groups(groups | {"nodes": {"id": np.array(wrong)}})
