"""Sums, products and entries over indices: derivatives that vanished or lost a term, code that could not be printed."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from symbackprop.errors import UnsupportedExpressionError
from tests.museum.exhibit import check, kernel, slopes

n, m, N, J = sp.symbols("n m N J", integer=True, positive=True)
i, j, k, e, b = sp.symbols("i j k e b", integer=True)
x, y, z, a, c, A, B, X = (sp.IndexedBase(name) for name in ("x", "y", "z", "a", "c", "A", "B", "X"))
t, u = sp.symbols("t u")
rng = np.random.default_rng(5)


# -- derivatives by entries --------------------------------------------------------------------------------------------


def test_half_of_a_square() -> None:
    """SymPy #9185: `diff(h[j]*h[j]/2, h[i])` raises an error; wanted is h[i]."""
    h = sp.IndexedBase("h")
    values = np.array([1.0, -2.0, 0.5])
    check(kernel(h[j] * h[j] / 2, plain=True), {"h": values}, values**2 / 2, {"h": values}, upstream=np.ones(3))


def test_one_entry() -> None:
    """SymPy #12191: `(2*a[0]).diff(a[0])` raises an error."""
    check(kernel(2 * a[0], plain=True), {"a": np.array([3.0])}, 6.0, {"a": [2.0]})


def test_sum_by_one_entry() -> None:
    """SymPy #12751: `diff(Sum(X[i], (i, 1, N)), X[1])` is a Sum of KroneckerDelta; X[0] is not in the sum."""
    check(
        kernel(sp.Sum(X[i], (i, 1, N)), plain=True),
        {"X": np.array([9.0, 1.0, 2.0, 3.0])},
        6.0,
        {"X": [0.0, 1.0, 1.0, 1.0]},
    )


def test_linear_form_by_an_entry_with_the_bound_name() -> None:
    """SymPy #21891: `Sum(c[i]*x[i], (i, 1, n)).diff(x[i])` is Sum(c[i]), the bound index captures the free one."""
    values = {"c": np.array([0.0, 1.0, 2.0]), "x": np.array([5.0, 6.0, 7.0])}
    check(
        kernel(sp.Sum(c[i] * x[i], (i, 1, n)), plain=True), values, 20.0, {"c": [0.0, 6.0, 7.0], "x": [0.0, 1.0, 2.0]}
    )


def test_polynomial_at_zero() -> None:
    """SymPy #14803 and #30029: d/dt of Sum(b[k]*t**k, (k, 0, n)) holds k*t**k/t, which is nan at t = 0."""
    coefficients = np.array([2.0, 3.0, 5.0, 7.0])
    f = kernel(sp.Sum(a[k] * t**k, (k, 0, n)))
    check(f, {"a": coefficients, "t": 0.0}, 2.0, {"a": [1.0, 0.0, 0.0, 0.0], "t": 3.0})
    check(f, {"a": coefficients, "t": 2.0}, 84.0, {"a": [1.0, 2.0, 4.0, 8.0], "t": 3 + 20 + 84})
    check(f, {"a": coefficients, "t": -1.0}, -3.0, {"a": [1.0, -1.0, 1.0, -1.0], "t": 3 - 10 + 21})


def test_product_over_entries() -> None:
    """SymPy #13994: the derivative of Product(x[j], (j, 1, n)) by x[i] is taken to be independent of i."""
    f = kernel(sp.Product(x[j], (j, 1, n)), plain=True)
    check(f, {"x": np.array([9.0, 2.0, 3.0, 4.0])}, 24.0, {"x": [0.0, 12.0, 8.0, 6.0]})


def test_product_with_zeros() -> None:
    """PyTorch #773 and #82644: the gradient of a product divides by entries that are zero."""
    f = kernel(sp.Product(x[j], (j, 0, n - 1)))
    check(f, {"x": np.array([2.0, 0.0, 4.0])}, 0.0, {"x": [0.0, 8.0, 0.0]})
    check(f, {"x": np.array([0.0, 0.0, 4.0])}, 0.0, {"x": [0.0, 0.0, 0.0]})
    check(f, {"x": np.array([0.0])}, 0.0, {"x": [1.0]})
    check(f, {"x": np.array([-2.0, 3.0])}, -6.0, {"x": [3.0, -2.0]})


