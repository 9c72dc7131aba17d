"""Discovery: true graphs of Gaussian laws are found, and noise has none.

Seeds are fixed. ``level`` 0.01 bounds the chance of any edge among independent columns, so of 40
independent tables the number with an edge is Binomial(40, ≤ 0.01); more than 3 has probability
below 0.001.
"""

import numpy as np
import pytest

from locality.domain import DependencyGraph, partial_correlation
from locality.domain.discovery import learn_linear_graph
from locality.domain.partial_correlation import pair_tests
from locality.exceptions import DataError, OptionError


def draw(graph, coupling, n_rows, rng):
    """Rows of a Gaussian with precision I - coupling * adjacency."""
    precision = np.eye(graph.n_nodes) - coupling * graph.to_scipy().toarray()
    factor = np.linalg.cholesky(precision)
    return np.linalg.solve(factor.T, rng.standard_normal((graph.n_nodes, n_rows))).T


def edge_set(graph):
    i, j, _ = graph.edges()
    return set(zip(i.tolist(), j.tolist(), strict=True))


def f1(found, truth):
    a, b = edge_set(found), edge_set(truth)
    return 2 * len(a & b) / (len(a) + len(b))


def autoregression(n_rows, n_columns, own, lag, coupling, rng):
    """Each column follows itself and, ``lag`` rows later, the column before it."""
    noise = rng.standard_normal((n_rows + 200, n_columns))
    x = np.zeros_like(noise)
    for t in range(lag, len(x)):
        x[t] = own * x[t - 1] + noise[t]
        x[t, 1:] += coupling * x[t - lag, :-1]
    return x[200:]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("truth", "coupling"),
    [
        (DependencyGraph.chain(100), 0.25),  # the partial correlation of every edge
        (DependencyGraph.chain(100), 0.45),
        (DependencyGraph.grid((10, 10)), 0.25),
        (DependencyGraph.ring(100), 0.3),
    ],
)
def test_gaussian_truths_are_found(truth, coupling, seed):
    learned = learn_linear_graph(draw(truth, coupling, 1000, np.random.default_rng(seed)))
    assert f1(learned.graph, truth) >= 0.95


@pytest.mark.parametrize("lags", [0, 1])
@pytest.mark.parametrize("n_columns", [20, 80])
def test_independent_columns_have_no_edges(n_columns, lags):
    rng = np.random.default_rng(5)
    tables = (rng.standard_normal((300, n_columns)) for _ in range(40))
    with_edges = sum(learn_linear_graph(x, lags).graph.n_edges > 0 for x in tables)
    assert with_edges <= 3


@pytest.mark.parametrize("lags", [0, 1, 2])
def test_independent_autocorrelated_columns_have_no_edges(lags):
    rng = np.random.default_rng(6)
    tables = (autoregression(1000, 30, 0.9, 1, 0.0, rng) for _ in range(20))
    with_edges = sum(learn_linear_graph(x, lags).graph.n_edges > 0 for x in tables)
    assert with_edges <= 2  # Binomial(20, 0.01): more has probability 0.001


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_lagged_edges_are_found_at_their_lag(lag):
    x = autoregression(1000, 20, 0.5, lag, 0.4, np.random.default_rng(lag))
    learned = learn_linear_graph(x, lags=3)
    assert f1(learned.graph, DependencyGraph.chain(20)) >= 0.95
    true = np.array([edge in edge_set(DependencyGraph.chain(20)) for edge in _edges(learned)])
    assert (learned.lag[true] == lag).all()
    backward = learn_linear_graph(x[:, ::-1], lags=3)
    assert (backward.lag == -lag).sum() >= 18


def _edges(learned):
    i, j, _ = learned.graph.edges()
    return list(zip(i.tolist(), j.tolist(), strict=True))


@pytest.mark.parametrize("n_columns", [150, 400])
def test_more_columns_than_rows(n_columns):
    truth = DependencyGraph.chain(n_columns)
    learned = learn_linear_graph(draw(truth, 0.45, 120, np.random.default_rng(2)))
    assert len(edge_set(learned.graph) - edge_set(truth)) <= 0.02 * n_columns
    assert f1(learned.graph, truth) >= 0.8


