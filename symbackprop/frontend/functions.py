"""Functions of real scalars: a table of those that are one primitive, a table of those that are a short formula.

Functions of an order (Bessel functions, polygamma, ...) take a number for it: the primitive has no derivative there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.codegen import cfunctions, numpy_nodes, scipy_nodes

from symbackprop.frontend.algebra import reciprocal
from symbackprop.frontend.constants import evaluates, settled
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import kind_name
from symbackprop.frontend.dispatch import Scope, Steps, binds, operands, translates
from symbackprop.frontend.refusals import hint_for
from symbackprop.frontend.scalars import number_of, refusal
from symbackprop.frontend.value import Value, apply
from symbackprop.ir.node import Const

__all__ = ["FORMULAS", "PRIMITIVES"]

#: Functions that are one primitive each.
PRIMITIVES: dict[type, str] = {
    sp.exp: "exp",
    sp.log: "log",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.asin: "asin",
    sp.acos: "acos",
    sp.atan: "atan",
    sp.acot: "acot",
    sp.asec: "asec",
    sp.acsc: "acsc",
    sp.atan2: "atan2",
    sp.sinc: "sinc",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.coth: "coth",
    sp.sech: "sech",
    sp.csch: "csch",
    sp.asinh: "asinh",
    sp.acosh: "acosh",
    sp.atanh: "atanh",
    sp.acoth: "acoth",
    sp.asech: "asech",
    sp.acsch: "acsch",
    sp.Abs: "abs",
    sp.sign: "sign",
    sp.floor: "floor",
    sp.ceiling: "ceil",
    sp.Mod: "mod",
    sp.erf: "erf",
    sp.erfc: "erfc",
    sp.erfi: "erfi",
    sp.erf2: "erf2",
    sp.erfinv: "erfinv",
    sp.erfcinv: "erfcinv",
    sp.gamma: "gamma",
    sp.loggamma: "log_gamma",
    sp.digamma: "digamma",
    sp.binomial: "binomial",
    sp.RisingFactorial: "poch",
    sp.Ei: "exponential_integral",
    sp.Si: "sine_integral",
    sp.Ci: "cosine_integral",
    sp.fresnels: "fresnel_s",
    sp.fresnelc: "fresnel_c",
    sp.airyai: "airy_ai",
    sp.airyaiprime: "airy_ai_prime",
    sp.airybi: "airy_bi",
    sp.airybiprime: "airy_bi_prime",
    cfunctions.expm1: "expm1",
    cfunctions.log1p: "log1p",
    cfunctions.log2: "log2",
    cfunctions.log10: "log10",
    cfunctions.Sqrt: "sqrt",
    cfunctions.Cbrt: "cbrt",
    cfunctions.hypot: "hypot",
    numpy_nodes.logaddexp: "logaddexp",
}


@evaluates(*(cls for cls in PRIMITIVES if cls is not sp.binomial))
def primitive(_ctx: Context, expr: Any, *values: Value) -> Value:
    """Return a function that is one primitive."""
    return apply(next(PRIMITIVES[cls] for cls in type(expr).__mro__ if cls in PRIMITIVES), *values)


def _scaled(ctx: Context, factor: float, value: Value) -> Value:
    return apply("mul", ctx.const(factor), value)


def _shifted(ctx: Context, value: Value, by: float) -> Value:
    return apply("add", value, ctx.const(by))


def _select(ctx: Context, test: Value, then: Value | float, other: Value | float) -> Value:
    branches = (b if isinstance(b, Value) else ctx.const(b) for b in (then, other))
    return apply("select", test, *branches)


def _less(ctx: Context, low: float, value: Value) -> Value:
    return apply("lt", ctx.const(low), value)


def _heaviside(ctx: Context, x: Value, at_zero: Value) -> Value:
    """1, 0 and the given value at 0; `winner` and `exceeds` are flat, and annihilate what they multiply."""
    zero = ctx.const(0.0)
    given = at_zero.node
    if isinstance(given, Const) and given.value in {0.0, 0.5}:
        return apply("winner" if given.value else "exceeds", x, zero)
    return _select(ctx, apply("eq", x, zero), at_zero, apply("exceeds", x, zero))


def _real_or_nan(ctx: Context, x: Value, value: float | Value) -> Value:
    """Return `value` wherever x is a number: where a real formula gives NaN, SymPy's value may be complex."""
    return _select(ctx, apply("eq", x, x), value, math.nan)


