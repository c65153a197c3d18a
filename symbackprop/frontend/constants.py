"""Functions of numbers are numbers at once, so that one that is not real is refused where it stands."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import translates
from symbackprop.frontend.value import Value
from symbackprop.ir.graph import toposort
from symbackprop.ir.node import Const, Elementwise

__all__ = ["evaluates", "settled"]

Handler = Callable[..., Value]

_ROOT_HINT = "every value is real; for the real root of a negative number write sympy.real_root"


def settled(expr: Any, result: Value, operands: Sequence[Value]) -> Value:
    """Return `result`, the translation of `expr`, as a number if all its operands are numbers.

    Args:
        expr: the SymPy node.
        result: its translation, made of the operands by elementwise primitives.
        operands: their translations.

    Raises:
        UnsupportedExpressionError: the operands are finite and the result is not a real number.
    """
    if not isinstance(result.node, Elementwise) or result.axes or not result.node.type.is_real:
        return result
    if not all(isinstance(v.node, Const) for v in operands):
        return result
    numbers: dict[Any, Any] = {}
    with np.errstate(all="ignore"):
        for node in toposort([result.node]):
            if isinstance(node, Const):
                numbers[node] = np.asarray(node.value, np.float64 if node.type.is_real else node.dtype)
            elif isinstance(node, Elementwise):
                numbers[node] = np.asarray(node.op.numpy(*(numbers[a] for a in node.args), *node.attr))
            else:
                return result
    number = float(numbers[result.node])
    if math.isnan(number) and all(math.isfinite(v.node.value) for v in operands if isinstance(v.node, Const)):
        raise UnsupportedExpressionError(
            message(
                f"{kind_name(expr)} of these numbers is not a real number",
                where=describe(expr),
                hint=_ROOT_HINT if isinstance(expr, sp.Pow) else "every value is real",
            )
        )
    return Value(Const(number, result.node.type))


def evaluates(*classes: type) -> Callable[[Handler], Handler]:
    """Register a handler as `translates` does; where all its operands are numbers, so is the result."""

    def register(handler: Handler) -> Handler:
        def evaluated(ctx: Context, expr: Any, *values: Value) -> Value:
            return settled(expr, handler(ctx, expr, *values), values)

        translates(*classes)(evaluated)
        return handler

    return register