def common_factor(n_columns, n_rows, seed):
    """Columns all correlated with each other, so that screening has nothing to leave out."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_rows, 1)) + 0.7 * rng.standard_normal((n_rows, n_columns))
    return np.ascontiguousarray(((x - x.mean(axis=0)) / x.std(axis=0)).T)


def test_screened_and_full_conditioning_agree(monkeypatch):
    values = common_factor(12, 64, seed=3)
    screened = pair_tests(values, 0, 60)
    monkeypatch.setattr(partial_correlation, "_ROWS_PER_VARIABLE", 1)
    full = pair_tests(values, 0, 60)
    order = np.lexsort((screened.source, screened.target))
    for field in ("target", "source", "lag"):
        assert (getattr(screened, field)[order] == getattr(full, field)).all()
    np.testing.assert_allclose(screened.correlation[order], full.correlation, atol=1e-10)
    np.testing.assert_allclose(screened.p_value[order], full.p_value, rtol=1e-8)


def test_lagged_partial_correlations_equal_those_of_regression_residuals():
    x = autoregression(400, 3, 0.6, 1, 0.4, np.random.default_rng(12))
    values = np.ascontiguousarray(((x - x.mean(axis=0)) / x.std(axis=0)).T)
    tests = pair_tests(values, 2, 60)
    window = np.column_stack([x[2:], x[1:-1], x[:-2]])  # variable = lag * 3 + column
    window -= window.mean(axis=0)
    assert len(tests.target) == 3 * 2 * 3
    for target, source, lag, r in zip(
        tests.target, tests.source, tests.lag, tests.correlation, strict=True
    ):
        pair = [target, 3 * lag + source]
        rest = np.delete(window, pair, axis=1)
        fit, *_ = np.linalg.lstsq(rest, window[:, pair], rcond=None)
        residual = window[:, pair] - rest @ fit
        assert abs(np.corrcoef(residual.T)[0, 1] - r) < 1e-4


def test_near_copies_do_not_hide_edges():
    rng = np.random.default_rng(4)
    x = draw(DependencyGraph.chain(30), 0.45, 1000, rng)
    x = np.column_stack([x, x[:, 5], x[:, 20] + 1e-3 * rng.standard_normal(1000)])
    learned = learn_linear_graph(x).graph
    assert edge_set(learned) >= {(5, 30), (20, 31)}
    for node, copy in ((5, 30), (20, 31)):  # one of the two keeps both chain neighbors
        near = set(learned.neighbors(node).tolist()) | set(learned.neighbors(copy).tolist())
        assert {node - 1, node + 1} <= near


def test_constant_columns_are_isolated():
    x = draw(DependencyGraph.chain(4), 0.45, 500, np.random.default_rng(0))
    x = np.column_stack([np.full(500, 3.7), x, np.zeros(500)])
    learned = learn_linear_graph(x).graph
    assert edge_set(learned) == {(1, 2), (2, 3), (3, 4)}
    assert learn_linear_graph(np.ones((20, 3))).graph == DependencyGraph.empty(3)


@pytest.mark.parametrize("n_rows", [250, 1500])
def test_permuting_columns_permutes_the_graph(n_rows):
    x = draw(DependencyGraph.grid((6, 6)), 0.24, n_rows, np.random.default_rng(7))
    order = np.random.default_rng(8).permutation(36)
    plain, permuted = learn_linear_graph(x).graph, learn_linear_graph(x[:, order]).graph
    i, j, weight = plain.permute(order).edges()
    a, b, other = permuted.edges()
    assert (i == a).all()
    assert (j == b).all()
    np.testing.assert_allclose(weight, other, rtol=1e-8)


def test_units_do_not_matter():
    x = draw(DependencyGraph.chain(10), 0.45, 400, np.random.default_rng(9))
    scaled = x * np.logspace(-6, 6, 10) + 100
    assert _edges(learn_linear_graph(x)) == _edges(learn_linear_graph(scaled))


def test_degrees_are_bounded_and_strong_edges_stay():
    # a hub drives 40 columns: each keeps its link to the hub only while the hub has room
    rng = np.random.default_rng(10)
    hub = rng.standard_normal((2000, 1))
    x = np.column_stack([hub, 0.3 * hub + rng.standard_normal((2000, 40))])
    learned = learn_linear_graph(x, n_neighbors=3)
    assert learned.graph.degrees[0] == 6
    assert learned.graph.degrees.max() <= 6
    chain = draw(DependencyGraph.chain(20), 0.45, 1000, rng)
    strongest = learn_linear_graph(chain, n_neighbors=1)
    assert strongest.graph.degrees.min() >= 1
    assert strongest.graph.degrees.max() <= 2


def test_evidence_lies_beside_its_edge():
    x = draw(DependencyGraph.chain(3), -0.4, 5000, np.random.default_rng(11))
    learned = learn_linear_graph(x)
    assert _edges(learned) == [(0, 1), (1, 2)]
    np.testing.assert_allclose(learned.partial_correlation, -0.4, atol=0.05)
    assert (learned.weight == learned.graph.edges()[2]).all()
    assert (learned.p_value < 1e-10).all()
    assert learned.lag.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("values", "options", "kind", "message"),
    [
        (np.ones(5), {}, DataError, r"found shape \(5,\)"),
        (np.ones((9, 0)), {}, DataError, "found shape"),
        (np.ones((9, 2)), {"lags": 3}, DataError, "9 rows with 3 lags"),
        (np.where(np.eye(9) > 0, np.nan, 1), {}, DataError, "first in row 0, column 0"),
        (np.ones((9, 2)), {"lags": -1}, OptionError, "lags must be at least 0"),
        (np.ones((9, 2)), {"n_neighbors": 0}, OptionError, "n_neighbors must be at least 1"),
        (np.ones((9, 2)), {"screen": 0}, OptionError, "screen must be at least 1"),
        (np.ones((9, 2)), {"level": 1.0}, OptionError, "between 0 and 1"),
    ],
)
def test_discovery_errors(values, options, kind, message):
    with pytest.raises(kind, match=message):
        learn_linear_graph(values, **options)
