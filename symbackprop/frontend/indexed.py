"""Index notation: entries of arrays and matrices at any positions, as gathers, diagonals, or the array as it is."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import sympy as sp

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.affine import GUARDS, NO_GUARDS, Affine, extremes
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Request, Scope, Steps, binds
from symbackprop.frontend.limits import range_of
from symbackprop.frontend.positions import Position, position
from symbackprop.frontend.value import Axis, Batch, Slot, Value, relabel
from symbackprop.ir.dims import ONE, ZERO, Dim, never_negative
from symbackprop.ir.sizes import lowest
from symbackprop.ir.types import AxisMap
from symbackprop.ops.contraction import contract
from symbackprop.ops.indexing import gather

__all__ = ["address"]


def address(
    ctx: Context, value: Value, positions: Mapping[Axis, Any], scope: Scope, where: Any
) -> Generator[Request, Value, Value]:
    """Return `value` indexed along the axes of `positions`; axes not mentioned are carried along.

    Raises:
        ShapeError: a position lies outside its axis.
        UnsupportedExpressionError: a position is no whole number.
    """
    places: dict[Axis, Position] = {}
    spans: dict[Axis, tuple[Dim, Dim]] = {}
    for axis, expr in positions.items():
        place = yield from position(ctx, expr, scope, where)
        if axis in value.axes:
            places[axis] = place
        elif place.data is not None and not (isinstance(expr, sp.Mod) and expr.args[1] == 1):
            # SymPy writes the entries of a Kronecker product with a column as y[k % n, l % 1].
            raise UnsupportedExpressionError(
                message(
                    "integer data as index of an axis of size 1 is not supported",
                    where=describe(where),
                    found=describe(expr),
                )
            )
        if place.data is None:
            span = _checked(ctx, place.affine, value.extent(axis), scope, expr=expr, where=where)
            if span is not None:
                spans[axis] = span
    if all(_covers(place, value.extent(axis)) for axis, place in places.items()):
        return _diagonal(relabel(value, {a: p.affine.indices[0] for a, p in places.items()}))
    return _read(value, places, spans)


def _covers(place: Position, extent: Dim) -> bool:
    """Whether a position runs through an axis of size `extent` exactly once, in order."""
    if place.data is not None or len(place.affine.terms) != 1:
        return False
    (index, stride) = place.affine.terms[0]
    return stride == ONE and index.low + place.affine.offset == ZERO and index.count == extent


def _diagonal(value: Value) -> Value:
    """Return the value with axes of the same label merged into their diagonal."""
    axes = tuple(dict.fromkeys(value.axes))
    if len(axes) == len(value.axes):
        return value
    return Value(contract([value.node], [value.axes], axes), axes)


def _read(value: Value, places: Mapping[Axis, Position], spans: Mapping[Axis, tuple[Dim, Dim]]) -> Value:
    """Return a gather from `value`."""
    data = list(dict.fromkeys(p.data for p in places.values() if p.data is not None))
    size: dict[Axis, Dim] = {a: d for a, d in zip(value.axes, value.node.shape, strict=True) if a not in places}
    for axis in value.axes:
        place = places.get(axis)
        if place is None:
            continue
        if place.data is not None:
            for label, d in zip(place.data.axes, place.data.node.shape, strict=True):
                size.setdefault(label, d)
        for index in place.affine.indices:
            size.setdefault(index, index.count)
    axes = (*(a for a in size if isinstance(a, Batch)), *(a for a in size if not isinstance(a, Batch)))
    spec: list[AxisMap] = []
    for axis in value.axes:
        place = places.get(axis)
        if place is None:
            spec.append(AxisMap((axes.index(axis),)))
        elif place.data is not None:
            at_axes = tuple(axes.index(a) for a in place.data.axes)
            spec.append(AxisMap(at_axes, offset=place.affine.offset, index=data.index(place.data)))
        else:
            spec.append(_axis_map(place.affine, axes, spans.get(axis)))
    return Value(gather(value.node, [d.node for d in data], spec, [size[a] for a in axes]), axes)


def _axis_map(affine: Affine, axes: tuple[Axis, ...], span: tuple[Dim, Dim] | None) -> AxisMap:
    """Return a position as a function of axes that count from 0."""
    offset = affine.offset
    for index, stride in affine.terms:
        offset = offset + index.low * stride
    strides = sorted((axes.index(index), stride) for index, stride in affine.terms)
    return AxisMap(tuple(a for a, _ in strides), tuple(s for _, s in strides), offset, span=span)


def _checked(
    ctx: Context, affine: Affine, extent: Dim, scope: Scope, *, expr: Any, where: Any
) -> tuple[Dim, Dim] | None:
    """Return the range of positions that matter where that is not all the indices' boxes reach, else None.

    Raises:
        ShapeError: they leave the axis.
    """
    if any(never_negative(-index.count) for index in affine.indices):
        return None

    def above(first: Dim) -> bool | None:
        return ctx.sizes.known(first)

    def below(last: Dim) -> bool | None:
        return ctx.sizes.known(extent - 1 - last)

    for index in affine.indices:
        if not never_negative(affine.stride(index)) and not never_negative(-affine.stride(index)):
            raise _outside(ctx, extent, expr, where, f"a stride {ctx.sizes.text(affine.stride(index))} of unknown sign")
    guards = scope.get(GUARDS, NO_GUARDS)
    ends = extremes(affine, guards.forms, (above, below))
    if ends is None or above(ends[0]) is False or below(ends[1]) is False:
        found = describe(expr)
        if ends is not None:
            low, high = map(ctx.sizes.text, ends)
            found = f"{found} from {low} to {high}" if affine.terms else low
        raise _outside(ctx, extent, expr, where, found)
    if not guards.forms and not any(index.depends for index in affine.indices):
        return None
    first, last = _axis_map(affine, affine.indices, None).reach([index.count for index in affine.indices])
    within = never_negative(first, 0) and never_negative(lowest(extent - 1 - last, ctx.sizes.spans), 0)
    return None if within else ends


def _outside(ctx: Context, extent: Dim, expr: Any, where: Any, found: str) -> ShapeError:
    return ShapeError(
        message(
            "an index leaves its axis",
            where=describe(where),
            expected=f"positions from 0 to {ctx.sizes.text(extent - 1)}",
            found=found or describe(expr),
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
    if isinstance(base, sp.NDimArray):
        return Parts(children=(base,), positions=tuple(expr.args[1:]), matrix=True)
    if not isinstance(base, sp.IndexedBase):
        raise UnsupportedExpressionError(
            message(f"Indexed {type(base).__name__} is not supported", where=describe(expr), hint="use IndexedBase")
        )
    for what, given in (("an offset", base.offset), ("strides", base.strides)):
        if given not in {None, sp.S.Zero}:
            raise UnsupportedExpressionError(
                message(
                    f"IndexedBase with {what} is not supported",
                    where=describe(expr),
                    found=describe(given),
                    hint="declare the array's own shape and write the positions: x[2*i + 1]",
                )
            )
    ranges = tuple(size for i in expr.args[1:] for size in range_of(i) or ())
    return Parts(positions=tuple(expr.args[1:]), sizes=(*(base.shape or ()), *ranges))


@binds(sp.Indexed, parts=_parts_of_indexed)
def entry(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return the entries of an array at the given positions."""
    explicit = isinstance(expr.args[0], sp.NDimArray)
    base = (yield expr.args[0]) if explicit else ctx.leaf(expr.args[0], scope)
    positions: dict[Axis, Any] = {Slot(k): position for k, position in enumerate(expr.args[1:])}
    return (yield from address(ctx, base, positions, scope, expr))