def test_products_whose_factors_overflow() -> None:
    """PyTorch #194699: 1e13 and zeros in single precision, gradients multiply infinity by zero; here 1e200."""
    f = kernel(sp.Product(x[j], (j, 0, n - 1)), plain=True)
    big = 1e200
    check(f, {"x": np.array([big, 0.0, 0.0, big, big, 0.0, big])}, 0.0, {"x": np.zeros(7)})


def test_running_products_with_a_zero() -> None:
    """burn #3864, PyTensor #1911 and Theano #5197: the gradient of cumprod at [2, 0, 3, 4] is [1, nan, nan, nan]."""
    f = kernel(sp.Sum(sp.Product(x[j], (j, 0, i)), (i, 0, n - 1)), plain=True)
    check(f, {"x": np.array([2.0, 0.0, 3.0, 4.0])}, 2.0, {"x": [1.0, 32.0, 0.0, 0.0]})
    check(f, {"x": np.array([2.0, 3.0])}, 8.0, {"x": [4.0, 2.0]})


def test_product_of_equal_factors() -> None:
    """SymPy #20848: `diff(Product(x, (y, 1, 5)), x)` stays unevaluated."""
    check(kernel(sp.Product(t, (j, 1, 5)), plain=True), {"t": 3.0}, 243.0, {"t": 405.0})


def test_product_of_sums() -> None:
    """SymPy #13546: Product(n + 1/2**k, (k, 0, n-1)) at n = 2 is 9/2 instead of 15/2."""
    f = kernel(sp.Product(x[k] + sp.Rational(1, 2) ** k, (k, 0, n - 1)), plain=True)
    check(f, {"x": np.array([2.0, 2.0])}, 7.5, {"x": [2.5, 3.0]})


# -- contractions ------------------------------------------------------------------------------------------------------


def test_exponential_of_a_contraction() -> None:
    """SymPy #10266: autowrap drops the loop of exp(B[k]*X[k]) and computes the first entry.

    Here nothing is summed unless it says so: the bare product is a vector, the Sum a number.
    """
    index = sp.Idx("k", n)
    ones = {"B": np.ones(3), "X": np.ones(3)}
    cube = math.exp(3)
    check(
        kernel(sp.exp(sp.Sum(B[index] * X[index], (index, 0, n - 1))), plain=True),
        ones,
        cube,
        {"B": np.full(3, cube), "X": np.full(3, cube)},
    )
    every = np.full(3, math.e)
    check(kernel(sp.exp(B[index] * X[index]), plain=True), ones, every, {"B": every, "X": every}, upstream=np.ones(3))


def test_matrix_times_vector() -> None:
    """SymPy #15229: the NumPy printer writes a[i, j]*x[j] as it stands, and Sum as a loop of Python."""
    row, column = sp.symbols("i j", cls=sp.Idx, range=3)
    matrix = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 5.0], [2.0, 5.0, -1.0]])
    vector, ct = np.array([5.0, 3.0, -2.0]), np.array([1.0, -1.0, 2.0])
    check(
        kernel(sp.Sum(a[row, column] * x[column], column), plain=True),
        {"a": matrix, "x": vector},
        [6.0, -4.0, 27.0],
        {"a": np.outer(ct, vector), "x": matrix.T @ ct},
        upstream=ct,
    )


def test_common_factors_inside_a_sum() -> None:
    """SymPy #27971: lambdify with cse takes sin(x[i]) out of the sum over i. A symbol and an array are named x."""
    last, eps = sp.Symbol("i_m", integer=True, positive=True), sp.Symbol("e", real=True, positive=True)
    term = sp.Indexed("x", i)
    f = kernel(sp.Sum(term + eps * sp.sin(term) + (eps * sp.sin(term)) ** 2, (i, 1, last)), plain=True)
    values = {"x": np.array([5.0, 6.0, 7.0, 8.0, 9.0]), "e": 0.01}

    def by_hand(x: np.ndarray, e: mp.mpf) -> mp.mpf:
        return mp.fsum(entry + e * mp.sin(entry) + (e * mp.sin(entry)) ** 2 for entry in x[1:])

    check(f, values, *slopes(by_hand, values))


