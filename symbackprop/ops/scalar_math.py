"""Scalar helper functions that emitted expressions call; their source text is copied into every module that needs them.

Each is plain Python that numba compiles: it calls nothing but `math` and helpers listed beside it, holds no state, and
prefers selects to branches. Each is right at 0, at infinities and NaN, and at both ends of the float range.
"""

# ruff: noqa: FURB136, PLR0124 - NaN is the number that differs from itself, and a select is meant where one stands

from __future__ import annotations

import math

__all__ = [
    "exceeds",
    "gate",
    "larger",
    "logaddexp",
    "share",
    "sigmoid",
    "sign",
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
