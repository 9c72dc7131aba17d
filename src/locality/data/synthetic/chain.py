r"""The stationary Ornstein-Uhlenbeck process seen at equal distances.

.. math:: x_1 \sim N(0, 1), \qquad x_{i+1} = \rho\,x_i + \sqrt{1-\rho^2}\,\varepsilon_i ,

so the covariance is :math:`\rho^{|i-j|}`, the precision is tridiagonal, and drawing and evaluating
cost O(d): the chain of choice for hundreds of thousands of components.
"""

from functools import cached_property

import numpy as np
from scipy import linalg

from locality._typing import FloatArray
from locality.data.synthetic.gaussian import GaussianLaw
from locality.data.synthetic.law import check_count
from locality.exceptions import OptionError

__all__ = ["OrnsteinUhlenbeckChain"]


class OrnsteinUhlenbeckChain(GaussianLaw):
    """A Gaussian Markov chain of unit variance.

    Parameters
    ----------
    n_components : int
    correlation : float
        Correlation ρ of direct neighbors, between -1 and 1.

    Examples
    --------
    >>> chain = OrnsteinUhlenbeckChain(60, correlation=np.exp(-0.3))
    >>> round(chain.entropy() / 60, 3)  # nats per component
    1.028
    """

    def __init__(self, n_components: int, correlation: float) -> None:
        self._n_components = check_count("n_components", n_components, 1)
        if not -1 < correlation < 1:
            raise OptionError(f"correlation is {correlation!r}, expected between -1 and 1.")
        self.correlation = float(correlation)

    @property
    def n_components(self) -> int:
        """Number of components d."""
        return self._n_components

    @cached_property
    def mean(self) -> FloatArray:
        """Mean [n_components], zero."""
        return np.zeros(self.n_components)

    @property
    def covariance(self) -> FloatArray:
        """Covariance matrix [n_components, n_components]."""
        return linalg.toeplitz(self.correlation ** np.arange(self.n_components))

    @property
    def precision(self) -> FloatArray:
        """Tridiagonal precision matrix [n_components, n_components]."""
        rho, d = self.correlation, self.n_components
        diagonal = np.full(d, 1 + rho**2)
        diagonal[[0, -1]] = 1.0 if d > 1 else 1 - rho**2
        beside = np.full(d - 1, -rho)
        matrix: FloatArray = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        return matrix / (1 - rho**2)

    def _color(self, white: FloatArray) -> FloatArray:
        from scipy.signal import lfilter  # slow to import

        steps = white.copy()
        steps[:, 1:] *= np.sqrt(1 - self.correlation**2)
        colored: FloatArray = lfilter([1.0], [1.0, -self.correlation], steps, axis=1)
        return colored

    def _whiten(self, centered: FloatArray) -> FloatArray:
        white = centered.copy()
        white[:, 1:] -= self.correlation * centered[:, :-1]
        white[:, 1:] /= np.sqrt(1 - self.correlation**2)
        return white

    def _log_det(self) -> float:
        return float((self.n_components - 1) * np.log1p(-(self.correlation**2)))
