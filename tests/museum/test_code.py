"""Expressions no printer could write down: names, matrices, programs, sizes."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from sympy.codegen.ast import Assignment

from symbackprop.errors import ShapeError, UnsupportedExpressionError
from tests.museum.exhibit import assert_close, check, kernel, slopes

x, y, t, a, b = sp.symbols("x y t a b")
n, m = sp.symbols("n m", integer=True, positive=True)
rng = np.random.default_rng(7)
inv = np.linalg.inv


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "reference"),
    [
        (r"\alpha", r"\beta_{0}", "SymPy #7249"),
        ("x_{1}", "x_2", "SymPy #23374"),
        ("P_X^*", "P_X", "SymPy #18636"),
        ("lambda", "def", "SymPy #12463"),
        ("R2.3(0)", "C5", "SymPy #27019"),
        ("exp", "math", "SymPy #12463, names of the printed module"),
        ("_Dummy_1", "out", "SymPy #12463, names the printer uses itself"),
    ],
    ids=lambda name: name,
)
def test_names_that_are_no_identifiers(first: str, second: str, reference: str) -> None:
    """SymPy #7249, #12463, #18636, #23374, #27019: LaTeX names, keywords and taken names break generated code."""
    assert reference
    u, v = sp.Symbol(first), sp.Symbol(second)
    value, grads = kernel(sp.cos(u**2 + v) * sp.exp(v), inputs=[u, v]).value_and_grad(0.5, -0.25)
    assert value == pytest.approx(math.exp(-0.25), rel=1e-15)
    assert list(grads.values()) == [0.0, pytest.approx(math.exp(-0.25), rel=1e-15)]


def test_matrix_with_braces_in_its_name() -> None:
    """SymPy #15009: lambdify takes a symbol {x} and a matrix v, but no matrix {v}."""
    v = sp.MatrixSymbol("{v}", 2, 1)
    value, grads = kernel(v.T * v, plain=True).value_and_grad(np.array([1.0, 2.0]))
    assert value == 5.0
    assert_close(next(iter(grads.values())), [2.0, 4.0])


def test_name_of_a_common_subexpression() -> None:
    """SymPy #25043: with cse a symbol x0, real, is mistaken for the printer's own x0: 256 instead of 16."""
    c, v = sp.symbols("c"), sp.symbols("x0", real=True)
    check(kernel(c * v**2 + c * (v**4 - v**2)), {"c": 1.0, "x0": 2.0}, 16.0, {"c": 16.0, "x0": 32.0})


def test_braces_do_not_change_the_order_of_a_product() -> None:
    """SymPy #20883: with A_{whatever} instead of A, lambdify of A*Matrix([x1, x2, x3]) multiplies the wrong way."""
    A, entries = sp.MatrixSymbol("A_{whatever}", 3, 3), sp.symbols("x1 x2 x3")
    grid, point, ct = rng.standard_normal((3, 3)), np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 2.0])
    f = kernel(A * sp.Matrix(entries), inputs=[*entries, A], plain=True)
    value, residuals = f.fprop(*point, grid)
    assert_close(value, (grid @ point)[:, None])
    *slope, by_matrix = f.bprop(residuals, ct[:, None]).values()
    assert_close(slope, grid.T @ ct)
    assert_close(by_matrix, np.outer(ct, point))


def test_dummies_of_one_name() -> None:
    """SymPy #9326 and #25288: two Dummy symbols of one name are told apart by identity, printed code by name."""
    u, v = sp.Dummy("q"), sp.Dummy("q")
    value, grads = kernel(u - 2 * v * u, inputs={"first": u, "second": v}).value_and_grad(3.0, 5.0)
    assert value == -27.0
    assert grads == {"first": -9.0, "second": -6.0}


# -- matrices ----------------------------------------------------------------------------------------------------------


def test_transposed_product() -> None:
    """SymPy #11044: lambdify of x.T*x is a syntax error."""
    v = sp.MatrixSymbol("x", 3, 1)
    values = np.array([1.0, 2.0, -3.0])
    check(kernel(v.T * v, plain=True), {"x": values}, 14.0, {"x": 2 * values})


