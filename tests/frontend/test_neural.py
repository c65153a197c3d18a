"""Neural functions as SymPy expressions: values, derivatives, other forms, numbers, printing, round trips."""

from __future__ import annotations

import math
import pickle

import mpmath
import pytest
import sympy as sp
from sympy.core.symbol import Str
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

import symbackprop as sbp
from tests.frontend.helpers import graph

x, a = sp.symbols("x a")
r = sp.Symbol("r", real=True)
m, n = sp.symbols("m n", integer=True, positive=True)
i, c = sp.symbols("i c", integer=True)
X, z = sp.MatrixSymbol("X", m, n), sp.MatrixSymbol("z", n, 1)
y = sp.IndexedBase("y", (n,))

ACTIVATIONS = {
    "relu": sbp.relu(x),
    "leaky_relu": sbp.leaky_relu(x),
    "prelu": sbp.prelu(x, a),
    "hardtanh": sbp.hardtanh(x),
    "hardtanh to 6": sbp.hardtanh(x, 0, 6),
    "sigmoid": sbp.sigmoid(x),
    "softplus": sbp.softplus(x),
    "silu": sbp.silu(x),
    "gelu": sbp.gelu(x),
    "gelu_tanh": sbp.gelu(x, approximate="tanh"),
    "elu": sbp.elu(x, a),
    "selu": sbp.selu(x),
}
SCORES = {
    "logsumexp": sbp.logsumexp(x, a, r),
    "logsumexp of a vector": sbp.logsumexp(z),
    "logsumexp of rows": sbp.logsumexp(X, axis=1),
    "logsumexp over an index": sbp.logsumexp(y[i], (i, 0, n - 1)),
    "softmax": sbp.softmax(z),
    "softmax of columns": sbp.softmax(X, axis=0),
    "softmax over an index": sbp.softmax(y[i], i),
    "softmax over a range": sbp.softmax(y[i], (i, 0, n - 1)),
    "log_softmax": sbp.log_softmax(X, axis=1),
    "log_softmax over an index": sbp.log_softmax(y[i], i),
    "cross_entropy": sbp.cross_entropy(z, c),
    "soft cross_entropy": sbp.cross_entropy(z, sp.MatrixSymbol("t", n, 1)),
    "one_hot": sbp.one_hot(c, n),
}
POINTS = (-3.0, -0.7, 0.4, 2.5)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("point", POINTS)
def test_derivative_is_that_of_the_value(name, point):
    expr = ACTIVATIONS[name]
    for symbol in sorted(expr.free_symbols, key=str):
        others = {s: sp.Rational(1, 3) for s in expr.free_symbols - {symbol}}
        others = {s: (sp.Float(point, 40) if s == x else v) for s, v in others.items()}
        at = point if symbol == x else 0.3
        with mpmath.workdps(40):
            value = sp.lambdify(symbol, expr.subs(others), "mpmath")
            want = mpmath.diff(value, mpmath.mpf(at))
        got = expr.diff(symbol).subs(others).subs(symbol, sp.Float(at, 40)).evalf(30)
        assert abs(got - sp.Float(want, 30)) < 1e-15


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_numbers_to_any_precision(name):
    expr = ACTIVATIONS[name].subs(a, sp.Rational(1, 4))
    for point in (sp.Rational(-7, 3), sp.Rational(2, 7), sp.Rational(17, 2)):
        value = expr.subs(x, point)
        long, short = value.evalf(60), value.evalf(15)
        elementary = (expr.elementary()).subs(x, point).evalf(60)
        assert abs(long - elementary) < sp.Float("1e-55") * max(1, abs(long))
        assert abs(long - short) <= 1e-14 * abs(long)
    assert abs(expr.subs(x, 0.5) - sp.N(expr.subs(x, sp.Rational(1, 2)))) < 1e-15


def test_small_values_keep_their_digits():
    assert sp.N(sbp.softplus(-1000), 30) == sp.N(sp.exp(-1000), 30)
    with mpmath.workdps(40):
        want = sp.Float(-5 * mpmath.erfc(10 / mpmath.sqrt(2)), 25)
    assert abs(sbp.gelu(-10).evalf(25) / want - 1) < 1e-24


