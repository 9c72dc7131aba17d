"""A lattice seen as a table: the same denoiser, position by position."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from locality import LocalizedDiffusion
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.local.patches import Sources
from locality.local.unrolled import unrolled
from locality.model.model import Model
from locality.training.trainer import Trainer

D = 9
NAMES = tuple(f"x{j}" for j in range(D))


def model(graph: str, **options: object) -> Model:
    rows = DoubleWellChain(D).sample(1_000, 0)
    options = {"tied": True, "random_state": 0, "n_steps": 600, "radius": 2, **options}
    return LocalizedDiffusion(graph=graph, **options).fit(rows).model_


def same_denoiser(field: ScoreField, table: ScoreField, extent: tuple[int, ...]) -> float:
    """Largest difference of the two, over noise levels from fine to coarse."""
    n, worst = int(np.prod(extent)) * field.domain.n_nodes, 0.0
    y = 1.5 * torch.randn(n, 7, generator=torch.Generator().manual_seed(1))
    lattice = BoundField(field, np.zeros((field.domain.n_nodes, *extent, 7), np.float32))
    flat = BoundField(table, np.zeros((n, 7), np.float32))
    for sigma in (0.05, 0.4, 3.0):
        one = lattice.denoise(y.reshape(field.domain.n_nodes, -1), sigma).reshape(n, 7)
        other = torch.empty(n, 7)
        other[torch.from_numpy(table.nodes)] = flat.denoise(y[table.nodes], sigma)
        worst = max(worst, float((one - other).abs().max()))
    return worst


@pytest.mark.parametrize("graph", ["chain", "ring"])
@pytest.mark.parametrize("strength", [0.0, 0.5], ids=["linear", "neural"])
def test_the_denoiser_stays_the_same(make_field: Any, graph: str, strength: float) -> None:
    axis = Axis("column", extent=D, periodic=graph == "ring")

    def covariance(sources: Sources) -> np.ndarray:
        return 0.8 ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))

    domain = Domain(DependencyGraph.empty(1), ("x",), (axis,))
    field = make_field(domain, 2, covariance, extent=(D,), strength=strength)
    assert (len(field.shards[0].networks) > 0) == (strength > 0)
    table = unrolled(field, (D,), NAMES)
    assert same_denoiser(field, table, (D,)) < 1e-5
    assert table.domain.graph.degrees.tolist() == (
        [2] * D if graph == "ring" else [1, *[2] * (D - 2), 1]
    )


def test_several_nodes_and_axes_are_unrolled() -> None:
    """Two fields on a 4 × 5 lattice that closes along its second axis."""
    rng = np.random.default_rng(2)
    axes = (Axis("row", extent=4), Axis("column", extent=5, periodic=True))
    domain = Domain(DependencyGraph.chain(2), ("a", "b"), axes)
    state = rng.standard_normal((2, 4, 5, 300)).astype(np.float32)
    state += 0.5 * np.roll(state, 1, axis=2) + 0.4 * state[::-1]
    field = ScoreField(domain, Trainer(domain, 1).train(state).shards)
    table = unrolled(field, (4, 5), tuple(map(str, range(40))))
    assert same_denoiser(field, table, (4, 5)) < 1e-5
    corner, middle = table.domain.graph.degrees[[0, 7]]
    assert (corner, middle) == (4, 5)


def test_a_patch_around_the_ring_is_refused() -> None:
    field = model("ring", denoiser="linear", radius=2).field
    with pytest.raises(OptionError, match="reaches around a ring of 4"):
        unrolled(field, (4,), NAMES[:4])


def test_gaps_of_a_lattice_are_filled_by_its_exact_conditional_law() -> None:
    """Random gaps of a stationary chain, learned from whole rows and from gappy ones."""
    chain = OrnsteinUhlenbeckChain(D, 0.8)
    rows, fresh = chain.sample(4_000, 0), chain.sample(300, 1)
    rng = np.random.default_rng(3)
    hidden = rng.random(fresh.shape) < 0.4
    correlation = 0.8 ** np.abs(np.subtract.outer(np.arange(D), np.arange(D)))
    exact = fresh.copy()
    for row, gap in zip(exact, hidden, strict=True):
        known = ~gap
        weights = np.linalg.solve(
            correlation[np.ix_(known, known)], correlation[np.ix_(known, gap)]
        )
        row[gap] = row[known] @ weights
    gappy = np.where(hidden, np.nan, fresh)
    training_gaps = np.where(rng.random(rows.shape) < 0.3, np.nan, rows)
    for table in (rows, training_gaps):
        options = {"graph": "chain", "tied": True, "denoiser": "linear", "random_state": 0}
        fitted = LocalizedDiffusion(**options).fit(table)
        found = fitted.impute(gappy)
        off = np.linalg.norm((found.mean - exact)[hidden]) / np.linalg.norm(exact[hidden])
        assert off < 0.02
        inside = ((found.low <= fresh) & (fresh <= found.high))[hidden]
        assert abs(inside.mean() - 0.9) < 4 * np.sqrt(0.09 / hidden.sum())
        surprise = fitted.surprise(gappy)
        assert (np.isnan(surprise) == hidden).all()
    held = fitted.sample(4_000, condition="x4=1.5")
    assert (np.abs(held[:, 4] - 1.5) < 1e-9).all()
    assert abs(held[:, 5].mean() - 1.2) < 0.05
    assert abs(held[:, 5].var() - 0.36) < 0.05


@pytest.mark.slow
def test_networks_of_a_lattice_fill_its_gaps() -> None:
    """Between two known sites of double wells a gap lies in one of the wells, not between them."""
    wells = DoubleWellChain(D)
    fitted = LocalizedDiffusion(graph="chain", tied=True, random_state=0, n_steps=200)
    fitted.fit(wells.sample(1_000, 0))
    fresh = wells.sample(24, 1)
    fresh[:, 1::2] = np.nan
    drawn = np.stack(fitted.impute(fresh, draws=4).draws)[:, :, 1::2]
    near_top = np.abs(drawn) < 0.3
    assert near_top.mean() < 0.18  # 0.14 of the true values, 0.27 of the closed form


def test_limits_and_edges_are_those_of_the_lattice(make_field: Any) -> None:
    """Of every node at every position; edges between nodes keep their weights, others have one."""
    domain = Domain(
        DependencyGraph.from_edges([(0, 1, 0.25)], 2),
        ("u", "v"),
        (Axis("row", extent=3), Axis("column", extent=4, periodic=True)),
    )

    def covariance(sources: Sources) -> np.ndarray:
        place = np.column_stack([sources.node, sources.offset])
        return 0.6 ** np.abs(place[:, None] - place[None]).sum(axis=2).astype(float)

    plain = make_field(domain, 1, covariance)
    field = ScoreField(domain, plain.shards, np.array([[-0.3, 0.1], [-0.1, 0.5]]))
    table = unrolled(field, (3, 4), tuple(map(str, range(24))))
    assert same_denoiser(field, table, (3, 4)) < 1e-5
    assert table.limits is not None
    np.testing.assert_array_equal(table.limits[:12], np.tile([-0.3, 0.1], (12, 1)))
    np.testing.assert_array_equal(table.limits[12:], np.tile([-0.1, 0.5], (12, 1)))
    network = table.domain.graph.to_scipy().toarray()
    expected = np.zeros((2, 3, 4, 2, 3, 4))
    for row in range(3):
        for column in range(4):
            expected[0, row, column, 1, row, column] = 0.25
            for node in range(2):
                expected[node, row, column, node, row, (column + 1) % 4] = 1.0
                if row < 2:
                    expected[node, row, column, node, row + 1, column] = 1.0
    expected = expected.reshape(24, 24)
    np.testing.assert_array_equal(network, expected + expected.T)


def test_networks_stay_where_they_were_trained(make_field: Any) -> None:
    """In the middle of a line only: its ends have none, and answer as before."""
    domain = Domain(DependencyGraph.empty(1), ("x",), (Axis("column", extent=D),))

    def covariance(sources: Sources) -> np.ndarray:
        return 0.8 ** np.abs(np.subtract.outer(*[sources.offset[:, 0]] * 2))

    field = make_field(domain, 1, covariance, extent=(D,), strength=0.5)
    (shard,) = field.shards
    middle = replace(shard.networks, trained_inside=shard.networks.trained_inside[:1])
    field = ScoreField(domain, (replace(shard, networks=middle),))
    table = unrolled(field, (D,), NAMES)
    assert [len(part.networks) for part in table.shards] == [0, *[1] * (D - 2), 0]
    assert [part.target.tolist() for part in table.shards] == [[j] for j in range(D)]
    assert same_denoiser(field, table, (D,)) < 1e-5
