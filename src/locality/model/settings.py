"""Settings: what a model was asked for, typed, checked and plain enough for JSON.

One table owns the parameters of a model. Each field says what it permits and what it is for; the
estimator checks its parameters against it, the store writes it, and the command line makes options
of it. Where shards are worked on is no setting of a model: see `locality.training.execution`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from dataclasses import replace as _replaced
from numbers import Real
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from locality.exceptions import OptionError

if TYPE_CHECKING:
    from locality.training.options import NetworkOptions, TrainingOptions

__all__ = ["PARAMETERS", "Settings"]

_Check = Callable[[Any], bool]


def _whole(low: int) -> _Check:
    return lambda v: isinstance(v, int | np.integer) and not isinstance(v, bool) and bool(v >= low)


def _among(*permitted: str) -> _Check:
    return lambda v: isinstance(v, str) and v in permitted


def _is_number(v: Any) -> bool:
    return not isinstance(v, bool) and isinstance(v, Real) and bool(np.isfinite(float(v)))


def _is_truth(v: Any) -> bool:
    return isinstance(v, bool | np.bool_)


def _is_network(v: Any) -> bool:
    if v is None:
        return True
    from locality.training.options import NetworkOptions

    return isinstance(v, NetworkOptions)


def _option(default: Any, permitted: _Check, expected: str, help: str) -> Any:
    return field(
        default=default, metadata={"permitted": permitted, "expected": expected, "help": help}
    )


@dataclass(frozen=True)
class Settings:
    """What a model was asked for: parameters of `LocalizedDiffusion`, as plain data.

    Parameters
    ----------
    graph : str or None
        Name or path; None if it was passed as an object, which the model holds anyway.
    radius, lags, series, tied, context, time, gaussianize, noise, denoiser, n_neighbors, \
