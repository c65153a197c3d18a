"""Logarithms and what is built on them, without branches or library calls: see `vector_math`.

With x = m * 2**k and m from sqrt(1/2) to sqrt(2), log(x) = k log 2 + log(1 + f), f = m - 1. With s = f/(2 + f),
log(1 + f) = 2 atanh(s) = f - (h - s (h + R(s**2))), h = f**2/2: the large terms are exact or nearly so, and
the series only corrects them.
"""

# ruff: noqa: FURB136, PLR0124 - NaN is the number that differs from itself, and a select is meant where one stands

from __future__ import annotations

import math

import numpy as np

from symbackprop.ops.vector_math import vexp, vhead

__all__ = [
    "vlog",
    "vlog1p",
    "vlog1p_unit",
    "vlog2",
    "vlog10",
    "vlog_edge",
    "vlog_series",
    "vlog_split",
    "vlogaddexp",
    "vsoftplus",
]


def vlog_split(x: float) -> tuple[float, float]:
    """(k, m) with x = m * 2**k and m from sqrt(1/2) to sqrt(2), for finite x > 0.

    The exponent becomes a number by standing in the low bits of 2**52 + k + 1023.
    """
    small = x < 2.2250738585072014e-308
    bits = np.float64(x * 18014398509481984.0 if small else x).view(np.int64) + np.int64(2638147582215219)
    m = np.int64((bits & np.int64(4503599627370495)) + np.int64(4604544271217802189)).view(np.float64)
    k = np.int64(((bits & np.int64(9223372036854775807)) >> 52) | np.int64(4841369599423283200)).view(np.float64)
    return k - (4503599627371573.0 if small else 4503599627371519.0), m


def vlog_series(f: float) -> tuple[float, float]:
    """(h, w) with log(1 + f) = f - (h - w), for 1 + f from sqrt(1/2) to sqrt(2)."""
    s = f / (2.0 + f)
    z = s * s
    p = 0.1461916613488797
    p = p * z + 0.1533150161114533
    p = p * z + 0.18182895750119193
    p = p * z + 0.22222211043776857
    p = p * z + 0.2857142862653362
    p = p * z + 0.3999999999989827
    p = p * z + 0.6666666666666666
    h = 0.5 * f * f
    return h, s * (h + z * p)


def vlog_edge(x: float) -> float:
    """The logarithm where x is not a positive number: -inf at 0, inf at inf, NaN elsewhere."""
    return -math.inf if x == 0.0 else (x if x > 0.0 else math.nan)


def vlog(x: float) -> float:
    """log(x); the first part of log 2 has 32 bits, so that its multiple is exact."""
    k, m = vlog_split(x)
    f = m - 1.0
    h, w = vlog_series(f)
    out = k * 0.6931471803691238 - ((h - (w + k * 1.9082149292705877e-10)) - f)
    return out if (x > 0.0) & (x < math.inf) else vlog_edge(x)


def vlog1p(x: float) -> float:
    """log(1 + x): what the sum rounds off enters divided by it; x itself near 0."""
    u = 1.0 + x
    near = u - 1.0
    rest = (1.0 - (u - near)) + (x - near)
    k, m = vlog_split(u)
    f = m - 1.0
    h, w = vlog_series(f)
    lost = rest / u if x < 1e17 else 0.0
    out = k * 0.6931471803691238 - ((h - (w + (k * 1.9082149292705877e-10 + lost))) - f)
    edge = out if (u > 0.0) & (u < math.inf) else vlog_edge(u)
    return x if abs(x) < 1e-17 else edge


def vlog2(x: float) -> float:
    """log2(x) = k + log(m)/log 2, where the leading bits of both factors have an exact product."""
    k, m = vlog_split(x)
    f = m - 1.0
    h, w = vlog_series(f)
    high = vhead(f - h)
    low = ((f - high) - h) + w
    product = high * 1.4426950216293335
    total = k + product
    out = total + (((k - total) + product) + ((high + low) * 1.9259629911266175e-08 + low * 1.4426950216293335))
    return out if (x > 0.0) & (x < math.inf) else vlog_edge(x)


def vlog10(x: float) -> float:
    """log10(x) = k log10(2) + log(m)/log 10, where the leading bits of all factors have exact products."""
    k, m = vlog_split(x)
    f = m - 1.0
    h, w = vlog_series(f)
    high = vhead(f - h)
    low = ((f - high) - h) + w
    product = high * 0.4342944771051407
    lead = k * 0.30102999566361177
    total = lead + product
    rest = (high + low) * 4.798111141615973e-09 + (low * 0.4342944771051407 + k * 3.694239077158931e-13)
    out = total + (((lead - total) + product) + rest)
    return out if (x > 0.0) & (x < math.inf) else vlog_edge(x)


def vlog1p_unit(x: float) -> float:
    """log(1 + x) for x from 0 to 1, as far down as x goes."""
    u = 1.0 + x
    rest = x - (u - 1.0)
    large = u > 1.4142135623730951
    f = (0.5 * u if large else u) - 1.0
    h, w = vlog_series(f)
    return (0.6931471803691238 if large else 0.0) - (
        (h - (w + ((1.9082149292705877e-10 if large else 0.0) + rest / u))) - f
    )


def vsoftplus(x: float) -> float:
    """log(1 + exp(x)), relatively accurate on both sides: the exponential never overflows."""
    return (x if x > 0.0 else 0.0) + vlog1p_unit(vexp(-abs(x)))


def vlogaddexp(x: float, y: float) -> float:
    """log(exp(x) + exp(y)) without overflow; equal infinities give themselves."""
    d = x - y
    e = vlog1p_unit(vexp(-abs(d)))
    return (x if d > 0.0 else y) + e if d == d else x + y
