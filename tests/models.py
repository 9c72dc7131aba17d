"""Models made by hand, so that tests judge what comes after a fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.data.transforms_fit import fit_standardizer
from locality.domain import Axis, DependencyGraph, Domain
from locality.local.field import ScoreField
from locality.local.network import LocalNetworks, round_up
from locality.local.networks import NetworkGroup
from locality.local.patches import Patches, Sources
from locality.local.shard import ShardState
from locality.model.model import Model
from locality.model.settings import Settings
from locality.noise.levels import BAND_EDGES, NoiseLevels
from locality.noise.streams import stream
from locality.store.store import save_model
from locality.training.trainer import Trainer

hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

N_BANDS = len(BAND_EDGES) - 1
Covariance = Callable[[Sources], NDArray[np.float64]]


def by_hand(
    domain: Domain,
    radius: int,
    covariance: Covariance,
    *,
    n_shards: int = 1,
    extent: tuple[int, ...] = (),
    strength: float = 0.0,
) -> ScoreField:
    """A score field with given second moments.

    ``covariance`` maps sources to their second moments. With a ``strength`` above zero every
    component has a network with random weights (not zero in the last layer either), trusted in
    every boundary class of a lattice of this ``extent``.
    """
    shards = []
    for number, nodes in enumerate(np.array_split(domain.targets, n_shards)):
        stencils = domain.stencils(radius).select(nodes)
        sources = Sources.of(stencils)
        patches = Patches.of(stencils, sources)
        inside = sources.inside(domain, extent)[1] if strength else np.zeros((0, 0), dtype=bool)
        rim = len(inside) > 1
        width = round_up(patches.slots.shape[1] + 3 + (patches.noisy.shape[1] - 1) * rim)
        units = np.arange(len(nodes))
        generator = stream(7, number)
        networks = LocalNetworks.initial(len(units), width, 8, generator)
        for name in ("w3", "b3"):
            weight = networks.weights[name]
            weight.copy_(strength * torch.randn(weight.shape, generator=generator))
        group = NetworkGroup(
            "perceptron",
            unit=units,
            radius=np.full(len(units), radius),
            noisy=patches.noisy,
            given=patches.given,
            level_range=np.tile([0.05, 6.0], (len(units), 1)),
            factor=np.ones(len(units)),
            trained_inside=inside,
            trained_range=np.tile([-1e3, 1e3], (sources.n_sources, 1)),
            uses_rim=rim,
            weights={name: w.numpy() for name, w in networks.weights.items()},
        )
        nothing = np.full((len(nodes), 1, N_BANDS), np.nan)
        every_band = (len(nodes), N_BANDS)
        n_noisy, n_given = (
            np.broadcast_to(n[:, None], every_band).copy() for n in patches.n_present
        )
        shards.append(
            ShardState(
                target=nodes,
                radius=np.full(every_band, radius),
                shrinkage=np.zeros(every_band),
                source_node=sources.node,
                source_offset=sources.offset,
                source_given=sources.given,
                noisy=patches.noisy,
                given=patches.given,
                n_noisy=n_noisy,
                n_given=n_given,
                covariance=covariance(sources),
                networks=group if strength else NetworkGroup.empty(sources.n_sources),
                held_out=nothing[:, 0, 0],
                held_out_error=np.zeros(len(nodes)),
                held_out_independent=nothing[:, 0, 0],
                radii=np.array([radius]),
                linear_curve=nothing,
                neural_curve=nothing[..., 0],
            )
        )
    return ScoreField(domain, tuple(shards))


@pytest.fixture
def make_field() -> Callable[..., ScoreField]:
    return by_hand


def random_covariance(n: int, seed: int = 0) -> NDArray[np.float64]:
    """Positive definite, unit diagonal, condition about 30."""
    factor = np.random.default_rng(seed).standard_normal((n, 2 * n))
    matrix = factor @ factor.T
    scale = np.sqrt(np.diag(matrix))
    return matrix / np.outer(scale, scale)


@pytest.fixture
def make_covariance() -> Callable[..., NDArray[np.float64]]:
    return random_covariance


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classifiers of drawn and real rows need not be the best."""
    for module in ("fidelity", "evaluation"):
        monkeypatch.setattr(f"locality.analysis.quality.{module}._TREES", 25)


# -- models of every shape that a store must hold ---------------------------------------------


def _model(domain: Domain, shards: Any, n_columns: int, extent: tuple[int, ...] = ()) -> Model:
    rows = np.random.default_rng(3).standard_normal((20, n_columns))
    names = [f"x{j}" for j in range(n_columns)] if extent else list(domain.names)
    return Model(
        fit_standardizer(Table.from_frame(pd.DataFrame(rows, columns=names))),
        ScoreField(domain, tuple(shards), np.tile([-4.0, 1 / 3], (domain.n_nodes, 1))),
        NoiseLevels(0.0123456789, 12.0),
        extent,
        20,
        Settings(graph="chain", lags=np.int64(1), seed=5),
        {"table": 0.1, "graph": 0.25, "closed form": 1e-05},
        {"locality": "0", "numpy": "2"},
    )


def _with_networks(make_field: Any, extent: tuple[int, ...], n_shards: int) -> Model:
    def covariance(sources: Sources) -> np.ndarray:
        gap = np.abs(np.subtract.outer(sources.node, sources.node))
        for offset in sources.offset.T:
            gap = gap + np.abs(np.subtract.outer(offset, offset))
        return 0.6**gap

    axes = tuple(Axis("position", extent=n) for n in extent)
    n_nodes = 1 if extent else 6
    names = tuple(f"é{j}" for j in range(n_nodes))
    domain = Domain(DependencyGraph.chain(n_nodes), names, axes)
    field = make_field(domain, 1, covariance, n_shards=n_shards, extent=extent, strength=0.3)
    return _model(domain, field.shards, int(np.prod(extent)) if extent else n_nodes, extent)


def _trained_series() -> Model:
    """Without networks, so that many arrays are empty; one node is context."""
    axis = Axis("time", window=(1, 0))
    domain = Domain(DependencyGraph.chain(4), ("a", "b", "c", "d"), (axis,), (3,))
    z = np.random.default_rng(0).standard_normal((4, 60, 1))
    return _model(domain, Trainer(domain, 1, shard_size=2).train(z).shards, 4)


@pytest.fixture(params=["table", "lattice", "series"])
def model(request: pytest.FixtureRequest, make_field: Callable[..., Any]) -> Model:
    if request.param == "series":
        return _trained_series()
    extent, n_shards = ((), 2) if request.param == "table" else ((5,), 1)
    return _with_networks(make_field, extent, n_shards)


@pytest.fixture
def table_model(make_field: Callable[..., Any]) -> Model:
    return _with_networks(make_field, (), 2)


@pytest.fixture
def folder(table_model: Model, tmp_path: Path) -> Path:
    """A stored model, alone in its parent."""
    return save_model(table_model, tmp_path / "model")


@pytest.fixture
def frame() -> pd.DataFrame:
    """Six columns of an Ornstein–Uhlenbeck chain in odd units, with an index of its own."""
    x = OrnsteinUhlenbeckChain(6, correlation=0.8).sample(400, random_state=0)
    scales = np.array([1.0, 100.0, 0.01, 5.0, 30.0, 2.0])
    names = ["feed", "pressure", "level", "temperature", "flow", "valve"]
    index = pd.Index(np.arange(400) * 0.05, name="hours")
    return pd.DataFrame(x * scales + 10 * scales, columns=names, index=index)
