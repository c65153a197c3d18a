"""The functions of `vector_trig` and `vector_erf` in single precision: the same methods, shorter series."""

# ruff: noqa: PLR0124 - NaN is the number that differs from itself

from __future__ import annotations

import math

import numpy as np

from symbackprop.ir.external import Beyond
from symbackprop.ops.vector_single import (
    vexp32_reduced,
    vexp32_tail,
    vexpm1_32_parts,
    vfloat32,
    vhead32,
)

__all__ = [
    "far_cos32",
    "far_sin32",
    "far_tan32",
    "vacos32",
    "vasin32",
    "vasin32_series",
    "vatan2_32",
    "vatan32",
    "vatan32_series",
    "vcos32",
    "vcos32_parts",
    "vcos32_series",
    "verf32",
    "verfc32",
    "verfc32_tail",
    "vsin32",
    "vsin32_series",
    "vsin32_tail",
    "vtan32",
    "vturn32",
]

far_sin32 = Beyond("far_sin32", "sin", 2, np.sin, bound=6e3)
far_cos32 = Beyond("far_cos32", "cos", 2, np.cos, bound=6e3)
far_tan32 = Beyond("far_tan32", "tan", 2, np.tan, bound=6e3)


def vturn32(x: float) -> tuple[float, float, np.int64]:
    """(r, c, n) with x = n pi/2 + r + c and n whole, abs(r) <= pi/4, for abs(x) up to 6000; n counts modulo 4.

    Three parts of pi/2 have 12 bits, so that their multiples are exact; the errors of differences are kept.
    """
    shifted = x * 0.63661975 + 12582912.0
    n = shifted - 12582912.0
    near = x - n * 1.5703125
    part = n * 0.0004837512969970703
    a = near - part
    back = near - a
    error = (near - (a + back)) + (back - part)
    part = n * 7.549533620476723e-08
    b = a - part
    back = a - b
    error = error + ((a - (b + back)) + (back - part)) - n * 2.563344e-12
    r = b + error
    return r, (b - r) + error, np.float32(shifted).view(np.int32)


def vsin32_tail(r: float, c: float) -> float:
    """sin(r + c) - r for abs(r) <= pi/4 and c below the last digit of r."""
    z = r * r
    p = 2.7249803e-06
    p = p * z - 0.00019840086
    p = p * z + 0.008333332
    p = p * z - 0.16666667
    return p * z * r + c * (1.0 - 0.5 * z)


def vsin32_series(r: float, c: float) -> float:
    """sin(r + c) for abs(r) <= pi/4 and c below the last digit of r."""
    return r + vsin32_tail(r, c)


def vcos32_parts(r: float, c: float) -> tuple[float, float]:
    """(w, e) with cos(r + c) = w + e for abs(r) <= pi/4 and c below the last digit of r."""
    z = r * r
    p = 2.454784e-05
    p = p * z - 0.0013888302
    p = p * z + 0.041666664
    h = 0.5 * z
    w = 1.0 - h
    return w, ((1.0 - w) - h) + (p * z * z - r * c)


def vcos32_series(r: float, c: float) -> float:
    """cos(r + c) for abs(r) <= pi/4 and c below the last digit of r."""
    w, e = vcos32_parts(r, c)
    return w + e


def vsin32(x: float) -> float:
    """sin(x); x itself near 0."""
    r, c, n = vturn32(x)
    s = vcos32_series(r, c) if n & 1 else vsin32_series(r, c)
    return far_sin32(x, x if abs(x) < 1e-4 else (-s if n & 2 else s))


def vcos32(x: float) -> float:
    """cos(x)."""
    r, c, n = vturn32(x)
    s = vsin32_series(r, c) if n & 1 else vcos32_series(r, c)
    return far_cos32(x, -s if (n + 1) & 2 else s)


def vtan32(x: float) -> float:
    """tan(x) as a quotient, the rounding errors of both sides put back; x itself near 0."""
    r, c, n = vturn32(x)
    e = vsin32_tail(r, c)
    w, f = vcos32_parts(r, c)
    s, d = r + e, w + f
    e, f = (r - s) + e, (w - d) + f
    odd = (n & 1) == 1
    high, low = (-d if odd else s), (-f if odd else e)
    over, rest = (s if odd else d), (e if odd else f)
    t = high / over
    t = t + (low - t * rest) * (1.0 / over)
    return far_tan32(x, x if abs(x) < 1e-4 else t)


def vatan32_series(z: float) -> float:
    """atan(z) - z for abs(z) <= tan(pi/8)."""
    y = z * z
    p = -0.064477414
    p = p * y + 0.10742467
    p = p * y - 0.14263839
    p = p * y + 0.19999537
    p = p * y - 0.3333333
    return p * y * z


def vatan32(x: float) -> float:
    """atan(x) from the angle of 0, pi/4 or pi/2 nearest to it, and the tangent of the difference."""
    a = abs(x)
    far, middle = a > 2.4142137, a > 0.41421357
    z = (-1.0 if far else (a - 1.0 if middle else a)) / (a if far else (a + 1.0 if middle else 1.0))
    low = -4.371139e-08 if far else (-2.1855695e-08 if middle else 0.0)
    out = (1.5707964 if far else (0.7853982 if middle else 0.0)) + (z + (vatan32_series(z) + low))
    return math.copysign(out, x) if x == x else x


