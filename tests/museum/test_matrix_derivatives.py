"""Derivatives by matrices that came out as zero, wrong, or as an error."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symbackprop.errors import ShapeError
from tests.museum.exhibit import check, kernel

m, n, k = sp.symbols("m n k", integer=True, positive=True)
rng = np.random.default_rng(3)


def square(name: str) -> sp.MatrixSymbol:
    return sp.MatrixSymbol(name, 3, 3)


M3, N3 = rng.standard_normal((2, 3, 3))


def test_trace_plus_a_number() -> None:
    """SymPy #26561: `(Trace(E)**2 + 1).diff(E)` is 0, without the 1 it is right."""
    E = square("E")
    tr = np.trace(M3)
    check(kernel(sp.Trace(E) ** 2 + 1), {"E": M3}, tr**2 + 1, {"E": 2 * tr * np.eye(3)})
    check(kernel(sp.Trace(E) + 1, plain=True), {"E": M3}, tr + 1, {"E": np.eye(3)})


def test_first_invariant_minus_three() -> None:
    """SymPy #25118: the strain energy `Trace(F.T*F) - 3` has derivative 0 instead of 2F."""
    F = square("F")
    check(kernel(sp.Trace(F.T * F) - 3, plain=True), {"F": M3}, (M3**2).sum() - 3, {"F": 2 * M3})


def test_sum_of_two_traces() -> None:
    """SymPy #27406: `diff(Trace(A.T*A) + Trace(B.T*B), A)` is 0."""
    A, B = sp.MatrixSymbol("A", k, k), sp.MatrixSymbol("B", k, k)
    expr = sp.Trace(A.T * A) + sp.Trace(B.T * B)
    check(kernel(expr, plain=True), {"A": M3, "B": N3}, (M3**2).sum() + (N3**2).sum(), {"A": 2 * M3, "B": 2 * N3})


def test_sum_of_two_norms() -> None:
    """SymPy #26585: the regularised factorisation `||A - UV||^2/2 + ||U||^2/2` has derivative 0 by U."""
    A, U, V = sp.MatrixSymbol("A", n, m), sp.MatrixSymbol("U", n, k), sp.MatrixSymbol("V", k, m)

    def half(e: sp.MatrixExpr) -> sp.Expr:
        return 0.5 * sp.Trace(e.T * e)

    a, u, v = rng.standard_normal((4, 3)), rng.standard_normal((4, 2)), rng.standard_normal((2, 3))
    miss = a - u @ v
    check(
        kernel(half(A - U * V) + half(U)),
        {"A": a, "U": u, "V": v},
        ((miss**2).sum() + (u**2).sum()) / 2,
        {"A": miss, "U": u - miss @ v.T, "V": -u.T @ miss},
    )


def test_an_entry_by_its_matrix() -> None:
    """SymPy #17229: `M[1, 1].diff(M)` is 0, and the unit matrix only for the explicit form."""
    unit = np.zeros((3, 3))
    unit[1, 1] = 1
    check(kernel(square("M")[1, 1], plain=True), {"M": M3}, M3[1, 1], {"M": unit})


def test_scalar_inside_a_trace() -> None:
    """SymPy #24725: d/dm of `Trace(d.T*d)` with d = x - m*1 fails, and `Trace(x.T*w) + b` has derivative 0 by w."""
    x, w = sp.MatrixSymbol("x", n, 1), sp.MatrixSymbol("w", n, 1)
    mu, b = sp.symbols("mu b")
    d = x - mu * sp.OneMatrix(n, 1)
    xs, ws = rng.standard_normal((2, 4))
    off = xs - 0.3
    check(
        kernel(sp.Trace(d.T * d), plain=True),
        {"x": xs, "mu": 0.3},
        off @ off,
        {"x": 2 * off, "mu": -2 * off.sum()},
    )
    check(
        kernel(sp.Trace(x.T * w) + b, plain=True),
        {"x": xs, "w": ws, "b": 2.0},
        xs @ ws + 2,
        {"x": ws, "w": xs, "b": 1.0},
    )


def test_trace_of_a_square_beside_a_trace() -> None:
    """SymPy #23492: `trace(A) + trace(A**2)` has derivative 0; `A + eye(3)` recurses without end."""
    A = square("A")
    check(
        kernel(sp.trace(A) + sp.trace(A**2), plain=True),
        {"A": M3},
        np.trace(M3) + np.trace(M3 @ M3),
        {"A": np.eye(3) + 2 * M3.T},
    )
    check(kernel(A + sp.eye(3), plain=True), {"A": M3}, M3 + np.eye(3), {"A": N3}, upstream=N3)


