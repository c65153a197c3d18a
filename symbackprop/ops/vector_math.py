"""Elementary functions without branches or library calls, so that LLVM vectorises the loops they stand in.

`math.exp` in a loop is a call per entry, and keeps all else in the loop from being vectorised; these are range
reduction, a polynomial, and arithmetic on the bits of exponents. Like the functions of `scalar_math` they are plain
Python, and their source is copied into modules that need them, to become parts of the loops that call them. There a
product and a sum may be rounded once together (fused), which no function relies on: where a product must be exact, it
is one of heads, see `vhead`.

Largest error in ulp, fused or not, of some 30,000 arguments over the whole range against 50 digits, and of five million
against the next longer type where its library has the function; subnormal results left out. Nanoseconds per entry of
arrays of 4096 normal numbers (with scale 2; for logarithms and bases exp(3 z), for arcs -1 to 1), the fastest of 40
turns on an AMD EPYC (Zen 3, AVX2), times all from one run of one thread: `python -m tests.benchmarks.elementary`.
"libm" is the form for straight-line code in a loop.

| float64   | ulp  | ns   | libm | NumPy | float32: ulp | ns  | libm | NumPy |
|-----------|------|------|------|-------|--------------|-----|------|-------|
| acos      | 1.12 |  2.6 | 13.9 |  13.9 | 1.08         | 0.8 |  6.3 |   5.9 |
| asin      | 1.64 |  2.4 |  6.5 |   6.2 | 1.86         | 1.0 |  4.8 |   4.6 |
| atan      | 1.81 |  2.2 |  9.9 |   9.4 | 1.82         | 0.9 |  7.3 |   7.3 |
| atan2     | 1.56 |  3.5 | 19.4 |  21.8 | 1.59         | 1.3 | 16.5 |  22.0 |
| cbrt      | 0.50 |  4.3 | 14.8 |  14.8 | 0.50         | 2.4 | 24.0 |  18.5 |
| cos       | 0.87 |  3.1 | 10.3 |  10.0 | 0.79         | 1.9 |  6.3 |   2.8 |
| cosh      | 1.64 |  2.0 |  7.5 |   7.5 | 1.82         | 0.9 |  7.2 |   7.2 |
| erf       | 1.48 |  3.6 | 13.2 |  12.3 | 1.61         | 1.3 | 12.0 |  13.2 |
| erfc      | 1.43 |  8.2 | 13.4 |  15.5 | 1.71         | 2.8 | 12.6 |  14.6 |
| exp       | 0.97 |  1.9 |  5.2 |   6.7 | 0.97         | 1.0 |  3.0 |   1.5 |
| expm1     | 1.53 |  2.4 |  9.5 |   8.8 | 1.35         | 1.3 | 10.6 |  10.6 |
| log       | 0.83 |  3.2 |  8.4 |   8.0 | 0.83         | 1.2 |  3.3 |   1.8 |
| log10     | 0.70 |  3.8 | 14.0 |  13.5 | 0.74         | 1.6 |  7.3 |   6.7 |
| log1p     | 0.83 |  3.5 | 12.1 |  11.7 | 0.81         | 1.8 | 15.2 |  14.0 |
| log2      | 0.77 |  3.2 |  4.4 |   4.6 | 0.80         | 1.4 |  2.9 |   3.0 |
| logaddexp | 0.68 |  5.7 | 21.8 |  23.6 | 0.75         | 2.7 | 20.7 |  22.4 |
| power     | 0.86 | 12.1 | 14.0 |  14.0 | 0.80         | 5.8 | 10.6 |  10.4 |
| sigmoid   | 1.55 |  2.9 |  6.1 |  10.2 | 1.64         | 1.5 |  5.2 |   8.6 |
| sin       | 0.85 |  3.3 | 10.9 |  10.6 | 0.76         | 2.0 |  6.4 |   2.9 |
| sinh      | 1.79 |  2.3 | 16.4 |  16.4 | 1.70         | 1.1 | 16.1 |  18.8 |
| softplus  | 1.62 |  4.8 | 14.2 |  16.1 | 1.60         | 2.3 | 15.6 |  16.7 |
| sqrt      | 0.50 |  1.0 |  1.0 |   1.5 | 0.50         | 0.5 |  0.5 |   0.5 |
| tan       | 1.57 |  4.0 | 13.2 |  12.4 | 1.43         | 2.4 | 20.1 |  18.5 |
| tanh      | 1.32 |  3.5 | 15.0 |  13.8 | 1.17         | 1.9 | 27.9 |   3.8 |

logaddexp is for results of at least 1: near 0 it cancels, as the library's does. sqrt is an instruction and vectorises
as it is. sin, cos and tan of large arguments are the library's, see `vector_trig`.

Polynomials interpolate at Chebyshev's points in 60 digits; their coefficients are then rounded. What range reduction
leaves over is carried along, after W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980).
"""

