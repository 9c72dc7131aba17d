"""The assembled score: exact zeros outside every stencil, and the exact score at full radius."""

import copy
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from locality.domain import Axis, DependencyGraph, Domain
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.local.patches import Sources
from locality.noise.streams import stream


def network_graph(n: int) -> DependencyGraph:
    edges = [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 6), (6, 7), (7, 4)]
    return DependencyGraph.from_edges(edges, n)


def names(n: int) -> tuple[str, ...]:
    return tuple(f"x{k}" for k in range(n))


def smooth(sources: Sources) -> NDArray[np.float64]:
    """A covariance that falls with distance in node number and offset; nothing is Markov in it."""
    places = np.column_stack([sources.node, sources.offset])
    return 1 / (1 + 0.3 * ((places[:, None] - places[None]) ** 2).sum(-1))


CASES: dict[str, tuple[Domain, int, tuple[int, ...]]] = {
    "table": (Domain(network_graph(8), names(8)), 1, ()),
    "wide table": (Domain(network_graph(8), names(8)), 2, ()),
    "context": (Domain(network_graph(8), names(8), context=(4,)), 1, ()),
    "causal": (Domain(network_graph(8), names(8), (Axis("t", (2, 0)),)), 1, (4,)),
    "causal with context": (
        Domain(network_graph(8), names(8), (Axis("t", (1, 0)),), context=(1,)),
        1,
        (3,),
    ),
    "joint": (Domain(network_graph(8), names(8), (Axis("t", (1, 1)),)), 1, (5,)),
    "lattice": (Domain(DependencyGraph.empty(1), ("x",), (Axis("s"),)), 2, (9,)),
    "ring": (
        Domain(DependencyGraph.empty(1), ("x",), (Axis("s", extent=9, periodic=True),)),
        2,
        (9,),
    ),
    "field": (
        Domain(
            DependencyGraph.chain(2),
            ("u", "v"),
            (Axis("east", extent=4, periodic=True), Axis("north")),
        ),
        1,
        (4, 3),
    ),
}
N = 2  # samples


