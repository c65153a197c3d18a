"""The functions of `neural_math` without library calls, so that LLVM vectorises loops over them, in both dtypes.

Where x is limited before it is multiplied (to 40 or 800 in magnitude), the other factor has underflowed to 0 by then.
"""

# ruff: noqa: FURB136, PLR0124 - NaN is the number that differs from itself, and a select is meant where one stands

from __future__ import annotations

from symbackprop.ops.vector_erf import verfc
from symbackprop.ops.vector_math import vexp, vexpm1
from symbackprop.ops.vector_single import vexp32, vexpm1_32
from symbackprop.ops.vector_single_trig import verfc32

__all__ = [
    "velu",
    "velu32",
    "velu_slope",
    "velu_slope32",
    "vgelu",
    "vgelu32",
    "vgelu_slope",
    "vgelu_slope32",
    "vgelu_tanh",
    "vgelu_tanh32",
    "vgelu_tanh_slope",
    "vgelu_tanh_slope32",
    "vsilu",
    "vsilu32",
    "vsilu_slope",
    "vsilu_slope32",
]


def velu(x: float, y: float) -> float:
    """The number x where it is positive, y*(exp(x) - 1) elsewhere."""
    return x if x > 0.0 else y * vexpm1(x if x < 0.0 else (0.0 if x == x else x))


def velu_slope(x: float, y: float) -> float:
    """1 where x is positive, y*exp(x) where it is negative; at 0 what is nearest to 0 between y and 1."""
    e = y * vexp(x if x < 0.0 else (0.0 if x == x else x))
    edge = x + (0.0 if y < 0.0 else (1.0 if y > 1.0 else y))
    return 1.0 if x > 0.0 else (e if x < 0.0 else edge)


def vsilu(x: float) -> float:
    """x/(1 + exp(-x)), relatively accurate on both sides; 0 at -inf."""
    e = vexp(-abs(x))
    low = x if x > -800.0 else (-800.0 if x == x else x)
    return (low if x >= 0.0 else low * e) / (1.0 + e)


def vsilu_slope(x: float) -> float:
    """s*(1 + x*(1 - s)) with s = 1/(1 + exp(-x)), where 1 - s does not cancel."""
    e = vexp(-abs(x))
    high = x if x < 800.0 else (800.0 if x == x else x)
    d = high if high > -800.0 else (-800.0 if x == x else x)
    one, small = 1.0 / (1.0 + e), e / (1.0 + e)
    return (one if x >= 0.0 else small) * (1.0 + d * (small if x >= 0.0 else one))


def vgelu_tanh(x: float) -> float:
    """x*(1 + tanh(z))/2 with z = sqrt(2/pi)*(x + 0.044715*x**3), as x/(1 + exp(-2*z)); 0 at -inf."""
    high = x if x < 40.0 else (40.0 if x == x else x)
    d = high if high > -40.0 else (-40.0 if x == x else x)
    e = vexp(-abs(1.5957691216057308 * d * (1.0 + 0.044715 * d * d)))
    return (x if x >= 0.0 else d * e) / (1.0 + e)


def vgelu_tanh_slope(x: float) -> float:
    """s*(1 + x*z'*(1 - s)) with s = 1/(1 + exp(-z)) and z = 2*sqrt(2/pi)*(x + 0.044715*x**3)."""
    high = x if x < 40.0 else (40.0 if x == x else x)
    d = high if high > -40.0 else (-40.0 if x == x else x)
    e = vexp(-abs(1.5957691216057308 * d * (1.0 + 0.044715 * d * d)))
    y = 1.5957691216057308 * d * (1.0 + 0.134145 * d * d)
    one, small = 1.0 / (1.0 + e), e / (1.0 + e)
    return (one if x >= 0.0 else small) * (1.0 + y * (small if x >= 0.0 else one))