# ruff: noqa: PLR0124 - NaN is the number that differs from itself

from __future__ import annotations

import math

import numpy as np

__all__ = [
    "vcosh",
    "vexp",
    "vexp_reduced",
    "vexp_tail",
    "vexpm1",
    "vexpm1_parts",
    "vhead",
    "vhyperbolic_parts",
    "vsigmoid",
    "vsinh",
    "vtanh",
    "vweight",
]


def vhead(x: float) -> float:
    """The leading 26 bits of x, so that products of two such numbers are exact."""
    return np.int64(np.float64(x).view(np.int64) & np.int64(-134217728)).view(np.float64)


def vexp_reduced(x: float) -> tuple[float, float, np.int64]:
    """(r, c, k) with x = k log 2 + r + c and k whole, abs(r) <= log(2)/2; c is the rounding error of r.

    For x from -746 to 710. Adding 1.5 * 2**52 rounds x / log(2) to an integer, which then stands in the low bits of the
    sum; the first part of log 2 has 32 bits, so that its multiple is exact.
    """
    shifted = x * 1.4426950408889634 + 6755399441055744.0
    k = shifted - 6755399441055744.0
    near = x - k * 0.6931471803691238
    low = k * 1.9082149292705877e-10
    r = near - low
    return r, (near - r) - low, np.float64(shifted).view(np.int64) - np.int64(4843621399236968448)


def vexp_tail(r: float) -> float:
    """exp(r) - 1 - r for abs(r) <= log(2)/2."""
    p = 2.09112987659402e-09
    p = p * r + 2.5100472505694996e-08
    p = p * r + 2.7557282838800484e-07
    p = p * r + 2.7557268276905696e-06
    p = p * r + 2.4801587317228724e-05
    p = p * r + 0.00019841269863171557
    p = p * r + 0.0013888888888886537
    p = p * r + 0.008333333333330039
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    return (p * r + 0.5) * (r * r)


def vexpm1_parts(x: float) -> tuple[float, np.int64]:
    """(q, k) with exp(x) = (1 + q) * 2**k, for x from -746 to 710; k counts from 0."""
    r, _, k = vexp_reduced(x)
    return r + vexp_tail(r), k


def vexp(x: float) -> float:
    """exp(x); two factors carry 2**k, so that subnormal results are rounded once."""
    low = x if x > -746.0 else (-746.0 if x == x else x)
    q, k = vexpm1_parts(low if low < 710.0 else (710.0 if x == x else x))
    half = k >> 1
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((k - half + 1023) << 52).view(np.float64)
    return (1.0 + q) * first * second


def vweight(x: float) -> float:
    """exp(x) for x <= 0; 0 below -693, where it is under 2**-999: next to a weight of 1 that is nothing, but slow."""
    q, k = vexpm1_parts(x if x > -694.0 else (-694.0 if x == x else x))
    scale = np.int64((k + 1023) << 52).view(np.float64)
    return 0.0 if x < -693.0 else (1.0 + q) * scale