def test_identity_is_not_the_imaginary_unit() -> None:
    """SymPy #17006: lambdify prints Identity(n) as I, and adds 1j to every entry."""
    A = sp.MatrixSymbol("A", n, n)
    grid = np.array([[1.0, 2.0], [3.0, 4.0]])
    check(kernel(A + sp.Identity(n), plain=True), {"A": grid}, [[2.0, 2.0], [3.0, 5.0]], {"A": grid}, upstream=grid)


def test_number_times_a_matrix() -> None:
    """SymPy #15827: lambdify of 2*A calls (2).dot(A)."""
    grid = rng.standard_normal((3, 3))
    check(kernel(2 * sp.MatrixSymbol("A", 3, 3), plain=True), {"A": grid}, 2 * grid, {"A": 2 * grid}, upstream=grid)


def test_inverse_and_power_are_not_entrywise() -> None:
    """SymPy #15578 and pull request #15586: X**-1 was printed as X^-1, X**2 squared the entries."""
    X = sp.MatrixSymbol("X0", 2, 2)
    grid, ct = np.array([[2.0, 1.0], [0.5, 3.0]]), rng.standard_normal((2, 2))
    back = inv(grid)
    check(kernel(X**-1, plain=True), {"X0": grid}, back, {"X0": -back.T @ ct @ back.T}, upstream=ct)
    check(kernel(X**2, plain=True), {"X0": grid}, grid @ grid, {"X0": grid.T @ ct + ct @ grid.T}, upstream=ct)


def test_entry_of_a_column() -> None:
    """SymPy #8512: lambdify of X[0, 0] recurses without end."""
    X = sp.MatrixSymbol("X", 3, 1)
    check(kernel(X[0, 0] ** 2, plain=True), {"X": np.array([3.0, 0.0, 0.0])}, 9.0, {"X": [6.0, 0.0, 0.0]})


def test_explicit_plus_symbolic_column() -> None:
    """SymPy #13192: cse of Matrix(MatrixSymbol) + MatrixSymbol crashes."""
    X, K = sp.MatrixSymbol("x", 2, 1), sp.MatrixSymbol("K", 2, 1)
    ct = np.array([1.0, -2.0])
    check(
        kernel(sp.Matrix(X) + K, plain=True),
        {"x": np.array([1.0, 2.0]), "K": np.array([3.0, 5.0])},
        [4.0, 7.0],
        {"x": ct, "K": ct},
        upstream=ct,
    )


def test_matrix_of_scalars_over_a_batch() -> None:
    """SymPy #27632: lambdify of a Matrix takes two arrays or two numbers, not one array and a number."""
    f = kernel(sp.Matrix([[a, b], [a + b, b**2]]), batch={"a": "N"}, plain=True)
    first = np.arange(5.0)
    expected = np.array([[[v, 10.0], [v + 10, 100.0]] for v in first])
    check(
        f,
        {"a": first, "b": 10.0},
        expected,
        {"a": np.full(5, 2.0), "b": 5 * (1 + 1 + 20.0)},
        upstream=np.ones((5, 2, 2)),
    )


def test_one_array_among_numbers() -> None:
    """SymPy #19259: lambdify of Matrix([[a, b], [c, d]]) at an array a and numbers makes a 2 x 2 array of objects."""
    c, d = sp.symbols("c d")
    f = kernel(sp.Matrix([[a, b], [c, d]]), batch={"a": "N"}, plain=True)
    first, ct = np.arange(4.0), rng.standard_normal((4, 2, 2))
    check(
        f,
        {"a": first, "b": 1.0, "c": 2.0, "d": 3.0},
        [[[entry, 1.0], [2.0, 3.0]] for entry in first],
        {"a": ct[:, 0, 0], "b": ct[:, 0, 1].sum(), "c": ct[:, 1, 0].sum(), "d": ct[:, 1, 1].sum()},
        upstream=ct,
    )


def test_matrix_without_entries_is_refused() -> None:
    """SymPy #27174: lambdify of a 0 x 1 matrix returns an array of shape (0,)."""
    with pytest.raises(ShapeError, match="no entries"):
        kernel(sp.Matrix(0, 1, []))


