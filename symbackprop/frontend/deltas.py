"""Kronecker deltas: collapsed where a sum runs over one of their indices, else a comparison; Levi-Civita symbols."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Generator, Sequence
from typing import Any

import sympy as sp

from symbackprop.frontend.affine import GUARDS, NO_GUARDS, Affine, extremes
from symbackprop.frontend.bounds import bounds_of
from symbackprop.frontend.context import Context
from symbackprop.frontend.dispatch import Parts, Request, Scope, Steps, binds, operands
from symbackprop.frontend.limits import Limit, assume, opened
from symbackprop.frontend.positions import Lookup, affine_of, integer_of, linear, lookups, position
from symbackprop.frontend.sizes import names_of
from symbackprop.frontend.value import Index, Value, apply
from symbackprop.ir.dims import Dim, never_negative

__all__ = ["collapse", "has_delta"]

Collapsed = tuple[Sequence[Any], Sequence[Limit], Scope, list[Affine | Value]]


def has_delta(term: Any) -> bool:
    """Whether a factor of `term` is a Kronecker delta."""
    factors = term.args if isinstance(term, sp.Mul) else (term,)
    return any(isinstance(f, sp.KroneckerDelta) for f in factors)


def collapse(
    ctx: Context, expr: Any, args: Sequence[Any], limits: Sequence[Limit], scope: Scope
) -> Generator[Request, Value, Collapsed]:
    """Return what is left of a sum of the product `args` once deltas have fixed indices it runs over.

    An index with a delta takes the one value that the delta allows, an affine function of other indices or integer
    data. Returned are the factors and limits that remain, the scope in which the index has that value, and conditions
    under which the value lies within the index's bounds.
    """
    masks: list[Affine | Value] = []
    left, remaining = list(args), list(limits)
    fixed: list[tuple[Any, Any, tuple[Any, Any]]] = []
    k = 0
    while k < len(left):
        # Read anew each time, for a delta may hold an index that the one before it has fixed.
        found = _solved(ctx, left[k], remaining, scope) if isinstance(left[k], sp.KroneckerDelta) else None
        if found is None:
            k += 1
            continue
        symbol, solution = found
        fixed.append((symbol, solution, next(pair for s, pair in remaining if s == symbol)))
        remaining = [limit for limit in remaining if limit[0] != symbol]
        del left[k]
        left = [_substituted(f, symbol, solution) if isinstance(f, sp.KroneckerDelta) else f for f in left]
        fixed = [(s, _substituted(e, symbol, solution), pair) for s, e, pair in fixed]
    for symbol, solution, (low, high) in fixed:
        _, around = opened(ctx, expr, remaining, scope)
        place = yield from position(ctx, solution, around, expr)
        known = scope.get(GUARDS, NO_GUARDS).forms
        if place.data is None:
            running, size_of = lookups(ctx, around)
            firsts = bounds_of(low, sp.Max, running, size_of, where=expr)
            lasts = bounds_of(high, sp.Min, running, size_of, where=expr)
            within = [place.affine - first for first in firsts] + [last - place.affine for last in lasts]
            forms = [form for form in within if not _proven(form, known)]
            masks += forms
            scope = assume({**scope, symbol: place.affine}, forms)
            continue
        value = integer_of(ctx, place)
        scope = {**scope, symbol: value}
        if not _checked(ctx, args, symbol, (low, high), lookups(ctx, scope)):
            first = integer_of(ctx, (yield from position(ctx, low, around, expr)))
            last = integer_of(ctx, (yield from position(ctx, high, around, expr)))
            tests = [apply("le", first, value), apply("le", value, last)]
            masks += tests
            scope = assume(scope, (), tests)
    return left, remaining, scope, masks


def _proven(form: Affine, known: Sequence[Affine]) -> bool:
    ends = extremes(form, known, (never_negative, lambda _: None))
    return ends is not None and bool(never_negative(ends[0]))


def _solved(ctx: Context, delta: Any, limits: Sequence[Limit], scope: Scope) -> tuple[Any, Any] | None:
    """Return (bound symbol, the value the delta gives it), the innermost symbol that can be solved for, else None.

    A symbol that another limit depends on stays.
    """
    left, right = delta.args[:2]
    _, size_of = lookups(ctx, scope)
    bound = {symbol for symbol, _ in limits}
    for symbol, _ in limits:
        if any(symbol in names_of(end) for other, pair in limits if other != symbol for end in pair):
            continue

        def lookup(node: Any, wanted: Any = symbol) -> Affine | None:
            return Affine.of(_MARK) if node == wanted else None

        def size(node: Any) -> Dim | None:
            return None if node in bound else size_of(node)

        sides = [linear(side, lookup, size) for side in (left, right)]
        if sides[0] is None or sides[1] is None:
            continue
        factor = sides[0][0].stride(_MARK) - sides[1][0].stride(_MARK)
        if factor.is_const and abs(factor.value) == 1:
            return symbol, symbol - (left - right) * factor.value
    return None


#: Stands for the symbol that a delta is solved for.
_MARK = Index("?", Dim.of(0), Dim.of(1))


def _substituted(expr: Any, symbol: Any, solution: Any) -> Any:
    """Return an index expression, a small thing, with a symbol replaced."""
    return expr.xreplace({symbol: solution})


def _checked(
    ctx: Context,
    args: Sequence[Any],
    symbol: Any,
    ends: tuple[Any, Any],
    known: tuple[Lookup, Lookup],
) -> bool:
    """Whether a factor reads an array along an axis that is just the symbol's range, which refuses data outside it."""
    last = affine_of(ends[1], *known)
    if ends[0] != 0 or last is None or last.terms:
        return False
    for arg in args:
        if isinstance(arg, sp.Indexed) and symbol in arg.args[1:]:
            value = ctx.arguments.get(arg.args[0])
            at = arg.args[1:].index(symbol)
            rank = 0 if value is None else value.node.rank - (len(arg.args) - 1)
            if value is not None and value.node.shape[rank + at] == last.offset + 1:
                return True
    return False


def _parts_of_delta(expr: Any) -> Parts:
    return Parts(children=expr.args[:2])


@binds(sp.KroneckerDelta, parts=_parts_of_delta)
def delta(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return 1 where both indices agree, else 0."""
    running, size_of = lookups(ctx, scope)
    forms = [affine_of(arg, running, size_of) for arg in expr.args[:2]]
    if forms[0] is not None and forms[1] is not None:
        left, right = (ctx.index_number(form) for form in forms if form is not None)
    else:
        left, right = (ctx.real(v) for v in (yield from operands(expr.args[:2])))
    return apply("select", apply("eq", left, right), ctx.const(1.0), ctx.const(0.0))


@binds(sp.LeviCivita)
def levi_civita(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the permutation symbol as SymPy defines it: the product of (b - a)/k! over pairs of indices a before b."""
    values = [ctx.real(v) for v in (yield from operands(expr.args))]
    pairs = [apply("sub", b, a) for a, b in itertools.combinations(values, 2)]
    total = functools.reduce(lambda a, b: apply("mul", a, b), pairs, ctx.const(1.0))
    scale = math.prod(math.factorial(k) for k in range(len(values)))
    return apply("div", total, ctx.const(float(scale))) if scale != 1 else total
