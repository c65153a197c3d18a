"""Scalars: numbers, symbols, arithmetic, functions, comparisons, and choices."""

from __future__ import annotations

import functools
from collections.abc import Generator, Sequence
from typing import Any

import sympy as sp

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.algebra import Factors, add, reciprocal
from symbackprop.frontend.constants import evaluates
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, Scoped, Steps, binds, operands
from symbackprop.frontend.limits import guarded
from symbackprop.frontend.positions import affine_of, compared, lookups
from symbackprop.frontend.value import Value, apply

__all__ = ["condition", "number_of", "power", "product_factors", "refusal"]

#: Largest integer exponent that becomes repeated multiplication.
_MAX_INTEGER_POWER = 64
#: Earlier conditions of a Piecewise that are remembered not to hold.
_MOST_GUARDS = 8


def _leaf(_expr: Any) -> Parts:
    return Parts()


def refusal(expr: Any, what: str, hint: str | None = None) -> UnsupportedExpressionError:
    """Return the error that refuses `expr`."""
    return UnsupportedExpressionError(message(what, where=describe(expr), hint=hint))


def _rounded(expr: Any, numerator: int, denominator: int) -> float:
    """Return the float nearest to a fraction of integers.

    Raises:
        UnsupportedExpressionError: it exceeds the largest float.
    """
    try:
        return numerator / denominator
    except OverflowError:
        raise refusal(expr, f"the {kind_name(expr)} is too large for a float") from None


def number_of(expr: Any) -> float:
    """Return the float nearest to a SymPy Float.

    Raises:
        UnsupportedExpressionError: it exceeds the largest float.
    """
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
    return ctx.const(number_of(expr))


