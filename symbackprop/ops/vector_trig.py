"""Trigonometric functions and their inverses without branches or library calls: see `vector_math`.

Sine, cosine and tangent reduce their argument by four parts of pi/2, which is right up to 1e6. Larger arguments need
hundreds of digits of pi: `far_sin` and the like put the library's value in their place, and cost next to nothing where
there are none, see `ir.external.Beyond`.
"""

# ruff: noqa: PLR0124 - NaN is the number that differs from itself

from __future__ import annotations

import math

import numpy as np

from symbackprop.ir.external import Beyond
from symbackprop.ops.vector_math import vhead

__all__ = [
    "far_cos",
    "far_sin",
    "far_tan",
    "vacos",
    "vasin",
    "vasin_series",
    "vatan",
    "vatan2",
    "vatan_series",
    "vcos",
    "vcos_parts",
    "vcos_series",
    "vsin",
    "vsin_series",
    "vsin_tail",
    "vtan",
    "vturn",
]

far_sin = Beyond("far_sin", "sin", 2, np.sin, bound=1e6)
far_cos = Beyond("far_cos", "cos", 2, np.cos, bound=1e6)
far_tan = Beyond("far_tan", "tan", 2, np.tan, bound=1e6)


def vturn(x: float) -> tuple[float, float, np.int64]:
    """(r, c, n) with x = n pi/2 + r + c and n whole, abs(r) <= pi/4, for abs(x) up to 1e6; n counts modulo 4.

    Three parts of pi/2 have 33 bits, so that their multiples are exact; the errors of differences are kept.
    """
    shifted = x * 0.6366197723675814 + 6755399441055744.0
    n = shifted - 6755399441055744.0
    near = x - n * 1.5707963267341256
    part = n * 6.077100506303966e-11
    a = near - part
    back = near - a
    error = (near - (a + back)) + (back - part)
    part = n * 2.0222662487111665e-21
    b = a - part
    back = a - b
    error = error + ((a - (b + back)) + (back - part)) - n * 8.4784276603689e-32
    r = b + error
    return r, (b - r) + error, np.float64(shifted).view(np.int64)


def vsin_tail(r: float, c: float) -> float:
    """sin(r + c) - r for abs(r) <= pi/4 and c below the last digit of r."""
    z = r * r
    p = 1.591810123027412e-10
    p = p * z - 2.5051131455427946e-08
    p = p * z + 2.755731610068303e-06
    p = p * z - 0.0001984126983675497
    p = p * z + 0.008333333333330946
    p = p * z - 0.16666666666666666
    return p * z * r + c * (1.0 - 0.5 * z)


def vsin_series(r: float, c: float) -> float:
    """sin(r + c) for abs(r) <= pi/4 and c below the last digit of r."""
    return r + vsin_tail(r, c)


def vcos_parts(r: float, c: float) -> tuple[float, float]:
    """(w, e) with cos(r + c) = w + e for abs(r) <= pi/4 and c below the last digit of r."""
    z = r * r
    p = -1.1382614868556325e-11
    p = p * z + 2.0876146024689747e-09
    p = p * z - 2.7557317270560326e-07
    p = p * z + 2.4801587298763433e-05
    p = p * z - 0.0013888888888887395
    p = p * z + 0.041666666666666664
    h = 0.5 * z
    w = 1.0 - h
    return w, ((1.0 - w) - h) + (p * z * z - r * c)


def vcos_series(r: float, c: float) -> float:
    """cos(r + c) for abs(r) <= pi/4 and c below the last digit of r."""
    w, e = vcos_parts(r, c)
    return w + e


def vsin(x: float) -> float:
    """sin(x); x itself near 0."""
    r, c, n = vturn(x)
    s = vcos_series(r, c) if n & 1 else vsin_series(r, c)
    return far_sin(x, x if abs(x) < 1e-9 else (-s if n & 2 else s))


def vcos(x: float) -> float:
    """cos(x)."""
    r, c, n = vturn(x)
    s = vsin_series(r, c) if n & 1 else vcos_series(r, c)
    return far_cos(x, -s if (n + 1) & 2 else s)


def vtan(x: float) -> float:
    """tan(x) as a quotient, the rounding errors of both sides put back; x itself near 0."""
    r, c, n = vturn(x)
    e = vsin_tail(r, c)
    w, f = vcos_parts(r, c)
    s, d = r + e, w + f
    e, f = (r - s) + e, (w - d) + f
    odd = (n & 1) == 1
    high, low = (-d if odd else s), (-f if odd else e)
    over, rest = (s if odd else d), (e if odd else f)
    t = high / over
    t = t + (low - t * rest) * (1.0 / over)
    return far_tan(x, x if abs(x) < 1e-9 else t)


