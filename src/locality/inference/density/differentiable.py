r"""The field as an ordinary function of a state: differentiable, in any precision, at any levels.

Samplers and integrals ask for millions of states at one level and write into buffers
(`local.field`). Here the same denoisers are plain expressions in PyTorch instead,

.. math:: D_j(y) = D^0_j(y_{N_j}, \sigma) + \sqrt{v_j(\sigma)}\, F_j(y_{N_j}, \sigma) , \qquad
          s(y) = (D(y) - y)/\sigma^2 ,

so that ``torch.autograd`` and ``torch.func`` go through them, by the state and by the level, and
every sample may have a level of its own. The **divergence** :math:`\sum_j \partial s_j/\partial
y_j` is exact and costs one forward-mode pass, whatever the number of components: each unit reads
a copy of its patch, and the tangent is 1 at the center of every copy.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch

from locality.exceptions import DataError, OptionError
from locality.local.correction import Correction
from locality.local.denoiser import LocalDenoiser
from locality.local.field import ScoreField
from locality.local.linear import LinearDenoiser
from locality.local.patches import unfold
from locality.local.reach import within
from locality.noise.levels import BAND_EDGES

__all__ = ["DifferentiableField"]

A = TypeVar("A", np.ndarray, torch.Tensor)


class DifferentiableField:
    """Denoiser, score and divergence on the standardized state.

    Parameters
    ----------
    field : ScoreField
    values : float array [n_nodes, *extent, n_samples or 1]
        Clean values of context and of past rows; those of the last position, which the state is
        about, are not read unless they are context. One sample stands for all.

    Examples
    --------
    >>> from locality import LocalizedDiffusion
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> X = OrnsteinUhlenbeckChain(5, correlation=0.7).sample(300, random_state=0)
    >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(X)
    >>> f, y = model.field(), torch.zeros(2, 5, dtype=torch.float64)
    >>> jacobian = torch.func.jacrev(lambda row: f.score(row, 0.5))(y[0])
    >>> bool(torch.isclose(torch.trace(jacobian), f.divergence(y, 0.5)[0]))
    True
    """

    def __init__(self, field: ScoreField, values: np.ndarray) -> None:
        extent = values.shape[1:-1]
        self.n_components = len(field.domain.targets)
        place = np.searchsorted(field.domain.targets, np.arange(field.domain.n_nodes))
        self._shards = []
        for shard, denoiser, classes in field.walk(extent):
            given = shard.source_given
            z = np.asarray(unfold(values, shard.sources, field.domain))[:-1]
            last = z[given][:, z.shape[1] - values.shape[-1] :]
            self._shards.append(
                _Shard(
                    denoiser,
                    torch.from_numpy(place[shard.source_node[~given]]),
                    torch.from_numpy(np.ascontiguousarray(last, dtype=np.float64)),
                    int(classes[-1]),
                    torch.from_numpy(place[shard.target]),
                    _bands(denoiser.closed_form, int(classes[-1])),
                )
            )
        order = torch.cat([shard.own for shard in self._shards])
        self._into = torch.argsort(order)

    def denoise(self, y: A, sigma: Any) -> A:
        """E[x | y] of every component.

        Parameters
        ----------
        y : array or tensor [n, n_components] or [n_components]
            Noisy standardized states, in the order of ``component_names_``.
        sigma : number, array or tensor [n]
            Noise level, one for all or one of each sample; above 0.

        Returns
        -------
        array or tensor, of the kind, precision and shape of ``y``

        Raises
        ------
        DataError
            If ``y`` has another width, or is an array with a value that is not finite.
        OptionError
            If a level is not above 0, or there are more or fewer than samples.
        """
        return _as_given(y, lambda state: self._denoise(state, self._level(state, sigma)))

    def score(self, y: A, sigma: Any) -> A:
        """∇ log p_σ(y), shaped like ``y``; arguments as ``denoise``."""

        def score(state: torch.Tensor) -> torch.Tensor:
            level = self._level(state, sigma)
            return (self._denoise(state, level) - state) / _column(level) ** 2

        return _as_given(y, score)

    def divergence(self, y: A, sigma: Any) -> A:
        """Σ_j ∂s_j/∂y_j of the score, exact [n], or one number; arguments as ``denoise``."""

        def divergence(state: torch.Tensor) -> torch.Tensor:
            level = self._level(state, sigma)
            moved = torch.zeros_like(state)
            slope: torch.Tensor = torch.func.jvp(
                lambda shift: self._denoise(state, level, shift), (moved,), (moved + 1.0,)
            )[1]
            return ((slope - 1.0) / _column(level) ** 2).sum(-1)

        return _as_given(y, divergence)

    def _level(self, y: torch.Tensor, sigma: Any) -> "float | torch.Tensor":
        if y.ndim not in (1, 2) or y.shape[-1] != self.n_components:
            raise DataError(
                f"A state has shape (n, {self.n_components}) or ({self.n_components},), "
                f"found {tuple(y.shape)}."
            )
        if not isinstance(sigma, torch.Tensor):
            levels = np.asarray(sigma, dtype=np.float64)
            if not (levels > 0).all() or not np.isfinite(levels).all():
                raise OptionError(f"sigma must be above 0 and finite, found {sigma}.")
            if levels.ndim == 0:
                return float(levels)
            sigma = torch.from_numpy(levels)
        if sigma.ndim and (y.ndim == 1 or sigma.shape != y.shape[:1]):
            raise OptionError(
                f"sigma must be a number or one of each sample, found shape {tuple(sigma.shape)} "
                f"for states of shape {tuple(y.shape)}."
            )
        level: torch.Tensor = sigma.to(y.dtype)
        return level

    def _denoise(
        self, y: torch.Tensor, level: "float | torch.Tensor", shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        """D, every unit's own copy of its center being moved by the shift."""
        state = y if y.ndim == 2 else y[None]
        moved = None if shift is None else (shift if shift.ndim == 2 else shift[None]).T
        parts = [shard(state.T, level, moved) for shard in self._shards]
        result = torch.cat(parts).index_select(0, self._into).T
        return result if y.ndim == 2 else result[0]


