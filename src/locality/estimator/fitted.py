"""What the parts of the estimator share: a fitted model, its tables and its seed."""

from collections.abc import Callable, Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locality.data.table import Table
from locality.estimator.rows import read_rows
from locality.model.model import Model
from locality.model.summary import reach

__all__ = ["Fitted", "Progress", "quiet"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, in all)."""


class Fitted(BaseEstimator):  # type: ignore[misc]
    """Base of the parts of `LocalizedDiffusion`, whose attributes they read."""

    model_: Model
    seed_: int
    component_names_: tuple[str, ...]
    given: Sequence[str]

    def _table(self, X: Any) -> Table:
        """Rows with the columns that were fitted."""
        check_is_fitted(self)
        return read_rows(self, X, reset=False, min_rows=0)

    def _seed(self, random_state: Any) -> int:
        """A number for a random state; that of the fit for None."""
        if random_state is None:
            return self.seed_
        return int(check_random_state(random_state).randint(2**31 - 1))

    def _publish(self) -> None:
        """Learned attributes from the model."""
        model = self.model_
        names = model.standardizer.modeled_names
        self.component_names_ = tuple(name for name in names if name not in self.given)
        self.radius_ = reach(model)
        self.band_radius_ = model.gather("radius")
        self.held_out_nats_ = model.gather("held_out")
        self.set_aside_ = {aside.name: aside.reason for aside in model.standardizer.set_aside}
        self.seconds_ = model.seconds


def quiet(stage: str, done: int, total: int) -> None:
    """No progress is shown."""
