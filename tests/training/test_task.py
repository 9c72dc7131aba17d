"""Tasks and examples: what moments are made of, and what the digest of a task tells apart."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from locality.domain import Axis, DependencyGraph, Domain
from locality.training.options import TrainingOptions
from locality.training.shard import fit_shard
from locality.training.task import ShardExamples, ShardTask
from locality.training.trainer import Trainer

N_FOLDS = 5
CHAIN = Domain(DependencyGraph.chain(4), tuple("abcd"))


def values_of(domain: Domain, *shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(0).standard_normal((domain.n_nodes, *shape))


LATTICES = {
    "row": (Domain(DependencyGraph.empty(1), ("x",), (Axis("s", extent=6),)), (6,)),
    "series": (Domain(DependencyGraph.chain(3), tuple("abc"), (Axis("t", (2, 0)),)), (9,)),
    "both sides": (Domain(DependencyGraph.chain(2), tuple("ab"), (Axis("t", (1, 1)),)), (7,)),
}


@pytest.mark.parametrize("name", LATTICES)
def test_moments_are_those_of_positions_where_everything_is_seen(name: str) -> None:
    """Product by product from the values themselves, fold by fold; the rim has no part in it."""
    domain, extent = LATTICES[name]
    values = values_of(domain, *extent, 20)
    (task,) = Trainer(domain, 1).tasks(values)
    examples = ShardExamples.of(task)
    sources, moments = examples.sources, examples.moments
    offset = np.asarray(sources.offset)[:, 0]
    inside = [
        p for p in range(extent[0]) if (p + offset >= 0).all() and (p + offset < extent[0]).all()
    ]
    assert 0 < len(inside) < extent[0]
    for fold in range(task.n_folds):
        if domain.axes[0].is_series:
            where = [p for p in inside if task.fold_of_row[p] == fold]
            samples = np.ones(20, dtype=bool)
        else:
            where, samples = inside, task.fold_of_row == fold
        seen = np.array([values[sources.node, p + offset][:, samples] for p in where])
        expected = np.einsum("pin,pjn->ij", seen, seen) if len(where) else 0.0
        np.testing.assert_allclose(np.asarray(moments.sums)[fold, :-1, :-1], expected, atol=1e-9)
        assert float(moments.counts[fold]) == len(where) * samples.sum()
    everything = np.array([values[sources.node, p + offset] for p in inside])
    mean = np.einsum("pin,pjn->ij", everything, everything) / (len(inside) * 20)
    np.testing.assert_allclose(np.asarray(moments.matrix())[:-1, :-1], mean, atol=1e-12)
    assert not np.asarray(moments.sums)[:, -1].any()


def _task(**changes: object) -> ShardTask:
    options = TrainingOptions(n_steps=20, batch_size=16, width=8)
    (task,) = Trainer(CHAIN, 1, options).tasks(values_of(CHAIN, 40))
    return replace(task, **changes)  # type: ignore[arg-type]


def _gap(values: NDArray[np.float64], row: int) -> NDArray[np.bool_]:
    seen = np.ones(values.shape, dtype=bool)
    seen[1, row] = False
    return seen


def _nudged(array: NDArray[np.float64]) -> NDArray[np.float64]:
    other = array.copy()
    other.flat[3] = np.nextafter(other.flat[3], np.inf)
    return other


def _warm(amount: float) -> Callable[[ShardTask], ShardTask]:
    def changed(task: ShardTask) -> ShardTask:
        shard = fit_shard(replace(task, options=None))
        return replace(task, warm=(replace(shard, held_out=shard.held_out + amount),))

    return changed


CHANGES: dict[str, Callable[[ShardTask], ShardTask]] = {
    "seed": lambda t: replace(t, key=(t.key[0] + 1, *t.key[1:])),
    "number": lambda t: replace(t, key=(*t.key[:-1], t.key[-1] + 1)),
    "values": lambda t: replace(t, values=_nudged(t.values)),
    "precision": lambda t: replace(t, values=t.values.astype(np.float32)),
    "halo": lambda t: replace(t, halo=t.halo + 1),
    "folds": lambda t: replace(t, fold_of_row=t.fold_of_row[::-1]),
    "number of folds": lambda t: replace(t, n_folds=t.n_folds + 1),
    "no networks": lambda t: replace(t, options=None),
    "options": lambda t: replace(t, options=replace(t.options, n_steps=21)),
    "axes": lambda t: replace(t, domain=replace(t.domain, axes=(Axis("s", extent=3),))),
    "radii": lambda t: replace(t, stencils={2: t.stencils[1]}),
    "stencils": lambda t: replace(t, stencils={1: CHAIN.stencils(2)}),
    "all seen": lambda t: replace(t, observed=np.ones(t.values.shape, dtype=bool)),
    "a gap": lambda t: replace(t, observed=_gap(t.values, 0)),
    "another gap": lambda t: replace(t, observed=_gap(t.values, 1)),
    "warm": _warm(0.0),
    "otherwise warm": _warm(1.0),
    "warm twice": lambda t: replace(t, warm=2 * _warm(0.0)(t).warm),
}


def test_a_digest_tells_apart_whatever_changes_the_result() -> None:
    digests = {"as it is": _task().digest}
    assert _task().digest == digests["as it is"]
    for name, change in CHANGES.items():
        digests[name] = change(_task()).digest
    assert len(set(digests.values())) == len(digests)


def test_a_digest_is_that_of_the_halo_wherever_the_values_lie() -> None:
    """Of a file only the halo counts, so that two tables may share what they share."""
    values = values_of(CHAIN, 40)
    first = Trainer(CHAIN, 1, shard_size=2).tasks(values)[0]
    (beyond,) = set(range(4)) - set(first.halo.tolist())
    mapped = replace(first, values=values, whole=True)
    assert mapped.digest == first.digest
    values[beyond] += 1.0
    assert mapped.digest == first.digest
    values[first.halo[0]] += 1.0
    assert mapped.digest != first.digest