@dataclass(frozen=True, eq=False)
class _Shard:
    """Some components as a function of the whole state.

    ``noisy``: components that it reads. ``given``: clean values [n_given, n_samples or 1].
    ``own``: components that it is about. ``bands``: the closed form, by noise band.
    """

    denoiser: LocalDenoiser
    noisy: torch.Tensor
    given: torch.Tensor
    boundary_class: int
    own: torch.Tensor
    bands: "tuple[_Band, ...]"

    def __call__(
        self, y: torch.Tensor, level: "float | torch.Tensor", shift: torch.Tensor | None
    ) -> torch.Tensor:
        """D of its components [n_units, n]."""
        n = y.shape[1]
        given = self.given.to(y.dtype)
        if given.shape[1] not in (1, n):
            raise DataError(
                f"There are {n} states, but context or past rows of {given.shape[1]} samples."
            )
        z = torch.cat([y.index_select(0, self.noisy), given.expand(-1, n), torch.zeros_like(y[:1])])
        moved = None if shift is None else shift.index_select(0, self.own)
        result, variance = self._linear(z, level, moved)
        correction = self.denoiser.correction
        if correction is None or not bool(correction.classes[self.boundary_class]):
            return result
        units = correction.units
        change = self._networks(correction, z, level, None if moved is None else moved[units])
        error = variance.index_select(0, units).clamp_min(0.0).sqrt()
        return result.index_add(0, units, error * change)

    def _linear(
        self, z: torch.Tensor, level: "float | torch.Tensor", shift: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """D⁰ [n_units, n] and its error variance [n_units, n or 1]."""
        result = torch.zeros(len(self.own), z.shape[1], dtype=z.dtype)
        variance = torch.zeros(len(self.own), 1, dtype=z.dtype)
        for band in self.bands:
            here = band.holds(level, z.dtype)
            if here is None:
                continue
            patch = _gather(z, band.slots, shift)
            values, vectors, regression = (
                part.to(z.dtype) for part in (band.values, band.vectors, band.regression)
            )
            n_noisy = values.shape[1]
            mean = regression @ patch[:, n_noisy:]
            seen = vectors.transpose(1, 2) @ (patch[:, :n_noisy] - mean)
            gain = values[..., None] / (values[..., None] + level**2)
            loading = vectors[:, 0, :, None]
            result = result + here * (mean[:, 0] + (loading * gain * seen).sum(1))
            variance = variance + here * (loading**2 * gain * level**2).sum(1)
        return result, variance

    def _networks(
        self,
        correction: Correction,
        z: torch.Tensor,
        level: "float | torch.Tensor",
        shift: torch.Tensor | None,
    ) -> torch.Tensor:
        """F of the units that have a network, faded outside the levels trained [n_networks, n]."""
        inputs = correction.inputs
        sigma = torch.as_tensor(level, dtype=torch.float64).reshape(1, -1)
        low, high = inputs.level_range.unbind(1)
        fade = (sigma / low[:, None]).clamp_max(1.0) * (high[:, None] / sigma).clamp_max(1.0) ** 2
        patch = _gather(z, torch.from_numpy(inputs.patches.slots), shift)
        n_noisy, n = inputs.patches.noisy.shape[1], z.shape[1]
        shrink = ((1.0 + sigma**2) ** -0.5).to(z.dtype)
        features = inputs.level_features(sigma.expand(len(low), -1)).to(z.dtype)
        slots = torch.cat([patch[:, :n_noisy] * shrink, patch[:, n_noisy:]], dim=1)
        held, believed, _ = within(slots, *(end.to(z.dtype) for end in inputs.limits(sigma)))
        parts = [held, features.expand(-1, -1, n)]
        if inputs.rim is not None:
            parts.append(inputs.rim[:, self.boundary_class, :, None].to(z.dtype).expand(-1, -1, n))
        width = sum(part.shape[1] for part in parts)
        parts.append(torch.zeros(len(low), inputs.n_inputs - width, n, dtype=z.dtype))
        change = correction.networks.apply(torch.cat(parts, dim=1))
        return change * believed * (fade * correction.factor[:, None]).to(z.dtype)


@dataclass(frozen=True, eq=False)
class _Band:
    """The closed form between two noise levels, of one boundary class."""

    high: float
    low: float
    slots: torch.Tensor
    values: torch.Tensor
    vectors: torch.Tensor
    regression: torch.Tensor

    def holds(self, level: "float | torch.Tensor", dtype: torch.dtype) -> Any:
        """1 where a level is of this band, 0 elsewhere; None if it is nowhere."""
        if isinstance(level, torch.Tensor):
            return ((level <= self.high) & (level > self.low)).to(dtype)
        return 1.0 if self.low < level <= self.high else None


def _bands(form: LinearDenoiser, boundary_class: int) -> tuple[_Band, ...]:
    """By noise band what each unit sees and how it weighs it; equal neighbors are one."""
    n_units, n_sources = form.n_units, form.patches.n_sources
    padded = np.concatenate([form.patches.slots, np.full((n_units, 1), n_sources)], axis=1)
    found: list[_Band] = []
    last = None
    for band, place, (high, low) in zip(form.bands, form.places, pairwise(BAND_EDGES), strict=True):
        if band is last:
            found[-1] = replace(found[-1], low=low)
            continue
        slots = np.take_along_axis(padded, np.asarray(place), axis=1)
        parts = (
            torch.as_tensor(np.asarray(part)[:, boundary_class])
            for part in (band.eigenvalues, band.eigenvectors, band.regression)
        )
        found.append(_Band(high, low, torch.from_numpy(slots), *parts))
        last = band
    return tuple(found)


def _gather(z: torch.Tensor, slots: torch.Tensor, shift: torch.Tensor | None) -> torch.Tensor:
    """Patches [n_units, n_slots, n], centers moved by the shift [n_units, n]."""
    patch = z.index_select(0, slots.ravel()).view(*slots.shape, -1)
    if shift is None:
        return patch
    return torch.cat([patch[:, :1] + shift[:, None], patch[:, 1:]], dim=1)


def _column(level: "float | torch.Tensor") -> "float | torch.Tensor":
    """Levels of samples, to be multiplied with states."""
    return level[:, None] if isinstance(level, torch.Tensor) and level.ndim else level


def _as_given(y: A, function: Callable[[torch.Tensor], torch.Tensor]) -> A:
    """Apply a function of tensors to an array or tensor, and answer in kind."""
    if isinstance(y, torch.Tensor):
        return function(y)
    array = np.ascontiguousarray(y)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    if not np.isfinite(array).all():  # of a tensor, autograd and torch.func may not be asked
        where = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        raise DataError(f"A state must be finite, found {array[where]} at {list(where)}.")
    return function(torch.from_numpy(array)).numpy()
