"""Bounds of running indices as affine functions, and what to write instead of one that is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.affine import Affine
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.positions import linear
from symbackprop.frontend.sizes import names_of
from symbackprop.ir.dims import Dim

__all__ = ["bounds_of"]

_CHOOSE = "sum over the whole range and choose the terms: Piecewise((term, condition), (0, True))"


def bounds_of(
    expr: Any,
    joint: Any,
    lookup: Callable[[Any], Affine | None],
    size_of: Callable[[Any], Dim | None],
    *,
    where: Any,
) -> list[Affine]:
    """Return a bound, or the operands of the `joint` (Max from below, Min from above) that it is.

    Args:
        expr: the bound.
        joint: `Max` or `Min`.
        lookup: gives the affine function of running indices that a symbol stands for.
        size_of: gives the size that a symbol stands for.
        where: the sum or product, for error texts.

    Raises:
        UnsupportedExpressionError: it is no polynomial in sizes, linear in indices.
    """
    out: list[Affine] = []
    parts: Sequence[Any] = expr.args if isinstance(expr, joint) else (expr,)
    for part in parts:
        _check_finite(part, where)
        _check_whole(part, lookup, size_of, where)
        found = linear(part, lookup, size_of)
        if found is None or found[1]:
            what = "depends on data" if found else "is not linear in the indices"
            raise UnsupportedExpressionError(
                message(
                    f"a bound that {what} is not supported", where=describe(where), found=describe(part), hint=_CHOOSE
                )
            )
        out.append(found[0])
    return out


def _check_finite(bound: Any, where: Any) -> None:
    """Refuse an infinite sum or product."""
    if bound in {sp.oo, -sp.oo}:
        raise UnsupportedExpressionError(
            message(
                f"an infinite {kind_name(where).lower()} is not supported",
                where=describe(where),
                hint="end it after n terms: (k, 0, n - 1); or write its closed form, as .doit() may find it",
            )
        )


def _check_whole(
    bound: Any, lookup: Callable[[Any], Affine | None], size_of: Callable[[Any], Dim | None], where: Any
) -> None:
    """Refuse a quotient of sizes or indices, which is no polynomial."""
    stack = [bound]
    divisor = None
    while stack:
        node = stack.pop()
        if isinstance(node, sp.Rational) and node.q > 1:
            divisor = node.q
        elif isinstance(node, (sp.Add, sp.Mul, sp.floor, sp.ceiling)):
            stack += node.args
    names = dict.fromkeys(names_of(bound))
    if divisor is None or not names:
        return
    sizes = [name for name in names if size_of(name) is not None]
    if len(sizes) == len(names):
        hint = f"take a symbol m for the quotient and write {divisor}*m for {sizes[0]}: then {sizes[0]}/{divisor} is m"
    elif all(name in sizes or lookup(name) is not None for name in names):
        hint = f"sum over all j and choose the terms: Piecewise((term, {divisor}*j <= {names.popitem()[0]}), (0, True))"
    else:
        return
    raise UnsupportedExpressionError(
        message(
            "a quotient in a bound is not supported",
            where=describe(where),
            expected="a polynomial in sizes with integer coefficients, linear in indices",
            found=describe(bound),
            hint=hint,
        )
    )
