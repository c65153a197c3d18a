"""Scalars: numbers, symbols, arithmetic, functions, comparisons, and choices."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.codegen import cfunctions

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.algebra import Factors, add, reciprocal
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, Steps, binds, translates
from symbackprop.frontend.value import Value, apply
from symbackprop.ir.registry import ELEMENTWISE

__all__ = ["FUNCTIONS", "power", "product_factors"]

#: Functions of real scalars that are one primitive each.
FUNCTIONS: dict[type, str] = {
    sp.exp: "exp",
    sp.log: "log",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.tanh: "tanh",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.atan: "atan",
    sp.erf: "erf",
    sp.Abs: "abs",
    sp.sign: "sign",
    cfunctions.expm1: "expm1",
    cfunctions.log1p: "log1p",
}

#: Largest integer exponent that becomes repeated multiplication.
_MAX_INTEGER_POWER = 64


def _leaf(_expr: Any) -> Parts:
    return Parts()


def _refuse(expr: Any, what: str, hint: str | None = None) -> UnsupportedExpressionError:
    return UnsupportedExpressionError(message(what, where=describe(expr), hint=hint))


def _rounded(expr: Any, numerator: int, denominator: int) -> float:
    """Return the float nearest to a fraction of integers.

    Raises:
        UnsupportedExpressionError: it exceeds the largest float.
    """
    try:
        return numerator / denominator
    except OverflowError:
        raise _refuse(expr, f"the {kind_name(expr)} is too large for a float") from None


def _float(expr: Any) -> float:
    sign, man, exp, _ = expr._mpf_
    mantissa = -int(man) if sign else int(man)
    return _rounded(expr, mantissa << max(exp, 0), 1 << max(-exp, 0))


@binds(sp.Rational, parts=_leaf)
def rational(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return the nearest float of a fraction."""
    return ctx.const(_rounded(expr, int(expr.p), int(expr.q)))


