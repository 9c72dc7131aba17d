r"""A Gaussian law whose components depend directly on a fixed number of neighbors in a row.

The precision matrix is banded and Toeplitz, :math:`P = a\,(T + c I)` with

.. math:: T_{ii} = 2 r_0, \qquad T_{ij} = -1 \text{ for } 1 \le |i-j| \le r_0,

so every component is pulled with equal strength towards its :math:`r_0` neighbors on either side.
The shift c sets the condition number κ exactly (:math:`c = (\lambda_{\max} - \kappa
\lambda_{\min})/(\kappa - 1)` for the extreme eigenvalues of T): the larger κ, the farther
correlations reach. The factor a makes the mean variance of the components 1.

It is the first experiment of Gottwald, Liu, Marzouk, Reich and Tong, "Localized Diffusion Models",
arXiv 2505.04417 (bandwidth and condition number of the precision).
"""

from functools import cached_property

import numpy as np
from scipy import linalg

from locality._typing import FloatArray
from locality.data.synthetic.gaussian import GaussianLaw
from locality.data.synthetic.law import check_count
from locality.exceptions import OptionError

__all__ = ["BandedGaussian"]


class BandedGaussian(GaussianLaw):
    """Gaussian components in a row with a banded precision of a chosen condition number.

    Parameters
    ----------
    n_components : int
        At least 2. Matrices are dense: meant for up to a few thousand components.
    bandwidth : int, default 1
        Number of neighbors on either side, smaller than ``n_components``.
    condition : float, default 10
        Condition number of the precision, larger than 1.

    Examples
    --------
    >>> law = BandedGaussian(100, bandwidth=2, condition=10.0)
    >>> round(float(np.linalg.cond(law.precision)), 6)
    10.0
    >>> round(float(np.diag(law.covariance).mean()), 6)
    1.0
    >>> bool((law.precision[0, 3:] == 0).all())
    True
    """

    def __init__(self, n_components: int, bandwidth: int = 1, condition: float = 10.0) -> None:
        d = check_count("n_components", n_components, 2)
        r = check_count("bandwidth", bandwidth, 1)
        if r >= d:
            raise OptionError(f"bandwidth is {r}, expected fewer than n_components ({d}).")
        if not 1 < condition < np.inf:
            raise OptionError(f"condition is {condition!r}, expected a number larger than 1.")
        bands = np.full((r + 1, d), -1.0)  # lower form: bands[k, i] = T[i + k, i]
        bands[0] = 2.0 * r
        ends = [
            float(linalg.eigvals_banded(bands, lower=True, select="i", select_range=(k, k))[0])
            for k in (0, d - 1)
        ]
        bands[0] += (ends[1] - condition * ends[0]) / (condition - 1)
        row = np.zeros(d)
        row[: r + 1] = bands[:, 0]
        inverse = linalg.inv(linalg.toeplitz(row))
        amplitude = float(np.trace(inverse)) / d
        self._precision: FloatArray = linalg.toeplitz(amplitude * row)
        self._covariance: FloatArray = (inverse + inverse.T) / (2 * amplitude)
        # P = L Lᵀ, so x = L⁻ᵀ ε has covariance P⁻¹; L has the same band.
        self._bands: FloatArray = linalg.cholesky_banded(amplitude * bands, lower=True)
        self.bandwidth = r
        self.condition = float(condition)

    @property
    def n_components(self) -> int:
        """Number of components d."""
        return len(self._precision)

    @cached_property
    def mean(self) -> FloatArray:
        """Mean [n_components], zero."""
        return np.zeros(self.n_components)

    @property
    def covariance(self) -> FloatArray:
        """Covariance matrix C [n_components, n_components]."""
        return self._covariance

    @property
    def precision(self) -> FloatArray:
        """Precision matrix, exactly zero beyond the bandwidth."""
        return self._precision

    def _color(self, white: FloatArray) -> FloatArray:
        upper = np.zeros_like(self._bands)  # Lᵀ in upper band form
        for k in range(len(upper)):
            upper[-1 - k, k:] = self._bands[k, : self.n_components - k]
        return linalg.solve_banded((0, self.bandwidth), upper, white.T).T

    def _whiten(self, centered: FloatArray) -> FloatArray:
        white: FloatArray = self._bands[0] * centered  # Lᵀ x
        for k in range(1, len(self._bands)):
            white[:, :-k] += self._bands[k, :-k] * centered[:, k:]
        return white

    def _log_det(self) -> float:
        return float(-2 * np.log(self._bands[0]).sum())
