"""Samplers and level schedules: those of the library, and the bases of your own.

A sampler walks from noise to data along falling noise levels; a subclass of `Sampler` writes one
``step``. A schedule says which levels; a subclass of `LevelSchedule` writes ``after``. Both go into
``LocalizedDiffusion.sample``.

Examples
--------
>>> from locality import LocalizedDiffusion
>>> from locality.data.synthetic import OrnsteinUhlenbeckChain
>>> class Euler(Sampler):
...     def step(self, field, y, sigma, next_sigma, generator):
...         return y + (next_sigma - sigma) * (y - field.denoise(y, sigma)) / sigma
>>> X = OrnsteinUhlenbeckChain(5, correlation=0.7).sample(300, random_state=0)
>>> model = LocalizedDiffusion(graph="chain", denoiser="linear", random_state=0).fit(X)
>>> rows, way = model.sample(4, sampler=Euler, levels=GeometricLevels(), trajectory=True)
>>> rows.shape, way.states.shape == (len(way.sigmas), 4, 5)
((4, 5), True)
"""

from locality.inference.sampling.methods import (
    Churn,
    DPMSolver,
    Heun,
    StochasticDPMSolver,
)
from locality.inference.sampling.sampler import Sampler, Trajectory
from locality.inference.sampling.schedules import (
    GeometricLevels,
    KarrasLevels,
    LevelSchedule,
    LogNormalLevels,
)

__all__ = [
    "Churn",
    "DPMSolver",
    "GeometricLevels",
    "Heun",
    "KarrasLevels",
    "LevelSchedule",
    "LogNormalLevels",
    "Sampler",
    "StochasticDPMSolver",
    "Trajectory",
]