def test_squared_trace_of_a_difference() -> None:
    """SymPy #30527: `trace(Identity(3) - A)**2` has derivative 0."""
    A = square("A")
    off = 3 - np.trace(M3)
    check(kernel(sp.trace(sp.Identity(3) - A) ** 2, plain=True), {"A": M3}, off**2, {"A": -2 * off * np.eye(3)})


def test_trace_of_a_power_times_a_matrix() -> None:
    """SymPy #15136: the derivative of `Trace(X**2*B)` came out as (I + X')B'(I + X')."""
    X, B = square("X"), square("B")
    check(
        kernel(sp.Trace(X**2 * B), wrt=[X], plain=True),
        {"X": M3, "B": N3},
        np.trace(M3 @ M3 @ N3),
        {"X": (M3 @ N3 + N3 @ M3).T},
    )


def test_trace_derivatives_with_extra_factors() -> None:
    """SymPy #15614: `diff(Trace(X*A), X)` was 3A' and `diff(Trace(X.T*A*X), X)` 6A'X + 12AX for 3 x 3 matrices."""
    A, X = square("A"), square("X")
    check(kernel(sp.Trace(X * A), wrt=[X], plain=True), {"A": N3, "X": M3}, np.trace(M3 @ N3), {"X": N3.T})
    check(
        kernel(sp.Trace(X.T * A * X), wrt=[X], plain=True),
        {"A": N3, "X": M3},
        np.trace(M3.T @ N3 @ M3),
        {"X": (N3 + N3.T) @ M3},
    )


def test_two_traces_of_squared_differences() -> None:
    """CasADi #4140 (a SymPy defect, filed there): one squared distance differentiates, the sum of two gives 0."""
    x, b, A, P = (sp.MatrixSymbol(name, m, m) for name in ("x", "b", "A", "A_k"))
    expr = sp.trace((x - b).T * (x - b)) + sp.trace((A - P).T * (A - P))
    values = dict(zip(("x", "b", "A", "A_k"), rng.standard_normal((4, 2, 2)), strict=True))
    near, far = values["x"] - values["b"], values["A"] - values["A_k"]
    check(
        kernel(expr, plain=True),
        values,
        (near**2).sum() + (far**2).sum(),
        {"x": 2 * near, "b": -2 * near, "A": 2 * far, "A_k": -2 * far},
    )


def test_trace_times_a_matrix() -> None:
    """SymPy #15667: `(Trace(A)*A).diff(A)` was the matrix Trace(A)*I + A', where four indices are needed."""
    A = square("A")
    check(
        kernel(sp.Trace(A) * A, plain=True),
        {"A": M3},
        np.trace(M3) * M3,
        {"A": np.trace(M3) * N3 + (M3 * N3).sum() * np.eye(3)},
        upstream=N3,
    )


def test_two_forms_added() -> None:
    """SymPy #16613 and #16606: `w'XX'w + y'X'w` raises a TypeError, though each term has a derivative."""
    X, y, w = sp.MatrixSymbol("X", 3, 5), sp.MatrixSymbol("y", 5, 1), sp.MatrixSymbol("w", 3, 1)
    matrix, right, left = rng.standard_normal((3, 5)), rng.standard_normal(5), rng.standard_normal(3)
    check(
        kernel(w.T * X * X.T * w + y.T * X.T * w, wrt=[w], plain=True),
        {"X": matrix, "y": right, "w": left},
        left @ matrix @ matrix.T @ left + right @ matrix.T @ left,
        {"w": 2 * matrix @ matrix.T @ left + matrix @ right},
    )


def test_a_vector_times_its_own_norm() -> None:
    """SymPy #16504: `diff(x*x.T*x, x)` adds terms of shapes (n, 1, n, 1) and (n, 1, 1, n)."""
    x = sp.MatrixSymbol("x", n, 1)
    xs, ct = rng.standard_normal((2, 4))
    check(
        kernel(x * x.T * x, plain=True),
        {"x": xs},
        xs * (xs @ xs),
        {"x": ct * (xs @ xs) + 2 * xs * (ct @ xs)},
        upstream=ct,
    )


