"""Scalar helper functions that emitted expressions call; their source text is copied into every module that needs them.

Each is plain Python that numba compiles: it calls nothing but `math` and helpers listed beside it, holds no state, and
prefers selects to branches. Each is right at 0, at infinities and NaN, and at both ends of the float range.
"""

# ruff: noqa: FURB136, PLR0124 - NaN is the number that differs from itself, and a select is meant where one stands

from __future__ import annotations

import math

__all__ = [
    "acot",
    "acoth",
    "acsc",
    "asec",
    "asech",
    "csch",
    "exceeds",
    "gate",
    "larger",
    "logaddexp",
    "sech",
    "share",
    "sigmoid",
    "sign",
    "sinc",
    "smaller",
    "softplus",
    "winner",
]


def larger(x: float, y: float) -> float:
    """The larger of two numbers; NaN if either is."""
    return x if x > y else (y if x == x else x)


def smaller(x: float, y: float) -> float:
    """The smaller of two numbers; NaN if either is."""
    return x if x < y else (y if x == x else x)


def winner(x: float, y: float) -> float:
    """Share of x in the gradient of max(x, y): 1 if it wins, 1/2 in a tie, 0 if it loses; NaN for NaN."""
    return 1.0 if x > y else (0.5 if x == y else (0.0 if x < y else x + y))


def share(x: float, y: float, z: float) -> float:
    """winner(x, y) * z, where a loser's share is 0 even if z is not finite."""
    return z if x > y else (0.5 * z if x == y else (0.0 if x < y else x + y))


def exceeds(x: float, y: float) -> float:
    """1 if x > y, 0 if x <= y; NaN for NaN."""
    return 1.0 if x > y else (0.0 if x <= y else x + y)


def gate(x: float, y: float, z: float) -> float:
    """Value z if x > y, 0 if x <= y whatever z is; NaN if x or y is."""
    return z if x > y else (0.0 if x <= y else x + y)


def sign(x: float) -> float:
    """-1, 0 or 1; NaN for NaN."""
    return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else x)


def sigmoid(x: float) -> float:
    """1/(1 + exp(-x)), relatively accurate on both sides: the exponential never overflows."""
    e = math.exp(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


def softplus(x: float) -> float:
    """log(1 + exp(x)), relatively accurate on both sides: the exponential never overflows."""
    return (x if x > 0.0 else 0.0) + math.log1p(math.exp(-abs(x)))


def logaddexp(x: float, y: float) -> float:
    """log(exp(x) + exp(y)) without overflow; equal infinities give themselves."""
    d = x - y
    return (x if d > 0.0 else y) + math.log1p(math.exp(-abs(d))) if d == d else x + y


def acot(x: float) -> float:
    """The arc cotangent atan(1/x); pi/2 at both zeros."""
    return 1.5707963267948966 if x == 0.0 else math.atan(1.0 / x)


def asec(x: float) -> float:
    """The arc secant from the sides of its triangle, which 1/x would round near 1; NaN for abs(x) < 1."""
    a = abs(x)
    return math.atan2(math.sqrt(a - 1.0) * math.sqrt(a + 1.0), 1.0 if x > 0.0 else -1.0)


def acsc(x: float) -> float:
    """The arc cosecant from the sides of its triangle, which 1/x would round near 1; NaN for abs(x) < 1."""
    a = abs(x)
    return math.atan2(1.0 if x > 0.0 else -1.0, math.sqrt(a - 1.0) * math.sqrt(a + 1.0))


def sinc(x: float) -> float:
    """sin(x)/x, 1 at 0 and 0 at infinity."""
    return 1.0 if x == 0.0 else (0.0 if abs(x) == math.inf else math.sin(x) / x)


def sech(x: float) -> float:
    """1/cosh(x); the exponential never overflows."""
    e = math.exp(-abs(x))
    return 2.0 * e / (1.0 + e * e)


def csch(x: float) -> float:
    """1/sinh(x); the exponential never overflows, and nothing cancels near 0."""
    d = abs(x)
    return math.copysign(-2.0 * math.exp(-d) / math.expm1(-2.0 * d), x)


def asech(x: float) -> float:
    """The inverse of sech, by log1p of a small number near 1 and by a difference of logarithms near 0."""
    d = (1.0 - x) / x
    e = math.log1p(math.sqrt((1.0 - x) * (1.0 + x))) - math.log(x)
    return e if x < 0.5 else math.log1p(d + math.sqrt(d * (d + 2.0)))


def acoth(x: float) -> float:
    """The inverse of coth, from the distance to 1, which 1/x would round; NaN for abs(x) < 1."""
    return math.copysign(0.5 * math.log1p(2.0 / (abs(x) - 1.0)), x)