def vatan_series(z: float) -> float:
    """atan(z) - z for abs(z) <= tan(pi/8)."""
    y = z * z
    p = -0.019147248964611764
    p = p * y + 0.03920743321261196
    p = p * y - 0.05084610357631765
    p = p * y + 0.05857988350245762
    p = p * y - 0.06664492945806264
    p = p * y + 0.07692181876036845
    p = p * y - 0.0909090452147169
    p = p * y + 0.11111111013860688
    p = p * y - 0.14285714284649173
    p = p * y + 0.19999999999995438
    p = p * y - 0.3333333333333333
    return p * y * z


def vatan(x: float) -> float:
    """atan(x) from the angle of 0, pi/4 or pi/2 nearest to it, and the tangent of the difference."""
    a = abs(x)
    far, middle = a > 2.414213562373095, a > 0.4142135623730951
    z = (-1.0 if far else (a - 1.0 if middle else a)) / (a if far else (a + 1.0 if middle else 1.0))
    low = 6.123233995736766e-17 if far else (3.061616997868383e-17 if middle else 0.0)
    out = (1.5707963267948966 if far else (0.7853981633974483 if middle else 0.0)) + (z + (vatan_series(z) + low))
    return math.copysign(out, x) if x == x else x


def vatan2(x: float, y: float) -> float:
    """The angle of the point (y, x), with the signs of zeros and at infinity as in C.

    It is an octant's edge, a multiple of pi/4 whose first part has 50 bits, and an angle of at most pi/8 from there.
    """
    a, b = abs(x), abs(y)
    steep = a > b
    high, low = (a if steep else b), (b if steep else a)
    shrink = 0.25 if high > 1e300 else 1.0
    high, low = high * shrink, low * shrink
    both = (a == math.inf) & (b == math.inf)
    middle = both | (low > 0.4142135623730951 * high)
    over = 0.0 if both else (low - high if middle else low)
    z = over / (1.0 if both | (high == 0.0) else (low + high if middle else high))
    left = math.copysign(1.0, y) < 0.0
    octant = 1.0 if middle else 0.0
    octant = 2.0 - octant if steep else octant
    octant = 4.0 - octant if left else octant
    t = -z if steep != left else z
    out = octant * 0.7853981633974483 + (t + (vatan_series(t) + octant * 3.061616997868383e-17))
    return math.copysign(out, x)


def vasin_series(z: float) -> float:
    """(asin(s) - s)/s with s = sqrt(z), for z from 0 to 1/4."""
    p = 0.028757851367421566
    p = p * z - 0.014851887071247204
    p = p * z + 0.01740087944269402
    p = p * z + 0.005457506718640358
    p = p * z + 0.01032281435018578
    p = p * z + 0.011479177415184906
    p = p * z + 0.013971212973552933
    p = p * z + 0.017352392720869973
    p = p * z + 0.02237217294214989
    p = p * z + 0.030381944138531247
    p = p * z + 0.04464285714635543
    p = p * z + 0.07499999999998433
    p = p * z + 0.16666666666666666
    return p * z


def vasin(x: float) -> float:
    """asin(x), above 1/2 as pi/2 - 2 asin(sqrt((1 - x)/2)) with the rounding of the root put back."""
    a = abs(x)
    outer = a > 0.5
    z = 0.5 * (1.0 - a) if outer else a * a
    s = np.sqrt(z) if outer else a
    p = vasin_series(z)
    head = vhead(s)
    lost = ((z - head * head) - (s - head) * (s + head)) * (2.0 - 2.0 * s)
    out = 1.5707963267948966 - (2.0 * (s + (s * p + lost)) - 6.123233995736766e-17) if outer else a + a * p
    return math.copysign(out, x) if x == x else x


def vacos(x: float) -> float:
    """acos(x), by asin(x) up to 1/2 and by 2 asin(sqrt((1 - x)/2)) beyond."""
    a = abs(x)
    outer = a > 0.5
    z = 0.5 * (1.0 - a) if outer else a * a
    s = np.sqrt(z) if outer else x
    p = vasin_series(z)
    near = 2.0 * (s + s * p)
    far = 3.141592653589793 - (near - 1.2246467991473532e-16)
    inner = 1.5707963267948966 - (x - (6.123233995736766e-17 - x * p))
    return (near if x > 0.0 else far) if outer else inner
