from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symbackprop.errors import ShapeError, UnsupportedExpressionError
from tests.frontend.helpers import evaluate, graph, program

m, n, k, d = sp.symbols("m n k d")
lam = sp.Symbol("lam")
SIZES = {"m": 3, "n": 4, "k": 2, "d": 2}
W = sp.MatrixSymbol("W", m, n)
V = sp.MatrixSymbol("V", m, n)
x = sp.MatrixSymbol("x", n, 1)
b = sp.MatrixSymbol("b", m, 1)
u = sp.MatrixSymbol("u", m, 1)
A = sp.MatrixSymbol("A", n, n)
D = sp.MatrixSymbol("D", k, k)
f = (W * x + b).applyfunc(sp.tanh)


def np_f(v: dict[str, np.ndarray]) -> np.ndarray:
    return np.tanh(v["W"] @ v["x"] + v["b"])


CASES = [
    (W * x + b, lambda v: v["W"] @ v["x"] + v["b"]),
    (f, np_f),
    (u.T * f, lambda v: v["u"] @ np_f(v)),
    ((u.T * f)[0, 0], lambda v: v["u"] @ np_f(v)),
    (u * x.T, lambda v: np.outer(v["u"], v["x"])),
    (u * u.T * W - 2 * V, lambda v: np.outer(v["u"], v["u"]) @ v["W"] - 2 * v["V"]),
    (W.T, lambda v: v["W"].T),
    (W.T * W + A.T + lam * sp.Identity(n), lambda v: v["W"].T @ v["W"] + v["A"].T + v["lam"] * np.eye(4)),
    (sp.HadamardProduct(W, V, evaluate=False), lambda v: v["W"] * v["V"]),
    (sp.HadamardPower(W, 3), lambda v: v["W"] ** 3),
    (sp.Trace(W.T * W), lambda v: (v["W"] ** 2).sum()),
    (sp.Trace(A), lambda v: np.trace(v["A"])),
    (sp.Trace(3 * A * A * A.T), lambda v: 3 * np.trace(v["A"] @ v["A"] @ v["A"].T)),
    (sp.Trace(A + A.T) ** 2 / lam, lambda v: (2 * np.trace(v["A"])) ** 2 / v["lam"]),
    (A**5, lambda v: np.linalg.matrix_power(v["A"], 5)),
    ((u.T * f) ** 2, lambda v: (v["u"] @ np_f(v)) ** 2),
    (sp.exp(-(u.T * f)), lambda v: np.exp(-(v["u"] @ np_f(v)))),
    (sp.log(1 + sp.exp(-(u.T * f)[0, 0])), lambda v: np.log1p(np.exp(-(v["u"] @ np_f(v))))),
    ((x.T * x)[0, 0] * sp.Trace(A), lambda v: v["x"] @ v["x"] * np.trace(v["A"])),
    (W.applyfunc(lambda t: t**2 + lam * sp.Trace(A)), lambda v: v["W"] ** 2 + v["lam"] * np.trace(v["A"])),
    (W.applyfunc(lambda t: sp.Max(t, 1)), lambda v: np.maximum(v["W"], 1)),
    (sp.matrices.expressions.applyfunc.ElementwiseApplyFunction(lambda t: 2 + 0 * t, W) + V, lambda v: 2 + v["V"]),
    (W + sp.OneMatrix(m, n), lambda v: v["W"] + 1),
    (W[1, 2] * x[0, 0] + D[0, 1], lambda v: v["W"][1, 2] * v["x"][0] + v["D"][0, 1]),
    (W[m - 1, 0] + x[n - 1, 0], lambda v: v["W"][-1, 0] + v["x"][-1]),
    (sp.Matrix([[1, 2], [3, lam]]) * sp.MatrixSymbol("Q", 2, 2), lambda v: np.array([[1, 2], [3, v["lam"]]]) @ v["Q"]),
    (sp.Matrix([lam, lam**2, 1]), lambda v: np.array([v["lam"], v["lam"] ** 2, 1])),
    (sp.Array([[[lam, 1]], [[2, sp.Trace(A)]]]), lambda v: np.array([[[v["lam"], 1]], [[2, np.trace(v["A"])]]])),
    (sp.Adjoint(W) * u, lambda v: v["W"].T @ v["u"]),
    (n * m * W[0, 0] / (n + 1), lambda v: 4 * 3 * v["W"][0, 0] / 5),
]


@pytest.mark.parametrize(("expr", "reference"), CASES, ids=range(len(CASES)))
def test_values(expr, reference) -> None:
    value, at = evaluate(expr, SIZES)
    expected = np.asarray(reference(at))
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-13)


def test_graphs_have_no_transposes() -> None:
    assert graph(u.T * f) == "[i,i->](u, tanh(add([ij,j->i](W, x), b)))"
    assert graph(sp.Trace(W.T * W)) == "[ij,ij->](W, W)"
    assert graph((u.T * (W * x + b))[0, 0]).count("->") == 2
    assert graph(W.T * b) == "[ij,i->j](W, b)"


def test_an_entry_of_a_product_is_a_contraction() -> None:
    assert graph((u.T * f)[0, 0]) == "[i,i->](u, tanh(add(b, [ij,j->i](W, x))))"


