"""Functions with a declared forward and derivative."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.errors import InputError, UnsupportedExpressionError
from tests.frontend.helpers import evaluate, program
from tests.plain import compile_plain

x, y = sp.symbols("x y")
m, n = sp.symbols("m n", integer=True, positive=True)
W, v = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("v", n, 1)


@sbp.function(derivative=lambda u, a: (100 * a * sp.cos(u), sp.sin(u)))
def wave(u: Any, a: Any) -> Any:
    """A wave whose declared derivative is 100 times its own, so that tests can tell."""
    return a * sp.sin(u)


@sbp.function(derivative=lambda _: 1)
def straight(u: Any) -> Any:
    return sp.sign(u)


@sbp.function(derivative=lambda _, result: 2 * result)
def growing(u: Any) -> Any:
    return sp.exp(u)


@sbp.function
def plain(u: Any) -> Any:
    return sp.Piecewise((u**2, u > 0), (sp.sin(u), True))


@sbp.function(derivative=lambda u: sp.Piecewise((growing(u), u > 0), (0, True)))
def mixed(u: Any) -> Any:
    return wave(u, 2) * u


def test_the_sympy_side() -> None:
    assert isinstance(wave(x, y), sp.Function)
    assert wave(x, y).diff(x) == 100 * y * sp.cos(x)
    assert wave(x**2, 1).diff(x) == 200 * x * sp.cos(x**2)
    assert growing(x).diff(x) == 2 * growing(x)
    assert plain(x).diff(x).subs(x, 3) == 6
    assert wave(1, 2).evalf(30) == (2 * sp.sin(1)).evalf(30)
    assert sp.expand_func(wave(x, y)) == y * sp.sin(x)
    assert sp.latex(wave(x, y)) == r"\operatorname{wave}{\left(x,y \right)}"
    assert "100 times" in wave.__doc__
    assert sp.Symbol("r", real=True).is_real
    assert wave(sp.Symbol("r", real=True), 2).is_real is not False
    assert pickle.loads(pickle.dumps(wave(x, y))) == wave(x, y)
    with pytest.raises(TypeError):
        wave(x)


def test_a_kernel_uses_the_declared_derivative() -> None:
    value, gradients = compile_plain(wave(x, y) ** 2).value_and_grad(1.0, 2.0)
    assert value == pytest.approx((2 * np.sin(1)) ** 2)
    assert gradients["x"] == pytest.approx(2 * 2 * np.sin(1) * 200 * np.cos(1))
    assert gradients["y"] == pytest.approx(2 * 2 * np.sin(1) * np.sin(1))


def test_a_compiled_kernel() -> None:
    kernel = sbp.compile(wave(x, y) * straight(x), name="declared")
    value, gradients = kernel.value_and_grad(0.5, 2.0)
    assert value == pytest.approx(2 * np.sin(0.5))
    assert gradients["x"] == pytest.approx(200 * np.cos(0.5) + 2 * np.sin(0.5))


def test_entrywise_on_matrices_and_in_a_batch() -> None:
    kernel = compile_plain(sp.Trace((W * v).applyfunc(straight) * (W * v).T))
    matrix, vector = np.array([[1.0, -2.0], [0.5, 0.25]]), np.array([1.0, 2.0])
    product = matrix @ vector
    value, gradients = kernel.value_and_grad(matrix, vector)
    assert value == pytest.approx(np.sum(np.sign(product) * product))
    np.testing.assert_allclose(gradients["W"], np.outer(np.sign(product) + product, vector))
    batched = compile_plain(sbp.Mean(growing(x) * y, "N"), batch={"x": "N"})
    values = np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(batched.value_and_grad(values, 3.0)[1]["x"], 2 * np.exp(values))


def test_second_derivatives_are_those_of_the_declared_first() -> None:
    outputs = [growing(x), sp.Derivative(growing(x), x), sp.Derivative(growing(x), (x, 2))]
    kernel = compile_plain(outputs)
    np.testing.assert_allclose(kernel(0.5), np.exp(0.5) * np.array([1, 2, 4]))
    second = compile_plain(sp.Derivative(wave(x, y), (x, 2)))
    assert second(0.5, 2.0) == pytest.approx(-200 * np.sin(0.5))


def test_functions_of_functions() -> None:
    value, gradients = compile_plain(mixed(x) + plain(y)).value_and_grad(0.5, 3.0)
    assert value == pytest.approx(2 * np.sin(0.5) * 0.5 + 9)
    assert gradients == {"x": pytest.approx(np.exp(0.5)), "y": pytest.approx(6.0)}


def test_no_trace_is_left_in_the_kernel() -> None:
    source = compile_plain(wave(x, y), wrt=[]).source
    assert "declared" not in source
    assert "math.sin(x)" in source


def test_a_function_without_a_derivative_is_its_forward() -> None:
    assert program(plain(x)).graph.outputs == program(sp.Piecewise((x**2, x > 0), (sp.sin(x), True))).graph.outputs


def test_equal_names_are_different_functions() -> None:
    first = sbp.function(lambda u: u**2, derivative=lambda u: 3 * u)
    second = sbp.function(lambda u: u**2, derivative=lambda u: 5 * u)
    gradients = compile_plain(first(x) + second(y)).value_and_grad(1.0, 1.0)[1]
    assert gradients == {"x": 3.0, "y": 5.0}


def test_the_interpreter_agrees() -> None:
    value, at = evaluate(mixed(x))
    assert value == pytest.approx(2 * np.sin(at["x"]) * at["x"])


WRONG: dict[str, tuple[Any, str]] = {
    "no function": (lambda: sbp.function(3), "not a function"),
    "any number of arguments": (lambda: sbp.function(lambda *u: u), "fixed number"),
    "no argument": (lambda: sbp.function(lambda: 1), "fixed number"),
    "foreign symbol": (lambda: sbp.function(lambda u: u * x), "not its arguments"),
    "foreign symbol in a partial": (lambda: sbp.function(lambda u: u, derivative=lambda u: u * x), "not its arguments"),
    "too many partials": (lambda: sbp.function(lambda u: u, derivative=lambda _: (1, 2)), "1 partials"),
    "wrong signature": (lambda: sbp.function(lambda u: u, derivative=lambda a, b, c: a + b + c), "wrong number"),
    "matrix": (lambda: sbp.function(lambda u: sp.Matrix([u])), "no scalar"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_wrong_declarations(case: Any) -> None:
    declare, text = case
    with pytest.raises(InputError) as caught:
        declare()
    assert text in str(caught.value)


def test_a_forward_that_cannot_be_compiled() -> None:
    with pytest.raises(UnsupportedExpressionError, match="undefined function"):
        sbp.function(lambda u: sp.Function("f")(u) + 1)
