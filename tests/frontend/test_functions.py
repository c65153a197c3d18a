"""Functions of scalars: every one in value, gradient and second derivative against 50 digits; refusals by name."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from sympy.codegen import cfunctions, numpy_nodes, scipy_nodes

from symbackprop.autodiff.bprop import build_bprop
from symbackprop.errors import UnsupportedExpressionError
from symbackprop.interpret import interpret
from symbackprop.ir.graph import Graph
from symbackprop.ops.layout import fill
from symbackprop.rewrite.engine import simplify
from tests.frontend.helpers import graph, program

x, y = sp.symbols("x y", real=True)
POINT = {"x": 0.83, "y": 1.71}
RATIONAL = sp.Rational

#: Functions that SymPy has, at a point where they are real and smooth.
EXPRESSIONS = [
    *(f(x) for f in (sp.sec, sp.csc, sp.cot, sp.atan, sp.acot, sp.sinc, sp.sech, sp.csch, sp.coth, sp.asinh, sp.acsch)),
    *(f(x / 3) for f in (sp.asin, sp.acos, sp.atanh, sp.asech, sp.erfinv)),
    *(f(x + 2) for f in (sp.asec, sp.acsc, sp.acosh, sp.acoth, sp.li)),
    sp.atan2(x, y),
    sp.floor(x * y) * x * y + sp.ceiling(x * y) * y**2 + sp.frac(x * 7) * x,
    sp.Mod(x * 9, y) * x,
    sp.Heaviside(y - x) * x**2 + sp.Heaviside(x - y) / 0.1 + sp.Heaviside(x, RATIONAL(1, 3)) * y**2,
    *(f(x) for f in (sp.erf, sp.erfc, sp.erfi, sp.gamma, sp.loggamma, sp.digamma, sp.trigamma, sp.factorial)),
    sp.erfcinv(x),
    sp.erf2(x, y),
    sp.gamma(-x - 1),
    sp.digamma(-x),
    sp.trigamma(-x - 2),
    sp.polygamma(2, x) + sp.polygamma(3, -x - 1),
    sp.beta(x, y),
    sp.binomial(y, x),
    sp.binomial(x, 3) + sp.binomial(x, 1) * y,
    sp.ff(y, x),
    sp.rf(x, y),
    sp.lowergamma(2, x) * sp.uppergamma(RATIONAL(5, 2), y),
    sp.besselj(0, x) + sp.besselj(2, y),
    sp.besselj(RATIONAL(1, 3), x) * sp.besselj(-1, y),
    sp.bessely(1, x) + sp.bessely(0.5, y),
    sp.besseli(0, x) * sp.besselk(2, y),
    sp.jn(2, x) + sp.yn(1, y) + sp.jn(0, x * y),
    sp.airyai(x) * sp.airybi(y) + sp.airyaiprime(y) * sp.airybiprime(x),
    sp.Ei(x) * sp.Si(y) + sp.Ci(x),
    sp.expint(2, x) + sp.expint(1, y),
    sp.fresnels(x) * sp.fresnelc(y),
    sp.LambertW(x) * sp.LambertW(-y / 9, -1),
    sp.cbrt(x) * sp.root(y, 5),
    x**y + 2**x + sp.exp(x) ** y + x**sp.pi,
    (-x) ** 3.0 + (-x) ** 101.0 + x**2.5 * y ** RATIONAL(-2, 3),
    sp.real_root(-x, 3) * y,
    cfunctions.exp2(x) * cfunctions.log2(y) + cfunctions.log10(x),
    cfunctions.Sqrt(x) * cfunctions.Cbrt(y) + cfunctions.hypot(x, y) + cfunctions.fma(x, y, x),
    numpy_nodes.logaddexp(x, y) * numpy_nodes.logaddexp2(x, y),
    scipy_nodes.cosm1(x) * scipy_nodes.powm1(x, y),
    sp.Piecewise((x**2, sp.Xor(x > 0, y > 5)), (y, True)) + sp.Piecewise((y, sp.Implies(x > 0, y > 5)), (x * y, True)),
    sp.Piecewise((x**2, sp.Equivalent(x > 0, y > 5)), (y**2, sp.Nand(x > 0, y > 5)), (x * y, True)),
    sp.Piecewise((x**2, sp.Nor(x > 0, y > 5)), (y**2, sp.ITE(x < y, y > 5, x > 5)), (x * y, sp.Ne(x, y))),
    sp.Piecewise((x, cfunctions.isnan(y)), (y**2, cfunctions.isinf(x)), (x * y, True)),
    sp.Max(x, y, 1) * sp.Min(x, y, 7) * sp.zeta(3) * sp.Catalan,
]

_MPMATH = {
    "airyaiprime": lambda a: mpmath.airyai(a, derivative=1),
    "airybiprime": lambda a: mpmath.airybi(a, derivative=1),
    "erfcinv": lambda a: mpmath.erfinv(1 - a),
    "erf2": lambda a, b: mpmath.erf(b) - mpmath.erf(a),
    "lowergamma": lambda s, a: mpmath.gammainc(s, 0, a),
    "uppergamma": mpmath.gammainc,
    "Heaviside": lambda a, h=0.5: 1 if a > 0 else (h if a == 0 else 0),
    "jn": lambda n, a: mpmath.sqrt(mpmath.pi / 2 / a) * mpmath.besselj(n + mpmath.mpf(0.5), a),
    "yn": lambda n, a: mpmath.sqrt(mpmath.pi / 2 / a) * mpmath.bessely(n + mpmath.mpf(0.5), a),
    "Mod": lambda a, b: a - b * mpmath.floor(a / b),
    "frac": lambda a: a - mpmath.floor(a),
    "trigamma": lambda a: mpmath.psi(1, a),
    "exp2": lambda a: mpmath.mpf(2) ** a,
    "log2": lambda a: mpmath.log(a, 2),
    "Sqrt": mpmath.sqrt,
    "Cbrt": mpmath.cbrt,
    "fma": lambda a, b, c: a * b + c,
    "logaddexp": lambda a, b: mpmath.log(mpmath.exp(a) + mpmath.exp(b)),
    "logaddexp2": lambda a, b: mpmath.log(mpmath.mpf(2) ** a + mpmath.mpf(2) ** b, 2),
    "cosm1": lambda a: mpmath.cos(a) - 1,
    "powm1": lambda a, b: a**b - 1,
    "isnan": lambda _: False,
    "isinf": lambda _: False,
    "zeta": mpmath.zeta,
    "Abs": abs,
}


def derivatives(p):
    """The value, the gradient, and the gradient of x times its first entry plus its second: second derivatives."""
    one = fill(1.0, (), "float64")
    first = build_bprop(p.graph, p.graph.inputs, [one])
    second = build_bprop(p.graph, p.graph.inputs, [one])
    total = first[0] + 2.0 * second[1]
    joint = Graph(p.graph.inputs, (total,))
    return [*p.graph.outputs, *first, *build_bprop(joint, p.graph.inputs, [one])]


@pytest.mark.parametrize("expr", EXPRESSIONS, ids=lambda e: str(e)[:60])
def test_value_and_two_derivatives(expr) -> None:
    p = program(expr, inputs=[x, y])
    got = [float(v) for v in interpret(derivatives(p), POINT)]
    with mpmath.workdps(40):
        f = sp.lambdify((x, y), expr, [_MPMATH, "mpmath"])
        at = tuple(map(mpmath.mpf, POINT.values()))
        gxx, gxy, gyy = (mpmath.diff(f, at, order) for order in ((2, 0), (1, 1), (0, 2)))
        exact = [f(*at), mpmath.diff(f, at, (1, 0)), mpmath.diff(f, at, (0, 1)), gxx + 2 * gxy, gxy + 2 * gyy]
        want = [float(mpmath.re(v)) for v in exact]
    np.testing.assert_allclose(got[:3], want[:3], rtol=3e-13, atol=1e-14)
    np.testing.assert_allclose(got[3:], want[3:], rtol=3e-12, atol=1e-13)


def at_points(expr, **values):
    p = program(expr)
    one = fill(1.0, (), "float64")
    nodes = (*p.graph.outputs, *build_bprop(p.graph, p.graph.inputs, [one]))
    return [float(v) for v in interpret(simplify(Graph(p.graph.inputs, nodes)), values)]


@pytest.mark.parametrize(
    ("expr", "values", "expected"),
    [
        (x**0.0, {"x": 0.0}, [1.0, 0.0]),
        (sp.Pow(0, x), {"x": 0.0}, [1.0, 0.0]),
        (x**y, {"x": 0.0, "y": 2.0}, [0.0, 0.0, 0.0]),
        (x**y, {"x": -2.0, "y": 3.0}, [-8.0, 12.0, math.nan]),
        (x**1000, {"x": -1.0}, [1.0, -1000.0]),
        (sp.cbrt(sp.Symbol("x")), {"x": -8.0}, [math.nan, math.nan]),
        (cfunctions.Cbrt(x), {"x": -8.0}, [-2.0, 1 / 12]),
        (sp.real_root(x, 3), {"x": -8.0}, [-2.0, 1 / 12]),
        (cfunctions.hypot(x, y), {"x": 0.0, "y": 0.0}, [0.0, 0.0, 0.0]),
        (cfunctions.hypot(x, y), {"x": 3e200, "y": 4e200}, [5e200, 0.6, 0.8]),
        (sp.atan2(x, y), {"x": 0.0, "y": 0.0}, [0.0, 0.0, 0.0]),
        (sp.Heaviside(x), {"x": 0.0}, [0.5, 0.0]),
        (sp.Heaviside(x, 1), {"x": 0.0}, [1.0, 0.0]),
        (sp.Heaviside(x), {"x": math.nan}, [math.nan, 0.0]),
        (sp.Mod(x, 3), {"x": -1.0}, [2.0, 1.0]),
        (sp.Mod(x, -3), {"x": 1.0}, [-2.0, 1.0]),
        (sp.Mod(-9 * x, -y), {"x": 0.83, "y": 1.71}, [-0.63, -9.0, 4.0]),
        (sp.frac(x), {"x": -0.25}, [0.75, 1.0]),
        (sp.sinc(x), {"x": 0.0}, [1.0, 0.0]),
        (sp.sinc(x), {"x": 1e-5}, [1 - 1e-10 / 6, -1e-5 / 3 * (1 - 1e-11)]),
        (sp.sech(x), {"x": 720.0}, [2 * math.exp(-720), -2 * math.exp(-720)]),
        (sp.asin(x), {"x": 1.0}, [math.pi / 2, math.inf]),
        (sp.asec(x), {"x": 1 + 2.0**-52}, [2.0**-25.5, 2.0**25.5]),
        (sp.acosh(x), {"x": 1e200}, [math.log(2e200), 1e-200]),
        (sp.LambertW(x), {"x": 0.0}, [0.0, 1.0]),
        (sp.LambertW(x), {"x": -0.5}, [math.nan, math.nan]),
        (sp.loggamma(x), {"x": -1.5}, [math.nan, 0.7031566406452432]),
        (sp.gamma(x), {"x": -1.5}, [2.3632718012073544, 2.3632718012073544 * 0.7031566406452432]),
        (sp.besselj(1, x), {"x": 0.0}, [0.0, 0.5]),
        (sp.besselj(2, x), {"x": -1.0}, [0.1149034849319005, -0.21024361588113258]),
        (sp.binomial(x, 3), {"x": 2.0}, [0.0, 1 / 3]),
        (sp.re(x) + sp.conjugate(x) + sp.im(x), {"x": 2.0}, [4.0, 2.0]),
        (sp.Symbol("z") * sp.nan, {}, [math.nan]),
        (sp.Piecewise((sp.sqrt(x), x > 0), (sp.nan, True)), {"x": -1.0}, [math.nan, 0.0]),
        (sp.Max(x, sp.Min(sp.oo, y, evaluate=False)), {"x": 1.0, "y": 2.0}, [2.0, 0.0, 1.0]),
    ],
    ids=str,
)
def test_edges(expr, values, expected) -> None:
    np.testing.assert_allclose(at_points(expr, **values), expected, rtol=1e-13, atol=1e-300)


def test_complex_parts_of_plain_symbols() -> None:
    z = sp.Symbol("z")
    assert at_points(sp.arg(z), z=-2.0) == [math.pi, 0.0]
    assert at_points(sp.im(sp.sin(z)), z=1.0) == [0.0, 0.0]
    assert math.isnan(at_points(sp.im(sp.acos(z)), z=2.0)[0])


@pytest.mark.parametrize("n", range(7))
@pytest.mark.parametrize("k", range(-1, 8))
def test_binomial_of_whole_numbers_is_exact(n, k) -> None:
    a, b = sp.symbols("a b")
    value = interpret(program(sp.binomial(a, b)).graph, {"a": n, "b": k})[0]
    assert value == int(sp.binomial(n, k))


def test_functions_of_numbers_are_numbers() -> None:
    assert graph(x * sp.besselj(0, 1)) == "mul(0.765198, x)"
    assert graph(x * sp.sqrt(sp.gamma(sp.Rational(1, 3)) + 2)) == f"mul({math.sqrt(math.gamma(1 / 3) + 2):g}, x)"
    assert graph(x + sp.zeta(3)) == "add(x, 1.20206)"


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (x * sp.acos(2), "acos of these numbers is not a real number\n  in: acos(2)\n  hint: every value is real"),
        (
            x + sp.cbrt(-8),
            "Pow of these numbers is not a real number\n  in: (-1)**(1/3)\n  hint: every value is real",
        ),
        (x + sp.log(2 - sp.pi, evaluate=False), "log of these numbers is not a real number\n  in: log(2 - pi)"),
        (sp.log(-1) * x, "ImaginaryUnit is not supported"),
        (x * sp.loggamma(sp.Rational(-3, 2)), "loggamma of these numbers is not a real number"),
        (x * sp.LambertW(-1), "LambertW of these numbers is not a real number"),
        (sp.LambertW(x, 1), "branch 1 of LambertW is not real\n  in: LambertW(x, 1)\n  hint: the real branches are 0"),
        (sp.DiracDelta(x), "DiracDelta is not supported\n  in: DiracDelta(x)\n  hint: it has no values"),
        (sp.zeta(x), "zeta is not supported\n  in: zeta(x)"),
        (sp.besselj(y, x), "besselj with a variable for the order is not supported\n  in: besselj(y, x)\n  hint: give"),
        (sp.polygamma(y, x), "polygamma with a variable for the order is not supported"),
        (sp.polygamma(-2, x), "polygamma of this order is not supported"),
        (sp.lowergamma(-1.5, x), "lowergamma of this order is not supported"),
        (sp.hankel1(0, x), "hankel1 is not supported"),
    ],
)
def test_refusals(expr, text) -> None:
    with pytest.raises(UnsupportedExpressionError) as caught:
        program(expr)
    assert str(caught.value).startswith(text)
