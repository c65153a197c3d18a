"""Softmax and its family as SymPy expressions.

Along what they normalise is said in one of these ways:

* a vector, `softmax(z)`: over all its entries. `z` is a MatrixExpr or Matrix of one column or one row;
* a matrix and an axis, `softmax(X, axis=0)`: every column by itself, each sums to 1; `axis=1`: every row. A matrix
  that is no vector needs the axis;
* an index, `softmax(f(i), i)`: over the running index i, the value at i. The range is that of the Sum, Idx or array
  that i runs through; `softmax(f(i), (i, low, high))` gives it. `logsumexp(f(i), (i, low, high))` binds i, as Sum does;
* several scalars, `logsumexp(a, b, c)`; `softmax([a, b, c])` is a column of three.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import log1p
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import ArgumentIndexError

from symbackprop.errors import InputError, ShapeError, message
from symbackprop.frontend.describe import describe
from symbackprop.frontend.neural_functions import number_of, rounded
from symbackprop.frontend.neural_matrices import LogSoftmaxMatrix, LogSumExpMatrix, SoftmaxMatrix

__all__ = [
    "IndexedScores",
    "LogSumExpOver",
    "log_softmax",
    "logsumexp",
    "softmax",
]


def _is_matrix(x: Any) -> bool:
    return isinstance(x, (sp.MatrixExpr, sp.MatrixBase))


def _sympified(name: str, x: Any) -> Any:
    """Return `x` as a scalar, matrix expression or immutable matrix; a list of scalars is a column.

    Raises:
        InputError: it is text or nothing that SymPy knows.
    """
    if isinstance(x, (list, tuple, sp.Tuple)):
        x = sp.ImmutableMatrix(list(x))
    if isinstance(x, (str, sp.NDimArray)):
        raise InputError(message(f"{name} needs a SymPy scalar or matrix", found=repr(x)[:100]))
    x = sp.sympify(x)
    return x.as_immutable() if isinstance(x, sp.MatrixBase) else x


def _axis(name: str, x: Any, axis: Any) -> Any:
    """Return the axis along which the matrix `x` is normalised.

    Raises:
        ShapeError: none is given and `x` is no vector.
        InputError: it is neither 0 nor 1.
    """
    if axis is None:
        if x.shape[1] == 1:
            return sp.S.Zero
        if x.shape[0] == 1:
            return sp.S.One
        raise ShapeError(
            message(
                f"{name} of a matrix that is no vector needs an axis",
                where=describe(x),
                found=f"shape {x.shape[0]} x {x.shape[1]}",
                hint="axis=0: every column by itself; axis=1: every row",
            )
        )
    axis = sp.sympify(axis)
    if axis not in (sp.S.Zero, sp.S.One):
        raise InputError(message(f"{name} has no such axis", expected="axis=0 or axis=1", found=str(axis)))
    return axis


def _limits(name: str, limits: Sequence[Any]) -> list[Any]:
    """Return (symbol, low, high) triples or bare symbols as SymPy objects.

    Raises:
        InputError: one is neither.
    """
    out = []
    for limit in limits:
        item = sp.Tuple(*limit) if isinstance(limit, (tuple, list, sp.Tuple)) else sp.sympify(limit)
        symbol = item[0] if isinstance(item, sp.Tuple) and len(item) == 3 else item
        if not isinstance(symbol, (sp.Symbol, sp.Idx)):
            raise InputError(
                message(f"{name} over something that is no index", expected="i or (i, low, high)", found=str(limit))
            )
        out.append(item)
    return out


def _is_limit(x: Any) -> bool:
    """Whether an operand after the first is (i, low, high) rather than a score."""
    return isinstance(x, (tuple, list, sp.Tuple)) and len(x) == 3


class logsumexp(sp.Function):  # type: ignore[misc]  # noqa: N801 - named as the function is written
    """log(exp(a) + exp(b) + ...) of scalars, of a vector, along an axis, or over an index; see the module."""

    is_commutative = True

    def __new__(cls, x: Any, *rest: Any, axis: Any = None, evaluate: bool = True) -> Any:
        """Return a scalar, or for a matrix with an axis the vector of what its columns (0) or rows (1) give.

        Raises:
            ShapeError: a matrix that is no vector, without an axis.
            InputError: operands that fit none of the forms.
        """
        if rest and all(map(_is_limit, rest)):
            return LogSumExpOver(sp.sympify(x), *_limits("logsumexp", rest))
        x = _sympified("logsumexp", x)
        if _is_matrix(x):
            if rest and axis is None and len(rest) == 1:
                axis, rest = rest[0], ()
            if rest:
                raise InputError(message("logsumexp of several matrices", expected="one matrix, or scalars"))
            given, axis = axis, _axis("logsumexp", x, axis)
            if isinstance(x, sp.MatrixBase):
                lines = [x.col(j) for j in range(x.cols)] if axis == 0 else [x.row(i) for i in range(x.rows)]
                values = [cls(*line.flat()) for line in lines]
                if given is None:
                    return values[0]
                return sp.ImmutableMatrix([values]) if axis == 0 else sp.ImmutableMatrix(values)
            if given is not None:
                return LogSumExpMatrix(x, axis)
            return x[0, 0] if x.shape == (1, 1) else super().__new__(cls, x, evaluate=False)
        scores = [sp.sympify(r) for r in rest]
        if axis is not None or any(_is_matrix(s) or isinstance(s, sp.Tuple) for s in scores):
            raise InputError(message("logsumexp takes one matrix or scalars", found=f"{len(scores) + 1} operands"))
        return super().__new__(cls, x, *scores, evaluate=evaluate) if scores else x

    @property
    def is_over_matrix(self) -> bool:
        """Whether the operand is one vector rather than scalars."""
        return len(self.args) == 1

    @classmethod
    def eval(cls, *scores: Any) -> Any:
        """Return the value where all scores are Floats or infinities, None otherwise."""
        if any(s is sp.nan for s in scores):
            return sp.nan
        kept = [s for s in scores if s is not sp.S.NegativeInfinity]
        if len(kept) < len(scores):
            return cls(*kept) if kept else sp.S.NegativeInfinity
        if any(s is sp.oo for s in scores):
            return sp.oo if all(s.is_real or s is sp.oo for s in scores) else None
        if all(s.is_Number for s in scores) and any(s.is_Float for s in scores):
            return cls(*scores, evaluate=False)._eval_evalf(min(s._prec for s in scores if s.is_Float))  # noqa: SLF001
        return None

    def _eval_evalf(self, prec: int) -> Any:
        if any(not isinstance(s, sp.Expr) or number_of(s) is None for s in self.args):
            return None
        scores = [sp.Rational(s) if isinstance(s, sp.Float) else s for s in self.args]
        top = max(scores)
        at = scores.index(top)
        rest = sp.Add(*(sp.exp(s - top) for k, s in enumerate(scores) if k != at))
        return rounded(top + log1p(rest, evaluate=False), prec)

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the share of a score, exp(score - self).

        Raises:
            ArgumentIndexError: there is no such score.
        """
        if self.is_over_matrix or not 1 <= argindex <= len(self.args):
            raise ArgumentIndexError(self, argindex)
        return sp.exp(self.args[argindex - 1] - self)

    def _eval_derivative(self, s: Any) -> Any:
        return _undone(self, s) if self.is_over_matrix else super()._eval_derivative(s)

    def _eval_rewrite_as_exp(self, *scores: Any, **_: Any) -> Any:
        return self if self.is_over_matrix else sp.log(sp.Add(*(sp.exp(s) for s in scores)))

    _eval_rewrite_as_log = _eval_rewrite_as_exp

    def _code(self, printer: Any, *_: Any, **__: Any) -> Any:
        top = sp.Max(*self.args)
        return printer._print(top + sp.log(sp.Add(*(sp.exp(s - top) for s in self.args))))  # noqa: SLF001

    _numpycode = _pythoncode = _mpmathcode = _lambdacode = _ccode = _fcode = _jscode = _code

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\operatorname{{logsumexp}}{power}\left({', '.join(map(printer._print, self.args))}\right)"  # noqa: SLF001

    def _eval_is_extended_real(self) -> Any:
        return True if all(getattr(a, "is_extended_real", None) for a in self.args) else None

    def _eval_is_real(self) -> Any:
        return True if all(getattr(a, "is_real", None) for a in self.args) else None


