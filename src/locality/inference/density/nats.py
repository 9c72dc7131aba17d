"""Nats: the surprise of every component in every row, by noise band.

    ℓ_j(x) = ½ log 2πe − ½ ∫ [ 1/(1 + snr) − E_ε (x_j − D_j(x + σε))² ] d snr + log scale_j

(I-MMSE; Kong, Brekelmans, Ver Steeg, 2023, arXiv 2302.03792). The part of the closed form D⁰ is
itself closed (``local.gaussian``). Only what networks change is integrated numerically,

    ½ ∫ E_ε [ (x_j − D_j)² − (x_j − D⁰_j)² ] d snr ,

so the closed form is a control variate, and the noise comes in antithetic pairs ±ε. The noise of a
row is picked from a fixed bank by the content of the row: a row has the same surprise whatever
rows it is scored with, and different rows have practically independent errors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from locality._typing import FloatArray, IntArray
from locality.local.denoiser import LocalDenoiser
from locality.local.field import ScoreField
from locality.local.patches import unfold
from locality.local.shard import ShardState
from locality.noise.levels import BAND_EDGES, NoiseLevels, band_of
from locality.noise.streams import stream

__all__ = ["Nats", "Surprise", "nats_by_band"]

_BANK = 1024
_CHUNK = 4096  # examples worked on together


@dataclass(frozen=True, eq=False)
class Surprise:
    """Nats of standardized components.

    Parameters
    ----------
    bands : float array [n_bands, n_targets, n_positions * n_samples]
        From the coarsest noise to the finest; the sum over bands is the surprise. The first
        band carries the constant ½ log 2πe.
    error : float array [n_targets, n_positions * n_samples]
        Monte-Carlo standard error of the sum; zero for components without a network.
    """

    bands: FloatArray
    error: FloatArray

    @property
    def total(self) -> FloatArray:
        """Surprise of every component [n_targets, n_positions * n_samples]."""
        return np.asarray(self.bands.sum(0))


@dataclass(frozen=True)
class Nats:
    """How the integral is taken.

    Parameters
    ----------
    levels : NoiseLevels
    n_levels : int, default 48
        Points of the quadrature.
    n_pairs : int, default 2
        Antithetic pairs of noise per point.
    by_band : bool, default False
        Tell noise bands apart; otherwise there is one band.
    """

    levels: NoiseLevels
    n_levels: int = 48
    n_pairs: int = 2
    by_band: bool = False

    def surprise(
        self, field: ScoreField, values: FloatArray, tick: Callable[[], None] = lambda: None
    ) -> Surprise:
        """Surprise of every target at every position and sample.

        Parameters
        ----------
        field : ScoreField
        values : float64 array [n_nodes, *extent, n_samples]
            Standardized and complete.
        tick : callable
            Called after every shard.
        """
        n_columns = int(np.prod(values.shape[1:], dtype=np.int64))
        n_bands = len(BAND_EDGES) - 1 if self.by_band else 1
        bands = np.zeros((n_bands, field.domain.n_nodes, n_columns))
        error = np.zeros((field.domain.n_nodes, n_columns))
        place = _bank_place(values)
        for shard, denoiser, classes in field.walk(values.shape[1:-1]):
            parts = self._shard(field, shard, denoiser, classes, values, place)
            bands[:, shard.target], error[shard.target] = parts
            tick()
        targets = field.domain.targets
        return Surprise(bands[:, targets], error[targets])

    def _edges(self) -> list[tuple[float, float]]:
        return list(pairwise(BAND_EDGES if self.by_band else (np.inf, 0.0)))

    def _shard(
        self,
        field: ScoreField,
        shard: ShardState,
        denoiser: LocalDenoiser,
        class_of_position: IntArray,
        values: FloatArray,
        place: torch.Tensor,
    ) -> tuple[FloatArray, FloatArray]:
        classes = torch.from_numpy(np.repeat(class_of_position, values.shape[-1]))
        z = unfold(values, shard.sources, field.domain)
        bands = denoiser.closed_form.surprise(z, classes, self._edges()).numpy()
        error = np.zeros(bands.shape[1:])
        if denoiser.networks is None:
            return bands, error
        units = shard.networks.unit
        receives = torch.from_numpy(np.append(~shard.source_given, False)).float()[:, None]
        sigmas, weights = self.levels.quadrature(self.n_levels)
        band = band_of(sigmas) if self.by_band else np.zeros(len(sigmas), dtype=np.int64)
        center = torch.from_numpy(denoiser.closed_form.patches.center[units])
        for columns in torch.split(torch.arange(z.shape[1]), _CHUNK):
            part, kinds, spots = z[:, columns].float(), classes[columns], place[columns]
            # slots outside the lattice stay zero, with noise as without
            seen = torch.from_numpy(denoiser.inside.T.astype(np.float32))[:, kinds]
            seen = torch.cat([seen, torch.zeros(1, len(columns))]) * receives
            spread = torch.zeros(len(units), len(columns), dtype=torch.float64)
            for i, (sigma, weight) in enumerate(zip(sigmas, weights, strict=True)):
                change = torch.zeros(self.n_pairs, len(units), len(columns), dtype=torch.float64)
                for pair in range(self.n_pairs):
                    bank = torch.randn(z.shape[0], _BANK, generator=stream("nats", i, pair))
                    noise = bank[:, spots] * seen * float(sigma)
                    for y in (part + noise, part - noise):
                        correction = denoiser.correction(y, float(sigma), kinds)
                        linear = denoiser.linear(y, float(sigma), kinds)[units]
                        residual = part[center] - linear
                        change[pair] += 0.5 * correction * (correction - 2.0 * residual)
                gain = 0.5 * weight * change.mean(0)
                bands[band[i], units[:, None], columns] += gain.numpy()
                if self.n_pairs > 1:
                    spread += (0.5 * weight) ** 2 * change.var(0) / self.n_pairs
            error[units[:, None], columns] = spread.sqrt().numpy()
        return bands, error


def nats_by_band(
    field: ScoreField, levels: NoiseLevels, rows: FloatArray, by_band: bool = True
) -> FloatArray:
    """Nats of standardized rows [n_nodes, n_rows] as [n_bands, n_rows, n_components], or of all
    bands together as one.
    """
    state = rows[:, :, None] if field.domain.axes else rows
    found = Nats(levels, by_band=by_band).surprise(field, state).bands
    return np.ascontiguousarray(found.reshape(*found.shape[:2], -1).transpose(0, 2, 1))


def _bank_place(values: FloatArray) -> torch.Tensor:
    """Column of the noise bank of every example, from the content of its row."""
    table = np.ascontiguousarray(values.reshape(values.shape[0], -1), dtype=np.float64) + 0.0
    factors = np.random.default_rng(0).integers(1, 2**63, size=len(table), dtype=np.uint64) | 1
    mixed = table.view(np.uint64) * factors[:, None]
    mixed ^= mixed >> np.uint64(29)
    total = mixed.sum(axis=0) * np.uint64(0x9E3779B97F4A7C15)
    return torch.from_numpy((total >> np.uint64(54)).astype(np.int64))
