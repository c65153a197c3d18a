"""Bounded text for expressions of any size: what error messages quote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

__all__ = ["describe", "kind_name", "trail_text"]

#: Largest number of nodes that is printed in full, and of a sub-expression inside an excerpt.
_WHOLE, _PART = 60, 12
#: Operands shown of an expression that is too large to print in full.
_SHOWN = 4
#: Links shown of a long trail, at its beginning and at its end.
_FIRST, _LAST = 3, 4


def kind_name(expr: object) -> str:
    """Return the name a user knows the node type of `expr` by."""
    if isinstance(expr, sp.core.function.AppliedUndef):
        return f"the undefined function {expr.func.__name__}"
    if isinstance(expr, sp.Rational):
        return "Integer" if isinstance(expr, sp.Integer) else "Rational"
    return type(expr).__name__


def describe(expr: Any) -> str:
    """Return `str(expr)` when that is short, else its head and the heads of its first operands."""
    if not isinstance(expr, sp.Basic):
        return repr(expr)[:200] if isinstance(expr, (str, int, float, complex, type(None))) else type(expr).__name__
    if _is_small(expr, _WHOLE):
        return str(expr)
    shown = [str(a) if _is_small(a, _PART) else f"{type(a).__name__}(...)" for a in expr.args[:_SHOWN]]
    if len(expr.args) > _SHOWN:
        shown.append("...")
    return f"{type(expr).__name__}({', '.join(shown)})"


def trail_text(start: str, trail: Sequence[Any]) -> str:
    """Return where the last expression of `trail` stands, as in `output 'loss' -> Add -> exp -> f(x)`.

    Args:
        start: what contains the first expression.
        trail: each expression an operand of the one before.
    """
    links = [type(expr).__name__ for expr in trail[:-1]]
    if len(links) > _FIRST + _LAST:
        links[_FIRST:-_LAST] = ["..."]
    last = trail[-1]
    links.append(describe(last) if not isinstance(last, sp.Basic) or _is_small(last, _PART) else type(last).__name__)
    return " -> ".join([start, *links])


def _is_small(expr: Any, limit: int) -> bool:
    """Whether the tree of `expr` has at most `limit` nodes; visits no more than that."""
    count, stack = 0, [expr]
    while stack:
        node = stack.pop()
        count += 1
        if count > limit:
            return False
        if isinstance(node, sp.MatrixBase):
            stack.extend(node.flat()[: limit + 1])
        else:
            stack.extend(getattr(node, "args", ()))
    return True