def test_matrices_no_printer_knew() -> None:
    """SymPy #17013: the NumPy printer lacks FunctionMatrix, OneMatrix, DiagonalMatrix, DiagMatrix and DiagonalOf."""
    A, B, v = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("B", n, n), sp.MatrixSymbol("v", n, 1)
    row, column = sp.symbols("i j", integer=True)
    table = sp.FunctionMatrix(n, n, sp.Lambda((row, column), row + 2 * column))
    expr = table * A + sp.OneMatrix(n, n) * sp.Trace(B) + sp.DiagonalMatrix(B) + sp.DiagMatrix(v + sp.DiagonalOf(A))
    first, second, ct = rng.standard_normal((3, 3, 3))
    vector = rng.standard_normal(3)
    numbers = np.add.outer(np.arange(3.0), 2 * np.arange(3.0))
    check(
        kernel(expr, plain=True),
        {"A": first, "B": second, "v": vector},
        numbers @ first + np.trace(second) + np.diag(np.diag(second) + vector + np.diag(first)),
        {
            "A": numbers.T @ ct + np.diag(np.diag(ct)),
            "B": ct.sum() * np.eye(3) + np.diag(np.diag(ct)),
            "v": np.diag(ct),
        },
        upstream=ct,
    )


def test_constant_entry_over_a_batch() -> None:
    """SymPy #9725, #18347, #21613 and #24036: a constant entry is not spread over the arrays."""
    f = kernel(sp.Matrix([x**2 * y, 2 * x * y, 1]), batch={"x": "N", "y": "N"}, plain=True)
    first, second = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    value, _ = f.fprop(x=first, y=second)
    assert np.asarray(value).dtype == np.float64
    expected = np.stack([first**2 * second, 2 * first * second, np.ones(2)], axis=1)
    assert_close(np.reshape(value, expected.shape), expected)


def test_list_with_a_constant() -> None:
    """SymEngine.py #174: [cos(x)**i for i in range(5)] over an array fails, the first entry is a number."""
    f = kernel([sp.cos(x) ** power for power in range(5)])
    values, grads = f.value_and_grad(2.0)
    cosine = math.cos(2)
    assert_close(values, [cosine**power for power in range(5)])
    assert grads["x"] == pytest.approx(-math.sin(2) * sum(power * cosine ** (power - 1) for power in range(1, 5)))


def test_outputs_of_different_shapes() -> None:
    """SymEngine.py #170, SymEngine #1306: Lambdify of a number, a vector and a Jacobian returns one flat array."""
    f = kernel([x**y, sp.Matrix([x + y, x * y]), sp.Matrix([[1, 1], [y, x]])], plain=True)
    values, _ = f.fprop(x=2.0, y=3.0)
    for found, expected in zip(values, (8.0, [[5.0], [6.0]], [[1.0, 1.0], [3.0, 2.0]]), strict=True):
        assert_close(found, expected)


def test_array_argument_made_of_symbols() -> None:
    """SymPy #14655: lambdify([x], h) with x an array of symbols works for NumPy only."""
    first, second = sp.symbols("x_0 x_1")
    f = kernel([sp.sin(2 * first), first, second, (0.3 * first) ** 2], inputs={"x": [first, second]})
    values, grads = f.value_and_grad(np.array([1.0, 1.0]))
    assert_close(values, [math.sin(2), 1.0, 1.0, 0.09])
    assert_close(grads["x"], [2 * math.cos(2) + 1 + 0.18, 1.0])


def test_orbital_elements() -> None:
    """SymPy #14714, numba #9078: lambdify has no numba backend, and numba fails on the matrices it prints.

    The matrix of the report (rates of equinoctial elements), weighted and summed.
    """
    elements = p_, f_, g_, h_, k_, l_ = sp.symbols("p f g h k l")
    rate = sp.Symbol("mu")
    w, c = 1 + f_ * sp.cos(l_) + g_ * sp.sin(l_), 1 + h_**2 + k_**2
    z = h_ * sp.sin(l_) - k_ * sp.cos(l_)
    rows = [
        [0, 2 * p_ / w, 0],
        [sp.sin(l_), sp.cos(l_) + (f_ + sp.cos(l_)) / w, -z * g_ / w],
        [-sp.cos(l_), sp.sin(l_) + (g_ + sp.sin(l_)) / w, z * f_ / w],
        [0, 0, c * sp.cos(l_) / (2 * w)],
        [0, 0, c * sp.sin(l_) / (2 * w)],
        [0, 0, z / w],
    ]
    weights = rng.standard_normal((6, 3))
    matrix = sp.sqrt(p_ / rate) * sp.Matrix(rows)
    point = dict(zip("pfghkl", (0.9997, -0.0038, 0.0163, -0.21, 0.35, 7.8787), strict=True)) | {"mu": 1.3}

    def by_hand(p: Any, f: Any, g: Any, h: Any, k: Any, l: Any, mu: Any) -> Any:  # noqa: E741 - the report's name
        s, q = mp.sin(l), mp.cos(l)
        w, c, z = 1 + f * q + g * s, 1 + h**2 + k**2, h * s - k * q
        table = [
            [0, 2 * p / w, 0],
            [s, q + (f + q) / w, -z * g / w],
            [-q, s + (g + s) / w, z * f / w],
            [0, 0, c * q / (2 * w)],
            [0, 0, c * s / (2 * w)],
            [0, 0, z / w],
        ]
        return mp.sqrt(p / mu) * mp.fsum((weights * np.array(table, dtype=object)).ravel())

    total, grads = slopes(by_hand, point)
    f = kernel(matrix, inputs=[*elements, rate])
    value, residuals = f.fprop(**point)
    assert (value * weights).sum() == pytest.approx(total, rel=1e-13)
    found = f.bprop(residuals, weights)
    for name, slope in grads.items():
        assert_close(found[name], slope, 1e-11)


