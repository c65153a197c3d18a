"""Inverses and determinants of matrices."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.matrices.expressions.determinant import Permanent

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.algebra import reciprocal
from symbackprop.frontend.blocks import block_diagonal
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Scope, Steps, binds, operands
from symbackprop.frontend.value import COL, ROW, Value, place
from symbackprop.ops.linear_algebra import det, inverse

__all__ = ["check_square", "inverted"]


def check_square(ctx: Context, expr: Any, value: Value) -> None:
    """Check that the operand of `expr` has as many rows as columns.

    Raises:
        ShapeError: otherwise.
    """
    rows, cols = value.extent(ROW), value.extent(COL)
    if rows != cols:
        found = ctx.sizes.shape_text((rows, cols))
        what = f"{kind_name(expr)} of a matrix that is not square"
        raise ShapeError(message(what, where=describe(expr), expected="as many rows as columns", found=found))


def _with_sides_last(value: Value) -> Value:
    """Return a square matrix with its rows and columns as the last axes."""
    lead = tuple(a for a in value.axes if a not in {ROW, COL})
    axes = (*lead, ROW, COL)
    return Value(place(value, axes, [value.extent(a) for a in axes]), axes)


def inverted(ctx: Context, expr: Any, value: Value) -> Value:
    """Return the inverse of a square matrix, the reciprocal of a number.

    Raises:
        ShapeError: the matrix is not square.
    """
    check_square(ctx, expr, value)
    if not value.is_matrix:
        return reciprocal(value)
    matrix = _with_sides_last(value)
    return Value(inverse(matrix.node), matrix.axes)


@binds(sp.Inverse)
def inverse_matrix(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the inverse; next to other factors it becomes the solution of a system. Block by block if diagonal."""
    base = expr.args[0]
    if isinstance(base, sp.BlockDiagMatrix):
        values = yield from operands(base.args)
        return block_diagonal([inverted(ctx, expr, ctx.real(v)) for v in values])
    return inverted(ctx, expr, ctx.real((yield base)))


@binds(sp.Determinant)
def determinant(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the determinant; of a 1x1 matrix, its entry."""
    value = ctx.real((yield expr.args[0]))
    check_square(ctx, expr, value)
    if not value.is_matrix:
        return value
    matrix = _with_sides_last(value)
    return Value(det(matrix.node), matrix.axes[:-2])


@binds(Permanent)
def permanent(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse the permanent, which takes exponential time."""
    hint = "for a small matrix write X.as_explicit().per()"
    raise UnsupportedExpressionError(message("Permanent is not supported", where=describe(expr), hint=hint))
