"""The mean over a batch axis, as a SymPy expression."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.symbol import Str

from symbackprop.errors import InputError, message

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
