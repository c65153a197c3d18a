"""Sums and products over an index: bounds that depend on outer indices are masks, a sum without any is a contraction.

An index runs over a box, a range that no other index changes. Where its bounds depend on outer indices, the terms
outside them are replaced by 0 (by 1 in a product), by a selection, so that they never poison a gradient either.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import sympy as sp

from symbackprop.frontend.affine import Affine
from symbackprop.frontend.algebra import Factors, add, sum_product
from symbackprop.frontend.context import Context
from symbackprop.frontend.deltas import collapse, has_delta
from symbackprop.frontend.dispatch import Parts, Scope, Scoped, Steps, binds, operands
from symbackprop.frontend.limits import Limit, limits_of, opened, parts_of_limits
from symbackprop.frontend.positions import holds
from symbackprop.frontend.scalars import product_factors
from symbackprop.frontend.unfold import unfolded
from symbackprop.frontend.value import Axis, Index, Value, apply
from symbackprop.ir.dims import ZERO, never_negative
from symbackprop.ir.node import Const, Gather, Input, Node, Size
from symbackprop.ir.registry import REDUCTIONS

__all__ = ["Mask", "chosen", "masks_of", "parts_of_iteration", "reduced"]

#: A condition: an affine function of indices that must be >= 0, or a truth value.
Mask = Affine | Value


def parts_of_iteration(expr: Any) -> Parts:
    """Return how a sum, product or extremum over indices is built."""
    limits = limits_of(expr)
    return Parts(children=(unfolded(expr),), bound=tuple(limits), sizes=parts_of_limits(limits))


def masks_of(index: Index) -> list[Mask]:
    """Return the conditions under which a value of `index` lies within its own bounds."""
    return list(index.within())


def _never_holds(mask: Mask) -> bool:
    return isinstance(mask, Affine) and not mask.terms and bool(never_negative(-mask.offset - 1))


def _axes(mask: Mask) -> tuple[Axis, ...]:
    return mask.indices if isinstance(mask, Affine) else mask.axes


def chosen(ctx: Context, masks: Sequence[Mask], value: Value, otherwise: float) -> Value:
    """Return `value` where all masks hold, a number elsewhere."""
    if not masks:
        return value
    tests = [holds(ctx, m, value.axes) if isinstance(m, Affine) else m for m in dict.fromkeys(masks)]
    return apply("select", functools.reduce(lambda a, b: apply("and", a, b), tests), value, ctx.const(otherwise))


@binds(sp.Sum, parts=parts_of_iteration)
def sum_over_index(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return the sum over one or several indices; bounds are inclusive, as in SymPy."""
    limits = limits_of(expr)
    (body,) = ctx.scan.parts(expr).children
    terms = body.args if isinstance(body, sp.Add) and any(map(has_delta, body.args)) else (body,)
    sums: list[Value] = []
    for term in terms:
        total = yield from _sum_of_products(ctx, expr, term, limits, scope)
        sums.append(total)
    return add(sums, ctx.keep)


def _sum_of_products(ctx: Context, expr: Any, body: Any, limits: Sequence[Limit], scope: Scope) -> Steps:
    args: Sequence[Any] = body.args if isinstance(body, sp.Mul) else (body,)
    masks: list[Mask] = []
    if any(map(has_delta, args)):
        args, limits, scope, masks = yield from collapse(ctx, expr, args, limits, scope)
    bound, inner = opened(ctx, expr, limits, scope)
    if any(index.count == ZERO for index in bound) or any(map(_never_holds, masks)):
        return ctx.const(0.0)
    values = yield from operands(Scoped(arg, inner) for arg in args)
    factors = product_factors(ctx, args, [ctx.real(v) for v in values])
    if not masks and not any(index.depends for index in bound):
        return sum_product(factors, bound)
    return _masked_sum(ctx, factors, bound, masks)


