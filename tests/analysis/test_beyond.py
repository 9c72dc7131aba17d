"""Surroundings, far ties, dependences, memory and context."""

import numpy as np
import pandas as pd
import pytest

from locality.analysis.check.beyond import far_dependence
from locality.analysis.check.context import Context
from locality.analysis.check.dependences import Dependences
from locality.analysis.check.memory import choose_lags, search_depth
from locality.analysis.check.surroundings import Surroundings
from locality.analysis.check.trials import contiguous_folds
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.data.table import Table
from locality.domain import DependencyGraph, Domain
from locality.exceptions import DataError, OptionError


def sees(graph: DependencyGraph, radius: int = 1) -> Surroundings:
    d = graph.n_nodes
    return Surroundings(Domain(graph, tuple(f"x{j}" for j in range(d))), np.full(d, radius))


def far(z: np.ndarray, around: Surroundings, lags: int = 0) -> np.ndarray:
    view = around.views(z, lags, np.arange(lags, len(z)))
    now = z[lags:]
    found = far_dependence(now, lambda j: view(j)[0], around.outside(), contiguous_folds(len(now)))
    return found.p_value


def test_outside_is_what_is_farther_than_the_reach() -> None:
    around = sees(DependencyGraph.chain(6), 2)
    i, j = np.indices((6, 6))
    assert np.array_equal(around.outside(), np.abs(i - j) > 2)


def test_a_column_of_a_chain_needs_its_neighbors() -> None:
    z = OrnsteinUhlenbeckChain(10, 0.7).sample(2000, 0)
    needed = sees(DependencyGraph.complete(10)).needed(z, 0)
    assert needed.tolist() == [1, *[2] * 8, 1]


def test_independent_columns_need_nobody() -> None:
    z = np.random.default_rng(0).standard_normal((2000, 8))
    assert not sees(DependencyGraph.complete(8)).needed(z, 0).any()


def test_a_hub_needs_many_and_each_of_them_only_the_hub() -> None:
    rng = np.random.default_rng(1)
    leaves = rng.standard_normal((4000, 10))
    z = np.column_stack([leaves.sum(axis=1) + 0.5 * rng.standard_normal(4000), leaves])
    star = DependencyGraph.from_edges([(0, j) for j in range(1, 11)], 11)
    needed = sees(star).needed(z, 0)
    assert needed[0] >= 9
    assert (needed[1:] == 1).all()


def test_the_past_of_a_neighbor_is_that_neighbor() -> None:
    rng = np.random.default_rng(2)
    z = rng.standard_normal((3000, 3))
    z[2:, 1] += z[:-2, 0] + z[1:-1, 0]
    assert sees(DependencyGraph.chain(3)).needed(z, 2).tolist()[1] == 1


def test_far_tests_are_calibrated() -> None:
    """At level 0.05 at most 6 of 30 chains may show a false far tie (binomial, 1 in 1,500)."""
    false = sum(
        far(OrnsteinUhlenbeckChain(12, 0.7).sample(300, seed), sees(DependencyGraph.chain(12)))
        .min() < 0.05
        for seed in range(30)
    )  # fmt: skip
    assert false <= 6


@pytest.mark.parametrize("squared", [False, True])
def test_far_ties_are_found(squared: bool) -> None:
    z = OrnsteinUhlenbeckChain(12, 0.7).sample(800, 0)
    z[:, 11] += 0.7 * (z[:, 2] ** 2 - 1 if squared else z[:, 2])
    p_value = far(z, sees(DependencyGraph.chain(12)))
    assert p_value[11] < 1e-4


def test_whoever_sees_everything_has_nothing_far() -> None:
    z = np.random.default_rng(3).standard_normal((200, 5))
    assert (far(z, sees(DependencyGraph.complete(5))) == 1.0).all()


def test_a_given_graph_is_compared_with_the_data() -> None:
    z = OrnsteinUhlenbeckChain(8, 0.7).sample(1500, 0)
    names = tuple("abcdefgh")
    given = DependencyGraph.from_edges([(0, 1), (1, 2), (0, 7)], 8)
    ties = Dependences.of(z, names, names, graph=given, level=0.001)
    sources = {(edge.a, edge.b): edge.source for edge in ties.edges}
    assert sources["a", "b"] == sources["b", "c"] == "both"
    assert sources["a", "h"] == "given"
    assert sources["d", "e"] == "data"
    assert ties.unsupported == (("a", "h"),)
    assert {pair[:2] for pair in ties.missed} >= {("c", "d"), ("g", "h")}
    steps = {pair[:2]: pair[2] for pair in ties.missed}
    assert steps["d", "e"] == np.inf  # no path in the graph given
    assert ties.graph("given").n_edges == 3
    assert ties.graph("merged").n_edges == 8
    assert {member for group in ties.groups() for member in group.members} == set(names)


def test_neighborhoods_keep_the_strongest_ties() -> None:
    rng = np.random.default_rng(4)
    z = rng.standard_normal((3000, 1)) + 0.4 * rng.standard_normal((3000, 30))
    z += 0.3 * rng.standard_normal((3000, 2)) @ rng.standard_normal((2, 30))
    ties = Dependences.of(z, tuple(f"x{j}" for j in range(30)), (), n_neighbors=3)
    assert ties.found.degrees.max() <= 6
    assert len(ties.edges) > ties.found.n_edges


def test_lags_follow_the_memory_of_the_rows() -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((1500, 6))
    assert choose_lags(x) == 0
    for t in range(3, 1500):
        x[t] += 0.8 * x[t - 3]
    assert choose_lags((x - x.mean(axis=0)) / x.std(axis=0)) == 3
    assert search_depth(10_000, 1_000, 2) == 5
    assert search_depth(10_000, 50, 0) == 0


def test_context_takes_out_what_it_explains() -> None:
    rng = np.random.default_rng(6)
    load, mode = rng.uniform(0, 3, 2000), rng.integers(0, 3, 2000)
    noise = rng.standard_normal((2000, 2))
    values = noise + np.column_stack([load**2 * (mode - 1), np.sin(3 * load)])
    table = Table.from_frame(pd.DataFrame({"load": load, "mode": mode}))
    context = Context.of(table, ["load", "mode"], [])
    assert context is not None
    left = context.removed(values)
    assert np.mean((left - noise) ** 2) < 0.05
    assert Context.of(table, [], []) is None


@pytest.mark.parametrize("numeric", [False, True])
def test_cycles_are_those_of_the_clock(numeric: bool) -> None:
    hours = np.arange(480)
    time = hours if numeric else pd.Timestamp("2024-03-01") + pd.to_timedelta(hours, "h")
    frame = pd.DataFrame({"t": time, "x": np.sin(2 * np.pi * hours / 24 + 1.0)})
    table = Table.from_frame(frame, time="t")
    context = Context.of(table, [], ["24" if numeric else "1d"])
    assert context is not None
    assert np.abs(context.removed(table.values)).max() < 0.05


def test_bad_context_is_refused() -> None:
    frame = pd.DataFrame({"t": pd.date_range("2024-01-01", periods=50, freq="h"), "x": 1.0})
    table = Table.from_frame(frame, time="t")
    with pytest.raises(OptionError, match="'soon'"):
        Context.of(table, [], ["soon"])
    with pytest.raises(OptionError, match="positive"):
        Context.of(table, [], ["-1d"])
    gappy = Table.from_frame(pd.DataFrame({"x": [1.0, np.nan]}))
    with pytest.raises(DataError, match="row 2"):
        Context.of(gappy, ["x"], [])
