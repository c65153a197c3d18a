"""Exponentials, logarithms, trigonometric and hyperbolic functions, and the stable composites built on them.

Every function here costs a call into libm. Where a rule reuses `out`, that is because the result is as accurate as a
second evaluation and costs none; where it does not, the docstring says what would be lost.
"""

# ruff: noqa: ARG001, D402 - a rule names every operand, used or not

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.deferred import Deferred
from symbackprop.ir.node import Const, Node
from symbackprop.ir.registry import Domain, Trait, elementwise
from symbackprop.ops import scalar_math
from symbackprop.ops.arithmetic import fold, integer_power
from symbackprop.ops.logic import and_, eq, le, select
from symbackprop.ops.vector_forms import VECTOR

sc = Deferred("scipy.special")

__all__ = [
    "atan",
    "cos",
    "cosh",
    "erf",
    "exp",
    "expm1",
    "log",
    "log1p",
    "logaddexp",
    "power",
    "sigmoid",
    "sin",
    "sinh",
    "softplus",
    "tan",
    "tanh",
]

Partials = tuple[Node | None, ...]

SLOW = Trait.TRANSCENDENTAL


@elementwise(
    numpy=np.exp,
    emit="math.exp(x)",
    sympy=sp.exp,
    vector=VECTOR["exp"],
    traits=SLOW,
)
def exp(out: Node, x: Node) -> Partials:
    """exp(x): partial `out`."""
    return (out,)


@elementwise(numpy=np.expm1, emit="math.expm1(x)", sympy=lambda x: sp.exp(x) - 1, vector=VECTOR["expm1"], traits=SLOW)
def expm1(out: Node, x: Node) -> Partials:
    """exp(x) - 1 without cancellation near 0: partial exp(x); `out` + 1 would be lost below -37."""
    return (exp(x),)


@elementwise(numpy=np.log, emit="math.log(x)", sympy=sp.log, domain=(Domain(0.0),), vector=VECTOR["log"], traits=SLOW)
def log(out: Node, x: Node) -> Partials:
    """The natural logarithm: partial 1/x."""
    return (1.0 / x,)


@elementwise(
    numpy=np.log1p,
    emit="math.log1p(x)",
    sympy=lambda x: sp.log(1 + x),
    domain=(Domain(-1.0),),
    vector=VECTOR["log1p"],
    traits=SLOW,
)
def log1p(out: Node, x: Node) -> Partials:
    """log(1 + x), accurate near 0: partial 1/(1 + x)."""
    return (1.0 / (1.0 + x),)


@elementwise(
    numpy=np.power,
    emit="x**y",
    sympy=lambda x, y: x**y,
    domain=(Domain(0.0), Domain()),
    vector=VECTOR["power"],
    traits=SLOW,
)
def power(out: Node, x: Node, y: Node) -> Partials:
    """x**y for a real exponent: partials y*x**(y - 1) and out*log(x).

    At x = 0 <= y the second is 0 (its limit for y > 0); at y = 0 the first is 0, also where x = 0. Both are masked in
    the argument, so their own derivatives stay finite. SymPy's form x**y*y/x would be NaN at 0.
    """
    by_base: Node = y * power(x, y - 1.0)
    if not isinstance(y, Const):
        by_base = select(eq(y, 0.0), Const(0, out.type), by_base)
    edge = and_(eq(x, 0.0), le(0.0, y))
    return (by_base, out * log(select(edge, Const(1, out.type), x)))


@elementwise(numpy=np.sin, emit="math.sin(x)", sympy=sp.sin, vector=VECTOR["sin"], traits=SLOW | Trait.ODD)
def sin(out: Node, x: Node) -> Partials:
    """sin(x): partial cos(x)."""
    return (cos(x),)


@elementwise(numpy=np.cos, emit="math.cos(x)", sympy=sp.cos, vector=VECTOR["cos"], traits=SLOW | Trait.EVEN)
def cos(out: Node, x: Node) -> Partials:
    """cos(x): partial -sin(x)."""
    return (-sin(x),)


