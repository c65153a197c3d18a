"""The functions of `vector_math`, `vector_log` and `vector_power` in single precision: same methods, shorter series.

Numbers that are not float32 constants would widen the arithmetic; those here are cast where a module is written.
"""

# ruff: noqa: FURB136, PLR0124 - NaN is the number that differs from itself, and a select is meant where one stands

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = [
    "vcbrt32",
    "vcosh32",
    "vexp32",
    "vexp32_reduced",
    "vexp32_tail",
    "vexpm1_32",
    "vexpm1_32_parts",
    "vfloat32",
    "vhead32",
    "vhyperbolic32_parts",
    "vlog1p32",
    "vlog1p32_unit",
    "vlog2_32",
    "vlog10_32",
    "vlog32",
    "vlog32_edge",
    "vlog32_pair",
    "vlog32_series",
    "vlog32_split",
    "vlogaddexp32",
    "vpower32",
    "vsigmoid32",
    "vsinh32",
    "vsoftplus32",
    "vtanh32",
    "vweight32",
]


def vfloat32(bits: Any) -> Any:
    """The float32 of the given bits."""
    return np.int32(bits).view(np.float32)


def vexp32_reduced(x: float) -> tuple[float, float, np.int64]:
    """(r, c, k) with x = k log 2 + r + c and k whole, abs(r) <= log(2)/2, for x from -104 to 90."""
    shifted = x * 1.442695 + 12582912.0
    k = shifted - 12582912.0
    near = x - k * 0.693145751953125
    low = k * 1.4286068e-06
    r = near - low
    return r, (near - r) - low, np.float32(shifted).view(np.int32) - np.int64(1262485504)


def vexp32_tail(r: float) -> float:
    """exp(r) - 1 - r for abs(r) <= log(2)/2."""
    p = 0.00019882774
    p = p * r + 0.001392625
    p = p * r + 0.008333321
    p = p * r + 0.041666552
    p = p * r + 0.16666667
    return (p * r + 0.5) * (r * r)


def vexpm1_32_parts(x: float) -> tuple[float, np.int64]:
    """(q, k) with exp(x) = (1 + q) * 2**k, for x from -104 to 90."""
    r, _, k = vexp32_reduced(x)
    return r + vexp32_tail(r), k


def vexp32(x: float) -> float:
    """exp(x); two factors carry 2**k, so that subnormal results are rounded once."""
    low = x if x > -104.0 else (-104.0 if x == x else x)
    q, k = vexpm1_32_parts(low if low < 89.0 else (89.0 if x == x else x))
    half = k >> 1
    first = vfloat32((half + 127) << 23)
    second = vfloat32((k - half + 127) << 23)
    out: float = (1.0 + q) * first * second
    return out


def vweight32(x: float) -> float:
    """exp(x) for x <= 0; 0 below -69, where it is under 2**-99: next to a weight of 1 that is nothing, but slow."""
    q, k = vexpm1_32_parts(x if x > -70.0 else (-70.0 if x == x else x))
    scale = vfloat32((k + 127) << 23)
    return 0.0 if x < -69.0 else (1.0 + q) * scale


def vexpm1_32(x: float) -> float:
    """exp(x) - 1 as (q + (1 - 2**-k)) * 2**k with exp(x) = (1 + q) * 2**k; x itself near 0."""
    low = x if x > -20.0 else (-20.0 if x == x else x)
    r, c, k = vexp32_reduced(low if low < 89.0 else (89.0 if x == x else x))
    unit = vfloat32((127 - (k if k < 32 else np.int64(32))) << 23)
    half = k >> 1
    first = vfloat32((half + 127) << 23)
    second = vfloat32((k - half + 127) << 23)
    return x if abs(x) < 1e-8 else (r + (vexp32_tail(r) + c) + (1.0 - unit)) * first * second


def vtanh32(x: float) -> float:
    """tanh(x) = e / (e + 2) with e = expm1(2 abs(x)), the rounding errors of e and e + 2 put back; x itself near 0."""
    y = 2.0 * abs(x)
    r, c, k = vexp32_reduced(y if y < 20.0 else (20.0 if x == x else x))
    scale = vfloat32((k + 127) << 23)
    tail = vexp32_tail(r) + c
    q = r + tail
    e = (scale - 1.0) + q * scale
    error = (((scale - 1.0) - e) + q * scale) + ((r - q) + tail) * scale
    d = e + 2.0
    lost = (2.0 - (d - e)) + (e - (d - (d - e)))
    t = e / d
    t = t + (error * (1.0 - t) - t * lost) * (0.5 - 0.5 * t)
    return x if abs(x) < 1e-4 else (t if x > 0.0 else -t)


def vhyperbolic32_parts(x: float) -> tuple[float, float, float, float]:
    """(s, c, a, b) with sinh(x) = 2 (a + (a c + b s)) and cosh(x) = 2 (b + (b c + a s)), for x from 0 to 89.7."""
    r, low, k = vexp32_reduced(x)
    z = r * r
    c = 0.0013933731
    c = c * z + 0.041666463
    c = c * z + 0.5
    s = 0.0001989108
    s = s * z + 0.0083333105
    s = s * z + 0.16666667
    up = vfloat32((k + 125) << 23)
    down = vfloat32((125 - k if k < 120 else np.int64(0)) << 23)
    return r + (s * z * r + low), c * z, up - down, up + down


