"""Settings of network training, with the values found best by measurement.

The learning rate decays to zero along a half cosine and the weights are averaged exponentially.
Decoupled weight decay acts as a prior: its strength is inversely proportional to the number of
examples a network sees (``docs/design/0002-engine.md`` has the measurements).
"""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["NetworkOptions", "TrainingOptions"]

_SHORT_TRIAL = 100.0  # steps


class NetworkOptions(BaseModel):
    """Shape of the local networks, and how they are trained.

    Examples
    --------
    >>> NetworkOptions(width=96).averaging
    0.995
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int = Field(256, ge=16, description="Rows per step, each at its own noise level")
    kind: str = Field("perceptron", description="Kind of networks")
    width: int = Field(64, ge=8, description="Units of each of the two hidden layers")
    learning_rate: float = Field(1e-2, gt=0, description="Peak of AdamW's step size")
    decay_examples: float = Field(
        120.0, ge=0, description="Weight decay times the number of training examples"
    )
    averaging: float = Field(0.995, ge=0, lt=1, description="Exponential average of the weights")
    n_checks: int = Field(20, ge=2, description="Validations during training")
    trial: float = Field(
        0.1, gt=0, lt=1, description="Share of the steps after which only gainful networks go on"
    )
    patience: int = Field(8, ge=1, description="Checks without gain after which a network stops")

    refit: float = Field(
        0.6, ge=0, description="Share of the steps spent in the end on all rows, held-out ones too"
    )


class TrainingOptions(NetworkOptions):
    """What the networks of a shard are trained by: their options, for how long and where.

    Examples
    --------
    >>> TrainingOptions(n_steps=500).width
    64
    """

    n_steps: int = Field(4000, ge=20, description="Optimizer steps")
    device: str = Field("cpu", description="Where networks are trained: cpu, cuda or cuda:N")

    @property
    def trial_steps(self) -> float:
        """Steps after which networks are judged: of a short training a larger share."""
        return max(self.trial * self.n_steps, min(2.0 * self.trial * self.n_steps, _SHORT_TRIAL))

    def refitting(self) -> "TrainingOptions":
        """Settings of the last phase, which goes on from the best weights."""
        return self.model_copy(
            update={
                "n_steps": max(1, round(self.refit * self.n_steps)),
                "learning_rate": 0.5 * self.learning_rate,
            }
        )

    def weight_decay(self, n_examples: int) -> float:
        """AdamW's decoupled decay for networks that see this many examples."""
        return min(1.0, self.decay_examples / max(1, n_examples))