def test_sum_times_an_entry_with_the_same_array() -> None:
    """SymPy #28087: x[k]*Sum(M[j, k]*x[j]) becomes an einsum of three operands that gets one."""
    M, vector = sp.IndexedBase("M", shape=(J, J)), sp.IndexedBase("x", shape=(J,))
    matrix, values, ct = rng.standard_normal((3, 3)), *rng.standard_normal((2, 3))
    check(
        kernel(vector[k] * sp.Sum(M[j, k] * vector[j], (j, 0, J - 1)), plain=True),
        {"M": matrix, "x": values},
        values * (matrix.T @ values),
        {"M": np.outer(values, values * ct), "x": ct * (matrix.T @ values) + matrix @ (ct * values)},
        upstream=ct,
    )


def test_double_sum() -> None:
    """SymPy #10934: lambdify of Sum(a[i, j], (i, 0, 1), (j, 0, 1)) recurses without end."""
    grid = np.array([[1.0, 2.0], [3.0, 4.0]])
    check(kernel(sp.Sum(a[i, j], (i, 0, 1), (j, 0, 1)), plain=True), {"a": grid}, 10.0, {"a": np.ones((2, 2))})


def test_inner_bound_that_depends_on_the_outer_index() -> None:
    """SymPy #27112 (pull request #27155): loops of a double sum were printed in the wrong order."""
    grid = rng.standard_normal((4, 4))
    check(
        kernel(sp.Sum(A[i, j] ** 2, (i, 0, j), (j, 0, n - 1)), plain=True),
        {"A": grid},
        (np.triu(grid) ** 2).sum(),
        {"A": 2 * np.triu(grid)},
    )


def test_inner_bound_above_the_outer_index() -> None:
    """SymPy #15767: of two ways to write the sum of g[k]*g[l] over k < l <= K, doit expands one, not the other."""
    g, low, high = sp.IndexedBase("g"), *sp.symbols("k l", cls=sp.Idx)
    nested = sp.Sum(g[low] * sp.Sum(g[high], (high, low + 1, N)), (low, 0, N))
    for expr in (nested, sp.Sum(g[low] * g[high], (high, low + 1, N), (low, 0, N))):
        check(kernel(expr, plain=True), {"g": np.array([2.0, 3.0, 5.0])}, 31.0, {"g": [8.0, 7.0, 5.0]})


def test_bounds_from_the_index() -> None:
    """SymPy #7910, #9594 and #9635: Sum takes no Idx; with a range it needs no other bounds."""
    index, values = sp.Idx("i", (1, 4)), np.array([9.0, 1.0, 2.0, 3.0, 4.0])
    expected = (10.0, {"A": [0.0, 1.0, 1.0, 1.0, 1.0]})
    check(kernel(sp.Sum(A[index], index), plain=True), {"A": values}, *expected)
    check(kernel(sp.Sum(sp.Indexed("A", index), (index, 1, 4)), plain=True), {"A": values}, *expected)


def test_index_with_a_backslash() -> None:
    r"""SymPy #21453: lambdify fails for a Sum over the index \alpha."""
    index = sp.Idx(r"\alpha")
    check(
        kernel(sp.Sum(z[index], (index, 0, 9)), plain=True),
        {"z": np.arange(10.0)},
        45.0,
        {"z": np.ones(10)},
    )


def test_index_as_an_argument() -> None:
    """SymPy #26888: `lambdify([X, i], X[i])` with an Idx fails since 1.13."""
    index = sp.Idx("i")
    unit = np.zeros(10)
    unit[3] = 1
    check(kernel(X[index], inputs=[X, index], plain=True), (np.arange(10.0) + 1, 3), 4.0, {"X": unit})


