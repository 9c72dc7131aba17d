"""Links: the weaker of two tests counts, the strongest link of a pair, and whose edges stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locality.domain.links import Links, first_of_runs, limit_degrees


@st.composite
def weighted_graphs(draw):
    """Ends and distinct strengths of the edges of a small graph, and a bound."""
    n = draw(st.integers(2, 9))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    edges = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=20, unique=True))
    strength = draw(st.permutations(range(1, len(edges) + 1)))
    i, j = np.array(sorted(edges)).T
    return n, i, j, np.array(strength, dtype=float), draw(st.integers(1, 3))


def ranks(i, j, strength):
    """Of each edge the better of its ranks among the edges at either end."""
    return np.array(
        [
            min(np.sum(strength[(i == end) | (j == end)] > s) for end in ends)
            for *ends, s in zip(i, j, strength, strict=True)
        ]
    )


@given(weighted_graphs())
def test_an_edge_stays_if_an_end_wants_it_and_both_have_room(graph):
    n, i, j, strength, bound = graph
    stays = limit_degrees(i, j, strength, n, bound)
    rank = ranks(i, j, strength)
    assert (rank[stays] < bound).all()
    degree = np.bincount(np.concatenate([i[stays], j[stays]]), minlength=n)
    assert degree.max() <= 2 * bound
    first = rank == 0  # an edge that is the strongest of one of its ends goes before the others
    for edge in np.flatnonzero((rank < bound) & ~stays):
        before = stays & np.where(first[edge], first & (strength > strength[edge]), True)
        before &= first | (strength > strength[edge])
        crowd = [np.sum(before & ((i == end) | (j == end))) for end in (i[edge], j[edge])]
        assert max(crowd) == 2 * bound


def test_the_strongest_edges_of_a_hub_stay():
    """All ten leaves want the hub, which takes its two strongest, or four."""
    leaves = np.arange(1, 11)
    strength = np.array([3, 9, 1, 7, 5, 8, 2, 10, 4, 6]) / 10
    for bound in (1, 2, 4, 5):
        stays = limit_degrees(np.zeros(10, dtype=int), leaves, strength, 11, bound)
        assert sorted(strength[stays]) == sorted(strength)[-2 * bound :]


def test_what_nobody_bounds_stays():
    i, j = np.triu_indices(6, 1)
    assert limit_degrees(i, j, np.arange(15.0), 6, 5).all()
    assert limit_degrees(i[:0], j[:0], np.arange(0.0), 6, 1).shape == (0,)


def links(rows):
    """Columns i, j, lag, order_i, order_j, correlation, z."""
    columns = list(zip(*rows, strict=True))
    whole = [np.array(column, dtype=np.int64) for column in columns[:5]]
    return Links(*whole, *(np.array(column, dtype=float) for column in columns[5:]))


def rows_of(found):
    names = ("i", "j", "lag", "order_i", "order_j", "correlation", "z")
    return list(zip(*(getattr(found, name).tolist() for name in names), strict=True))


def test_a_link_tested_from_both_ends_counts_with_its_weaker_test():
    found = links(
        [
            (1, 2, 1, 1, 1, 0.5, -3.0),
            (0, 1, 0, 1, 1, 0.6, 9.0),
            (1, 2, 1, 1, 1, -0.4, 2.0),
            (1, 2, -1, 1, 1, 0.3, 5.0),
            (1, 2, 1, 2, 1, 0.2, 4.0),
            (1, 2, 1, 1, 2, 0.1, 6.0),
            (0, 1, 0, 1, 1, 0.7, -8.0),
        ]
    ).weakest()
    assert rows_of(found) == [
        (0, 1, 0, 1, 1, 0.7, -8.0),
        (1, 2, -1, 1, 1, 0.3, 5.0),
        (1, 2, 1, 1, 1, -0.4, 2.0),
        (1, 2, 1, 1, 2, 0.1, 6.0),
        (1, 2, 1, 2, 1, 0.2, 4.0),
    ]


def test_links_are_tempered_by_others_of_the_same_name_alone():
    mine = links([(0, 1, 0, 1, 1, 0.5, 5.0), (0, 2, 0, 1, 1, 0.4, 4.0), (0, 2, 1, 1, 1, 0.3, 3.0)])
    other = links(
        [
            (0, 1, 0, 1, 1, 0.1, 1.0),  # weaker: counts
            (0, 2, 0, 1, 1, 0.9, 9.0),  # stronger: does not
            (0, 2, 1, 2, 1, 0.1, 1.0),  # of another feature
            (1, 2, 0, 1, 1, 0.8, 8.0),  # of a pair of its own
        ]
    )
    assert rows_of(mine.tempered(other)) == [
        (0, 1, 0, 1, 1, 0.1, 1.0),
        (0, 2, 0, 1, 1, 0.4, 4.0),
        (0, 2, 1, 1, 1, 0.3, 3.0),
    ]
    nothing = Links.join([])
    assert len(nothing.tempered(other)) == 0
    assert rows_of(mine.tempered(nothing)) == rows_of(mine)


def test_a_pair_is_told_by_its_strongest_link():
    found = links(
        [
            (1, 2, 3, 1, 1, -0.8, 1.0),
            (0, 2, 0, 1, 1, 0.2, 9.0),
            (1, 2, -1, 1, 1, 0.7, 9.0),
            (1, 2, 2, 2, 1, 0.8, 9.0),  # of equals the smallest lag
        ]
    ).strongest()
    assert rows_of(found) == [(0, 2, 0, 1, 1, 0.2, 9.0), (1, 2, 2, 2, 1, 0.8, 9.0)]


def test_directions_are_told_by_the_sign_of_the_lag():
    """A source two rows ago leads its target, whichever of them has the smaller number."""
    target, source = np.array([0, 1]), np.array([1, 0])
    found = Links.directed(
        target, source, np.array([2, 2]), np.array([0.1, 0.2]), np.array([1.0, 2.0]),
        np.array([5, 6]), np.array([7, 8]),
    )  # fmt: skip
    assert rows_of(found) == [(0, 1, -2, 5, 7, 0.1, 1.0), (0, 1, 2, 8, 6, 0.2, 2.0)]
    plain = Links.directed(target, source, np.array([2, 2]), np.zeros(2), np.zeros(2))
    assert plain.order_i.tolist() == plain.order_j.tolist() == [1, 1]
    renamed = found.renumber(np.array([4, 9]))
    assert (renamed.i == 4).all()
    assert (renamed.j == 9).all()
    assert rows_of(renamed.renumber(np.arange(10)))[0][2:] == rows_of(found)[0][2:]


def test_p_values_are_two_sided_and_their_logarithms_do_not_underflow():
    found = links([(0, 1, 0, 1, 1, 0.1, z) for z in (0.0, 1.959964, -1.959964, 60.0)])
    np.testing.assert_allclose(found.p_value[:3], [1.0, 0.05, 0.05], rtol=1e-6)
    np.testing.assert_allclose(found.log_p_value[:3], np.log(found.p_value[:3]), atol=1e-12)
    # 2 Φ(−z) ≈ 2 φ(z)/z (1 − 1/z²)
    tail = -1800.0 - np.log(60.0) - 0.5 * np.log(2 * np.pi) + np.log(2) - 1 / 3600
    assert found.log_p_value[3] == pytest.approx(tail, abs=1e-5)


def test_runs_begin_where_any_key_changes():
    assert first_of_runs(np.array([0, 0, 1, 1, 1]), np.array([3, 3, 3, 4, 4])).tolist() == [
        True, False, True, True, False,
    ]  # fmt: skip
