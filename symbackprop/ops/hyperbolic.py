"""Reciprocal and inverse hyperbolic functions, each by a formula that neither overflows nor cancels."""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from symbackprop.ir.node import Node
from symbackprop.ir.registry import Domain, Trait, elementwise
from symbackprop.ops import scalar_math
from symbackprop.ops.arithmetic import abs_, integer_power, sqrt
from symbackprop.ops.transcendental import tanh
from symbackprop.ops.trigonometry import below_one, hypot

__all__ = ["acosh", "acoth", "acsch", "asech", "asinh", "atanh", "coth", "csch", "sech"]

Partials = tuple[Node | None, ...]

SLOW = Trait.TRANSCENDENTAL


@elementwise(numpy=np.arcsinh, emit="math.asinh(x)", sympy=sp.asinh, traits=SLOW | Trait.ODD)
def asinh(out: Node, x: Node) -> Partials:
    """The inverse of sinh: partial 1/sqrt(1 + x**2), as a hypotenuse, which does not overflow."""
    return (1.0 / hypot(x, 1.0),)


@elementwise(numpy=np.arccosh, emit="math.acosh(x)", sympy=sp.acosh, domain=(Domain(1.0),), traits=SLOW)
def acosh(out: Node, x: Node) -> Partials:
    """The inverse of cosh: partial 1/(sqrt(x - 1)*sqrt(x + 1)), infinite at 1."""
    return (1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0)),)


@elementwise(
    numpy=np.arctanh, emit="math.atanh(x)", sympy=sp.atanh, domain=(Domain(-1.0, 1.0),), traits=SLOW | Trait.ODD
)
def atanh(out: Node, x: Node) -> Partials:
    """The inverse of tanh: partial 1/((1 - x)*(1 + x))."""
    return (1.0 / ((1.0 - x) * (1.0 + x)),)


def _sech(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return 2.0 * e / (1.0 + e * e)


@elementwise(
    numpy=_sech, emit="sech(x)", sympy=lambda x: 1 / sp.cosh(x), helpers=(scalar_math.sech,), traits=SLOW | Trait.EVEN
)
def sech(out: Node, x: Node) -> Partials:
    """1/cosh(x), right where cosh overflows: partial -out*tanh(x)."""
    return (-(out * tanh(x)),)


def _csch(x: Any) -> Any:
    return np.copysign(-2.0 * np.exp(-np.abs(x)) / np.expm1(-2.0 * np.abs(x)), x)


@elementwise(
    numpy=_csch,
    emit="csch(x)",
    sympy=lambda x: 1 / sp.sinh(x),
    helpers=(scalar_math.csch,),
    domain=(Domain(0.0),),
    traits=SLOW | Trait.ODD,
)
def csch(out: Node, x: Node) -> Partials:
    """1/sinh(x), right where sinh overflows: partial -out*coth(x)."""
    return (-(out * coth(x)),)


@elementwise(
    numpy=lambda x: 1.0 / np.tanh(x),
    emit="1.0 / math.tanh(x)",
    sympy=lambda x: 1 / sp.tanh(x),
    domain=(Domain(0.0),),
    traits=SLOW | Trait.ODD,
)
def coth(out: Node, x: Node) -> Partials:
    """1/tanh(x): partial -csch(x)**2; 1 - out**2 would cancel for large x."""
    return (-integer_power(csch(x), attr=(2,)),)


def _asech(x: Any) -> Any:
    t = (1.0 - np.asarray(x)) / x
    near = np.log1p(t + np.sqrt(t * (t + 2.0)))
    return np.where(
        np.asarray(x) < 0.5, np.log1p(np.sqrt((1.0 - np.asarray(x)) * (1.0 + np.asarray(x)))) - np.log(x), near
    )


@elementwise(
    numpy=_asech, emit="asech(x)", sympy=sp.asech, helpers=(scalar_math.asech,), domain=(Domain(0.0, 1.0),), traits=SLOW
)
def asech(out: Node, x: Node) -> Partials:
    """The inverse of sech: partial -1/(x*sqrt(1 - x**2))."""
    return (-(1.0 / (x * below_one(x))),)


@elementwise(
    numpy=lambda x: np.arcsinh(1.0 / np.asarray(x)),
    emit="math.asinh(1.0 / x)",
    sympy=lambda x: sp.asinh(1 / x),
    domain=(Domain(0.0),),
    traits=SLOW | Trait.ODD,
)
def acsch(out: Node, x: Node) -> Partials:
    """The inverse of csch: partial -1/(abs(x)*sqrt(1 + x**2))."""
    return (-(1.0 / (abs_(x) * hypot(x, 1.0))),)


@elementwise(
    numpy=lambda x: np.copysign(0.5 * np.log1p(2.0 / (np.abs(x) - 1.0)), x),
    emit="acoth(x)",
    sympy=sp.acoth,
    helpers=(scalar_math.acoth,),
    domain=(Domain(1.0),),
    traits=SLOW | Trait.ODD,
)
def acoth(out: Node, x: Node) -> Partials:
    """The inverse of coth, atanh(1/x) without the rounding of 1/x: partial 1/((1 - x)*(1 + x))."""
    return (1.0 / ((1.0 - x) * (1.0 + x)),)