def test_two_free_indices() -> None:
    """SymPy #22867: J[a] + 2*J[i] cannot be assigned, its indices are called inconsistent."""
    array = sp.IndexedBase("J")
    first, second = sp.Idx("a", (1, 4)), sp.Idx("i", (1, 4))
    values, ct = np.arange(5.0) ** 2, rng.standard_normal((4, 4))
    part = values[1:]
    slope = np.zeros(5)
    slope[1:] = ct.sum(1) + 2 * ct.sum(0)
    check(
        kernel(array[first] + 2 * array[second], plain=True),
        {"J": values},
        part[:, None] + 2 * part,
        {"J": slope},
        upstream=ct,
    )


def test_quotient_of_differences() -> None:
    """SymPy #13954: fcode finds no loop bounds for (y[i+1] - y[i])/(t[i+1] - t[i])."""
    times = sp.IndexedBase("t")
    index = sp.Idx("i", 4)
    ys, ts, ct = (
        np.array([1.0, 4.0, 9.0, 16.0, 25.0]),
        np.array([0.0, 1.0, 3.0, 4.0, 6.0]),
        np.array([1.0, 2.0, 0.0, -1.0]),
    )
    dy, dt = np.diff(ys), np.diff(ts)

    def ends(slope: np.ndarray) -> np.ndarray:
        return np.append(0.0, slope) - np.append(slope, 0.0)

    check(
        kernel((y[index + 1] - y[index]) / (times[index + 1] - times[index]), plain=True),
        {"y": ys, "t": ts},
        dy / dt,
        {"y": ends(ct / dt), "t": ends(-ct * dy / dt**2)},
        upstream=ct,
    )


def test_share_of_a_total() -> None:
    """SymPy #24352: log(S[s]/Sum(S[s], s)), free and bound index of one name, cannot be printed as C."""
    index = sp.Idx("sp", 10)
    share = sp.IndexedBase("S")[index]
    values, ct = np.arange(1.0, 11.0), rng.standard_normal(10)
    check(
        kernel(sp.log(share / sp.Sum(share, index)), plain=True),
        {"S": values},
        np.log(values / 55),
        {"S": ct / values - ct.sum() / 55},
        upstream=ct,
    )


def test_sums_over_numbers() -> None:
    """SymPy #10194, #12313 and #12356: code printers cannot print Sum(k, (k, 0, 9)) or a Sum over an array."""
    check(kernel(t * sp.Sum(k, (k, 0, 9)), plain=True), {"t": 2.0}, 90.0, {"t": 45.0})
    matrix, vector = np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0, 3.0])
    row, column = sp.Idx("i", m), sp.Idx("j", n)
    check(
        kernel(sp.Sum(A[row, column] * x[column], column), plain=True),
        {"A": matrix, "x": vector},
        matrix @ vector,
        {"A": [vector, vector], "x": matrix.sum(0)},
        upstream=np.ones(2),
    )


def test_growth_of_log_sums() -> None:
    """SymPy #20523: the derivative of differences of log(Sum(exp(sigmoid(y[b, e])*z[b, e]))) has spurious symbols."""
    last, width = sp.symbols("B E", integer=True, positive=True)

    def log_sum(row: sp.Expr) -> sp.Expr:
        return sp.log(sp.Sum(sp.exp(z[row, e] / (1 + sp.exp(-y[row, e]))), (e, 1, width)))

    f = kernel(sp.Sum(log_sum(b + 1) - log_sum(b), (b, 1, last - 1)), plain=True)
    values = {"y": rng.standard_normal((4, 3)), "z": rng.standard_normal((4, 3))}

    def by_hand(y: np.ndarray, z: np.ndarray) -> mp.mpf:
        rows = [mp.log(mp.fsum(mp.exp(z[r, s] / (1 + mp.exp(-y[r, s]))) for s in range(1, 3))) for r in range(1, 4)]
        return mp.fsum(later - earlier for earlier, later in itertools.pairwise(rows))

    check(f, values, *slopes(by_hand, values))


def test_diagonal_through_an_integer_array() -> None:
    """PyTensor #2387: the gradient of X[idx, idx].sum() drops axes when it scatters back."""
    index = sp.IndexedBase("idx", integer=True)
    grid = rng.standard_normal((3, 3))
    check(
        kernel(sp.Sum(X[index[k], index[k]], (k, 0, n - 1)), plain=True),
        {"X": grid, "idx": np.array([0, 2, 2])},
        grid[0, 0] + 2 * grid[2, 2],
        {"X": np.diag([1.0, 0.0, 2.0])},
    )


