"""Settings: what a model was asked for, typed, checked and plain enough for JSON.

One table owns the parameters of a model. Each field says what it permits and what it is for; the
estimator checks its parameters against it, the store writes it, and the command line makes options
of it. Where shards are worked on is no setting of a model: see `locality.training.execution`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from dataclasses import replace as _replaced
from numbers import Integral
from os import PathLike
from typing import TYPE_CHECKING, Any

from locality.training.parameters import Permitted, among, number, option, require, truth, whole

if TYPE_CHECKING:
    from locality.training.options import NetworkOptions, TrainingOptions

__all__ = ["PARAMETERS", "Settings"]

_HOPS = whole(0, "a whole number of hops")
_LEVEL = number(lambda v: v >= 0, "a number ≥ 0")


def _is_network(v: Any) -> bool:
    from locality.training.options import NetworkOptions

    return isinstance(v, NetworkOptions)


def _is_level(v: Any) -> bool:
    """A number, or such by column; which columns there are is known with the table."""
    return isinstance(v, Mapping) or _LEVEL(v)


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

    graph: str | None = option(
        "learn",
        Permitted(lambda v: True, "", "NAME|FILE"),  # told where it is made
        "Who depends on whom: learn, chain, ring, complete, or a file of pairs in columns from and "
        "to (and weight or distance).",
    )
    radius: int | str = option(
        "auto",
        Permitted(
            lambda v: v == "auto" if isinstance(v, str) else _HOPS(v),
            f'"auto" or {_HOPS}',
            "auto|R",
        ),
        "Steps along the graph that a column sees; auto: by held-out rows.",
    )
    lags: int = option(
        0,
        whole(0, "a whole number of rows"),
        "Rows of the past that each row depends on; 0: no order.",
    )
    series: str = option(
        "causal",
        among("causal", "joint"),
        "With lags: each row given its past, or whole windows at once.",
    )
    tied: bool = option(False, truth, "One law for all columns along a chain or ring.")
    context: tuple[str, ...] = option(
        (),
        Permitted(
            lambda v: isinstance(v, Sequence) and not isinstance(v, str),
            "a list of column names",
            "A,B",
        ),
        "Conditions (recipe, set-point): known, not modeled.",
    )
    time: str | None = option(
        None,
        Permitted(lambda v: isinstance(v, str), "the name of a column", "COLUMN").or_none("none"),
        "Column with the time of each row.",
    )
    gaussianize: bool = option(True, truth, "Give columns laws of their own: logarithms, states, …")
    noise: float | Mapping[str, float] | None = option(
        None,
        Permitted(
            _is_level, "a number ≥ 0, or a mapping of column names to numbers", "SD|A=SD,…"
        ).or_none("none"),
        "Measurement noise: nothing finer is learned.",
    )
    denoiser: str = option(
        "neural", among("neural", "linear"), "The closed form alone, or networks where they help."
    )
    n_neighbors: int | str = option(
        "auto",
        Permitted(
            lambda v: v == "auto" if isinstance(v, str) else whole(1)(v),
            f'"auto" or {whole(1)}',
            "auto|N",
        ),
        "With a learned graph: strongest neighbors of each column; auto: by held-out rows.",
    )
    edge_level: float = option(
        0.9,
        number(lambda v: 0 < v < 1, "a share between 0 and 1"),
        "With a learned graph: tolerated share of false edges.",
    )
    n_steps: int = option(3000, whole(20), "Training steps of the networks.")
    network: "NetworkOptions | None" = option(  # noqa: RUF009 - as all others
        None,
        Permitted(_is_network, "NetworkOptions").or_none("those found best"),
        "Shape and training of the networks.",
    )
    max_radius: int | None = option(
        None,
        _HOPS.or_none("24"),
        "Largest radius that held-out rows are asked about; 24 by default.",
    )
    max_slots: int | None = option(
        None,
        whole(1).or_none("160"),
        "Values that a neighborhood may hold at most; 160 by default.",
    )
    random_state: int | None = option(
        None, Permitted(lambda v: True, ""), "Equal seeds give equal results."
    )
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
        require(cls, parameters, owner)
        found = {name: parameters[name] for name in PARAMETERS if name in parameters}
        graph = found.get("graph", "learn")
        found["graph"] = str(graph) if isinstance(graph, str | PathLike) else None
        found["context"] = tuple(found.get("context", ()))
        if isinstance(found.get("noise"), Mapping):
            found["noise"] = dict(found["noise"])
        state = found.get("random_state")
        found["random_state"] = int(state) if isinstance(state, Integral) else None
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

        shape = {} if self.network is None else asdict(self.network)
        return TrainingOptions(**(shape | {"n_steps": self.n_steps}))

    def to_dict(self) -> dict[str, Any]:
        """In terms of JSON."""
        found = {part.name: getattr(self, part.name) for part in fields(self)}
        if isinstance(self.noise, Mapping):
            found["noise"] = {str(name): float(value) for name, value in self.noise.items()}
        for name in ("context", "feature_names"):
            found[name] = None if found[name] is None else list(found[name])
        found["network"] = None if self.network is None else asdict(self.network)
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


PARAMETERS = tuple(part.name for part in fields(Settings) if "help" in part.metadata)
"""Names of the settings that are parameters of the estimator."""
