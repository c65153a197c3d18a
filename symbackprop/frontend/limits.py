"""Ranges of running indices: the limits of a sum opened outermost first, and what conditions say about indices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sympy as sp

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.affine import GUARDS, NO_GUARDS, Affine, Guards, Index, extremes
from symbackprop.frontend.bounds import bounds_of
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Scope
from symbackprop.frontend.positions import affine_of
from symbackprop.frontend.sizes import Sizes
from symbackprop.frontend.value import Value, apply
from symbackprop.ir.dims import ONE, ZERO, Dim, never_negative

__all__ = ["Limit", "assume", "forms_of", "guarded", "limits_of", "open_limits", "opened", "parts_of_limits"]

#: A bound symbol with its bounds, both inclusive.
Limit = tuple[Any, tuple[Any, Any]]
Lookup = Callable[[Any], Affine | None]


def limits_of(expr: Any) -> list[Limit]:
    """Return the (symbol, (low, high)) of a sum or product, innermost first.

    Raises:
        UnsupportedExpressionError: an index without both bounds.
    """
    out: list[Limit] = []
    for limit in expr.limits:
        if len(limit) != 3:
            raise UnsupportedExpressionError(
                message(
                    f"{kind_name(expr)} without bounds is not supported",
                    where=describe(expr),
                    hint=f"write the bounds: ({limit[0]}, 0, n - 1)",
                )
            )
        out.append((limit[0], (limit[1], limit[2])))
    return out


def parts_of_limits(limits: Iterable[Limit]) -> tuple[Any, ...]:
    """Return the size expressions in the ranges of the Idx among bound symbols."""
    return tuple(size for symbol, _ in limits for size in range_of(symbol) or ())


def range_of(symbol: Any) -> tuple[Any, Any] | None:
    """Return the (low, high) an Idx was declared with."""
    if isinstance(symbol, sp.Idx) and len(symbol.args) > 1:
        return symbol.args[1][0], symbol.args[1][1]
    return None


def open_limits(
    limits: Sequence[Limit],
    scope: Mapping[Any, Any],
    free: Mapping[Any, Index],
    sizes: Sizes,
    *,
    where: Any,
    level: Callable[[Index], int] = lambda _: 0,
    slides: Callable[[Any, Affine], bool] = lambda _symbol, _start: False,
) -> tuple[list[Index], dict[Any, Any]]:
    """Return the running index of each limit, in their order (innermost first), and the scope with them.

    A window whose width no other index changes, such as `(j, i - b, i + b)`, may be counted from its beginning: then j
    stands for `i - b` plus the running index.

    Args:
        limits: bound symbols with their bounds, which may depend on indices bound further out.
        scope: what symbols stand for around the limits.
        free: free indices.
        sizes: the size symbols.
        where: the expression, for error texts.
        level: gives the level of a new index.
        slides: whether a symbol is to be counted from a beginning that moves with outer indices.

    Raises:
        ShapeError: bounds in the wrong order.
        UnsupportedExpressionError: bounds that are no polynomials in sizes and outer indices.
    """
    inner = dict(scope)
    opened: list[Index] = []
    for symbol, (low, high) in reversed(limits):
        known = lookup_in(inner, free), sizes_in(inner, free, sizes)
        firsts, lasts = bounds_of(low, sp.Max, *known, where=where), bounds_of(high, sp.Min, *known, where=where)
        assumed = inner.get(GUARDS, NO_GUARDS).forms
        index = _index(symbol, firsts, lasts, assumed, sizes=sizes, where=where)
        start = _start_of_window(index, firsts, lasts)
        if start is not None and slides(symbol, start):
            index = _window(symbol, start, firsts, lasts, assumed)
        else:
            start = Affine()
        depth = sum(isinstance(bound, Index | Affine) for bound in inner.values()) + bool(free)
        index = replace(index, level=level(index), depth=depth)
        inner[symbol] = start + Affine.of(index) if start.terms else index
        opened.append(index)
    return opened[::-1], inner


def opened(ctx: Context, expr: Any, limits: Sequence[Limit], scope: Scope) -> tuple[list[Index], dict[Any, Any]]:
    """Return the running indices of the limits of `expr`, innermost first, and the scope with them.

    Raises:
        ShapeError, UnsupportedExpressionError: see `open_limits`.
    """

    def slides(symbol: Any, start: Affine) -> bool:
        return not _is_summed_apart(ctx, expr, symbol, {index.symbol for index in start.indices})

    return open_limits(
        limits,
        scope,
        ctx.indices,
        ctx.sizes,
        where=expr,
        level=lambda index: ctx.level(expr, scope, index),
        slides=slides,
    )


def _is_summed_apart(ctx: Context, expr: Any, symbol: Any, outer: set[Any]) -> bool:
    """Whether `expr` has an inner sum that varies with `symbol` but not with `outer`, one for any place of a window."""
    seen: set[int] = set()
    stack = list(ctx.scan.parts(expr).children)
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        free = ctx.scan.free(node)
        if symbol not in free:
            continue
        parts = ctx.scan.parts(node)
        if parts.bound and outer.isdisjoint(free):
            return True
        stack += (*parts.children, *parts.positions)
    return False


def lookup_in(scope: Mapping[Any, Any], free: Mapping[Any, Index]) -> Lookup:
    """Return what gives the affine function of running indices that a symbol stands for."""

    def lookup(symbol: Any) -> Affine | None:
        bound = scope.get(symbol)
        if bound is None:
            bound = free.get(symbol)
        return Affine.of(bound) if isinstance(bound, Index | Affine) else None

    return lookup


def sizes_in(scope: Mapping[Any, Any], free: Mapping[Any, Index], sizes: Sizes) -> Callable[[Any], Dim | None]:
    """Return what gives the size that a symbol stands for."""
    return lambda node: None if node in scope or node in free else sizes.atom(node)


def _index(
    symbol: Any, firsts: list[Affine], lasts: list[Affine], assumed: Sequence[Affine], *, sizes: Sizes, where: Any
) -> Index:
    """Return the index with these bounds; its box holds all values it takes for any values of the outer indices."""
    if len(firsts) == len(lasts) == 1 and not assumed:
        _check_order(symbol, firsts[0], lasts[0], sizes, where)
    start, stop = _outermost(firsts, assumed, where), -_outermost([last * -1 for last in lasts], assumed, where)
    if start.is_const and start.value > 0 and any(first.terms for first in firsts):
        # Counting from 0 is as right, since positions below the bound are masked, and suits an axis as a whole.
        start = ZERO
    below = tuple(firsts) if len(firsts) > 1 or firsts[0].terms else ()
    above = tuple(lasts) if len(lasts) > 1 or lasts[0].terms else ()
    return Index(symbol, start, stop - start + 1, 0, below, above)


def _start_of_window(index: Index, firsts: Sequence[Affine], lasts: Sequence[Affine]) -> Affine | None:
    """Return the bound from below that a window of fixed width begins at, None if none is narrower than the box."""
    best: tuple[Affine, Dim] | None = None
    for first in firsts:
        for last in lasts:
            width = last - first + 1
            if not first.terms or width.terms or never_negative(width.offset - index.count):
                continue
            if best is None or never_negative(best[1] - width.offset):
                best = first, width.offset
    return None if best is None else best[0]


def _window(
    symbol: Any, start: Affine, firsts: Sequence[Affine], lasts: Sequence[Affine], assumed: Sequence[Affine]
) -> Index:
    """Return the index that counts from `start` to the nearest bound from above, with the other bounds."""
    ends = [last for last in lasts if not (last - start).terms]
    stop = next(end for end in ends if all(not never_negative(end.offset - e.offset - 1, 0) for e in ends))
    index = Index(symbol, ZERO, (stop - start).offset + 1)
    here = start + Affine.of(index)

    def is_open(form: Affine) -> bool:
        reach = extremes(form, assumed, (never_negative, _any))
        return reach is None or not never_negative(reach[0])

    below = [first - start for first in firsts if first != start and is_open(here - first)]
    above = [last - start for last in lasts if last != stop and is_open(last - here)]
    first, last = index.ends()
    return replace(index, firsts=(*first, *below) if below else (), lasts=(*last, *above) if above else ())


def _outermost(firsts: list[Affine], assumed: Sequence[Affine], where: Any) -> Dim:
    """Return a size that the largest of some bounds from below never falls below."""
    best: Dim | None = None
    # Where they cannot be compared, a bound that does not move.
    for first in sorted(firsts, key=lambda form: bool(form.terms)):
        ends = extremes(first, assumed, (_any, _any))
        if ends is not None and (best is None or never_negative(ends[0] - best)):
            best = ends[0]
    if best is None:
        raise UnsupportedExpressionError(
            message("a bound whose range cannot be determined is not supported", where=describe(where))
        )
    return best


def _check_order(symbol: Any, first: Affine, last: Affine, sizes: Sizes, where: Any) -> None:
    """Refuse a range that runs backwards, for some values of the outer indices at all sizes.

    Raises:
        ShapeError: it does.
    """
    shortest = extremes(last - first + 1, (), (_any, _any))
    if shortest is not None and never_negative(-shortest[0] - 1):
        raise ShapeError(
            message(
                f"a {type(where).__name__.lower()} whose upper bound lies below its lower bound",
                where=describe(where),
                found=f"{symbol} from {_text(first, sizes)} to {_text(last, sizes)}",
                hint="SymPy gives such a range the opposite sign; an empty range ends one below its beginning",
            )
        )


def _any(_bound: Dim) -> None:
    return None


def _text(form: Affine, sizes: Sizes) -> str:
    parts = [sizes.text(form.offset)] if form.offset.terms or not form.terms else []
    for index, stride in form.terms:
        parts.append(str(index.symbol) if stride == ONE else f"({sizes.text(stride)})*{index.symbol}")
    return " + ".join(reversed(parts))


def assume(scope: Mapping[Any, Any], forms: Iterable[Affine], masks: Iterable[Any] = ()) -> Mapping[Any, Any]:
    """Return the scope with further conditions that hold in it."""
    guards = scope.get(GUARDS, NO_GUARDS)
    new = Guards(tuple(dict.fromkeys((*guards.forms, *forms))), tuple(dict.fromkeys((*guards.masks, *masks))))
    return scope if new == guards else {**scope, GUARDS: new}


def forms_of(test: Any, truth: bool, scope: Mapping[Any, Any], free: Mapping[Any, Index], sizes: Sizes) -> list[Affine]:
    """Return affine functions of indices that are >= 0 where `test` is as `truth` says.

    What is not linear says nothing. Iterative.
    """
    forms: list[Affine] = []
    lookup, size_of = lookup_in(scope, free), sizes_in(scope, free, sizes)
    stack = [(test, truth)]
    while stack:
        node, sense = stack.pop()
        if isinstance(node, sp.Not):
            stack.append((node.args[0], not sense))
        elif (isinstance(node, sp.And) and sense) or (isinstance(node, sp.Or) and not sense):
            stack.extend((arg, sense) for arg in node.args)
        elif isinstance(node, sp.core.relational.Relational):
            left, right = (affine_of(side, lookup, size_of) for side in node.args)
            if left is not None and right is not None:
                gap = left - right
                if gap.terms:
                    forms += _relation(node, sense, gap, (*scope.get(GUARDS, NO_GUARDS).forms, *forms))
    return forms


def _relation(node: Any, sense: bool, gap: Affine, known: tuple[Affine, ...]) -> list[Affine]:
    """Return what a comparison of whole numbers with the given difference says."""
    match node:
        case sp.StrictGreaterThan():
            return [gap - 1] if sense else [gap * -1]
        case sp.GreaterThan():
            return [gap] if sense else [gap * -1 - 1]
        case sp.StrictLessThan():
            return [gap * -1 - 1] if sense else [gap]
        case sp.LessThan():
            return [gap * -1] if sense else [gap - 1]
        case sp.Equality() | sp.Unequality():
            if isinstance(node, sp.Equality) == sense:
                return [gap, gap * -1]
            ends = extremes(gap, known, (never_negative, lambda bound: never_negative(-bound)))
            if ends is not None and never_negative(ends[0]):
                return [gap - 1]
            return [gap * -1 - 1] if ends is not None and never_negative(-ends[1]) else []
        case _:
            return []


def guarded(ctx: Context, scope: Scope, test: Any, value: Value, *, truth: bool) -> Scope:
    """Return the scope in which a condition is known to be as `truth` says.

    A condition that has nothing to do with indices changes nothing.

    Args:
        ctx: the translation.
        scope: the scope around.
        test: the condition.
        value: its translation.
        truth: whether it holds.
    """
    if not ctx.scan.free(test):
        return scope
    mask = value if truth else apply("not", value)
    return assume(scope, forms_of(test, truth, scope, ctx.indices, ctx.sizes), [mask])
