"""Bessel functions of a constant order, spherical ones, Airy functions.

The first operand is the order, always a constant. Derivatives are recurrences that shift the order, so every
derivative is a function of the same kind, without division by x.
"""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.deferred import Deferred
from symbackprop.ir.node import Broadcast, Const, Node
from symbackprop.ir.registry import Domain, Primitive, Trait, elementwise
from symbackprop.ops import external, special_math

sc = Deferred("scipy.special")

__all__ = [
    "airy_ai",
    "airy_ai_prime",
    "airy_bi",
    "airy_bi_prime",
    "bessel_i",
    "bessel_j",
    "bessel_k",
    "bessel_y",
    "order_of",
    "spherical_j",
    "spherical_y",
]

Partials = tuple[Node | None, ...]

SLOW = Trait.TRANSCENDENTAL
ORDER = Domain()
POSITIVE = Domain(0.0)


def order_of(node: Node) -> float:
    """Return the number that an order is; the front end lets nothing else through."""
    inner = node.args[0] if isinstance(node, Broadcast) else node
    assert isinstance(inner, Const)
    return float(inner.value)


def _shifted(
    op: Primitive, order: Node, x: Node, *, at_zero: Callable[[Node], Node], below: float, above: float
) -> Node:
    """Return below*op(order - 1, x) + above*op(order + 1, x), for order 0 `at_zero` of op(1, x)."""
    v = order_of(order)
    if v == 0:
        return at_zero(op(1.0, x))
    return below * op(v - 1.0, x) + above * op(v + 1.0, x)


@elementwise(
    numpy=sc.jv,
    emit="scipy_jv(x, y)",
    sympy=sp.besselj,
    helpers=(external.scipy_jv,),
    domain=(ORDER, POSITIVE),
    traits=SLOW,
    flops=20,
)
def bessel_j(out: Node, order: Node, x: Node) -> Partials:
    """J of any real order, NaN for x < 0 unless the order is whole: partial (J[v-1] - J[v+1])/2."""
    return (None, _shifted(bessel_j, order, x, at_zero=lambda one: -one, below=0.5, above=-0.5))


@elementwise(
    numpy=sc.yv,
    emit="scipy_yv(x, y)",
    sympy=sp.bessely,
    helpers=(external.scipy_yv,),
    domain=(ORDER, POSITIVE),
    traits=SLOW,
    flops=20,
)
def bessel_y(out: Node, order: Node, x: Node) -> Partials:
    """Y of any real order for x > 0: partial (Y[v-1] - Y[v+1])/2."""
    return (None, _shifted(bessel_y, order, x, at_zero=lambda one: -one, below=0.5, above=-0.5))


@elementwise(
    numpy=sc.iv,
    emit="scipy_iv(x, y)",
    sympy=sp.besseli,
    helpers=(external.scipy_iv,),
    domain=(ORDER, POSITIVE),
    traits=SLOW,
    flops=20,
)
def bessel_i(out: Node, order: Node, x: Node) -> Partials:
    """I of any real order, NaN for x < 0 unless the order is whole: partial (I[v-1] + I[v+1])/2."""
    return (None, _shifted(bessel_i, order, x, at_zero=lambda one: one, below=0.5, above=0.5))


@elementwise(
    numpy=sc.kv,
    emit="scipy_kv(x, y)",
    sympy=sp.besselk,
    helpers=(external.scipy_kv,),
    domain=(ORDER, POSITIVE),
    traits=SLOW,
    flops=20,
)
def bessel_k(out: Node, order: Node, x: Node) -> Partials:
    """K of any real order for x > 0: partial -(K[v-1] + K[v+1])/2."""
    return (None, _shifted(bessel_k, order, x, at_zero=lambda one: -one, below=-0.5, above=-0.5))


