"""Conjugate gradients: dense solutions, systems that stop by themselves, both precisions."""

import numpy as np
import pytest

from locality.inference.laws.gradients import conjugate_gradients

N, SYSTEMS = 12, 5


def matrices(rng: np.random.Generator) -> np.ndarray:
    """Positive definite, one for each system [n_systems, n, n], of very different sizes."""
    half = rng.standard_normal((SYSTEMS, N, 2 * N))
    return (half @ half.transpose(0, 2, 1)) * np.geomspace(1e-3, 1e3, SYSTEMS)[:, None, None]


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-3), (np.float64, 1e-8)])
@pytest.mark.parametrize("axis", [0, 1])
def test_every_system_has_its_dense_solution(dtype: type, rtol: float, axis: int) -> None:
    rng = np.random.default_rng(0)
    a, b = matrices(rng), rng.standard_normal((SYSTEMS, N))
    b[2] = 0.0
    exact = np.linalg.solve(a, b[..., None])[..., 0]
    a = a.astype(dtype)

    def turned(rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(rows.T if axis == 0 else rows)

    def apply(x: np.ndarray) -> np.ndarray:
        return turned(np.einsum("kij,kj->ki", a, turned(x)))

    found = conjugate_gradients(
        apply, turned(b.astype(dtype)), turned(np.einsum("kii->ki", a)), axis=axis,
        tolerance=rtol / 100, most_steps=100,
    )  # fmt: skip
    assert found.dtype == dtype
    error = np.linalg.norm(turned(found) - exact, axis=1)
    assert (error <= rtol * np.linalg.norm(exact, axis=1)).all()


def test_one_system_over_the_whole_array_and_a_first_guess() -> None:
    rng = np.random.default_rng(1)
    half = rng.standard_normal((N, 2 * N))
    a, b = half @ half.T, rng.standard_normal((3, 4))
    products = []

    def apply(x: np.ndarray) -> np.ndarray:
        products.append(1)
        return (a @ x.ravel()).reshape(x.shape)

    def solve(**options) -> np.ndarray:
        diagonal = np.diag(a).reshape(3, 4)
        return conjugate_gradients(
            apply, b, diagonal, axis=None, tolerance=1e-10, most_steps=60, **options
        )

    exact = np.linalg.solve(a, b.ravel()).reshape(3, 4)
    np.testing.assert_allclose(solve(), exact, rtol=1e-7)
    products.clear()
    np.testing.assert_allclose(solve(start=exact), exact, rtol=1e-12)
    assert len(products) == 1


def test_a_system_stops_by_itself_to_the_bit() -> None:
    """A neighbor that takes long changes nothing."""
    rng = np.random.default_rng(2)
    a, b = matrices(rng), rng.standard_normal((SYSTEMS, N))
    a[3] = np.eye(N)

    def solve(chosen: slice) -> np.ndarray:
        return conjugate_gradients(
            lambda x: (a[chosen] @ x[..., None])[..., 0], b[chosen], np.ones((1, 1)), axis=1,
            tolerance=1e-6, most_steps=50,
        )  # fmt: skip

    np.testing.assert_array_equal(solve(slice(None))[3], solve(slice(3, 4))[0])
    np.testing.assert_array_equal(solve(slice(3, 4))[0], b[3])


def test_where_the_matrix_is_not_positive_steps_end_and_others_go_on() -> None:
    a = np.stack([np.diag([1.0, 2.0]), np.diag([1.0, -2.0]), -np.eye(2)])
    b = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    found = conjugate_gradients(
        lambda x: (a @ x[..., None])[..., 0], b, np.ones((3, 1)), axis=1,
        tolerance=1e-9, most_steps=50,
    )  # fmt: skip
    np.testing.assert_allclose(found[0], [1.0, 0.5])
    np.testing.assert_array_equal(found[1:], 0.0)


def counted(a: np.ndarray, products: list[int]):
    def apply(x: np.ndarray) -> np.ndarray:
        products.append(1)
        return (a @ x[..., None])[..., 0]

    return apply


def test_as_many_steps_as_there_are_eigenvalues() -> None:
    """Three distinct ones: exact after three products, and not before; most_steps ends it."""
    rng = np.random.default_rng(4)
    vectors, _ = np.linalg.qr(rng.standard_normal((N, N)))
    a = (vectors * np.repeat([1.0, 3.0, 10.0], N // 3)) @ vectors.T
    b = rng.standard_normal((1, N))
    exact = np.linalg.solve(a, b[0])
    for most, close in ((1, False), (2, False), (3, True), (50, True)):
        products: list[int] = []
        found = conjugate_gradients(
            counted(a, products), b, np.ones((1, 1)), axis=1, tolerance=1e-8, most_steps=most
        )
        assert len(products) == min(most, 3)
        assert np.allclose(found[0], exact, rtol=1e-6) == close
        if most == 1:  # the best step along the residual
            np.testing.assert_allclose(found, (b @ b.T) / (b @ a @ b.T) * b, rtol=1e-12)


def test_the_diagonal_is_divided_out() -> None:
    """However units differ: a diagonal matrix is solved in one step, any other as if scaled."""
    rng = np.random.default_rng(5)
    scale = np.geomspace(1e-3, 1e3, N)
    b, products = rng.standard_normal((1, N)), []
    found = conjugate_gradients(
        counted(np.diag(scale), products), b, scale[None], axis=1, tolerance=1e-8, most_steps=50
    )
    np.testing.assert_allclose(found, b / scale, rtol=1e-12)
    assert len(products) == 1
    half = rng.standard_normal((N, 2 * N))
    a = half @ half.T
    plain, scaled = (
        conjugate_gradients(
            lambda x, m=m: (m @ x[..., None])[..., 0], right, d, axis=1, tolerance=1e-3,
            most_steps=50,
        )
        for m, right, d in (
            (a, b, np.diag(a)[None]),
            (a * np.outer(scale, scale), b * scale, (np.diag(a) * scale**2)[None]),
        )
    )  # fmt: skip
    np.testing.assert_allclose(scaled * scale, plain, rtol=1e-8)


@pytest.mark.parametrize("tolerance", [0.3, 1e-2, 1e-5])
@pytest.mark.parametrize("factor", [1.0, 1e-3])
def test_it_ends_as_soon_as_the_residual_is_small(tolerance: float, factor: float) -> None:
    """In the norm of the preconditioner, relative to the right-hand side, and not a step later."""
    rng = np.random.default_rng(6)
    a = matrices(rng)[2]
    b, diagonal, products = factor * rng.standard_normal((1, N)), np.diag(a)[None], []

    def left(found: np.ndarray) -> float:
        r = b - found @ a
        return float(((r**2 / diagonal).sum() / (b**2 / diagonal).sum()) ** 0.5)

    def solve(most: int) -> np.ndarray:
        products.clear()
        return conjugate_gradients(
            counted(a, products), b, diagonal, axis=1, tolerance=tolerance, most_steps=most
        )

    assert left(solve(60)) <= tolerance
    n = len(products)
    assert left(solve(n - 1)) > tolerance
    assert 0 < n < 60
