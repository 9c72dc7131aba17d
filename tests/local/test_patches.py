"""Patches: gathered values against a slow walk; what is padded or outside is never read."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from locality.domain import Axis, DependencyGraph, Domain
from locality.local.gaussian import present_slots
from locality.local.moments import SecondMoments
from locality.local.patches import Patches, Sources, unfold

DOMAINS: dict[str, tuple[Domain, tuple[int, ...]]] = {
    "table": (Domain(DependencyGraph.chain(5), tuple("abcde")), ()),
    "causal": (Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("t", (2, 0)),)), (7,)),
    "joint": (Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("t", (2, 2)),)), (7,)),
    "short": (Domain(DependencyGraph.chain(2), tuple("ab"), (Axis("t", (3, 3)),)), (2,)),
    "context": (Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("t", (1, 0)),), (1,)), (5,)),
    "lattice": (Domain(DependencyGraph.empty(1), ("x",), (Axis("s"),)), (6,)),
    "ring": (
        Domain(DependencyGraph.empty(1), ("x",), (Axis("s", extent=6, periodic=True),)),
        (6,),
    ),
    "field": (
        Domain(
            DependencyGraph.chain(2),
            ("u", "v"),
            (Axis("east", extent=4, periodic=True), Axis("north")),
        ),
        (4, 5),
    ),
}
N_SAMPLES = 3


def values_of(name: str, seed: int = 0) -> NDArray[np.float64]:
    domain, extent = DOMAINS[name]
    return np.random.default_rng(seed).standard_normal((domain.n_nodes, *extent, N_SAMPLES))


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("radius", [0, 2])
def test_unfold_agrees_with_a_slow_walk(name: str, radius: int) -> None:
    domain, extent = DOMAINS[name]
    values = values_of(name)
    sources = Sources.of(domain.stencils(radius))
    z = unfold(values, sources, domain)
    class_of_position, inside = sources.inside(domain, extent)
    assert z.shape == (sources.n_sources + 1, int(np.prod(extent)) * N_SAMPLES)
    assert (z[-1] == 0).all()
    positions = list(product(*(range(e) for e in extent)))
    for k in range(sources.n_sources):
        for number, position in enumerate(positions):
            place = np.array(position, dtype=int) + sources.offset[k].astype(int)
            for a, axis in enumerate(domain.axes):
                if axis.periodic:
                    place[a] %= extent[a]
            fits = all(0 <= p < e for p, e in zip(place, extent, strict=True))
            assert inside[class_of_position[number], k] == fits
            found = z[k, number * N_SAMPLES : (number + 1) * N_SAMPLES]
            expected = values[(sources.node[k], *place)] if fits else np.zeros(N_SAMPLES)
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", DOMAINS)
def test_unfold_never_reads_beyond_its_nodes(name: str) -> None:
    """Nodes of no stencil hold NaN, and so does all memory around the array."""
    domain, _ = DOMAINS[name]
    values = values_of(name)
    around = np.full([size + 4 for size in values.shape], np.nan)
    middle = tuple(slice(2, -2) for _ in values.shape)
    around[middle] = values
    stencils = domain.stencils(1).select(domain.targets[:1])
    sources = Sources.of(stencils)
    poisoned = around[middle]
    poisoned[np.setdiff1d(np.arange(domain.n_nodes), sources.node)] = np.nan
    expected = unfold(values, sources, domain)
    np.testing.assert_array_equal(unfold(poisoned, sources, domain), expected)


@pytest.mark.parametrize("name", DOMAINS)
def test_slots_point_at_their_sources_and_padding_at_the_zero_row(name: str) -> None:
    domain, _ = DOMAINS[name]
    stencils = domain.stencils(2)
    sources = Sources.of(stencils)
    patches = Patches.of(stencils, sources)
    assert len(set(zip(sources.node.tolist(), map(tuple, sources.offset.tolist()), strict=True)))
    for unit, target in enumerate(stencils.target):
        node, offset, role = stencils.slots(int(target))
        slots = patches.slots[unit]
        real = slots[slots < sources.n_sources]
        np.testing.assert_array_equal(sources.node[real], node)
        np.testing.assert_array_equal(sources.offset[real], offset)
        np.testing.assert_array_equal(sources.given[real], role == 1)
        assert sources.node[patches.center[unit]] == target
        assert not sources.offset[patches.center[unit]].any()
        assert len(set(real.tolist())) == len(real)  # nothing is repeated to fill up


@pytest.mark.parametrize("name", ["table", "causal", "lattice", "field"])
def test_moments_are_means_over_the_examples_of_a_fold(name: str) -> None:
    """Examples of no fold hold NaN; the covariance of a patch is that of its own rows of z."""
    domain, extent = DOMAINS[name]
    stencils = domain.stencils(1)
    sources = Sources.of(stencils)
    patches = Patches.of(stencils, sources)
    z = unfold(values_of(name), sources, domain)
    classes, _ = sources.inside(domain, extent)
    interior = np.repeat(classes, N_SAMPLES) == 0
    fold = np.where(interior, np.arange(z.shape[1]) % 3, -1)
    z[:-1, ~interior] = np.nan
    moments = SecondMoments.of(z, fold, 3)
    assert moments.counts.sum() == interior.sum()
    for folds in ([0, 1, 2], [1], [0, 2]):
        rows = z[:, np.isin(fold, folds)]
        found = moments.covariance(patches, folds)
        for unit, slots in enumerate(patches.slots):
            expected = rows[slots] @ rows[slots].T / rows.shape[1]
            np.testing.assert_allclose(found[unit], expected, atol=1e-12)


def test_present_slots_are_those_inside() -> None:
    domain, extent = DOMAINS["lattice"]
    stencils = domain.stencils(2)
    sources = Sources.of(stencils)
    _, inside = sources.inside(domain, extent)
    patches = Patches.of(stencils, sources)
    padding = np.full((1, 4), sources.n_sources)
    wider = Patches(np.hstack([patches.noisy, padding]), patches.given, sources.n_sources)
    present = present_slots(wider, inside)[0]
    np.testing.assert_array_equal(present[:, :5], inside[:, patches.slots[0]])
    assert not present[:, 5:].any()


def test_moments_do_not_depend_on_how_many_examples_are_taken_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)
    fold = np.arange(50) % 3 - 1
    whole = SecondMoments.of(z, fold, 2)
    monkeypatch.setattr("locality.local.moments._CHUNK", 7)
    parts = SecondMoments.of(z, fold, 2)
    np.testing.assert_allclose(parts.sums, whole.sums, rtol=1e-12)
    np.testing.assert_array_equal(parts.counts, [17, 16])
    assert parts.n_folds == 2
    rows = z[:, fold >= 0].astype(np.float64)
    np.testing.assert_allclose(parts.matrix(), rows @ rows.T / 33, rtol=1e-12)
    np.testing.assert_array_equal(parts.matrix(), parts.matrix([0, 1]))


def test_no_examples_have_no_moments() -> None:
    """Zero, not a division by zero; and a single example is its own product."""
    z = np.ones((3, 4))
    nothing = SecondMoments.of(z, np.full(4, -1), 2)
    assert (nothing.matrix() == 0).all()
    assert (nothing.counts == 0).all()
    single = SecondMoments.of(2 * z, np.array([-1, 1, -1, -1]), 2)
    np.testing.assert_array_equal(single.matrix([1]), np.full((3, 3), 4.0))


def test_units_taken_out_lose_the_columns_that_none_of_them_needs() -> None:
    domain, _ = DOMAINS["context"]
    patches = Patches.of(domain.stencils(2), Sources.of(domain.stencils(2)))
    noisy, given = patches.n_present
    for units in ([0], [1], [1, 0]):
        part = patches.take(np.array(units))
        assert part.noisy.shape == (len(units), noisy[units].max())
        assert part.given.shape == (len(units), given[units].max())
        np.testing.assert_array_equal(part.center, patches.center[units])
        for mine, theirs in enumerate(units):
            for one, two in ((part.noisy, patches.noisy), (part.given, patches.given)):
                real = two[theirs][two[theirs] < patches.n_sources]
                np.testing.assert_array_equal(one[mine, : len(real)], real)
                assert (one[mine, len(real) :] == patches.n_sources).all()
    few = patches.within(noisy, np.array([0, 1]))
    assert few.given.shape == (2, 1)
    np.testing.assert_array_equal(few.n_present[0], noisy)
    np.testing.assert_array_equal(few.n_present[1], [0, 1])
    assert patches.within(noisy, np.array([0, 0])).given.shape == (2, 0)