@pytest.mark.parametrize("expr", [*ACTIVATIONS.values(), *SCORES.values()], ids=[*ACTIVATIONS, *SCORES])
def test_round_trips(expr):
    assert pickle.loads(pickle.dumps(expr)) == expr
    names = {name: getattr(sbp, name) for name in sbp.__all__ if name != "compile"}
    again = eval(sp.srepr(expr), {**vars(sp), **names, "Str": Str})
    assert again == expr
    assert expr.func(*expr.args) == expr
    assert sp.latex(expr)
    assert str(expr)


def test_printing():
    assert sp.latex(sbp.sigmoid(x) ** 2) == r"\sigma^{2}\left(x\right)"
    assert sp.latex(sbp.leaky_relu(x)) == r"\operatorname{leaky\_relu}\left(x\right)"
    assert sp.latex(sbp.hardtanh(x, 0, 6)) == r"\operatorname{hardtanh}\left(x, 0, 6\right)"
    assert str(sbp.softmax(X, axis=0)) == "softmax(X, axis=0)"
    assert str(sbp.logsumexp(y[i], (i, 0, 3))) == "logsumexp(y[i], (i, 0, 3))"
    assert str(sbp.cross_entropy(z, c)) == "cross_entropy(z, c)"


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("modules", ["math", "mpmath", "numpy", None])
def test_lambdify(name, modules):
    expr = ACTIVATIONS[name].subs(a, sp.Rational(1, 4))
    if name.startswith("gelu") and modules == "numpy":
        pytest.skip("NumPy has no erfc; SciPy, the default, has")
    f = sp.lambdify(x, expr, modules)
    for point in POINTS:
        assert float(f(point)) == pytest.approx(float(expr.subs(x, point)), rel=1e-13)


def test_exact_values():
    assert sbp.relu(-2) == 0
    assert sbp.relu(sp.pi) == sp.pi
    assert sbp.relu(sp.sqrt(2) - 2) == 0
    assert sbp.leaky_relu(-2) == sp.Rational(-1, 50)
    assert sbp.prelu(-2, a) == -2 * a
    assert [sbp.hardtanh(k) for k in (-5, 0, 5)] == [-1, 0, 1]
    assert [sbp.sigmoid(k) for k in (0, sp.oo, -sp.oo)] == [sp.Rational(1, 2), 1, 0]
    assert [sbp.softplus(k) for k in (0, sp.oo, -sp.oo)] == [sp.log(2), sp.oo, 0]
    for function in (sbp.silu, sbp.gelu, sbp.gelu_tanh):
        assert [function(k) for k in (0, sp.oo, -sp.oo)] == [0, sp.oo, 0]
    assert [sbp.elu(k) for k in (0, 3, sp.oo, -sp.oo)] == [0, 3, sp.oo, -1]
    assert sbp.relu(sp.nan) is sp.nan
    assert sbp.logsumexp(x) == x
    assert sbp.logsumexp(x, -sp.oo) == x
    assert sbp.logsumexp(1.0, 2.0) == pytest.approx(2 + math.log1p(math.exp(-1)))
    assert sbp.logsumexp(y[i], (i, 0, 1)).doit() == sbp.logsumexp(y[0], y[1])


def test_rewrites():
    assert sbp.sigmoid(x).rewrite(sp.exp) == 1 / (1 + sp.exp(-x))
    assert sbp.sigmoid(x).rewrite(sp.tanh) == (1 + sp.tanh(x / 2)) / 2
    assert sbp.relu(x).rewrite(sp.Max) == sp.Max(x, 0)
    assert sbp.relu(x).rewrite(sp.Piecewise) == sp.Piecewise((x, x > 0), (0, True))
    assert sbp.gelu(x).rewrite(sp.erf) == x * (1 + sp.erf(x / sp.sqrt(2))) / 2
    assert sbp.gelu(x, approximate="tanh").rewrite(sp.tanh).has(sp.tanh)
    assert sbp.softplus(x).rewrite(sp.log) == sp.log(1 + sp.exp(x))
    assert sbp.silu(x).rewrite(sbp.sigmoid) == x * sbp.sigmoid(x)
    assert sbp.selu(x).rewrite(sbp.elu).has(sbp.elu)
    assert sbp.hardtanh(x).rewrite(sp.Max) == sp.Min(sp.Max(x, -1), 1)
    assert sbp.leaky_relu(x, a).rewrite(sp.Piecewise) == sp.Piecewise((x, x > 0), (a * x, True))
    assert sbp.logsumexp(x, a).rewrite(sp.log) == sp.log(sp.exp(x) + sp.exp(a))
    assert sbp.logsumexp(y[i], (i, 0, n)).rewrite(sp.Sum) == sp.log(sp.Sum(sp.exp(y[i]), (i, 0, n)))
    assert sbp.cross_entropy(z, c).rewrite(sbp.logsumexp) == sbp.logsumexp(z) - z[c, 0]


