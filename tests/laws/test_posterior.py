"""The law given known cells: the exact posterior mean where the model is Gaussian."""

import numpy as np
import pytest
import torch

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.inference.laws.posterior import PosteriorField
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.model.model import Model

D = 6


@pytest.fixture(scope="module")
def gaussian() -> tuple[Model, np.ndarray]:
    """All components see each other: the denoiser is the posterior mean of one covariance."""
    rows = OrnsteinUhlenbeckChain(D, correlation=0.8).sample(20_000, random_state=0)
    model = LocalizedDiffusion(graph="complete", radius=1, denoiser="linear", random_state=0)
    model = model.fit(rows).model_
    return model, np.corrcoef(rows, rowvar=False)


def _known(columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    known = rng.random((D, columns)) < 0.4
    return np.where(known, rng.standard_normal((D, columns)), 0).astype(np.float32), known


@pytest.mark.parametrize("sigma", [0.05, 0.4, 3.0, 30.0])
def test_the_denoiser_given_known_cells_is_the_exact_posterior_mean(
    gaussian: tuple[Model, np.ndarray], sigma: float
) -> None:
    model, covariance = gaussian
    values, known = _known(7)
    y = torch.from_numpy(values + sigma * np.random.default_rng(2).standard_normal((D, 7)))
    order = model.field.nodes
    found = PosteriorField(model.field, values, known).denoise(y[order].float(), sigma)
    posterior = np.linalg.inv(np.linalg.inv(covariance) + np.eye(D) / sigma**2)
    for k in range(7):
        o = known[:, k]
        mean = posterior @ y[:, k].numpy() / sigma**2
        exact = mean + posterior[:, o] @ np.linalg.solve(
            posterior[np.ix_(o, o)], values[o, k] - mean[o]
        )
        np.testing.assert_allclose(found[:, k], exact[order], atol=0.02)
        np.testing.assert_array_equal(found[known[order, k], k], values[order][known[order, k], k])


def exact_field(make_field, make_covariance, limits=None) -> tuple[ScoreField, np.ndarray]:
    """All components see each other, in three shards."""
    c = make_covariance(D)
    domain = Domain(DependencyGraph.complete(D), tuple("abcdef"))
    field = make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)], n_shards=3)
    return ScoreField(domain, field.shards, limits), c


def test_steps_start_from_the_last_ones_and_end_at_the_same(make_field, make_covariance) -> None:
    """The same question twice: multipliers are there already, and the answer stays."""
    field, c = exact_field(make_field, make_covariance)
    values, known = _known(5)
    y = torch.from_numpy(np.random.default_rng(2).standard_normal((D, 5)).astype(np.float32))
    told = PosteriorField(field, values, known)
    first, second = told.denoise(y, 0.7), told.denoise(y, 0.7)
    np.testing.assert_allclose(second, first, atol=1e-3)
    posterior = np.linalg.inv(np.linalg.inv(c) + np.eye(D) / 0.49)
    order = field.nodes
    for k in range(5):
        o = known[order, k]
        p = posterior[np.ix_(order, order)]
        mean = p @ y[:, k].double().numpy() / 0.49
        exact = mean + p[:, o] @ np.linalg.solve(p[np.ix_(o, o)], values[order, k][o] - mean[o])
        np.testing.assert_allclose(second[:, k], exact, atol=2e-3)


def test_where_nothing_is_known_it_is_the_denoiser_itself(make_field, make_covariance) -> None:
    field, _ = exact_field(make_field, make_covariance)
    values = np.full((D, 4), 7.0, dtype=np.float32)
    y = torch.from_numpy(np.random.default_rng(3).standard_normal((D, 4)).astype(np.float32))
    known = np.zeros((D, 4), dtype=bool)
    known[:, 3] = True
    found = PosteriorField(field, values, known).denoise(y, 0.5)
    expected = BoundField(field, values).denoise(y, 0.5)
    assert torch.equal(found[:, :3], expected[:, :3])
    assert (found[:, 3] == 7.0).all()


def test_limits_bound_what_is_missing_and_leave_what_is_known(make_field, make_covariance) -> None:
    """By component, in the order of the field."""
    limits = np.stack([np.linspace(-0.4, -0.1, D), np.linspace(0.2, 0.5, D)], axis=1)
    bounded, _ = exact_field(make_field, make_covariance, limits)
    field = ScoreField(bounded.domain, bounded.shards[::-1], limits)
    values, known = _known(40)
    values *= 3.0
    y = torch.from_numpy(3.0 * np.random.default_rng(4).standard_normal((D, 40))).float()
    found = PosteriorField(field, values, known).denoise(y, 0.5).numpy()
    at, told = field.nodes, known[field.nodes]
    np.testing.assert_array_equal(found[told], values[at][told])
    low, high = (np.broadcast_to(side[at, None], found.shape) for side in limits.T.astype("f4"))
    left = ~told
    assert (low[left] <= found[left]).all()
    assert (found[left] <= high[left]).all()
    for side in (low, high):
        assert (found[left] == side[left]).any()
    assert (np.abs(values[known]) > 0.5).any()


def test_a_row_whose_solution_ran_away_is_told_nothing(
    make_field, make_covariance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is denoised as if nothing were known, the others are told; and it begins again."""
    field, _ = exact_field(make_field, make_covariance)
    values, known = _known(4)
    y = torch.from_numpy(np.random.default_rng(5).standard_normal((D, 4)).astype(np.float32))
    clean = PosteriorField(field, values, known).denoise(y, 0.5)
    solve = PosteriorField._solve
    for bad in (np.inf, np.nan):
        told = PosteriorField(field, values, known)

        def runs_away(self, *args, bad=bad):
            found = solve(self, *args)
            found[0, 2] = bad
            return found

        with monkeypatch.context() as patch:
            patch.setattr(PosteriorField, "_solve", runs_away)
            found = told.denoise(y, 0.5)
        others = [0, 1, 3]
        assert torch.equal(found[:, others], clean[:, others])
        alone = BoundField(field, values).denoise(y, 0.5)[:, 2]
        mine = torch.from_numpy(known[field.nodes, 2])
        assert torch.equal(found[~mine, 2], alone[~mine])
        np.testing.assert_array_equal(found[mine, 2], values[field.nodes, 2][mine.numpy()])
        np.testing.assert_allclose(told.denoise(y, 0.5), clean, atol=1e-3)
