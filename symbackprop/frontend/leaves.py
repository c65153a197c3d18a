"""What can be an argument of a kernel, and what it is called."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.tensor.array.expressions import ArraySymbol

__all__ = ["is_array", "is_entry", "is_leaf", "is_scalar", "is_signal", "leaf_of", "text_of"]

#: The time that mechanics' dynamic symbols depend on.
_TIME = "t"


def is_signal(expr: Any) -> bool:
    """Whether `expr` is a function of time alone, as in `dynamicsymbols("q")`, or a time derivative of one."""
    if isinstance(expr, sp.Derivative):
        (variable, _), *rest = expr.variable_count
        return (
            not rest and isinstance(expr.expr, AppliedUndef) and is_signal(expr.expr) and expr.expr.args[0] == variable
        )
    if not isinstance(expr, AppliedUndef) or len(expr.args) != 1:
        return False
    time = expr.args[0]
    return isinstance(time, sp.Symbol) and time.name == _TIME


def leaf_of(item: Any) -> Any:
    """Return what stands for `item` in the tables of arguments: an IndexedBase for an ArraySymbol, else itself."""
    return sp.IndexedBase(item.name, shape=tuple(item.shape)) if isinstance(item, ArraySymbol) else item


def is_entry(expr: Any) -> bool:
    """Whether `expr` is an entry of an array that is an argument or is defined, not of an explicit one."""
    return isinstance(expr, sp.Indexed) and isinstance(expr.args[0], sp.IndexedBase)


def is_scalar(item: Any) -> bool:
    """Whether `item` is passed as a number."""
    return isinstance(item, (sp.Symbol, sp.Idx)) or is_signal(item)


def is_array(item: Any) -> bool:
    """Whether `item` is an array addressed by indices."""
    return isinstance(item, (sp.IndexedBase, ArraySymbol))


def is_leaf(item: Any) -> bool:
    """Whether `item` is an argument by itself."""
    return is_scalar(item) or isinstance(item, sp.MatrixSymbol) or is_array(item)


def text_of(leaf: Any) -> str:
    """Return the user's own text for a leaf; of a time derivative `dq_dt`, `d2q_dt2` ..."""
    if isinstance(leaf, sp.IndexedBase):
        return str(leaf.label)
    if isinstance(leaf, sp.Derivative):
        order = int(leaf.derivative_count)
        power = str(order) if order > 1 else ""
        return f"d{power}{text_of(leaf.expr)}_d{_TIME}{power}"
    if isinstance(leaf, AppliedUndef):
        return str(leaf.func.__name__)
    return str(leaf.name)