def _argument(ctx: Context, x: Value) -> Value:
    return _select(ctx, apply("lt", x, ctx.const(0.0)), math.pi, _real_or_nan(ctx, x, 0.0))


def _half_versine(ctx: Context, x: Value) -> Value:
    """cos(x) - 1 as -2*sin(x/2)**2."""
    return _scaled(ctx, -2.0, apply("integer_power", apply("sin", _scaled(ctx, 0.5, x)), attr=(2,)))


def _power_minus_one(ctx: Context, x: Value, y: Value) -> Value:
    """x**y - 1 as expm1(y*log(x)) where x is positive."""
    positive = _less(ctx, 0.0, x)
    near = apply("expm1", apply("mul", y, apply("log", _select(ctx, positive, x, 1.0))))
    return _select(ctx, positive, near, apply("sub", apply("power", x, y), ctx.const(1.0)))


def _logaddexp2(ctx: Context, x: Value, y: Value) -> Value:
    both = apply("logaddexp", _scaled(ctx, math.log(2.0), x), _scaled(ctx, math.log(2.0), y))
    return _scaled(ctx, 1.0 / math.log(2.0), both)


def _log_integral(_ctx: Context, x: Value) -> Value:
    return apply("exponential_integral", apply("log", x))


def _beta(_ctx: Context, x: Value, y: Value | None = None) -> Value:
    return apply("beta", x, x if y is None else y)


def _falling(_ctx: Context, x: Value, k: Value) -> Value:
    return apply("poch", _shifted(_ctx, apply("sub", x, k), 1.0), k)


#: Functions that are a formula in primitives: (ctx, *operands) -> Value.
FORMULAS: dict[type, Callable[..., Value]] = {
    sp.sec: lambda _, x: reciprocal(apply("cos", x)),
    sp.csc: lambda _, x: reciprocal(apply("sin", x)),
    sp.cot: lambda _, x: reciprocal(apply("tan", x)),
    sp.frac: lambda _, x: apply("sub", x, apply("floor", x)),
    sp.Heaviside: _heaviside,
    sp.re: lambda _, x: x,
    sp.conjugate: lambda _, x: x,
    sp.im: lambda ctx, x: _real_or_nan(ctx, x, 0.0),
    sp.arg: _argument,
    sp.factorial: lambda ctx, x: apply("gamma", _shifted(ctx, x, 1.0)),
    sp.FallingFactorial: _falling,
    sp.beta: _beta,
    sp.trigamma: lambda ctx, x: apply("polygamma", ctx.const(1.0), x),
    sp.erf2inv: lambda _, x, z: apply("erfinv", apply("add", z, apply("erf", x))),
    sp.li: _log_integral,
    sp.Li: lambda ctx, x: apply("sub", _log_integral(ctx, x), _log_integral(ctx, ctx.const(2.0))),
    cfunctions.exp2: lambda ctx, x: apply("power", ctx.const(2.0), x),
    cfunctions.fma: lambda _, x, y, z: apply("add", apply("mul", x, y), z),
    numpy_nodes.logaddexp2: _logaddexp2,
    scipy_nodes.cosm1: _half_versine,
    scipy_nodes.powm1: _power_minus_one,
}


@evaluates(*FORMULAS)
def formula(ctx: Context, expr: Any, *values: Value) -> Value:
    """Return a function that is a formula in primitives."""
    return next(FORMULAS[cls] for cls in type(expr).__mro__ if cls in FORMULAS)(ctx, *values)


@translates(cfunctions.isnan)
def is_nan(_ctx: Context, _expr: Any, x: Value) -> Value:
    """Return whether a number is NaN."""
    return apply("ne", x, x)


@translates(cfunctions.isinf)
def is_infinite(ctx: Context, _expr: Any, x: Value) -> Value:
    """Return whether a number is infinite."""
    return apply("eq", apply("abs", x), ctx.const(math.inf))


def _order(expr: Any, value: Value, what: str = "the order") -> float:
    """Return a parameter that must be a number.

    Raises:
        UnsupportedExpressionError: it is not.
    """
    if not isinstance(value.node, Const):
        raise refusal(
            expr, f"{kind_name(expr)} with a variable for {what} is not supported", f"give {what} as a number"
        )
    return float(value.node.value)


def _wrong_order(expr: Any, expected: str) -> Exception:
    return refusal(expr, f"{kind_name(expr)} of this order is not supported", f"the order must be {expected}")


