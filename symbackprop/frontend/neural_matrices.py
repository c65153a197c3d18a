"""Softmax and its family along an axis of a matrix, as SymPy matrix expressions; `neural_scores` makes them."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

__all__ = ["LogSoftmaxMatrix", "LogSumExpMatrix", "SoftmaxMatrix"]


class _OfMatrix(sp.MatrixExpr):  # type: ignore[misc]  # SymPy is untyped
    """A matrix function along an axis; args are the matrix and the axis."""

    def __new__(cls, x: Any, axis: Any) -> Any:
        """Return the function of the matrix `x` along `axis`, both already checked."""
        return sp.MatrixExpr.__new__(cls, x, axis)

    @property
    def function_name(self) -> str:
        """The name under which the user writes it."""
        raise NotImplementedError

    def _entry(self, i: Any, j: Any, **_options: Any) -> Any:
        return MatrixElement(self, i, j)

    def _text(self, printer: Any) -> str:
        x, axis = self.args
        return f"{self.function_name}({printer.doprint(x)}, axis={axis})"

    _sympystr = _sympyrepr = _text

    def _latex(self, printer: Any) -> str:
        name = self.function_name.replace("_", r"\_")
        return rf"\operatorname{{{name}}}_{{{self.args[1]}}}\left({printer._print(self.args[0])}\right)"  # noqa: SLF001


class LogSumExpMatrix(_OfMatrix):
    """What the columns (axis 0) or rows (axis 1) of a matrix give, as a row or a column; made by `logsumexp`."""

    @property
    def shape(self) -> Any:
        """1 x columns, or rows x 1."""
        rows, cols = self.args[0].shape
        return (sp.S.One, cols) if self.args[1] == 0 else (rows, sp.S.One)

    @property
    def function_name(self) -> str:
        """The name under which the user writes it."""
        return "logsumexp"


class _Scores(_OfMatrix):
    """Softmax of a matrix along an axis, or its logarithm."""

    @property
    def shape(self) -> Any:
        """The shape of the operand."""
        return self.args[0].shape


class SoftmaxMatrix(_Scores):
    """Softmax of a matrix along an axis; made by `softmax`."""

    @property
    def function_name(self) -> str:
        """The name under which the user writes it."""
        return "softmax"


class LogSoftmaxMatrix(_Scores):
    """The logarithm of softmax along an axis; made by `log_softmax`."""

    @property
    def function_name(self) -> str:
        """The name under which the user writes it."""
        return "log_softmax"