# -- Kronecker's delta and conditions on indices -----------------------------------------------------------------------


def test_delta_times_two_factors() -> None:
    """SymPy pull request #28950: Sum(KroneckerDelta(i, j)*A[j]*B[j], j) was contracted to a number."""
    row, column = sp.Idx("i", n), sp.Idx("j", n)
    first, second, ct = rng.standard_normal((3, 4))
    check(
        kernel(sp.Sum(sp.KroneckerDelta(row, column) * A[column] * B[column], (column, 0, n - 1)), plain=True),
        {"A": first, "B": second},
        first * second,
        {"A": ct * second, "B": ct * first},
        upstream=ct,
    )


def test_nested_sum_of_deltas() -> None:
    """SymPy #12418 and #12750: sums of KroneckerDelta stay as they are; with a matrix they are its trace."""
    grid = rng.standard_normal((3, 3))
    inner = sp.Sum(sp.KroneckerDelta(i, j) * A[i, j], (i, 0, n - 1))
    check(kernel(sp.Sum(inner, (j, 0, n - 1)), plain=True), {"A": grid}, np.trace(grid), {"A": np.eye(3)})
    pieces = sp.Sum(sp.Piecewise((A[i, j], sp.Eq(i, j)), (0, True)), (i, 0, n - 1), (j, 0, n - 1))
    check(kernel(pieces, plain=True), {"A": grid}, np.trace(grid), {"A": np.eye(3)})


def test_delta_with_a_range() -> None:
    """SymPy #25861: KroneckerDelta(i, j, (0, n - 1)) cannot be differentiated, the range is in the way."""
    values = rng.standard_normal((2, 3))
    check(
        kernel(sp.Sum(sp.KroneckerDelta(i, j, (0, n - 1)) * x[i] * y[j], (i, 0, n - 1), (j, 0, n - 1)), plain=True),
        {"x": values[0], "y": values[1]},
        values[0] @ values[1],
        {"x": values[1], "y": values[0]},
    )


def test_delta_under_a_condition() -> None:
    """SymPy #27359: simplifying -Sum(Piecewise((KroneckerDelta(i, j), x[i] > 0), (0, True))) leaves i free."""
    pieces = sp.Piecewise((sp.KroneckerDelta(i, j) * x[i], x[i] > 0), (0, True))
    f = kernel(-sp.Sum(pieces, (i, 0, n - 1)), inputs=[x, j], plain=True)
    check(f, (np.array([2.0, -3.0]), 0), -2.0, {"x": [-1.0, 0.0]})
    check(f, (np.array([2.0, -3.0]), 1), 0.0, {"x": [0.0, 0.0]})


def test_condition_on_the_index() -> None:
    """SymPy #29794 (pull request #29795): -Sum of i**2 for i >= 174/25 simplifies to a Piecewise in i.

    By hand 49 + 64 + 81 + 100 + 121 + 144 = 559.
    """
    pieces = sp.Piecewise((i**2, i >= sp.Rational(174, 25)), (0, True))
    check(kernel(-t * sp.Sum(pieces, (i, 0, 12)), plain=True), {"t": 1.0}, -559.0, {"t": -559.0})


def test_infinite_sum_is_refused() -> None:
    """SymPy #27932: lambdify of Sum(1/x**y, (x, 1, oo)) counts to infinity."""
    with pytest.raises(UnsupportedExpressionError, match=r"Sum|Infinity"):
        kernel(sp.Sum(1 / k**t, (k, 1, sp.oo)))


def test_undefined_function_of_an_index_is_refused() -> None:
    """SymPy #6967: the derivative of Sum(-q(i)*z(i)/k) by z(i) was 0; an undefined function has no value here."""
    q = sp.Function("q")
    with pytest.raises(UnsupportedExpressionError, match="q"):
        kernel(sp.Sum(-q(i) * z[i] / k, (i, 1, m)))