edge_level, n_steps, network, max_radius, max_slots, random_state
        As in ``LocalizedDiffusion``.
    seed : int
        What ``random_state`` came to.
    feature_names : tuple of str or None
        Columns of the frame fitted; None for an array.

    Examples
    --------
    >>> Settings(lags=2).replace(denoiser="linear").denoiser
    'linear'
    >>> Settings.from_dict(Settings(lags=2).to_dict()) == Settings(lags=2)
    True
    """

    graph: str | None = _option(
        "learn",
        lambda v: True,  # what a graph may be is told where it is made
        "",
        "Who depends on whom: learn, chain, ring, complete, or a file of pairs in columns from and "
        "to (and weight or distance).",
    )
    radius: int | str = _option(
        "auto",
        lambda v: v == "auto" if isinstance(v, str) else _whole(0)(v),
        '"auto" or a whole number of hops ≥ 0',
        "Steps along the graph that a column sees; auto: by held-out rows.",
    )
    lags: int = _option(
        0,
        _whole(0),
        "a whole number of rows ≥ 0",
        "Rows of the past that each row depends on; 0: no order.",
    )
    series: str = _option(
        "causal",
        _among("causal", "joint"),
        '"causal" or "joint"',
        "With lags: each row given its past, or whole windows at once.",
    )
    tied: bool = _option(
        False, _is_truth, "True or False", "One law for all columns along a chain or ring."
    )
    context: tuple[str, ...] = _option(
        (),
        lambda v: isinstance(v, Sequence) and not isinstance(v, str),
        "a list of column names",
        "Conditions (recipe, set-point): known, not modeled.",
    )
    time: str | None = _option(
        None,
        lambda v: v is None or isinstance(v, str),
        "the name of a column, or None",
        "Column with the time of each row.",
    )
    gaussianize: bool = _option(
        True, _is_truth, "True or False", "Give columns laws of their own: logarithms, states, …"
    )
    noise: float | Mapping[str, float] | None = _option(
        None,
        lambda v: v is None or isinstance(v, Mapping) or (_is_number(v) and v >= 0),
        "a number ≥ 0, or a mapping of column names to numbers",
        "Measurement noise: nothing finer is learned.",
    )
    denoiser: str = _option(
        "neural",
        _among("neural", "linear"),
        '"neural" or "linear"',
        "The closed form alone, or networks where they help.",
    )
    n_neighbors: int = _option(
        8,
        _whole(1),
        "a whole number ≥ 1",
        "With a learned graph: strongest neighbors of each column.",
    )
    edge_level: float = _option(
        0.9,
        lambda v: isinstance(v, float) and 0 < v < 1,
        "a share between 0 and 1",
        "With a learned graph: tolerated share of false edges.",
    )
    n_steps: int = _option(
        3000, _whole(20), "a whole number ≥ 20", "Training steps of the networks."
    )
    network: "NetworkOptions | None" = _option(  # noqa: RUF009 - as all others
        None,
        _is_network,
        "NetworkOptions, or None for those found best",
        "Shape and training of the networks.",
    )
    max_radius: int | None = _option(
        None,
        lambda v: v is None or _whole(0)(v),
        "a whole number of hops ≥ 0, or None for 24",
        "Largest radius that held-out rows are asked about; 24 by default.",
    )
    max_slots: int | None = _option(
        None,
        lambda v: v is None or _whole(1)(v),
        "a whole number ≥ 1, or None for 160",
        "Values that a neighborhood may hold at most; 160 by default.",
    )
    random_state: int | None = _option(None, lambda v: True, "", "Equal seeds give equal results.")
    seed: int = 0
    feature_names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any], owner: str = "LocalizedDiffusion") -> "Settings":
        """From parameters as a user gives them.

        Parameters
        ----------
        parameters : mapping
            By name; those that are no settings are left alone.
        owner : str
            Whose parameters they are, for messages.

        Raises
        ------
        OptionError
            Naming the first parameter that is wrong, what it permits and what was found.
        """
        found: dict[str, Any] = {}
        for option in fields(cls):
            if option.name not in PARAMETERS or option.name not in parameters:
                continue
            value = parameters[option.name]
            if not option.metadata["permitted"](value):
                raise OptionError(
                    f"The {option.name!r} parameter of {owner} must be "
                    f"{option.metadata['expected']}, found {value!r}."
                )
            found[option.name] = value
        graph = found.get("graph", "learn")
        found["graph"] = str(graph) if isinstance(graph, str | PathLike) else None
        found["context"] = tuple(found.get("context", ()))
        if isinstance(found.get("noise"), Mapping):
            found["noise"] = dict(found["noise"])
        state = found.get("random_state")
        found["random_state"] = int(state) if isinstance(state, int | np.integer) else None
        return cls(**found)

    def replace(self, **changes: Any) -> "Settings":
        """The same but for some."""
        return _replaced(self, **changes)

    @property
    def parameters(self) -> dict[str, Any]:
        """Those that are parameters of the estimator, by name."""
        return {name: getattr(self, name) for name in PARAMETERS}

    @property
    def training(self) -> "TrainingOptions | None":
        """How networks are trained on the CPU; None if the closed form stands alone."""
        if self.denoiser == "linear":
            return None
        from locality.training.options import TrainingOptions

        shape = {} if self.network is None else self.network.model_dump()
        return TrainingOptions(**(shape | {"n_steps": self.n_steps}))

    def to_dict(self) -> dict[str, Any]:
        """In terms of JSON."""
        found = {option.name: getattr(self, option.name) for option in fields(self)}
        if isinstance(self.noise, Mapping):
            found["noise"] = {str(name): float(value) for name, value in self.noise.items()}
        for name in ("context", "feature_names"):
            found[name] = None if found[name] is None else list(found[name])
        found["network"] = None if self.network is None else self.network.model_dump()
        return found

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Settings":
        """What `to_dict` returned.

        Raises
        ------
        TypeError, ValueError
            If it is something else.
        """
        found = dict(content)
        for name in ("context", "feature_names"):
            if found.get(name) is not None:
                found[name] = tuple(found[name])
        if found.get("network") is not None:
            from locality.training.options import NetworkOptions

            found["network"] = NetworkOptions(**found["network"])
        return cls(**found)


PARAMETERS = tuple(option.name for option in fields(Settings) if "help" in option.metadata)
"""Names of the settings that are parameters of the estimator."""
