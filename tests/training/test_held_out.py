"""Held-out nats of many neighborhoods at once: what is shared changes nothing."""

from dataclasses import replace

import numpy as np
import pytest

from locality.data.folds import N_FOLDS, fold_of_row
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import Axis, DependencyGraph, Domain
from locality.local.gaussian import LocalGaussian
from locality.local.moments import SecondMoments
from locality.local.patches import Patches, Sources, unfold
from locality.training import held_out
from locality.training.held_out import held_out_nats

D = 9
GAMMAS = (0.0, 0.03, 0.4)
GRAPH = DependencyGraph.from_edges([(j, j + 1) for j in range(D - 2)], D)  # the last one is alone
CASES = {
    "table": (Domain(GRAPH, tuple("abcdefghi")), ()),
    "series": (Domain(GRAPH, tuple("abcdefghi"), (Axis("t", (2, 0)),)), (200,)),
}


def prepared(name: str) -> tuple[SecondMoments, list[Patches]]:
    """Moments of 200 rows by fold, and the patches of radii whose neighborhoods soon coincide."""
    domain, extent = CASES[name]
    rows = OrnsteinUhlenbeckChain(D, 0.7).sample(200, 0).T
    values = np.ascontiguousarray(rows.reshape(D, *extent, -1))
    stencils = [domain.stencils(radius) for radius in (0, 1, 3, 8, 9)]
    sources = Sources.of(stencils[-1])
    z = unfold(values, sources, domain)
    folds = fold_of_row(200)
    if extent:
        folds = np.where(np.arange(200) < 2, -1, folds)
    moments = SecondMoments.of(z, folds, N_FOLDS)
    return moments, [Patches.of(part, sources) for part in stencils]


@pytest.mark.parametrize("name", CASES)
def test_every_neighborhood_gets_its_own_cross_validation(name: str) -> None:
    """Against one fit per component, radius, fold and shrinkage, with its own slot first."""
    moments, patches = prepared(name)
    found = held_out_nats(moments, patches, GAMMAS)
    assert found.shape[:2] == (5, 3)
    total = moments.counts.sum()
    for r, part in enumerate(patches):
        for unit in (0, 4, 8):
            mine = part.take(np.array([unit]))
            slots, n_noisy = mine.slots[0], mine.noisy.shape[1]
            present = np.ones((1, 1, len(slots)), dtype=bool)
            sums = moments.sums[:, slots[:, None], slots[None]]
            for g, gamma in enumerate(GAMMAS):
                expected = 0.0
                for fold, count in enumerate(moments.counts):
                    train = (sums.sum(0) - sums[fold]) / (total - count)
                    model = LocalGaussian.fit(train[None], n_noisy, present, np.array([gamma]))
                    nats = model.expected_surprises((sums[fold] / count)[None])[0, :, 0, 0]
                    expected += nats * count / total
                np.testing.assert_allclose(found[r, g, :, unit], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_how_much_is_worked_on_together_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    moments, patches = prepared(name)
    together = held_out_nats(moments, patches, GAMMAS)
    monkeypatch.setattr(held_out, "_MOST_ENTRIES", 1)
    np.testing.assert_allclose(held_out_nats(moments, patches, GAMMAS), together, rtol=1e-12)


def test_a_set_is_decomposed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five radii of nine components ask for 26 sets: 9 alone, 8 at radius 1, 8 at 3, the chain."""
    moments, patches = prepared("table")
    decomposed = []

    def counting(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decomposed.append(int(np.prod(matrices.shape[:-2])))
        return plain(matrices)

    plain = np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", counting)
    held_out_nats(moments, patches, GAMMAS)
    assert sum(decomposed) == 26 * N_FOLDS


@pytest.mark.parametrize("name", CASES)
def test_folds_held_out_one_by_one_make_up_the_whole(name: str) -> None:
    """By their rows; a fold alone is judged by what all others teach."""
    moments, patches = prepared(name)
    whole = held_out_nats(moments, patches, GAMMAS)
    alone = [held_out_nats(replace(moments, judged=(k,)), patches, GAMMAS) for k in range(N_FOLDS)]
    np.testing.assert_allclose(np.average(alone, axis=0, weights=moments.counts), whole, rtol=1e-9)
    two = held_out_nats(replace(moments, judged=(0, 4)), patches, GAMMAS)
    both = np.average([alone[0], alone[4]], axis=0, weights=moments.counts[[0, 4]])
    np.testing.assert_allclose(two, both, rtol=1e-9)
    assert np.abs(alone[0] - alone[4]).max() > 1e-3