@elementwise(numpy=np.tan, emit="math.tan(x)", sympy=sp.tan, vector=VECTOR["tan"], traits=SLOW | Trait.ODD)
def tan(out: Node, x: Node) -> Partials:
    """tan(x): partial 1 + out**2, a sum of positive terms."""
    return (1.0 + integer_power(out, attr=(2,)),)


@elementwise(
    numpy=np.tanh,
    emit="math.tanh(x)",
    sympy=sp.tanh,
    vector=VECTOR["tanh"],
    traits=SLOW | Trait.ODD,
)
def tanh(out: Node, x: Node) -> Partials:
    """tanh(x): partial 1 - out**2, written (1 - out)*(1 + out) so that no square cancels.

    The only residual is `out`. Absolute error below 3e-16 everywhere; relative accuracy fades as `out` rounds to 1
    (|x| > 19), where 4*sigmoid(2x)*sigmoid(-2x) would keep it for two exponentials more.
    """
    return ((1.0 - out) * (1.0 + out),)


@elementwise(numpy=np.sinh, emit="math.sinh(x)", sympy=sp.sinh, vector=VECTOR["sinh"], traits=SLOW | Trait.ODD)
def sinh(out: Node, x: Node) -> Partials:
    """sinh(x): partial cosh(x)."""
    return (cosh(x),)


@elementwise(numpy=np.cosh, emit="math.cosh(x)", sympy=sp.cosh, vector=VECTOR["cosh"], traits=SLOW | Trait.EVEN)
def cosh(out: Node, x: Node) -> Partials:
    """cosh(x): partial sinh(x)."""
    return (sinh(x),)


@elementwise(numpy=np.arctan, emit="math.atan(x)", sympy=sp.atan, vector=VECTOR["atan"], traits=SLOW | Trait.ODD)
def atan(out: Node, x: Node) -> Partials:
    """The arc tangent: partial 1/(1 + x**2), which underflows to 0 rather than overflow."""
    return (1.0 / (1.0 + integer_power(x, attr=(2,))),)


@elementwise(numpy=sc.erf, emit="math.erf(x)", sympy=sp.erf, vector=VECTOR["erf"], traits=SLOW | Trait.ODD)
def erf(out: Node, x: Node) -> Partials:
    """The error function: partial 2/sqrt(pi)*exp(-x**2)."""
    return ((2.0 / math.sqrt(math.pi)) * exp(-integer_power(x, attr=(2,))),)


def _sigmoid(x: Any) -> Any:
    """Return 1/(1 + exp(-x)) on arrays, right into the subnormal range."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


@elementwise(
    numpy=_sigmoid,
    emit="sigmoid(x)",
    sympy=lambda x: 1 / (1 + sp.exp(-x)),
    helpers=(scalar_math.sigmoid,),
    vector=VECTOR["sigmoid"],
    traits=SLOW,
    flops=4,
)
def sigmoid(out: Node, x: Node) -> Partials:
    """1/(1 + exp(-x)): partial sigmoid(x)*sigmoid(-x); out*(1 - out) would be 0 for every x above 37."""
    return (out * sigmoid(-x),)


@elementwise(
    numpy=lambda x: np.logaddexp(x, np.zeros_like(x)),
    emit="softplus(x)",
    sympy=lambda x: sp.log(1 + sp.exp(x)),
    helpers=(scalar_math.softplus,),
    vector=VECTOR["softplus"],
    traits=SLOW,
    flops=4,
)
def softplus(out: Node, x: Node) -> Partials:
    """log(1 + exp(x)): partial sigmoid(x)."""
    return (sigmoid(x),)


@elementwise(
    numpy=fold(np.logaddexp),
    emit="logaddexp(x, y)",
    sympy=lambda *xs: sp.log(sum(sp.exp(x) for x in xs)),
    helpers=(scalar_math.logaddexp,),
    vector=VECTOR["logaddexp"],
    traits=SLOW | Trait.COMMUTATIVE,
    arity=None,
    flops=6,
)
def logaddexp(out: Node, *xs: Node) -> Partials:
    """log(exp(x) + exp(y) + ...) without overflow: partials exp(x - out), never above 1.

    An operand of -inf gives partial 0; if all are -inf, the partials are NaN, as is their limit.
    """
    return tuple(exp(x - out) for x in xs)