@binds(sp.core.numbers.NumberSymbol, parts=_leaf)
def number_symbol(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return pi, E, EulerGamma and their like, correctly rounded from 40 digits."""
    return ctx.const(number_of(expr.evalf(40)))


@binds(sp.core.numbers.Infinity, sp.core.numbers.NegativeInfinity, parts=_leaf)
def infinity(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return an infinite constant."""
    return ctx.const(float("inf") if expr is sp.oo else float("-inf"))


@binds(sp.core.numbers.NaN, parts=_leaf)
def not_a_number(ctx: Context, _expr: Any, _scope: Scope) -> Value:
    """Return the float that is not a number."""
    return ctx.const(float("nan"))


@binds(sp.Symbol, parts=_leaf)
def symbol(ctx: Context, expr: Any, scope: Scope) -> Value:
    """Return what a symbol stands for: a function's argument, an index, a size, an argument of the kernel."""
    bound = scope.get(expr)
    if isinstance(bound, Value):
        return bound
    running = ctx.running(expr, scope)
    if running is not None:
        return ctx.index_number(running)
    dim = ctx.sizes.atom(expr)
    if dim is not None:
        return ctx.size(dim)
    return ctx.arguments[expr]


def _parts_of_idx(expr: Any) -> Parts:
    limits = expr.args[1] if len(expr.args) > 1 else ()
    return Parts(sizes=tuple(limits))


@binds(sp.Idx, parts=_parts_of_idx)
def idx(ctx: Context, expr: Any, scope: Scope) -> Value:
    """Return an index as a number; one that is listed among the inputs is an argument."""
    if expr in ctx.arguments:
        return ctx.arguments[expr]
    running = ctx.running(expr, scope)
    if running is None:
        raise refusal(expr, f"the index {expr} has no range", f"give it one: Idx({str(expr)!r}, n)")
    return ctx.index_number(running)


@evaluates(sp.Add)
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


@evaluates(sp.Mul)
def product_of_factors(ctx: Context, expr: Any, *values: Value) -> Value:
    """Return a product, with factors of negative power divided."""
    return product_factors(ctx, expr.args, values).product()


@evaluates(sp.Pow)
def power_of(ctx: Context, expr: Any, base: Value, exponent: Value) -> Value:
    """Return a power."""
    return power(ctx, expr.base, expr.exp, base, exponent)


def power(ctx: Context, base_expr: Any, exponent_expr: Any, base: Value, exponent: Value) -> Value:
    """Return `base**exponent`, as square root, repeated product or reciprocal where the exponent is such a number."""
    if base_expr is sp.E:
        return apply("exp", exponent)
    n: Any = exponent_expr
    if isinstance(n, sp.Float) and abs(number_of(n)) <= _MAX_INTEGER_POWER and (2 * number_of(n)).is_integer():
        n = sp.Rational(int(2 * number_of(n)), 2)
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


@evaluates(sp.Max)
def maximum(_ctx: Context, _expr: Any, *values: Value) -> Value:
    """Return the largest operand."""
    return apply("maximum", *values) if len(values) > 1 else values[0]


@evaluates(sp.Min)
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


@binds(*_COMPARISONS)
def comparison(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return a truth value; whole numbers, such as indices, are compared as such."""
    name, swapped = _COMPARISONS[type(expr)]
    running, size_of = lookups(ctx, scope)
    low, high = (affine_of(side, running, size_of) for side in (expr.args[::-1] if swapped else expr.args))
    if low is not None and high is not None and (low - high).terms:
        return compared(ctx, name, low, high)
    left, right = yield from operands(expr.args)
    if left.node.type.is_real or right.node.type.is_real:
        left, right = ctx.scalar(left, expr), ctx.scalar(right, expr)
    return apply(name, right, left) if swapped else apply(name, left, right)


@binds(sp.logic.boolalg.BooleanTrue, sp.logic.boolalg.BooleanFalse, parts=_leaf)
def truth(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return a constant truth value."""
    return ctx.const(expr is sp.true, "bool")


def condition(value: Value, expr: Any) -> Value:
    """Return an operand of `expr` that must be a truth value.

    Raises:
        UnsupportedExpressionError: it is a number.
    """
    if value.node.dtype != "bool":
        raise refusal(expr, f"{kind_name(expr)} needs conditions", "compare with a number, as in x > 0")
    return value


def _conditions(expr: Any) -> Generator[Any, Value, list[Value]]:
    values = yield from operands(expr.args)
    return [condition(v, expr) for v in values]


def _not(value: Value) -> Value:
    return apply("not", value)


def _joined(name: str, values: Sequence[Value]) -> Value:
    """Return a conjunction or disjunction, in pairs of pairs, so that a long one stays shallow."""
    values = list(values)
    while len(values) > 1:
        paired = [apply(name, *values[k : k + 2]) for k in range(0, len(values) - 1, 2)]
        values = paired + values[2 * len(paired) :]
    return values[0]


def _differ(left: Value, right: Value) -> Value:
    return apply("or", apply("and", left, _not(right)), apply("and", _not(left), right))


@binds(sp.And, sp.Or)
def connective(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the conjunction or disjunction of conditions."""
    values = yield from _conditions(expr)
    return _joined("and" if isinstance(expr, sp.And) else "or", values)


@binds(sp.Not)
def negation(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the negation of a condition."""
    (value,) = yield from _conditions(expr)
    return _not(value)


@binds(sp.Xor)
def exclusive_or(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return whether an odd number of conditions hold."""
    values = yield from _conditions(expr)
    return functools.reduce(_differ, values)


@binds(sp.Implies)
def implication(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return whether the second condition holds or the first does not."""
    premise, conclusion = yield from _conditions(expr)
    return apply("or", _not(premise), conclusion)


@binds(sp.Equivalent)
def equivalence(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return whether all conditions hold or none does."""
    values = yield from _conditions(expr)
    return apply("or", _joined("and", values), _joined("and", [_not(v) for v in values]))


@binds(sp.ITE)
def if_then_else(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return a choice between conditions."""
    test, then, other = yield from _conditions(expr)
    return apply("or", apply("and", test, then), apply("and", _not(test), other))


def _parts_of_piecewise(expr: Any) -> Parts:
    children: list[Any] = []
    guards: list[tuple[tuple[Any, bool], ...]] = []
    before: tuple[tuple[Any, bool], ...] = ()
    for value, test in expr.args:
        children += (value, test)
        guards += ((*before, (test, True)), before)
        before = (*before, (test, False)) if len(before) < _MOST_GUARDS else before
    return Parts(children=tuple(children), guards=tuple(guards))


@binds(sp.Piecewise, parts=_parts_of_piecewise)
def piecewise(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return nested choices; nan where no condition holds.

    A branch is translated knowing its condition, so that positions need to lie in range only where the branch counts.
    """
    branches: list[tuple[Value, Value]] = []
    result = ctx.const(float("nan"))
    for value_expr, test_expr in expr.args:
        if test_expr is sp.true:
            result = ctx.scalar((yield Scoped(value_expr, scope)), expr)
            break
        test = condition((yield Scoped(test_expr, scope)), expr)
        value = ctx.scalar((yield Scoped(value_expr, guarded(ctx, scope, test_expr, test, truth=True))), expr)
        branches.append((test, value))
        scope = guarded(ctx, scope, test_expr, test, truth=False)
    for test, value in reversed(branches):
        result = apply("select", test, value, result)
    return result
