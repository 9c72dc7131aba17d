"""Nats: the surprise of every component in every row, by noise band.

    ℓ_j(x) = ½ log 2πe − ½ ∫ [ 1/(1 + snr) − E_ε (x_j − D_j(x + σε))² ] d snr + log scale_j

(I-MMSE; Kong, Brekelmans, Ver Steeg, 2023, arXiv 2302.03792). The part of the closed form D⁰ is
itself closed (``local.gaussian``). Only what networks change is integrated numerically,

    ½ ∫ E_ε [ (x_j − D_j)² − (x_j − D⁰_j)² ] d snr ,

so the closed form is a control variate (``density.change``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from locality._typing import FloatArray, IntArray
from locality.local.denoiser import LocalDenoiser
from locality.local.field import ScoreField
from locality.local.patches import unfold
from locality.local.shard import ShardState
from locality.noise.levels import BAND_EDGES, NoiseLevels, band_of

__all__ = ["Nats", "Surprise", "nats_by_band"]


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
        neural = any(shard.has_network.any() for shard in field.shards)
        place = _bank_place(values) if neural else np.zeros(0, dtype=np.int64)
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
        place: IntArray,
    ) -> tuple[FloatArray, FloatArray]:
        classes = np.repeat(class_of_position, values.shape[-1])
        z = unfold(values, shard.sources, field.domain)
        bands = denoiser.closed_form.surprise(z, classes, self._edges())
        error = np.zeros(bands.shape[1:])
        if denoiser.correction is not None:
            from locality.inference.density.change import NetworkChange

            change = NetworkChange(denoiser, np.append(~shard.source_given, False), self.n_pairs)
            sigmas, weights = self.levels.quadrature(self.n_levels)
            band = band_of(sigmas) if self.by_band else np.zeros(len(sigmas), dtype=np.int64)
            quadrature = list(zip(sigmas.tolist(), weights.tolist(), band.tolist(), strict=True))
            change.add_to(bands, error, z, classes, place, quadrature)
        return bands, error


def nats_by_band(
    field: ScoreField, levels: NoiseLevels, rows: FloatArray, by_band: bool = True
) -> FloatArray:
    """Nats of standardized rows [n_nodes, n_rows] as [n_bands, n_rows, n_components], or of all
    bands together as one; of several such tables at once [n_tables, ...] likewise.
    """
    tables = rows if rows.ndim == 3 else rows[None]
    state = tables.transpose(1, 2, 0)  # those of a row lie side by side
    state = state if field.domain.axes else state.reshape(len(state), -1)
    found = Nats(levels, by_band=by_band).surprise(field, np.ascontiguousarray(state)).bands
    shaped = found.reshape(*found.shape[:2], -1, len(tables)).transpose(3, 0, 2, 1)
    return np.ascontiguousarray(shaped if rows.ndim == 3 else shaped[0])


def _bank_place(values: FloatArray) -> IntArray:
    """Column of the noise bank of every example, from the content of its row."""
    table = np.ascontiguousarray(values.reshape(values.shape[0], -1), dtype=np.float64) + 0.0
    factors = np.random.default_rng(0).integers(1, 2**63, size=len(table), dtype=np.uint64) | 1
    mixed = table.view(np.uint64) * factors[:, None]
    mixed ^= mixed >> np.uint64(29)
    total = mixed.sum(axis=0) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(total >> np.uint64(54), dtype=np.int64)