def vsinh32(x: float) -> float:
    """sinh(x) by the addition theorem, which is exact for what is subtracted; x itself near 0."""
    d = abs(x)
    s, c, a, b = vhyperbolic32_parts(d if d < 89.7 else (89.7 if x == x else x))
    return x if d < 1e-4 else math.copysign(2.0 * (a + (a * c + b * s)), x)


def vcosh32(x: float) -> float:
    """cosh(x) by the addition theorem."""
    d = abs(x)
    s, c, a, b = vhyperbolic32_parts(d if d < 89.7 else (89.7 if x == x else x))
    return 2.0 * (b + (b * c + a * s))


def vsigmoid32(x: float) -> float:
    """1/(1 + exp(-x)), relatively accurate on both sides: the exponential never overflows.

    e/(1 + e) is written e - e*(e/(1 + e)), where the rounding of 1 + e counts for less.
    """
    e = vexp32(-abs(x))
    q = (1.0 if x >= 0.0 else e) / (1.0 + e)
    return q if x >= 0.0 else e - e * q


def vlog32_split(x: float) -> tuple[float, float]:
    """(k, m) with x = m * 2**k and m from sqrt(1/2) to sqrt(2), for finite x > 0."""
    small = x < 1.1754944e-38
    bits = np.float32(x * 33554432.0 if small else x).view(np.int32) + np.int32(4913933)
    m = vfloat32((bits & np.int32(8388607)) + np.int32(1060439283))
    k = vfloat32(((bits & np.int32(2147483647)) >> 23) | np.int32(1258291200))
    return k - (8388760.0 if small else 8388735.0), m


def vlog32_series(f: float) -> tuple[float, float]:
    """(h, w) with log(1 + f) = f - (h - w), for 1 + f from sqrt(1/2) to sqrt(2)."""
    s = f / (2.0 + f)
    z = s * s
    p = 0.29582024
    p = p * z + 0.39988735
    p = p * z + 0.66666687
    h = 0.5 * f * f
    return h, s * (h + z * p)


def vlog32_edge(x: float) -> float:
    """The logarithm where x is not a positive number: -inf at 0, inf at inf, NaN elsewhere."""
    return -math.inf if x == 0.0 else (x if x > 0.0 else math.nan)


def vlog32(x: float) -> float:
    """log(x); the first part of log 2 has 16 bits, so that its multiple is exact."""
    k, m = vlog32_split(x)
    f = m - 1.0
    h, w = vlog32_series(f)
    out = k * 0.693145751953125 - ((h - (w + k * 1.4286068e-06)) - f)
    return out if (x > 0.0) & (x < math.inf) else vlog32_edge(x)


def vlog1p32(x: float) -> float:
    """log(1 + x): what the sum rounds off enters divided by it; x itself near 0."""
    u = 1.0 + x
    near = u - 1.0
    rest = (1.0 - (u - near)) + (x - near)
    k, m = vlog32_split(u)
    f = m - 1.0
    h, w = vlog32_series(f)
    lost = rest / u if x < 1e9 else 0.0
    out = k * 0.693145751953125 - ((h - (w + (k * 1.4286068e-06 + lost))) - f)
    edge = out if (u > 0.0) & (u < math.inf) else vlog32_edge(u)
    return x if abs(x) < 1e-8 else edge


def vlog2_32(x: float) -> float:
    """log2(x) = k + log(m)/log 2, where the leading bits of both factors have an exact product."""
    k, m = vlog32_split(x)
    f = m - 1.0
    h, w = vlog32_series(f)
    high = vhead32(f - h)
    low = ((f - high) - h) + w
    product = high * 1.4423828125
    total = k + product
    out = total + (((k - total) + product) + ((high + low) * 0.0003122284 + low * 1.4423828125))
    return out if (x > 0.0) & (x < math.inf) else vlog32_edge(x)


def vlog10_32(x: float) -> float:
    """log10(x) = k log10(2) + log(m)/log 10, where the leading bits of all factors have exact products."""
    k, m = vlog32_split(x)
    f = m - 1.0
    h, w = vlog32_series(f)
    high = vhead32(f - h)
    low = ((f - high) - h) + w
    product = high * 0.4342041015625
    lead = k * 0.301025390625
    total = lead + product
    rest = (high + low) * 9.038034e-05 + (low * 0.4342041015625 + k * 4.605039e-06)
    out = total + (((lead - total) + product) + rest)
    return out if (x > 0.0) & (x < math.inf) else vlog32_edge(x)


def vlog1p32_unit(x: float) -> float:
    """log(1 + x) for x from 0 to 1, as far down as x goes."""
    u = 1.0 + x
    rest = x - (u - 1.0)
    large = u > 1.4142135
    f = (0.5 * u if large else u) - 1.0
    h, w = vlog32_series(f)
    return (0.693145751953125 if large else 0.0) - ((h - (w + ((1.4286068e-06 if large else 0.0) + rest / u))) - f)