def allowed(domain: Domain, radius: int, extent: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which (node, position) the score of which (node, position) may read, by definition."""
    network = domain.graph.to_scipy().toarray()
    network[list(domain.context)] = network[:, list(domain.context)] = 0
    hops = shortest_path(network, directed=False, unweighted=True)
    places = list(product(*map(range, extent)))
    n_nodes, n_places = domain.n_nodes, len(places)
    result = np.zeros((n_nodes, n_places, n_nodes, n_places), dtype=bool)
    for p, here in enumerate(places):
        for q, there in enumerate(places):
            distance, fits = 0.0, True
            for a, axis in enumerate(domain.axes):
                step = there[a] - here[a]
                if axis.window is not None:
                    fits &= -axis.window[0] <= step <= axis.window[1]
                    continue
                lap = extent[a]
                distance += min(abs(step), lap - abs(step)) if axis.periodic else abs(step)
            result[:, p, :, q] = fits & (hops + distance <= radius)
            if len(domain.context):
                result[:, p, list(domain.context), q] = fits and distance == 0
    return result


def score_of(field: ScoreField, values: NDArray[np.float32], sigma: float) -> torch.Tensor:
    """Score [n_targets, n_positions, N] with the given slots read from ``values`` as well."""
    nodes = field.nodes
    y = torch.from_numpy(np.ascontiguousarray(values[nodes])).reshape(len(nodes), -1)
    found = BoundField(field, values).score(y, sigma).reshape(len(nodes), -1, N)
    return found[np.argsort(nodes)]


@pytest.mark.parametrize("strength", [0.0, 1.0], ids=["linear", "neural"])
@pytest.mark.parametrize("name", CASES)
def test_the_jacobian_is_exactly_zero_outside_every_stencil(make_field, name, strength) -> None:
    """Each input is moved far; a component may change a bit only if it sees that input.

    Inside the stencil a change is demanded, so that the zeros prove something.
    """
    domain, radius, extent = CASES[name]
    n_shards = min(3, len(domain.targets))
    field = make_field(domain, radius, smooth, n_shards=n_shards, extent=extent, strength=strength)
    rng = np.random.default_rng(0)
    values = rng.standard_normal((domain.n_nodes, *extent, N)).astype(np.float32)
    may = allowed(domain, radius, extent)[domain.targets]
    base = score_of(field, values, 0.7)
    n_places = may.shape[1]
    flat = values.reshape(domain.n_nodes, n_places, N)
    for node in range(domain.n_nodes):
        for place in range(n_places):
            moved = flat.copy()
            moved[node, place, 0] += 3.0
            changed = score_of(field, moved.reshape(values.shape), 0.7) != base
            assert not changed[..., 1].any()  # other samples never change
            np.testing.assert_array_equal(changed[..., 0].numpy(), may[:, :, node, place])


@pytest.mark.parametrize("name", ["table", "causal", "joint"])
def test_nodes_beyond_a_shard_and_its_halo_may_be_missing(make_field, name) -> None:
    """NaN in all nodes that a shard does not read leaves its score alone, to the bit."""
    domain, radius, extent = CASES[name]
    field = make_field(domain, radius, smooth, n_shards=4, extent=extent, strength=1.0)
    rng = np.random.default_rng(1)
    values = rng.standard_normal((domain.n_nodes, *extent, N)).astype(np.float32)
    clean = score_of(field, values, 0.4)
    for shard in field.shards:
        poisoned = values.copy()
        outside = np.setdiff1d(np.arange(domain.n_nodes), shard.source_node)
        assert len(outside)
        poisoned[outside] = np.nan
        found = score_of(field, poisoned, 0.4)
        assert torch.equal(found[shard.target], clean[shard.target])
        assert found[outside].isnan().all()


@pytest.mark.parametrize("n_shards", [1, 3, 8])
@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
def test_at_full_radius_the_score_is_that_of_the_noised_law(
    make_field, make_covariance, sigma, n_shards
) -> None:
    c = make_covariance(8)
    domain = Domain(network_graph(8), names(8))
    field = make_field(domain, 7, lambda s: c[np.ix_(s.node, s.node)], n_shards=n_shards)
    y = np.random.default_rng(2).standard_normal((8, 20))
    expected = -np.linalg.solve(c + sigma**2 * np.eye(8), y)
    found = BoundField(field, np.zeros((8, 20))).score(torch.from_numpy(y[field.nodes]), sigma)
    np.testing.assert_allclose(found, expected[field.nodes], rtol=1e-7, atol=1e-9)


def test_a_causal_field_at_full_radius_has_the_conditional_score(make_field) -> None:
    """∇ log p_σ(y_t | x_{t-1}), from the dense covariance of two rows."""
    rng = np.random.default_rng(3)
    factor = rng.standard_normal((6, 12))
    joint = factor @ factor.T / 12  # rows t-1 and t of three sensors
    domain = Domain(DependencyGraph.chain(3), names(3), (Axis("t", (1, 0)),))

    def covariance(sources):
        at = sources.node + 3 * (sources.offset[:, 0] + 1)
        return joint[np.ix_(at, at)]

    field = make_field(domain, 2, covariance, n_shards=2)
    sigma, values = 0.3, rng.standard_normal((3, 2, 5))
    y = torch.from_numpy(rng.standard_normal((3, 5)))
    found = BoundField(field, values, slice(1, 2)).score(y, sigma)
    past, cross, now = joint[:3, :3], joint[3:, :3], joint[3:, 3:]
    gain = np.linalg.solve(past, cross.T).T
    law = now - gain @ cross.T + sigma**2 * np.eye(3)
    expected = -np.linalg.solve(law, y.numpy() - gain @ values[:, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    # the first row has no past: its law is that of a row whose past is not known
    found = BoundField(field, values, slice(0, 1)).score(y, sigma)
    expected = -np.linalg.solve(now + sigma**2 * np.eye(3), y.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["table", "causal", "context"])
def test_permuting_the_nodes_permutes_the_score(make_field, name) -> None:
    domain, radius, extent = CASES[name]
    order = np.random.default_rng(4).permutation(domain.n_nodes)
    context = tuple(np.flatnonzero(np.isin(order, domain.context)).tolist())
    permuted = Domain(domain.graph.permute(order), names(8), domain.axes, context)

    def moved(sources):
        return smooth(Sources(order[sources.node], sources.offset, sources.given))

    values = np.random.default_rng(5).standard_normal((8, *extent, N))
    found = []
    for space, law, x in ((domain, smooth, values), (permuted, moved, values[order])):
        field = make_field(space, radius, law, n_shards=2)
        whole = np.zeros(values.shape)
        whole[space.targets] = score_of(field, x, 0.5).reshape(-1, *values.shape[1:])
        found.append(whole)
    np.testing.assert_allclose(found[1], found[0][order], rtol=1e-9, atol=1e-12)


def test_limits_bound_the_denoiser_and_nothing_else(make_field) -> None:
    domain, radius, _ = CASES["table"]
    free = make_field(domain, radius, smooth)
    limits = np.tile([-0.3, 0.5], (8, 1))
    bounded = ScoreField(domain, free.shards, limits)
    y = 3 * torch.randn(8, 50, generator=stream(0))
    values = np.zeros((8, 50), dtype=np.float32)
    found, expected = (
        BoundField(bounded, values).denoise(y, 0.5),
        BoundField(free, values).denoise(y, 0.5),
    )
    assert torch.equal(found, expected.clamp(-0.3, 0.5))
    assert (found != expected).any()


def test_conditional_scale_is_in_the_order_of_the_targets(make_field, make_covariance) -> None:
    c = make_covariance(8)
    domain = Domain(network_graph(8), names(8))
    field = make_field(domain, 7, lambda s: c[np.ix_(s.node, s.node)], n_shards=3)
    expected = np.diag(np.linalg.inv(c)) ** -0.5
    np.testing.assert_allclose(field.conditional_scale, expected, rtol=1e-9)


def test_largest_variance_is_the_largest_eigenvalue_of_a_shard(make_field, make_covariance) -> None:
    c = make_covariance(8)
    domain = Domain(network_graph(8), names(8))
    whole = make_field(domain, 7, lambda s: c[np.ix_(s.node, s.node)], n_shards=3)
    np.testing.assert_allclose(whole.largest_variance, np.linalg.eigvalsh(c)[-1], rtol=1e-9)
    parts = make_field(domain, 0, lambda s: c[np.ix_(s.node, s.node)], n_shards=8)
    np.testing.assert_allclose(parts.largest_variance, 1.0, rtol=1e-12)


def test_what_follows_from_a_field_is_made_once_and_not_sent_to_workers(make_field) -> None:
    domain, radius, _ = CASES["table"]
    field = make_field(domain, radius, smooth, n_shards=2)
    made: list[ScoreField] = []

    def one(of: ScoreField) -> tuple[int, int]:
        made.append(of)
        return 1, len(made)

    def other(of: ScoreField) -> int:
        return 7

    first = field.derived(one)
    assert field.derived(one) is first
    assert field.derived(other) == 7
    assert field.derived(one) is first
    assert len(made) == 1
    assert made[0] is field
    y = torch.randn(8, N, generator=stream(0))
    expected = BoundField(field, np.zeros((8, N), np.float32)).denoise(y, 0.5)
    sent = field.__getstate__()
    assert not sent["_derived"]
    assert not sent["_denoisers"]
    assert not sent["_bundles"]
    assert field._bundles
    again = copy.copy(field)
    assert torch.equal(BoundField(again, np.zeros((8, N), np.float32)).denoise(y, 0.5), expected)
    assert again._derived == {}
    again.derived(one)
    assert len(made) == 2


def test_of_many_extents_few_are_kept(make_field) -> None:
    """A series of rows that ignore each other: one shard is plain, one has networks."""
    domain = Domain(network_graph(8), names(8), (Axis("t", (0, 0)),))
    field = make_field(domain, 1, smooth, n_shards=2, extent=(3,), strength=1.0)
    field = ScoreField(domain, (field.shards[0].linear, field.shards[1]))
    y = torch.randn(8, 1, generator=stream(0))
    values = [np.zeros((8, n, 1), np.float32) for n in range(1, 41)]
    expected = BoundField(field, values[0]).denoise(y, 0.5)
    for n, zeros in enumerate(values, 1):
        found = BoundField(field, zeros).denoise(y.repeat_interleave(n, 1), 0.5)
        torch.testing.assert_close(found, expected.repeat_interleave(n, 1), rtol=1e-5, atol=1e-6)
        assert (n,) in field._denoisers
        assert len(field._denoisers) <= 17
        assert len(field._bundles) <= 17
    assert len(field._denoisers) < 40


@pytest.mark.parametrize("few", [64, 3, 2])
def test_a_walk_meets_every_shard_and_keeps_few(make_field, monkeypatch, few: int) -> None:
    """Up to so many shards denoisers stay; of more only those that were there already."""
    monkeypatch.setattr("locality.local.field._FEW_SHARDS", few)
    domain, radius, _ = CASES["table"]
    field = make_field(domain, radius, smooth, n_shards=3, strength=1.0)
    kept = field._denoiser(1, ())
    for _ in range(2):
        met = list(field.walk(()))
        assert [shard for shard, _, _ in met] == list(field.shards)
        assert met[1][1] is kept[0]
        assert [denoiser.n_units for _, denoiser, _ in met] == [3, 3, 2]
        assert sorted(field._denoisers[()]) == ([1] if few == 2 else [0, 1, 2])
    again = [denoiser for _, denoiser, _ in field.walk(())]
    same = [one is two for (_, one, _), two in zip(met, again, strict=True)]
    assert same == ([False, True, False] if few == 2 else [True] * 3)


def test_rows_of_a_state_are_the_targets_shard_by_shard(make_field) -> None:
    domain, radius, _ = CASES["context"]
    field = make_field(domain, radius, smooth, n_shards=3)
    field = ScoreField(domain, field.shards[::-1])
    np.testing.assert_array_equal(field.nodes, [6, 7, 3, 5, 0, 1, 2])
    np.testing.assert_array_equal(field.row_of_node, [4, 5, 6, 2, -1, 3, 0, 1])


def test_shards_with_networks_past_or_context_stay_out_of_bundles(make_field) -> None:
    """And every shard is either in a bundle, of at most sixteen, or bound by itself."""
    d = 40
    chain = DependencyGraph.chain(d)
    plain = make_field(Domain(chain, names(d)), 1, smooth, n_shards=d)
    assert [len(bundle.shards) for bundle in plain.bundles(())] == [16, 16, 8]
    assert list(plain.unbundled(())) == []
    for name, n_bundled in (("context", 0), ("causal", 0), ("lattice", 0), ("table", 1)):
        domain, radius, extent = CASES[name]
        n_shards = len(domain.targets)
        field = make_field(domain, radius, smooth, n_shards=n_shards, strength=name == "table")
        if name == "table":
            field = ScoreField(domain, (field.shards[0], field.shards[1].linear, *field.shards[2:]))
        bundled = [shard for bundle in field.bundles(extent) for shard in bundle.shards]
        alone = [shard for shard, _, _ in field.unbundled(extent)]
        assert len(bundled) == n_bundled, name
        assert len(bundled) + len(alone) == n_shards
        assert not any(shard.source_given.any() or shard.source_offset.any() for shard in bundled)
