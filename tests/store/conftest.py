"""Models of every shape that a store must hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locality.data.table import Table
from locality.data.transforms_fit import fit_standardizer
from locality.domain import Axis, DependencyGraph, Domain
from locality.local.patches import Sources
from locality.model.model import Model
from locality.noise.levels import NoiseLevels
from locality.store.store import save_model
from locality.training.trainer import Trainer


def _model(domain: Domain, shards: Any, n_columns: int, extent: tuple[int, ...] = ()) -> Model:
    rows = np.random.default_rng(3).standard_normal((20, n_columns))
    return Model(
        fit_standardizer(Table.from_frame(rows)),
        domain,
        tuple(shards),
        NoiseLevels(0.0123456789, 12.0),
        np.tile([-4.0, 1 / 3], (domain.n_nodes, 1)),
        extent,
        20,
        {"graph": "chain", "lags": np.int64(1), "given": [], "seed": 5, "random_state": None},
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