def _masked_sum(ctx: Context, factors: Factors, bound: Sequence[Index], masks: list[Mask]) -> Value:
    """Return the sum of the product where all masks hold, one index after the other, innermost first.

    Indices without a mask are summed together first. A factor that does not vary with an index is multiplied after it
    is summed, so a nest of dependent sums costs no more than its innermost box.
    """
    masks = [*masks, *(m for index in bound for m in masks_of(index))]
    involved = {axis for mask in masks for axis in _axes(mask)}
    plain = [index for index in bound if index not in involved]
    if plain:
        _contract(factors, sum_product(_taken(factors, plain), plain))
    for index in bound:
        if index in plain:
            continue
        here = [m for m in masks if index in _axes(m)]
        masks = [m for m in masks if index not in _axes(m)]
        part = _taken(factors, [index])
        alone = not part.numerators and not part.denominators
        if here and alone and here == masks_of(index):
            result = _length(ctx, index)
        elif here:
            result = chosen(ctx, here, part.product(), 0.0)
            result = sum_product(Factors(ctx.dtype, ctx.keep, [result]), [index])
        else:
            result = sum_product(part, [index])
        _contract(factors, result)
        masks += _where_nonempty(index, factors, result)
    return chosen(ctx, masks, factors.product(), 0.0)


def _taken(factors: Factors, bound: Sequence[Index]) -> Factors:
    """Take the factors that vary with `bound` out of a product; return them as a product of their own."""
    taken = Factors(factors.dtype, factors.keep)
    for values, target in ((factors.numerators, taken.numerators), (factors.denominators, taken.denominators)):
        target += [v for v in values if not set(bound).isdisjoint(v.axes)]
        values[:] = [v for v in values if set(bound).isdisjoint(v.axes)]
    return taken


def _contract(factors: Factors, result: Value) -> None:
    factors.numerators.append(result)


def _where_nonempty(index: Index, factors: Factors, own: Value) -> list[Mask]:
    """Return the condition that a dependent range holds a value, if factors outside may be inf or nan elsewhere."""
    axes = {i for length in index.lengths() for i in length.indices}
    others = [v for v in (*factors.numerators, *factors.denominators) if v is not own and not _is_read(v.node)]
    if not index.depends or all(axes.isdisjoint(v.axes) for v in others):
        return []
    return [length - 1 for length in index.lengths()]


def _is_read(node: Node) -> bool:
    """Whether a value is an entry of an argument, or a number."""
    while isinstance(node, Gather):
        node = node.args[0]
    return isinstance(node, Input | Const | Size)


def _length(ctx: Context, index: Index) -> Value:
    """Return how many values a dependent index takes."""
    lengths = [ctx.index_number(length) for length in index.lengths()]
    shortest = apply("minimum", *lengths) if len(lengths) > 1 else lengths[0]
    return ctx.real(apply("maximum", shortest, ctx.const(0, "int64")))


@binds(sp.Product, parts=parts_of_iteration)
def product_over_index(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return the product over one or several indices; an empty one is 1.

    What does not vary with an index is a power.
    """
    bound, inner = opened(ctx, expr, limits_of(expr), scope)
    if any(index.count == ZERO for index in bound):
        return ctx.const(1.0)
    (body,) = ctx.scan.parts(expr).children
    args: Sequence[Any] = body.args if isinstance(body, sp.Mul) else (body,)
    values = yield from operands(Scoped(arg, inner) for arg in args)
    factors = [ctx.real(v) for v in values]
    for index in bound:
        varying = [v for v in factors if index in v.axes]
        fixed = [v for v in factors if index not in v.axes]
        factors = [_power(ctx, v, index) for v in fixed]
        if varying:
            whole = Factors(ctx.dtype, ctx.keep, varying).product()
            factors.append(reduced("prod", chosen(ctx, masks_of(index), whole, 1.0), [index]))
    return Factors(ctx.dtype, ctx.keep, factors).product()


def _power(ctx: Context, value: Value, index: Index) -> Value:
    """Return the product of equal factors."""
    if index.depends:
        return apply("power", value, _length(ctx, index))
    if index.count.is_const and index.count.value <= 64:
        n = index.count.value
        return value if n == 1 else apply("integer_power", value, attr=(n,))
    return apply("power", value, ctx.size(index.count))


def reduced(name: str, value: Value, bound: Sequence[Index]) -> Value:
    """Return a reduction of `value` over those of `bound` that it varies with."""
    axes = [k for k, axis in enumerate(value.axes) if axis in bound]
    kept = tuple(axis for axis in value.axes if axis not in bound)
    return Value(REDUCTIONS[name](value.node, axes), kept) if axes else value