def _undone(expr: Any, symbol: Any) -> Any:
    """Return the derivative for a scalar symbol unevaluated, 0 only where the symbol does not occur."""
    return sp.Derivative(expr, symbol, evaluate=False) if symbol in expr.free_symbols else sp.S.Zero


class LogSumExpOver(ExprWithLimits):  # type: ignore[misc]  # SymPy is untyped
    """log(Sum(exp(f), (i, low, high))), made by `logsumexp(f, (i, low, high))`."""

    def doit(self, **hints: Any) -> Any:
        """Return the scalars' logsumexp where all limits are numbers."""
        scores = [self.function.doit(**hints) if hints.get("deep", True) else self.function]
        for symbol, low, high in self.limits:
            if not (low.is_Integer and high.is_Integer):
                return self
            scores = [s.subs(symbol, k) for s in scores for k in range(int(low), int(high) + 1)]
        return logsumexp(*scores) if scores else sp.S.NegativeInfinity

    def _eval_evalf(self, prec: int) -> Any:
        done = self.doit()
        return None if done is self or isinstance(done, LogSumExpOver) else done._eval_evalf(prec)  # noqa: SLF001

    def _eval_derivative(self, s: Any) -> Any:
        if any(s in limit.free_symbols for limit in self.limits):
            return _undone(self, s)
        return sp.Sum(sp.exp(self.function - self) * self.function.diff(s), *self.limits)

    def _eval_rewrite_as_Sum(self, *_args: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return sp.log(sp.Sum(sp.exp(self.function), *self.limits))

    _eval_rewrite_as_log = _eval_rewrite_as_exp = _eval_rewrite_as_Sum

    def _sympystr(self, printer: Any) -> str:
        return f"logsumexp({', '.join(map(printer.doprint, (self.function, *self.limits)))})"

    def _sympyrepr(self, printer: Any) -> str:
        return f"logsumexp({', '.join(map(printer.doprint, self.args))})"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        over = r" \\ ".join(f"{printer._print(i)}={printer._print(a)}..{printer._print(b)}" for i, a, b in self.limits)  # noqa: SLF001
        return rf"\operatorname{{logsumexp}}_{{{over}}}{power}\left({printer._print(self.function)}\right)"  # noqa: SLF001


class IndexedScores(sp.Expr):  # type: ignore[misc]  # SymPy is untyped
    """Softmax over an index, at that index, or its logarithm; args are the score and the index or (i, low, high)."""

    is_commutative = True

    def __new__(cls, x: Any, along: Any = None, *, axis: Any = None) -> Any:
        """Return a scalar (over an index), or a matrix (of a vector, or of a matrix along an axis).

        Raises:
            ShapeError: a matrix that is no vector, without an axis.
            InputError: a scalar without an index, or operands that fit none of the forms.
        """
        x = _sympified(cls.__name__, x)
        if not _is_matrix(x):
            if along is None or axis is not None:
                raise InputError(
                    message(
                        f"{cls.__name__} of a scalar needs the index it runs over",
                        where=describe(x),
                        expected=f"{cls.__name__}(f, i) or {cls.__name__}(f, (i, low, high))",
                        hint=f"several scalars go in a list: {cls.__name__}([a, b, c])",
                    )
                )
            return sp.Expr.__new__(cls, x, *_limits(cls.__name__, [along]))
        if along is not None and axis is not None:
            raise InputError(message(f"{cls.__name__} of a matrix takes one axis", found=f"{along} and {axis}"))
        axis = _axis(cls.__name__, x, along if axis is None else axis)
        if isinstance(x, sp.MatrixBase):
            return cls._of_entries(x, axis)
        return cls._of_matrix(x, axis)

    @classmethod
    def _of_entries(cls, x: Any, axis: Any) -> Any:
        lines = [x.col(j) for j in range(x.cols)] if axis == 0 else [x.row(i) for i in range(x.rows)]
        totals = [logsumexp(*line.flat()) for line in lines]
        return sp.ImmutableMatrix(
            x.rows, x.cols, lambda i, j: cls._of_log(x[i, j] - totals[int(j) if axis == 0 else int(i)])
        )

    @staticmethod
    def _of_matrix(x: Any, axis: Any) -> Any:
        raise NotImplementedError

    @staticmethod
    def _of_log(score: Any) -> Any:
        """Return the function in terms of the logarithm of softmax."""
        raise NotImplementedError

    @property
    def index(self) -> Any:
        """The running index."""
        return self.args[1][0] if isinstance(self.args[1], sp.Tuple) else self.args[1]

    @property
    def total(self) -> Any:
        """The log-sum-exp of all scores, None where the index has no limits of its own."""
        return LogSumExpOver(self.args[0], self.args[1]) if isinstance(self.args[1], sp.Tuple) else None

    def _eval_derivative(self, s: Any) -> Any:
        if self.total is None or s == self.index:
            return _undone(self, s)
        return self._of_log(self.args[0] - self.total).diff(s)

    def _eval_rewrite_as_logsumexp(self, *_args: Any, **_: Any) -> Any:
        return self if self.total is None else self._of_log(self.args[0] - self.total)

    def _eval_rewrite_as_exp(self, *_args: Any, **_: Any) -> Any:
        return self if self.total is None else self._of_log(self.args[0] - self.total.rewrite(sp.exp))

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        name = type(self).__name__.replace("_", r"\_")
        index, score = printer._print(self.index), printer._print(self.args[0])  # noqa: SLF001 - SymPy's protocol
        return rf"\operatorname{{{name}}}_{{{index}}}{power}\left({score}\right)"

    def _eval_is_extended_real(self) -> Any:
        return True if self.args[0].is_extended_real else None


class softmax(IndexedScores):  # noqa: N801 - named as the function is written
    """exp(z) divided by the sum of all exp(z); see the module for what "all" may be."""

    @staticmethod
    def _of_matrix(x: Any, axis: Any) -> Any:
        return SoftmaxMatrix(x, axis)

    @staticmethod
    def _of_log(score: Any) -> Any:
        return sp.exp(score)


class log_softmax(IndexedScores):  # noqa: N801 - named as the function is written
    """z - logsumexp(z), the logarithm of softmax."""

    @staticmethod
    def _of_matrix(x: Any, axis: Any) -> Any:
        return LogSoftmaxMatrix(x, axis)

    @staticmethod
    def _of_log(score: Any) -> Any:
        return score
