"""The networks of a shard as a group of arrays, tagged with their kind."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from locality._typing import BoolArray, FloatArray, IntArray
from locality.local.kinds import Networks, kind_of

__all__ = ["NETWORK", "WEIGHT", "NetworkGroup", "kind_name"]

NETWORK, WEIGHT = "network.", "network.weight."
"""What the names of a group's arrays begin with among those of a shard, and those of weights."""

_SHARED = ("trained_inside", "trained_range")
_PER_NETWORK = ("unit", "radius", "noisy", "given", "level_range", "factor")


@dataclass(frozen=True, eq=False)
class NetworkGroup:
    """w networks of one kind, of some of the components of a shard.

    Parameters
    ----------
    kind : str
        One of ``kinds.KINDS``.
    unit : int array [w]
        Components that have a network, ascending.
    radius : int array [w]
        What each sees.
    noisy, given : int arrays [w, ...]
        The same as slots, padded with n_sources.
    level_range : float array [w, 2]
        Trained noise levels.
    factor : float array [w]
        By which each is multiplied: the share of it that held-out rows speak for.
    trained_inside : bool array [n_trained_classes, n_sources]
        Boundary classes in which networks were trained.
    trained_range : float array [n_sources, 2]
        Lowest and highest value of each source among the rows that networks learned from.
    uses_rim : bool
        Whether networks see which slots lie inside.
    weights : mapping of float32 arrays
        Their first axis counts networks; the kind knows the others.
    """

    kind: str
    unit: IntArray
    radius: IntArray
    noisy: IntArray
    given: IntArray
    level_range: FloatArray
    factor: FloatArray
    trained_inside: BoolArray
    trained_range: FloatArray
    uses_rim: bool
    weights: Mapping[str, np.ndarray]

    @classmethod
    def empty(cls, n_sources: int) -> "NetworkGroup":
        """No networks."""
        none, nothing = np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.int64)
        span, factor, inside = np.zeros((0, 2)), np.zeros(0), np.zeros((0, n_sources), dtype=bool)
        seen = np.zeros((n_sources, 2))
        return cls("", none, none, nothing, nothing, span, factor, inside, seen, False, {})

    def __len__(self) -> int:
        """Number of networks."""
        return len(self.unit)

    def evaluator(self) -> Networks:
        """What evaluates them; weights are shared."""
        return kind_of(self.kind).load().of(self.weights)

    def keep(self, which: BoolArray) -> "NetworkGroup":
        """Some of the networks only [w]."""
        rows = {name: getattr(self, name)[which] for name in _PER_NETWORK}
        return replace(self, **rows, weights={k: v[which] for k, v in self.weights.items()})

    def take(self, components: IntArray) -> "NetworkGroup":
        """The networks of some components, ascending, which are numbered from 0 from now on."""
        found = self.keep(np.isin(self.unit, components))
        return replace(found, unit=np.searchsorted(components, found.unit))

    def seeing(self, sources: BoolArray) -> BoolArray:
        """Which networks see one of the chosen sources [n_sources] [w]."""
        at = np.append(sources, False)
        return np.asarray(at[self.noisy].any(axis=1) | at[self.given].any(axis=1))

    def reading(self, sources: IntArray) -> "NetworkGroup":
        """With some sources only, in their order; slots that held others are padding.

        Slots keep their places, to which weights belong.
        """
        place = np.full(self.trained_inside.shape[1] + 1, len(sources))
        place[sources] = np.arange(len(sources))
        return replace(
            self,
            noisy=place[self.noisy],
            given=place[self.given],
            trained_inside=self.trained_inside[:, sources],
            trained_range=self.trained_range[sources],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name, none if there are no networks."""
        if not len(self):
            return {}
        own = {name: getattr(self, name) for name in (*_PER_NETWORK, *_SHARED)}
        own["kind"] = np.frombuffer(self.kind.encode("ascii"), dtype=np.uint8).copy()
        own["uses_rim"] = np.array([self.uses_rim])
        found = {NETWORK + name: array for name, array in own.items()}
        return found | {WEIGHT + name: array for name, array in self.weights.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], n_sources: int) -> "NetworkGroup":
        """The networks among the arrays of a shard.

        Raises
        ------
        KeyError, TypeError
            If an array is missing, or there is another one.
        OptionError
            If there are no networks of this kind.
        """
        own = {k.removeprefix(NETWORK): v for k, v in arrays.items() if k.startswith(NETWORK)}
        if not own:
            return cls.empty(n_sources)
        kind, rim = kind_name(own.pop("kind")), bool(own.pop("uses_rim")[0])
        weights = {name: own.pop(f"weight.{name}") for name in kind_of(kind).weights}
        return cls(kind=kind, uses_rim=rim, weights=weights, **own)


def kind_name(letters: np.ndarray) -> str:
    """The kind that the array "kind" of a group names."""
    return letters.tobytes().decode("ascii", errors="replace")
