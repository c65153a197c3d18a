"""Matrix algebra over MatrixSymbols: sums, products, transposes, traces, entries, entrywise functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.special import GenericZeroMatrix

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.algebra import add, multiply
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, Scoped, Steps, binds, operands
from symbackprop.frontend.scalars import power
from symbackprop.frontend.value import COL, ROW, Axis, Entry, Side, Value, align, relabel
from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.types import AxisMap
from symbackprop.ops.indexing import scatter
from symbackprop.ops.layout import fill

__all__ = ["is_matrix", "matrix_of", "shape_of", "unit_matrix"]


def shape_of(value: Value) -> tuple[Dim, Dim]:
    """Return rows and columns."""
    return value.extent(ROW), value.extent(COL)


def _parts_of_symbol(expr: Any) -> Parts:
    return Parts(sizes=tuple(expr.args[1:]))


@binds(sp.MatrixSymbol, parts=_parts_of_symbol)
def matrix_symbol(ctx: Context, expr: Any, scope: Scope) -> Value:
    """Return an argument, or a named intermediate."""
    return ctx.leaf(expr, scope)


def matrix_of(ctx: Context, entry: float, rows: Any, cols: Any) -> Value:
    """Return the matrix of the given shape with all entries equal."""
    shape = {ROW: ctx.sizes.dim(rows), COL: ctx.sizes.dim(cols)}
    axes: tuple[Axis, ...] = tuple(side for side, d in shape.items() if d != ONE)
    return Value(fill(entry, [d for d in shape.values() if d != ONE], ctx.dtype), axes)


def _parts_of_special(expr: Any) -> Parts:
    return Parts(sizes=tuple(expr.args))


@binds(sp.ZeroMatrix, sp.matrices.expressions.special.OneMatrix, parts=_parts_of_special)
def constant_matrix(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return zeros or ones."""
    return matrix_of(ctx, 0.0 if isinstance(expr, sp.ZeroMatrix) else 1.0, *expr.args)


@binds(sp.Identity, parts=_parts_of_special)
def identity(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return ones on the diagonal."""
    return unit_matrix(ctx, ctx.sizes.dim(expr.args[0]))


def unit_matrix(ctx: Context, n: Dim) -> Value:
    """Return the n x n identity."""
    if n == ONE:
        return ctx.const(1.0)
    diagonal = (AxisMap((0,)), AxisMap((0,)))
    return Value(scatter([(fill(1.0, (n,), ctx.dtype), (), diagonal)], (n, n)), (ROW, COL))


def _check_same_shape(ctx: Context, expr: Any, values: Sequence[Value]) -> None:
    first = shape_of(values[0])
    for value in values[1:]:
        if shape_of(value) != first:
            raise ShapeError(
                message(
                    f"{kind_name(expr)} of different shapes",
                    where=describe(expr),
                    expected=ctx.sizes.shape_text(first),
                    found=ctx.sizes.shape_text(shape_of(value)),
                )
            )


@binds(sp.MatAdd, sp.HadamardProduct)
def entrywise(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the sum or the product of matrices entry by entry."""
    args = [a for a in expr.args if not isinstance(a, GenericZeroMatrix)]
    values = [ctx.real(v) for v in (yield from operands(args))]
    if isinstance(expr, sp.MatAdd):
        _check_same_shape(ctx, expr, values)
        return add(values, ctx.keep)
    _check_same_shape(ctx, expr, [v for v, a in zip(values, args, strict=True) if is_matrix(a)])
    return multiply(values)


def is_matrix(expr: Any) -> bool:
    """Whether SymPy takes the expression for a matrix."""
    return isinstance(expr, (sp.MatrixExpr, sp.MatrixBase))


@binds(sp.Transpose, sp.Adjoint)
def transpose(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the transpose: the same node, its axes renamed. Every entry is real, so the adjoint is the transpose."""
    return relabel((yield expr.args[0]), {ROW: COL, COL: ROW})


@binds(sp.HadamardPower)
def entrywise_power(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return every entry raised to a power."""
    base = ctx.real((yield expr.args[0]))
    exponent = ctx.real((yield expr.args[1]))
    return power(ctx, expr.args[0], expr.args[1], base, exponent)


def _parts_of_applied(expr: Any) -> Parts:
    return Parts(children=(expr.function, expr.expr))


def _parts_of_lambda(expr: Any) -> Parts:
    return Parts(children=(expr.expr,), bound=tuple((v, None) for v in expr.variables))


@binds(sp.Lambda, parts=_parts_of_lambda)
def bare_lambda(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse a function that is not applied."""
    raise UnsupportedExpressionError(message("Lambda that is not applied is not supported", where=describe(expr)))


@binds(ElementwiseApplyFunction, parts=_parts_of_applied)
def applied(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return a function of one argument applied to every entry.

    Inside the function the matrix axes are ordinary labels, so that its body is translated as scalars are.
    """
    value = ctx.real((yield expr.expr))
    level = max(ctx.level(expr, scope, Entry(side)) for side in Side)
    inside: dict[Axis, Axis] = {side: Entry(side, level) for side in Side}
    outside = {entry: side for side, entry in inside.items()}
    argument = relabel(value, inside)
    body = expr.function.expr
    result = ctx.scalar((yield Scoped(body, {**scope, expr.function.variables[0]: argument})), expr)
    missing = [a for a in argument.axes if isinstance(a, Entry) and a not in result.axes]
    if missing:
        nodes, axes = align([result, argument])
        result = Value(nodes[0], axes)
    return relabel(result, outside)
