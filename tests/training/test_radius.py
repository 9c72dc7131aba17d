"""Linear curves and the radii they choose: bounds, dependence found, independence left alone."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from locality.data.synthetic import BandedGaussian, OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.local.gaussian import LocalGaussian, present_slots
from locality.local.moments import SecondMoments
from locality.local.patches import Patches, Sources, unfold
from locality.training.radius import LinearCurve, choose_radii, linear_curve
from locality.training.trainer import N_FOLDS, fold_of_row

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
    nats = np.empty(D)
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
        shrinkage = torch.from_numpy(curve.shrinkage[:, index])
        model = LocalGaussian.fit(both[0], patches.noisy.shape[1], present, shrinkage)
        here = choice == index
        nats[here] = model.expected_surprise(both[1]).numpy()[here]
    return float(nats.mean())


def test_curve_is_cross_validation_written_out() -> None:
    """One radius, fold by fold: fit on the others, mean surprise on this one; best shrinkage."""
    rows = OrnsteinUhlenbeckChain(D, 0.7).sample(90, 0)
    curve = curve_of(rows, (0, 2))
    sources = Sources.of(CHAIN.stencils(2))
    patches = Patches.of(CHAIN.stencils(2), sources)
    fold = fold_of_row(len(rows))
    present = present_slots(patches, np.ones((1, sources.n_sources), dtype=bool))
    each = []
    for gamma in (0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4):
        by_fold = []
        for f in range(N_FOLDS):
            seen = np.c_[rows[fold != f], np.zeros((fold != f).sum())]
            held = np.c_[rows[fold == f], np.zeros((fold == f).sum())]
            c = torch.from_numpy(seen.T @ seen / len(seen))
            slots = torch.from_numpy(patches.slots)
            model = LocalGaussian.fit(
                c[slots[:, :, None], slots[:, None, :]],
                patches.noisy.shape[1],
                present,
                torch.full((D,), gamma, dtype=torch.float64),
            )
            one_class = torch.zeros(len(held), dtype=torch.int64)
            z = torch.from_numpy(np.ascontiguousarray(held.T))
            by_fold.append(model.surprise(z, patches, one_class).mean(1).numpy())
        each.append(np.stack(by_fold, 1))
    mean = np.stack(each).mean(-1)
    np.testing.assert_allclose(curve.nats[:, 1], mean.min(0), rtol=1e-8)
    np.testing.assert_allclose(
        curve.fold_nats[:, 1], np.stack(each)[mean.argmin(0), np.arange(D)], rtol=1e-8
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dependence_is_found(seed: int) -> None:
    rows = standardized(OrnsteinUhlenbeckChain(D, 0.7).sample(300, seed))
    curve = curve_of(rows)
    radius = curve.radii[choose_radii(curve)]
    assert (radius >= 1).all()
    chosen = curve.nats[np.arange(D), choose_radii(curve)]
    assert (chosen < curve.nats[:, 0] - 0.05).all()
    np.testing.assert_allclose(curve.independent, curve.nats[:, 0], atol=0.01)


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
    total = curve.nats.sum(0)
    assert (total > exact.mean() - slack).all()
    # against the law on the same rows the excess is sure: every radius pays for estimation
    assert (total > exact.mean()).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_more_rows_allow_larger_radii(seed: int) -> None:
    law = BandedGaussian(D, bandwidth=2, condition=30.0)
    rows = law.sample(8000, seed)
    average = []
    for n in (40, 200, 1000, 8000):
        curve = curve_of(standardized(rows[:n]), (0, 1, 2, 3, 4))
        average.append(curve.radii[choose_radii(curve)].mean())
    assert (np.diff(average) >= 0).all(), average
    assert average[-1] > average[0] + 0.5


def test_pooling_steadies_the_choice() -> None:
    """All components of a stationary chain have about one curve: pooled choices spread less."""
    rows = standardized(OrnsteinUhlenbeckChain(D, 0.7).sample(80, 5))
    curve = curve_of(rows)
    spread = [np.std(choose_radii(curve, pooling)) for pooling in (0.0, 0.5, 50.0)]
    assert spread[0] >= spread[1] >= spread[2]
    assert spread[0] > spread[2]


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