# -- programs and refusals ---------------------------------------------------------------------------------------------


def test_assignment_of_a_number() -> None:
    """SymPy #30395: x**2 + sqrt(y) - sin(x*z), assigned to a name, is printed as array operators, or not at all."""
    f = kernel([Assignment(sp.Symbol("blah"), x**2 + sp.sqrt(y) - sp.sin(x * t))], plain=True)
    point = {"t": 0.7, "x": 0.3, "y": 2.0}
    check(f, point, *slopes(lambda t, x, y: x**2 + mp.sqrt(y) - mp.sin(x * t), point))


def test_undefined_function_is_refused() -> None:
    """SymPy #15071: a call of an unknown function of a number and a matrix is printed, and fails when it runs."""
    with pytest.raises(UnsupportedExpressionError, match="dot"):
        kernel(sp.Function("dot")(x, y))


@pytest.mark.parametrize(
    ("expr", "name"),
    [
        (sp.arg(1j * x), "arg|ImaginaryUnit"),
        (sp.I * t, "ImaginaryUnit"),
        (sp.cos(x) + sp.I * y, "ImaginaryUnit"),
    ],
    ids=str,
)
def test_complex_numbers_are_refused(expr: sp.Expr, name: str) -> None:
    """SymPy #24318, SymEngine.py #396 and #138: complex values, where the derivative makes no sense or fails late."""
    with pytest.raises(UnsupportedExpressionError, match=name):
        kernel(expr)


# -- size --------------------------------------------------------------------------------------------------------------


def test_many_terms() -> None:
    """SymPy #24673: lambdify of an expanded product recurses too deep; here its square, some hundred terms."""
    a_, b_, c_, x_, y_, z_ = symbols = sp.symbols("a, b, c, x, y, z")
    shared = a_ * x_**5 + b_ * sp.sqrt(y_) + b_ * y_**4 + c_ * z_ + c_ * (x_ - y_ - z_) ** 3
    first, second = a_ * x_**2 + shared, c_ * x_**2 + shared
    f = kernel((first * second).expand(), inputs=list(symbols))
    point = dict(zip("abcxyz", (1.1, -0.7, 0.4, 0.9, 1.6, -0.3), strict=True))

    def by_hand(a: mp.mpf, b: mp.mpf, c: mp.mpf, x: mp.mpf, y: mp.mpf, z: mp.mpf) -> mp.mpf:
        common = a * x**5 + b * mp.sqrt(y) + b * y**4 + c * z + c * (x - y - z) ** 3
        return (a * x**2 + common) * (c * x**2 + common)

    value, grads = slopes(by_hand, point)
    check(f, point, value, grads, rtol=1e-11)


def test_deep_nesting() -> None:
    """SymPy #24673: as deep as the interpreter's stack is high, nothing may recurse: 700 steps of one map."""
    expr = x
    for _ in range(700):
        expr = sp.sin(expr) + x
    value, slope = 0.4, 1.0
    for _ in range(700):
        value, slope = math.sin(value) + 0.4, math.cos(value) * slope + 1
    check(kernel(expr), {"x": 0.4}, value, {"x": slope}, rtol=1e-9)