def vexpm1(x: float) -> float:
    """exp(x) - 1 as (q + (1 - 2**-k)) * 2**k with exp(x) = (1 + q) * 2**k; x itself near 0."""
    low = x if x > -40.0 else (-40.0 if x == x else x)
    r, c, k = vexp_reduced(low if low < 710.0 else (710.0 if x == x else x))
    unit = np.int64((1023 - (k if k < 64 else np.int64(64))) << 52).view(np.float64)
    half = k >> 1
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((k - half + 1023) << 52).view(np.float64)
    return x if abs(x) < 1e-17 else (r + (vexp_tail(r) + c) + (1.0 - unit)) * first * second


def vtanh(x: float) -> float:
    """tanh(x) = e / (e + 2) with e = expm1(2 abs(x)), the rounding errors of e and e + 2 put back; x itself near 0."""
    y = 2.0 * abs(x)
    r, c, k = vexp_reduced(y if y < 44.0 else (44.0 if x == x else x))
    scale = np.int64((k + 1023) << 52).view(np.float64)
    tail = vexp_tail(r) + c
    q = r + tail
    e = (scale - 1.0) + q * scale
    error = (((scale - 1.0) - e) + q * scale) + ((r - q) + tail) * scale
    d = e + 2.0
    lost = (2.0 - (d - e)) + (e - (d - (d - e)))
    t = e / d
    t = t + (error * (1.0 - t) - t * lost) * (0.5 - 0.5 * t)
    return x if abs(x) < 1e-9 else (t if x > 0.0 else -t)


def vhyperbolic_parts(x: float) -> tuple[float, float, float, float]:
    """(s, c, a, b) with sinh(x) = 2 (a + (a c + b s)) and cosh(x) = 2 (b + (b c + a s)), for x from 0 to 710.8.

    With x = k log 2 + r: s = sinh(r), c = cosh(r) - 1, 4 a = 2**k - 2**-k, 4 b = 2**k + 2**-k. This is the addition
    theorem; nothing overflows before the result does.
    """
    r, low, k = vexp_reduced(x)
    z = r * r
    c = 2.091821231913398e-09
    c = c * z + 2.755726307730941e-07
    c = c * z + 2.480158733663095e-05
    c = c * z + 0.0013888888888879004
    c = c * z + 0.04166666666666668
    c = c * z + 0.5
    s = 1.6086677666787362e-10
    s = s * z + 2.5052070959803662e-08
    s = s * z + 2.7557319247344507e-06
    s = s * z + 0.00019841269841263252
    s = s * z + 0.008333333333333333
    s = s * z + 0.16666666666666666
    up = np.int64((k + 1021) << 52).view(np.float64)
    down = np.int64((1021 - k if k < 1000 else np.int64(0)) << 52).view(np.float64)
    return r + (s * z * r + low), c * z, up - down, up + down


def vsinh(x: float) -> float:
    """sinh(x) by the addition theorem, which is exact for what is subtracted; x itself near 0."""
    d = abs(x)
    s, c, a, b = vhyperbolic_parts(d if d < 710.8 else (710.8 if x == x else x))
    return x if d < 1e-9 else math.copysign(2.0 * (a + (a * c + b * s)), x)


def vcosh(x: float) -> float:
    """cosh(x) by the addition theorem."""
    d = abs(x)
    s, c, a, b = vhyperbolic_parts(d if d < 710.8 else (710.8 if x == x else x))
    return 2.0 * (b + (b * c + a * s))


def vsigmoid(x: float) -> float:
    """1/(1 + exp(-x)), relatively accurate on both sides: the exponential never overflows.

    e/(1 + e) is written e - e*(e/(1 + e)), where the rounding of 1 + e counts for less.
    """
    e = vexp(-abs(x))
    q = (1.0 if x >= 0.0 else e) / (1.0 + e)
    return q if x >= 0.0 else e - e * q