@binds(sp.Float, parts=_leaf)
def floating(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return the nearest float of a number of any precision."""
    return ctx.const(_float(expr))


@binds(sp.core.numbers.NumberSymbol, parts=_leaf)
def number_symbol(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return pi, E, EulerGamma and their like, correctly rounded from 40 digits."""
    return ctx.const(_float(expr.evalf(40)))


@binds(sp.core.numbers.Infinity, sp.core.numbers.NegativeInfinity, parts=_leaf)
def infinity(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return an infinite constant."""
    return ctx.const(float("inf") if expr is sp.oo else float("-inf"))


@binds(sp.core.numbers.NaN, parts=_leaf)
def not_a_number(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse nan."""
    raise _refuse(expr, "NaN is not supported", "an undefined operation was evaluated while the expression was built")


@binds(sp.Symbol, parts=_leaf)
def symbol(ctx: Context, expr: Any, scope: Scope) -> Value:
    """Return what a symbol stands for: a function's argument, a size, an argument of the kernel."""
    bound = scope.get(expr)
    if isinstance(bound, Value):
        return bound
    if bound is None:
        dim = ctx.sizes.atom(expr)
        if dim is not None:
            return ctx.size(dim)
        if expr in ctx.arguments:
            return ctx.arguments[expr]
    raise _index_as_number(expr)


def _parts_of_idx(expr: Any) -> Parts:
    limits = expr.args[1] if len(expr.args) > 1 else ()
    return Parts(sizes=tuple(limits))


@binds(sp.Idx, parts=_parts_of_idx)
def idx(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse an index in the place of a number."""
    raise _index_as_number(expr)


def _index_as_number(expr: Any) -> UnsupportedExpressionError:
    return _refuse(
        expr, f"the index {expr} is used as a number, which is not supported", "pass the numbers as an array argument"
    )


@translates(sp.Add)
def sum_of_terms(ctx: Context, _expr: Any, *values: Value) -> Value:
    """Return a sum."""
    return add(values, ctx.keep)


def product_factors(ctx: Context, args: Any, values: Any) -> Factors:
    """Return the factors `args`, translated to `values`, as numerators and denominators."""
    factors = Factors(ctx.dtype, ctx.keep)
    for arg, value in zip(args, values, strict=True):
        if isinstance(arg, sp.Rational):
            _rounded(arg, int(arg.p), int(arg.q))
            factors.rational(int(arg.p), int(arg.q))
        else:
            factors.factor(value)
    return factors


@translates(sp.Mul)
def product_of_factors(ctx: Context, expr: Any, *values: Value) -> Value:
    """Return a product, with factors of negative power divided."""
    return product_factors(ctx, expr.args, values).product()


@translates(sp.Pow)
def power_of(ctx: Context, expr: Any, base: Value, exponent: Value) -> Value:
    """Return a power."""
    return power(ctx, expr.base, expr.exp, base, exponent)


def power(ctx: Context, base_expr: Any, exponent_expr: Any, base: Value, exponent: Value) -> Value:
    """Return `base**exponent`, as square root, repeated product or reciprocal where the exponent is such a number."""
    if base_expr is sp.E:
        return apply("exp", exponent)
    n: Any = exponent_expr
    if isinstance(n, sp.Float) and _float(n) * 2 == int(_float(n) * 2):
        n = sp.Rational(int(_float(n) * 2), 2)
    if isinstance(n, sp.Integer) and abs(n.p) <= _MAX_INTEGER_POWER:
        magnitude = abs(int(n.p))
        if magnitude == 0:
            return ctx.const(1.0)
        result = base if magnitude == 1 else apply("integer_power", base, attr=(magnitude,))
        return reciprocal(result) if n.p < 0 else result
    if isinstance(n, sp.Rational) and n.q == 2 and abs(n.p) == 1:
        root = apply("sqrt", base)
        return reciprocal(root) if n.p < 0 else root
    return apply("power", base, exponent)


@translates(*FUNCTIONS)
def function(_ctx: Context, expr: Any, *values: Value) -> Value:
    """Return a function that is one primitive."""
    name = next(FUNCTIONS[cls] for cls in type(expr).__mro__ if cls in FUNCTIONS)
    if name not in ELEMENTWISE:
        raise _refuse(expr, f"{kind_name(expr)} is not supported")
    return apply(name, *values)


@translates(sp.Max)
def maximum(_ctx: Context, _expr: Any, *values: Value) -> Value:
    """Return the largest operand."""
    return apply("maximum", *values) if len(values) > 1 else values[0]


@translates(sp.Min)
def minimum(_ctx: Context, _expr: Any, *values: Value) -> Value:
    """Return the smallest operand."""
    return apply("minimum", *values) if len(values) > 1 else values[0]


_COMPARISONS = {
    sp.StrictLessThan: ("lt", False),
    sp.LessThan: ("le", False),
    sp.StrictGreaterThan: ("lt", True),
    sp.GreaterThan: ("le", True),
    sp.Equality: ("eq", False),
    sp.Unequality: ("ne", False),
}


@translates(*_COMPARISONS)
def comparison(_ctx: Context, expr: Any, left: Value, right: Value) -> Value:
    """Return a truth value."""
    name, swapped = _COMPARISONS[type(expr)]
    return apply(name, right, left) if swapped else apply(name, left, right)


@binds(sp.logic.boolalg.BooleanTrue, sp.logic.boolalg.BooleanFalse, parts=_leaf)
def truth(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return a constant truth value."""
    return ctx.const(expr is sp.true, "bool")


@binds(sp.And, sp.Or)
def connective(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the conjunction or disjunction of conditions."""
    name = "and" if isinstance(expr, sp.And) else "or"
    result = _condition(ctx, (yield expr.args[0]), expr)
    for arg in expr.args[1:]:
        result = apply(name, result, _condition(ctx, (yield arg), expr))
    return result


@binds(sp.Not)
def negation(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the negation of a condition."""
    return apply("not", _condition(ctx, (yield expr.args[0]), expr))


@binds(sp.ITE)
def if_then_else(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return a choice between conditions."""
    test = _condition(ctx, (yield expr.args[0]), expr)
    then = _condition(ctx, (yield expr.args[1]), expr)
    other = _condition(ctx, (yield expr.args[2]), expr)
    return apply("or", apply("and", test, then), apply("and", apply("not", test), other))


def _condition(_ctx: Context, value: Value, expr: Any) -> Value:
    if value.node.dtype != "bool":
        raise _refuse(expr, f"{kind_name(expr)} needs conditions", "compare with a number, as in x > 0")
    return value


def _parts_of_piecewise(expr: Any) -> Parts:
    return Parts(children=tuple(part for pair in expr.args for part in pair.args))


@binds(sp.Piecewise, parts=_parts_of_piecewise)
def piecewise(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return nested choices; nan where no condition holds."""
    branches: list[tuple[Value, Value]] = []
    result = ctx.const(float("nan"))
    for pair in expr.args:
        value = ctx.scalar((yield pair.args[0]), expr)
        if pair.args[1] is sp.true:
            result = value
            break
        branches.append((_condition(ctx, (yield pair.args[1]), expr), value))
    for test, value in reversed(branches):
        result = apply("select", test, value, result)
    return result
