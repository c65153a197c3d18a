"""Arithmetic, integer powers, roots, absolute value, maximum and minimum.

Conventions at kinks: the minimum-norm subgradient. A tie between operands of a maximum is shared evenly and sums to 1;
a tie with a constant gives 0, so Max(x, 0) has slope 0 at 0, as has Abs. NaN gives NaN, not 0.
"""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.ir.node import Broadcast, Const, Node
from symbackprop.ir.registry import Domain, Primitive, Trait, elementwise
from symbackprop.ops import scalar_math
from symbackprop.ops.logic import eq, select, to_real

__all__ = [
    "abs_",
    "add",
    "div",
    "exceeds",
    "gate",
    "integer_power",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "root_of_squares",
    "share",
    "sign",
    "sqrt",
    "sub",
    "winner",
]

Partials = tuple[Node | None, ...]

POSITIVE = Domain(0.0)


def fold(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return the left fold of a function of two arguments, as a function of any number."""
    return lambda *args: functools.reduce(function, args)


@elementwise(numpy=np.add, emit="x + y", sympy=lambda x, y: x + y, traits=Trait.COMMUTATIVE)
def add(out: Node, x: Node, y: Node) -> Partials:
    """Sum: partials 1."""
    return (Const(1, out.type), Const(1, out.type))


@elementwise(numpy=np.subtract, emit="x - y", sympy=lambda x, y: x - y)
def sub(out: Node, x: Node, y: Node) -> Partials:
    """Difference: partials 1 and -1."""
    return (Const(1, out.type), Const(-1, out.type))


@elementwise(numpy=np.multiply, emit="x * y", sympy=lambda x, y: x * y, traits=Trait.COMMUTATIVE | Trait.LINEAR)
def mul(out: Node, x: Node, y: Node) -> Partials:
    """Product: partials y and x."""
    return (y, x)


@elementwise(numpy=np.divide, emit="x / y", sympy=lambda x, y: x / y)
def div(out: Node, x: Node, y: Node) -> Partials:
    """Quotient: partials 1/y and -out/y; reusing `out` needs no y*y, which would overflow above 1e154."""
    return (1.0 / y, -(out / y))


@elementwise(numpy=np.negative, emit="-x", sympy=lambda x: -x, traits=Trait.ODD | Trait.LINEAR)
def neg(out: Node, x: Node) -> Partials:
    """Negative: partial -1."""
    return (Const(-1, out.type),)


def _real_power(x: Any, n: int) -> Any:
    """Return x**n, a negative power as the reciprocal of the positive one."""
    return np.asarray(x) ** n if n > 0 else 1.0 / np.asarray(x) ** -n


@elementwise(numpy=_real_power, emit="x**n", sympy=lambda x, n: x**n, params=1)
def integer_power(out: Node, x: Node, n: int) -> Partials:
    """Power x**n for an integer n other than 0 and 1: partial n*x**(n - 1), right for x <= 0 too.

    A rewrite rule turns negative powers into quotients before code is emitted: numba raises on 0.0**-1 where IEEE
    arithmetic, which every kernel follows, has inf.
    """
    if n == 2:
        return (2.0 * x,)
    return (float(n) * integer_power(x, attr=(n - 1,)),)


@elementwise(numpy=np.sqrt, emit="math.sqrt(x)", sympy=sp.sqrt, domain=(POSITIVE,))
def sqrt(out: Node, x: Node) -> Partials:
    """The square root: partial 0.5/out, +inf at 0 by continuity."""
    return (0.5 / out,)


@elementwise(numpy=np.sqrt, emit="math.sqrt(x)", sympy=sp.sqrt, domain=(POSITIVE,))
def root_of_squares(out: Node, x: Node) -> Partials:
    """The square root of a sum of squares, a norm: partial 0.5/out, and 0 at 0.

    The true slope at 0 is infinite, but what follows it is the slope 0 of the squares: the norm as a whole has
    subgradient 0 there, and inf*0 would have been NaN.
    """
    return (select(eq(out, 0.0), Const(0, out.type), 0.5 / out),)


@elementwise(numpy=np.abs, emit="abs(x)", sympy=sp.Abs, traits=Trait.EVEN)
def abs_(out: Node, x: Node) -> Partials:
    """The absolute value: partial sign(x), 0 at 0."""
    return (sign(x),)


@elementwise(numpy=np.sign, emit="sign(x)", sympy=sp.sign, helpers=(scalar_math.sign,), traits=Trait.ODD | Trait.FLAT)
def sign(out: Node, x: Node) -> Partials:
    """-1, 0 or 1."""
    return (None,)


def _where_nan(x: Any, y: Any, otherwise: Any) -> Any:
    """Return `otherwise`, and NaN wherever x or y is."""
    return np.where(np.isnan(x) | np.isnan(y), np.add(x, y), otherwise)


@elementwise(
    numpy=lambda x, y: _where_nan(x, y, np.where(x == y, 0.5, x > y)),
    emit="winner(x, y)",
    helpers=(scalar_math.winner,),
    traits=Trait.FLAT,
    flops=2,
)
def winner(out: Node, x: Node, y: Node) -> Partials:
    """Share of x in the gradient of max(x, y): 1, 1/2 in a tie, 0; NaN for NaN."""
    return (None, None)


@elementwise(
    numpy=lambda x, y: _where_nan(x, y, np.where(x > y, 1.0, 0.0)),
    emit="exceeds(x, y)",
    helpers=(scalar_math.exceeds,),
    traits=Trait.FLAT,
    flops=1,
)
def exceeds(out: Node, x: Node, y: Node) -> Partials:
    """1 where x > y, 0 where x <= y: the slope of max(x, constant); NaN for NaN."""
    return (None, None)


@elementwise(
    numpy=lambda x, y, z: _where_nan(x, y, np.where(x > y, z, np.where(x == y, 0.5 * z, 0.0))),
    emit="share(x, y, z)",
    helpers=(scalar_math.share,),
    flops=2,
)
def share(out: Node, x: Node, y: Node, z: Node) -> Partials:
    """winner(x, y)*z, but 0 for the loser even where z is not finite. Linear in z."""
    return (None, None, winner(x, y))


@elementwise(
    numpy=lambda x, y, z: _where_nan(x, y, np.where(x > y, z, 0.0)),
    emit="gate(x, y, z)",
    helpers=(scalar_math.gate,),
    flops=1,
)
def gate(out: Node, x: Node, y: Node, z: Node) -> Partials:
    """exceeds(x, y)*z, but 0 where x <= y even where z is not finite. Linear in z."""
    return (None, None, exceeds(x, y))


def is_constant(node: Node) -> bool:
    """Return whether `node` is a number, repeated or not."""
    return isinstance(node, Const) or (isinstance(node, Broadcast) and isinstance(node.args[0], Const))


def _routed(op: Primitive, out: Node, xs: tuple[Node, ...], beats: Callable[[Primitive, Node, Node], Node]) -> Partials:
    """Return the partials of an extremum of `xs`; `beats(test, x, y)` applies a comparison so that x wins where 1.

    Two operands are compared directly. More are compared with the extremum itself and ties are counted. Constants have
    no gradient but do win ties, which gives every operand 0 there: the subgradient of least norm.
    """
    if not out.type.is_real:
        return (None,) * len(xs)
    free = [x for x in xs if not is_constant(x)]
    fixed = [x for x in xs if is_constant(x)]
    mask = None
    if not free:
        return tuple(Const(0, out.type) for _ in xs)
    top = free[0] if len(free) == 1 else op(*free)
    if fixed:
        limit = fixed[0] if len(fixed) == 1 else op(*fixed)
        mask = beats(exceeds, top, limit)
    if len(free) == 1:
        shares = [mask if mask is not None else Const(1, out.type)]
    elif len(free) == 2:
        shares = [beats(winner, free[0], free[1]), beats(winner, free[1], free[0])]
    else:
        ties = [to_real(eq(x, top), out.dtype) for x in free]
        count = functools.reduce(add, ties)
        shares = [tie / count for tie in ties]
    if mask is not None and len(free) > 1:
        shares = [mask * s for s in shares]
    parts = iter(shares)
    return tuple(Const(0, out.type) if is_constant(x) else next(parts) for x in xs)


@elementwise(
    numpy=fold(np.maximum),
    emit="larger(x, y)",
    sympy=sp.Max,
    helpers=(scalar_math.larger,),
    traits=Trait.COMMUTATIVE,
    arity=None,
)
def maximum(out: Node, *xs: Node) -> Partials:
    """The largest operand; the gradient goes to the winner, see the module's conventions."""
    return _routed(maximum, out, xs, lambda test, x, y: test(x, y))


@elementwise(
    numpy=fold(np.minimum),
    emit="smaller(x, y)",
    sympy=sp.Min,
    helpers=(scalar_math.smaller,),
    traits=Trait.COMMUTATIVE,
    arity=None,
)
def minimum(out: Node, *xs: Node) -> Partials:
    """The smallest operand; the gradient goes to the winner, see the module's conventions."""
    return _routed(minimum, out, xs, lambda test, x, y: test(y, x))
