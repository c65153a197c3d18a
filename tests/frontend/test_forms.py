"""Unevaluated forms: derivatives in the graph, closed integrals and limits, substitutions, functions of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy.physics.mechanics import LagrangesMethod, dynamicsymbols

from symbackprop.errors import UnsupportedExpressionError
from symbackprop.frontend.mean import Mean
from tests.frontend.helpers import program
from tests.plain import compile_plain

x, y, z, t = sp.symbols("x y z t")
a = sp.Symbol("a", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
X = sp.MatrixSymbol("X", n, n)
u, v = sp.IndexedBase("u"), sp.IndexedBase("v")
f, g = sp.Function("f"), sp.Function("g")
q, w = dynamicsymbols("q w")

SCALARS = [
    (sp.Derivative(sp.sin(x) * y**2, x), sp.cos(x) * y**2),
    (sp.Derivative(sp.sin(x) * y**3, (x, 2), y), -3 * sp.sin(x) * y**2),
    (sp.Derivative(x**2, x) ** 2 * y, 4 * x**2 * y),
    (sp.Derivative(sp.Derivative(sp.exp(x * y), x), y), (1 + x * y) * sp.exp(x * y)),
    (sp.Derivative(sp.Abs(x) * y, x), y),
    (sp.Derivative(sp.Max(x, y), y), sp.Integer(0)),
    (sp.Subs(sp.sin(x) * y, (x, y), (z, x)), sp.sin(z) * x),
    (sp.Subs(sp.sin(x) * y, (x, y), (y, x)), sp.sin(x) * x),
    (sp.Subs(sp.Subs(x * y, x, z + 1), z, y), (y + 1) * y),
    (sp.Subs(x * y, x, x + 1), (x + 1) * y),
    (sp.Subs(sp.Derivative(sp.sin(x) * y, x), x, y**2), sp.cos(y**2) * y),
    (sp.Subs(sp.Derivative(x**2 + z, x), (x, z), (y, y)), 2 * y),
    (sp.Integral(x**2 * sp.exp(-a * y), (y, 0, x)), x**2 * (1 - sp.exp(-a * x)) / a),
    (sp.Integral(sp.exp(-a * z**2), (z, -sp.oo, sp.oo)), sp.sqrt(sp.pi / a)),
    (sp.Integral(z * y, (z, 0, y), (y, 0, x)), x**4 / 8),
    (sp.Limit(sp.sin(a * z) / z, z, 0), a),
    (sp.Limit((1 + x / z) ** z, z, sp.oo), sp.exp(x)),
    (sp.UnevaluatedExpr(x + 1) ** 2, (x + 1) ** 2),
    (sp.Mul(x, sp.Mul(x, y, evaluate=False), evaluate=False), x**2 * y),
    (sp.Lambda((x, y), x - y)(y, x), y - x),
    (sp.LaplaceTransform(z**2, z, a), 2 / a**3),
]
AT = {x: 0.7, y: 0.4, z: 0.9, a: 1.3}


@pytest.mark.parametrize(("expr", "expected"), SCALARS, ids=lambda e: str(e)[:60])
def test_scalars(expr: Any, expected: Any) -> None:
    kernel = compile_plain(expr, inputs=[x, y, z, a], wrt=None)
    point = [AT[s] for s in (x, y, z, a)]
    assert kernel(*point) == pytest.approx(float(expected.subs(AT)), rel=1e-12)
    used = [s for s in (x, y, z, a) if str(s) in program(expr, inputs=[x, y, z, a]).wrt]
    if used:
        gradients = kernel.value_and_grad(*point)[1]
        for s in used:
            assert gradients[str(s)] == pytest.approx(float(expected.diff(s).subs(AT)), rel=1e-10, abs=1e-12)


def test_a_value_and_its_derivative_share_their_graph() -> None:
    value = sp.exp(sp.sin(x) * y)
    kernel = compile_plain([value, sp.Derivative(value, x), sp.Derivative(value, y)])
    assert kernel(0.7, 0.4)[1] == pytest.approx(0.4 * np.cos(0.7) * np.exp(0.4 * np.sin(0.7)))
    assert sum("math.exp(" in line for line in kernel.source.split("def value(")[1].split("def ")[0].splitlines()) == 1


def test_derivatives_for_matrices_are_never_silent_zeros() -> None:
    value = np.array([[2.0, 0.5], [0.25, 1.0]])
    assert compile_plain([sp.Derivative(sp.Trace(X) + 1, X), sp.Trace(X)])(value)[0].tolist() == np.eye(2).tolist()
    np.testing.assert_allclose(compile_plain(sp.Derivative(sp.Trace(X * X) ** 2, X))(value), _of_trace(value))


def _of_trace(value: np.ndarray) -> np.ndarray:
    return 4 * np.trace(value @ value) * value.T


def test_derivatives_of_arrays() -> None:
    values = np.array([0.5, 1.0, 2.0])
    for_scalar = compile_plain(sp.Derivative(sp.sin(x * v[i]), x))
    np.testing.assert_allclose(for_scalar(values, 0.7), values * np.cos(0.7 * values))
    entrywise = X.applyfunc(sp.Lambda(x, sp.Derivative(sp.sin(x) * y, x)))
    np.testing.assert_allclose(compile_plain(entrywise)(np.eye(2), 3.0), 3 * np.cos(np.eye(2)))
    batched = compile_plain(sp.Derivative(x**2 * y, x), batch={"x": "N"}, wrt=[])
    np.testing.assert_allclose(batched(values, 3.0), 6 * values)
    assert compile_plain(sp.Derivative(sp.Sum(v[i] ** 2, (i, 0, n - 1)) * x, x))(values, 2.0) == pytest.approx(5.25)


def test_derivatives_for_the_entries_of_a_batched_argument() -> None:
    """The columns of one array are numbers of an example each; derivatives for them go example by example."""
    expr = x**2 * sp.sin(y) + z * x
    jacobian = sp.Matrix([[sp.Derivative(expr, s) for s in (x, y, z)]])
    kernel = compile_plain(jacobian, inputs={"p": [x, y], "z": z}, batch={"p": "N", "z": "N"}, wrt=[])
    p, r = np.array([[0.5, 1.0], [-1.5, 2.0], [2.0, 0.25]]), np.array([1.0, 2.0, 3.0])
    expected = [2 * p[:, 0] * np.sin(p[:, 1]) + r, p[:, 0] ** 2 * np.cos(p[:, 1]), p[:, 0]]
    np.testing.assert_allclose(kernel(p, r)[:, 0, :], np.transpose(expected), rtol=1e-14)
    with pytest.raises(UnsupportedExpressionError, match="array for an array"):
        compile_plain(sp.Derivative((x - Mean(x, "N")) ** 2, x), inputs={"p": [x, y]}, batch={"p": "N"}, wrt=[])


def test_derivatives_for_entries() -> None:
    values = np.array([0.3, 0.7, 1.1])
    pair = sp.sin(v[0]) * v[1] ** 2
    for orders, expected in (
        ([v[0]], np.cos(0.3) * 0.49),
        ([v[0], v[1]], np.cos(0.3) * 1.4),
        ([(v[0], 2)], -np.sin(0.3) * 0.49),
    ):
        assert compile_plain(sp.Derivative(pair, *orders))(values[:2]) == pytest.approx(expected)
    total = sp.Sum(sp.sin(v[i]) * v[i], (i, 0, n - 1))
    slopes = np.cos(values) * values + np.sin(values)
    kernel = compile_plain(sp.Derivative(total, v[2]))
    assert kernel(values) == pytest.approx(slopes[2])
    np.testing.assert_allclose(kernel.value_and_grad(values)[1]["v"], [0, 0, 2 * np.cos(1.1) - np.sin(1.1) * 1.1])
    np.testing.assert_allclose(compile_plain(sp.Derivative(total, v[j]))(values), slopes)
    np.testing.assert_allclose(compile_plain(sp.Derivative(v[j] ** 3, v[j]))(values), 3 * values**2)
    matrix = np.array([[0.3, 0.7], [1.1, 0.2]])
    assert compile_plain(sp.Derivative(sp.Trace(X * X), X[0, 1]))(matrix) == pytest.approx(2.2)


def test_integrals_with_entries() -> None:
    values = np.array([0.3, 0.7, 1.1])
    kernel = compile_plain(sp.Integral(sp.sin(t * v[i]), (t, 0, x)))
    np.testing.assert_allclose(kernel(values, 2.0), (1 - np.cos(2 * values)) / values)
    assert compile_plain(sp.Integral(t * X[0, 0], (t, 0, x)))(np.eye(1), 2.0) == pytest.approx(2.0)


def test_derivatives_through_named_intermediates() -> None:
    kernel = compile_plain([sp.Eq(y, x**2), sp.Derivative(y**3, y), sp.Derivative(y**3, x), sp.Derivative(y + x**2, y)])
    assert kernel(2.0) == [48.0, 192.0, 1.0]


def test_functions_of_time() -> None:
    kernel = compile_plain(q.diff(t) ** 2 * sp.cos(q) + w.diff(t, 2) * t)
    assert [r.name for r in kernel.inputs] == ["d2w_dt2", "dq_dt", "q", "t"]
    assert kernel(2.0, 3.0, 0.5, 4.0) == pytest.approx(9 * np.cos(0.5) + 8)
    chosen = compile_plain(q.diff(t) ** 2 * sp.cos(q), wrt=[q.diff()], inputs={"angle": q, "speed": q.diff()})
    assert chosen.value_and_grad(0.5, 2.0)[1] == {"speed": pytest.approx(4 * np.cos(0.5))}
    nested = compile_plain(q * w, inputs={"state": [q, w]})
    assert nested.value_and_grad([2.0, 3.0])[1]["state"].tolist() == [3.0, 2.0]


def test_equations_of_motion() -> None:
    mass, length, gravity = sp.symbols("m l g")
    lagrangian = mass * length**2 * q.diff(t) ** 2 / 2 + mass * gravity * length * sp.cos(q)
    equations = LagrangesMethod(lagrangian, [q]).form_lagranges_equations()
    at = {"m": 2.0, "l": 0.5, "g": 9.0, "q": 0.3, "d2q_dt2": 1.5}
    kernel = compile_plain(equations)
    assert float(np.ravel(kernel(**at))[0]) == pytest.approx(2 * 0.25 * 1.5 + 2 * 9 * 0.5 * np.sin(0.3))


class Opened(sp.Function):
    """A function that expands into others."""

    def _eval_expand_func(self, **_hints: Any) -> Any:
        return 2 * sp.sin(self.args[0])


class Done(sp.Function):
    """A function that `doit` evaluates."""

    def doit(self, **_hints: Any) -> Any:
        return self.args[0] ** 2


class Closed(sp.Function):
    """A function with a derivative and no value."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.cos(self.args[0]) * argindex


