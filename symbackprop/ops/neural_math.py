"""Scalar helper functions of the activation functions; like those of `scalar_math` they are copied into modules.

Where x is limited before it is multiplied (to 40 or 800 in magnitude), the other factor has underflowed to 0 by then.
"""

# ruff: noqa: FURB136, PLR0124 - NaN is the number that differs from itself, and a select is meant where one stands

from __future__ import annotations

import math

__all__ = [
    "elu",
    "elu_slope",
    "gap",
    "gelu",
    "gelu_slope",
    "gelu_tanh",
    "gelu_tanh_slope",
    "prelu",
    "prelu_slope",
    "silu",
    "silu_slope",
    "weight",
]


def gap(x: float, y: float) -> float:
    """The difference x - y, and 0 between equal infinities."""
    return 0.0 if x == y else x - y


def weight(x: float) -> float:
    """exp(x) for x <= 0; 0 below -693, where it is under 2**-999: next to a weight of 1 that is nothing."""
    return 0.0 if x < -693.0 else math.exp(x)


def prelu(x: float, y: float) -> float:
    """The number x where it is positive, y*x elsewhere."""
    return x if x > 0.0 else y * x


def prelu_slope(x: float, y: float) -> float:
    """1 where x is positive, y where it is negative; at 0 what is nearest to 0 between y and 1."""
    return 1.0 if x > 0.0 else (y if x < 0.0 else x + (0.0 if y < 0.0 else (1.0 if y > 1.0 else y)))


def elu(x: float, y: float) -> float:
    """The number x where it is positive, y*(exp(x) - 1) elsewhere."""
    return x if x > 0.0 else y * math.expm1(x)


def elu_slope(x: float, y: float) -> float:
    """1 where x is positive, y*exp(x) where it is negative; at 0 what is nearest to 0 between y and 1."""
    e = y * math.exp(x) if x < 0.0 else x + (0.0 if y < 0.0 else (1.0 if y > 1.0 else y))
    return 1.0 if x > 0.0 else e


def silu(x: float) -> float:
    """x/(1 + exp(-x)), relatively accurate on both sides; 0 at -inf."""
    e = math.exp(-abs(x))
    return x / (1.0 + e) if x >= 0.0 else (x if x > -800.0 else (-800.0 if x == x else x)) * (e / (1.0 + e))


def silu_slope(x: float) -> float:
    """s*(1 + x*(1 - s)) with s = 1/(1 + exp(-x)), where 1 - s does not cancel."""
    e = math.exp(-abs(x))
    d = x if abs(x) < 800.0 else (math.copysign(800.0, x) if x == x else x)
    return (1.0 + d * (e / (1.0 + e))) / (1.0 + e) if x >= 0.0 else (e / (1.0 + e)) * (1.0 + d / (1.0 + e))


def gelu(x: float) -> float:
    """The product of x and the normal distribution function at x, relatively accurate in the left tail; 0 at -inf."""
    d = x if x > -40.0 else (-40.0 if x == x else x)
    return 0.5 * d * math.erfc(-0.7071067811865476 * d)


def gelu_slope(x: float) -> float:
    """P + x*p with P and p the normal distribution function and density at x."""
    d = x if abs(x) < 40.0 else (math.copysign(40.0, x) if x == x else x)
    return 0.5 * math.erfc(-0.7071067811865476 * d) + 0.3989422804014327 * d * math.exp(-0.5 * d * d)


def gelu_tanh(x: float) -> float:
    """x*(1 + tanh(z))/2 with z = sqrt(2/pi)*(x + 0.044715*x**3), as x/(1 + exp(-2*z)); 0 at -inf."""
    d = x if abs(x) < 40.0 else (math.copysign(40.0, x) if x == x else x)
    z = 1.5957691216057308 * d * (1.0 + 0.044715 * d * d)
    e = math.exp(-abs(z))
    return x / (1.0 + e) if x >= 0.0 else d * (e / (1.0 + e))


def gelu_tanh_slope(x: float) -> float:
    """s*(1 + x*z'*(1 - s)) with s = 1/(1 + exp(-z)) and z = 2*sqrt(2/pi)*(x + 0.044715*x**3)."""
    d = x if abs(x) < 40.0 else (math.copysign(40.0, x) if x == x else x)
    z = 1.5957691216057308 * d * (1.0 + 0.044715 * d * d)
    e = math.exp(-abs(z))
    y = 1.5957691216057308 * d * (1.0 + 0.134145 * d * d)
    return (1.0 + y * (e / (1.0 + e))) / (1.0 + e) if x >= 0.0 else (e / (1.0 + e)) * (1.0 + y / (1.0 + e))