def test_kinks_have_the_slope_of_least_norm():
    def slope(expr):
        return expr.diff(x).subs(x, 0)

    assert slope(sbp.relu(x)) == 0
    assert slope(sbp.leaky_relu(x)) == sp.Rational(1, 100)
    assert [slope(sbp.prelu(x, k)) for k in (-2, sp.Rational(1, 2), 3)] == [0, sp.Rational(1, 2), 1]
    assert slope(sbp.elu(x)) == 1
    assert slope(sbp.elu(x, 3)) == 1
    assert slope(sbp.selu(x)) == sp.Rational("1.0507009873554804934193349852946")
    assert [sbp.hardtanh(x).diff(x).subs(x, k) for k in (-1, 0, 1)] == [0, 1, 0]


def test_assumptions():
    assert sbp.relu(r).is_nonnegative
    assert sbp.relu(r).is_real
    assert sbp.sigmoid(r).is_positive
    assert sbp.softplus(r).is_positive
    assert sbp.elu(r).is_real
    assert sbp.sigmoid(x).is_real is None
    assert sbp.logsumexp(r, r + 1).is_real
    assert sbp.logsumexp(z).is_commutative
    assert sbp.cross_entropy(z, c).free_symbols == {c, z}


def test_matrices():
    for expr in (sbp.relu(X), X.applyfunc(sbp.relu), sbp.leaky_relu(X, a)):
        assert isinstance(expr, ElementwiseApplyFunction)
        assert expr.shape == (m, n)
    assert sbp.relu(sp.Matrix([[-1, x]])) == sp.Matrix([[0, sbp.relu(x)]])
    assert sbp.relu(sp.Array([-1, x])) == sp.Array([0, sbp.relu(x)])
    assert not isinstance(sbp.relu(z.T * z), sp.MatrixExpr)
    assert sbp.softmax(X, axis=1).shape == (m, n)
    assert sbp.logsumexp(X, axis=0).shape == (1, n)
    assert sbp.logsumexp(X, axis=1).shape == (m, 1)
    assert sbp.one_hot(c, n).shape == (n, 1)
    assert sbp.one_hot(c, n)[i, 0] == sp.KroneckerDelta(c, i)
    assert sbp.softmax(sp.Matrix([x, a])) == sp.Matrix(
        [sp.exp(x - sbp.logsumexp(x, a)), sp.exp(a - sbp.logsumexp(x, a))]
    )
    assert sbp.log_softmax([x, a]).shape == (2, 1)
    assert sbp.logsumexp(sp.Matrix([[x, a], [a, r]]), axis=1) == sp.Matrix([sbp.logsumexp(x, a), sbp.logsumexp(a, r)])


def test_derivatives_of_the_softmax_family():
    total = sbp.logsumexp(x, a)
    assert total.diff(x) == sp.exp(x - total)
    over = sbp.logsumexp(x * y[i], (i, 0, 2))
    want = sp.log(sum(sp.exp(x * y[k]) for k in range(3))).diff(x)
    point = {x: 0.5, y[0]: 1.0, y[1]: -1.0, y[2]: 0.3}
    assert float(over.diff(x).doit().subs(point)) == pytest.approx(float(want.subs(point)), rel=1e-12)
    assert isinstance(sbp.cross_entropy(x * z, c).diff(x), sp.Derivative)
    assert sbp.cross_entropy(z, c).diff(x) == 0


def test_translations_are_one_primitive_each():
    assert graph(sbp.relu(x)) == "maximum(x, 0)"
    assert graph(sbp.silu(x)) == "silu(x)"
    assert graph(sbp.gelu(x)) == "gelu(x)"
    assert graph(sbp.leaky_relu(x, 0.5)) == "prelu(x, 0.5)"
    assert graph(sbp.hardtanh(x)) == "minimum(maximum(x, -1), 1)"
    assert graph(sbp.logsumexp(x, a)) in {"logaddexp(x, a)", "logaddexp(a, x)"}


def test_construction_does_not_walk_deep_expressions():
    deep = x
    for _ in range(200):
        deep = deep * deep + deep
    for function in (sbp.relu, sbp.sigmoid, sbp.gelu, sbp.elu):
        assert function(deep).args[0] is deep
