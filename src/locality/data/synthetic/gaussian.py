r"""Gaussian laws, where everything is known in closed form.

For :math:`x \sim N(\mu, C)` and the noised vector :math:`y = x + \sigma\varepsilon`,

.. math::

    \log p(x) = -\tfrac12 (x-\mu)^\top C^{-1} (x-\mu) - \tfrac12 \log\det(2\pi C), \qquad
    \nabla\log p_\sigma(y) = -(C + \sigma^2 I)^{-1} (y - \mu),

and the best denoiser is :math:`D(y) = y + \sigma^2 \nabla\log p_\sigma(y)`.
"""

from abc import abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from locality._typing import FloatArray
from locality.data.synthetic.law import Law, RandomState, check_count, check_rows
from locality.exceptions import OptionError

__all__ = ["GaussianField", "GaussianLaw"]


class GaussianLaw(Law):
    """What all Gaussian laws share; a law says how it colors white noise and takes color out."""

    @property
    @abstractmethod
    def mean(self) -> FloatArray:
        """Mean [n_components]."""

    @property
    @abstractmethod
    def covariance(self) -> FloatArray:
        """Covariance matrix C [n_components, n_components]."""

    @property
    @abstractmethod
    def precision(self) -> FloatArray:
        """Precision matrix, the inverse of C: zero where two components are not neighbors."""

    @abstractmethod
    def _color(self, white: FloatArray) -> FloatArray:
        """Turn independent standard normal rows into centered rows of this law."""

    @abstractmethod
    def _whiten(self, centered: FloatArray) -> FloatArray:
        """Undo `_color`."""

    @abstractmethod
    def _log_det(self) -> float:
        """Log determinant of the covariance."""

    @cached_property
    def _spectrum(self) -> tuple[FloatArray, FloatArray]:
        values, vectors = linalg.eigh(self.covariance)
        return np.maximum(values, 0.0), vectors

    def sample(self, n_samples: int, random_state: RandomState) -> FloatArray:
        """Draw independent rows [n_samples, n_components]."""
        check_count("n_samples", n_samples, 0)
        rng = np.random.default_rng(random_state)
        return self.mean + self._color(rng.standard_normal((n_samples, self.n_components)))

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Return log p of each row, in nats [n_rows]."""
        white = self._whiten(check_rows(x, self.n_components) - self.mean)
        constant = self._log_det() + self.n_components * np.log(2 * np.pi)
        log_p: FloatArray = -0.5 * (np.einsum("ij,ij->i", white, white) + constant)
        return log_p

    def entropy(self) -> float:
        """Return the differential entropy of the whole vector, in nats."""
        return float(0.5 * (self.n_components * np.log(2 * np.pi * np.e) + self._log_det()))

    def score(self, x: ArrayLike, sigma: float = 0.0) -> FloatArray:
        """Return the gradient of the log density of the noised law.

        Parameters
        ----------
        x : array_like [n_rows, n_components]
            Noised rows.
        sigma : float, default 0
            Standard deviation of the noise; 0 is the law itself.

        Returns
        -------
        float64 array [n_rows, n_components]
        """
        if not sigma >= 0:
            raise OptionError(f"sigma is {sigma!r}, expected a number of at least 0.")
        values, vectors = self._spectrum
        centered = check_rows(x, self.n_components) - self.mean
        return -((centered @ vectors) / (values + sigma**2)) @ vectors.T


class GaussianField(GaussianLaw):
    """A Gaussian law of any covariance.

    Parameters
    ----------
    covariance : array_like [n_components, n_components]
        Symmetric and positive definite.
    mean : array_like [n_components], optional
        Zero by default.

    Examples
    --------
    >>> field = GaussianField([[1.0, 0.8], [0.8, 1.0]])
    >>> field.sample(3, random_state=0).shape
    (3, 2)
    >>> field.score([[1.0, 1.0]]).round(3)
    array([[-0.556, -0.556]])
    """

    def __init__(self, covariance: ArrayLike, mean: ArrayLike | None = None) -> None:
        matrix: FloatArray = np.array(covariance, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
            raise OptionError(f"covariance has shape {matrix.shape}, expected a square matrix.")
        if not np.allclose(matrix, matrix.T, rtol=1e-10, atol=1e-12 * np.abs(matrix).max()):
            raise OptionError("covariance is not symmetric.")
        try:
            self._factor: FloatArray = linalg.cholesky(matrix, lower=True)
        except (linalg.LinAlgError, ValueError) as error:
            raise OptionError(
                "covariance is not positive definite.",
                remedy="Leave out components that are combinations of others.",
            ) from error
        self._covariance = matrix
        self._mean: FloatArray = np.zeros(len(matrix)) if mean is None else np.array(mean, float)
        if self._mean.shape != (len(matrix),):
            raise OptionError(f"mean has shape {self._mean.shape}, expected ({len(matrix)},).")

    @property
    def n_components(self) -> int:
        """Number of components d."""
        return len(self._covariance)

    @property
    def mean(self) -> FloatArray:
        """Mean [n_components]."""
        return self._mean

    @property
    def covariance(self) -> FloatArray:
        """Covariance matrix C [n_components, n_components]."""
        return self._covariance

    @cached_property
    def precision(self) -> FloatArray:
        """Precision matrix, the inverse of C."""
        inverse = linalg.cho_solve((self._factor, True), np.eye(self.n_components))
        return (inverse + inverse.T) / 2

    def _color(self, white: FloatArray) -> FloatArray:
        return white @ self._factor.T

    def _whiten(self, centered: FloatArray) -> FloatArray:
        return linalg.solve_triangular(self._factor, centered.T, lower=True).T

    def _log_det(self) -> float:
        return float(2 * np.log(np.diagonal(self._factor)).sum())
