"""What differs between two versions of a model: shards, and the nats of their components."""

from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from locality.store.manifest import Manifest
from locality.store.older import description_of
from locality.store.store import BLOBS, read_blob, read_manifest
from locality.store.versions import find_version

__all__ = ["Difference", "diff_versions"]


@dataclass(frozen=True)
class Difference:
    """Between two versions.

    Parameters
    ----------
    old, new : int
    n_same, n_removed, n_added : int
        Shards that both have, only the old one, only the new one.
    components : tuple of (str, float, float)
        Names of the components whose shard changed, and their held-out nats before and after (in
        standardized units); NaN where a version does not have the component.
    settings : dict
        Settings that differ, with both values.
    columns_removed, columns_added : tuple of str
        Columns that only one of them has.
    """

    old: int
    new: int
    n_same: int
    n_removed: int
    n_added: int
    components: tuple[tuple[str, float, float], ...]
    settings: dict[str, tuple[Any, Any]]
    columns_removed: tuple[str, ...] = ()
    columns_added: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def diff_versions(path: str | PathLike[str], old: int | str, new: int | str) -> Difference:
    """Compare two versions.

    Parameters
    ----------
    path : path
    old, new : int or str
        Numbers or aliases.
    """
    folder = Path(path)
    a, b = (read_manifest(folder, find_version(folder, version)) for version in (old, new))
    shards_a, shards_b = _shards(a), _shards(b)
    same = set(shards_a) & set(shards_b)
    before, after = _nats(folder, a, same), _nats(folder, b, same)
    nan = float("nan")
    components = tuple(
        (name, before.get(name, nan), after.get(name, nan)) for name in sorted({*before, *after})
    )
    one, two = (description_of(manifest).get("settings", {}) for manifest in (a, b))
    settings = {
        key: (one.get(key), two.get(key))
        for key in sorted({*one, *two} - {"feature_names"})
        if one.get(key) != two.get(key)
    }
    had, has = (m.description["standardizer"]["names"] for m in (a, b))
    return Difference(
        a.version, b.version, len(same), len(set(shards_a) - same), len(set(shards_b) - same),
        components, settings,
        tuple(name for name in had if name not in has),
        tuple(name for name in has if name not in had),
    )  # fmt: skip


def _shards(manifest: Manifest) -> list[str]:
    """Digests of the shards."""
    return [blob.digest for blob in manifest.blobs if blob.name.startswith("shard-")]


def _nats(folder: Path, manifest: Manifest, same: set[str]) -> dict[str, float]:
    """Held-out nats by component, of the shards that are not in both versions."""
    names = dict(enumerate(manifest.description["names"]))
    for blob in manifest.blobs:
        if blob.name == "nodes":
            ids = read_blob(folder / BLOBS / blob.file_name, blob)["id"].tolist()
            names = dict(zip(ids, names.values(), strict=True))
    found = {}
    for blob in manifest.blobs:
        if blob.name.startswith("shard-") and blob.digest not in same:
            arrays = read_blob(folder / BLOBS / blob.file_name, blob)
            for node, nats in zip(arrays["target"].tolist(), arrays["held_out"], strict=True):
                found[str(names[node])] = float(nats)
    return found
