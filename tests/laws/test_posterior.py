"""The law given known cells: the exact posterior mean where the model is Gaussian."""

import numpy as np
import pytest
import torch

from locality import LocalizedDiffusion
from locality.data.synthetic import OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.inference.laws.posterior import PosteriorField
from locality.local.bound import BoundField
from locality.local.jacobian import Jacobian
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


def test_the_jacobian_is_the_symmetric_part_of_the_derivative(make_field, make_covariance) -> None:
    c = make_covariance(5)
    domain = Domain(DependencyGraph.chain(5), tuple("abcde"))
    field = make_field(domain, 1, lambda s: c[np.ix_(s.node, s.node)], n_shards=2, strength=0.3)
    bound = BoundField(field, np.zeros((5, 3), dtype=np.float32))
    y = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    sigma, step = 0.5, 1e-2
    jacobian = Jacobian.of(bound, y, sigma)
    dense = np.zeros((3, 5, 5))
    for j in range(5):
        move = torch.zeros(5, 3)
        move[j] = step
        change = bound.denoise(y + move, sigma) - bound.denoise(y - move, sigma)
        dense[:, :, j] = (change / (2 * step)).numpy().T
    symmetric = 0.5 * (dense + dense.transpose(0, 2, 1))
    for j in range(5):
        unit = np.zeros((5, 3), dtype=np.float32)
        unit[j] = 1
        np.testing.assert_allclose((jacobian @ unit).T, symmetric[:, :, j], atol=2e-3)
    diagonal = np.einsum("kjj->jk", dense)
    np.testing.assert_allclose(jacobian.diagonal(3), diagonal, atol=2e-3)
