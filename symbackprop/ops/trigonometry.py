"""Inverse trigonometric functions, the angle and length of a vector, sin(x)/x.

Partials at the ends of a domain are written with factors (1 - x)*(1 + x), which do not cancel there.
"""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from symbackprop.ir.node import Const, Node
from symbackprop.ir.registry import Domain, Trait, elementwise
from symbackprop.ops import scalar_math
from symbackprop.ops.arithmetic import abs_, integer_power, sqrt
from symbackprop.ops.bessel import spherical_j
from symbackprop.ops.logic import eq, select
from symbackprop.ops.vector_forms import VECTOR

__all__ = ["acos", "acot", "acsc", "asec", "asin", "atan2", "hypot", "sinc"]

Partials = tuple[Node | None, ...]

SLOW = Trait.TRANSCENDENTAL
UNIT = Domain(-1.0, 1.0)
OUTER = Domain(1.0)


def below_one(x: Node) -> Node:
    """Return sqrt(1 - x**2) without cancellation near 1."""
    return sqrt((1.0 - x) * (1.0 + x))


def above_one(x: Node) -> Node:
    """Return sqrt(x**2 - 1) without cancellation near 1 and without overflow."""
    return sqrt(abs_(x) - 1.0) * sqrt(abs_(x) + 1.0)


@elementwise(
    numpy=np.arcsin, emit="math.asin(x)", sympy=sp.asin, domain=(UNIT,), vector=VECTOR["asin"], traits=SLOW | Trait.ODD
)
def asin(out: Node, x: Node) -> Partials:
    """The arc sine: partial 1/sqrt(1 - x**2), infinite at the ends."""
    return (1.0 / below_one(x),)


@elementwise(numpy=np.arccos, emit="math.acos(x)", sympy=sp.acos, domain=(UNIT,), vector=VECTOR["acos"], traits=SLOW)
def acos(out: Node, x: Node) -> Partials:
    """The arc cosine: partial -1/sqrt(1 - x**2), infinite at the ends."""
    return (-(1.0 / below_one(x)),)


@elementwise(
    numpy=lambda x: np.where(np.equal(x, 0), np.pi / 2, np.arctan(1.0 / np.asarray(x))),
    emit="acot(x)",
    sympy=lambda x: sp.atan(1 / x),
    helpers=(scalar_math.acot,),
    traits=SLOW,
)
def acot(out: Node, x: Node) -> Partials:
    """The arc cotangent atan(1/x), pi/2 at 0 (SymPy's branch): partial -1/(1 + x**2)."""
    return (-(1.0 / (1.0 + integer_power(x, attr=(2,)))),)


def _tail(x: Any) -> Any:
    return np.sqrt(np.abs(x) - 1) * np.sqrt(np.abs(x) + 1)


@elementwise(
    numpy=lambda x: np.arctan2(_tail(x), np.sign(x)),
    emit="asec(x)",
    sympy=sp.asec,
    helpers=(scalar_math.asec,),
    domain=(OUTER,),
    traits=SLOW,
)
def asec(out: Node, x: Node) -> Partials:
    """The arc secant, acos(1/x) without the rounding of 1/x: partial 1/(abs(x)*sqrt(x**2 - 1))."""
    return (1.0 / abs_(x) / above_one(x),)


@elementwise(
    numpy=lambda x: np.arctan2(np.sign(x), _tail(x)),
    emit="acsc(x)",
    sympy=sp.acsc,
    helpers=(scalar_math.acsc,),
    domain=(OUTER,),
    traits=SLOW | Trait.ODD,
)
def acsc(out: Node, x: Node) -> Partials:
    """The arc cosecant, asin(1/x) without the rounding of 1/x: partial -1/(abs(x)*sqrt(x**2 - 1))."""
    return (-(1.0 / abs_(x) / above_one(x)),)


def length(x: Node, y: Node) -> Node:
    """Return hypot(x, y), and 1 in place of 0: a divisor under which the origin has the slopes 0."""
    h = hypot(x, y)
    return select(eq(h, 0.0), Const(1, h.type), h)


@elementwise(
    numpy=np.hypot, emit="math.hypot(x, y)", sympy=lambda x, y: sp.sqrt(x**2 + y**2), traits=SLOW | Trait.COMMUTATIVE
)
def hypot(out: Node, x: Node, y: Node) -> Partials:
    """sqrt(x**2 + y**2) without overflow: partials x/out and y/out, 0 at the origin."""
    size = length(x, y)
    return (x / size, y / size)


@elementwise(numpy=np.arctan2, emit="math.atan2(x, y)", sympy=sp.atan2, vector=VECTOR["atan2"], traits=SLOW)
def atan2(out: Node, x: Node, y: Node) -> Partials:
    """The angle of the point (y, x): partials y/r**2 and -x/r**2, divided by r twice so as not to overflow; 0 at 0."""
    r = length(x, y)
    return (y / r / r, -(x / r / r))


@elementwise(
    numpy=lambda x: np.where(np.isinf(x), 0.0, np.where(np.equal(x, 0), 1.0, np.sin(x) / np.asarray(x))),
    emit="sinc(x)",
    sympy=lambda x: sp.sin(x) / x,
    helpers=(scalar_math.sinc,),
    traits=SLOW | Trait.EVEN,
)
def sinc(out: Node, x: Node) -> Partials:
    """sin(x)/x, and 1 at 0: partial -j1(x), the spherical Bessel function, which is accurate near 0 as well."""
    return (-spherical_j(1.0, x),)
