"""Norms of vectors and matrices, which SymPy has for explicit matrices only."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symbackprop.errors import InputError, UnsupportedExpressionError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Scope, Steps, binds
from symbackprop.frontend.value import Side, Value
from symbackprop.ops.reduction import max_over

__all__ = ["LargestEntry", "norm"]


class LargestEntry(sp.Expr):  # type: ignore[misc]
    """The largest entry of a matrix; a tie shares its gradient evenly."""

    is_commutative = True
    is_extended_real = True

    def __new__(cls, matrix: Any) -> Any:
        """Return the largest entry of `matrix`, unevaluated."""
        return super().__new__(cls, sp.sympify(matrix))


@binds(LargestEntry)
def largest_entry(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the largest entry."""
    value = ctx.real((yield expr.args[0]))
    sides = [k for k, a in enumerate(value.axes) if isinstance(a, Side)]
    rest = tuple(a for a in value.axes if not isinstance(a, Side))
    return Value(max_over(value.node, sides), rest) if sides else value


def norm(x: Any, ord: Any = None) -> Any:  # noqa: A002 - as NumPy calls it
    """Return the norm of a vector or matrix as a SymPy expression, for use inside others.

    Args:
        x: a matrix expression or an explicit matrix; it is a vector if its shape has a 1 in it.
        ord: None or "fro": the square root of the sum of squares. Of a vector, 2 is the same, 1 the sum of magnitudes,
            oo (or inf) the largest, and any other positive number p the p-norm. Of a matrix, 1 is the largest column
            sum of magnitudes and oo the largest row sum.

    The gradient at x = 0 is 0, the smallest of the subgradients.

    Raises:
        InputError: x is no matrix, or there is no such norm.
        UnsupportedExpressionError: the spectral norm of a matrix, ord=2.
    """
    x = sp.sympify(x)
    if not isinstance(x, (sp.MatrixExpr, sp.MatrixBase)):
        raise InputError(message("norm of what is no matrix", expected="a matrix expression", found=describe(x)))
    rows, cols = x.shape
    is_vector = rows == 1 or cols == 1
    order = sp.sympify(ord) if not isinstance(ord, str) else ord
    if order is None or order == "fro" or (is_vector and order == 2):
        return _euclidean(x)
    if order == 2:
        hint = "'fro' is the square root of the sum of squares"
        raise UnsupportedExpressionError(message("the spectral norm is not supported", where=describe(x), hint=hint))
    size = x.applyfunc(sp.Abs)
    if order == sp.oo:
        return LargestEntry(size if is_vector else size * sp.OneMatrix(cols, 1))
    if order == 1 and not is_vector:
        return LargestEntry(sp.OneMatrix(1, rows) * size)
    if isinstance(order, str) or not is_vector or not order.is_extended_positive:
        raise InputError(message("there is no such norm", expected="1, 2, oo, 'fro', or p > 0 of a vector", found=ord))
    if order == 1:
        return _total(size)
    powers = _total(x.applyfunc(lambda t: sp.Abs(t) ** order))
    return sp.Piecewise((0, sp.Eq(powers, 0)), (powers ** (1 / order), True))


def _euclidean(x: Any) -> Any:
    """Return the square root of the sum of squares."""
    if isinstance(x, sp.MatrixBase):
        return sp.sqrt(sp.Add(*(entry**2 for entry in x.flat())))
    return sp.sqrt(sp.Trace(x.T * x))


def _total(x: Any) -> Any:
    """Return the sum of all entries."""
    if isinstance(x, sp.MatrixBase):
        return sp.Add(*x.flat())
    rows, cols = x.shape
    return sp.Trace(sp.OneMatrix(1, rows) * x * sp.OneMatrix(cols, 1))
