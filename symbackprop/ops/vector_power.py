"""Real powers and cube roots without branches or library calls: see `vector_math`.

A power needs the logarithm to more than 64 bits, because its error is multiplied by up to 745: what matters is kept as
sums of two numbers, after T. J. Dekker, "A floating-point technique for extending the available precision" (1971).
"""

# ruff: noqa: PLR0124 - NaN is the number that differs from itself

from __future__ import annotations

import math

import numpy as np

from symbackprop.ops.vector_log import vlog_split
from symbackprop.ops.vector_math import vexp_reduced, vexp_tail, vhead

__all__ = ["vcbrt", "vlog_pair", "vpower"]


def vlog_pair(x: float) -> tuple[float, float]:
    """log(x) for finite x > 0 as a sum of two numbers, to about 2**-64 of itself.

    With s = f/(2 + f), log(1 + f) = 2 s + s**3 (2/3 + s**2 Q(s**2)); only Q is evaluated in single numbers. Every other
    number is a head of half the digits, so that products of heads are exact, and a rest.
    """
    k, m = vlog_split(x)
    f = m - 1.0
    d = 2.0 + f
    s = f / d
    a, e = vhead(s), vhead(d)
    b = ((f - a * e) - a * ((d - e) + (f - (d - 2.0)))) * (0.5 - 0.5 * s)
    square, w = a * a, b * (a + s)
    z = square + w
    q = 0.11725604536475413
    q = q * z + 0.11706004128016817
    q = q * z + 0.13334813373687013
    q = q * z + 0.15384594802772
    q = q * z + 0.18181818336889324
    q = q * z + 0.22222222221649277
    q = q * z + 0.28571428571429375
    q = (q * z + 0.4) * z
    g = 0.6666666666666666 + q
    c, h = vhead(z), vhead(g)
    p = c * h
    r = c * ((g - h) + ((0.6666666666666666 - g) + q + 3.700743415417188e-17)) + ((square - c) + w) * g
    n = vhead(p + r)
    t = a * n
    lead = k * 0.6931471803691238
    first = lead + 2.0 * a
    back = first - lead
    second = first + t
    error = ((lead - (first - back)) + (2.0 * a - back)) + ((first - second) + t)
    low = error + (a * ((p - n) + r) + b * (p + r) + 2.0 * b + k * 1.9082149292705877e-10)
    total = second + low
    return total, (second - total) + low


def vpower(x: float, y: float) -> float:
    """x**y with the special values of C's pow: x < 0 with whole y, zeros and infinities keep or lose their sign."""
    a = abs(x)
    high, low = vlog_pair(a)
    far = math.copysign(min(abs(y), 1e21), y)
    y_head, head = vhead(far), vhead(high)
    p = y_head * head
    e = y_head * ((high - head) + low) + (far - y_head) * high
    inside = (p > -746.0) & (p < 710.0)
    r, c, k = vexp_reduced(p if inside else (710.0 if p > 0.0 else -746.0))
    c += e if inside else 0.0
    near = r + c
    c = (r - near) + c
    half = k >> 1
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((k - half + 1023) << 52).view(np.float64)
    size: float = (1.0 + (near + (vexp_tail(near) + c))) * first * second
    size = size if (a > 0.0) & (a < math.inf) else (math.inf if (a > 1.0) == (y > 0.0) else 0.0)
    whole = np.floor(y) == y
    odd = whole & (2.0 * np.floor(0.5 * y) != y)
    signed = math.copysign(size, x) if odd else (size if whole | (x >= 0.0) | (x == -math.inf) else math.nan)
    return 1.0 if (y == 0.0) | (x == 1.0) else (signed if (x == x) & (y == y) else x + y)


def vcbrt(x: float) -> float:
    """The real cube root: x = t * 8**j, t**(-1/3) by a polynomial and two steps, and one exact residual of t * y**2."""
    a = abs(x)
    k, m = vlog_split(a)
    shifted = k * 0.3333333333333333 + 6755399441055744.0
    j = shifted - 6755399441055744.0
    rest = k - 3.0 * j
    t = m * (2.0 if rest > 0.5 else (0.5 if rest < -0.5 else 1.0))
    y = 0.041560643025328414
    y = y * t - 0.34037182405512545
    y = y * t + 1.0587897092707683
    y = y * t - 1.6161486250944221
    y = y * t + 1.8522646136196657
    h = 1.0 - t * y * (y * y)
    y = y + y * h * (0.3333333333333333 + h * (0.2222222222222222 + h * 0.1728395061728395))
    h = 1.0 - t * y * (y * y)
    y = y + y * h * (0.3333333333333333 + h * 0.2222222222222222)
    c = vhead(t * y * y)
    square = c * c
    head = vhead(square)
    d = ((t - head * c) - (square - head) * c) * (y * y) * 0.3333333333333333
    scale = np.int64((np.float64(shifted).view(np.int64) - np.int64(4843621399236967425)) << 52).view(np.float64)
    out = math.copysign((c + (d + d * d * y)) * scale, x)
    return out if (a > 0.0) & (a < math.inf) else x
