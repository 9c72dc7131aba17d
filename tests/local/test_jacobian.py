"""Derivatives of the denoiser, of which there are several routes: all of them are one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from locality.domain import Axis, DependencyGraph, Domain
from locality.inference.density.differentiable import DifferentiableField
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.local.jacobian import Jacobian
from locality.local.patches import Sources
from locality.local.unrolled import unrolled
from locality.noise.streams import stream

D = 8
GRAPH = DependencyGraph.from_edges(
    [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 6), (6, 7), (7, 4)], D
)
NAMES = tuple("abcdefgh")
N = 300  # samples: more than networks take at a time
LEVELS = [0.02, 0.4, 20.0]  # networks are trained between 0.05 and 6

ROWS = {
    "table": (Domain(GRAPH, NAMES), 1, ()),
    "wide": (Domain(GRAPH, NAMES), 2, ()),
    "context": (Domain(GRAPH, NAMES, (), (4,)), 1, ()),
    "series": (Domain(GRAPH, NAMES, (Axis("t", (2, 0)),)), 1, (4,)),
    "first row": (Domain(GRAPH, NAMES, (Axis("t", (1, 0)),), (1,)), 1, (1,)),
}
LATTICES = {
    "line": (Domain(DependencyGraph.empty(1), ("x",), (Axis("s", extent=7),)), 2, (7,)),
    "field": (
        Domain(
            DependencyGraph.chain(2),
            ("u", "v"),
            (Axis("east", extent=4, periodic=True), Axis("north", extent=3)),
        ),
        1,
        (4, 3),
    ),
}


def uneven(sources: Sources) -> np.ndarray:
    """A covariance in which no two components are alike."""
    place = np.column_stack([sources.node, sources.offset])
    near = 1 / (1 + 0.3 * ((place[:, None] - place[None]) ** 2).sum(-1))
    scale = 0.7 + 0.05 * (sources.node + 2 * sources.offset.sum(axis=1))
    return near * np.outer(scale, scale)


def mixed(make_field: Any, case: Any) -> ScoreField:
    """Three shards, of which one has no networks and one has networks of some components."""
    domain, radius, extent = case
    field = make_field(domain, radius, uneven, n_shards=3, extent=extent, strength=1.0)
    first, second, third = field.shards
    some = third.networks.unit != third.networks.unit[0]
    part = replace(third, networks=third.networks.keep(some))
    return ScoreField(domain, (part, first, second.linear))  # in another order than the nodes


def state_of(domain: Domain, extent: tuple[int, ...]) -> tuple[np.ndarray, torch.Tensor]:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((domain.n_nodes, *extent, N)).astype(np.float32)
    y = torch.randn(N, len(domain.targets), generator=stream(1))
    return values, 1.5 * y


def dense(field: DifferentiableField, y: torch.Tensor, sigma: float) -> torch.Tensor:
    """∂D/∂y by automatic differentiation in double precision [n, n_targets, n_targets]."""
    y, columns = y.double(), []
    for unit in torch.eye(y.shape[1], dtype=y.dtype):
        move = unit.expand(y.shape).contiguous()
        columns.append(torch.func.jvp(lambda rows: field.denoise(rows, sigma), (y,), (move,))[1])
    return torch.stack(columns, dim=2)


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("name", ROWS)
def test_divergences_are_traces_of_the_derivative(make_field, name: str, sigma: float) -> None:
    """The field of samplers and that of automatic differentiation have one value and one slope."""
    domain, _, extent = ROWS[name]
    field = mixed(make_field, ROWS[name])
    values, y = state_of(domain, extent)
    smooth = DifferentiableField(field, values)
    last = slice(extent[0] - 1, extent[0]) if extent else None
    bound = BoundField(field, values, last)
    order = np.searchsorted(domain.targets, field.nodes)
    state = y.T[order].contiguous()
    value, slope = bound.with_divergence(state, sigma)
    assert torch.equal(value, bound.denoise(state, sigma))
    expected = smooth.denoise(y.double(), sigma).T[order]
    torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=2e-5)
    diagonal = dense(smooth, y, sigma).diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(slope.double(), diagonal.T[order], rtol=1e-4, atol=2e-5)
    divergence = ((diagonal - 1.0) / sigma**2).sum(-1)
    torch.testing.assert_close(smooth.divergence(y.double(), sigma), divergence)
    torch.testing.assert_close(
        bound.score(state, sigma), (value - state) / sigma**2, rtol=1e-6, atol=0.0
    )
    with_network = np.concatenate([shard.has_network for shard in field.shards])
    assert with_network.any()
    assert not with_network.all()
    np.testing.assert_array_equal((slope[:, 1:] != slope[:, :1]).any(dim=1), with_network)


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("name", ["table", "wide", "context"])
def test_the_operator_is_the_symmetric_part_of_the_derivative(
    make_field, name: str, sigma: float
) -> None:
    """Of every sample by itself: its product, its diagonal, and zeros beyond neighborhoods."""
    domain, _, extent = ROWS[name]
    field = mixed(make_field, ROWS[name])
    values, y = state_of(domain, extent)
    order = np.searchsorted(domain.targets, field.nodes)
    exact = dense(DifferentiableField(field, values), y, sigma).numpy()[:, order][:, :, order]
    operator = Jacobian.of(BoundField(field, values), y.T[order].contiguous(), sigma)
    symmetric = 0.5 * (exact + exact.transpose(0, 2, 1))
    v = np.random.default_rng(2).standard_normal((len(order), N)).astype(np.float32)
    expected = np.einsum("kij,jk->ik", symmetric, v)
    np.testing.assert_allclose(operator @ v, expected, rtol=1e-4, atol=1e-4)
    diagonal = np.einsum("kii->ik", exact)
    np.testing.assert_allclose(operator.diagonal(N), diagonal, rtol=1e-4, atol=1e-4)
    assert (operator @ v).dtype == operator.diagonal(N).dtype == np.float32
    for k in range(len(order)):
        unit = np.zeros_like(v)
        unit[k] = 1.0
        np.testing.assert_array_equal((operator @ unit == 0).all(axis=1), ~symmetric[:, k].any(0))


def test_without_networks_it_is_one_matrix(make_field) -> None:
    """The symmetric part of the closed form, at any state."""
    domain, radius, _ = ROWS["wide"]
    field = make_field(domain, radius, uneven, n_shards=3)
    bound = BoundField(field, np.zeros((D, D), dtype=np.float32))
    still, sigma = torch.zeros(D, D), 0.4
    matrix = bound.denoise(torch.eye(D), sigma) - bound.denoise(still, sigma)
    operator = Jacobian.of(bound, still, sigma)
    symmetric = 0.5 * (matrix + matrix.T).numpy()
    np.testing.assert_allclose(operator @ np.eye(D, dtype=np.float32), symmetric, atol=1e-6)
    np.testing.assert_allclose(operator.linear.toarray(), symmetric, atol=1e-6)
    _, slope = bound.with_divergence(still, sigma)
    np.testing.assert_allclose(slope, np.tile(np.diag(matrix)[:, None], D), atol=1e-6)
    assert len(set(np.round(np.diag(matrix), 5))) == D


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("name", LATTICES)
def test_a_lattice_has_the_slopes_of_its_table(make_field, name: str, sigma: float) -> None:
    """Position by position, near the rim as well, where networks see who is missing."""
    domain, radius, extent = LATTICES[name]
    lattice = make_field(domain, radius, uneven, extent=extent, strength=1.0)
    n = domain.n_nodes * int(np.prod(extent))
    table = unrolled(lattice, extent, tuple(map(str, range(n))))
    y = 1.5 * torch.randn(n, 40, generator=stream(3))
    bound = BoundField(lattice, np.zeros((domain.n_nodes, *extent, 40), np.float32))
    value, slope = bound.with_divergence(y.reshape(domain.n_nodes, -1), sigma)
    smooth = DifferentiableField(table, np.zeros((n, 1)))
    expected = smooth.denoise(y.T.double(), sigma).T
    torch.testing.assert_close(value.view(n, 40).double(), expected, rtol=1e-4, atol=2e-5)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: smooth.denoise(row, sigma)))
    diagonal = jacobian(y.T.double()).diagonal(dim1=1, dim2=2).T
    torch.testing.assert_close(slope.view(n, 40).double(), diagonal, rtol=1e-4, atol=2e-5)


def test_what_networks_see_of_the_rim_matters(make_field) -> None:
    """Weights of those inputs, and no others, changed: ends of a line answer otherwise."""
    domain, radius, extent = LATTICES["line"]
    found = []
    for factor in (1.0, 3.0):
        field = make_field(domain, radius, uneven, extent=extent, strength=1.0)
        networks = field.shards[0].networks
        n_slots = networks.noisy.shape[1]
        assert networks.uses_rim
        networks.weights["w1"][:, n_slots + 3 : 2 * n_slots + 2] *= factor
        bound = BoundField(field, np.zeros((1, *extent, 1), np.float32))
        found.append(bound.denoise(torch.ones(1, 7), 0.4))
    assert (found[0] != found[1]).all()
