"""What a law with a known density offers.

A law is a probability density p of a vector of d components. Its draws are the data of an
experiment; its density and its entropy are the truth that the experiment is measured against:
no model can have fewer nats per component on fresh draws than ``entropy() / n_components``.
"""

from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from locality._typing import FloatArray
from locality.exceptions import DataError, OptionError

__all__ = ["Law", "RandomState", "check_count", "check_rows"]

RandomState: TypeAlias = int | np.random.Generator | np.random.SeedSequence


class Law(ABC):
    """A probability density that can be drawn from exactly and evaluated exactly."""

    @property
    @abstractmethod
    def n_components(self) -> int:
        """Number of components d."""

    @abstractmethod
    def sample(self, n_samples: int, random_state: RandomState) -> FloatArray:
        """Draw independent rows [n_samples, n_components].

        Parameters
        ----------
        n_samples : int
        random_state : int, numpy.random.Generator or numpy.random.SeedSequence
            A seed gives the same rows every time; a generator is advanced.
        """

    @abstractmethod
    def log_density(self, x: ArrayLike) -> FloatArray:
        """Return log p of each row, in nats [n_rows].

        Parameters
        ----------
        x : array_like [n_rows, n_components]
        """

    @abstractmethod
    def entropy(self) -> float:
        """Return the mean of -log p, in nats, of the whole vector."""


def check_count(name: str, value: int, smallest: int) -> int:
    """Return a whole number that is large enough, or say which parameter is not.

    Examples
    --------
    >>> check_count("n_components", 40, smallest=1)
    40
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < smallest:
        raise OptionError(f"{name} is {value!r}, expected a whole number of at least {smallest}.")
    return int(value)


def check_rows(x: ArrayLike, n_components: int) -> FloatArray:
    """Return rows of the right width as float64 [n_rows, n_components].

    Examples
    --------
    >>> check_rows([[1, 2]], 2)
    array([[1., 2.]])
    """
    array: FloatArray = np.asarray(x, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != n_components:
        raise DataError(f"found rows of shape {array.shape}, expected (n_rows, {n_components}).")
    return array
