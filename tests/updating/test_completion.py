"""Completion: what is known stays, graphs are learned from complete tables, and it is told."""

from typing import Any

import numpy as np
import pytest

from locality._typing import FloatArray
from locality.domain import DependencyGraph, Domain
from locality.inference.updating import completion
from locality.inference.updating.completion import completed
from locality.training.trainer import Trainer, quiet


def _table(n_rows: int, d: int, share: float = 0.2) -> FloatArray:
    rng = np.random.default_rng(0)
    rows = np.cumsum(rng.normal(size=(n_rows, d)), axis=1)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return np.where(rng.random(rows.shape) < share, np.nan, rows)


def test_a_graph_is_learned_from_complete_tables_again_and_again() -> None:
    """From means, and from the draws of every round but the first, whose model has seen means, and
    the last, whose draws are those that are returned; known values stay, to the bit.
    """
    z = _table(80, 4)
    known, seen, told = ~np.isnan(z), [], []
    domains = [Domain(DependencyGraph.chain(4), tuple("abcd")) for _ in range(9)]

    def build(rows: FloatArray) -> Domain:
        seen.append(rows.copy())
        return domains[len(seen) - 1]

    domain, draws = completed(z, build, 3, 0, lambda *stage: told.append(stage))
    assert told == [("filling gaps", k, 6) for k in range(1, 7)]
    assert len(seen) == 5
    assert domain is domains[4]
    assert (seen[0][~known] == 0.0).all()
    for rows in (*seen, *draws):
        np.testing.assert_array_equal(rows[known], z[known])
        assert np.isfinite(rows).all()
    assert len({rows[~known].tobytes() for rows in (*seen, *draws)}) == 5 + 3


@pytest.mark.parametrize(("graph", "radius"), [("complete", 2), ("ring", 2), ("dense", 1)])
def test_models_in_between_look_less_far_where_neighborhoods_are_large(
    monkeypatch: pytest.MonkeyPatch, graph: str, radius: int
) -> None:
    """Two hops of up to four neighbors, one of more: what a round costs stays bounded."""
    links = {
        "complete": DependencyGraph.complete(5),
        "ring": DependencyGraph.ring(8),
        "dense": DependencyGraph.complete(6),
    }[graph]
    asked = []

    class Watched(Trainer):
        def __init__(self, domain: Domain, radius: Any) -> None:
            asked.append(radius)
            super().__init__(domain, radius)

    monkeypatch.setattr(completion, "Trainer", Watched)
    domain = Domain(links, tuple("abcdefgh"[: links.n_nodes]))
    completed(_table(60, links.n_nodes), lambda _: domain, 2, 0, quiet)
    assert asked == [radius] * 6