def test_shapes_of_outputs() -> None:
    def shape(expr):
        out = program(expr).outputs[0]
        return tuple(map(str, out.shape)), out.unit_axes

    assert shape(W) == (("m", "n"), ())
    assert shape(W * x) == (("m", "1"), (1,))
    assert shape((W * x).T) == (("1", "m"), (0,))
    assert shape(u.T * b) == ((), ())
    assert shape(sp.Matrix([lam, 1, 2])) == (("3", "1"), (1,))
    assert shape(sp.Matrix([[lam, 1, 2]])) == (("1", "3"), (0,))
    assert shape(sp.Matrix([[lam]])) == ((), ())
    assert shape(sp.Array([lam, 1])) == (("2",), ())
    assert shape(sp.Array([[lam], [1]])) == (("2", "1"), ())


def test_blocks() -> None:
    parts = [sp.MatrixSymbol(f"x{i}", d, 1) for i in range(3)]
    U = sp.MatrixSymbol("U", m, 3 * d)
    value, v = evaluate(U * sp.BlockMatrix([[p] for p in parts]) + b, SIZES)
    np.testing.assert_allclose(value, v["U"] @ np.concatenate([v["x0"], v["x1"], v["x2"]]) + v["b"])
    grid = sp.BlockMatrix([[D, sp.OneMatrix(k, 1)], [sp.ZeroMatrix(1, k), sp.Matrix([[7]])]])
    value, v = evaluate(grid, SIZES)
    np.testing.assert_array_equal(value, np.block([[v["D"], np.ones((2, 1))], [np.zeros((1, 2)), np.full((1, 1), 7)]]))


def test_batched_blocks() -> None:
    parts = [sp.MatrixSymbol(f"x{i}", d, 1) for i in range(2)]
    value, v = evaluate(sp.BlockMatrix([[p] for p in parts]), {**SIZES, "N": 5}, batch={"x0": "N"})
    np.testing.assert_array_equal(value, np.concatenate([v["x0"], np.broadcast_to(v["x1"], (5, 2))], axis=1))


def test_integer_symbols_in_matrix_elements_are_arguments() -> None:
    c, r = sp.symbols("c r", integer=True)
    value, v = evaluate(W[c, r] + x[c, 0], SIZES)
    assert value == v["W"][v["c"], v["r"]] + v["x"][v["c"]]
    plain = sp.Symbol("p")
    p = program(W[plain, 0])
    assert [(a.name, a.dtype) for a in p.arguments] == [("W", "float64"), ("p", "int64")]
    value, v = evaluate((W * x + b)[c, 0], SIZES)
    np.testing.assert_allclose(value, (v["W"] @ v["x"] + v["b"])[v["c"]])
    value, v = evaluate(x[c + 1, 0] * x[2 * c, 0], SIZES)
    assert value == v["x"][v["c"] + 1] * v["x"][2 * v["c"]]


def test_scalar_product_scales_the_finished_product() -> None:
    assert graph(lam * W * x / 2) == "mul(div(lam, 2), [ij,j->i](W, x))"
    assert graph(b - lam * W * x) == "sub(b, mul(lam, [ij,j->i](W, x)))"
    assert graph(b - W * x) == "sub(b, [ij,j->i](W, x))"


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (
            sp.MatMul(W, b),
            "MatMul of m x n and m x 1\n  in: W*b\n  expected: n rows\n  found: m rows",
        ),
        (
            sp.MatAdd(b, x),
            "MatAdd of different shapes\n  in: b + x\n  expected: m x 1\n  found: n x 1",
        ),
        (
            sp.Trace(sp.MatMul(W, sp.MatrixSymbol("Y", n, k))),
            "Trace of a matrix that is not square\n  in: Trace(W*Y)\n  expected: k rows\n  found: m rows",
        ),
        (
            sp.exp(W * x),
            "exp needs scalars\n  in: exp(W*x)\n  found: an operand of shape m x 1\n  hint: write X.applyfunc(f)",
        ),
    ],
)
def test_shape_errors(expr, text) -> None:
    with pytest.raises(ShapeError) as caught:
        program(expr)
    assert str(caught.value).startswith(text)


def test_an_entry_outside_a_literal_shape() -> None:
    P = sp.MatrixSymbol("P", 3, 3)
    i = sp.Symbol("i")
    with pytest.raises(ShapeError) as caught:
        program(sp.Sum(P[i, 0], (i, 0, 3)))
    assert str(caught.value).startswith(
        "an index leaves its axis\n  in: P[i, 0]\n  expected: positions from 0 to 2\n  found: i from 0 to 3"
    )


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (
            sp.MatPow(A, lam),
            "MatPow is supported for integer exponents only\n  in: A**lam\n  found: exponent lam",
        ),
        (
            sp.MatPow(A, sp.Rational(1, 2)),
            "MatPow is supported for integer exponents only\n  in: A**(1/2)\n  found: exponent 1/2",
        ),
        (
            sp.MatrixSymbol("Z", n / 2, 1),
            "Rational is not supported in a size\n  in: n/2\n  found: 1/2\n  hint: write a polynomial",
        ),
    ],
)
def test_refusals(expr, text) -> None:
    with pytest.raises(UnsupportedExpressionError) as caught:
        program(expr)
    assert str(caught.value).startswith(text)
