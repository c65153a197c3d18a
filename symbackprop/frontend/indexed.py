"""Index notation: arrays, positions, gathers, and sums over an index."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple

import sympy as sp

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.algebra import add, sum_product
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Request, Scope, Scoped, Steps, binds, operands
from symbackprop.frontend.scalars import product_factors
from symbackprop.frontend.sizes import polynomial
from symbackprop.frontend.value import Axis, Batch, Index, Slot, Value, apply, relabel
from symbackprop.ir.dims import ZERO, Dim
from symbackprop.ir.types import AxisMap
from symbackprop.ops.contraction import contract
from symbackprop.ops.indexing import gather

__all__ = ["address", "atoms_of_index", "first_and_last", "never_negative"]


class Position(NamedTuple):
    """One index position: `stride * index + offset`, or the entries of an integer array plus `offset`."""

    offset: Dim
    stride: int = 1
    running: Index | None = None
    data: Value | None = None

    def covers(self, extent: Dim) -> bool:
        """Whether this runs through an axis of size `extent` exactly once, in order."""
        index = self.running
        return index is not None and self.stride == 1 and index.low + self.offset == ZERO and index.count == extent


def atoms_of_index(expr: Any, size_of: Any) -> tuple[Dim, dict[str, Any]]:
    """Return an index expression as a polynomial over sizes and numbered leaves, and the leaves by their number.

    `size_of` gives the Dim of a size symbol, None for any other node. Leaves are symbols and indexed integer arrays.

    Raises:
        UnsupportedExpressionError: the expression is not made of these with integer coefficients.
    """
    leaves: dict[str, Any] = {}
    numbers: dict[Any, str] = {}

    def atom(node: Any) -> Dim | None:
        dim: Dim | None = size_of(node)
        if dim is not None:
            return dim
        if not isinstance(node, (sp.Symbol, sp.Idx, sp.Indexed, sp.matrices.expressions.matexpr.MatrixElement)):
            return None
        key = node if isinstance(node, (sp.Symbol, sp.Idx)) else id(node)
        name = numbers.setdefault(key, f"@{len(numbers)}")
        leaves[name] = node
        return Dim.of(name)

    return polynomial(expr, atom, "an index"), leaves


def never_negative(dim: Dim) -> bool | None:
    """Whether a size polynomial is >= 0 for sizes >= 1: True for all, False for none or undecidable, None for some.

    None means that it depends on the sizes in a way that larger sizes can only cure, as in `n - 4`.
    """
    growing = all(c > 0 for m, c in dim.terms if m)
    at_ones = sum(c for _, c in dim.terms)
    if growing and at_ones >= 0:
        return True
    return None if growing and not dim.is_const else False


def first_and_last(stride: int, offset: Dim, low: Dim, count: Dim) -> tuple[Dim, Dim]:
    """Return the smallest and largest position of an affine index."""
    start = low * stride + offset
    end = (low + count - 1) * stride + offset
    return (start, end) if stride > 0 else (end, start)


def _position(ctx: Context, expr: Any, scope: Scope, where: Any) -> Generator[Request, Value, Position]:
    """Return one index position; asks for the integer arrays it mentions."""

    def size_of(node: Any) -> Dim | None:
        return None if node in scope or node in ctx.indices else ctx.sizes.atom(node)

    rest, leaves = atoms_of_index(expr, size_of)
    index: Index | None = None
    stride = 1
    terms: list[Value] = []
    for name, leaf in leaves.items():
        split = rest.linear_in(name)
        if split is None:
            raise _unsupported("an index that is not linear", where, describe(expr))
        coefficient, rest = split
        bound = scope.get(leaf) if isinstance(leaf, (sp.Symbol, sp.Idx)) else None
        running = bound if isinstance(bound, Index) else ctx.indices.get(leaf) if bound is None else None
        if coefficient == 0:
            continue
        if running is not None:
            if index is not None:
                raise _unsupported("a position that depends on two running indices", where, describe(expr))
            index, stride = running, coefficient
            continue
        value = bound if isinstance(bound, Value) else (yield leaf)
        if value.node.dtype != "int64":
            raise _unsupported("a real number in the place of an index", where, describe(leaf))
        terms.append(value if coefficient == 1 else apply("mul", ctx.const(coefficient, "int64"), value))
    if index is not None and terms:
        raise _unsupported("a position that mixes a running index with integer data", where, describe(expr))
    return Position(rest, stride, index, add(terms) if terms else None)


def _unsupported(what: str, where: Any, found: str) -> UnsupportedExpressionError:
    return UnsupportedExpressionError(message(f"{what} is not supported", where=describe(where), found=found))


def address(
    ctx: Context, value: Value, positions: Mapping[Axis, Any], scope: Scope, where: Any
) -> Generator[Request, Value, Value]:
    """Return `value` indexed along the axes of `positions`; axes not mentioned are carried along.

    Raises:
        ShapeError: a position lies outside its axis.
        UnsupportedExpressionError: a position is not one running index times an integer plus a size, nor integer data.
    """
    places: dict[Axis, Position] = {}
    for axis, expr in positions.items():
        place = yield from _position(ctx, expr, scope, where)
        _check_range(ctx, place, value.extent(axis), expr, where)
        if axis in value.axes:
            places[axis] = place
        elif place.data is not None:
            raise _unsupported("integer data as index of an axis of size 1", where, describe(expr))
    if all(place.covers(value.extent(axis)) for axis, place in places.items()):
        return _diagonal(relabel(value, {a: p.running for a, p in places.items() if p.running is not None}))
    return _read(value, places)


def _diagonal(value: Value) -> Value:
    """Return the value with axes of the same label merged into their diagonal."""
    axes = tuple(dict.fromkeys(value.axes))
    if len(axes) == len(value.axes):
        return value
    return Value(contract([value.node], [value.axes], axes), axes)


def _read(value: Value, places: Mapping[Axis, Position]) -> Value:
    """Return a gather from `value`."""
    data = list(dict.fromkeys(p.data for p in places.values() if p.data is not None))
    size: dict[Axis, Dim] = {a: d for a, d in zip(value.axes, value.node.shape, strict=True) if a not in places}
    for axis in value.axes:
        place = places.get(axis)
        if place is not None and place.running is not None:
            size.setdefault(place.running, place.running.count)
        elif place is not None and place.data is not None:
            for label, d in zip(place.data.axes, place.data.node.shape, strict=True):
                size.setdefault(label, d)
    axes = (*(a for a in size if isinstance(a, Batch)), *(a for a in size if not isinstance(a, Batch)))
    spec: list[AxisMap] = []
    for axis in value.axes:
        place = places.get(axis)
        if place is None:
            spec.append(AxisMap((axes.index(axis),)))
        elif place.running is not None:
            at = axes.index(place.running)
            spec.append(AxisMap((at,), place.stride, place.offset + place.running.low * place.stride))
        elif place.data is not None:
            at_axes = tuple(axes.index(a) for a in place.data.axes)
            spec.append(AxisMap(at_axes, offset=place.offset, index=data.index(place.data)))
        else:
            spec.append(AxisMap(offset=place.offset))
    return Value(gather(value.node, [d.node for d in data], spec, [size[a] for a in axes]), axes)


def _check_range(ctx: Context, place: Position, extent: Dim, expr: Any, where: Any) -> None:
    if place.data is not None:
        return
    if place.running is None:
        first = last = place.offset
    elif never_negative(place.running.count - 1) is False:
        return
    else:
        first, last = first_and_last(place.stride, place.offset, place.running.low, place.running.count)
    if never_negative(first) is False or never_negative(extent - 1 - last) is False:
        ends = ctx.sizes.text(first), ctx.sizes.text(last)
        text = ends[0] if place.running is None else f"{describe(expr)} from {ends[0]} to {ends[1]}"
        raise ShapeError(
            message(
                "an index leaves its axis",
                where=describe(where),
                expected=f"positions from 0 to {ctx.sizes.text(extent - 1)}",
                found=text,
            )
        )


def _parts_of_array(expr: Any) -> Parts:
    return Parts(sizes=tuple(expr.shape or ()))


@binds(sp.IndexedBase, parts=_parts_of_array)
def bare_array(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse an array without indices."""
    raise UnsupportedExpressionError(
        message("IndexedBase without indices is not supported", where=describe(expr), hint=f"index it, as in {expr}[i]")
    )


