"""Determinants and norms of matrices inside scalars: refused, unevaluated, or nan where the matrix is singular."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy as sp

from tests.museum.exhibit import check, kernel

n = sp.symbols("n", integer=True, positive=True)
rng = np.random.default_rng(11)
inv, det = np.linalg.inv, np.linalg.det


def square(name: str) -> sp.MatrixSymbol:
    return sp.MatrixSymbol(name, 3, 3)


M3 = rng.standard_normal((3, 3))
REGULAR = rng.standard_normal((3, 3)) + 3 * np.eye(3)


def test_log_of_a_determinant() -> None:
    """SymPy #28618: `log(A.det()).diff(A)` fails; before 2025 it was 0."""
    A = square("A")
    check(kernel(sp.log(A.det()), plain=True), {"A": REGULAR}, np.log(det(REGULAR)), {"A": inv(REGULAR).T})


def test_determinant_inside_scalars() -> None:
    """SymPy #28838: `k*Determinant(X)` and `1/Determinant(X)` cannot be differentiated, `k + Determinant(X)` can."""
    X, scale = square("X"), sp.Symbol("k")
    size, back = det(REGULAR), inv(REGULAR).T
    values = {"X": REGULAR, "k": 1.5}
    check(kernel(scale * sp.Determinant(X), plain=True), values, 1.5 * size, {"X": 1.5 * size * back, "k": size})
    check(kernel(1 / sp.Determinant(X), plain=True), {"X": REGULAR}, 1 / size, {"X": -back / size})
    check(kernel(scale + sp.Determinant(X), plain=True), values, 1.5 + size, {"X": size * back, "k": 1.0})


def test_determinant_by_a_scalar() -> None:
    """SymPy #15649 and pull request #28623: `Determinant(k*A).diff(k)` stays unevaluated."""
    A, scale = square("A"), sp.Symbol("k")
    size = det(REGULAR)
    check(
        kernel(sp.Determinant(scale * A), wrt=[scale], plain=True),
        {"A": REGULAR, "k": 1.5},
        1.5**3 * size,
        {"k": 3 * 1.5**2 * size},
    )


def test_determinant_of_powers() -> None:
    """SymPy pull requests #28705 and #28718: `Determinant(A**j)` with j = 3, 0 and -1 raises NotImplementedError."""
    A = square("A")
    size, back = det(REGULAR), inv(REGULAR).T
    for power in (3, -1):
        check(
            kernel(sp.Determinant(A**power), plain=True),
            {"A": REGULAR},
            size**power,
            {"A": power * size**power * back},
            rtol=1e-11,
        )
    scale = sp.Symbol("k")
    flat = kernel(scale * sp.Determinant(sp.MatPow(A, 0)), plain=True)
    check(flat, {"A": REGULAR, "k": 1.5}, 1.5, {"k": 1.0})


def test_frobenius_norm() -> None:
    """SymPy #28615: the derivative of `sqrt(Trace(A.T*A))` raises a TypeError about 'Half'. At 0 it is 0 here."""
    norm = kernel(sp.sqrt(sp.Trace(square("A").T * square("A"))))
    size = np.sqrt((M3**2).sum())
    check(norm, {"A": M3}, size, {"A": M3 / size})
    check(norm, {"A": np.zeros((3, 3))}, 0.0, {"A": np.zeros((3, 3))})


def test_determinant_of_singular_matrices() -> None:
    """JAX #2380: nan at the zero matrix. PyTorch #104675 and #80761: zeros at [[0, 1], [0, 1]] and at [[0]].

    The gradient is the matrix of cofactors, worked out by hand; it exists at every matrix.
    """
    A = sp.MatrixSymbol("A", n, n)
    minor = kernel(sp.Determinant(A), plain=True)
    check(minor, {"A": np.zeros((4, 4))}, 0.0, {"A": np.zeros((4, 4))})
    check(minor, {"A": np.array([[0.0, 1.0], [0.0, 1.0]])}, 0.0, {"A": [[1.0, 0.0], [-1.0, 0.0]]})
    check(minor, {"A": np.array([[0.0]])}, 0.0, {"A": [[1.0]]})
    check(minor, {"A": np.array([[0.1]])}, 0.1, {"A": [[1.0]]})
    check(minor, {"A": np.array([[1.0, 2.0], [2.0, 4.0]])}, 0.0, {"A": [[4.0, -2.0], [-2.0, 1.0]]}, rtol=1e-9)
    rank_two = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    cofactors = [[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]]
    check_singular(minor, rank_two, cofactors)


def check_singular(minor: Any, matrix: np.ndarray, cofactors: list[list[float]]) -> None:
    """Check a determinant whose elimination rounds: the value is 0 up to rounding, the cofactors are not small."""
    value, grads = minor.value_and_grad(matrix)
    assert abs(value) < 1e-12
    np.testing.assert_allclose(grads["A"], cofactors, rtol=0, atol=1e-8)


def test_log_of_a_tiny_determinant() -> None:
    """PyTorch #18448 and #18450: logdet of eye(512)/500000 is -inf, as the determinant underflows."""
    A = sp.MatrixSymbol("A", n, n)
    f = kernel(sp.log(sp.Determinant(A)))
    check(f, {"A": np.eye(64) * 1e-10}, 64 * math.log(1e-10), {"A": np.eye(64) * 1e10})
