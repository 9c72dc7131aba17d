"""Settings of network training, with the values found best by measurement.

The learning rate decays to zero along a half cosine and the weights are averaged exponentially.
Decoupled weight decay acts as a prior: its strength is inversely proportional to the number of
examples a network sees (``docs/design/0002-engine.md`` has the measurements).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locality.local.kinds import KINDS, MAX_LAYERS, Networks, kind_of
from locality.training.parameters import Permitted, number, option, require, whole

if TYPE_CHECKING:
    import torch

__all__ = ["NetworkOptions", "TrainingOptions"]

_SHORT_TRIAL = 100.0  # steps
_POSITIVE = number(lambda v: v > 0, "a number above 0")
_NOT_NEGATIVE = number(lambda v: v >= 0, "a number ≥ 0")
_SHARE = number(lambda v: 0 < v < 1, "a share between 0 and 1")


@dataclass(frozen=True)
class NetworkOptions:
    """Shape of the local networks, and how they are trained.

    Raises
    ------
    OptionError
        Naming the option that is wrong, what it permits and what was found.

    Examples
    --------
    >>> NetworkOptions(width=96).averaging
    0.995
    """

    batch_size: int = option(256, whole(16), "Rows per step, each at its own noise level.")
    kind: str = option(
        "perceptron",
        Permitted(lambda v: v in KINDS, "a kind of networks", "KIND"),
        "Kind of networks.",
    )
    width: int = option(64, whole(8), "Units of each hidden layer.")
    layers: int = option(
        3,
        Permitted(lambda v: whole(2)(v) and v <= MAX_LAYERS, f"2 to {MAX_LAYERS} layers"),
        "Layers of weights, the last one included.",
    )
    learning_rate: float = option(1e-2, _POSITIVE, "Peak of AdamW's step size.")
    decay_examples: float = option(
        120.0, _NOT_NEGATIVE, "Weight decay times the number of training examples."
    )
    averaging: float = option(
        0.995,
        number(lambda v: 0 <= v < 1, "a number from 0 to below 1"),
        "Exponential average of the weights.",
    )
    n_checks: int = option(20, whole(2), "Validations during training.")
    trial: float = option(
        0.1, _SHARE, "Share of the steps after which only gainful networks go on."
    )
    patience: int = option(8, whole(1), "Checks without gain after which a network stops.")
    refit: float = option(
        0.6, _NOT_NEGATIVE, "Share of the steps spent in the end on all rows, held-out ones too."
    )

    def __post_init__(self) -> None:
        require(type(self), vars(self), type(self).__name__)

    def initial(self, n_units: int, n_inputs: int, generator: "torch.Generator") -> Networks:
        """Random networks of this shape, with F = 0."""
        kind = kind_of(self.kind).load()
        return kind.initial(n_units, n_inputs, self.width, generator, self.layers)


@dataclass(frozen=True)
class TrainingOptions(NetworkOptions):
    """What the networks of a shard are trained by: their options, for how long and where.

    Examples
    --------
    >>> TrainingOptions(n_steps=500).width
    64
    """

    n_steps: int = option(4000, whole(1), "Optimizer steps.")
    device: str = "cpu"

    @property
    def trial_steps(self) -> float:
        """Steps after which networks are judged: of a short training a larger share."""
        return max(self.trial * self.n_steps, min(2.0 * self.trial * self.n_steps, _SHORT_TRIAL))

    def refitting(self) -> "TrainingOptions":
        """Settings of the last phase, which goes on from the best weights."""
        return replace(
            self,
            n_steps=max(1, round(self.refit * self.n_steps)),
            learning_rate=0.5 * self.learning_rate,
        )

    def weight_decay(self, n_examples: int) -> float:
        """AdamW's decoupled decay for networks that see this many examples."""
        return min(1.0, self.decay_examples / max(1, n_examples))