def test_functions_that_open_into_others() -> None:
    assert compile_plain(Opened(x * y)).value_and_grad(2.0, 3.0)[0] == pytest.approx(2 * np.sin(6))
    assert compile_plain(Done(x) + 1)(3.0) == 10.0
    np.testing.assert_allclose(compile_plain(X.applyfunc(Opened))(np.eye(2)), 2 * np.sin(np.eye(2)))


REFUSED = {
    "no closed form": (sp.Integral(sp.sin(x**x), (x, 0, y)), "without a closed form"),
    "open limit": (sp.Limit(g(x), x, 0), "undefined function g"),
    "integral of an undefined function": (sp.Integral(f(x), (x, 0, 1)), "undefined function f"),
    "integral of a function of time": (sp.Integral(q, (t, 0, 1)), "undefined function q"),
    "transform of a function of time": (sp.LaplaceTransform(f(t), t, x), "undefined function f"),
    "integral of a matrix": (sp.Integral(sp.Trace(X) * x, (x, 0, 1)), "Trace"),
    "large integral": (sp.Integral(sp.Add(*(sp.sin(k * x) for k in range(1, 150))), (x, 0, 1)), "large"),
    "derivative through time": (sp.Derivative(q**2, t), "doit"),
    "derivative of an undefined function": (sp.Derivative(f(x), x), "undefined function f"),
    "derivative for computed entries": ([sp.Eq(u[i], v[i] ** 2), sp.Derivative(u[0] ** 2, u[0])], "computed"),
    "transform without its variables": (sp.LaplaceTransform(x), "closed form"),
    "derivative for many entries": (sp.Derivative(v[i] ** 2 * v[0], v[i]), "array for"),
    "derivative for an integer": (sp.Derivative(x**i, i), "integer"),
    "derivative of an array for an array": (sp.Derivative(X * X, X), "array for an array"),
    "symbolic order": (sp.Derivative(sp.sin(x), (x, n)), "order n"),
    "ambiguous": ([sp.Eq(y, x**2), sp.Eq(z, y * x), sp.Derivative(y * z, y)], "depends on it"),
    "no value": (Closed(x), "symbackprop.function"),
    "two arguments": (f(x, y), "symbackprop.function"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refusals(case: Any) -> None:
    expr, text = case
    with pytest.raises(UnsupportedExpressionError) as caught:
        program(expr)
    assert text in str(caught.value)
