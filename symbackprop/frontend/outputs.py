"""Results: what was asked for, and the order of their axes."""

from __future__ import annotations

from typing import Any

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.program import Output
from symbackprop.frontend.value import COL, ROW, Axis, Batch, Index, Slot, Value
from symbackprop.ir.dims import ONE
from symbackprop.ir.node import Node
from symbackprop.ops.contraction import permute

__all__ = ["output_of"]


def output_of(ctx: Context, name: str, identifier: str, value: Value, expr: Any) -> tuple[Output, Node]:
    """Return the record of one output and its node: batch axes first, free indices by name, then rows and columns."""
    if value.node.dtype == "bool":
        raise UnsupportedExpressionError(
            message(
                "a condition as output is not supported",
                where=describe(expr),
                hint="write Piecewise((1, condition), (0, True))",
            )
        )
    value = ctx.real(value)
    order = sorted(value.axes, key=lambda axis: _rank(axis, ctx))
    node = permute(value.node, [value.axes.index(a) for a in order])
    shape = list(node.shape)
    unit: list[int] = []
    if value.is_matrix:
        for side in (ROW, COL):
            if side not in order:
                at = len(shape) - 1 if side is ROW else len(shape)
                shape.insert(at, ONE)
                unit.append(at)
    return Output(name, identifier, tuple(shape), tuple(unit), node.dtype), node


def _rank(axis: Axis, ctx: Context) -> tuple[int, int]:
    if isinstance(axis, Batch):
        return 0, ctx.batches.index(axis.size)
    if isinstance(axis, Index):
        return 1, list(ctx.indices).index(axis.symbol)
    if isinstance(axis, Slot):
        return 2, axis.position
    return 3, 0 if axis is ROW else 1
