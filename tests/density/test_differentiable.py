"""The public field: the denoisers of samplers as plain functions, with exact derivatives."""

import numpy as np
import pytest
import torch

from locality import DataError, LocalizedDiffusion, OptionError
from locality.data.synthetic import DoubleWellChain, OrnsteinUhlenbeckChain
from locality.domain import DependencyGraph, Domain
from locality.inference.density.differentiable import DifferentiableField
from locality.local.bound import BoundField
from locality.local.field import ScoreField
from locality.noise.levels import BAND_EDGES

X = DoubleWellChain(6).sample(600, random_state=0)


@pytest.fixture(scope="module")
def model() -> LocalizedDiffusion:
    fitted = LocalizedDiffusion(graph="chain", n_steps=300, random_state=0).fit(X)
    assert fitted.model_.has_networks
    return fitted


@pytest.fixture(scope="module")
def series() -> LocalizedDiffusion:
    rows = OrnsteinUhlenbeckChain(5, correlation=0.8).sample(400, random_state=1)
    return LocalizedDiffusion(
        graph="chain", lags=2, context=["x4"], denoiser="linear", random_state=0
    ).fit(rows)


@pytest.mark.parametrize("sigma", [0.02, 0.4, 3.0])
def test_it_is_the_field_of_samplers(model, sigma: float) -> None:
    y = np.random.default_rng(0).standard_normal((7, 6)).astype(np.float32)
    field = model.model_.field
    bound = BoundField(field, np.zeros((6, 7), dtype=np.float32))
    state = torch.from_numpy(np.ascontiguousarray(y.T[field.nodes]))
    expected, slope = bound.with_divergence(state, sigma)  # without the limits of samplers
    order = np.argsort(field.nodes)
    f = model.field()
    np.testing.assert_allclose(f.denoise(y, sigma), expected.numpy()[order].T, atol=2e-5)
    divergence = ((slope.numpy() - 1.0) / sigma**2).sum(axis=0)
    np.testing.assert_allclose(f.divergence(y, sigma), divergence, rtol=1e-3)


def test_derivatives_are_those_of_differences(model) -> None:
    f, sigma = model.field(), 0.5
    y = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: f.score(row, sigma)))(y)
    step = 1e-6
    for j in range(6):
        ahead, behind = y.clone(), y.clone()
        ahead[:, j] += step
        behind[:, j] -= step
        numeric = (f.score(ahead, sigma) - f.score(behind, sigma)) / (2 * step)
        torch.testing.assert_close(jacobian[:, :, j], numeric, atol=1e-5, rtol=1e-5)
    trace = jacobian.diagonal(dim1=1, dim2=2).sum(-1)
    torch.testing.assert_close(f.divergence(y, sigma), trace)
    # nothing outside a neighborhood has any influence
    reach = model.radius_
    far = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) > reach[:, None]
    assert (jacobian[:, torch.from_numpy(far)] == 0.0).all()


