"""The sequential law: a joint law whatever the neighborhoods, exact where they reach far enough."""

from dataclasses import replace

import numpy as np
import pytest

from locality.domain import Axis, DependencyGraph, Domain
from locality.domain.partition import sweep
from locality.inference.laws.sequential import SequentialLaw
from locality.local.field import ScoreField

D = 6
NAMES = tuple("abcdef")


def field_of(make_field, c, domain: Domain, radius: int, shrinkage: float = 0.0) -> ScoreField:
    field = make_field(domain, radius, lambda s: c[np.ix_(s.node, s.node)], n_shards=2)
    shards = (
        replace(shard, shrinkage=np.linspace(0.9, shrinkage, 6) * np.ones_like(shard.shrinkage))
        for shard in field.shards
    )
    return ScoreField(domain, tuple(shards))


def implied(law: SequentialLaw) -> np.ndarray:
    """Covariance of a row given context: R⁻¹ diag(s)² R⁻ᵀ."""
    root = np.linalg.solve(law.within.toarray(), np.diag(law.scale))
    return root @ root.T


@pytest.mark.parametrize("shrinkage", [0.0, 0.25])
def test_at_full_radius_it_is_the_law_with_the_shrinkage_of_the_finest_band(
    make_field, make_covariance, shrinkage: float
) -> None:
    c = make_covariance(D)
    domain = Domain(DependencyGraph.complete(D), NAMES)
    (law,) = SequentialLaw.of(field_of(make_field, c, domain, 1, shrinkage))
    expected = (1 - shrinkage) * c + shrinkage * np.eye(D)
    np.testing.assert_allclose(implied(law), expected, atol=1e-7)
    assert law.past == ()


def test_weights_go_to_earlier_neighbors_alone_and_are_their_regression(
    make_field, make_covariance
) -> None:
    """Exactly zero elsewhere; scales are what those neighbors leave open."""
    c = make_covariance(D)
    graph = DependencyGraph.from_edges([(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 0)], D)
    (law,) = SequentialLaw.of(field_of(make_field, c, Domain(graph, NAMES), 1))
    rank = np.empty(D, dtype=int)
    rank[sweep(graph)] = np.arange(D)
    near = graph.to_scipy().toarray() != 0
    within = law.within.toarray()
    for j in range(D):
        before = np.flatnonzero(near[j] & (rank < rank[j]))
        row = np.eye(D)[j]
        row[before] = -np.linalg.solve(c[np.ix_(before, before)], c[before, j])
        np.testing.assert_array_equal(within[j] != 0, row != 0)
        np.testing.assert_allclose(within[j], row, atol=1e-7)
        left = c[j, j] + row[before] @ c[before, j]
        np.testing.assert_allclose(law.scale[j] ** 2, left, rtol=1e-6)


def test_context_is_seen_by_all_its_neighbors_whatever_the_order(
    make_field, make_covariance
) -> None:
    c = make_covariance(D)
    domain = Domain(DependencyGraph.complete(D), NAMES, (), (1, 4))
    (law,) = SequentialLaw.of(field_of(make_field, c, domain, 1))
    x, o = list(domain.targets), [1, 4]
    gain = np.linalg.solve(c[np.ix_(o, o)], c[np.ix_(o, x)]).T
    np.testing.assert_allclose(implied(law), c[np.ix_(x, x)] - gain @ c[np.ix_(o, x)], atol=1e-6)
    found = np.linalg.solve(law.within.toarray(), law.context[0].toarray())
    np.testing.assert_allclose(found, gain, atol=1e-6)


def test_rows_before_are_all_earlier_and_there_are_as_many_laws(
    make_field, make_covariance
) -> None:
    """Of windows of three rows: x_t given the rows before it that there are, exactly."""
    big = make_covariance(9)
    domain = Domain(DependencyGraph.complete(3), tuple("abc"), (Axis("t", (2, 0)),))

    def covariance(sources):
        at = sources.node + 3 * (sources.offset[:, 0] + 2)
        return big[np.ix_(at, at)]

    laws = SequentialLaw.of(make_field(domain, 3, covariance, n_shards=2))
    assert len(laws) == 3
    for n_past, law in enumerate(laws):
        o, now = np.arange(6 - 3 * n_past, 6), np.arange(6, 9)
        gain = np.linalg.solve(big[np.ix_(o, o)], big[np.ix_(o, now)]).T
        left = big[np.ix_(now, now)] - gain @ big[np.ix_(o, now)]
        np.testing.assert_allclose(implied(law), left, atol=1e-6)
        assert (len(law.past), len(law.context)) == (n_past, n_past + 1)
        for lag, weights in enumerate(law.past, 1):
            found = np.linalg.solve(law.within.toarray(), weights.toarray())
            at = 3 * (n_past - lag)
            np.testing.assert_allclose(found, gain[:, at : at + 3], atol=1e-6)


def test_copies_leave_a_little_open(make_field) -> None:
    """A component that is another one: weights are finite, its scale is the floor of 3e-5."""
    c = np.ones((3, 3))
    c[2, :2] = c[:2, 2] = 0.5
    domain = Domain(DependencyGraph.complete(3), tuple("abc"))
    (law,) = SequentialLaw.of(make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)]))
    np.testing.assert_allclose(law.scale.min(), 1e-9**0.5, rtol=0.5)
    assert law.scale.min() >= 1e-9**0.5
    np.testing.assert_allclose(implied(law), c, atol=1e-6)


def test_it_is_made_once(make_field, make_covariance) -> None:
    c = make_covariance(D)
    field = field_of(make_field, c, Domain(DependencyGraph.complete(D), NAMES), 1)
    assert SequentialLaw.of(field) is SequentialLaw.of(field)
