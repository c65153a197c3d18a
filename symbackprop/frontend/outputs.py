"""Results: what was asked for, and the order of their axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import sympy as sp

from symbackprop.errors import InputError, UnsupportedExpressionError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import entry_of
from symbackprop.frontend.program import Output
from symbackprop.frontend.value import COL, ROW, Axis, Batch, Index, Slot, Value
from symbackprop.ir.dims import ONE
from symbackprop.ir.node import Node
from symbackprop.ops.contraction import permute

__all__ = ["expression", "output_of", "requested"]

Container = Literal["single", "tuple", "list", "dict"]


def requested(expr: Any) -> tuple[list[tuple[str, Any]], Container]:
    """Return (name, expression) of each output, and how they were given.

    Raises:
        InputError: a name that is no string, or no output at all.
        UnsupportedExpressionError: an output that is no expression.
    """
    container: Container
    if isinstance(expr, Mapping):
        bad = [key for key in expr if not isinstance(key, str)]
        if bad:
            raise InputError(message("an output's name is not a string", found=describe(bad[0])))
        pairs, container = list(expr.items()), "dict"
    elif isinstance(expr, (list, tuple, sp.Tuple)):
        pairs = [(f"out{k}", e) for k, e in enumerate(expr)]
        container = "list" if isinstance(expr, list) else "tuple"
    else:
        pairs, container = [("out", expr)], "single"
    if not pairs:
        raise InputError(message("there is no output", expected="at least one expression"))
    return [(key, expression(e)) for key, e in pairs], container


def expression(expr: Any) -> Any:
    """Return a single output: a SymPy object that has a translation, or a number."""
    if isinstance(expr, (int, float)) and not isinstance(expr, bool):
        return sp.sympify(expr)
    entry_of(expr)
    return expr


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