_BESSEL = {sp.besselj: "bessel_j", sp.bessely: "bessel_y", sp.besseli: "bessel_i", sp.besselk: "bessel_k"}
_SPHERICAL = {sp.jn: ("spherical_j", "bessel_j"), sp.yn: ("spherical_y", "bessel_y")}


@evaluates(*_BESSEL)
def bessel(_ctx: Context, expr: Any, order: Value, x: Value) -> Value:
    """Return a Bessel function of constant real order."""
    _order(expr, order)
    return apply(_BESSEL[type(expr)], order, x)


@evaluates(*_SPHERICAL)
def spherical_bessel(ctx: Context, expr: Any, order: Value, x: Value) -> Value:
    """Return a spherical Bessel function; of an order that is not 0, 1, ... by the Bessel function half an order up."""
    n = _order(expr, order)
    spherical, cylindrical = _SPHERICAL[type(expr)]
    if n >= 0 and n.is_integer():
        return apply(spherical, order, x)
    factor = apply("sqrt", apply("div", ctx.const(math.pi / 2), x))
    return apply("mul", factor, apply(cylindrical, ctx.const(n + 0.5), x))


@evaluates(sp.polygamma)
def polygamma(_ctx: Context, expr: Any, order: Value, x: Value) -> Value:
    """Return a derivative of the digamma function."""
    n = _order(expr, order)
    if n < 0 or not n.is_integer():
        raise _wrong_order(expr, "0, 1, 2 ...")
    return apply("polygamma", order, x) if n else apply("digamma", x)


@evaluates(sp.expint)
def exponential_integral(_ctx: Context, expr: Any, order: Value, x: Value) -> Value:
    """Return E of whole order."""
    n = _order(expr, order)
    if n < 0 or not n.is_integer():
        raise _wrong_order(expr, "0, 1, 2 ...")
    return apply("expint", order, x)


@evaluates(sp.lowergamma, sp.uppergamma)
def incomplete_gamma(ctx: Context, expr: Any, order: Value, x: Value) -> Value:
    """Return an incomplete gamma function of positive order."""
    s = _order(expr, order)
    if s == 0 and isinstance(expr, sp.uppergamma):
        return apply("expint", ctx.const(1.0), x)
    if not 0 < s <= 170:
        raise _wrong_order(expr, "a number from 0 to 170")
    share = apply("lower_gamma" if isinstance(expr, sp.lowergamma) else "upper_gamma", order, x)
    return _scaled(ctx, math.gamma(s), share)


@evaluates(sp.LambertW)
def lambert_w(ctx: Context, expr: Any, x: Value, branch: Value | None = None) -> Value:
    """Return a real branch of Lambert's W."""
    k = 0.0 if branch is None else _order(expr, branch, "the branch")
    if k not in {0.0, -1.0}:
        raise refusal(expr, f"branch {k:g} of LambertW is not real", "the real branches are 0 and -1")
    return apply("lambert_w", ctx.const(k), x)


#: Largest k up to which binomial(x, k) is a product.
_MAX_PRODUCT = 64


@evaluates(sp.binomial)
def binomial(ctx: Context, _expr: Any, x: Value, k: Value) -> Value:
    """Return a binomial coefficient; for a small whole k as a product, whose derivative exists everywhere."""
    number = k.node.value if isinstance(k.node, Const) else math.nan
    if not (0 <= number <= _MAX_PRODUCT and float(number).is_integer()):
        return apply("binomial", x, k)
    result = x if number else ctx.const(1.0)
    for j in range(1, int(number)):
        result = apply("div", apply("mul", result, _shifted(ctx, x, -float(j))), ctx.const(j + 1.0))
    return result


@binds(sp.DiracDelta)
def dirac_delta(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse a distribution."""
    raise refusal(expr, "DiracDelta is not supported", "it has no values; integrate it away first, with .doit()")


@binds(sp.zeta, sp.dirichlet_eta, sp.polylog, sp.lerchphi, sp.stieltjes, sp.harmonic)
def number_only(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the value of a function on numbers: it has no primitive, and no need of a derivative.

    Raises:
        UnsupportedExpressionError: an operand is not a number, or the value is not real.
    """
    values = yield from operands(expr.args)
    if not all(isinstance(a, (sp.Number, sp.NumberSymbol)) for a in expr.args):
        raise refusal(expr, f"{kind_name(expr)} is not supported", hint_for(type(expr)))
    value = expr.evalf(40)
    if not isinstance(value, sp.Float):
        raise refusal(expr, f"{kind_name(expr)} of these numbers is not a real number")
    return settled(expr, ctx.const(number_of(value)), values)
