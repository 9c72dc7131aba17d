"""What networks change of the surprise, integrated over noise levels.

    ½ ∫ E_ε [ (x_j − D_j)² − (x_j − D⁰_j)² ] d snr

The closed form is a control variate, and the noise comes in antithetic pairs ±ε. The noise of a
row is picked from a fixed bank by the content of the row: a row has the same surprise whatever
rows it is scored with, and different rows have practically independent errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from locality._typing import BoolArray, FloatArray, IntArray
from locality.local.denoiser import LocalDenoiser
from locality.noise.streams import stream

__all__ = ["NetworkChange"]

_BANK = 1024
_CHUNK = 4096  # examples worked on together


@dataclass(frozen=True, eq=False)
class NetworkChange:
    """The integral for the networks of one shard.

    Parameters
    ----------
    denoiser : LocalDenoiser
        With networks.
    noisy : bool array [n_sources + 1]
        Sources that receive noise.
    n_pairs : int
        Antithetic pairs of noise per level.
    """

    denoiser: LocalDenoiser
    noisy: BoolArray
    n_pairs: int

    def add_to(
        self,
        bands: FloatArray,
        error: FloatArray,
        rows: FloatArray,
        class_of_row: IntArray,
        place: IntArray,
        quadrature: Sequence[tuple[float, float, int]],
    ) -> None:
        """Add the change to nats, and write its standard error.

        Parameters
        ----------
        bands : float array [n_bands, n_units, n_examples]
        error : float array [n_units, n_examples]
        rows : float array [n_sources + 1, n_examples]
        class_of_row, place : int arrays [n_examples]
            Boundary class, and column of the bank.
        quadrature : sequence of (float, float, int)
            Level σ, weight and noise band of every point.
        """
        correction = self.denoiser.correction
        assert correction is not None
        z, classes = torch.from_numpy(rows), torch.from_numpy(class_of_row)
        spot, units = torch.from_numpy(place), correction.units
        receives = torch.from_numpy(self.noisy).float()[:, None]
        inside = torch.from_numpy(self.denoiser.inside.T.astype(np.float32))
        center = torch.from_numpy(self.denoiser.closed_form.patches.center)[units]
        for columns in torch.split(torch.arange(z.shape[1]), _CHUNK):
            part, kinds, spots = z[:, columns].float(), classes[columns], spot[columns]
            # slots outside the lattice stay zero, with noise as without
            seen = torch.cat([inside[:, kinds], torch.zeros(1, len(columns))]) * receives
            into = units.numpy()[:, None], columns.numpy()
            spread = torch.zeros(len(units), len(columns), dtype=torch.float64)
            for i, (sigma, weight, band) in enumerate(quadrature):
                change = torch.zeros(self.n_pairs, len(units), len(columns), dtype=torch.float64)
                for pair in range(self.n_pairs):
                    bank = torch.randn(z.shape[0], _BANK, generator=stream("nats", i, pair))
                    noise = bank[:, spots] * seen * sigma
                    for y in (part + noise, part - noise):
                        moved = correction(y, sigma, kinds)
                        residual = part[center] - self.denoiser.linear(y, sigma, kinds)[units]
                        change[pair] += 0.5 * moved * (moved - 2.0 * residual)
                bands[(band, *into)] += (0.5 * weight * change.mean(0)).numpy()
                if self.n_pairs > 1:
                    spread += (0.5 * weight) ** 2 * change.var(0) / self.n_pairs
            error[into] = spread.sqrt().numpy()
