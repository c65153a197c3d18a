"""Index checks as text."""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.ir.dims import Dim
from symbackprop.plan.plan import IndexCheck

__all__ = ["index_check"]


def index_check(
    check: IndexCheck, variable: str, what: str, size: Callable[[Dim], str], *, entry: bool = False
) -> list[str]:
    """Return the statements that refuse an index outside its axis.

    Args:
        check: what must hold.
        variable: the index, or with `entry` one entry of it.
        what: what the message calls it.
        size: size polynomials as source text.
        entry: whether `variable` is a number although the index is an array.
    """
    low, high = size(-check.offset), size(check.size - check.offset)
    if entry or check.index.rank == 0:
        condition = f"not {low} <= {variable} < {high}"
    else:
        condition = f"{variable}.size > 0 and ({variable}.min() < {low} or {variable}.max() >= {high})"
    return [f"if {condition}:", f'    raise IndexError("{what} lies outside {low} ... {high} - 1")']
