"""Groups of arrays, and what must hold of them.

Before a group is written and after it is read, its arrays are compared with the table below: names,
dtypes, and axes that must agree in length; so nothing is stored that could not be read again, and
nothing is read that would fail later, far from its file.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from locality._typing import BoolArray
from locality.exceptions import ModelCorrupt
from locality.local.kinds import KINDS
from locality.local.networks import WEIGHT, kind_name
from locality.noise.levels import BAND_EDGES

__all__ = ["Arrays", "check_groups", "check_shard"]

Arrays = dict[str, np.ndarray]

_MOST_NODES = 2**31


@dataclass(frozen=True)
class _Form:
    """Dtype, axes (a length, or a name for a common one), and whether NaN is allowed."""

    dtype: str
    axes: tuple[str | int, ...]
    may_be_nan: bool = False


_GRAPH = {
    "indptr": _Form("int64", ("bounds",)),
    "indices": _Form("int64", ("edges",)),
    "weights": _Form("float64", ("edges",)),
    "limits": _Form("float64", ("nodes", 2)),
}
_SHARD = {
    "target": _Form("int64", ("components",)),
    "radius": _Form("int64", ("components", "bands")),
    "shrinkage": _Form("float64", ("components", "bands")),
    "source_node": _Form("int64", ("sources",)),
    "source_offset": _Form("int64", ("sources", "domain axes")),
    "source_given": _Form("bool", ("sources",)),
    "noisy": _Form("int64", ("components", "noisy slots")),
    "given": _Form("int64", ("components", "given slots")),
    "n_noisy": _Form("int64", ("components", "bands")),
    "n_given": _Form("int64", ("components", "bands")),
    "covariance": _Form("float64", ("sources", "sources")),
    "held_out": _Form("float64", ("components",), may_be_nan=True),
    "held_out_error": _Form("float64", ("components",), may_be_nan=True),
    "held_out_independent": _Form("float64", ("components",), may_be_nan=True),
    "radii": _Form("int64", ("radii",)),
    "linear_curve": _Form("float64", ("components", "radii", "bands"), may_be_nan=True),
    "neural_curve": _Form("float64", ("components", "radii"), may_be_nan=True),
}
_NETWORKS = {
    "network.kind": _Form("uint8", ("letters",)),
    "network.unit": _Form("int64", ("networks",)),
    "network.radius": _Form("int64", ("networks",)),
    "network.noisy": _Form("int64", ("networks", "noisy inputs")),
    "network.given": _Form("int64", ("networks", "given inputs")),
    "network.level_range": _Form("float64", ("networks", 2)),
    "network.trained_inside": _Form("bool", ("trained classes", "sources")),
    "network.factor": _Form("float64", ("networks",)),
    "network.trained_range": _Form("float64", ("sources", 2)),
    "network.uses_rim": _Form("bool", (1,)),
}

_NODES = {"id": _Form("int64", ("nodes",))}
_REFERENCE = {
    "spread": _Form("float64", ("components",)),
    "mean": _Form("float64", ("components",)),
    "surprise": _Form("float64", ("components",)),
    "surprise_deviation": _Form("float64", ("components",)),
    "residual": _Form("float64", ("components",)),
    "channels": _Form("float64", ("channels", "kept")),
    "statistic": _Form("float64", (1, "kept")),
    "sensors": _Form("float64", ("components", "kept by sensor")),
    "evidence": _Form("float64", ("scores", "sizes", 2)),
    "total_deviation": _Form("float64", (1,)),
    "n_rows": _Form("int64", (1,)),
    "law.center": _Form("float64", ("nodes",)),
    "law.unit": _Form("float64", ("nodes",)),
    "law.targets": _Form("int64", ("components",)),
    "law.context": _Form("int64", ("conditions",)),
    "law.order": _Form("int64", ("components",)),
}
_STRANGE = {
    "values": _Form("float64", ("rows", "columns"), may_be_nan=True),
    "unseen": _Form("bool", ("rows", "columns")),
    "bounds": _Form("int64", ("bounds",)),
    "n_before": _Form("int64", ("windows",)),
    "n_alarms": _Form("int64", ("windows",)),
    "strength": _Form("float64", ("windows",)),
    "column": _Form("int64", ("windows",)),
    "first": _Form("int64", ("windows",)),
    "time": _Form("int64", ("windows",)),
}
_LAW = re.compile(r"law\.\d+\.((scale)|(?:within|past|context)\.\d+\.((data)|indices|indptr))")


def check_groups(groups: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Compare all groups of a model with what a model consists of.

    Parameters
    ----------
    groups : mapping
        The group "graph", any number of shards, and possibly "reference", "strange" and "nodes",
        the numbers that shards have for the nodes of the graph.

    Raises
    ------
    ModelCorrupt
        Naming the group and the array.
    """
    if "graph" not in groups:
        raise ModelCorrupt("The model has no group 'graph'.")
    _check(_GRAPH, groups["graph"], "graph")
    n_nodes = len(groups["graph"]["limits"])
    if len(groups["graph"]["indptr"]) != n_nodes + 1:
        raise ModelCorrupt("Group 'graph' contradicts itself: indptr and limits do not match.")
    known = np.ones(n_nodes, dtype=bool)
    if "nodes" in groups:
        known = _known_nodes(groups["nodes"], n_nodes)
    for name, arrays in groups.items():
        if name == "reference":
            if "law.center" in arrays:  # those of older versions are not read
                _check(_REFERENCE | _forms_of_law(arrays), arrays, name)
        elif name == "strange":
            _check(_STRANGE, arrays, name)
        elif name not in ("graph", "nodes"):
            check_shard(arrays, name, known)