def vatan2_32(x: float, y: float) -> float:
    """The angle of the point (y, x), with the signs of zeros and at infinity as in C.

    It is an octant's edge, a multiple of pi/4 whose first part has 20 bits, and an angle of at most pi/8 from there.
    """
    a, b = abs(x), abs(y)
    steep = a > b
    high, low = (a if steep else b), (b if steep else a)
    shrink = 0.25 if high > 1e37 else 1.0
    high, low = high * shrink, low * shrink
    both = (a == math.inf) & (b == math.inf)
    middle = both | (low > 0.41421357 * high)
    over = 0.0 if both else (low - high if middle else low)
    z = over / (1.0 if both | (high == 0.0) else (low + high if middle else high))
    left = math.copysign(1.0, y) < 0.0
    octant = 1.0 if middle else 0.0
    octant = 2.0 - octant if steep else octant
    octant = 4.0 - octant if left else octant
    t = -z if steep != left else z
    out = octant * 0.7853975296020508 + (t + (vatan32_series(t) + octant * 6.337954e-07))
    return math.copysign(out, x)


def vasin32_series(z: float) -> float:
    """(asin(s) - s)/s with s = sqrt(z), for z from 0 to 1/4."""
    p = 0.033690847
    p = p * z + 0.017149238
    p = p * z + 0.031100662
    p = p * z + 0.044599403
    p = p * z + 0.07500094
    p = p * z + 0.16666666
    return p * z


def vasin32(x: float) -> float:
    """asin(x), above 1/2 as pi/2 - 2 asin(sqrt((1 - x)/2)) with the rounding of the root put back."""
    a = abs(x)
    outer = a > 0.5
    z = 0.5 * (1.0 - a) if outer else a * a
    s = np.sqrt(z) if outer else a
    p = vasin32_series(z)
    head = vhead32(s)
    lost = ((z - head * head) - (s - head) * (s + head)) * (2.0 - 2.0 * s)
    out = 1.5707964 - (2.0 * (s + (s * p + lost)) + 4.371139e-08) if outer else a + a * p
    return math.copysign(out, x) if x == x else x


def vacos32(x: float) -> float:
    """acos(x), by asin(x) up to 1/2 and by 2 asin(sqrt((1 - x)/2)) beyond."""
    a = abs(x)
    outer = a > 0.5
    z = 0.5 * (1.0 - a) if outer else a * a
    s = np.sqrt(z) if outer else x
    p = vasin32_series(z)
    near = 2.0 * (s + s * p)
    far = 3.1415927 - (near + 8.742278e-08)
    inner = 1.5707964 - (x - (-4.371139e-08 - x * p))
    return (near if x > 0.0 else far) if outer else inner


def verfc32_tail(x: float) -> float:
    """erfc(x) for x from 0 to 10.1; the square is split exactly, and the rounding of what is large put back."""
    u = 2.0 * (x / (x + 3.0))
    t = u - 1.0
    p = -0.00027545603
    p = p * t - 0.0007931826
    p = p * t + 0.001998225
    p = p * t + 0.002578218
    p = p * t - 0.023792459
    p = p * t + 0.06829324
    p = p * t - 0.11927229
    p = p * t + 0.12964664
    p = p * t - 0.047562297
    p = p * t - 0.13562115
    tail = p * t
    p = 1.253008 + tail
    lost = (1.253008 - p) + (tail + 1.3 * t * t * (u - (t + 1.0)) + 5.7974336e-08)
    a = vhead32(x)
    far, c, k = vexp32_reduced(-a * a)
    c -= (x - a) * (x + a)
    r = far + c
    c = (far - r) + c
    d = 1.0 + 2.0 * x
    v = p / d
    g, h = vhead32(v), vhead32(d)
    rest = ((p - g * h) - (g * (d - h) + (v - g) * h)) - (v - g) * (d - h)
    lost = 0.89 * v * (rest + (lost - v * ((1.0 - d) + 2.0 * x)))
    rest = vexp32_tail(r) + c
    q = r + rest
    lost = lost * (1.0 + q) + v * ((r - q) + rest)
    half = k >> 1
    first = vfloat32((half + 127) << 23)
    second = vfloat32((k - half + 127) << 23)
    out: float = (v + (v * q + lost)) * first * second
    return out


def verfc32(x: float) -> float:
    """erfc(x) = 2 - erfc(-x) for negative x."""
    a = abs(x)
    t = verfc32_tail(a if a < 10.1 else (10.1 if x == x else x))
    return 2.0 - t if x < 0.0 else t


def verf32(x: float) -> float:
    """erf(x), a polynomial up to 3/4, and 1 - exp(-x**2) P(t) beyond, t = (x - 2)/(x + 2)."""
    a = abs(x)
    b = a if a < 4.0 else (4.0 if x == x else x)
    t = (b - 2.0) / (b + 2.0)
    p = -0.00093397463
    p = p * t - 0.0008370399
    p = p * t + 0.0069926386
    p = p * t + 0.0037323073
    p = p * t - 0.07897839
    p = p * t + 0.2416582
    p = p * t - 0.42718586
    p = p * t + 0.25539568
    q, k = vexpm1_32_parts(-b * b)
    rest = 1.0 - p * ((1.0 + q) * vfloat32((k + 127) << 23))
    z = a * a if a < 1.0 else 1.0
    p = -0.000675648
    p = p * z + 0.005115332
    p = p * z - 0.026835114
    p = p * z + 0.112833865
    p = p * z - 0.3761262
    p = p * z + 0.12837917
    return math.copysign(rest if a > 0.75 else a + a * p, x)