def vgelu(x: float) -> float:
    """The product of x and the normal distribution function at x, relatively accurate in the left tail; 0 at -inf."""
    d = x if x > -40.0 else (-40.0 if x == x else x)
    return 0.5 * d * verfc(-0.7071067811865476 * d)


def vgelu_slope(x: float) -> float:
    """P + x*p with P and p the normal distribution function and density at x."""
    high = x if x < 40.0 else (40.0 if x == x else x)
    d = high if high > -40.0 else (-40.0 if x == x else x)
    return 0.5 * verfc(-0.7071067811865476 * d) + 0.3989422804014327 * d * vexp(-0.5 * d * d)


def velu32(x: float, y: float) -> float:
    """The number x where it is positive, y*(exp(x) - 1) elsewhere."""
    return x if x > 0.0 else y * vexpm1_32(x if x < 0.0 else (0.0 if x == x else x))


def velu_slope32(x: float, y: float) -> float:
    """1 where x is positive, y*exp(x) where it is negative; at 0 what is nearest to 0 between y and 1."""
    e = y * vexp32(x if x < 0.0 else (0.0 if x == x else x))
    edge = x + (0.0 if y < 0.0 else (1.0 if y > 1.0 else y))
    return 1.0 if x > 0.0 else (e if x < 0.0 else edge)


def vsilu32(x: float) -> float:
    """x/(1 + exp(-x)), relatively accurate on both sides; 0 at -inf."""
    e = vexp32(-abs(x))
    low = x if x > -800.0 else (-800.0 if x == x else x)
    return (low if x >= 0.0 else low * e) / (1.0 + e)


def vsilu_slope32(x: float) -> float:
    """s*(1 + x*(1 - s)) with s = 1/(1 + exp(-x)), where 1 - s does not cancel."""
    e = vexp32(-abs(x))
    high = x if x < 800.0 else (800.0 if x == x else x)
    d = high if high > -800.0 else (-800.0 if x == x else x)
    one, small = 1.0 / (1.0 + e), e / (1.0 + e)
    return (one if x >= 0.0 else small) * (1.0 + d * (small if x >= 0.0 else one))


def vgelu_tanh32(x: float) -> float:
    """x*(1 + tanh(z))/2 with z = sqrt(2/pi)*(x + 0.044715*x**3), as x/(1 + exp(-2*z)); 0 at -inf."""
    high = x if x < 40.0 else (40.0 if x == x else x)
    d = high if high > -40.0 else (-40.0 if x == x else x)
    e = vexp32(-abs(1.5957691216057308 * d * (1.0 + 0.044715 * d * d)))
    return (x if x >= 0.0 else d * e) / (1.0 + e)


def vgelu_tanh_slope32(x: float) -> float:
    """s*(1 + x*z'*(1 - s)) with s = 1/(1 + exp(-z)) and z = 2*sqrt(2/pi)*(x + 0.044715*x**3)."""
    high = x if x < 40.0 else (40.0 if x == x else x)
    d = high if high > -40.0 else (-40.0 if x == x else x)
    e = vexp32(-abs(1.5957691216057308 * d * (1.0 + 0.044715 * d * d)))
    y = 1.5957691216057308 * d * (1.0 + 0.134145 * d * d)
    one, small = 1.0 / (1.0 + e), e / (1.0 + e)
    return (one if x >= 0.0 else small) * (1.0 + y * (small if x >= 0.0 else one))


def vgelu32(x: float) -> float:
    """The product of x and the normal distribution function at x, relatively accurate in the left tail; 0 at -inf."""
    d = x if x > -40.0 else (-40.0 if x == x else x)
    return 0.5 * d * verfc32(-0.7071067811865476 * d)


def vgelu_slope32(x: float) -> float:
    """P + x*p with P and p the normal distribution function and density at x."""
    high = x if x < 40.0 else (40.0 if x == x else x)
    d = high if high > -40.0 else (-40.0 if x == x else x)
    return 0.5 * verfc32(-0.7071067811865476 * d) + 0.3989422804014327 * d * vexp32(-0.5 * d * d)