def check_shard(
    arrays: Mapping[str, np.ndarray], name: str, known: BoolArray | None = None
) -> None:
    """Compare the arrays of one shard with what a shard consists of.

    Parameters
    ----------
    arrays : mapping
    name : str
        Of the group, for messages.
    known : bool array, optional
        Whether a number is that of a node.

    Raises
    ------
    ModelCorrupt
        Naming the group and the array.
    """
    _check(_SHARD | _forms_of_networks(arrays, name), arrays, name)
    if known is None:
        known = np.ones(int(arrays["source_node"].max(initial=0)) + 1, dtype=bool)
    for failed in _contradictions(arrays, known):
        raise ModelCorrupt(f"Group {name!r} contradicts itself: {failed}.")


def _known_nodes(arrays: Mapping[str, np.ndarray], n_nodes: int) -> BoolArray:
    """Whether a number is that of a node."""
    _check(_NODES, arrays, "nodes")
    number = arrays["id"]
    if len(number) != n_nodes or (np.diff(number) <= 0).any() or not _within(number, _MOST_NODES):
        raise ModelCorrupt("Group 'nodes' contradicts itself: its numbers are not those of nodes.")
    known = np.zeros(int(number[-1]) + 1, dtype=bool)
    known[number] = True
    return known


def _forms_of_networks(arrays: Mapping[str, np.ndarray], group: str) -> dict[str, _Form]:
    """Of a shard without networks none; weights are as their kind says."""
    if "network.kind" not in arrays:
        return {}
    kind = kind_name(arrays["network.kind"])
    if kind not in KINDS:
        raise ModelCorrupt(
            f"Group {group!r} has networks of kind {kind[:40]!r}; this release knows "
            f"{', '.join(sorted(KINDS))}.",
            remedy="Use the release that wrote it.",
        )
    weights = KINDS[kind].weights
    return _NETWORKS | {WEIGHT + name: _Form("float32", axes) for name, axes in weights.items()}


def _forms_of_law(arrays: Mapping[str, np.ndarray]) -> dict[str, _Form]:
    """Of sparse matrices, as many as there are; whether they fit together is seen when used."""
    found = {}
    for name in arrays:
        if match := _LAW.fullmatch(name):
            is_scale, is_data = match.group(2), match.group(4)
            axis = "components" if is_scale else name.removesuffix(".data")
            if name.endswith(".indices"):
                axis = name.removesuffix(".indices")
            found[name] = _Form("float64" if is_scale or is_data else "int64", (axis,))
    return found