def _spherical(op: Primitive, order: Node, x: Node) -> Node:
    """Return (n*op(n - 1, x) - (n + 1)*op(n + 1, x))/(2n + 1)."""
    n = order_of(order)
    if n == 0:
        return -op(1.0, x)
    return (n / (2.0 * n + 1.0)) * op(n - 1.0, x) - ((n + 1.0) / (2.0 * n + 1.0)) * op(n + 1.0, x)


def _spherical_j(n: Any, x: Any) -> Any:
    n, x = np.asarray(n, np.int64), np.asarray(x)
    leading = x ** (1.0 * n) / sc.factorial2(2 * n + 1)
    return np.where(np.abs(x) < 1e-8, leading, sc.spherical_jn(n, x))


@elementwise(
    numpy=_spherical_j,
    emit="spherical_jn(x, y)",
    sympy=lambda n, x: sp.sqrt(sp.pi / (2 * x)) * sp.besselj(n + sp.Rational(1, 2), x),
    helpers=(special_math.spherical_jn,),
    domain=(ORDER, POSITIVE),
    traits=SLOW,
    flops=20,
)
def spherical_j(out: Node, order: Node, x: Node) -> Partials:
    """The spherical Bessel function j of whole order n >= 0: partial (n*j[n-1] - (n+1)*j[n+1])/(2n+1)."""
    return (None, _spherical(spherical_j, order, x))


def _spherical_y(n: Any, x: Any) -> Any:
    n, x = np.asarray(n, np.int64), np.asarray(x)
    value = sc.spherical_yn(n, np.abs(x))
    value = np.where(np.isnan(value) & (np.abs(x) < 1e-100), -np.inf, value)  # SciPy subtracts infinities
    return np.where((x < 0) & (n % 2 == 0), -value, value)


@elementwise(
    numpy=_spherical_y,
    emit="spherical_yn(x, y)",
    sympy=lambda n, x: sp.sqrt(sp.pi / (2 * x)) * sp.bessely(n + sp.Rational(1, 2), x),
    helpers=(special_math.spherical_yn,),
    domain=(ORDER, POSITIVE),
    traits=SLOW,
    flops=20,
)
def spherical_y(out: Node, order: Node, x: Node) -> Partials:
    """The spherical Bessel function y of whole order n >= 0: partial (n*y[n-1] - (n+1)*y[n+1])/(2n+1)."""
    return (None, _spherical(spherical_y, order, x))


def _airy(which: int) -> Callable[..., object]:
    return lambda x: sc.airy(x)[which]


@elementwise(
    numpy=_airy(0),
    emit="scipy_airy_ai(x)",
    sympy=sp.airyai,
    helpers=(external.scipy_airy_ai,),
    traits=SLOW,
    flops=20,
)
def airy_ai(out: Node, x: Node) -> Partials:
    """The Airy function Ai: partial Ai'."""
    return (airy_ai_prime(x),)


@elementwise(
    numpy=_airy(1),
    emit="scipy_airy_ai_prime(x)",
    sympy=sp.airyaiprime,
    helpers=(external.scipy_airy_ai_prime,),
    traits=SLOW,
    flops=20,
)
def airy_ai_prime(out: Node, x: Node) -> Partials:
    """The derivative of Ai: partial x*Ai(x)."""
    return (x * airy_ai(x),)


@elementwise(
    numpy=_airy(2),
    emit="scipy_airy_bi(x)",
    sympy=sp.airybi,
    helpers=(external.scipy_airy_bi,),
    traits=SLOW,
    flops=20,
)
def airy_bi(out: Node, x: Node) -> Partials:
    """The Airy function Bi: partial Bi'."""
    return (airy_bi_prime(x),)


@elementwise(
    numpy=_airy(3),
    emit="scipy_airy_bi_prime(x)",
    sympy=sp.airybiprime,
    helpers=(external.scipy_airy_bi_prime,),
    traits=SLOW,
    flops=20,
)
def airy_bi_prime(out: Node, x: Node) -> Partials:
    """The derivative of Bi: partial x*Bi(x)."""
    return (x * airy_bi(x),)