def test_least_squares_by_the_matrix() -> None:
    """SymPy #23423: the derivative of |x - Theta*X|^2 by Theta stays an array; one name ends in a comma."""
    Theta, X, x = sp.MatrixSymbol("Theta", 3, 4), sp.MatrixSymbol("X_k", 4, 1), sp.MatrixSymbol("x_k+1,", 3, 1)
    miss = x - Theta * X
    grid, state, target = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal(3)
    f = kernel(miss.T * miss, inputs=[Theta, X, x], plain=True)
    off = target - grid @ state
    value, grads = f.value_and_grad(grid, state, target)
    np.testing.assert_allclose(value, off @ off, rtol=1e-13)
    for found, expected in zip(grads.values(), (-2 * np.outer(off, state), -2 * grid.T @ off, 2 * off), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_quadratic_model() -> None:
    """SymPy #9840: f = x'Hx/2 + c'x had no diff by x, hence no Hessian."""
    H, x, c = square("H"), sp.MatrixSymbol("x", 3, 1), sp.MatrixSymbol("c", 3, 1)
    xs, cs = rng.standard_normal((2, 3))
    check(
        kernel(sp.Rational(1, 2) * x.T * H * x + c.T * x, plain=True),
        {"H": M3, "x": xs, "c": cs},
        xs @ M3 @ xs / 2 + cs @ xs,
        {"H": np.outer(xs, xs) / 2, "x": (M3 + M3.T) @ xs / 2 + cs, "c": xs},
    )


def test_moving_point() -> None:
    """SymPy #10989: `v*t + r` could be differentiated neither by r nor by v, and stayed a Derivative by t."""
    v, r, t = sp.MatrixSymbol("v", 3, 1), sp.MatrixSymbol("r", 3, 1), sp.Symbol("t")
    vs, rs, ct = rng.standard_normal((3, 3))
    check(
        kernel(v * t + r, plain=True),
        {"v": vs, "r": rs, "t": 2.0},
        2 * vs + rs,
        {"v": 2 * ct, "r": ct, "t": ct @ vs},
        upstream=ct,
    )


def test_scaled_matrix_squared() -> None:
    """SymPy #23364: `diff((l*Q)*(l*Q), l)` raises a TypeError; `l*Q*l*Q` works."""
    Q, q = sp.MatrixSymbol("X", 4, 4), sp.Symbol("q")
    matrix, ct = rng.standard_normal((2, 4, 4))
    twice = matrix @ matrix
    check(
        kernel((q * Q) * (q * Q), wrt=[q], plain=True),
        {"X": matrix, "q": 0.7},
        0.49 * twice,
        {"q": 1.4 * (ct * twice).sum()},
        upstream=ct,
    )


def test_entry_of_an_unevaluated_sum() -> None:
    """SymPy #24859: `MatrixElement(A + x*B, 0, 0).diff(x)` is 0, after `.doit()` it is B[0, 0]."""
    A, B, x = square("A"), square("B"), sp.Symbol("x")
    corner = np.zeros((3, 3))
    corner[0, 0] = 1
    check(
        kernel(sp.matrices.expressions.matexpr.MatrixElement(A + x * B, 0, 0), plain=True),
        {"A": M3, "B": N3, "x": 0.4},
        M3[0, 0] + 0.4 * N3[0, 0],
        {"A": corner, "B": 0.4 * corner, "x": N3[0, 0]},
    )


def test_transposed_product_by_its_vector() -> None:
    """SymPy #5858: `diff(A.T*x, x)` was A', the Cookbook says A."""
    A, x = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("x", n, 1)
    xs, ct = rng.standard_normal((2, 3))
    f = kernel(A.T * x, plain=True)
    check(f, {"A": M3, "x": xs}, M3.T @ xs, {"A": np.outer(xs, ct), "x": M3 @ ct}, upstream=ct)


def test_power_of_a_matrix() -> None:
    """SymPy #15650: derivatives by the base of a matrix power come out as if the power were entrywise."""
    A = square("A")
    check(
        kernel(A**3, plain=True),
        {"A": M3},
        M3 @ M3 @ M3,
        {"A": M3.T @ M3.T @ N3 + M3.T @ N3 @ M3.T + N3 @ M3.T @ M3.T},
        upstream=N3,
    )


def test_exponential_of_a_product_is_refused() -> None:
    """SymPy #17972: `diff(exp(A*B), A)` stops in the middle; here the mistake is named before anything runs."""
    A, B = square("A"), square("B")
    with pytest.raises(ShapeError, match="exp needs scalars"):
        kernel(sp.exp(A * B, evaluate=False))


# -- entrywise functions and layers ------------------------------------------------------------------------------------


def test_entrywise_function_of_a_product() -> None:
    """SymPy #21062: `(M*x).applyfunc(exp)` cannot be differentiated by x, `x.applyfunc(exp)` can."""
    M, x = sp.MatrixSymbol("M", m, n), sp.MatrixSymbol("x", n, 1)
    matrix, xs, ct = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal(3)
    out = np.exp(matrix @ xs)
    check(
        kernel((M * x).applyfunc(sp.exp)),
        {"M": matrix, "x": xs},
        out,
        {"M": np.outer(ct * out, xs), "x": matrix.T @ (ct * out)},
        upstream=ct,
    )


def test_entrywise_function_between_products() -> None:
    """SymPy #16588: the derivative of `a'*sin.(A*X*B)*b` by X is a contraction of three indices, left unrecognised."""
    A, X, B, a, b = square("A"), square("X"), square("B"), sp.MatrixSymbol("a", 3, 1), sp.MatrixSymbol("b", 3, 1)
    left, middle, right = rng.standard_normal((3, 3, 3))
    u, v = rng.standard_normal((2, 3))
    inner = left @ middle @ right
    check(
        kernel(a.T * (A * X * B).applyfunc(sp.sin) * b, wrt=[X], plain=True),
        {"A": left, "X": middle, "B": right, "a": u, "b": v},
        u @ np.sin(inner) @ v,
        {"X": left.T @ (np.cos(inner) * np.outer(u, v)) @ right.T},
    )


def test_one_layer_with_a_squared_loss() -> None:
    """SymPy #21347: back-propagation through `(a - y)'(a - y)/2` with a = sigmoid(Wx + b) cannot be derived."""
    W, x = sp.MatrixSymbol("W", k, n), sp.MatrixSymbol("x", n, 1)
    b, y = sp.MatrixSymbol("b", k, 1), sp.MatrixSymbol("y", k, 1)
    z = sp.Dummy("z")
    a = (W * x + b).applyfunc(sp.Lambda(z, 1 / (1 + sp.exp(-z))))
    weights, bias, vector, target = rng.standard_normal((3, 4)), *rng.standard_normal((3, 4))
    bias, target = bias[:3], target[:3]
    out = 1 / (1 + np.exp(-(weights @ vector + bias)))
    delta = (out - target) * out * (1 - out)
    check(
        kernel((a - y).T * (a - y) / 2),
        {"W": weights, "x": vector, "b": bias, "y": target},
        ((out - target) ** 2).sum() / 2,
        {"W": np.outer(delta, vector), "x": weights.T @ delta, "b": delta, "y": target - out},
    )


def test_entrywise_product_with_a_product() -> None:
    """SymPy #17138: lambdify of HadamardProduct(A*B, A) is a syntax error."""
    A, B = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("B", n, n)
    ct = rng.standard_normal((3, 3))
    check(
        kernel(sp.HadamardProduct(A * B, A), plain=True),
        {"A": M3, "B": N3},
        (M3 @ N3) * M3,
        {"A": (ct * M3) @ N3.T + ct * (M3 @ N3), "B": M3.T @ (ct * M3)},
        upstream=ct,
    )


def test_kronecker_product_of_columns() -> None:
    """SymPy #15580: `X*KroneckerProduct(A1, A2)` with symbolic sizes cannot be written as a sum over indices."""
    X, A1, A2 = sp.MatrixSymbol("X", 1, n * m), sp.MatrixSymbol("A1", n, 1), sp.MatrixSymbol("A2", m, 1)
    row, first, second = rng.standard_normal(6), rng.standard_normal(3), rng.standard_normal(2)
    grid = row.reshape(3, 2)
    check(
        kernel(X * sp.KroneckerProduct(A1, A2), plain=True),
        {"X": row[None], "A1": first, "A2": second},
        row @ np.kron(first, second),
        {"X": np.kron(first, second)[None], "A1": grid @ second, "A2": grid.T @ first},
    )


def test_slice_of_a_slice() -> None:
    """PyTensor #1292: the gradient of x[1:][-1] builds two zero arrays and adds into one after the other."""
    x = sp.MatrixSymbol("x", 4, 1)
    check(
        kernel(x[1:, :][2, 0], plain=True),
        {"x": np.array([1.0, 2.0, 3.0, 4.0])},
        4.0,
        {"x": np.array([0.0, 0.0, 0.0, 1.0])},
    )


def test_first_entry_of_a_vector() -> None:
    """CasADi #1025: the derivative of a function that returns one entry of a vector of ten fails an assertion."""
    unit = np.zeros(10)
    unit[0] = 1
    values = rng.standard_normal(10)
    check(kernel(sp.MatrixSymbol("X", 10, 1)[0, 0], plain=True), {"X": values}, values[0], {"X": unit})
