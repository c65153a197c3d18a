"""The largest and smallest value over an index, as SymPy expressions and their translation."""

from __future__ import annotations

import math
from typing import Any

import sympy as sp
from sympy.concrete.expr_with_limits import ExprWithLimits

from symbackprop.frontend.affine import Affine
from symbackprop.frontend.context import Context
from symbackprop.frontend.dispatch import Scope, Scoped, Steps, binds
from symbackprop.frontend.limits import limits_of, opened
from symbackprop.frontend.sums import chosen, masks_of, parts_of_iteration, reduced
from symbackprop.ir.dims import ZERO

__all__ = ["MaxOver", "MinOver"]


class _Extremum(ExprWithLimits):  # type: ignore[misc]  # SymPy is untyped
    """An extremum of an expression over one or several indices, bounds inclusive."""

    is_commutative = True
    is_real = True

    def __new__(cls, function: Any, *limits: Any) -> Any:
        """Return the extremum of `function` over `limits`: (index, low, high), or an Idx with a range."""
        return ExprWithLimits.__new__(cls, function, *limits)

    def doit(self, **hints: Any) -> Any:
        """Return the extremum written out, if all bounds are numbers and the range is not empty."""
        function = self.function.doit(**hints)
        for symbol, low, high in self.limits:
            if not (low.is_Integer and high.is_Integer and low <= high):
                return self
            function = self._over(*(function.subs(symbol, k) for k in range(int(low), int(high) + 1)))
        return function

    def _over(self, *values: Any) -> Any:
        raise NotImplementedError


class MaxOver(_Extremum):
    """The largest value over an index: `MaxOver(x[i], (i, 0, n - 1))`. A tie shares the gradient evenly."""

    def _over(self, *values: Any) -> Any:
        return sp.Max(*values)


class MinOver(_Extremum):
    """The smallest value over an index: `MinOver(x[i], (i, 0, n - 1))`. A tie shares the gradient evenly."""

    def _over(self, *values: Any) -> Any:
        return sp.Min(*values)


@binds(MaxOver, MinOver, parts=parts_of_iteration)
def extremum(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return the largest (smallest) value over the indices; -inf (inf) over an empty range."""
    bound, inner = opened(ctx, expr, limits_of(expr), scope)
    name, empty = ("max", -math.inf) if isinstance(expr, MaxOver) else ("min", math.inf)
    if any(index.count == ZERO for index in bound):
        return ctx.const(empty)
    value = ctx.scalar((yield Scoped(ctx.scan.parts(expr).children[0], inner)), expr)
    value = chosen(ctx, [m for index in bound for m in masks_of(index)], value, empty)
    unseen = [i for i in bound if i not in value.axes and not i.count.is_const]
    return chosen(ctx, [Affine(i.count - 1) for i in unseen], reduced(name, value, bound), empty)
