"""The law of a row: weights, deviations and precision are those of the exact Gaussian."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_lyapunov
from scipy.sparse.csgraph import shortest_path

from locality.domain import Axis, DependencyGraph, Domain
from locality.exceptions import OptionError
from locality.inference.laws import conditional as conditional_module
from locality.inference.laws.conditional import ConditionalLaw

D = 7
NAMES = tuple("abcdefg")
EDGES = [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 6)]
GRAPH = DependencyGraph.from_edges(EDGES, D)
A = np.array([[0.6, 0.3, 0.0], [-0.2, 0.5, 0.2], [0.0, 0.1, 0.8]])
Q = np.array([[0.5, 0.2, 0.0], [0.2, 0.4, -0.1], [0.0, -0.1, 0.3]])
P = solve_discrete_lyapunov(A, Q)


def hops(context: tuple[int, ...] = ()) -> NDArray[np.float64]:
    """Between nodes, no path leading through context."""
    network = GRAPH.to_scipy().toarray()
    network[list(context)] = network[:, list(context)] = 0
    return shortest_path(network, directed=False, unweighted=True)


def series_laws(make_field, n_lags: int) -> tuple[ConditionalLaw, ...]:
    """x_t = A x_{t-1} + e, e ~ N(0, Q), seen through windows of n_lags rows."""
    domain = Domain(DependencyGraph.complete(3), tuple("abc"), (Axis("t", (n_lags, 0)),))

    def covariance(sources):
        offset, found = sources.offset[:, 0], np.empty((sources.n_sources,) * 2)
        for i, (j, s) in enumerate(zip(sources.node, offset, strict=True)):
            for k, (m, t) in enumerate(zip(sources.node, offset, strict=True)):
                power = np.linalg.matrix_power(A, abs(s - t))
                found[i, k] = (power @ P if s >= t else P @ power.T)[j, m]
        return found

    return ConditionalLaw.of(make_field(domain, n_lags + 1, covariance, n_shards=2))


@pytest.mark.parametrize("n_shards", [1, 3])
def test_at_full_radius_a_table_has_the_dense_precision(make_field, make_covariance, n_shards):
    c = make_covariance(D)
    precision, x = np.linalg.inv(c), np.random.default_rng(0).standard_normal((D, 5))
    field = make_field(Domain(GRAPH, NAMES), D, lambda s: c[np.ix_(s.node, s.node)], n_shards=3)
    (law,) = ConditionalLaw.of(field)
    diagonal = np.diag(precision)
    weights = np.eye(D) - precision / diagonal[:, None]
    np.testing.assert_allclose(law.weights[0].toarray(), weights, atol=1e-10)
    assert (law.weights[0].diagonal() == 0.0).all()
    np.testing.assert_allclose(law.scale**2, 1 / diagonal, rtol=1e-10)
    np.testing.assert_allclose(law.precision.toarray(), precision, atol=1e-9)
    np.testing.assert_allclose(law.residual_operator.toarray(), np.eye(D) - weights, atol=1e-10)
    np.testing.assert_allclose(law.expected(x), weights @ x, atol=1e-9)
    for j in range(D):  # by its definition: c_jO c_OO⁻¹ x_O
        rest = np.delete(np.arange(D), j)
        expected = c[j, rest] @ np.linalg.solve(c[np.ix_(rest, rest)], x[rest])
        np.testing.assert_allclose(law.expected(x)[j], expected, atol=1e-9)


def test_a_sparse_precision_needs_its_neighbors_only(make_field) -> None:
    """Radius 1 is exact if nothing else is a neighbor of the patch: a star of independent arms."""
    precision = np.eye(4) + 3 * np.diag([1.0, 0, 0, 0])
    precision[0, 1:] = precision[1:, 0] = [0.5, -0.7, 0.6]
    c = np.linalg.inv(precision)
    domain = Domain(DependencyGraph.from_edges([(0, 1), (0, 2), (0, 3)], 4), tuple("abcd"))
    (law,) = ConditionalLaw.of(make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)]))
    np.testing.assert_allclose(law.precision.toarray()[0], precision[0], atol=1e-10)
    assert law.weights[0].nnz == 6


@pytest.mark.parametrize(("radius", "context"), [(0, ()), (1, ()), (2, ()), (1, (4,)), (2, (4,))])
def test_weights_are_exactly_zero_outside_the_stencil(
    make_field, make_covariance, radius, context
) -> None:
    c = make_covariance(D)
    domain = Domain(GRAPH, NAMES, (), context)
    field = make_field(domain, radius, lambda s: c[np.ix_(s.node, s.node)], n_shards=4)
    (law,) = ConditionalLaw.of(field)
    weights = law.weights[0].toarray()
    inside = hops(context)[domain.targets] <= radius
    inside[:, list(context)] = weights[:, list(context)] != 0
    inside[np.arange(len(domain.targets)), domain.targets] = False
    np.testing.assert_array_equal(weights != 0, inside)
    assert (weights[:, list(context)] != 0).any(0).all()


def test_lagged_weights_are_exactly_zero_outside_the_stencil(make_field, make_covariance) -> None:
    big = make_covariance(3 * D)
    domain = Domain(GRAPH, NAMES, (Axis("t", (2, 0)),))

    def covariance(sources):
        at = sources.node + D * (sources.offset[:, 0] + 2)
        return big[np.ix_(at, at)]

    laws = ConditionalLaw.of(make_field(domain, 1, covariance, n_shards=3))
    stencils = domain.stencils(1)
    inside = np.zeros((3, D, D), dtype=bool)
    target = np.repeat(stencils.target, np.diff(stencils.indptr))
    inside[-stencils.offset[:, 0], target, stencils.node] = True
    inside[0, np.arange(D), np.arange(D)] = False
    assert inside[1].any()
    for n_past, law in enumerate(laws):
        for back in range(3):
            expected = inside[back] if back <= n_past else np.zeros_like(inside[back])
            np.testing.assert_array_equal(law.weights[back].toarray() != 0, expected)


@pytest.mark.parametrize("n_lags", [1, 2])
def test_rows_of_a_series_have_the_law_of_the_autoregression(make_field, n_lags) -> None:
    """Row t > 0 given its past: mean A x_{t-1}, covariance Q; the first row: mean 0, P."""
    laws = series_laws(make_field, n_lags)
    assert len(laws) == n_lags + 1
    x = np.random.default_rng(1).standard_normal((3, 12))
    for n_past, law in enumerate(laws):
        precision = np.linalg.inv(Q if n_past else P)
        np.testing.assert_allclose(law.precision.toarray(), precision, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(law.scale**-2, np.diag(precision), rtol=1e-5)
        own = np.eye(3) - precision / np.diag(precision)[:, None]
        mean = np.zeros_like(x)
        if n_past:
            mean[:, 1:] = A @ x[:, :-1]
        expected = mean + own @ (x - mean)
        np.testing.assert_allclose(
            law.expected(x)[:, n_past:], expected[:, n_past:], rtol=1e-4, atol=1e-4
        )


def test_the_past_adds_to_the_row_what_the_whole_expectation_has(make_field) -> None:
    laws = series_laws(make_field, 2)
    x = np.random.default_rng(2).standard_normal((3, 9))
    whole = laws[2].expected(x)
    for t in range(2, 9):
        apart = laws[2].from_past(x, t) + laws[2].weights[0] @ x[:, t]
        np.testing.assert_allclose(apart, whole[:, t], atol=1e-12)
    for t in range(2):  # the first rows have laws of their own, that know how much past there is
        apart = laws[t].from_past(x, t) + laws[t].weights[0] @ x[:, t]
        np.testing.assert_allclose(apart, laws[t].expected(x[:, : t + 1])[:, t], atol=1e-12)
    assert (laws[0].from_past(x, 0) == 0).all()


def test_context_is_a_condition(make_field, make_covariance) -> None:
    """Weights of context are −Q_jk/Q_jj too; the precision is that of the others, given it."""
    c = make_covariance(D)
    domain = Domain(DependencyGraph.complete(D), NAMES, (), context=(1, 4))
    field = make_field(domain, D, lambda s: c[np.ix_(s.node, s.node)], n_shards=2)
    (law,) = ConditionalLaw.of(field)
    x = list(domain.targets)
    precision = np.linalg.inv(c)
    np.testing.assert_array_equal(law.targets, [0, 2, 3, 5, 6])
    np.testing.assert_allclose(law.precision.toarray(), precision[np.ix_(x, x)], atol=1e-5)
    expected = -precision[x] / np.diag(precision)[x, None]
    expected[np.arange(5), x] = 0.0
    np.testing.assert_allclose(law.weights[0].toarray(), expected, atol=1e-5)


def test_precision_is_symmetric_where_neighborhoods_are_too_small(make_field, make_covariance):
    c = make_covariance(D)
    field = make_field(Domain(GRAPH, NAMES), 1, lambda s: c[np.ix_(s.node, s.node)])
    (law,) = ConditionalLaw.of(field)
    whole = np.diag(law.scale**-2) @ law.residual_operator.toarray()
    assert not np.allclose(whole, whole.T, atol=1e-3)
    np.testing.assert_allclose(law.precision.toarray(), 0.5 * (whole + whole.T), atol=1e-12)


def test_networks_are_no_part_of_the_law(make_field, make_covariance) -> None:
    c = make_covariance(D)
    plain, neural = (
        ConditionalLaw.of(
            make_field(Domain(GRAPH, NAMES), 2, lambda s: c[np.ix_(s.node, s.node)], strength=s)
        )[0]
        for s in (0.0, 0.5)
    )
    np.testing.assert_array_equal(plain.weights[0].toarray(), neural.weights[0].toarray())
    np.testing.assert_array_equal(plain.scale, neural.scale)


@pytest.mark.parametrize("axis", [Axis("place", extent=5), Axis("t", (1, 1))], ids=["place", "t"])
def test_rows_without_a_law_of_their_own_are_refused(make_field, axis) -> None:
    domain = Domain(DependencyGraph.empty(1), ("x",), (axis,))
    field = make_field(domain, 1, lambda s: np.eye(s.n_sources))
    with pytest.raises(OptionError, match=r"no law of their own.*series=\"causal\""):
        ConditionalLaw.of(field)


def generic_laws(make_field, make_covariance, context: tuple[int, ...] = ()):
    """Windows of two rows before, whose weights all matter."""
    big = make_covariance(3 * D, seed=2)
    domain = Domain(DependencyGraph.complete(D), NAMES, (Axis("t", (2, 0)),), context)

    def covariance(sources):
        at = sources.node + D * (sources.offset[:, 0] + 2)
        return big[np.ix_(at, at)]

    return big, ConditionalLaw.of(make_field(domain, 3, covariance, n_shards=2))


def test_every_row_before_adds_what_it_weighs(make_field, make_covariance) -> None:
    """At any row, of any law: no more rows than there are, and none that the law does not know."""
    _, laws = generic_laws(make_field, make_covariance)
    x = np.random.default_rng(3).standard_normal((D, 6))
    for law in laws:
        dense = [weights.toarray() for weights in law.weights]
        whole = law.expected(x)
        for t in range(6):
            past = sum((dense[lag] @ x[:, t - lag] for lag in (1, 2) if lag <= t), np.zeros(D))
            np.testing.assert_allclose(law.from_past(x, t), past, atol=1e-12)
            np.testing.assert_allclose(whole[:, t], dense[0] @ x[:, t] + past, atol=1e-12)
    assert all(np.abs(weights.toarray()).max() > 0.05 for weights in laws[2].weights)


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
@pytest.mark.parametrize("context", [(), (1, 4)])
def test_several_components_are_expected_jointly(
    make_field, make_covariance, monkeypatch, dense: bool, context: tuple[int, ...]
) -> None:
    """From the rest of the row, its past and context: c_mo c_oo⁻¹ x_o of three rows."""
    if not dense:
        monkeypatch.setattr(conditional_module, "_MOST_DENSE", D * D - 1 - len(context) * D)
    c, laws = generic_laws(make_field, make_covariance, context)
    law = laws[2]
    assert (law._dense is not None) == dense
    x = np.random.default_rng(4).standard_normal((D, 3))
    for which in ([0], [2, 3], [1, 4, 0], list(range(D - len(context)))):
        nodes = law.targets[which]
        row = x[:, 2].copy()
        row[nodes] = 0.0
        found = law.joint(row, law.from_past(x, 2), np.array(which))
        missing = nodes + 2 * D
        known = np.setdiff1d(np.arange(3 * D), missing)
        expected = c[np.ix_(missing, known)] @ np.linalg.solve(
            c[np.ix_(known, known)], x.T.ravel()[known]
        )
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_components_of_a_table_are_expected_jointly(
    make_field, make_covariance, monkeypatch, dense: bool
) -> None:
    monkeypatch.setattr(conditional_module, "_MOST_DENSE", D * D - (not dense))
    c = make_covariance(D)
    domain = Domain(DependencyGraph.complete(D), NAMES)
    (law,) = ConditionalLaw.of(make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)]))
    row = np.random.default_rng(5).standard_normal(D)
    row[[2, 5]] = 0.0
    known = [0, 1, 3, 4, 6]
    expected = c[np.ix_([2, 5], known)] @ np.linalg.solve(c[np.ix_(known, known)], row[known])
    nothing = law.from_past(row[:, None], 0)
    np.testing.assert_allclose(law.joint(row, nothing, np.array([2, 5])), expected, atol=1e-8)
