"""Matrices put together from blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symbackprop.errors import ShapeError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Scope, Steps, binds, operands
from symbackprop.frontend.value import COL, ROW, Axis, Side, Value, merge_axes, place
from symbackprop.ir.dims import ONE, ZERO, Dim
from symbackprop.ir.node import Node
from symbackprop.ir.types import AxisMap
from symbackprop.ops.indexing import Piece, concatenate, scatter
from symbackprop.ops.layout import spread

__all__ = ["block_diagonal"]


def _parts_of_blocks(expr: Any) -> Parts:
    return Parts(children=tuple(expr.blocks.flat()))


@binds(sp.BlockMatrix, parts=_parts_of_blocks)
def block_matrix(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return blocks laid side by side and one above the other."""
    rows, cols = expr.blocks.shape
    values = [ctx.real(v) for v in (yield from operands(ctx.scan.parts(expr).children))]
    bands = [_join(ctx, expr, values[r * cols : (r + 1) * cols], COL) for r in range(rows)]
    return _join(ctx, expr, bands, ROW)


@binds(sp.BlockDiagMatrix)
def block_diag_matrix(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return blocks laid along the diagonal."""
    return block_diagonal([ctx.real(v) for v in (yield from operands(expr.args))])


def block_diagonal(values: Sequence[Value]) -> Value:
    """Return the matrix with the blocks `values` along its diagonal, zeros elsewhere."""
    lead = tuple(a for a in merge_axes(values) if not isinstance(a, Side))
    size = {a: d for v in values for a, d in zip(v.axes, v.node.shape, strict=True)}
    at = {ROW: ZERO, COL: ZERO}
    pieces: list[Piece] = []
    for value in values:
        axes = (*lead, *(side for side in (ROW, COL) if side in value.axes))
        node = place(value, axes, [value.extent(a) if isinstance(a, Side) else size[a] for a in axes])
        spec = [AxisMap((k,)) for k in range(len(lead))]
        for side in (ROW, COL):
            own = (axes.index(side),) if side in axes else ()
            spec.append(AxisMap(own, offset=at[side]))
            at[side] = at[side] + value.extent(side)
        pieces.append((node, (), spec))
    kept = [side for side in (ROW, COL) if at[side] != ONE]
    spec_axes = [*range(len(lead)), *(len(lead) + (ROW, COL).index(side) for side in kept)]
    pieces = [(node, indices, [spec[k] for k in spec_axes]) for node, indices, spec in pieces]
    shape: list[Dim] = [*(size[a] for a in lead), *(at[side] for side in kept)]
    if not kept:
        return values[0]
    return Value(scatter(pieces, shape), (*lead, *kept))


def _join(ctx: Context, expr: Any, values: Sequence[Value], side: Side) -> Value:
    """Return blocks joined along `side`.

    Raises:
        ShapeError: their sizes along the other side differ.
    """
    if len(values) == 1:
        return values[0]
    other = COL if side is ROW else ROW
    for value in values[1:]:
        if value.extent(other) != values[0].extent(other):
            raise ShapeError(
                message(
                    "BlockMatrix of blocks that do not fit",
                    where=describe(expr),
                    expected=f"{ctx.sizes.text(values[0].extent(other))} {other.value}s",
                    found=f"{ctx.sizes.text(value.extent(other))} {other.value}s",
                )
            )
    axes: tuple[Axis, ...] = tuple(a for a in merge_axes(values) if a is not side)
    at = len(axes)
    size = {a: d for v in values for a, d in zip(v.axes, v.node.shape, strict=True)}
    nodes: list[Node] = []
    for value in values:
        full = (*axes, side) if side in value.axes else axes
        node = place(value, full, [value.extent(side) if a is side else size[a] for a in full])
        nodes.append(node if side in value.axes else spread(node, (*node.shape, ONE), range(at)))
    return Value(concatenate(nodes, at), (*axes, side))