def vsoftplus32(x: float) -> float:
    """log(1 + exp(x)), relatively accurate on both sides: the exponential never overflows."""
    return (x if x > 0.0 else 0.0) + vlog1p32_unit(vexp32(-abs(x)))


def vlogaddexp32(x: float, y: float) -> float:
    """log(exp(x) + exp(y)) without overflow; equal infinities give themselves."""
    d = x - y
    e = vlog1p32_unit(vexp32(-abs(d)))
    return (x if d > 0.0 else y) + e if d == d else x + y


def vhead32(x: float) -> Any:
    """The leading 12 bits of x, so that products of two such numbers are exact."""
    return vfloat32(np.float32(x).view(np.int32) & np.int32(-4096))


def vlog32_pair(x: float) -> tuple[float, float]:
    """log(x) for finite x > 0 as a sum of two numbers, to about 2**-36 of itself.

    With s = f/(2 + f), log(1 + f) = 2 s + s**3 (2/3 + s**2 Q(s**2)); only Q is evaluated in single numbers. Every other
    number is a head of half the digits, so that products of heads are exact, and a rest.
    """
    k, m = vlog32_split(x)
    f = m - 1.0
    d = 2.0 + f
    s = f / d
    a, e = vhead32(s), vhead32(d)
    b = ((f - a * e) - a * ((d - e) + (f - (d - 2.0)))) * (0.5 - 0.5 * s)
    square, w = a * a, b * (a + s)
    z = square + w
    q = 0.19122304
    q = q * z + 0.22204694
    q = q * z + 0.2857153
    q = (q * z + 0.4) * z
    g = 0.6666667 + q
    c, h = vhead32(z), vhead32(g)
    p = c * h
    r = c * ((g - h) + ((0.6666667 - g) + q - 1.9868215e-08)) + ((square - c) + w) * g
    n = vhead32(p + r)
    t = a * n
    lead = k * 0.693145751953125
    first = lead + 2.0 * a
    back = first - lead
    second = first + t
    error = ((lead - (first - back)) + (2.0 * a - back)) + ((first - second) + t)
    low = error + (a * ((p - n) + r) + b * (p + r) + 2.0 * b + k * 1.4286068e-06)
    total = second + low
    return total, (second - total) + low


def vpower32(x: float, y: float) -> float:
    """x**y with the special values of C's pow: x < 0 with whole y, zeros and infinities keep or lose their sign."""
    a = abs(x)
    high, low = vlog32_pair(a)
    far = math.copysign(1e11 if abs(y) > 1e11 else abs(y), y)
    y_head, head = vhead32(far), vhead32(high)
    p = y_head * head
    e = y_head * ((high - head) + low) + (far - y_head) * high
    inside = (p > -104.0) & (p < 89.0)
    r, c, k = vexp32_reduced(p if inside else (89.0 if p > 0.0 else -104.0))
    c += e if inside else 0.0
    near = r + c
    c = (r - near) + c
    half = k >> 1
    first = vfloat32((half + 127) << 23)
    second = vfloat32((k - half + 127) << 23)
    size = (1.0 + (near + (vexp32_tail(near) + c))) * first * second
    size = size if (a > 0.0) & (a < math.inf) else (math.inf if (a > 1.0) == (y > 0.0) else 0.0)
    whole = np.floor(y) == y
    odd = whole & (2.0 * np.floor(0.5 * y) != y)
    signed = math.copysign(size, x) if odd else (size if whole | (x >= 0.0) | (x == -math.inf) else math.nan)
    return 1.0 if (y == 0.0) | (x == 1.0) else (signed if (x == x) & (y == y) else x + y)


def vcbrt32(x: float) -> float:
    """The real cube root: x = t * 8**j, t**(-1/3) by a polynomial and a step, and one exact residual of t * y**2."""
    a = abs(x)
    k, m = vlog32_split(a)
    shifted = k * 0.33333334 + 12582912.0
    j = shifted - 12582912.0
    rest = k - 3.0 * j
    t = m * (2.0 if rest > 0.5 else (0.5 if rest < -0.5 else 1.0))
    y = -0.027605962
    y = y * t + 0.26842362
    y = y * t - 1.0344199
    y = y * t + 2.0271587
    y = y * t - 2.2153373
    y = y * t + 1.9790872
    h = 1.0 - t * y * (y * y)
    y = y + y * h * (0.33333334 + h * (0.22222222 + h * 0.17283951))
    c = vhead32(t * y * y)
    square = c * c
    head = vhead32(square)
    d = ((t - head * c) - (square - head) * c) * (y * y) * 0.33333334
    scale = vfloat32((np.float32(shifted).view(np.int32) - np.int64(1262485377)) << 23)
    out = math.copysign((c + (d + d * d * y)) * scale, x)
    return out if (a > 0.0) & (a < math.inf) else x
