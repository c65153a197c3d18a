from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.errors import UnsupportedExpressionError
from tests.frontend.helpers import evaluate, graph, program

x, y, z = sp.symbols("x y z")
lam = sp.Symbol("lambda")


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (x + y, "add(x, y)"),
        (x - y, "sub(x, y)"),
        (1 - x, "sub(1, x)"),
        (x - 1, "sub(x, 1)"),
        (-x, "neg(x)"),
        (-x - y, "sub(neg(x), y)"),
        (x - 2 * y, "sub(x, mul(2, y))"),
        (x - 2 * y / z, "sub(x, div(mul(2, y), z))"),
        (x / y, "div(x, y)"),
        (1 / x, "div(1, x)"),
        (x / 2, "div(x, 2)"),
        (sp.Rational(2, 3) * x, f"mul({2 / 3:g}, x)"),
        (x * y / z**2, "div(mul(x, y), integer_power(z, 2))"),
        (x**-3, "div(1, integer_power(x, 3))"),
        (sp.sqrt(x), "sqrt(x)"),
        (1 / sp.sqrt(x), "div(1, sqrt(x))"),
        (x ** sp.Rational(3, 2), "power(x, 1.5)"),
        (x**2.0, "integer_power(x, 2)"),
        (x**0.5, "sqrt(x)"),
        (x**y, "power(x, y)"),
        (sp.Pow(sp.E, x, evaluate=False), "exp(x)"),
        (1 / (1 + sp.exp(-x)), "div(1, add(1, exp(neg(x))))"),
        (sp.exp(x) / (1 + sp.exp(x)), "div(exp(x), add(1, exp(x)))"),
        (sp.exp(-(x**2) / 2), "exp(neg(div(integer_power(x, 2), 2)))"),
        (sp.Max(x, y, z), "maximum(x, y, z)"),
        (sp.Piecewise((x, x > 0), (y, True)), "select(lt(0, x), x, y)"),
        (sp.Piecewise((x, sp.And(x >= 0, y < 1)), (y, True)), "select(and(le(0, x), lt(y, 1)), x, y)"),
        (sp.Integer(3), "3"),
        (3, "3"),
    ],
)
def test_form(expr, expected) -> None:
    assert graph(expr) == expected


FUNCTIONS = [
    (sp.exp, math.exp),
    (sp.log, math.log),
    (sp.sin, math.sin),
    (sp.cos, math.cos),
    (sp.tan, math.tan),
    (sp.tanh, math.tanh),
    (sp.sinh, math.sinh),
    (sp.cosh, math.cosh),
    (sp.atan, math.atan),
    (sp.erf, math.erf),
    (sp.Abs, abs),
    (sp.sign, lambda v: math.copysign(1, v)),
    (expm1, math.expm1),
    (log1p, math.log1p),
]


@pytest.mark.parametrize(("function", "reference"), FUNCTIONS, ids=lambda f: getattr(f, "__name__", ""))
def test_functions(function, reference) -> None:
    value, at = evaluate(function(x * y))
    assert value == pytest.approx(reference(float(at["x"] * at["y"])), rel=1e-14)


EXPRESSIONS = [
    (x + y) * sp.Max(y, z),
    sp.log(1 + sp.exp(-x * y)) + lam * (x**2 + y**2),
    sp.Piecewise((x**2, x < y), (sp.Abs(y - z), sp.Or(z < 1, x > 2)), (z**x, True)),
    sp.Piecewise((x, sp.Not(sp.Eq(x, y))), (0, True)) + sp.Min(x, y, z, sp.pi / 3),
    sp.Piecewise((x, sp.ITE(x < y, z < 1, z > 1)), (y, True)),
    (x - y) ** 3 / (z + sp.E) ** 2 - sp.Rational(7, 3) * x * y / z + sp.GoldenRatio,
    sp.sqrt(x**2 + y**2) ** 3 * sp.EulerGamma,
    sp.Add(*[sp.sin(k * x) * (-1) ** k for k in range(40)]),
]


@pytest.mark.parametrize("expr", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_values(expr) -> None:
    for seed in range(3):
        value, at = evaluate(expr, seed=seed)
        names = {"lambda": lam, "x": x, "y": y, "z": z}
        exact = expr.subs({names[k]: sp.Float(float(v), 40) for k, v in at.items()}).evalf(30)
        assert value == pytest.approx(float(exact), rel=1e-13)


def test_a_piecewise_without_default_is_nan_outside() -> None:
    p = program(sp.Piecewise((x, x < 0)))
    assert p.graph.outputs[0].args[2].value != p.graph.outputs[0].args[2].value


@pytest.mark.parametrize(
    "number",
    [sp.Rational(1, 3), sp.Rational(10**30, 3**40), sp.Float("0.1", 50), sp.pi, sp.Catalan, sp.Float("1e-310", 30)],
)
def test_numbers_are_correctly_rounded(number) -> None:
    value = program(number).graph.outputs[0].value
    gap = abs(sp.Rational(value) - number).evalf(60)
    for other in (math.nextafter(value, math.inf), math.nextafter(value, -math.inf)):
        assert gap <= abs(sp.Rational(other) - number).evalf(60)


def test_infinities() -> None:
    assert program(sp.Piecewise((x, x > 0), (-sp.oo, True))).graph.outputs[0].args[2].value == -math.inf


def test_integers_are_cast() -> None:
    k = sp.Symbol("k", integer=True)
    p = program(x * k)
    assert [a.dtype for a in p.arguments] == ["int64", "float64"]
    assert p.wrt == ("x",)
    assert graph(x * k) == "mul(x, real64(k))"
    assert graph(x * k, dtype="float32") == "mul(x, real32(k))"


def test_float32_throughout() -> None:
    p = program(x / 3 + sp.pi, dtype="float32")
    assert {n.dtype for n in p.graph.nodes()} == {"float32"}


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (sp.I * x, "ImaginaryUnit is not supported\n  in: I\n  hint: every value is real; write real and imaginary"),
        (sp.Function("f")(x), "the undefined function f is not supported\n  in: f(x)"),
        (sp.zoo, "ComplexInfinity is not supported\n  in: zoo\n  hint: a division by zero was evaluated"),
        (sp.Integer(10) ** 400, "the Integer is too large for a float"),
        ("x + 1", "str is not supported\n  in: 'x + 1'\n  hint: pass a SymPy expression, not text"),
        (None, "NoneType is not supported"),
        (np.ones(2), "ndarray is not supported"),
        (x < y, "a condition as output is not supported"),
        (sp.Lambda(x, x), "Lambda that is not applied is not supported"),
    ],
)
def test_refusals(expr, text) -> None:
    with pytest.raises(UnsupportedExpressionError) as caught:
        program(expr)
    assert str(caught.value).startswith(text)


def test_a_huge_expression_is_quoted_in_part() -> None:
    expr = x
    for _ in range(80):
        expr = sp.sin(expr, evaluate=False)
    with pytest.raises(UnsupportedExpressionError) as caught:
        program(sp.zeta(expr, evaluate=False))
    assert str(caught.value).startswith("zeta is not supported\n  in: zeta(sin(...))\n  hint: declare")