def _check(forms: Mapping[str, _Form], arrays: Mapping[str, np.ndarray], group: str) -> None:
    if arrays.keys() != forms.keys():
        odd = sorted(arrays.keys() ^ forms.keys())[0]
        what = "lacks" if odd in forms else "holds an unknown"
        raise ModelCorrupt(f"Group {group!r} {what} array {odd!r}.")
    lengths: dict[str, int] = {}
    for name, form in forms.items():
        array, where = arrays[name], f"Array {name!r} of group {group!r}"
        if array.dtype != np.dtype(form.dtype) or array.ndim != len(form.axes):
            raise ModelCorrupt(
                f"{where} is {array.dtype} with {array.ndim} axes, "
                f"expected {form.dtype} with {len(form.axes)}."
            )
        for axis, found in zip(form.axes, array.shape, strict=True):
            expected = axis if isinstance(axis, int) else lengths.setdefault(axis, found)
            if found != expected:
                raise ModelCorrupt(
                    f"{where} has shape {array.shape}: expected {expected} "
                    f"{'columns' if isinstance(axis, int) else axis}, found {found}."
                )
            if found == 0:
                break  # an array without rows says nothing about its columns
        if array.dtype.kind == "f" and not form.may_be_nan and not np.isfinite(array).all():
            raise ModelCorrupt(f"{where} holds values that are not finite.")


def _contradictions(arrays: Mapping[str, np.ndarray], known: BoolArray) -> Iterator[str]:
    """What is wrong within a shard whose arrays have the right form."""
    node, noisy, given = arrays["source_node"], arrays["noisy"], arrays["given"]
    offset = arrays["source_offset"]
    n_sources, n_components = len(node), len(arrays["target"])
    if not (_within(node, len(known)) and known[node].all()):
        yield "a source is no node of the graph"
    if not (_within(noisy, n_sources + 1) and _within(given, n_sources + 1)):
        yield "a slot is no source"
    elif not (noisy.shape[1] and (noisy[:, 0] < n_sources).all()):
        yield "a component has no slot of its own"
    elif (node[noisy[:, 0]] != arrays["target"]).any() or offset[noisy[:, 0]].any():
        yield "the first slot of a component is not the component"
    for name, table, least in (("n_noisy", noisy, 1), ("n_given", given, 0)):
        if not ((arrays[name] >= least) & (arrays[name] <= table.shape[1])).all():
            yield f"{name} counts slots that are not there"
    if "network.kind" in arrays:
        yield from _contradictions_of_networks(arrays, n_sources, n_components)
    padded = np.append(arrays["source_given"], False)
    if _within(noisy, n_sources + 1) and padded[noisy].any():
        yield "a noisy slot is given"
    if _within(given, n_sources + 1) and not padded[given][given < n_sources].all():
        yield "a given slot is noisy"
    if not np.isin(arrays["radius"], arrays["radii"]).all():
        yield "a radius was never measured"
    if arrays["radius"].shape[1] != len(BAND_EDGES) - 1:
        yield f"there are {arrays['radius'].shape[1]} noise bands, not {len(BAND_EDGES) - 1}"
    if not ((arrays["shrinkage"] >= 0) & (arrays["shrinkage"] <= 1)).all():
        yield "a shrinkage lies outside 0 to 1"


def _contradictions_of_networks(
    arrays: Mapping[str, np.ndarray], n_sources: int, n_components: int
) -> Iterator[str]:
    """What is wrong with the networks of a shard whose arrays have the right form."""
    unit, level, noisy, given = (
        arrays[f"network.{name}"] for name in ("unit", "level_range", "noisy", "given")
    )
    if not len(unit):
        yield "there are arrays of networks, but no networks"
    if not _within(unit, n_components) or (np.diff(unit) <= 0).any():
        yield "a network has no component"
    if not ((level[:, 0] > 0) & (level[:, 0] < level[:, 1])).all():
        yield "a network has no range of noise levels"
    if not (_within(noisy, n_sources + 1) and _within(given, n_sources + 1)):
        yield "a network sees no source"


def _within(index: np.ndarray, n: int) -> bool:
    return bool(((index >= 0) & (index < n)).all())