def _parts_of_indexed(expr: Any) -> Parts:
    base = expr.args[0]
    if not isinstance(base, sp.IndexedBase):
        raise UnsupportedExpressionError(
            message(f"Indexed {type(base).__name__} is not supported", where=describe(expr), hint="use IndexedBase")
        )
    ranges = tuple(size for i in expr.args[1:] if isinstance(i, sp.Idx) for size in _range_of(i))
    return Parts(positions=tuple(expr.args[1:]), sizes=(*(base.shape or ()), *ranges))


def _range_of(index: Any) -> tuple[Any, ...]:
    return tuple(index.args[1]) if len(index.args) > 1 else ()


@binds(sp.Indexed, parts=_parts_of_indexed)
def entry(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return the entries of an array at the given positions."""
    base = ctx.arguments[expr.args[0]]
    positions: dict[Axis, Any] = {Slot(k): position for k, position in enumerate(expr.args[1:])}
    return (yield from address(ctx, base, positions, scope, expr))


def limits_of(expr: Any) -> list[tuple[Any, tuple[Any, Any]]]:
    """Return the (symbol, (low, high)) of a sum, innermost first. SymPy makes no sum without both bounds."""
    return [(symbol, (low, high)) for symbol, low, high in expr.limits]


def _parts_of_sum(expr: Any) -> Parts:
    limits = limits_of(expr)
    return Parts(
        children=(expr.function,),
        bound=tuple(limits),
        sizes=tuple(size for symbol, pair in limits for size in (*pair, *_range_of(symbol))),
    )


@binds(sp.Sum, parts=_parts_of_sum)
def sum_over_index(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return the sum over one or several indices; bounds are inclusive, as in SymPy."""
    inner: dict[Any, Index | Value] = dict(scope)
    bound: list[Index] = []
    for symbol, (low, high) in limits_of(expr):
        first = ctx.sizes.dim(low)
        count = ctx.sizes.dim(high) - first + 1
        if count == ZERO:
            return ctx.const(0.0)
        if never_negative(count) is False:
            raise ShapeError(
                message(
                    "a sum whose upper bound lies below its lower bound",
                    where=describe(expr),
                    found=f"{symbol} from {ctx.sizes.text(first)} to {ctx.sizes.text(first + count - 1)}",
                )
            )
        index = Index(symbol, first, count)
        index = Index(symbol, first, count, ctx.level(expr, scope, index))
        inner[symbol] = index
        bound.append(index)
    body = expr.function
    args: Sequence[Any] = body.args if isinstance(body, sp.Mul) else (body,)
    values = yield from operands(Scoped(arg, inner) for arg in args)
    values = [ctx.real(v) for v in values]
    return sum_product(product_factors(ctx, args, values), bound)
