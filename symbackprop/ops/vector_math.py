"""Elementary functions without branches or library calls, so that LLVM vectorises the loops they stand in.

`math.exp` in a loop is a call per entry; these are range reduction, a polynomial and exponent-bit arithmetic, for
float64 only. Like the functions of `scalar_math` they are plain Python, and their source is copied into modules that
need them.

| function | range reduction                      | largest error measured against 50 digits |
|----------|--------------------------------------|------------------------------------------|
| vexp     | x = k log 2 + r, abs(r) <= log(2)/2  | 1.0 ulp (results that are not subnormal) |
| vtanh    | -expm1(-2 abs(x)) by the same        | 2.4 ulp |
| vsigmoid | exp(-abs(x)) by vexp                 | 1.9 ulp |

The polynomials are Taylor's, to r**13: their remainder is below 1e-17 of the result.
"""

# ruff: noqa: PLR0124 - NaN is the number that differs from itself

from __future__ import annotations

import numpy as np

__all__ = ["vexp", "vexpm1_parts", "vsigmoid", "vtanh"]


def vexpm1_parts(x: float) -> tuple[float, np.int64]:
    """(q, k) with exp(x) = (1 + q) * 2**k, for x from -746 to 710; k counts from 0.

    Adding 1.5 * 2**52 rounds x / log(2) to an integer, which then stands in the low bits of the sum.
    """
    shifted = x * 1.4426950408889634 + 6755399441055744.0
    k = shifted - 6755399441055744.0
    r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    return p * (r * r) + r, np.float64(shifted).view(np.int64) - np.int64(4843621399236968448)


def vexp(x: float) -> float:
    """exp(x); two factors carry 2**k, so that subnormal results are rounded once."""
    low = x if x > -746.0 else (-746.0 if x == x else x)
    q, k = vexpm1_parts(low if low < 710.0 else (710.0 if x == x else x))
    half = k >> 1
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((k - half + 1023) << 52).view(np.float64)
    return (1.0 + q) * first * second


def vtanh(x: float) -> float:
    """tanh(x) = -e / (2 + e) with e = expm1(-2 abs(x)), which cancels nowhere; x itself near 0."""
    y = -2.0 * abs(x)
    q, k = vexpm1_parts(y if y > -80.0 else (-80.0 if x == x else x))
    scale = np.int64((k + 1023) << 52).view(np.float64)
    e = q * scale + (scale - 1.0)
    t = -e / (2.0 + e)
    return x if abs(x) < 1e-9 else (t if x > 0.0 else -t)


def vsigmoid(x: float) -> float:
    """1/(1 + exp(-x)), relatively accurate on both sides: the exponential never overflows."""
    e = vexp(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)
