"""Floor, ceiling and remainder; the real cube root; logarithms to the bases 2 and 10."""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from symbackprop.ir.node import Const, Node
from symbackprop.ir.registry import Domain, Trait, elementwise
from symbackprop.ops.arithmetic import integer_power
from symbackprop.ops.vector_forms import VECTOR

__all__ = ["cbrt", "ceil", "floor", "log2", "log10", "mod"]

Partials = tuple[Node | None, ...]

SLOW = Trait.TRANSCENDENTAL


@elementwise(numpy=np.floor, emit="np.floor(x)", sympy=sp.floor, traits=Trait.FLAT)
def floor(out: Node, x: Node) -> Partials:
    """The largest integer not above x."""
    return (None,)


@elementwise(numpy=np.ceil, emit="np.ceil(x)", sympy=sp.ceiling, traits=Trait.FLAT)
def ceil(out: Node, x: Node) -> Partials:
    """The smallest integer not below x."""
    return (None,)


@elementwise(numpy=np.mod, emit="x % y", sympy=lambda x, y: x - y * sp.floor(x / y), traits=SLOW)
def mod(out: Node, x: Node, y: Node) -> Partials:
    """X - y*floor(x/y), with the sign of y: partials 1 and -floor(x/y).

    The quotient is recovered from `out`, because floor(x/y) may have been rounded across an integer.
    """
    return (Const(1, out.type), -floor((x - out) / y + 0.5))


@elementwise(
    numpy=np.cbrt,
    emit="np.cbrt(x)",
    sympy=sp.cbrt,
    domain=(Domain(0.0),),
    vector=VECTOR["cbrt"],
    traits=SLOW | Trait.ODD,
)
def cbrt(out: Node, x: Node) -> Partials:
    """The real cube root, also of negative numbers: partial 1/(3*out**2), infinite at 0."""
    return (1.0 / (3.0 * integer_power(out, attr=(2,))),)


@elementwise(
    numpy=np.log2,
    emit="math.log2(x)",
    sympy=lambda x: sp.log(x) / sp.log(2),
    domain=(Domain(0.0),),
    vector=VECTOR["log2"],
    traits=SLOW,
)
def log2(out: Node, x: Node) -> Partials:
    """The logarithm to base 2: partial 1/(x*log(2))."""
    return ((1.0 / math.log(2.0)) / x,)


@elementwise(
    numpy=np.log10,
    emit="math.log10(x)",
    sympy=lambda x: sp.log(x) / sp.log(10),
    domain=(Domain(0.0),),
    vector=VECTOR["log10"],
    traits=SLOW,
)
def log10(out: Node, x: Node) -> Partials:
    """The logarithm to base 10: partial 1/(x*log(10))."""
    return ((1.0 / math.log(10.0)) / x,)
