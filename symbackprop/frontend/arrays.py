"""Explicit matrices and arrays of scalars."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from typing import Any

import sympy as sp

from symbackprop.errors import ShapeError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Request, Scope, Steps, binds, operands
from symbackprop.frontend.value import COL, ROW, Axis, Slot, Value, align
from symbackprop.ir.dims import Dim
from symbackprop.ir.types import AxisMap
from symbackprop.ops.indexing import Piece, scatter

__all__ = ["stack_values"]


def stack_values(values: Sequence[Value], sizes: Sequence[int], axes: Sequence[Axis]) -> Value:
    """Return scalars in row-major order as an array of the constant `sizes`; their own axes come first."""
    nodes, carried = align(values)
    pieces: list[Piece] = []
    for flat, node in enumerate(nodes):
        rest = flat
        position: list[AxisMap] = []
        for size in reversed(sizes):
            rest, at = divmod(rest, size)
            position.insert(0, AxisMap(offset=Dim.of(at)))
        pieces.append((node, (), [*(AxisMap((k,)) for k in range(len(carried))), *position]))
    shape = (*nodes[0].shape, *map(Dim.of, sizes))
    return Value(scatter(pieces, shape, disjoint=True), (*carried, *axes))


def _parts_of_matrix(expr: Any) -> Parts:
    return Parts(children=tuple(expr.flat()))


def _parts_of_array(expr: Any) -> Parts:
    return Parts(children=tuple(expr[k] for k in itertools.product(*map(range, expr.shape))))


@binds(sp.MatrixBase, parts=_parts_of_matrix)
def explicit_matrix(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the matrix of its entries; axes of size 1 are absent, so a 1x1 matrix is its entry."""
    values = yield from _entries(ctx, expr)
    sizes = {ROW: int(expr.rows), COL: int(expr.cols)}
    axes = [side for side, n in sizes.items() if n != 1]
    return stack_values(values, [sizes[a] for a in axes], axes) if axes else values[0]


@binds(sp.NDimArray, parts=_parts_of_array)
def explicit_array(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the array of its entries."""
    values = yield from _entries(ctx, expr)
    sizes = [int(n) for n in expr.shape]
    return stack_values(values, sizes, [Slot(k) for k in range(len(sizes))]) if sizes else values[0]


def _entries(ctx: Context, expr: Any) -> Generator[Request, Value, list[Value]]:
    children = ctx.scan.parts(expr).children
    if not children:
        raise ShapeError(message(f"{kind_name(expr)} has no entries", where=describe(expr)))
    values = yield from operands(children)
    return [ctx.scalar(value, expr) for value in values]