def test_autograd_goes_through_state_and_level(model) -> None:
    f = model.field()
    y = torch.zeros(2, 6, dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor([0.3, 1.2], dtype=torch.float64, requires_grad=True)
    total = f.denoise(y, sigma).square().sum() + f.divergence(y, sigma).sum()
    by_state, by_level = torch.autograd.grad(total, (y, sigma))
    assert torch.isfinite(by_state).all()
    assert (by_level != 0).all()


def test_every_sample_may_have_a_level_of_its_own(model) -> None:
    f = model.field()
    y = np.random.default_rng(1).standard_normal((4, 6))
    sigma = np.array([0.02, 0.3, 1.0, 8.0])
    for ask in (f.denoise, f.score, f.divergence):
        together = ask(y, sigma)
        apart = np.concatenate([ask(y[i : i + 1], float(sigma[i])) for i in range(4)])
        np.testing.assert_allclose(together, apart, rtol=1e-9, atol=1e-12)
    single = f.score(y[0], 0.3)
    np.testing.assert_allclose(single, f.score(y[:1], 0.3)[0])


def test_a_series_is_conditioned_on_its_past_and_context(series) -> None:
    """The score of the clean law given the past is that of the Gaussian which the rows imply."""
    rows = OrnsteinUhlenbeckChain(5, correlation=0.8).sample(30, random_state=2)
    f = series.field(past=rows[:10], context=rows[10:11, 4:])
    y = series.to_state(rows)[10:11]
    model = series.model_
    state = model.layout.state_of(rows)
    bound = BoundField(model.field, state[:, :11].astype(np.float64), slice(10, 11))
    found = bound.denoise(torch.from_numpy(y.T.copy())[model.field.nodes], 0.3)
    np.testing.assert_allclose(f.denoise(y, 0.3)[0], found.numpy()[:, 0], atol=1e-6)
    alone = series.field(context=rows[10:11, 4:])
    assert np.abs(alone.denoise(y, 0.3) - f.denoise(y, 0.3)).max() > 0.01


def test_state_and_back_with_its_jacobian(model) -> None:
    y, slope = model.to_state(X[:20], return_log_jacobian=True)
    rows, back = model.from_state(y, return_log_jacobian=True)
    np.testing.assert_allclose(rows, X[:20], atol=1e-10)
    np.testing.assert_allclose(back, -slope, atol=1e-10)
    step = 1e-6
    moved = model.to_state(X[:20] + step) - y
    np.testing.assert_allclose(moved / step, np.exp(slope), rtol=1e-4)


def test_what_does_not_fit_is_refused(model, series) -> None:
    f = model.field()
    with pytest.raises(DataError, match=r"shape \(n, 6\).* found \(2, 5\)"):
        f.denoise(np.zeros((2, 5)), 0.1)
    hole = np.zeros((3, 6))
    hole[1, 4] = np.nan
    for ask in (f.denoise, f.score, f.divergence):
        with pytest.raises(DataError, match=r"finite, found nan at \[1, 4\]"):
            ask(hole, 0.1)
    with pytest.raises(DataError, match="found nan of 'x4', row 2"):
        model.from_state(hole)
    for sigma in (0.0, -1.0, np.nan, np.array([0.1, 0.0])):
        with pytest.raises(OptionError, match="above 0"):
            f.score(np.zeros((2, 6)), sigma)
    with pytest.raises(OptionError, match="one of each sample"):
        f.score(np.zeros((2, 6)), np.array([0.1, 0.2, 0.3]))
    with pytest.raises(OptionError, match="no lags"):
        model.field(past=X[:4])
    with pytest.raises(OptionError, match="needs context: x4"):
        series.field()


def by_hand(make_field, context: tuple[int, ...] = ()) -> tuple[ScoreField, np.ndarray]:
    """A chain of five with networks, and what stands at its context."""
    domain = Domain(DependencyGraph.chain(5), tuple("abcde"), (), context)

    def covariance(sources):
        return 0.7 ** np.abs(np.subtract.outer(sources.node, sources.node))

    field = make_field(domain, 1, covariance, n_shards=2, strength=1.0)
    values = np.random.default_rng(5).standard_normal((5, 1))
    return field, values


def test_answers_are_of_the_kind_precision_and_shape_of_the_question(make_field) -> None:
    f = DifferentiableField(*by_hand(make_field))
    y = np.random.default_rng(6).standard_normal((4, 5))
    exact = f.denoise(y, 0.5)
    for asked in (y, torch.from_numpy(y), y.astype(np.float32), torch.from_numpy(y).float()):
        for ask in (f.denoise, f.score, f.divergence):
            found = ask(asked, 0.5)
            assert type(found) is type(asked)
            assert found.dtype == asked.dtype
            assert tuple(found.shape) == ((4,) if ask == f.divergence else (4, 5))
            alone = ask(asked[1], 0.5)
            assert tuple(alone.shape) == (() if ask == f.divergence else (5,))
            np.testing.assert_allclose(alone, found[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(f.denoise(asked, 0.5), exact, rtol=1e-5, atol=1e-6)
    whole = np.array([[1, 0, -2, 1, 3]])
    found = f.denoise(whole, 0.5)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, f.denoise(whole.astype(float), 0.5))
    np.testing.assert_array_equal(f.denoise(np.asfortranarray(y), 0.5), exact)


def test_levels_are_numbers_arrays_or_tensors(make_field) -> None:
    f = DifferentiableField(*by_hand(make_field))
    y = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    exact = f.denoise(y, 0.5)
    for sigma in (np.float32(0.5), np.array(0.5), torch.tensor(0.5), [0.5] * 3,
                  torch.full((3,), 0.5), np.full(3, 0.5)):  # fmt: skip
        torch.testing.assert_close(f.denoise(y, sigma), exact)
        torch.testing.assert_close(f.score(y, sigma), (exact - y) / 0.25)
    # edges of bands belong to the finer one, for numbers and tensors alike
    for edge in BAND_EDGES[1:-1]:
        torch.testing.assert_close(
            f.denoise(y, torch.full((3,), edge).double()), f.denoise(y, edge)
        )
    for bad in (np.inf, [0.5, np.inf, 0.5], [0.5, 0.5, -1.0]):
        with pytest.raises(OptionError, match="above 0 and finite"):
            f.denoise(y, bad)
    for bad in (torch.full((2,), 0.5), torch.full((3, 1), 0.5)):
        with pytest.raises(OptionError, match="one of each sample"):
            f.denoise(y, bad)
    with pytest.raises(OptionError, match="one of each sample"):
        f.denoise(y[0], torch.full((5,), 0.5))
    for wrong in (torch.zeros(3, 4), torch.zeros(1, 3, 5), torch.zeros(6)):
        with pytest.raises(DataError, match=r"shape \(n, 5\) or \(5,\)"):
            f.denoise(wrong, 0.5)


def test_one_sample_of_context_stands_for_all_and_several_for_as_many(make_field) -> None:
    field, values = by_hand(make_field, (2,))
    f = DifferentiableField(field, values)
    y = np.random.default_rng(7).standard_normal((3, 4))
    several = DifferentiableField(field, np.tile(values, 3))
    for ask, other in ((f.denoise, several.denoise), (f.divergence, several.divergence)):
        np.testing.assert_allclose(ask(y, 0.4), other(y, 0.4), rtol=1e-12)
    with pytest.raises(DataError, match="There are 2 states, but context or past rows of 3"):
        several.denoise(y[:2], 0.4)
    moved = values.copy()
    moved[2] += 1.0
    assert (DifferentiableField(field, moved).denoise(y, 0.4) != f.denoise(y, 0.4)
            )[:, [1, 2]].all()  # fmt: skip
    moved = values + np.array([[1.0], [1.0], [0.0], [1.0], [1.0]])  # not read
    found = DifferentiableField(field, moved).denoise(y, 0.4)
    np.testing.assert_array_equal(found, f.denoise(y, 0.4))
