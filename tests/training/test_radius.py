"""Linear curves and the radii they choose: bounds, dependence found, independence left alone."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from locality.data.folds import N_FOLDS, fold_of_row
from locality.data.synthetic import BandedGaussian, OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.local.gaussian import LocalGaussian, present_slots
from locality.local.linear import LinearDenoiser
from locality.local.moments import SecondMoments
from locality.local.patches import Patches, Sources, unfold
from locality.noise.levels import BAND_EDGES
from locality.training.radius import LinearCurve, choose_radii, linear_curve

D = 40
CHAIN = Domain(DependencyGraph.chain(D), tuple(f"x{k}" for k in range(D)))


def standardized(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return (rows - rows.mean(0)) / rows.std(0)


def curve_of(rows: NDArray[np.float64], radii: tuple[int, ...] = (0, 1, 2, 4)) -> LinearCurve:
    """The curve of rows [n, D] on the chain, as it stands."""
    stencils = {radius: CHAIN.stencils(radius) for radius in radii}
    sources = Sources.of(stencils[max(radii)])
    z = unfold(np.ascontiguousarray(rows.T), sources, CHAIN)
    moments = SecondMoments.of(z, fold_of_row(len(rows)), N_FOLDS)
    return linear_curve(moments, {r: Patches.of(s, sources) for r, s in stencils.items()})


def fresh_nats(
    rows: NDArray[np.float64],
    fresh: NDArray[np.float64],
    curve: LinearCurve,
    choice: NDArray[np.int64],
) -> float:
    """Mean nats per component on fresh rows of closed forms from all rows, radii as chosen."""
    nats = np.zeros(D)
    for index, radius in enumerate(curve.radii.tolist()):
        stencils = CHAIN.stencils(radius)
        sources = Sources.of(stencils)
        patches = Patches.of(stencils, sources)
        both = []
        for part in (rows, fresh):
            z = unfold(np.ascontiguousarray(part.T), sources, CHAIN)
            fold = np.zeros(len(part), dtype=np.int64)
            both.append(SecondMoments.of(z, fold, 1).covariance(patches))
        present = present_slots(patches, np.ones((1, sources.n_sources), dtype=bool))
        for band in range(choice.shape[1]):
            shrinkage = curve.shrinkage[:, index, band]
            model = LocalGaussian.fit(both[0], patches.noisy.shape[1], present, shrinkage)
            here = choice[:, band] == index
            nats[here] += model.expected_surprises(both[1])[0, band, :, 0][here]
    return float(nats.mean())


def test_curve_is_cross_validation_written_out() -> None:
    """One radius, fold by fold and band by band: fit on the others, mean surprise on this one.

    Of all shrinkages the best for the component and, with equal weight, the median component.
    """
    rows = OrnsteinUhlenbeckChain(D, 0.7).sample(90, 0)
    curve = curve_of(rows, (0, 2))
    sources = Sources.of(CHAIN.stencils(2))
    patches = Patches.of(CHAIN.stencils(2), sources)
    fold = fold_of_row(len(rows))
    inside = np.ones((1, sources.n_sources), dtype=bool)
    gammas = (0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4)
    each = np.zeros((len(gammas), D, len(BAND_EDGES) - 1))
    for number, gamma in enumerate(gammas):
        for f in range(N_FOLDS):
            seen = np.c_[rows[fold != f], np.zeros((fold != f).sum())]
            held = np.c_[rows[fold == f], np.zeros((fold == f).sum())]
            model = LinearDenoiser.fit(
                seen.T @ seen / len(seen),
                patches,
                *(np.tile(n[:, None], each.shape[2]) for n in patches.n_present),
                np.full(each.shape[1:], gamma),
                inside,
            )
            for b, band in enumerate(pairwise(BAND_EDGES)):
                nats = model.surprise(held.T, np.zeros(len(held), dtype=np.int64), [band])[0]
                each[number, :, b] += nats.mean(1) / N_FOLDS
    typical = np.median(each - each.mean(0), axis=1, keepdims=True)
    best = (each + typical).argmin(0)
    np.testing.assert_array_equal(curve.shrinkage[:, 1], np.array(gammas)[best])
    expected = np.take_along_axis(each, best[None], 0)[0]
    np.testing.assert_allclose(curve.nats[:, 1], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dependence_is_found(seed: int) -> None:
    rows = standardized(OrnsteinUhlenbeckChain(D, 0.7).sample(300, seed))
    curve = curve_of(rows)
    choice = choose_radii(curve)
    assert (curve.radii[choice].max(1) >= 1).all()
    chosen, alone = curve.chosen(choice, curve.nats).sum(1), curve.nats[:, 0].sum(1)
    assert (chosen < alone - 0.05).all()
    np.testing.assert_allclose(curve.independent, alone, atol=0.01)


def test_the_radius_grows_with_the_noise() -> None:
    """A Markov chain: its precision reaches one step, that of the noised law farther."""
    rows = standardized(OrnsteinUhlenbeckChain(D, 0.9).sample(4000, 0))
    curve = curve_of(rows, tuple(range(9)))
    by_band = curve.radii[choose_radii(curve)].mean(0)
    assert (np.diff(by_band) <= 0.0).all(), by_band
    assert by_band[-1] < 1.5 < 4.0 < by_band[0]


@pytest.mark.parametrize("n_rows", [60, 300, 2000])
def test_independence_costs_next_to_nothing(n_rows: int) -> None:
    """What is not there is mostly not taken, and where it is, shrinkage makes it cheap.

    Against radius zero everywhere the chosen radii lose at most 0.06/√n_rows nats per component
    on fresh rows (they are chosen by held-out nats alone, and at equal nats by chance).
    """
    lost, taken = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rows, fresh = rng.standard_normal((n_rows, D)), rng.standard_normal((4000, D))
        curve = curve_of(rows)
        choice = choose_radii(curve)
        alone = fresh_nats(rows, fresh, curve, np.zeros_like(choice))
        lost.append(fresh_nats(rows, fresh, curve, choice) - alone)
        taken.append((choice > 0).mean())
    assert np.mean(taken) < 0.6
    assert np.mean(lost) < 0.06 / n_rows**0.5


@pytest.mark.parametrize("correlation", [0.5, 0.9])
@pytest.mark.parametrize("n_rows", [60, 300])
def test_the_curve_lies_above_the_entropy(correlation: float, n_rows: int) -> None:
    """At every radius, up to what the drawn rows themselves lie below it (−log p, 4 errors)."""
    law = OrnsteinUhlenbeckChain(D, correlation)
    rows = law.sample(n_rows, 3)
    curve = curve_of(rows)
    exact = -law.log_density(rows)
    slack = 4 * exact.std() / n_rows**0.5
    total = curve.nats.sum((0, 2))
    assert (total > exact.mean() - slack).all()
    # against the law on the same rows the excess is sure: every radius pays for estimation
    assert (total > exact.mean()).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_more_rows_allow_larger_radii(seed: int) -> None:
    law = BandedGaussian(D, bandwidth=2, condition=30.0)
    rows = law.sample(8000, seed)
    average = []
    for n in (100, 1000, 8000):
        curve = curve_of(standardized(rows[:n]), tuple(range(9)))
        average.append(curve.radii[choose_radii(curve)][:, 1:4].mean())
    assert (np.diff(average) >= 0).all(), average
    assert average[-1] > average[0] + 1.0


def test_pooling_steadies_the_choice() -> None:
    """All components of a stationary chain have about one curve: pooled choices spread less."""
    rows = standardized(OrnsteinUhlenbeckChain(D, 0.7).sample(80, 5))
    curve = curve_of(rows)
    assert choose_radii(curve).std(0).sum() < 0.8 * curve.nats.argmin(1).std(0).sum()


@pytest.mark.parametrize("n_rows", [5, 19, 20, 57, 1000])
def test_folds_are_spread_blocks(n_rows: int) -> None:
    fold = fold_of_row(n_rows)
    counts = np.bincount(fold, minlength=N_FOLDS)
    assert counts.min() >= max(1, n_rows // N_FOLDS - 4)
    assert (np.diff(fold) != 0).sum() + 1 <= 4 * N_FOLDS
    if n_rows >= 4 * N_FOLDS:  # every fold meets every quarter of the table
        quarter = np.arange(n_rows) * 4 // n_rows
        assert {(int(f), int(q)) for f, q in zip(fold, quarter, strict=True)} >= {
            (f, q) for f in range(N_FOLDS) for q in range(4)
        }


def test_a_pair_that_repeats_itself_does_not_decide_for_the_others() -> None:
    """Shrinkage and radii of 20 columns, with and without an unconnected near-equal pair."""
    rng = np.random.default_rng(0)
    rows = OrnsteinUhlenbeckChain(20, 0.5).sample(60, 0)
    twin = rng.standard_normal(60)
    pair = np.column_stack([twin, twin + 1e-4 * rng.standard_normal(60)])
    graph = DependencyGraph.chain(20)
    i, j, _ = graph.edges()
    both = DependencyGraph.from_edges(np.column_stack([np.r_[i, 20], np.r_[j, 21]]), 22)
    found = []
    for joined, x in ((graph, rows), (both, np.hstack([rows, pair]))):
        domain = Domain(joined, tuple(f"x{k}" for k in range(x.shape[1])))
        stencils = {radius: domain.stencils(radius) for radius in (0, 1, 2)}
        sources = Sources.of(stencils[2])
        z = unfold(np.ascontiguousarray(standardized(x).T), sources, domain)
        moments = SecondMoments.of(z, fold_of_row(60), N_FOLDS)
        patches = {r: Patches.of(s, sources) for r, s in stencils.items()}
        curve = linear_curve(moments, patches)
        choice = choose_radii(curve)
        found.append((choice[:20], curve.chosen(choice, curve.shrinkage)[:20]))
    np.testing.assert_allclose(found[0][0].mean(0), found[1][0].mean(0), atol=0.3)
    np.testing.assert_allclose(found[0][1].mean(0), found[1][1].mean(0), atol=0.02)
