"""The mean over a batch axis, as a SymPy expression and its translation."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.symbol import Str

from symbackprop.errors import InputError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Scope, Steps, binds
from symbackprop.frontend.value import Batch, Value, apply
from symbackprop.ops.contraction import sum_over

__all__ = ["Mean", "MeanMatrix"]


class Mean(sp.Expr):  # type: ignore[misc]  # SymPy is untyped
    """The mean of an expression over a batch axis: `Mean(loss, "N")`.

    Usable wherever a scalar is, as in `Mean(loss, "N") + lam*Trace(W.T*W)`; of a matrix it is a matrix.
    """

    is_commutative = True

    def __new__(cls, expr: Any, axis: Any) -> Any:
        """Return the mean of `expr` over the batch axis named `axis`.

        Raises:
            InputError: `expr` is text, or `axis` is neither text nor a symbol.
        """
        if isinstance(expr, str) or not isinstance(axis, (str, Str, sp.Symbol)):
            raise InputError(
                message("Mean needs an expression and the name of a batch axis", expected='Mean(loss, "N")')
            )
        expr = sp.sympify(expr)
        axis = Str(axis) if isinstance(axis, str) else Str(axis.name)
        if isinstance(expr, sp.MatrixExpr) and expr.shape != (1, 1):
            return MeanMatrix(expr, axis)
        return sp.Expr.__new__(cls, expr, axis)

    def _eval_derivative(self, s: Any) -> Any:
        return Mean(self.args[0].diff(s), self.args[1])

    def _sympystr(self, printer: Any) -> str:
        return f"Mean({printer.doprint(self.args[0])}, '{self.args[1].name}')"


class MeanMatrix(sp.MatrixExpr):  # type: ignore[misc]  # SymPy is untyped
    """The mean of a matrix expression over a batch axis; made by `Mean`."""

    def __new__(cls, expr: Any, axis: Any) -> Any:
        """Return the mean of `expr` over the batch axis `axis`."""
        return sp.MatrixExpr.__new__(cls, expr, axis)

    @property
    def shape(self) -> Any:
        """Rows and columns."""
        return self.args[0].shape

    def _entry(self, i: Any, j: Any, **_options: Any) -> Any:
        return Mean(self.args[0][i, j], self.args[1])

    def _sympystr(self, printer: Any) -> str:
        return f"Mean({printer.doprint(self.args[0])}, '{self.args[1].name}')"


def _parts_of_mean(expr: Any) -> Parts:
    return Parts(children=(expr.args[0],))


@binds(Mean, MeanMatrix, parts=_parts_of_mean)
def mean(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the sum over the batch axis divided by its size; what does not vary over the axis is its own mean.

    Raises:
        InputError: no argument has such a batch axis.
    """
    value = ctx.real((yield expr.args[0]))
    name = expr.args[1].name
    if name not in ctx.batches:
        raise InputError(
            message(
                f"Mean over {name!r}, which is no batch axis",
                where=describe(expr),
                expected=f"one of {', '.join(map(repr, ctx.batches))}" if ctx.batches else "a batch axis",
                hint=f'declare it: batch={{"x": "{name}"}}',
            )
        )
    axis = Batch(name)
    if axis not in value.axes:
        return value
    at = value.axes.index(axis)
    summed = Value(sum_over(value.node, (at,)), tuple(a for a in value.axes if a != axis))
    return apply("div", summed, ctx.size(value.extent(axis)))
