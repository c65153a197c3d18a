"""Programs: nested outputs, definitions in order, and what `sympy.cse` returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy.codegen.ast import (
    AddAugmentedAssignment,
    Assignment,
    CodeBlock,
    DivAugmentedAssignment,
    ModAugmentedAssignment,
    MulAugmentedAssignment,
    Return,
    SubAugmentedAssignment,
)

from symbackprop.errors import InputError, ShapeError, SymbackpropError, UnsupportedExpressionError
from tests.frontend.helpers import program
from tests.plain import compile_plain

m, n = sp.symbols("m n", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
a, b, s = sp.symbols("a b s")
t = sp.Idx("t", n)
W, x = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("x", n, 1)
bias, u, z, h = (sp.MatrixSymbol(name, m, 1) for name in ("b", "u", "z", "h"))
K, g = sp.MatrixSymbol("K", n, n), sp.MatrixSymbol("g", n, 1)
A, v, y = sp.IndexedBase("A"), sp.IndexedBase("v"), sp.IndexedBase("y")

RNG = np.random.default_rng(0)
MATRIX, VECTOR, BIAS, UP = RNG.normal(size=(3, 4)), RNG.normal(size=4), RNG.normal(size=3), RNG.normal(size=3)


def test_equations_name_intermediates() -> None:
    kernel = compile_plain([sp.Eq(z, W * x + bias), sp.Eq(h, z.applyfunc(sp.tanh)), u.T * h])
    assert [r.name for r in kernel.inputs] == ["W", "b", "u", "x"]
    value, gradients = kernel.value_and_grad(W=MATRIX, b=BIAS, u=UP, x=VECTOR)
    hidden = np.tanh(MATRIX @ VECTOR + BIAS)
    assert value == pytest.approx(UP @ hidden)
    np.testing.assert_allclose(gradients["b"], UP * (1 - hidden**2))
    assert "ct_z" in kernel.source


@pytest.mark.parametrize("at", [(i, j), sp.symbols("p q", cls=sp.Idx)], ids=["symbols", "Idx"])
def test_a_matrix_by_its_entries(at: Any) -> None:
    """The indices run over all rows and columns of the matrix, whether the right-hand side reads them or not."""
    p, q = at
    gauss = sp.Eq(K[p, q], sp.exp(-((v[p] - v[q]) ** 2)) + sp.KroneckerDelta(p, q))
    likelihood = -(g.T * K.I * g)[0, 0] / 2 - sp.log(sp.Determinant(K)) / 2
    kernel = compile_plain([gauss, sp.Eq(g[p, 0], y[p] ** 2), likelihood])
    rhs = VECTOR + 2
    matrix = np.exp(-((VECTOR[:, None] - VECTOR) ** 2)) + np.eye(4)
    solved = np.linalg.solve(matrix, rhs**2)
    value, gradients = kernel.value_and_grad(v=VECTOR, y=rhs)
    assert value == pytest.approx(-(rhs**2) @ solved / 2 - np.log(np.linalg.det(matrix)) / 2)
    np.testing.assert_allclose(gradients["y"], -2 * rhs * solved)
    outer = (np.outer(solved, solved) - np.linalg.inv(matrix)) / 2
    slope = outer * (matrix - np.eye(4)) * -2 * (VECTOR[:, None] - VECTOR)
    np.testing.assert_allclose(gradients["v"], (slope - slope.T).sum(axis=1), rtol=1e-10)
    rows = compile_plain([sp.Eq(K[p, q], v[p]), K])
    np.testing.assert_array_equal(rows(v=VECTOR), np.repeat(VECTOR[:, None], 4, axis=1))


def test_the_same_graph_as_written_out() -> None:
    named = program([sp.Eq(z, W * x + bias), u.T * z]).graph.outputs
    assert named == program(u.T * (W * x + bias)).graph.outputs


def test_unread_names_are_the_outputs() -> None:
    made = program([Assignment(s, a * b), Assignment(sp.Symbol("c"), s + 1), Assignment(sp.Symbol("d"), s * 2)])
    assert [o.name for o in made.outputs] == ["c", "d"]
    assert made.container == "dict"
    assert list(made.graph.names) == ["s"]
    assert program(sp.Eq(s, a * b)).container == "single"
    kernel = compile_plain([Assignment(s, a * b), Assignment(sp.Symbol("c"), s + 1), Assignment(sp.Symbol("d"), 3.0)])
    assert kernel(2.0, 3.0) == {"c": 7.0, "d": 3.0}


def test_a_name_may_be_assigned_again() -> None:
    steps = [
        Assignment(s, a),
        AddAugmentedAssignment(s, b),
        MulAugmentedAssignment(s, s),
        SubAugmentedAssignment(s, 1),
        DivAugmentedAssignment(s, b),
        Assignment(s, s**2),
    ]
    expected = (((0.5 + 2) ** 2 - 1) / 2) ** 2
    for expr in (steps, CodeBlock(*steps), [CodeBlock(*steps[:3]), *steps[3:]]):
        assert compile_plain(expr)(0.5, 2.0) == pytest.approx(expected)
    assert compile_plain([*steps[:2], ModAugmentedAssignment(s, 2)])(1.5, 2.0) == pytest.approx(1.5)
    assert compile_plain([sp.Eq(z, W * x), AddAugmentedAssignment(z, bias), u.T * z])(
        MATRIX, BIAS, UP, VECTOR
    ) == pytest.approx(UP @ (MATRIX @ VECTOR + BIAS))


def test_one_expression_before_and_after_an_assignment() -> None:
    square = s**2
    kernel = compile_plain([Assignment(s, a), Assignment(b, square), Assignment(s, a + 1), [square, b]])
    assert kernel(2.0) == [[9.0, 4.0]]


def test_definitions_over_indices() -> None:
    definition = sp.Eq(y[i], sp.Sum(A[i, j] * v[j], (j, 0, n - 1)))
    made = MATRIX @ VECTOR
    loss = sp.Sum(y[k] * y[k - 1], (k, 1, m - 1))
    kernel = compile_plain([definition, loss])
    assert [r.name for r in kernel.inputs] == ["A", "v"]
    assert kernel(A=MATRIX, v=VECTOR) == pytest.approx(made[1:] @ made[:-1])
    assert kernel.value_and_grad(A=MATRIX, v=VECTOR)[1]["v"].shape == (4,)
    np.testing.assert_allclose(compile_plain(definition)(A=MATRIX, v=VECTOR), made)
    table = compile_plain([sp.Eq(y[i, j], v[i] * A[i, j]), sp.Sum(y[i, 0] * y[i, 1], (i, 0, m - 1))])
    scaled = MATRIX * BIAS[:, None]
    assert table(A=MATRIX, v=BIAS) == pytest.approx(scaled[:, 0] @ scaled[:, 1])


def test_cse_pairs() -> None:
    outputs = [sp.sin(a * b) + sp.sqrt(a * b), (a * b) ** 2 + sp.sin(a * b)]
    expected = compile_plain(outputs)(1.0, 2.0)
    assert compile_plain(sp.cse(outputs))(1.0, 2.0) == expected
    assert compile_plain(sp.cse(outputs[0]))(1.0, 2.0) == expected[0]
    assert compile_plain(sp.cse(a + b))(1.0, 2.0) == 3.0
    matrix = compile_plain(sp.cse(sp.Matrix(outputs)))(1.0, 2.0)
    np.testing.assert_allclose(np.ravel(matrix), expected)


def test_a_long_program_is_linear() -> None:
    names = sp.symbols("t0:3000")
    steps = [Assignment(names[0], sp.sin(a))]
    steps += [Assignment(names[q], sp.cos(names[q - 1]) * names[q - 1]) for q in range(1, len(names))]
    made = program(steps)
    assert [o.name for o in made.outputs] == ["t2999"]


def test_nested_containers() -> None:
    kernel = compile_plain({a: [a * b, (b, {"t": a + b})], "q": a - b})
    assert kernel(1.0, 2.0) == {"a": [2.0, (2.0, {"t": 3.0})], "q": -1.0}
    assert [o.name for o in kernel.outputs] == ["a_0", "a_1_0", "a_1_1_t", "q"]
    upstream = {"a": [1.0, (0.0, {"t": 10.0})], "q": 0.0}
    assert kernel.value_and_grad(1.0, 2.0, upstream=upstream)[1] == {"a": 12.0, "b": 11.0}
    for wrong in ({"a": [1.0], "q": 0.0}, {"q": 0.0}, [1.0, 2.0]):
        with pytest.raises(InputError, match="upstream"):
            kernel.value_and_grad(1.0, 2.0, upstream=wrong)


def test_containers_keep_their_kind() -> None:
    assert compile_plain([a, b])(1.0, 2.0) == [1.0, 2.0]
    assert compile_plain((a, b))(1.0, 2.0) == (1.0, 2.0)
    assert compile_plain(sp.Tuple(a, b))(1.0, 2.0) == (1.0, 2.0)
    assert compile_plain(sp.Tuple(a, sp.Tuple(b, a)))(1.0, 2.0) == (1.0, (2.0, 1.0))
    assert compile_plain([a])(1.0) == [1.0]
    assert compile_plain({sp.Symbol("f"): a, z: b})(1.0, 2.0) == {"f": 1.0, "z": 2.0}


REFUSED: dict[str, tuple[Any, type[SymbackpropError], str]] = {
    "cycle": ([sp.Eq(a, b + 1), sp.Eq(b, a + 1)], UnsupportedExpressionError, "b is used before it is defined"),
    "too early": ([sp.Eq(a, sp.sin(s)), sp.Eq(s, b)], UnsupportedExpressionError, "s is used before it is defined"),
    "of itself": ([Assignment(a, a + 1)], UnsupportedExpressionError, "give the old value a name of its own"),
    "no initial value": ([AddAugmentedAssignment(s, a)], UnsupportedExpressionError, "before it is defined"),
    "shape": ([sp.Eq(z, x, evaluate=False), u.T * z], ShapeError, "expected: m x 1"),
    "matrix as scalar": ([sp.Eq(s, W * x, evaluate=False), s], ShapeError, "expected: a scalar"),
    "part of an array": (
        [sp.Eq(sp.IndexedBase("p", shape=(m,))[t], v[t]), a],
        ShapeError,
        "expected: m\n  found: n",
    ),
    "equation": (sp.Eq(a**2 + b, 3), UnsupportedExpressionError, "difference"),
    "one entry of a matrix": ([sp.Eq(W[0, i], a), W * x], UnsupportedExpressionError, "FunctionMatrix"),
    "diagonal of a matrix": ([sp.Eq(K[i, i], a), sp.Trace(K)], UnsupportedExpressionError, "as in K[i, j]"),
    "one entry": ([sp.Eq(y[0], a)], UnsupportedExpressionError, "a first row and no step"),
    "repeated index": ([sp.Eq(y[i, i], v[i])], UnsupportedExpressionError, "indices that are not free"),
    "missing index": ([sp.Eq(a, v[i]), a * 2], UnsupportedExpressionError, "write a[i] on the left"),
    "evaluated": ([sp.Eq(a, a + 1)], UnsupportedExpressionError, "Assignment"),
    "statement": (CodeBlock(Assignment(a, b), Return(a)), UnsupportedExpressionError, "Return in a CodeBlock"),
    "key": ({1: a}, InputError, "not a string"),
    "equal keys": ({"a": a, a: b}, InputError, "two outputs"),
    "definition in a dict": ({"a": sp.Eq(a, b)}, InputError, "definition in a dict"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refusals(case: Any) -> None:
    expr, error, text = case
    with pytest.raises(error) as caught:
        program(expr)
    assert text in str(caught.value)
